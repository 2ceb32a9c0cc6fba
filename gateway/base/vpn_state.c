#include "gateway/base/vpn_state.h"

#include <stddef.h>
#include <string.h>

static const char *const names[VPN_STATE_COUNT] = {
#define X(name, text) [VPN_STATE_##name] = text,
    VPN_STATES(X)
#undef X
};

const char *vpn_state_name(enum vpn_state state)
{
    return (unsigned)state < VPN_STATE_COUNT ? names[state] : "?";
}

bool vpn_state_of(const char *text, enum vpn_state *out)
{
    for (size_t i = 0; text && i < VPN_STATE_COUNT; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum vpn_state)i;
            return true;
        }
    }
    return false;
}
