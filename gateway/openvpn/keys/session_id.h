/* The number by which one end of a control channel knows the other's
 * (openvpn: session_id.h). */
#ifndef OPENVPN_KEYS_SESSION_ID_H
#define OPENVPN_KEYS_SESSION_ID_H

#include "gateway/base/bytes.h"

struct session_id {
    uint8_t bytes[8]; /* never all zero on the wire */
};

bool session_id_equal(const struct session_id *a, const struct session_id *b);
bool session_id_is_zero(const struct session_id *a);

#endif
