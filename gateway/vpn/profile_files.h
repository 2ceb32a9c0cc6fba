/*
 * The files that a profile names: what is read, where its content goes, and
 * which other profile beside it names the same. A profile comes from somebody
 * else, and `auth-user-pass work.pass' in it would send its author another
 * provider's password; a directory for each profile keeps them apart.
 */
#ifndef VPN_PROFILE_FILES_H
#define VPN_PROFILE_FILES_H

#include <sys/stat.h>

#include "gateway/openvpn/config/config_parser.h"

enum {
    PROFILE_FILES_MAX = 32,       /* of one profile; more are not compared */
    PROFILE_FILES_NEIGHBOURS = 64 /* that are looked at */
};

/* Where the content of a file goes. */
enum profile_files_fate {
    PROFILE_FILES_STAYS,
    PROFILE_FILES_SHOWN,  /* to the server: who we are */
    PROFILE_FILES_SERVER, /* sent there: name and password */
    PROFILE_FILES_PROXY,  /* sent there */
};

struct profile_file {
    char path[256], option[32]; /* as the profile has them */
    unsigned line;
    dev_t device; /* which file it is, by whatever name */
    ino_t inode;
};

struct profile_files {
    size_t count;
    struct profile_file files[PROFILE_FILES_MAX];
};

void profile_files_add(struct profile_files *f,
                       const struct config_reference *reference,
                       const struct stat *status);

enum profile_files_fate profile_files_fate(const char *option);

/* A note for each. */
void profile_files_tell(const struct profile_files *f,
                        const struct config *profile, config_report *report,
                        void *context);
/* A warning for each that leaves this machine, or proves who we are, and that
 * a profile in the same directory, or one below, names as well. */
void profile_files_warn(const struct profile_files *f, const char *path,
                        config_report *report, void *context);

#endif
