#include "gateway/serve/serve_files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/tls/distinguished_name.h"
#include "gateway/serve/file_plan.h"
#include "gateway/serve/serve_config.h"
#include "gateway/serve/serve_report.h"
#include "gateway/serve/written_file.h"

enum { LEASES_FILE_MAX = 16 << 20 };

struct serve_files {
    const struct server_config *config;
    struct loop *loop;
    struct server *server;
    struct file_plan plan;
    struct loop_timer timer;
    struct written_file leases, status;
};

/* --- Of one client ------------------------------------------------------- */

/* FILE:LINE: error: ... , as everywhere. */
static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    const char *path = context;
    log_line(severity == CONFIG_ERROR ? LOG_ERROR : LOG_WARN, "%s:%u: %s: %s",
             path, line, severity == CONFIG_ERROR ? "error" : "warning", text);
}

static bool is_there(const struct server_config *c, const char *name,
                     char **path)
{
    struct stat status;
    *path = NULL;
    if (!server_client_config_is_file_name(name) ||
        asprintf(path, "%s/%s", c->clients_directory, name) < 0)
        return false;
    if (stat(*path, &status) == 0 || errno != ENOENT)
        return true;
    free(*path);
    *path = NULL;
    return false;
}

static bool read_client(const struct server_config *c, char *path,
                        struct server_client_config *out)
{
    const struct config_parser_env env = {report, NULL, path, NULL};
    struct blob text;
    if (!serve_config_read_again(c->common.path, path, &text))
        return false;
    bool good = server_client_config_parse(bytes_of(text.data, text.size), c,
                                           &env, out);
    free(text.data);
    return good;
}

bool serve_files_client(const struct server_config *c, const char *common_name,
                        struct server_client_config *out)
{
    char *path;
    if (!c->clients_directory)
        return true;
    if (!is_there(c, common_name, &path) &&
        (c->clients_exclusive || !is_there(c, "DEFAULT", &path)))
        return !c->clients_exclusive;
    bool good = read_client(c, path, out);
    free(path);
    return good;
}

/* --- Who had which address ----------------------------------------------- */

/* NAME,IPv4[,IPv6] */
static void read_lease(struct serve_files *f, struct bytes line)
{
    struct bytes name, word;
    struct address ipv4;
    char text[COMMON_NAME_SIZE];
    if (text_cut(&line, ',', &name) && text_cut(&line, ',', &word) &&
        name.size > 0 && text_copy(text, sizeof text, name) &&
        address_parse(text_trim(word), &ipv4))
        server_remember(f->server, text, &ipv4);
}

static bool read_leases(struct serve_files *f)
{
    struct stat status;
    if (fstat(f->leases.fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > LEASES_FILE_MAX)
        return false;
    size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    bool good = text && pread(f->leases.fd, text, size, 0) == (ssize_t)size;
    struct bytes rest = bytes_of(text, good ? size : 0), line;
    while (text_cut(&rest, '\n', &line))
        read_lease(f, line);
    free(text);
    return good;
}

static void write_leases(struct serve_files *f, FILE *out)
{
    char ipv4[ADDRESS_TEXT_SIZE], ipv6[ADDRESS_TEXT_SIZE];
    struct server_lease lease;
    uint32_t number = 0;
    while (server_next_lease(f->server, &number, &lease)) {
        const char *name = lease.common_name;
        /* Such a name would be another one when it is read. */
        if (name[0] == 0 || strpbrk(name, ",\n\r"))
            continue;
        fprintf(out, "%s,%s,%s\n", name, address_format(&lease.ipv4, ipv4),
                address_is_set(&lease.ipv6) ? address_format(&lease.ipv6, ipv6)
                                            : "");
    }
}

/* --- Revoked certificates ------------------------------------------------ */

static bool mark_of(const char *path, struct file_plan_mark *mark)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return false; /* it is being replaced */
    *mark = (struct file_plan_mark){s.st_mtim.tv_sec, s.st_mtim.tv_nsec,
                                    s.st_size, s.st_ino};
    return true;
}

static void read_revoked(struct serve_files *f)
{
    const struct server_config *c = f->config;
    struct file_plan_mark mark;
    struct blob list;
    bool marked = mark_of(c->revoked_file, &mark);
    if (!serve_config_read_again(c->common.path, c->revoked_file, &list))
        return;
    if (marked)
        file_plan_saw(&f->plan, &mark);
    if (server_revoke(f->server, &list))
        log_info("serve: the list of revoked certificates was read again");
    free(list.data);
}

static void look_at_revoked(struct serve_files *f)
{
    struct file_plan_mark mark;
    if (mark_of(f->config->revoked_file, &mark) &&
        file_plan_is_news(&f->plan, &mark))
        read_revoked(f);
}

void serve_files_reload(struct serve_files *f)
{
    if (f->config->revoked_file)
        read_revoked(f);
}

/* --- Files that are written ---------------------------------------------- */

static bool rewrite(struct serve_files *f, enum file_plan_file which,
                    struct instant now)
{
    bool leases = which == FILE_PLAN_LEASES;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return false;
    if (leases)
        write_leases(f, out);
    else
        serve_report_write(f->server, f->config->status_version, now, out);
    bool good =
        fclose(out) == 0 && written_file_write(leases ? &f->leases : &f->status,
                                               bytes_of(text, size));
    int number = errno;
    free(text);
    errno = number;
    return good;
}

static void write_file(struct serve_files *f, enum file_plan_file which,
                       struct instant now)
{
    bool good = rewrite(f, which, now);
    if (file_plan_done(&f->plan, which, good))
        log_warn("serve: %s cannot be written: %s",
                 which == FILE_PLAN_LEASES ? f->config->pool_file
                                           : f->config->status_file,
                 strerror(errno));
}

/* All that the plan says. */
static void follow_plan(struct serve_files *f, struct instant now)
{
    enum file_plan_file which;
    while (file_plan_next(&f->plan, now, &which))
        if (which == FILE_PLAN_REVOKED)
            look_at_revoked(f);
        else
            write_file(f, which, now);
    loop_timer_set(&f->timer, file_plan_deadline(&f->plan));
}

static void due(void *context, struct instant now)
{
    follow_plan(context, now);
}

/* --- Beginning and end --------------------------------------------------- */

static bool open_leases(struct serve_files *f)
{
    const struct server_config *c = f->config;
    if (!c->pool_file)
        return true;
    if (c->pool_seconds)
        (void)!written_file_open(&f->leases, c->pool_file, false);
    else
        f->leases.fd =
            open(c->pool_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->leases.fd < 0) {
        log_error("serve: %s: %s", c->pool_file, strerror(errno));
        return false;
    }
    file_plan_add(&f->plan, FILE_PLAN_LEASES, c->pool_seconds,
                  loop_now(f->loop));
    if (!read_leases(f)) {
        log_error("serve: %s: this is no file with addresses of clients, or it "
                  "cannot be read; it stays as it is",
                  c->pool_file);
        return false;
    }
    file_plan_taken_over(&f->plan);
    return true;
}

/* Whether what must stay read-only lies in that directory, or below it. */
static bool is_within(const char *directory, const char *file)
{
    char *whole = file ? realpath(file, NULL) : NULL;
    size_t size = strlen(directory);
    while (size > 0 && directory[size - 1] == '/')
        size--;
    bool within = whole && strncmp(whole, directory, size) == 0 &&
                  (whole[size] == '/' || whole[size] == 0);
    free(whole);
    return within;
}

/* A process that may replace a file may do so with all that lies beside it. */
static bool may_replace(const struct server_config *c)
{
    const char *const guarded[] = {c->common.path, c->clients_directory,
                                   c->users, c->revoked_file, c->pool_file};
    char *copy = strdup(c->status_file);
    char *directory = copy ? realpath(dirname(copy), NULL) : NULL;
    bool may = directory != NULL;
    for (size_t i = 0; may && i < sizeof guarded / sizeof *guarded; i++)
        may = !is_within(directory, guarded[i]);
    free(directory);
    free(copy);
    return may;
}

static bool open_status(struct serve_files *f)
{
    const struct server_config *c = f->config;
    if (!c->status_file)
        return true;
    if (!written_file_open(&f->status, c->status_file, may_replace(c))) {
        log_error("serve: %s: %s", c->status_file, strerror(errno));
        return false;
    }
    file_plan_add(&f->plan, FILE_PLAN_STATUS, c->status_seconds,
                  loop_now(f->loop));
    return true;
}

static void start_looking(struct serve_files *f)
{
    struct file_plan_mark mark;
    if (!f->config->revoked_file)
        return;
    file_plan_add(&f->plan, FILE_PLAN_REVOKED, 0, loop_now(f->loop));
    if (mark_of(f->config->revoked_file, &mark))
        file_plan_saw(&f->plan, &mark);
}

struct serve_files *serve_files_open(const struct server_config *config,
                                     struct loop *loop, struct server *server)
{
    struct serve_files *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->config = config;
    f->loop = loop;
    f->server = server;
    f->leases.fd = f->status.fd = -1;
    f->timer = (struct loop_timer){INSTANT_NEVER, due, f, NULL};
    loop_add_timer(loop, &f->timer);
    tzset(); /* afterwards its file cannot be read */
    if (!open_leases(f) || !open_status(f)) {
        serve_files_close(f);
        return NULL;
    }
    start_looking(f);
    follow_plan(f, loop_now(loop));
    return f;
}

char *serve_files_replaces_in(const struct serve_files *f)
{
    return written_file_directory(&f->status);
}

void serve_files_close(struct serve_files *f)
{
    if (!f)
        return;
    file_plan_end(&f->plan);
    follow_plan(f, loop_now(f->loop));
    loop_remove_timer(f->loop, &f->timer);
    written_file_close(&f->leases);
    written_file_close(&f->status);
    free(f);
}
