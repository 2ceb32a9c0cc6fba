#include "gateway/serve/written_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory_of(const char *path)
{
    const char *end = strrchr(path, '/');
    size_t size = end ? (size_t)(end - path) : 0;
    return size ? strndup(path, size) : strdup(end ? "/" : ".");
}

/* A device or a pipe stays what it is; a directory that we may not write in
 * keeps the file that it has. */
static bool can_be_replaced(const struct written_file *f)
{
    struct stat status;
    char *directory = directory_of(f->path);
    bool can = directory && fstat(f->fd, &status) == 0 &&
               S_ISREG(status.st_mode) && access(directory, W_OK | X_OK) == 0;
    free(directory);
    return can;
}

bool written_file_open(struct written_file *f, const char *path, bool replace)
{
    *f = (struct written_file){
        .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   0600)};
    if (f->fd < 0)
        return false;
    f->path = realpath(path, NULL);
    if (f->path && replace && can_be_replaced(f) &&
        asprintf(&f->fresh, "%s.new", f->path) < 0)
        f->fresh = NULL;
    return true;
}

void written_file_close(struct written_file *f)
{
    int number = errno;
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f->fresh);
    *f = (struct written_file){.fd = -1};
    errno = number;
}

static bool write_all(int fd, struct bytes text)
{
    while (text.size > 0) {
        ssize_t n = write(fd, text.data, text.size);
        if (n <= 0)
            return false;
        text.data += n;
        text.size -= (size_t)n;
    }
    return true;
}

/* A pipe has no place to go back to and nothing to cut off. */
static bool write_in_place(struct written_file *f, struct bytes text)
{
    bool seekable = lseek(f->fd, 0, SEEK_SET) == 0;
    struct stat status;
    return write_all(f->fd, text) && (!seekable || fstat(f->fd, &status) != 0 ||
                                      !S_ISREG(status.st_mode) ||
                                      ftruncate(f->fd, (off_t)text.size) == 0);
}

/* Its owner and who may read it stay as they were, or it is not replaced. */
static bool make_alike(int fd, int like)
{
    struct stat old, fresh;
    if (fstat(like, &old) != 0 || fstat(fd, &fresh) != 0)
        return false;
    if (old.st_uid == fresh.st_uid && old.st_gid == fresh.st_gid)
        return fchmod(fd, old.st_mode & 0777) == 0;
    errno = EPERM;
    return false;
}

static bool write_anew(struct written_file *f, struct bytes text)
{
    unlink(f->fresh); /* of a run that was killed */
    int fd = open(f->fresh,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (make_alike(fd, f->fd) && write_all(fd, text) &&
        rename(f->fresh, f->path) == 0) {
        close(f->fd);
        f->fd = fd;
        return true;
    }
    int number = errno;
    close(fd);
    unlink(f->fresh);
    errno = number;
    return false;
}

/* Only the directory refuses, or somebody has the place of the new one: then
 * the file itself is still ours. */
static bool is_refused(int number)
{
    return number == EACCES || number == EPERM || number == EROFS ||
           number == EBUSY || number == EEXIST || number == ENAMETOOLONG;
}

bool written_file_write(struct written_file *f, struct bytes text)
{
    if (f->fresh) {
        if (write_anew(f, text))
            return true;
        if (!is_refused(errno))
            return false;
        free(f->fresh);
        f->fresh = NULL;
    }
    return write_in_place(f, text);
}

char *written_file_directory(const struct written_file *f)
{
    return f->fresh ? directory_of(f->path) : NULL;
}
