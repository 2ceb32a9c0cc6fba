/*
 * The directory of a profile, and what may be opened of it: only what lies in
 * it and below, unless it is a server's administrator who says so.
 */
#ifndef VPN_PROFILE_DIRECTORY_H
#define VPN_PROFILE_DIRECTORY_H

#include <limits.h>
#include <sys/stat.h>

#include "gateway/base/blob.h"

enum { PROFILE_FILE_MAX = 1 << 20 /* bytes, each file */ };

struct profile_directory {
    bool anywhere;       /* files are not confined */
    int fd;              /* -1: it could not be opened */
    char path[PATH_MAX]; /* absolute, "" if unknown */
};

/* Opens the directory of the file with this path. */
void profile_directory_open(struct profile_directory *d, const char *file,
                            bool anywhere);
void profile_directory_close(struct profile_directory *d);

/* A file that a profile names. */
struct profile_directory_file {
    /* Below the directory, if not where the profile says; else NULL. Points
     * into `copy`. */
    const char *moved;
    char copy[PATH_MAX];
    struct stat status; /* once it is read */
};

/* Opens what a profile names. -1 with errno. */
int profile_directory_find(const struct profile_directory *d, const char *path,
                           struct profile_directory_file *out);

/* The same, and reads it: NULL, or a phrase that says what is wrong. */
const char *profile_directory_read_named(const struct profile_directory *d,
                                         const char *path,
                                         struct profile_directory_file *out,
                                         struct blob *text);

/* False if that name leads out of the directory, by a link. */
bool profile_directory_holds(const char *directory, const char *name);

/* Any file, by a path from here. -1 with errno. */
int profile_directory_open_file(const char *path);

/* Reads and closes; with a NUL behind the content. NULL, or a phrase that says
 * what is wrong. Devices and pipes are not read: they may never end. */
const char *profile_directory_read(int file, struct blob *out,
                                   struct stat *status);
/* Such a phrase for an errno. */
const char *profile_directory_why(int number);

#endif
