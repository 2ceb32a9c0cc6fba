/* Writes what a server pushed, for the log, without its secrets. */
#ifndef OPENVPN_PUSH_PUSH_TEXT_H
#define OPENVPN_PUSH_PUSH_TEXT_H

#include "gateway/base/bytes.h"

enum { PUSH_TEXT_SIZE = 1024 };

/* The options of one message, quoted, with ", " between; what does not fit is
 * cut off. Of a token, and of an option that is not known here, the name alone
 * is shown: nobody knows what the rest is. */
const char *push_text(struct bytes message, char out[PUSH_TEXT_SIZE]);

#endif
