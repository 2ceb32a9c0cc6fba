#include "gateway/process/sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h, where headers may be older; by the version of Landlock
 * that has them first. */
#define ACCESS_REFER     (UINT64_C(1) << 13) /* 2 */
#define ACCESS_TRUNCATE  (UINT64_C(1) << 14) /* 3 */
#define ACCESS_BIND_TCP  (UINT64_C(1) << 0)  /* 4 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define SCOPE_ABSTRACT   (UINT64_C(1) << 0)  /* 6: sockets without a file */
#define SCOPE_SIGNAL     (UINT64_C(1) << 1)  /* 6 */

enum {
    QUERY_ERRATA = 1 << 1,
    /* Before it was mended a thread could not signal one of its own process
     * that is older than the sandbox, which ends libxenstore's. */
    ERRATUM_SIGNAL = 1 << 1,
    ACCESS_ABI_1 = (1 << 13) - 1, /* all rights of the first version */
    ACCESS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    ACCESS_DEVICE = LANDLOCK_ACCESS_FS_READ_FILE |
                    LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_IOCTL_DEV,
    ACCESS_REMOVE = LANDLOCK_ACCESS_FS_REMOVE_FILE,
    /* Cut as well: a file that can no longer be replaced is rewritten. */
    ACCESS_REPLACE = LANDLOCK_ACCESS_FS_MAKE_REG |
                     LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE |
                     LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

/* As the kernel takes it; what it does not know has to be zero. */
struct ruleset {
    uint64_t handled_files, handled_net, scoped;
};

static const struct {
    const char *path;
    uint64_t access;
} own[] = {
    /* The resolver's configuration. Directories, because the files are replaced
     * and not rewritten; resolv.conf may point into the last two. */
    {"/etc", ACCESS_READ},
    {"/run/systemd/resolve", ACCESS_READ},
    {"/run/NetworkManager", ACCESS_READ},
    {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE},
    /* QubesDB over vchan opens them again after a loss. */
    {"/dev/xen", ACCESS_DEVICE},
};

struct sandbox_scope sandbox_files_scope(long version, long mended)
{
    return (struct sandbox_scope){
        .files = ACCESS_ABI_1 | (version >= 2 ? ACCESS_REFER : 0) |
                 (version >= 3 ? ACCESS_TRUNCATE : 0) |
                 (version >= 5 ? ACCESS_IOCTL_DEV : 0),
        .net = version >= 4 ? ACCESS_BIND_TCP : 0,
        .scoped = (version >= 6 ? SCOPE_ABSTRACT : 0) |
                  (version >= 6 && mended & ERRATUM_SIGNAL ? SCOPE_SIGNAL : 0),
    };
}

/* --- Rules --------------------------------------------------------------- */

struct rules {
    int fd;
    uint64_t handled; /* a right that is not forbidden cannot be given */
};

static bool allow(const struct rules *r, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access & r->handled,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES;
    bool done = syscall(SYS_landlock_add_rule, r->fd,
                        LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return done;
}

static bool allow_directory(const struct rules *r, const char *path,
                            uint64_t access)
{
    struct stat status;
    char copy[PATH_MAX];
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return allow(r, path, access);
    if (strlen(path) >= sizeof copy)
        return true;
    strcpy(copy, path);
    return allow(r, dirname(copy), access);
}

static bool allow_each(const struct rules *r, const char *const *paths,
                       uint64_t access)
{
    bool done = true;
    for (; paths && *paths; paths++)
        done = allow_directory(r, *paths, access) && done;
    return done;
}

static bool allow_all(const struct rules *r, const struct sandbox_options *o)
{
    bool done = allow_each(r, o->read, ACCESS_READ);
    done = allow_each(r, o->remove, ACCESS_REMOVE) && done;
    done = allow_each(r, o->replace, ACCESS_REPLACE) && done;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        done = allow(r, own[i].path, own[i].access) && done;
    return done;
}

static long query(unsigned what)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, what);
}

bool sandbox_files_confine(const struct sandbox_options *options)
{
    long version = query(LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return false;
    long mended = query(QUERY_ERRATA); /* -1: a kernel that does not tell */
    struct sandbox_scope scope =
        sandbox_files_scope(version, mended < 0 ? 0 : mended);
    const struct ruleset set = {scope.files, scope.net, scope.scoped};
    struct rules rules = {.handled = scope.files};
    rules.fd = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof set, 0);
    if (rules.fd < 0)
        return false;
    bool done = allow_all(&rules, options) &&
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                syscall(SYS_landlock_restrict_self, rules.fd, 0) == 0;
    close(rules.fd);
    return done;
}
