/*
 * Preloaded into the gateway, lets it live on a machine that sleeps: the file
 * SLEEPER_FILE holds two numbers of 64 bits, the seconds that the machine has
 * slept so far, and those by which its wall clock was put forward.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *slept;

/* Mapped at once: later there is no file that may be opened. */
__attribute__((constructor)) static void map_file(void)
{
    const char *name = getenv("SLEEPER_FILE");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        abort();
    void *map = mmap(NULL, 2 * sizeof *slept, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    slept = map;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))(uintptr_t)dlsym(
            RTLD_NEXT, "clock_gettime");
    int result = real(clock, out);
    if (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME)
        out->tv_sec += slept[0];
    if (clock == CLOCK_REALTIME)
        out->tv_sec += slept[1];
    return result;
}

/* A moment of that machine is an earlier one of this. One that passed while
 * it slept has come. */
int timerfd_settime(int fd, int flags, const struct itimerspec *when,
                    struct itimerspec *before)
{
    static int (*real)(int, int, const struct itimerspec *,
                       struct itimerspec *);
    struct itimerspec here = *when;
    if (!real)
        real =
            (int (*)(int, int, const struct itimerspec *, struct itimerspec *))(
                uintptr_t)dlsym(RTLD_NEXT, "timerfd_settime");
    here.it_value.tv_sec -= slept[0];
    if (here.it_value.tv_sec < 0)
        here.it_value = (struct timespec){.tv_nsec = 1};
    return real(fd, flags, &here, before);
}
