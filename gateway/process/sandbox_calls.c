#include "gateway/process/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The commands of /dev/xen/evtchn and /dev/xen/gntdev have these letters
 * (xen/sys/evtchn.h, gntdev.h; gntalloc's is gntdev's). */
enum {
    LETTER_SHIFT = 8,
    LETTER_MASK = 0xff << LETTER_SHIFT,
    EVTCHN_LETTER = 'E' << LETTER_SHIFT,
    GNTDEV_LETTER = 'G' << LETTER_SHIFT,
    SOCKET_TYPE_MASK = 0xf, /* linux/net.h; above are flags */
};

/* The flags allowed when opening; O_TMPFILE has the bit of O_DIRECTORY, too. */
#define OPEN_KIND (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

enum { CONDITIONS_MAX = 2 };

/* These bits of an argument have this value; no bits: no condition. */
struct condition {
    uint32_t mask, value;
    unsigned argument;
};

struct call {
    int number;
    struct condition conditions[CONDITIONS_MAX];
};

/* clang-format off */
#define ALWAYS(name)               {.number = SCMP_SYS(name)}
#define IF(name, ...)              {SCMP_SYS(name), {__VA_ARGS__}}
#define IS(number, is)             {UINT32_MAX, is, number}
#define BITS(number, mask, are)    {mask, are, number}
#define KIND(type)                 BITS(1, SOCKET_TYPE_MASK, type)
/* clang-format on */

static const struct call calls[] = {
    /* The event loop, its timer, signals and wake-ups of ourselves. */
    ALWAYS(epoll_wait),
    ALWAYS(epoll_pwait),
    ALWAYS(epoll_ctl),
    ALWAYS(nanosleep),
    ALWAYS(clock_nanosleep),
    ALWAYS(timerfd_settime),
    ALWAYS(clock_gettime), /* a call where the clock is Xen's */
    ALWAYS(gettimeofday),
    ALWAYS(time),
    ALWAYS(restart_syscall),
    /* Packets, all the rest of input and output, the log. */
    ALWAYS(read),
    ALWAYS(readv),
    ALWAYS(write),
    ALWAYS(writev),
    ALWAYS(recvfrom),
    ALWAYS(recvmsg),
    ALWAYS(recvmmsg),
    ALWAYS(sendto),
    ALWAYS(sendmsg),
    ALWAYS(sendmmsg),
    ALWAYS(close),
    /* Sockets: uplinks and questions about names, anew at each reconnect;
     * QubesDB; the kernel's word about its interfaces. No raw sockets, no
     * other families. */
    IF(socket, IS(0, AF_UNIX)),
    IF(socket, IS(0, AF_INET), KIND(SOCK_DGRAM)),
    IF(socket, IS(0, AF_INET), KIND(SOCK_STREAM)),
    IF(socket, IS(0, AF_INET6), KIND(SOCK_DGRAM)),
    IF(socket, IS(0, AF_INET6), KIND(SOCK_STREAM)),
    IF(socket, IS(0, AF_NETLINK), IS(2, 0)), /* NETLINK_ROUTE */
    ALWAYS(connect),
    ALWAYS(bind),
    ALWAYS(setsockopt),
    ALWAYS(getsockopt),
    ALWAYS(getsockname),
    ALWAYS(getpeername),
    ALWAYS(shutdown),
    /* No F_SETOWN: it would have the kernel send signals to others. */
    IF(fcntl, IS(1, F_GETFD)),
    IF(fcntl, IS(1, F_SETFD)),
    IF(fcntl, IS(1, F_GETFL)),
    IF(fcntl, IS(1, F_SETFL)),
    IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
    /* The control socket's visitors, and its file at the end. */
    ALWAYS(accept4),
    ALWAYS(unlink),
    ALWAYS(unlinkat),
    /* Files: resolv.conf and its kind, profiles that are read again, devices
     * of Xen. None is made or emptied. */
    IF(openat, BITS(2, OPEN_KIND, O_RDONLY)),
    IF(openat, BITS(2, OPEN_KIND, O_RDWR)),
    IF(open, BITS(1, OPEN_KIND, O_RDONLY)),
    IF(open, BITS(1, OPEN_KIND, O_RDWR)),
    ALWAYS(getdents64), /* profiles beside the one that is read */
    ALWAYS(pread64),
    ALWAYS(lseek),
    ALWAYS(ftruncate), /* a server's files, which were opened before */
    ALWAYS(stat),
    ALWAYS(lstat),
    ALWAYS(fstat),
    ALWAYS(newfstatat),
    ALWAYS(statx),
    ALWAYS(access),
    ALWAYS(faccessat),
    ALWAYS(faccessat2),
    ALWAYS(readlink),
    ALWAYS(readlinkat),
    ALWAYS(getcwd),
    /* Memory: for data. Xen's grants are mapped, too. */
    ALWAYS(brk),
    IF(mmap, BITS(2, PROT_EXEC, 0)),
    IF(mprotect, BITS(2, PROT_EXEC, 0)),
    ALWAYS(mremap),
    ALWAYS(munmap),
    ALWAYS(madvise),
    /* Devices of Xen; sizes and names that libraries ask for. */
    IF(ioctl, BITS(1, LETTER_MASK, EVTCHN_LETTER)),
    IF(ioctl, BITS(1, LETTER_MASK, GNTDEV_LETTER)),
    IF(ioctl, IS(1, FIONBIO)),
    IF(ioctl, IS(1, FIONREAD)),
    IF(ioctl, IS(1, TCGETS)),
    IF(ioctl, IS(1, SIOCGIFINDEX)),
    IF(ioctl, IS(1, SIOCGIFNAME)),
    ALWAYS(poll),
    ALWAYS(ppoll),
    /* Random numbers, and what seeds and sizes tables of libraries. */
    ALWAYS(getrandom),
    ALWAYS(getpid),
    ALWAYS(gettid),
    ALWAYS(getuid),
    ALWAYS(geteuid),
    ALWAYS(getgid),
    ALWAYS(getegid),
    ALWAYS(uname),
    ALWAYS(sysinfo),
    ALWAYS(sched_getaffinity),
    ALWAYS(sched_yield),
    ALWAYS(getrusage),
    /* Threads: libxenstore makes one for each connection with a watch, and a
     * pipe for its watches when they are first waited for: that is after a
     * loss, or where dom0's QubesDB is late. No process. Signals; the end, be
     * it an assert's. */
    ALWAYS(pipe),
    ALWAYS(pipe2),
    IF(clone, BITS(0, CLONE_THREAD, CLONE_THREAD)),
    ALWAYS(futex),
    ALWAYS(set_robust_list),
    ALWAYS(rseq),
    ALWAYS(rt_sigaction),
    ALWAYS(rt_sigprocmask),
    ALWAYS(rt_sigreturn),
    ALWAYS(exit),
    ALWAYS(exit_group),
};

/* For who replaces files: a new one is made, and takes the old one's place. */
static const struct call replacing[] = {
    IF(openat, BITS(2, OPEN_KIND | O_EXCL, O_WRONLY | O_CREAT | O_EXCL)),
    IF(open, BITS(1, OPEN_KIND | O_EXCL, O_WRONLY | O_CREAT | O_EXCL)),
    ALWAYS(fchmod),
    ALWAYS(rename),
    ALWAYS(renameat),
    ALWAYS(renameat2),
};

static int allow(scmp_filter_ctx filter, const struct call *call)
{
    struct scmp_arg_cmp conditions[CONDITIONS_MAX];
    unsigned count = 0;
    while (count < CONDITIONS_MAX && call->conditions[count].mask) {
        const struct condition *c = &call->conditions[count];
        conditions[count++] =
            SCMP_CMP32(c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value);
    }
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, count,
                                  conditions);
}

static int fill(scmp_filter_ctx filter, bool replaces)
{
    /* Signals only to ourselves: abort(), and the cancelling of a thread. */
    const struct call tgkill = IF(tgkill, IS(0, (uint32_t)getpid()));
    int failed = allow(filter, &tgkill);
    /* Their flags are in memory, which a filter cannot read: libraries take
     * clone() and openat() where these are not there. */
    static const int unreadable[] = {SCMP_SYS(clone3), SCMP_SYS(openat2)};
    for (size_t i = 0; !failed && i < sizeof unreadable / sizeof *unreadable;
         i++)
        failed =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), unreadable[i], 0);
    for (size_t i = 0; !failed && i < sizeof calls / sizeof *calls; i++)
        failed = allow(filter, &calls[i]);
    for (size_t i = 0;
         replaces && !failed && i < sizeof replacing / sizeof *replacing; i++)
        failed = allow(filter, &replacing[i]);
    return failed;
}

bool sandbox_calls_confine(bool replaces)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) {
        errno = ENOMEM;
        return false;
    }
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* We run nobody's code but our own: the kernel's brake on speculation
     * for filtered processes would cost and guard nothing. */
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    /* A tree instead of a chain: some calls are made for each packet. */
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!failed)
        failed = fill(filter, replaces);
    if (!failed)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    errno = -failed;
    return failed == 0;
}
