/*
 * The states of the VPN, whatever its protocol, and the only names that they
 * have: log, status, JSON, notifications, manuals and scripts say these. A
 * protocol has finer states of its own; for anybody else it names one of
 * these (vpn_state_name() is the text, so nothing else spells it).
 *
 *   blocked ---> connecting <---> waiting for login
 *                 |  ^    |
 *                 |  |    +---> connected
 *                 v  |              |
 *     waiting to retry <------------+        (any) --> stopped
 */
#ifndef BASE_VPN_STATE_H
#define BASE_VPN_STATE_H

#include <stdbool.h>

/* In the order of the manual, with what they mean there. */
#define VPN_STATES(X)                                                          \
    X(CONNECTING, "connecting") /* to a server, up to its keys */              \
    X(WAITING_FOR_LOGIN, "waiting for login") /* for a person's answer */      \
    X(WAITING_TO_RETRY, "waiting to retry")   /* an attempt failed */          \
    X(CONNECTED, "connected")                 /* packets of qubes pass */      \
    X(BLOCKED, "blocked")                     /* no profile can be used */     \
    X(STOPPED, "stopped")                     /* for good */

enum vpn_state {
#define X(name, text) VPN_STATE_##name,
    VPN_STATES(X)
#undef X
        VPN_STATE_COUNT
};

const char *vpn_state_name(enum vpn_state state);
/* False where `text`, which may be NULL, is no state's name. */
bool vpn_state_of(const char *text, enum vpn_state *out);

#endif
