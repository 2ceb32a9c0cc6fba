#include "gateway/process/sandbox.h"

#include <errno.h>
#include <execinfo.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/process/sandbox_calls.h"
#include "gateway/process/sandbox_files.h"

void sandbox_guard_secrets(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* Only where there is no limit: with one, a later allocation would fail. */
static bool lock_memory(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
        limit.rlim_cur == RLIM_INFINITY &&
        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
        return true;
    log_debug("sandbox: memory is not locked: the system's limit");
    return false;
}

/* The C library loads its unwinder when a thread is first cancelled, as
 * xs_close() does. Afterwards nothing can be loaded. */
static void load_unwinder(void)
{
    void *frame;
    backtrace(&frame, 1);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

static bool refused(const char *what)
{
    log_error("sandbox: %s: %s; --no-sandbox goes without", what,
              strerror(errno));
    return false;
}

bool sandbox_enter(const struct sandbox_options *options, struct sandbox *out)
{
    *out = (struct sandbox){0};
    if (options->off) {
        log_warn("sandbox: OFF, as asked: whoever takes this process over has "
                 "all that its user has");
        return true;
    }
    load_unwinder();
    out->memory = lock_memory();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return refused("no new privileges");
    if (!drop_capabilities())
        return refused("dropping capabilities");
    out->files = sandbox_files_confine(options);
    if (!out->files)
        log_warn("sandbox: this kernel has no Landlock: files are confined by "
                 "their permissions only");
    sandbox_guard_secrets();
    out->calls = sandbox_calls_confine(options->replace && *options->replace);
    return out->calls || refused("list of system calls");
}
