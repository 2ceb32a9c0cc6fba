/*
 * The rights that the process gives up between opening and serving, so that an
 * attacker who takes it over has little: new privileges, capabilities, system
 * calls that it does not need (sandbox_calls.h), files that it does not need
 * (sandbox_files.h), core files, and ptrace of others into it.
 *
 *   sandbox_guard_secrets     before the first secret is read
 *   everything is opened      needs what is given up next
 *   sandbox_enter             there is no way back
 *
 * Threads that exist are under the system calls' filter as well; each
 * thread's capabilities and files are its own affair, and the one of
 * libxenstore, which only reads its socket, keeps what it was made with. The
 * service's unit gives none of them any capability.
 */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include "gateway/base/bytes.h"

/* Lists of paths end with NULL; a path that is no directory stands for the one
 * it is in. */
struct sandbox_options {
    bool off;
    const char *const *read;    /* may be read, with all below */
    const char *const *remove;  /* a file may go from there */
    const char *const *replace; /* files may be made and go; NULL: nowhere */
};

/* The restrictions in force. */
struct sandbox {
    bool calls;  /* the list of system calls */
    bool files;  /* the list of files; not every kernel can */
    bool memory; /* no page with a key is ever swapped out */
};

/* No core file, no ptrace, no reading of our /proc by others of our user. */
void sandbox_guard_secrets(void);

/* False, and the log says why, if what every kernel can is refused. */
MUST_USE bool sandbox_enter(const struct sandbox_options *options,
                            struct sandbox *out);

#endif
