#include "gateway/vpn/profile_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/base/secret.h"

enum {
    /* A pipe without a writer must not stop us. */
    READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
};

void profile_directory_open(struct profile_directory *d, const char *file,
                            bool anywhere)
{
    char copy[PATH_MAX];
    size_t size = strlen(file);
    d->anywhere = anywhere;
    d->fd = -1;
    d->path[0] = '\0';
    if (size >= sizeof copy)
        return;
    memcpy(copy, file, size + 1);
    const char *directory = dirname(copy);
    d->fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!realpath(directory, d->path))
        d->path[0] = '\0';
}

void profile_directory_close(struct profile_directory *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

/* --- Finding ------------------------------------------------------------- */

/* The part of an absolute path below the profile's directory, or the path. */
static const char *below(const struct profile_directory *d, const char *path)
{
    size_t n = strlen(d->path);
    if (path[0] != '/' || n == 0 || strncmp(path, d->path, n) != 0 ||
        path[n] != '/')
        return path;
    path += n;
    while (*path == '/')
        path++;
    return path;
}

/* Opens below the profile's directory, or sets errno. */
static int open_below(const struct profile_directory *d, const char *path)
{
    const struct open_how how = {
        .flags = READ_FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, d->fd, path, &how, sizeof how);
}

/* Profiles that were written for one machine name files by their place there,
 * and come with them to another: `/etc/openvpn/keys/ca.crt' is looked for as
 * keys/ca.crt and as ca.crt. Errno is that of the path itself. */
static int open_moved(const struct profile_directory *d, const char *path,
                      char copy[PATH_MAX], const char **found)
{
    int number = errno;
    size_t size = strlen(path);
    bool windows = size > 2 && path[1] == ':';
    if ((path[0] != '/' && !windows) || size >= PATH_MAX)
        return -1;
    memcpy(copy, path, size + 1);
    for (char *c = copy; windows && (c = strchr(c, '\\'));)
        *c = '/';
    for (char *c = copy; (c = strchr(c, '/'));) {
        c += strspn(c, "/");
        int file = *c ? open_below(d, c) : -1;
        if (file >= 0) {
            *found = c;
            return file;
        }
    }
    errno = number;
    return -1;
}

int profile_directory_find(const struct profile_directory *d, const char *path,
                           char copy[PATH_MAX], const char **found)
{
    *found = NULL;
    if (d->anywhere)
        return openat(d->fd, path, READ_FLAGS);
    int file = open_below(d, below(d, path));
    return file >= 0 ? file : open_moved(d, path, copy, found);
}

bool profile_directory_holds(const char *directory, const char *name)
{
    struct profile_directory d = {
        .fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    int file = d.fd < 0 ? -1 : open_below(&d, name);
    bool out = file < 0 && d.fd >= 0 && (errno == EXDEV || errno == ELOOP);
    if (file >= 0)
        close(file);
    profile_directory_close(&d);
    return !out;
}

int profile_directory_open_file(const char *path)
{
    return open(path, READ_FLAGS);
}

/* --- Reading ------------------------------------------------------------- */

const char *profile_directory_why(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return "there is no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EXDEV: /* openat2: the path leaves the directory */
    case ELOOP:
        return "it lies outside of the profile's directory; copy it there, or "
               "put it into the profile";
    case ENOSYS:
        return "this kernel cannot confine paths to a directory";
    case ENAMETOOLONG:
        return "the path is too long";
    default:
        return "the system refused";
    }
}

static const char *read_all(int file, size_t size, struct blob *out)
{
    uint8_t *data = malloc(size + 1);
    if (!data)
        return "out of memory";
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(file, data + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (got < size) {
        secret_wipe(data, size);
        free(data);
        return "it could not be read to its end";
    }
    data[size] = '\0';
    *out = (struct blob){data, size};
    return NULL;
}

const char *profile_directory_read(int file, struct blob *out,
                                   struct stat *status)
{
    const char *problem;
    if (fstat(file, status))
        problem = profile_directory_why(errno);
    else if (!S_ISREG(status->st_mode))
        problem = "it is not a regular file";
    else if (status->st_size > PROFILE_FILE_MAX)
        problem = "it is larger than 1 MiB";
    else
        problem = read_all(file, (size_t)status->st_size, out);
    close(file);
    return problem;
}
