/*
 * Preloaded into the gateway, does what somebody might who has taken it over:
 * when the file INTRUDER_FILE appears it runs a program.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    static const char *name;
    if (!name)
        name = getenv("INTRUDER_FILE");
    if (name && access(name, F_OK) == 0)
        execl("/bin/touch", "touch", getenv("INTRUDER_TRACE"), (char *)NULL);
    return (int)syscall(SYS_epoll_wait, fd, events, most, timeout);
}
