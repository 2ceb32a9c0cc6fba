#include "gateway/vpn/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/vpn/foreign_file.h"
#include "gateway/vpn/profile_directory.h"
#include "gateway/vpn/profile_files.h"
#include "gateway/vpn/protocols.h"

/* A report that knows where relative paths start, and what was read. */
struct profile_reader {
    protocol_report *report;
    void *context;
    struct profile_directory directory;
    struct profile_files files;
    bool foreign; /* no protocol knows it */
};

static void warn_moved(const struct profile_reader *r, const char *path,
                       const char *found)
{
    char quoted[2][LOG_QUOTE_SIZE], text[3 * LOG_QUOTE_SIZE];
    snprintf(text, sizeof text, "for `%s' the profile's own `%s' is taken",
             log_quote(quoted[0], bytes_of_text(path)),
             log_quote(quoted[1], bytes_of_text(found)));
    r->report(r->context, PROTOCOL_WARNING, 0, text);
}

static const char *read_referenced(void *context,
                                   const struct protocol_reference *reference,
                                   struct blob *out)
{
    struct profile_reader *r = context;
    struct profile_directory_file file = {.moved = NULL};
    const char *problem = profile_directory_read_named(
        &r->directory, reference->path, &file, out);
    if (file.moved)
        warn_moved(r, reference->path, file.moved);
    if (!problem)
        profile_files_add(&r->files, reference, &file.status);
    return problem;
}

/* Any line of another text is an option that is not known. */
static void pass_on(void *context, enum protocol_severity severity,
                    unsigned line, const char *text)
{
    const struct profile_reader *r = context;
    if (severity == PROTOCOL_ERROR || !r->foreign)
        r->report(r->context, severity, line, text);
}

bool profile_read_text(const char *path, protocol_report *report, void *context,
                       struct blob *text)
{
    struct stat status;
    int file = profile_directory_open_file(path);
    const char *problem = file < 0
                              ? profile_directory_why(errno)
                              : profile_directory_read(file, text, &status);
    if (!problem)
        problem = foreign_file_problem(bytes_of(text->data, text->size));
    if (!problem)
        return true;
    blob_free(text);
    report(context, PROTOCOL_ERROR, 0, problem);
    return false;
}

struct protocol_profile *profile_read(const char *path, protocol_report *report,
                                      void *context, bool *usable)
{
    struct blob text = {0};
    *usable = false;
    if (!profile_read_text(path, report, context, &text))
        return NULL;
    struct bytes content = bytes_of(text.data, text.size);
    struct profile_reader r = {.report = report, .context = context};
    profile_directory_open(&r.directory, path, false);
    const struct protocol_reader reader = {&r, pass_on, read_referenced};
    const struct protocol_kind *kind = protocols_find(content);
    r.foreign = !kind->recognises(content);
    if (r.foreign)
        report(context, PROTOCOL_WARNING, 0,
               "nothing in it is known of a profile of OpenVPN or WireGuard: "
               "is it the right file?");
    struct protocol_profile *profile =
        kind->read(content, path, &reader, usable);
    if (profile)
        profile_files_tell(&r.files, profile, report, context);
    profile_files_warn(&r.files, path, report, context);
    profile_directory_close(&r.directory);
    blob_free(&text);
    return profile;
}

enum log_level profile_problem(const char *path,
                               enum protocol_severity severity, unsigned line,
                               const char *text, char out[PROFILE_WHY_SIZE])
{
    static const struct {
        const char *word;
        enum log_level level;
    } kinds[] = {
        [PROTOCOL_ERROR] = {"error", LOG_ERROR},
        [PROTOCOL_WARNING] = {"warning", LOG_WARN},
        [PROTOCOL_NOTE] = {"note", LOG_INFO},
    };
    char where[32] = "";
    if (line)
        snprintf(where, sizeof where, ":%u", line);
    snprintf(out, PROFILE_WHY_SIZE, "%s%s: %s: %s", path, where,
             kinds[severity].word, text);
    return kinds[severity].level;
}

/* The receiver of problems besides the log. */
struct problems {
    const char *path;
    char *why; /* or NULL */
    bool warnings;
    bool failed; /* an error was seen */
};

static void log_problem(void *context, enum protocol_severity severity,
                        unsigned line, const char *text)
{
    struct problems *p = context;
    char problem[PROFILE_WHY_SIZE];
    bool is_error = severity == PROTOCOL_ERROR;
    if (!is_error && !p->warnings)
        return;
    /* Without a scope in front: the form that compilers use and editors find.
     */
    log_line(profile_problem(p->path, severity, line, text, problem), "%s",
             problem);
    if (is_error && !p->failed && p->why)
        memcpy(p->why, problem, sizeof problem);
    p->failed = p->failed || is_error;
}

/* NULL where it is not usable. */
static struct protocol_profile *read_usable(const char *path,
                                            struct problems *problems)
{
    bool usable;
    struct protocol_profile *profile =
        profile_read(path, log_problem, problems, &usable);
    if (usable)
        return profile;
    if (profile)
        profile->kind->forget(profile);
    return NULL;
}

struct protocol_profile *profile_load(const char *path,
                                      char why[PROFILE_WHY_SIZE])
{
    return read_usable(
        path, &(struct problems){.path = path, .why = why, .warnings = true});
}

bool profile_usable(const char *path)
{
    struct protocol_profile *profile =
        read_usable(path, &(struct problems){.path = path});
    if (profile)
        profile->kind->forget(profile);
    return profile != NULL;
}
