/*
 * The files that a profile names: what is read, where its content goes, and
 * which other profile beside it names the same. A profile comes from somebody
 * else, and `auth-user-pass work.pass' in it would send its author another
 * provider's password; a directory for each profile keeps them apart.
 */
#ifndef VPN_PROFILE_FILES_H
#define VPN_PROFILE_FILES_H

#include <sys/stat.h>

#include "gateway/vpn/protocol.h"

enum {
    PROFILE_FILES_MAX = 32,       /* of one profile; more are not compared */
    PROFILE_FILES_NEIGHBOURS = 64 /* that are looked at */
};

struct profile_file {
    char path[256], option[32]; /* as the profile has them */
    unsigned line;
    enum protocol_fate fate;
    const char *use; /* the same for a person */
    dev_t device;    /* which file it is, by whatever name */
    ino_t inode;
};

struct profile_files {
    size_t count;
    struct profile_file files[PROFILE_FILES_MAX];
};

void profile_files_add(struct profile_files *f,
                       const struct protocol_reference *reference,
                       const struct stat *status);

/* A note for each. */
void profile_files_tell(const struct profile_files *f,
                        const struct protocol_profile *profile,
                        protocol_report *report, void *context);
/* A warning for each that leaves this machine, or proves who we are, and that
 * a profile in the same directory, or one below, names as well. */
void profile_files_warn(const struct profile_files *f, const char *path,
                        protocol_report *report, void *context);

#endif
