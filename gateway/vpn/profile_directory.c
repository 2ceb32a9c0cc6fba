#include "gateway/vpn/profile_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/secret.h"

enum {
    /* A pipe without a writer must not stop us. */
    READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    LINKS_MOST = 40, /* as the kernel's */
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

/* A path while it is walked: what is known to be no link, from the directory
 * on, and what is still to come. */
struct walk {
    char done[PATH_MAX], rest[PATH_MAX];
    unsigned links; /* so far */
};

static int refuse(int number)
{
    errno = number;
    return -1;
}

/* Takes the first part of the rest. */
static const char *next_part(struct walk *w, char part[NAME_MAX + 1])
{
    size_t slashes = strspn(w->rest, "/");
    size_t size = strcspn(w->rest + slashes, "/");
    if (size == 0 || size > NAME_MAX)
        return NULL;
    memcpy(part, w->rest + slashes, size);
    part[size] = '\0';
    memmove(w->rest, w->rest + slashes + size,
            strlen(w->rest + slashes + size) + 1);
    return part;
}

static int go_up(struct walk *w)
{
    char *last = strrchr(w->done, '/');
    if (!last)
        return refuse(EXDEV);
    *last = '\0';
    return 0;
}

/* The target of a link takes its place in front of the rest. */
static int follow(struct walk *w, const char *target, size_t size)
{
    char rest[PATH_MAX];
    if (++w->links > LINKS_MOST || target[0] == '/')
        return refuse(EXDEV);
    if (snprintf(rest, sizeof rest, "%.*s/%s", (int)size, target, w->rest) >=
        (int)sizeof rest)
        return refuse(ENAMETOOLONG);
    memcpy(w->rest, rest, sizeof rest);
    return go_up(w);
}

static int go_down(const struct profile_directory *d, struct walk *w,
                   const char *part)
{
    char target[PATH_MAX];
    size_t used = strlen(w->done);
    if (snprintf(w->done + used, sizeof w->done - used, "/%s", part) >=
        (int)(sizeof w->done - used))
        return refuse(ENAMETOOLONG);
    ssize_t size = readlinkat(d->fd, w->done + 1, target, sizeof target - 1);
    if (size >= 0)
        return follow(w, target, (size_t)size);
    return errno == EINVAL ? 0 : -1; /* no link */
}

/* Opens below the profile's directory, or sets errno: EXDEV for what leads out
 * of it. Part by part, because the sandbox has no openat2(), whose flags no
 * filter can see. An attacker who could change the directory meanwhile needs no
 * profile. */
static int open_below(const struct profile_directory *d, const char *path)
{
    struct walk w = {.links = 0};
    char part[NAME_MAX + 1];
    size_t size = strlen(path);
    if (path[0] == '/')
        return refuse(EXDEV);
    if (size == 0 || path[size - 1] == '/')
        return refuse(ENOENT);
    if (size >= sizeof w.rest)
        return refuse(ENAMETOOLONG);
    memcpy(w.rest, path, size + 1);
    while (next_part(&w, part)) {
        int step = 0;
        if (strcmp(part, "..") == 0)
            step = go_up(&w);
        else if (strcmp(part, ".") != 0)
            step = go_down(d, &w, part);
        if (step < 0)
            return -1;
    }
    if (w.rest[strspn(w.rest, "/")])
        return refuse(ENAMETOOLONG);
    return openat(d->fd, w.done[0] ? w.done + 1 : ".", READ_FLAGS | O_NOFOLLOW);
}

/* Profiles that were written for one machine name files by their place there,
 * and come with them to another: `/etc/openvpn/keys/ca.crt' is looked for as
 * keys/ca.crt and as ca.crt. Errno is that of the path itself. */
static int open_moved(const struct profile_directory *d, const char *path,
                      struct profile_directory_file *out)
{
    char *copy = out->copy;
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
            out->moved = c;
            return file;
        }
    }
    errno = number;
    return -1;
}

int profile_directory_find(const struct profile_directory *d, const char *path,
                           struct profile_directory_file *out)
{
    out->moved = NULL;
    if (d->anywhere)
        return openat(d->fd, path, READ_FLAGS);
    int file = open_below(d, below(d, path));
    return file >= 0 ? file : open_moved(d, path, out);
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
        return "permission denied: the user that this program runs as may not "
               "read it; `systemctl restart vpn-gateway' gives the service's "
               "user the right";
    case EXDEV: /* open_below(): the path leaves the directory */
    case ELOOP:
        return "it lies outside of the profile's directory; copy it there, or "
               "put it into the profile";
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

const char *profile_directory_read_named(const struct profile_directory *d,
                                         const char *path,
                                         struct profile_directory_file *out,
                                         struct blob *text)
{
    if (d->fd < 0)
        return "the directory that it lies in cannot be opened";
    int file = profile_directory_find(d, path, out);
    return file < 0 ? profile_directory_why(errno)
                    : profile_directory_read(file, text, &out->status);
}
