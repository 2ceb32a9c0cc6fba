/*
 * The private volume, where dom0 puts the profiles as an archive, and the
 * directory in memory that the program reads them from. The volume is only
 * read, by a process that is nobody, sees nothing but that directory, and is
 * not waited for longer than PATIENCE. An archive that cannot be taken as a
 * whole is not taken at all: the directory is empty then, and the console says
 * why.
 */
#ifndef NANO_PROFILE_VOLUME_H
#define NANO_PROFILE_VOLUME_H

#include "gateway/base/bytes.h"

#include <sys/types.h>

struct profile_volume {
    const char *device;
    const char *directory; /* where a file system in memory is put */
    uid_t owner;           /* of the files; the group may read them */
    gid_t group;
};

/* As root. The directory is there and read-only afterwards in any case. */
void profile_volume_import(const struct profile_volume *v);

/* Writes the files of a volume below an empty directory; false, with a
 * line in the log, where they cannot be taken. Nothing there but zeroes is
 * no profile and nothing wrong. */
MUST_USE bool profile_volume_write(struct bytes volume, int directory);

#endif
