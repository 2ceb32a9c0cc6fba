/*
 * The profiles that may be used: the one of the command line, or else those
 * that dom0 names (vpn-profile), in the order of their names there, all in one
 * directory. Each that cannot be used has a reason for people.
 */
#ifndef VPN_PROFILES_H
#define VPN_PROFILES_H

#include <sys/types.h>
#include <time.h>

#include "gateway/dom0/vm_config.h"
#include "gateway/vpn/profile.h"

enum { PROFILES_MAX = VM_CONFIG_PROFILES_MAX, PROFILES_PATH_SIZE = 1024 };

/* By which a file shows that it may read differently now. */
struct profiles_stamp {
    struct timespec file, directory;
    ino_t inode;
    off_t size;
};

struct profiles_entry {
    char path[PROFILES_PATH_SIZE];
    char why[PROFILE_WHY_SIZE]; /* it is not in use, or "" */
    bool broken; /* and will be as long as the stamp is the same */
    struct profiles_stamp stamp;
};

/* Embedded in its owner. */
struct profiles {
    const char *fixed; /* of the command line, or NULL */
    const char *directory;
    size_t count, position; /* position: of the one taken last */
    struct profiles_entry entries[PROFILES_MAX];
};

/* Borrows both; `fixed` may be NULL. */
void profiles_init(struct profiles *p, const char *fixed,
                   const char *directory);

/* Makes the list anew; true if it is another one. */
bool profiles_want(struct profiles *p, const struct vm_config *settings);

enum profiles_outcome {
    PROFILES_TAKEN,
    PROFILES_UNUSABLE, /* all of them: broken, or not fit for the settings */
    PROFILES_NONE,     /* none is wanted */
};

/* Takes a profile with the settings put over it, to be forgotten in any case;
 * false to refuse it, because of its keys: `why`, which is "" before, says
 * which. */
typedef bool profiles_take(void *context, struct protocol_profile *profile,
                           char why[PROTOCOL_WHY_SIZE]);

/* Offers the profiles from `from` on, round to the one before it, until one is
 * taken. A broken one is not read again before its file changes. */
enum profiles_outcome profiles_pick(struct profiles *p,
                                    const struct vm_config *settings,
                                    size_t from, profiles_take *take,
                                    void *context);

/* The one with this path, if it is wanted, was of no use; `why` for people. */
void profiles_failed(struct profiles *p, const char *path, const char *why);
/* How many there are besides the one taken last, and not broken. */
/* The one whose turn is next, or NULL: it is not known to be broken. */
const struct profiles_entry *profiles_next(const struct profiles *p);
size_t profiles_others(const struct profiles *p);

/* The first reason that there is, or NULL. */
const char *profiles_why(const struct profiles *p);

/* Whether a file that was not taken may read differently now. */
bool profiles_changed(const struct profiles *p);
/* All files are read again. */
void profiles_forget(struct profiles *p);

#endif
