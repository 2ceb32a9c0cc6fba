#include "gateway/serve_files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/distinguished_name.h"
#include "gateway/profile.h"
#include "gateway/serve_report.h"

enum {
    LEASES_FILE_MAX = 16 << 20,
    LOOK_SECONDS = 5, /* whether the list of revoked certificates changed */
};

struct written {
    int fd;           /* -1: no such file */
    uint32_t seconds; /* 0: only at the end */
    struct loop_timer timer;
};

struct serve_files {
    const struct server_config *config;
    struct loop *loop;
    struct server *server;
    struct written leases, status;
    struct loop_timer look;
    struct stat revoked; /* as it was read last */
};

/* --- Of one client -------------------------------------------------------- */

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
    const struct config_parser_env env = {report, NULL, path};
    struct config_blob text;
    if (!profile_read_again(c->common.path, path, &text))
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

/* --- Who had which address ------------------------------------------------ */

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

/* --- Revoked certificates --------------------------------------------------
 */

void serve_files_reload(struct serve_files *f)
{
    const struct server_config *c = f->config;
    struct config_blob list;
    if (!c->revoked_file)
        return;
    (void)!stat(c->revoked_file, &f->revoked);
    if (!profile_read_again(c->common.path, c->revoked_file, &list))
        return;
    if (server_revoke(f->server, &list))
        log_info("serve: the list of revoked certificates was read again");
    free(list.data);
}

static void look(void *context, struct instant now)
{
    struct serve_files *f = context;
    struct stat s;
    loop_timer_set(&f->look,
                   instant_after(now, duration_seconds(LOOK_SECONDS)));
    if (stat(f->config->revoked_file, &s) != 0)
        return; /* it is being replaced */
    if (s.st_mtim.tv_sec != f->revoked.st_mtim.tv_sec ||
        s.st_mtim.tv_nsec != f->revoked.st_mtim.tv_nsec ||
        s.st_size != f->revoked.st_size || s.st_ino != f->revoked.st_ino)
        serve_files_reload(f);
}

static void start_looking(struct serve_files *f)
{
    if (!f->config->revoked_file)
        return;
    (void)!stat(f->config->revoked_file, &f->revoked);
    loop_timer_set(&f->look, instant_after(loop_now(f->loop),
                                           duration_seconds(LOOK_SECONDS)));
}

/* --- Files that are written ----------------------------------------------- */

static bool put(int fd, const char *text, size_t size)
{
    size_t done = 0;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return false;
    while (done < size) {
        ssize_t n = write(fd, text + done, size - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return ftruncate(fd, (off_t)size) == 0;
}

static void rewrite(struct serve_files *f, struct written *file,
                    struct instant now)
{
    char *text = NULL;
    size_t size = 0;
    if (file->fd < 0)
        return;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    if (file == &f->leases)
        write_leases(f, out);
    else
        serve_report_write(f->server, f->config->status_version, now, out);
    if (fclose(out) == 0 && !put(file->fd, text, size))
        log_warn("serve: %s: %s",
                 file == &f->leases ? f->config->pool_file
                                    : f->config->status_file,
                 strerror(errno));
    free(text);
    if (file->seconds)
        loop_timer_set(&file->timer,
                       instant_after(now, duration_seconds(file->seconds)));
}

static void leases_due(void *context, struct instant now)
{
    struct serve_files *f = context;
    rewrite(f, &f->leases, now);
}

static void status_due(void *context, struct instant now)
{
    struct serve_files *f = context;
    rewrite(f, &f->status, now);
}

static bool open_written(struct serve_files *f, struct written *file,
                         const char *path, uint32_t seconds,
                         void (*expired)(void *, struct instant))
{
    file->fd = -1;
    file->seconds = seconds;
    file->timer = (struct loop_timer){INSTANT_NEVER, expired, f, NULL};
    if (!path)
        return true;
    file->fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (file->fd < 0) {
        log_error("serve: %s: %s", path, strerror(errno));
        return false;
    }
    if (seconds)
        file->timer.deadline =
            instant_after(loop_now(f->loop), duration_seconds(seconds));
    loop_add_timer(f->loop, &file->timer);
    return true;
}

static void close_written(struct serve_files *f, struct written *file)
{
    if (file->fd < 0)
        return;
    rewrite(f, file, loop_now(f->loop));
    loop_remove_timer(f->loop, &file->timer);
    close(file->fd);
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
    f->status.fd = -1;
    f->look = (struct loop_timer){INSTANT_NEVER, look, f, NULL};
    loop_add_timer(loop, &f->look);
    tzset(); /* afterwards its file cannot be read */
    bool good = open_written(f, &f->leases, config->pool_file,
                             config->pool_seconds, leases_due) &&
                open_written(f, &f->status, config->status_file,
                             config->status_seconds, status_due);
    if (good && f->leases.fd >= 0 && !read_leases(f)) {
        log_error("serve: %s: it cannot be read", config->pool_file);
        close(f->leases.fd);
        f->leases.fd = -1;
        good = false;
    }
    start_looking(f);
    if (good) {
        rewrite(f, &f->status, loop_now(loop));
        return f;
    }
    serve_files_close(f);
    return NULL;
}

void serve_files_close(struct serve_files *f)
{
    if (!f)
        return;
    loop_remove_timer(f->loop, &f->look);
    close_written(f, &f->leases);
    close_written(f, &f->status);
    free(f);
}
