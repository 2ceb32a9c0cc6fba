#include "gateway/vpn/profile_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/vpn/profile_directory.h"
#include "gateway/vpn/protocols.h"

enum { TARGET_SIZE = PROTOCOL_HOST_SIZE + 64, TEXT_SIZE = 2 * LOG_QUOTE_SIZE };

void profile_files_add(struct profile_files *f,
                       const struct protocol_reference *reference,
                       const struct stat *status)
{
    if (f->count == PROFILE_FILES_MAX)
        return;
    struct profile_file *file = &f->files[f->count++];
    file->line = reference->line;
    file->fate = reference->fate;
    file->use = reference->use;
    file->device = status->st_dev;
    file->inode = status->st_ino;
    /* Cut where it is longer: it is only shown. */
    snprintf(file->path, sizeof file->path, "%s", reference->path);
    snprintf(file->option, sizeof file->option, "%s", reference->option);
}

/* --- Where its content goes ---------------------------------------------- */

/* " HOST port N and M more", or "" where the profile has none. */
static void name_target(const struct protocol_profile *profile, bool proxy,
                        char out[TARGET_SIZE])
{
    const char *host = NULL;
    unsigned port = 0;
    size_t more = 0;
    for (size_t i = 0; i < profile->server_count; i++) {
        const struct protocol_server *r = &profile->servers[i];
        const char *other = proxy ? r->proxy.host : r->host;
        if (!other || (proxy && r->proxy.kind == PROTOCOL_PROXY_NONE))
            continue;
        if (!host) {
            host = other;
            port = proxy ? r->proxy.port : r->port;
        } else if (strcmp(host, other) != 0) {
            more++;
        }
    }
    char rest[32] = "";
    if (more)
        snprintf(rest, sizeof rest, " or %zu more", more);
    snprintf(out, TARGET_SIZE, host ? " (%s port %u%s)" : "%.0s",
             host ? host : "", port, rest);
}

void profile_files_tell(const struct profile_files *f,
                        const struct protocol_profile *profile,
                        protocol_report *report, void *context)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct profile_file *file = &f->files[i];
        char quoted[LOG_QUOTE_SIZE], target[TARGET_SIZE] = "";
        char text[TEXT_SIZE + TARGET_SIZE];
        if (file->fate != PROTOCOL_FATE_STAYS)
            name_target(profile, file->fate == PROTOCOL_FATE_PROXY, target);
        snprintf(text, sizeof text, "`%s' is read for `%s': %s%s",
                 log_quote(quoted, bytes_of_text(file->path)), file->option,
                 file->use, target);
        report(context, PROTOCOL_NOTE, file->line, text);
    }
}

/* --- Profiles beside it -------------------------------------------------- */

/* A neighbour while it is read: its files are found and not opened further. */
struct neighbour {
    struct profile_directory directory;
    struct profile_files files;
};

static const char *look_at(void *context,
                           const struct protocol_reference *reference,
                           struct blob *out)
{
    struct neighbour *n = context;
    struct profile_directory_file found;
    int file =
        n->directory.fd < 0
            ? -1
            : profile_directory_find(&n->directory, reference->path, &found);
    if (file < 0)
        return "it is not there";
    if (fstat(file, &found.status) == 0)
        profile_files_add(&n->files, reference, &found.status);
    close(file);
    (void)out;
    return "it is only looked at";
}

static void ignore(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    (void)context, (void)severity, (void)line, (void)text;
}

static void find_files(struct neighbour *n, const char *path,
                       const struct blob *text)
{
    const struct protocol_reader reader = {n, ignore, look_at};
    struct bytes content = bytes_of(text->data, text->size);
    const struct protocol_kind *kind = protocols_find(content);
    bool usable;
    profile_directory_open(&n->directory, path, false);
    kind->forget(kind->read(content, path, &reader, &usable));
    profile_directory_close(&n->directory);
}

/* The profile that others are compared with. */
struct search {
    const struct profile_files *files;
    const char *path; /* of the profile */
    struct stat self;
    size_t looked_at;
    bool told[PROFILE_FILES_MAX];
    protocol_report *report;
    void *context;
};

static void tell_shared(struct search *s, size_t i, const char *other)
{
    char quoted[2][LOG_QUOTE_SIZE], text[3 * LOG_QUOTE_SIZE];
    s->told[i] = true;
    snprintf(text, sizeof text,
             "`%s' is used by the profile `%s' as well: where the two are not "
             "of one provider, give each a directory of its own",
             log_quote(quoted[0], bytes_of_text(s->files->files[i].path)),
             log_quote(quoted[1], bytes_of_text(other)));
    s->report(s->context, PROTOCOL_WARNING, s->files->files[i].line, text);
}

static void compare(struct search *s, const struct profile_files *others,
                    const char *other)
{
    for (size_t i = 0; i < s->files->count; i++) {
        const struct profile_file *f = &s->files->files[i];
        if (s->told[i] || f->fate == PROTOCOL_FATE_STAYS)
            continue;
        for (size_t k = 0; k < others->count && !s->told[i]; k++)
            if (others->files[k].device == f->device &&
                others->files[k].inode == f->inode)
                tell_shared(s, i, other);
    }
}

/* `shown` is its name from the directory of the profile. */
static void look_at_file(struct search *s, const char *path, const char *shown)
{
    struct blob text = {0};
    struct stat status;
    int file = profile_directory_open_file(path);
    if (file < 0 || profile_directory_read(file, &text, &status) != NULL)
        return;
    struct neighbour *n = calloc(1, sizeof *n);
    if (n &&
        (status.st_dev != s->self.st_dev || status.st_ino != s->self.st_ino)) {
        s->looked_at++;
        find_files(n, path, &text);
        compare(s, &n->files, shown);
    }
    free(n);
    secret_wipe(text.data, text.size);
    free(text.data);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* Profiles of this directory, and of those in it. */
static void look_around(struct search *s, const char *directory,
                        const char *prefix, bool deeper)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX], shown[PATH_MAX];
        struct stat status;
        bool fits = name[0] != '.' && s->looked_at < PROFILE_FILES_NEIGHBOURS &&
                    snprintf(path, sizeof path, "%s/%s", directory, name) <
                        (int)sizeof path &&
                    snprintf(shown, sizeof shown, "%s%s", prefix, name) <
                        (int)sizeof shown - 1;
        if (fits && (ends_with(name, ".ovpn") || ends_with(name, ".conf"))) {
            look_at_file(s, path, shown);
        } else if (fits && deeper && stat(path, &status) == 0 &&
                   S_ISDIR(status.st_mode)) {
            strcat(shown, "/");
            look_around(s, path, shown, false);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void profile_files_warn(const struct profile_files *f, const char *path,
                        protocol_report *report, void *context)
{
    struct search s = {
        .files = f, .path = path, .report = report, .context = context};
    struct profile_directory directory;
    bool any = false;
    for (size_t i = 0; i < f->count; i++)
        any = any || f->files[i].fate != PROTOCOL_FATE_STAYS;
    if (!any || stat(path, &s.self) != 0)
        return;
    profile_directory_open(&directory, path, false);
    if (directory.path[0])
        look_around(&s, directory.path, "", true);
    profile_directory_close(&directory);
}
