/*
 * The ways in which an operation of ours can fail, where the caller tells the
 * cases apart. errno becomes one of these where the system call is made and
 * nowhere else; the detail is logged there.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error {
    OK = 0,
    ERROR_SYSTEM,      /* a system call failed; the log has errno */
    ERROR_MEMORY,      /* out of memory, at start or reconfiguration */
    ERROR_INVALID,     /* malformed or contradictory input */
    ERROR_UNSUPPORTED, /* well formed, but not something this program does */
    ERROR_NOT_FOUND,   /* a file, interface or name is not there */
    ERROR_DENIED,      /* permission */
    ERROR_UNREACHABLE, /* this machine has no way there */
    ERROR_BUSY,        /* in use, or would block: try again later */
    ERROR_CRYPTO,      /* the crypto library refused */
    ERROR_COUNT
};

/* A short lower-case English phrase. */
const char *error_text(enum error error);

/* The nearest `enum error` of an errno value; never OK. */
enum error error_of_errno(int number);

#endif
