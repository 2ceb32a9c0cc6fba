#include "gateway/process/desktop_notice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/process/local_socket.h"

/* With its address each time: the other end may come and go. */
static void say(struct desktop_notice *a, const char *word)
{
    if (a->fd < 0)
        return;
    if (sendto(a->fd, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&a->to, sizeof a->to) < 0)
        log_debug("announce: %s: %s", word, strerror(errno));
}

static void stays_down(void *context, struct instant now)
{
    struct desktop_notice *a = context;
    (void)now;
    a->said_up = a->waits = false;
    say(a, "down");
}

void desktop_notice_open(struct desktop_notice *a, struct loop *loop,
                         const char *path)
{
    *a = (struct desktop_notice){
        .fd = -1,
        .loop = loop,
        .patience = {INSTANT_NEVER, stays_down, a, NULL},
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
    loop_remove_timer(a->loop, &a->patience);
    if (a->said_up)
        say(a, "down");
    a->said_up = false;
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

void desktop_notice_up(struct desktop_notice *a)
{
    loop_timer_set(&a->patience, INSTANT_NEVER);
    a->waits = false;
    if (!a->said_up)
        say(a, "up");
    a->said_up = true;
}

void desktop_notice_down(struct desktop_notice *a, struct instant now)
{
    if (!a->said_up || a->waits)
        return;
    a->waits = true;
    loop_timer_set(
        &a->patience,
        instant_after(now, duration_seconds(DESKTOP_NOTICE_PATIENCE)));
}

void desktop_notice_login(struct desktop_notice *a)
{
    say(a, "login");
}
