/* Sockets with a path, where programs of one machine meet: unix(7). */
#ifndef PROCESS_LOCAL_SOCKET_H
#define PROCESS_LOCAL_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/base/bytes.h"

/* False with ENAMETOOLONG: no socket has a path as long as this. */
MUST_USE bool local_socket_name(const char *path, struct sockaddr_un *out);

/* A stream to who listens there, close-on-exec and with `flags` (SOCK_NONBLOCK
 * or 0), which the caller closes; -1 with errno. */
int local_socket_connect(const char *path, int flags);

#endif
