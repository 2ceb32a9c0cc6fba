#include "gateway/nano/profile_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/nano/archive.h"

enum {
    PATIENCE = 3000,               /* ms; a disk may hang */
    MEMORY_MAX = 16 * 1024 * 1024, /* all of the reading process */
    DIRECTORY_MODE = 0750,
    FILE_MODE = 0640,
};

/* A page for each member, and the directory's own; beyond what the archive
 * may hold anyway. */
#define FILE_SYSTEM_LIMITS "size=3m,nr_inodes=1400,mode=0750"

/* --- Files --------------------------------------------------------------- */

static bool write_all(int file, struct bytes content)
{
    while (content.size) {
        ssize_t n = write(file, content.data, content.size);
        if (n < 0)
            return false;
        content = bytes_of(content.data + n, content.size - (size_t)n);
    }
    return true;
}

/* "a" and "a/b" of "a/b/c". One that is there already is no matter. */
static bool make_directories(int directory, const char *name)
{
    char path[ARCHIVE_NAME_SIZE];
    for (const char *at = strchr(name, '/'); at; at = strchr(at + 1, '/')) {
        size_t size = (size_t)(at - name);
        memcpy(path, name, size);
        path[size] = '\0';
        if (mkdirat(directory, path, DIRECTORY_MODE) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static bool write_member(int directory, const struct archive_member *m)
{
    if (!make_directories(directory, m->name))
        return false;
    if (m->is_directory)
        return mkdirat(directory, m->name, DIRECTORY_MODE) == 0 ||
               errno == EEXIST;
    int file =
        openat(directory, m->name,
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (file < 0)
        return false;
    bool done = write_all(file, m->content);
    close(file);
    return done;
}

static bool write_members(struct bytes volume, int directory)
{
    struct archive a = archive_of(volume);
    struct archive_member m;
    size_t files = 0;
    while (archive_next(&a, &m) == ARCHIVE_MEMBER) {
        if (!write_member(directory, &m)) {
            log_error("profiles: %s: %s", m.name, strerror(errno));
            return false;
        }
        files += !m.is_directory;
    }
    log_info("profiles: %zu files, %zu bytes", files, a.content);
    return true;
}

static bool write_archive(struct bytes volume, int directory)
{
    struct archive_member culprit;
    enum archive_result result = archive_check(volume, &culprit);
    if (result == ARCHIVE_END)
        return write_members(volume, directory);
    log_error("profiles: none are taken: %s%s%s", culprit.name,
              culprit.name[0] ? ": " : "", archive_result_text(result));
    return false;
}

bool profile_volume_write(struct bytes volume, int directory)
{
    switch (archive_kind(volume)) {
    case ARCHIVE_NOTHING:
        log_info("profiles: the private volume is empty");
        return true;
    case ARCHIVE_UNKNOWN:
        log_error("profiles: the private volume holds no tar archive");
        return false;
    case ARCHIVE_TAR:
        return write_archive(volume, directory);
    }
    return false;
}

/* --- The process that reads ---------------------------------------------- */

static bool confine(const struct profile_volume *v)
{
    struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
    return chroot(v->directory) == 0 && chdir("/") == 0 &&
           setgroups(0, NULL) == 0 &&
           setresgid(v->group, v->group, v->group) == 0 &&
           setresuid(v->owner, v->owner, v->owner) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           setrlimit(RLIMIT_AS, &memory) == 0;
}

/* As much as an archive may have; less where the volume is smaller. */
static bool read_volume(int device, struct bytes *out)
{
    uint8_t *data = malloc(ARCHIVE_SIZE_MAX);
    size_t got = 0;
    ssize_t n = 1;
    while (data && got < ARCHIVE_SIZE_MAX && n > 0) {
        n = read(device, data + got, ARCHIVE_SIZE_MAX - got);
        got += n > 0 ? (size_t)n : 0;
    }
    *out = bytes_of(data, got);
    return data && n >= 0;
}

_Noreturn static void read_and_write(const struct profile_volume *v, int device)
{
    struct bytes volume;
    int directory = -1;
    bool done = false;
    if (confine(v))
        directory = open(".", O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || !read_volume(device, &volume))
        log_error("profiles: the private volume: %s", strerror(errno));
    else
        done = profile_volume_write(volume, directory);
    _exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* One that cannot even be killed is left behind. */
static bool wait_for(pid_t process)
{
    int status = -1;
    struct pollfd end = {(int)syscall(SYS_pidfd_open, process, 0), POLLIN, 0};
    if (poll(&end, 1, PATIENCE) == 1 && waitpid(process, &status, 0) == process)
        status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    else
        kill(process, SIGKILL);
    close(end.fd);
    if (status < 0)
        log_error("profiles: the private volume cannot be read");
    return status == EXIT_SUCCESS;
}

static bool import(const struct profile_volume *v)
{
    int device = open(v->device, O_RDONLY | O_CLOEXEC);
    if (device < 0) {
        log_warn("profiles: there is no private volume");
        return true;
    }
    pid_t process = fork();
    if (process == 0)
        read_and_write(v, device);
    close(device);
    return process > 0 && wait_for(process);
}

static bool mount_directory(const struct profile_volume *v)
{
    bool done =
        mount("profiles", v->directory, "tmpfs",
              MS_NOSUID | MS_NODEV | MS_NOEXEC, FILE_SYSTEM_LIMITS) == 0 &&
        chown(v->directory, v->owner, v->group) == 0;
    if (!done)
        log_error("profiles: %s: %s", v->directory, strerror(errno));
    return done;
}

void profile_volume_import(const struct profile_volume *v)
{
    if (!mount_directory(v))
        return;
    if (!import(v)) {
        /* With all that is in it, and whoever may still write there. */
        umount2(v->directory, MNT_DETACH);
        if (!mount_directory(v))
            return;
    }
    mount(NULL, v->directory, NULL,
          MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}
