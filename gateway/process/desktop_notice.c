#include "gateway/process/desktop_notice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/process/local_socket.h"

/* With its address each time: the other end may come and go. */
static void say(struct desktop_notice *a, enum vpn_state state)
{
    const char *word = vpn_state_name(state);
    loop_timer_set(&a->patience, INSTANT_NEVER);
    a->waits = false;
    a->said_connected = state == VPN_STATE_CONNECTED;
    if (a->fd < 0)
        return;
    if (sendto(a->fd, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&a->to, sizeof a->to) < 0)
        log_debug("announce: %s: %s", word, strerror(errno));
}

static void stays_lost(void *context, struct instant now)
{
    struct desktop_notice *a = context;
    (void)now;
    say(a, a->state);
}

void desktop_notice_open(struct desktop_notice *a, struct loop *loop,
                         const char *path)
{
    *a = (struct desktop_notice){
        .fd = -1,
        .loop = loop,
        .patience = {INSTANT_NEVER, stays_lost, a, NULL},
    };
    loop_add_timer(loop, &a->patience);
    if (!path)
        return;
    if (local_socket_name(path, &a->to))
        a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        log_warn("announce: %s: %s", path, strerror(errno));
}

void desktop_notice_close(struct desktop_notice *a)
{
    if (a->said_connected)
        say(a, VPN_STATE_STOPPED);
    loop_remove_timer(a->loop, &a->patience);
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

static void lost(struct desktop_notice *a, struct instant now,
                 enum vpn_state state)
{
    a->state = state;
    if (!a->said_connected || a->waits)
        return;
    a->waits = true;
    loop_timer_set(
        &a->patience,
        instant_after(now, duration_seconds(DESKTOP_NOTICE_PATIENCE)));
}

static void back(struct desktop_notice *a)
{
    if (!a->said_connected)
        say(a, VPN_STATE_CONNECTED);
    a->waits = false;
    loop_timer_set(&a->patience, INSTANT_NEVER);
}

void desktop_notice_state(struct desktop_notice *a, struct instant now,
                          enum vpn_state state)
{
    switch (state) {
    case VPN_STATE_CONNECTED:
        back(a);
        break;
    case VPN_STATE_WAITING_FOR_LOGIN:
        say(a, state);
        break;
    case VPN_STATE_STOPPED:
        if (a->said_connected)
            say(a, state);
        break;
    case VPN_STATE_CONNECTING:
    case VPN_STATE_WAITING_TO_RETRY:
    case VPN_STATE_BLOCKED:
    case VPN_STATE_COUNT:
        lost(a, now, state);
        break;
    }
}
