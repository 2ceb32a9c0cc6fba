#include "tests/qubesdb/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    READ,
    WRITE,
    MULTIREAD,
    LIST,
    RM,
    WATCH,
    UNWATCH,
    OK,
    ERROR_NOENT,
    ERROR,
    VALUE,
    ENTRY,
    LIST_ENTRY,
    EVENT,
};

enum {
    PATH_SIZE = 64,
    DATA_LIMIT = 3072,
    CLIENTS_MAX = 16,
    WATCHES_MAX = 64,
    INPUT_SIZE = 65536,
};

struct header {
    uint8_t type;
    char path[PATH_SIZE];
    uint8_t padding[3];
    uint32_t size;
};

static_assert(sizeof(struct header) == 72, "as the compiler of the daemon");

struct entry {
    struct entry *next;
    char path[PATH_SIZE];
    uint32_t size;
    char value[DATA_LIMIT + 1];
};

struct client {
    int fd; /* -1: free */
    bool is_dom0s;
    bool synced; /* of dom0's client: it had its one MULTIREAD */
    uint8_t input[INPUT_SIZE];
    size_t input_size;
    uint8_t *output;
    size_t output_size, output_capacity;
    unsigned watch_count;
    char watches[WATCHES_MAX][PATH_SIZE];
};

struct daemon {
    int listener;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    struct entry *first; /* ascending */
    struct client clients[CLIENTS_MAX];
    size_t sent, received, send_limit, receive_limit, piece;
    unsigned acknowledged;
    bool dead, read_only, mute, revives;
};

struct daemon *daemon_new(void)
{
    struct daemon *d = calloc(1, sizeof *d);
    assert(d);
    d->listener = -1;
    d->send_limit = d->receive_limit = d->piece = SIZE_MAX;
    for (int i = 0; i < CLIENTS_MAX; i++)
        d->clients[i].fd = -1;
    return d;
}

static void hang_up(struct client *c)
{
    close(c->fd);
    free(c->output);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

void daemon_kill(struct daemon *d)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (d->clients[i].fd >= 0)
            hang_up(&d->clients[i]);
    }
    if (d->listener >= 0) {
        close(d->listener);
        unlink(d->path);
        d->listener = -1;
    }
    d->dead = true;
}

void daemon_free(struct daemon *d)
{
    daemon_kill(d);
    while (d->first) {
        struct entry *next = d->first->next;
        free(d->first);
        d->first = next;
    }
    free(d);
}

void daemon_listen(struct daemon *d, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(d->path, path, strlen(path) + 1);
    unlink(path);
    d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed =
        bind(d->listener, (struct sockaddr *)&address, sizeof address) ||
        listen(d->listener, 5) || fcntl(d->listener, F_SETFL, O_NONBLOCK);
    assert(!failed);
    d->dead = false;
}

static struct client *new_client(struct daemon *d, int fd)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &d->clients[i];
        if (c->fd < 0) {
            c->fd = fd;
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return c;
        }
    }
    close(fd);
    return NULL;
}

void daemon_adopt(struct daemon *d, int fd)
{
    struct client *c = new_client(d, fd);
    assert(c);
    c->is_dom0s = true;
    d->dead = false;
}

void daemon_kill_after_sending(struct daemon *d, size_t bytes)
{
    d->send_limit = d->sent + bytes;
}

void daemon_kill_after_receiving(struct daemon *d, size_t bytes)
{
    d->receive_limit = d->received + bytes;
}

bool daemon_is_dead(const struct daemon *d)
{
    return d->dead;
}

void daemon_revive(struct daemon *d)
{
    d->revives = true;
}

void daemon_send_in_pieces(struct daemon *d, size_t bytes)
{
    d->piece = bytes;
}

void daemon_read_only(struct daemon *d)
{
    d->read_only = true;
}

void daemon_mute(struct daemon *d)
{
    d->mute = true;
}

size_t daemon_sent(const struct daemon *d)
{
    return d->sent;
}

size_t daemon_received(const struct daemon *d)
{
    return d->received;
}

unsigned daemon_acknowledged(const struct daemon *d)
{
    return d->acknowledged;
}

/* --- The database -------------------------------------------------------- */

static struct entry **place(struct daemon *d, const char *path)
{
    struct entry **at = &d->first;
    while (*at && strcmp((*at)->path, path) < 0)
        at = &(*at)->next;
    return at;
}

static bool begins(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool is_directory(const char *path)
{
    size_t size = strlen(path);
    return size > 0 && path[size - 1] == '/';
}

static bool insert(struct daemon *d, const char *path, const void *value,
                   uint32_t size)
{
    struct entry **at = place(d, path), *e = *at;
    if (path[0] != '/' || is_directory(path))
        return false;
    if (!e || strcmp(e->path, path) != 0) {
        e = calloc(1, sizeof *e);
        assert(e);
        memcpy(e->path, path, strnlen(path, PATH_SIZE - 1));
        e->next = *at;
        *at = e;
    }
    if (size)
        memcpy(e->value, value, size);
    e->value[size] = '\0';
    e->size = size;
    return true;
}

static bool removed(struct daemon *d, const char *path)
{
    bool any = false;
    for (struct entry **at = place(d, path); *at;) {
        struct entry *e = *at;
        if (is_directory(path) ? !begins(e->path, path)
                               : strcmp(e->path, path) != 0)
            break;
        *at = e->next;
        free(e);
        any = true;
    }
    return any;
}

const char *daemon_value(const struct daemon *d, const char *path)
{
    for (const struct entry *e = d->first; e; e = e->next) {
        if (!strcmp(e->path, path))
            return e->value;
    }
    return NULL;
}

/* --- Sending ------------------------------------------------------------- */

static void append(struct client *c, const void *data, size_t size)
{
    if (c->output_size + size > c->output_capacity) {
        c->output_capacity = 2 * (c->output_size + size);
        c->output = realloc(c->output, c->output_capacity);
        assert(c->output);
    }
    memcpy(c->output + c->output_size, data, size);
    c->output_size += size;
}

static void say(struct client *c, uint8_t type, const char *path,
                const void *data, uint32_t size)
{
    struct header h = {.type = type, .size = size};
    /* The bytes that the daemon does not set are whatever was there. */
    memset(h.padding, 0xaa, sizeof h.padding);
    memcpy(h.path, path, strnlen(path, PATH_SIZE - 1));
    append(c, &h, sizeof h);
    if (size)
        append(c, data, size);
}

static void fire(struct daemon *d, const char *path)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &d->clients[i];
        for (unsigned w = 0; c->fd >= 0 && w < c->watch_count; w++) {
            const char *watch = c->watches[w];
            if (is_directory(watch) ? begins(path, watch)
                                    : !strcmp(path, watch))
                say(c, EVENT, path, NULL, 0);
        }
    }
}

/* To dom0's client, unless it is where the change came from. */
static void push(struct daemon *d, const struct client *from, uint8_t type,
                 const char *path, const void *data, uint32_t size)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &d->clients[i];
        if (c->fd >= 0 && c->is_dom0s && c->synced && c != from)
            say(c, type, path, data, size);
    }
}

void daemon_write(struct daemon *d, const char *path, const char *value)
{
    uint32_t size = (uint32_t)strlen(value);
    bool done = insert(d, path, value, size);
    assert(done);
    push(d, NULL, WRITE, path, value, size);
    fire(d, path);
}

bool daemon_remove(struct daemon *d, const char *path)
{
    if (!removed(d, path))
        return false;
    push(d, NULL, RM, path, NULL, 0);
    fire(d, path);
    return true;
}

/* --- Requests ------------------------------------------------------------ */

static bool path_allowed(const char *path)
{
    return path[0] != '-' &&
           path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                             "UVWXYZ0123456789-_/.:@")] == '\0';
}

static bool header_allowed(const struct client *c, const struct header *h)
{
    bool type_allowed = c->is_dom0s
                            ? h->type == WRITE || h->type == MULTIREAD ||
                                  h->type == RM || h->type == OK ||
                                  h->type == ERROR || h->type == ENTRY
                            : h->type <= UNWATCH;
    return type_allowed && path_allowed(h->path) && h->size < DATA_LIMIT;
}

static bool on_read(struct daemon *d, struct client *c, const struct header *h)
{
    if (h->size)
        return false;
    const struct entry *e = *place(d, h->path);
    if (e && !strcmp(e->path, h->path))
        say(c, VALUE, h->path, e->value, e->size);
    else
        say(c, ERROR_NOENT, h->path, NULL, 0);
    return true;
}

static bool on_write(struct daemon *d, struct client *c, const struct header *h,
                     const uint8_t *data)
{
    if (d->read_only || memchr(data, '\0', h->size)) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    if (!insert(d, h->path, data, h->size)) {
        say(c, ERROR, h->path, NULL, 0);
        return false;
    }
    push(d, c, WRITE, h->path, data, h->size);
    say(c, OK, h->path, NULL, 0);
    fire(d, h->path);
    return true;
}

static bool on_rm(struct daemon *d, struct client *c, const struct header *h)
{
    if (d->read_only || h->size) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    if (!removed(d, h->path)) {
        say(c, ERROR_NOENT, h->path, NULL, 0);
        return !c->is_dom0s;
    }
    push(d, c, RM, h->path, NULL, 0);
    say(c, OK, h->path, NULL, 0);
    fire(d, h->path);
    return true;
}

/* Descending, so that the other side's sorted list is filled at its front. */
static void say_everything(struct client *c, const struct entry *e)
{
    size_t count = 0;
    for (const struct entry *i = e; i; i = i->next)
        count++;
    const struct entry **all = calloc(count + 1, sizeof *all);
    assert(all);
    for (size_t i = 0; i < count; i++, e = e->next)
        all[i] = e;
    while (count-- > 0)
        say(c, ENTRY, all[count]->path, all[count]->value, all[count]->size);
    free(all);
}

static bool on_multiread(struct daemon *d, struct client *c,
                         const struct header *h)
{
    if (h->size) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    if (c->is_dom0s && c->synced)
        return false;
    c->synced = true;
    if (h->path[0] == '\0') {
        say_everything(c, d->first);
    } else {
        for (const struct entry *e = *place(d, h->path);
             e && begins(e->path, h->path); e = e->next)
            say(c, ENTRY, e->path, e->value, e->size);
    }
    say(c, ENTRY, "", NULL, 0);
    return true;
}

static bool on_list(struct daemon *d, struct client *c, const struct header *h)
{
    if (h->size) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    for (const struct entry *e = *place(d, h->path);
         e && begins(e->path, h->path); e = e->next)
        say(c, LIST_ENTRY, e->path, NULL, 0);
    say(c, LIST_ENTRY, "", NULL, 0);
    return true;
}

static void on_watch(struct client *c, const struct header *h)
{
    assert(c->watch_count < WATCHES_MAX);
    memcpy(c->watches[c->watch_count++], h->path, PATH_SIZE);
    say(c, OK, h->path, NULL, 0);
}

static void on_unwatch(struct client *c, const struct header *h)
{
    for (unsigned i = c->watch_count; i-- > 0;) {
        if (!strcmp(c->watches[i], h->path)) {
            memcpy(c->watches[i], c->watches[--c->watch_count], PATH_SIZE);
            say(c, OK, h->path, NULL, 0);
            return;
        }
    }
    say(c, ERROR_NOENT, h->path, NULL, 0);
}

/* False: hang up. */
static bool on_request(struct daemon *d, struct client *c,
                       const struct header *h, const uint8_t *data)
{
    switch (h->type) {
    case READ:
        return on_read(d, c, h);
    case WRITE:
        return on_write(d, c, h, data);
    case MULTIREAD:
        return on_multiread(d, c, h);
    case LIST:
        return on_list(d, c, h);
    case RM:
        return on_rm(d, c, h);
    case WATCH:
        on_watch(c, h);
        return true;
    case UNWATCH:
        on_unwatch(c, h);
        return true;
    case OK:
        d->acknowledged++;
        return h->size == 0;
    case ERROR:
        return h->size == 0;
    default:
        return false; /* answers that dom0 never asked for */
    }
}

static void consume(struct client *c, size_t size)
{
    c->input_size -= size;
    memmove(c->input, c->input + size, c->input_size);
}

static bool send_output(struct daemon *d, struct client *c)
{
    while (c->output_size && d->sent < d->send_limit) {
        size_t size = c->output_size;
        if (size > d->piece)
            size = d->piece;
        if (size > d->send_limit - d->sent)
            size = d->send_limit - d->sent;
        ssize_t sent = send(c->fd, c->output, size, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN;
        d->sent += (size_t)sent;
        c->output_size -= (size_t)sent;
        memmove(c->output, c->output + sent, c->output_size);
        if (d->piece != SIZE_MAX)
            break; /* the next piece in the next turn */
    }
    return true;
}

/* One whole message of the input; false: hang up. */
static bool take_request(struct daemon *d, struct client *c, bool *taken)
{
    struct header h;
    *taken = false;
    if (c->input_size < sizeof h)
        return true;
    memcpy(&h, c->input, sizeof h);
    h.path[PATH_SIZE - 1] = '\0';

    bool allowed = header_allowed(c, &h);
    if (!allowed && c->is_dom0s)
        return false;
    if (h.size > INPUT_SIZE - sizeof h)
        return false;
    /* A WATCH has no body for the daemon, whatever its header says. */
    size_t body =
        allowed && (h.type == WATCH || h.type == UNWATCH) ? 0 : h.size;
    if (c->input_size < sizeof h + body)
        return true;
    *taken = true;
    bool stays = true;
    if (!allowed)
        say(c, ERROR, h.path, NULL, 0);
    else
        stays = on_request(d, c, &h, c->input + sizeof h);
    consume(c, sizeof h + body);
    return stays;
}

static void die(struct daemon *d)
{
    daemon_kill(d);
    if (!d->revives)
        return;
    d->send_limit = d->receive_limit = SIZE_MAX;
    daemon_listen(d, d->path);
}

static void serve(struct daemon *d, struct client *c)
{
    bool was_dom0s = c->is_dom0s, taken = true, stays = true;

    if (!c->output_size) {
        size_t room = INPUT_SIZE - c->input_size;
        if (room > d->receive_limit - d->received)
            room = d->receive_limit - d->received;
        ssize_t size = read(c->fd, c->input + c->input_size, room);
        if (size == 0 && room > 0)
            stays = false;
        else if (size < 0)
            stays = errno == EAGAIN;
        if (size > 0) {
            c->input_size += (size_t)size;
            d->received += (size_t)size;
        }
    }
    stays = stays && send_output(d, c);
    while (stays && taken && !c->output_size && !d->mute) {
        stays = take_request(d, c, &taken);
        stays = send_output(d, c) && stays;
    }
    if (d->sent >= d->send_limit || d->received >= d->receive_limit)
        die(d);
    else if (!stays && was_dom0s)
        daemon_kill(d); /* dom0's daemon exits */
    else if (!stays)
        hang_up(c);
}

bool daemon_turn(struct daemon *d, int milliseconds, int further)
{
    struct pollfd polled[CLIENTS_MAX + 2];
    nfds_t count = 0;
    struct client *owners[CLIENTS_MAX + 2] = {NULL};

    if (further >= 0)
        polled[count++] = (struct pollfd){.fd = further, .events = POLLIN};
    if (d->listener >= 0)
        polled[count++] = (struct pollfd){.fd = d->listener, .events = POLLIN};
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &d->clients[i];
        if (c->fd < 0)
            continue;
        owners[count] = c;
        polled[count++] = (struct pollfd){
            .fd = c->fd,
            .events = c->output_size ? POLLOUT : POLLIN,
        };
    }
    if (poll(polled, count, milliseconds) <= 0)
        return false;

    bool worked = false;
    for (nfds_t i = 0; i < count && !d->dead; i++) {
        if (!polled[i].revents || polled[i].fd == further)
            continue;
        worked = true;
        if (polled[i].fd == d->listener) {
            int fd = accept(d->listener, NULL, NULL);
            if (fd >= 0)
                new_client(d, fd);
        } else if (owners[i] && owners[i]->fd == polled[i].fd) {
            serve(d, owners[i]);
        }
    }
    return worked;
}
