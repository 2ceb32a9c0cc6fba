#include "gateway/serve/serve_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/push/push_options.h"
#include "gateway/vpn/profile.h"
#include "gateway/vpn/profile_directory.h"
#include "gateway/vpn/protocols.h"

/* The file that is read, and where relative paths start. */
struct config_reader {
    const char *path;
    struct profile_directory directory;
};

static void log_problem(const char *path, enum protocol_severity severity,
                        unsigned line, const char *text)
{
    char problem[PROFILE_WHY_SIZE];
    log_line(profile_problem(path, severity, line, text, problem), "%s",
             problem);
}

static void report_text(void *context, enum protocol_severity severity,
                        unsigned line, const char *text)
{
    log_problem(context, severity, line, text);
}

static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    static const enum protocol_severity severities[] = {
        [CONFIG_ERROR] = PROTOCOL_ERROR,
        [CONFIG_WARNING] = PROTOCOL_WARNING,
        [CONFIG_NOTE] = PROTOCOL_NOTE,
    };
    const struct config_reader *r = context;
    log_problem(r->path, severities[severity], line, text);
}

static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    const struct config_reader *r = context;
    struct profile_directory_file file;
    return profile_directory_read_named(&r->directory, reference->path, &file,
                                        out);
}

/* A file that is opened later lies beside the configuration, wherever the
 * process was started. */
static bool stand_beside(const struct config_reader *r, char **file)
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
static bool find_clients(const struct config_reader *r,
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
    log_problem(r->path,
                c->clients_exclusive ? PROTOCOL_ERROR : PROTOCOL_WARNING, 0,
                text);
    return !c->clients_exclusive;
}

/* The parser would say of each line that it is no option. */
static bool is_of_other_protocol(const char *path, struct bytes text)
{
    const struct protocol_kind *kind = protocols_find(text);
    char problem[160];
    if (strcmp(kind->name, "OpenVPN") == 0)
        return false;
    snprintf(problem, sizeof problem,
             "this is a profile of %s, for `vpn-gateway run'; `serve' takes "
             "the configuration of an OpenVPN server",
             kind->name);
    log_problem(path, PROTOCOL_ERROR, 0, problem);
    return true;
}

bool serve_config_load(const char *path, struct server_config *out)
{
    struct blob text = {0};
    char name[PATH_MAX];
    server_config_init(out);
    snprintf(name, sizeof name, "%s", path);
    if (!profile_read_text(path, report_text, name, &text))
        return false;
    struct bytes content = bytes_of(text.data, text.size);
    if (is_of_other_protocol(path, content)) {
        blob_free(&text);
        return false;
    }
    struct config_reader r = {.path = path};
    profile_directory_open(&r.directory, path, true);
    const struct config_parser_env env = {report, read_file, &r,
                                          push_options_try_line};
    bool usable = server_config_parse(content, path, &env, out);
    usable = usable && stand_beside(&r, &out->users) &&
             stand_beside(&r, &out->helper) &&
             stand_beside(&r, &out->revoked_file) &&
             stand_beside(&r, &out->clients_directory) &&
             stand_beside(&r, &out->pool_file) &&
             stand_beside(&r, &out->status_file) && find_clients(&r, out);
    profile_directory_close(&r.directory);
    blob_free(&text);
    return usable;
}

bool serve_config_read_again(const char *path, const char *file,
                             struct blob *out)
{
    struct config_reader r = {.path = path};
    const struct config_reference reference = {.path = file, .option = ""};
    profile_directory_open(&r.directory, path, true);
    const char *problem = read_file(&r, &reference, out);
    profile_directory_close(&r.directory);
    if (problem)
        log_error("%s: %s: %s", path, file, problem);
    return problem == NULL;
}
