#include "gateway/vpn/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/push/push_options.h"
#include "gateway/vpn/foreign_file.h"
#include "gateway/vpn/profile_directory.h"
#include "gateway/vpn/profile_files.h"

/* A report that knows where relative paths start, and what was read. */
struct profile_reader {
    config_report *report;
    void *context;
    struct profile_directory directory;
    struct profile_files files;
};

static void warn_moved(const struct profile_reader *r, const char *path,
                       const char *found)
{
    char quoted[2][LOG_QUOTE_SIZE], text[3 * LOG_QUOTE_SIZE];
    snprintf(text, sizeof text, "for `%s' the profile's own `%s' is taken",
             log_quote(quoted[0], bytes_of_text(path)),
             log_quote(quoted[1], bytes_of_text(found)));
    r->report(r->context, CONFIG_WARNING, 0, text);
}

static const char *read_referenced(void *context,
                                   const struct config_reference *reference,
                                   struct blob *out)
{
    struct profile_reader *r = context;
    char copy[PATH_MAX];
    const char *moved;
    struct stat status;
    if (r->directory.fd < 0)
        return "the profile's directory cannot be opened";
    int file =
        profile_directory_find(&r->directory, reference->path, copy, &moved);
    if (file < 0)
        return profile_directory_why(errno);
    if (moved)
        warn_moved(r, reference->path, moved);
    const char *problem = profile_directory_read(file, out, &status);
    if (!problem)
        profile_files_add(&r->files, reference, &status);
    return problem;
}

static void pass_on(void *context, enum config_severity severity, unsigned line,
                    const char *text)
{
    const struct profile_reader *r = context;
    r->report(r->context, severity, line, text);
}

/* The file itself; false after a report. */
static bool read_file(const char *path, config_report *report, void *context,
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
    report(context, CONFIG_ERROR, 0, problem);
    return false;
}

static void close_reader(struct profile_reader *r, struct blob *text)
{
    profile_directory_close(&r->directory);
    secret_wipe(text->data, text->size);
    free(text->data);
}

bool profile_read(const char *path, config_report *report, void *context,
                  struct config *out)
{
    struct blob text = {0};
    config_init(out);
    if (!read_file(path, report, context, &text))
        return false;
    struct profile_reader r = {.report = report, .context = context};
    profile_directory_open(&r.directory, path, false);
    const struct config_parser_env env = {pass_on, read_referenced, &r,
                                          push_options_try_line};
    bool usable = config_parse(bytes_of(text.data, text.size), path, &env, out);
    profile_files_tell(&r.files, out, report, context);
    profile_files_warn(&r.files, path, report, context);
    close_reader(&r, &text);
    return usable;
}

/* Where problems go besides the log. */
struct problems {
    const char *path;
    char *why; /* or NULL */
    bool warnings;
    bool failed; /* an error was seen */
};

static void log_problem(void *context, enum config_severity severity,
                        unsigned line, const char *text)
{
    struct problems *p = context;
    static const struct {
        const char *word;
        enum log_level level;
    } kinds[] = {
        [CONFIG_ERROR] = {"error", LOG_ERROR},
        [CONFIG_WARNING] = {"warning", LOG_WARN},
        [CONFIG_NOTE] = {"note", LOG_INFO},
    };
    bool is_error = severity == CONFIG_ERROR;
    char where[32] = "";
    char problem[PROFILE_WHY_SIZE];

    if (!is_error && !p->warnings)
        return;
    if (line)
        snprintf(where, sizeof where, ":%u", line);
    snprintf(problem, sizeof problem, "%s%s: %s: %s", p->path, where,
             kinds[severity].word, text);
    /* Without a scope in front: the form that compilers use and editors find.
     */
    log_line(kinds[severity].level, "%s", problem);
    if (is_error && !p->failed && p->why)
        memcpy(p->why, problem, sizeof problem);
    p->failed = p->failed || is_error;
}

bool profile_load(const char *path, struct config *out,
                  char why[PROFILE_WHY_SIZE])
{
    struct problems p = {.path = path, .why = why, .warnings = true};
    return profile_read(path, log_problem, &p, out);
}

bool profile_usable(const char *path)
{
    struct problems p = {.path = path};
    struct config config;
    bool usable = profile_read(path, log_problem, &p, &config);
    config_clear(&config);
    return usable;
}

/* What is opened later lies where the configuration does, wherever the process
 * was started. */
static bool stand_beside(const struct profile_reader *r, char **file)
{
    char *whole;
    if (!*file || **file == '/' || r->directory.path[0] == 0)
        return true;
    if (asprintf(&whole, "%s/%s", r->directory.path, *file) < 0)
        return false;
    free(*file);
    *file = whole;
    return true;
}

/* Without the directory no client has a file of his own, which may be meant;
 * where only those may come in who have one, it cannot be. */
static bool find_clients(const struct profile_reader *r,
                         const struct server_config *c)
{
    struct stat status;
    char quoted[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE + 96];
    if (!c->clients_directory ||
        (stat(c->clients_directory, &status) == 0 && S_ISDIR(status.st_mode)))
        return true;
    snprintf(
        text, sizeof text, "`client-config-dir': there is no directory %s%s",
        log_quote(quoted, bytes_of_text(c->clients_directory)),
        c->clients_exclusive ? "; with `ccd-exclusive' nobody could come in"
                             : "");
    r->report(r->context, c->clients_exclusive ? CONFIG_ERROR : CONFIG_WARNING,
              0, text);
    return !c->clients_exclusive;
}

bool profile_load_server(const char *path, struct server_config *out)
{
    struct problems p = {.path = path, .warnings = true};
    struct blob text = {0};
    server_config_init(out);
    if (!read_file(path, log_problem, &p, &text))
        return false;
    struct profile_reader r = {.report = log_problem, .context = &p};
    profile_directory_open(&r.directory, path, true);
    const struct config_parser_env env = {pass_on, read_referenced, &r,
                                          push_options_try_line};
    bool usable =
        server_config_parse(bytes_of(text.data, text.size), path, &env, out);
    usable = usable && stand_beside(&r, &out->users) &&
             stand_beside(&r, &out->helper) &&
             stand_beside(&r, &out->revoked_file) &&
             stand_beside(&r, &out->clients_directory) &&
             stand_beside(&r, &out->pool_file) &&
             stand_beside(&r, &out->status_file) && find_clients(&r, out);
    close_reader(&r, &text);
    return usable;
}

bool profile_read_again(const char *path, const char *file, struct blob *out)
{
    struct profile_reader r = {0};
    struct blob none = {0};
    const struct config_reference reference = {.path = file, .option = ""};
    profile_directory_open(&r.directory, path, true);
    const char *problem = read_referenced(&r, &reference, out);
    close_reader(&r, &none);
    if (problem)
        log_error("%s: %s: %s", path, file, problem);
    return problem == NULL;
}
