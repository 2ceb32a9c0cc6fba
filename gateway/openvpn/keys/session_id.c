#include "gateway/openvpn/keys/session_id.h"

#include <string.h>

bool session_id_equal(const struct session_id *a, const struct session_id *b)
{
    return !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool session_id_is_zero(const struct session_id *a)
{
    static const struct session_id zero;
    return session_id_equal(a, &zero);
}
