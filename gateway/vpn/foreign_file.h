/* Tells what a file is that was given as a profile and is none. */
#ifndef VPN_FOREIGN_FILE_H
#define VPN_FOREIGN_FILE_H

#include "gateway/base/bytes.h"

/* A sentence that says what it is and what to take instead; NULL where it may
 * be a profile. */
const char *foreign_file_problem(struct bytes text);

#endif
