#include "gateway/vpn/profiles.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/vpn/profile_directory.h"

void profiles_init(struct profiles *p, const char *fixed, const char *directory)
{
    *p = (struct profiles){.fixed = fixed, .directory = directory};
}

static void set_path(struct profiles_entry *e, const char *directory,
                     const char *name)
{
    int size = directory
                   ? snprintf(e->path, sizeof e->path, "%s/%s", directory, name)
                   : snprintf(e->path, sizeof e->path, "%s", name);
    /* A cut path might be another file's. */
    if (size < 0 || (size_t)size >= sizeof e->path)
        e->path[0] = '\0';
}

bool profiles_want(struct profiles *p, const struct vm_config *settings)
{
    const struct vm_config_values *v = &settings->values;
    struct profiles_entry wanted[PROFILES_MAX] = {0};
    size_t count = 0;

    if (p->fixed)
        set_path(&wanted[count++], NULL, p->fixed);
    else if (vm_config_in_force(settings, VM_CONFIG_PROFILE))
        for (; count < v->profile_count; count++)
            set_path(&wanted[count], p->directory, v->profiles[count]);

    bool same = count == p->count;
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(wanted[i].path, p->entries[i].path) == 0;
    if (same)
        return false;
    memcpy(p->entries, wanted, sizeof wanted);
    p->count = count;
    p->position = 0;
    return true;
}

/* All zero for what is not there. */
static struct profiles_stamp stamp_of(const char *path)
{
    struct profiles_stamp stamp = {0};
    char copy[PROFILES_PATH_SIZE];
    struct stat status;
    if (stat(path, &status) == 0) {
        stamp.file = status.st_ctim; /* of its rights as well */
        stamp.inode = status.st_ino;
        stamp.size = status.st_size;
    }
    /* Files that a profile names lie there, too. */
    memcpy(copy, path, sizeof copy);
    if (stat(dirname(copy), &status) == 0)
        stamp.directory = status.st_mtim;
    return stamp;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct profiles_stamp *a,
                       const struct profiles_stamp *b)
{
    return same_time(a->file, b->file) &&
           same_time(a->directory, b->directory) && a->inode == b->inode &&
           a->size == b->size;
}

static void set_why(struct profiles_entry *e, const char *why)
{
    char text[PROFILE_WHY_SIZE];
    snprintf(text, sizeof text, "%.*s: %s", (int)sizeof text / 2, e->path, why);
    memcpy(e->why, text, sizeof text);
}

/* With the settings put over it. NULL, with a reason; `broken' where other
 * settings would not help. */
static struct protocol_profile *read_and_fit(struct profiles_entry *e,
                                             const char *directory,
                                             const struct vm_config *settings)
{
    const char *why = vm_config_obstacle(settings);
    e->broken =
        directory && e->path[0] &&
        !profile_directory_holds(directory, e->path + strlen(directory) + 1);
    if (e->broken) {
        set_why(e, "it lies outside of the directory of profiles; copy it "
                   "there");
        return NULL;
    }
    struct protocol_profile *profile = profile_load(e->path, e->why);
    e->broken = !profile;
    if (e->broken)
        return NULL;
    struct protocol_overlay overlay = vm_config_overlay(settings);
    if (!why && profile->kind->overlay(profile, &overlay, &why))
        return profile;
    set_why(e, why);
    profile->kind->forget(profile);
    return NULL;
}

static bool offer(struct profiles_entry *e, const char *directory,
                  const struct vm_config *settings, profiles_take *take,
                  void *context)
{
    /* Before it is read: a change under way is one for the next look. */
    struct profiles_stamp stamp = stamp_of(e->path);
    if (e->broken && same_stamp(&stamp, &e->stamp))
        return false;
    e->stamp = stamp;

    struct protocol_profile *profile = read_and_fit(e, directory, settings);
    if (!profile)
        return false;
    char why[PROTOCOL_WHY_SIZE] = "";
    e->broken = !take(context, profile, why);
    e->why[0] = '\0';
    if (e->broken)
        set_why(e, why);
    return !e->broken;
}

enum profiles_outcome profiles_pick(struct profiles *p,
                                    const struct vm_config *settings,
                                    size_t from, profiles_take *take,
                                    void *context)
{
    for (size_t i = 0; i < p->count; i++) {
        size_t at = (from + i) % p->count;
        if (offer(&p->entries[at], p->fixed ? NULL : p->directory, settings,
                  take, context)) {
            p->position = at;
            return PROFILES_TAKEN;
        }
    }
    return p->count ? PROFILES_UNUSABLE : PROFILES_NONE;
}

void profiles_failed(struct profiles *p, const char *path, const char *why)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->entries[i].path, path) == 0)
            set_why(&p->entries[i], why);
    }
}

size_t profiles_others(const struct profiles *p)
{
    size_t others = 0;
    for (size_t i = 0; i < p->count; i++)
        others += i != p->position && !p->entries[i].broken;
    return others;
}

const struct profiles_entry *profiles_next(const struct profiles *p)
{
    for (size_t i = 1; i < p->count; i++) {
        const struct profiles_entry *e =
            &p->entries[(p->position + i) % p->count];
        if (!e->broken)
            return e;
    }
    return NULL;
}

const char *profiles_why(const struct profiles *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].why[0])
            return p->entries[i].why;
    }
    return NULL;
}

bool profiles_changed(const struct profiles *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct profiles_stamp now = stamp_of(p->entries[i].path);
        if (p->entries[i].why[0] && !same_stamp(&now, &p->entries[i].stamp))
            return true;
    }
    return false;
}

void profiles_forget(struct profiles *p)
{
    for (size_t i = 0; i < p->count; i++)
        p->entries[i].broken = false;
}
