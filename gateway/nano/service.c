#include "gateway/nano/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

enum {
    WATCHDOG = 30,       /* s; as the unit of the package has it */
    RESTART_AFTER = 500, /* ms */
    GOODBYE = 1200,      /* ms; the domain has two seconds */
    MESSAGE_SIZE = 512,
    CAPABILITIES = 64,
};

/* Abstract: there is no file to be made or found. */
#define NOTIFY_NAME "nano"

/* --- The new process ----------------------------------------------------- */

/* Killed last where memory ends: without it nothing is left to do. */
static void set_oom_score(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (write(file, "-500", strlen("-500")) < 0)
        log_debug("service: no score: %s", strerror(errno));
    close(file);
}

static bool become(uid_t user, gid_t group)
{
    const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};
    for (int i = 0; i < CAPABILITIES; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    return setrlimit(RLIMIT_CORE, &none) == 0 &&
           setrlimit(RLIMIT_MEMLOCK, &all) == 0 && setgroups(0, NULL) == 0 &&
           setresgid(group, group, group) == 0 &&
           setresuid(user, user, user) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void copy_argument(char *out, size_t size, const char *in)
{
    snprintf(out, size, "%s", in);
}

/* execve() takes no constants. */
static void execute(const char *const *command)
{
    enum { ARGUMENTS_MAX = 15, ARGUMENT_SIZE = 64 };
    static char texts[ARGUMENTS_MAX][ARGUMENT_SIZE];
    static char watchdog[32], notify[] = "NOTIFY_SOCKET=@" NOTIFY_NAME;
    char *arguments[ARGUMENTS_MAX + 1] = {NULL};
    char *environment[] = {notify, watchdog, NULL};
    for (size_t i = 0; i < ARGUMENTS_MAX && command[i]; i++) {
        copy_argument(texts[i], ARGUMENT_SIZE, command[i]);
        arguments[i] = texts[i];
    }
    snprintf(watchdog, sizeof watchdog, "WATCHDOG_USEC=%d000000", WATCHDOG);
    execve(arguments[0], arguments, environment);
}

_Noreturn static void be_the_program(const struct service *s)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    set_oom_score();
    if (become(s->user, s->group))
        execute(s->command);
    log_error("service: %s: %s", s->command[0], strerror(errno));
    _exit(EXIT_FAILURE);
}

/* --- Its life ------------------------------------------------------------ */

static void set_timer(struct service *s, struct duration d)
{
    loop_timer_set(&s->timer, instant_after(loop_now(s->loop), d));
}

static void start(struct service *s)
{
    s->process = fork();
    if (s->process == 0)
        be_the_program(s);
    if (s->process > 0)
        s->end.fd = (int)syscall(SYS_pidfd_open, s->process, 0);
    if (s->process < 0 || s->end.fd < 0 ||
        loop_add(s->loop, &s->end, LOOP_READ) != OK) {
        log_error("service: %s", strerror(errno));
        s->process = s->process < 0 ? 0 : s->process;
    }
    set_timer(s, duration_seconds(WATCHDOG));
}

/* Starts it, or it was silent for too long. */
static void on_timer(void *context, struct instant now)
{
    struct service *s = context;
    (void)now;
    if (!s->process) {
        start(s);
        return;
    }
    log_error("service: no sign of life: it is killed");
    kill(s->process, SIGKILL);
}

static void on_end(void *context, struct instant now, unsigned events)
{
    struct service *s = context;
    int status = 0;
    (void)now;
    (void)events;
    if (waitpid(s->process, &status, WNOHANG) != s->process)
        return;
    loop_remove(s->loop, &s->end);
    close(s->end.fd);
    s->process = 0;
    if (s->stopping) {
        s->owner.stopped(s->owner.context);
        return;
    }
    if (WIFSIGNALED(status))
        log_error("service: it was ended by signal %d", WTERMSIG(status));
    else
        log_error("service: it ended with %d", WEXITSTATUS(status));
    set_timer(s, duration_milliseconds(RESTART_AFTER));
}

/* --- What it says -------------------------------------------------------- */

static void take_line(struct service *s, struct instant now, struct bytes line)
{
    struct bytes name;
    if (!text_cut(&line, '=', &name))
        return;
    if (text_equal(name, "WATCHDOG") && !s->stopping)
        set_timer(s, duration_seconds(WATCHDOG));
    else if (text_equal(name, "READY"))
        s->owner.ready(s->owner.context, now);
    else if (text_equal(name, "X_UPLINK"))
        s->owner.uplink(s->owner.context, now, line);
}

static void on_notify(void *context, struct instant now, unsigned events)
{
    struct service *s = context;
    char message[MESSAGE_SIZE];
    (void)events;
    ssize_t size = recv(s->notify.fd, message, sizeof message, 0);
    if (size <= 0)
        return;
    struct bytes rest = bytes_of(message, (size_t)size), line;
    while (text_cut(&rest, '\n', &line))
        take_line(s, now, line);
}

static bool open_notify(struct service *s)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                 strlen(NOTIFY_NAME));
    memcpy(name.sun_path + 1, NOTIFY_NAME, strlen(NOTIFY_NAME));
    s->notify.fd =
        socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return s->notify.fd >= 0 &&
           bind(s->notify.fd, (const struct sockaddr *)&name, size) == 0 &&
           loop_add(s->loop, &s->notify, LOOP_READ) == OK;
}

bool service_open(struct service *s, struct loop *loop,
                  const char *const *command, uid_t user, gid_t group,
                  const struct service_owner *owner)
{
    *s = (struct service){
        .owner = *owner,
        .loop = loop,
        .command = command,
        .user = user,
        .group = group,
        .end = {-1, on_end, s},
        .notify = {-1, on_notify, s},
        .timer = {INSTANT_NEVER, on_timer, s, NULL},
    };
    if (!open_notify(s)) {
        log_error("service: %s", strerror(errno));
        return false;
    }
    loop_add_timer(loop, &s->timer);
    set_timer(s, (struct duration){0});
    return true;
}

void service_stop(struct service *s)
{
    s->stopping = true;
    if (!s->process) {
        s->owner.stopped(s->owner.context);
        return;
    }
    kill(s->process, SIGTERM);
    set_timer(s, duration_milliseconds(GOODBYE));
}
