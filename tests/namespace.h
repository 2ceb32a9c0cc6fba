/*
 * Network namespaces of a test's own: what it sets up is seen by nobody else
 * and is gone when it ends. Needs root, or user namespaces.
 */
#ifndef TESTS_NAMESPACE_H
#define TESTS_NAMESPACE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool namespace_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = (ssize_t)strlen(text);
    bool done = write(fd, text, (size_t)size) == size;
    close(fd);
    return done;
}

/* Makes us root in a user namespace of our own, whoever we are: programs that
 * are started then keep their capabilities in it. */
static inline bool namespace_become_root(void)
{
    char users[32];
    char groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER) == 0 &&
           namespace_write("/proc/self/setgroups", "deny") &&
           namespace_write("/proc/self/uid_map", users) &&
           namespace_write("/proc/self/gid_map", groups);
}

/* Puts the process into a new namespace; false where it may not have one. */
static inline bool namespace_enter_new(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    return errno == EPERM && namespace_become_root() &&
           unshare(CLONE_NEWNET) == 0;
}

/* The namespace of the process, for setns(). */
static inline int namespace_open(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* For a test that can do nothing without: a TAP plan that says why. */
static inline int namespace_skip(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    fprintf(stderr, "SKIPPED: %s\n", why);
    return 0;
}

/* Runs a command of a shell; a test that cannot be set up ends here. */
__attribute__((format(printf, 1, 2))) static inline void
namespace_run(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0) {
        fprintf(stderr, "failed: %s\n", command);
        exit(1);
    }
}

#endif
