#include "gateway/sandbox_files.h"

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

/* linux/landlock.h, from ABI 2 and 3 on; headers may be older. */
#define ACCESS_REFER    (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)

enum {
    ACCESS_ABI_1 = (1 << 13) - 1, /* all rights of the first version */
    ACCESS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    ACCESS_DEVICE =
        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
    ACCESS_REMOVE = LANDLOCK_ACCESS_FS_REMOVE_FILE,
    ACCESS_REPLACE = LANDLOCK_ACCESS_FS_MAKE_REG |
                     LANDLOCK_ACCESS_FS_WRITE_FILE |
                     LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

static const struct {
    const char *path;
    uint64_t access;
} own[] = {
    /* Which resolvers there are. Directories, because the files are replaced
     * and not rewritten; the last two are where resolv.conf may point. */
    {"/etc", ACCESS_READ},
    {"/run/systemd/resolve", ACCESS_READ},
    {"/run/NetworkManager", ACCESS_READ},
    {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE},
    /* QubesDB over vchan opens them again after a loss. */
    {"/dev/xen", ACCESS_DEVICE},
};

static bool allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES;
    bool done = syscall(SYS_landlock_add_rule, rules,
                        LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return done;
}

static bool allow_directory(int rules, const char *path, uint64_t access)
{
    struct stat status;
    char copy[PATH_MAX];
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return allow(rules, path, access);
    if (strlen(path) >= sizeof copy)
        return true;
    strcpy(copy, path);
    return allow(rules, dirname(copy), access);
}

static bool allow_each(int rules, const char *const *paths, uint64_t access)
{
    bool done = true;
    for (; paths && *paths; paths++)
        done = allow_directory(rules, *paths, access) && done;
    return done;
}

static bool allow_all(int rules, const struct sandbox_options *o)
{
    bool done = allow_each(rules, o->read, ACCESS_READ);
    done = allow_each(rules, o->remove, ACCESS_REMOVE) && done;
    done = allow_each(rules, o->replace, ACCESS_REPLACE) && done;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        done = allow(rules, own[i].path, own[i].access) && done;
    return done;
}

bool sandbox_files_confine(const struct sandbox_options *options)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return false;
    struct landlock_ruleset_attr handled = {
        .handled_access_fs = ACCESS_ABI_1 | (version >= 2 ? ACCESS_REFER : 0) |
                             (version >= 3 ? ACCESS_TRUNCATE : 0)};
    int rules =
        (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return false;
    bool done = allow_all(rules, options) &&
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return done;
}
