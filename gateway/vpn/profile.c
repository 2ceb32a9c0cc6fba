#include "gateway/vpn/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/push/push_options.h"

/* A report that knows where relative paths start. */
struct profile_reader {
    config_report *report;
    void *context;
    bool anywhere;                 /* files are not confined */
    int directory;                 /* -1: none could be opened */
    char directory_path[PATH_MAX]; /* absolute, "" if unknown */
};

static const char *why_not(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return "there is no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EXDEV: /* openat2: the path leaves the directory */
    case ELOOP:
        return "it lies outside of the profile's directory; copy it there, or "
               "put it into the profile";
    case ENOSYS:
        return "this kernel cannot confine paths to a directory";
    case ENAMETOOLONG:
        return "the path is too long";
    default:
        return "the system refused";
    }
}

static const char *read_all(int file, size_t size, struct blob *out)
{
    uint8_t *data = malloc(size + 1);
    if (!data)
        return "out of memory";
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(file, data + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (got < size) {
        secret_wipe(data, size);
        free(data);
        return "it could not be read to its end";
    }
    data[size] = '\0';
    *out = (struct blob){data, size};
    return NULL;
}

/* Closes `file`. Devices and pipes are not read: they may never end. */
static const char *read_regular(int file, struct blob *out)
{
    struct stat status;
    const char *problem;
    if (fstat(file, &status))
        problem = why_not(errno);
    else if (!S_ISREG(status.st_mode))
        problem = "it is not a regular file";
    else if (status.st_size > PROFILE_FILE_MAX)
        problem = "it is larger than 1 MiB";
    else
        problem = read_all(file, (size_t)status.st_size, out);
    close(file);
    return problem;
}

/* The part of an absolute path below the profile's directory, or the path. */
static const char *below(const struct profile_reader *r, const char *path)
{
    size_t n = strlen(r->directory_path);
    if (path[0] != '/' || n == 0 || strncmp(path, r->directory_path, n) != 0 ||
        path[n] != '/')
        return path;
    path += n;
    while (*path == '/')
        path++;
    return path;
}

/* Opens below the profile's directory, or sets errno. */
static int open_below(const struct profile_reader *r, const char *path)
{
    const struct open_how how = {
        /* A pipe without a writer must not stop us. */
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, r->directory, path, &how, sizeof how);
}

static void warn_moved(const struct profile_reader *r, const char *path,
                       const char *found)
{
    char quoted[2][LOG_QUOTE_SIZE], text[3 * LOG_QUOTE_SIZE];
    snprintf(text, sizeof text, "for `%s' the profile's own `%s' is taken",
             log_quote(quoted[0], bytes_of_text(path)),
             log_quote(quoted[1], bytes_of_text(found)));
    r->report(r->context, CONFIG_WARNING, 0, text);
}

/* Profiles that were written for one machine name files by their place there,
 * and come with them to another: `/etc/openvpn/keys/ca.crt' is looked for as
 * keys/ca.crt and as ca.crt. Errno is that of the path itself. */
static int open_moved(const struct profile_reader *r, const char *path)
{
    int number = errno;
    char copy[PATH_MAX];
    size_t size = strlen(path);
    bool windows = size > 2 && path[1] == ':';
    if ((path[0] != '/' && !windows) || size >= sizeof copy)
        return -1;
    memcpy(copy, path, size + 1);
    for (char *c = copy; windows && (c = strchr(c, '\\'));)
        *c = '/';
    for (char *c = copy; (c = strchr(c, '/'));) {
        c += strspn(c, "/");
        int file = *c ? open_below(r, c) : -1;
        if (file >= 0) {
            warn_moved(r, path, c);
            return file;
        }
    }
    errno = number;
    return -1;
}

static const char *read_referenced(void *context, const char *path,
                                   struct blob *out)
{
    const struct profile_reader *r = context;
    if (r->directory < 0)
        return "the profile's directory cannot be opened";
    int file = r->anywhere
                   ? openat(r->directory, path,
                            O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
                   : open_below(r, below(r, path));
    if (file < 0 && !r->anywhere)
        file = open_moved(r, path);
    if (file < 0)
        return why_not(errno);
    return read_regular(file, out);
}

static void pass_on(void *context, enum config_severity severity, unsigned line,
                    const char *text)
{
    const struct profile_reader *r = context;
    r->report(r->context, severity, line, text);
}

static void open_directory(struct profile_reader *r, const char *path)
{
    char copy[PATH_MAX];
    size_t size = strlen(path);
    r->directory = -1;
    if (size >= sizeof copy)
        return;
    memcpy(copy, path, size + 1);
    const char *directory = dirname(copy);
    r->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!realpath(directory, r->directory_path))
        r->directory_path[0] = '\0';
}

/* The file itself; false after a report. */
static bool read_file(const char *path, config_report *report, void *context,
                      struct blob *text)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *problem = file < 0 ? why_not(errno) : read_regular(file, text);
    if (problem)
        report(context, CONFIG_ERROR, 0, problem);
    return problem == NULL;
}

static void close_reader(struct profile_reader *r, struct blob *text)
{
    if (r->directory >= 0)
        close(r->directory);
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
    open_directory(&r, path);
    const struct config_parser_env env = {pass_on, read_referenced, &r,
                                          push_options_try_line};
    bool usable = config_parse(bytes_of(text.data, text.size), path, &env, out);
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
    bool is_error = severity == CONFIG_ERROR;
    char where[32] = "";
    char problem[PROFILE_WHY_SIZE];

    if (!is_error && !p->warnings)
        return;
    if (line)
        snprintf(where, sizeof where, ":%u", line);
    snprintf(problem, sizeof problem, "%s%s: %s: %s", p->path, where,
             is_error ? "error" : "warning", text);
    /* Without a scope in front: the form that compilers use and editors find.
     */
    log_line(is_error ? LOG_ERROR : LOG_WARN, "%s", problem);
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
    if (!*file || **file == '/' || r->directory_path[0] == 0)
        return true;
    if (asprintf(&whole, "%s/%s", r->directory_path, *file) < 0)
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
    struct profile_reader r = {
        .report = log_problem, .context = &p, .anywhere = true};
    open_directory(&r, path);
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
    struct profile_reader r = {.anywhere = true};
    struct blob none = {0};
    open_directory(&r, path);
    const char *problem = read_referenced(&r, file, out);
    close_reader(&r, &none);
    if (problem)
        log_error("%s: %s: %s", path, file, problem);
    return problem == NULL;
}
