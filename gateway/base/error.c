#include "gateway/base/error.h"

#include <assert.h>
#include <errno.h>

const char *error_text(enum error error)
{
    static const char *const texts[] = {
        [OK] = "ok",
        [ERROR_SYSTEM] = "system call failed",
        [ERROR_MEMORY] = "out of memory",
        [ERROR_INVALID] = "invalid",
        [ERROR_UNSUPPORTED] = "not supported",
        [ERROR_NOT_FOUND] = "not found",
        [ERROR_DENIED] = "permission denied",
        [ERROR_UNREACHABLE] = "there is no way to the server from here",
        [ERROR_BUSY] = "busy",
        [ERROR_CRYPTO] = "crypto library error",
    };
    static_assert(sizeof texts / sizeof *texts == ERROR_COUNT,
                  "every error has a text");
    return texts[error];
}

enum error error_of_errno(int number)
{
    switch (number) {
    case ENOMEM:
        return ERROR_MEMORY;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERROR_DENIED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
        return ERROR_UNREACHABLE;
    case EAGAIN:
    case EBUSY:
    case EADDRINUSE:
        return ERROR_BUSY;
    default:
        return ERROR_SYSTEM;
    }
}
