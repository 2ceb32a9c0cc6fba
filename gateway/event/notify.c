#include "gateway/event/notify.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 512 };

/* `state` and one line NAME=VALUE, where there is a value. */
static void tell_line(struct notify *n, const char *state, const char *name,
                      const char *value)
{
    char message[MESSAGE_SIZE];
    if (n->fd < 0)
        return;
    int size = snprintf(message, sizeof message, "%s%s%s", state,
                        value ? name : "", value ? value : "");
    if (size < 0)
        return;
    size_t fits =
        (size_t)size < sizeof message ? (size_t)size : sizeof message - 1;
    /* A second line of the value would be taken for a word of ours. */
    size_t fixed = strlen(state);
    for (size_t i = fixed; i < fits; i++)
        if (message[i] == '\n')
            message[i] = ' ';
    /* The manager is not waited for. */
    if (send(n->fd, message, fits, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("notify: %s", strerror(errno));
}

static void tell(struct notify *n, const char *state, const char *status)
{
    tell_line(n, state, "STATUS=", status);
}

static void sign_of_life(void *context, struct instant now)
{
    struct notify *n = context;
    tell(n, "WATCHDOG=1\n", NULL);
    loop_timer_set(&n->watchdog, instant_after(now, n->period));
}

/* $WATCHDOG_USEC / 2, if it is meant for us. */
static struct duration watchdog_period(void)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *process = getenv("WATCHDOG_PID");
    uint32_t us;
    uint32_t pid;
    if (!interval || !text_to_u32(bytes_of_text(interval), UINT32_MAX, &us))
        return (struct duration){0};
    if (process && (!text_to_u32(bytes_of_text(process), INT32_MAX, &pid) ||
                    (pid_t)pid != getpid()))
        return (struct duration){0};
    return (struct duration){us / 2};
}

/* A path, or after '@' a name in the abstract namespace. */
static bool connect_to(int fd, const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length >= sizeof to.sun_path) {
        errno = EAFNOSUPPORT;
        return false;
    }
    memcpy(to.sun_path, name, length);
    if (name[0] == '@')
        to.sun_path[0] = '\0';
    socklen_t size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return connect(fd, (const struct sockaddr *)&to, size) == 0;
}

void notify_open(struct notify *n, struct loop *loop)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *n = (struct notify){
        .fd = -1,
        .loop = loop,
        .watchdog = {.expired = sign_of_life, .context = n},
    };
    loop_add_timer(loop, &n->watchdog);
    if (!name || !*name)
        return;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0 || !connect_to(n->fd, name)) {
        log_warn("notify: %s: %s", name, strerror(errno));
        if (n->fd >= 0)
            close(n->fd);
        n->fd = -1;
        return;
    }
    n->period = watchdog_period();
    if (n->period.us)
        loop_timer_set(&n->watchdog, loop_now(loop));
}

void notify_close(struct notify *n)
{
    loop_remove_timer(n->loop, &n->watchdog);
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

void notify_ready(struct notify *n, const char *status)
{
    tell(n, "READY=1\n", status);
}

void notify_status(struct notify *n, const char *status)
{
    tell(n, "", status);
}

void notify_stopping(struct notify *n, const char *status)
{
    tell(n, "STOPPING=1\n", status);
}

void notify_uplink(struct notify *n, const char *line)
{
    tell_line(n, "", "X_UPLINK=", line);
}
