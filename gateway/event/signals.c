#include "gateway/event/signals.h"
#include "gateway/base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void ready(void *context, struct instant now, unsigned events)
{
    struct signals *s = context;
    struct signalfd_siginfo info;
    (void)events;
    /* One a turn: the receiver may close us. */
    if (read(s->watch.fd, &info, sizeof info) == sizeof info)
        s->received(s->context, now, (int)info.ssi_signo);
}

enum error signals_open(struct signals *s, struct loop *loop,
                        void (*received)(void *context, struct instant now,
                                         int signal),
                        void *context)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGUSR1);
    *s = (struct signals){
        .loop = loop,
        .watch = {.fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK),
                  .ready = ready,
                  .context = s},
        .received = received,
        .context = context,
    };
    enum error error = s->watch.fd < 0 ? error_of_errno(errno)
                                       : loop_add(loop, &s->watch, LOOP_READ);
    if (error != OK) {
        log_error("signals: %s", strerror(errno));
        if (s->watch.fd >= 0)
            close(s->watch.fd);
        return error;
    }
    sigprocmask(SIG_BLOCK, &ours, &s->before);
    signal(SIGPIPE, SIG_IGN);
    return OK;
}

void signals_close(struct signals *s)
{
    loop_remove(s->loop, &s->watch);
    close(s->watch.fd);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
}
