#include "gateway/process/local_socket.h"

#include <errno.h>
#include <unistd.h>

bool local_socket_name(const char *path, struct sockaddr_un *out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;
    if (size > sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(name.sun_path, path, size);
    *out = name;
    return true;
}

int local_socket_connect(const char *path, int flags)
{
    struct sockaddr_un name;
    if (!local_socket_name(path, &name))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}
