#include "tests/qubesdb/server.h"

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

_Static_assert(sizeof(struct header) == 72, "as the compiler of the daemon");

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

struct server {
    int listener;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    struct entry *first; /* ascending */
    struct client clients[CLIENTS_MAX];
    size_t sent, received, send_limit, receive_limit, piece;
    unsigned acknowledged;
    bool dead, read_only, mute;
};

struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof *s);
    assert(s);
    s->listener = -1;
    s->send_limit = s->receive_limit = s->piece = SIZE_MAX;
    for (int i = 0; i < CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    return s;
}

static void hang_up(struct client *c)
{
    close(c->fd);
    free(c->output);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

void server_kill(struct server *s)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (s->clients[i].fd >= 0)
            hang_up(&s->clients[i]);
    }
    if (s->listener >= 0) {
        close(s->listener);
        unlink(s->path);
        s->listener = -1;
    }
    s->dead = true;
}

void server_free(struct server *s)
{
    server_kill(s);
    while (s->first) {
        struct entry *next = s->first->next;
        free(s->first);
        s->first = next;
    }
    free(s);
}

void server_listen(struct server *s, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(s->path, path, strlen(path) + 1);
    unlink(path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed =
        bind(s->listener, (struct sockaddr *)&address, sizeof address) ||
        listen(s->listener, 5) || fcntl(s->listener, F_SETFL, O_NONBLOCK);
    assert(!failed);
    s->dead = false;
}

static struct client *new_client(struct server *s, int fd)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->fd < 0) {
            c->fd = fd;
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return c;
        }
    }
    close(fd);
    return NULL;
}

void server_adopt(struct server *s, int fd)
{
    struct client *c = new_client(s, fd);
    assert(c);
    c->is_dom0s = true;
    s->dead = false;
}

void server_kill_after_sending(struct server *s, size_t bytes)
{
    s->send_limit = s->sent + bytes;
}

void server_kill_after_receiving(struct server *s, size_t bytes)
{
    s->receive_limit = s->received + bytes;
}

bool server_is_dead(const struct server *s)
{
    return s->dead;
}

void server_send_in_pieces(struct server *s, size_t bytes)
{
    s->piece = bytes;
}

void server_read_only(struct server *s)
{
    s->read_only = true;
}

void server_mute(struct server *s)
{
    s->mute = true;
}

size_t server_sent(const struct server *s)
{
    return s->sent;
}

size_t server_received(const struct server *s)
{
    return s->received;
}

unsigned server_acknowledged(const struct server *s)
{
    return s->acknowledged;
}

/* --- The database --- */

static struct entry **place(struct server *s, const char *path)
{
    struct entry **at = &s->first;
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

static bool insert(struct server *s, const char *path, const void *value,
                   uint32_t size)
{
    struct entry **at = place(s, path), *e = *at;
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

static bool removed(struct server *s, const char *path)
{
    bool any = false;
    for (struct entry **at = place(s, path); *at;) {
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

const char *server_value(const struct server *s, const char *path)
{
    for (const struct entry *e = s->first; e; e = e->next) {
        if (!strcmp(e->path, path))
            return e->value;
    }
    return NULL;
}

/* --- Sending --- */

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
    /* What the daemon does not set is whatever was there. */
    memset(h.padding, 0xaa, sizeof h.padding);
    memcpy(h.path, path, strnlen(path, PATH_SIZE - 1));
    append(c, &h, sizeof h);
    if (size)
        append(c, data, size);
}

static void fire(struct server *s, const char *path)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        for (unsigned w = 0; c->fd >= 0 && w < c->watch_count; w++) {
            const char *watch = c->watches[w];
            if (is_directory(watch) ? begins(path, watch)
                                    : !strcmp(path, watch))
                say(c, EVENT, path, NULL, 0);
        }
    }
}

/* To dom0's client, unless it is where the change came from. */
static void push(struct server *s, const struct client *from, uint8_t type,
                 const char *path, const void *data, uint32_t size)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->fd >= 0 && c->is_dom0s && c->synced && c != from)
            say(c, type, path, data, size);
    }
}

void server_write(struct server *s, const char *path, const char *value)
{
    uint32_t size = (uint32_t)strlen(value);
    bool done = insert(s, path, value, size);
    assert(done);
    push(s, NULL, WRITE, path, value, size);
    fire(s, path);
}

bool server_remove(struct server *s, const char *path)
{
    if (!removed(s, path))
        return false;
    push(s, NULL, RM, path, NULL, 0);
    fire(s, path);
    return true;
}

/* --- Requests --- */

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

static bool on_read(struct server *s, struct client *c, const struct header *h)
{
    if (h->size)
        return false;
    const struct entry *e = *place(s, h->path);
    if (e && !strcmp(e->path, h->path))
        say(c, VALUE, h->path, e->value, e->size);
    else
        say(c, ERROR_NOENT, h->path, NULL, 0);
    return true;
}

static bool on_write(struct server *s, struct client *c, const struct header *h,
                     const uint8_t *data)
{
    if (s->read_only || memchr(data, '\0', h->size)) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    if (!insert(s, h->path, data, h->size)) {
        say(c, ERROR, h->path, NULL, 0);
        return false;
    }
    push(s, c, WRITE, h->path, data, h->size);
    say(c, OK, h->path, NULL, 0);
    fire(s, h->path);
    return true;
}

static bool on_rm(struct server *s, struct client *c, const struct header *h)
{
    if (s->read_only || h->size) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    if (!removed(s, h->path)) {
        say(c, ERROR_NOENT, h->path, NULL, 0);
        return !c->is_dom0s;
    }
    push(s, c, RM, h->path, NULL, 0);
    say(c, OK, h->path, NULL, 0);
    fire(s, h->path);
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

static bool on_multiread(struct server *s, struct client *c,
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
        say_everything(c, s->first);
    } else {
        for (const struct entry *e = *place(s, h->path);
             e && begins(e->path, h->path); e = e->next)
            say(c, ENTRY, e->path, e->value, e->size);
    }
    say(c, ENTRY, "", NULL, 0);
    return true;
}

static bool on_list(struct server *s, struct client *c, const struct header *h)
{
    if (h->size) {
        say(c, ERROR, h->path, NULL, 0);
        return true;
    }
    for (const struct entry *e = *place(s, h->path);
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
static bool on_request(struct server *s, struct client *c,
                       const struct header *h, const uint8_t *data)
{
    switch (h->type) {
    case READ:
        return on_read(s, c, h);
    case WRITE:
        return on_write(s, c, h, data);
    case MULTIREAD:
        return on_multiread(s, c, h);
    case LIST:
        return on_list(s, c, h);
    case RM:
        return on_rm(s, c, h);
    case WATCH:
        on_watch(c, h);
        return true;
    case UNWATCH:
        on_unwatch(c, h);
        return true;
    case OK:
        s->acknowledged++;
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

static bool send_output(struct server *s, struct client *c)
{
    while (c->output_size && s->sent < s->send_limit) {
        size_t size = c->output_size;
        if (size > s->piece)
            size = s->piece;
        if (size > s->send_limit - s->sent)
            size = s->send_limit - s->sent;
        ssize_t sent = send(c->fd, c->output, size, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN;
        s->sent += (size_t)sent;
        c->output_size -= (size_t)sent;
        memmove(c->output, c->output + sent, c->output_size);
        if (s->piece != SIZE_MAX)
            break; /* the next piece in the next turn */
    }
    return true;
}

/* One whole message of the input; false: hang up. */
static bool take_request(struct server *s, struct client *c, bool *taken)
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
        stays = on_request(s, c, &h, c->input + sizeof h);
    consume(c, sizeof h + body);
    return stays;
}

static void serve(struct server *s, struct client *c)
{
    bool was_dom0s = c->is_dom0s, taken = true, stays = true;

    if (!c->output_size) {
        size_t room = INPUT_SIZE - c->input_size;
        if (room > s->receive_limit - s->received)
            room = s->receive_limit - s->received;
        ssize_t size = read(c->fd, c->input + c->input_size, room);
        if (size == 0 && room > 0)
            stays = false;
        else if (size < 0)
            stays = errno == EAGAIN;
        if (size > 0) {
            c->input_size += (size_t)size;
            s->received += (size_t)size;
        }
    }
    stays = stays && send_output(s, c);
    while (stays && taken && !c->output_size && !s->mute) {
        stays = take_request(s, c, &taken);
        stays = send_output(s, c) && stays;
    }
    if (s->sent >= s->send_limit || s->received >= s->receive_limit)
        server_kill(s);
    else if (!stays && was_dom0s)
        server_kill(s); /* dom0's daemon exits */
    else if (!stays)
        hang_up(c);
}

bool server_turn(struct server *s, int milliseconds, int further)
{
    struct pollfd polled[CLIENTS_MAX + 2];
    nfds_t count = 0;
    struct client *owners[CLIENTS_MAX + 2] = {NULL};

    if (further >= 0)
        polled[count++] = (struct pollfd){.fd = further, .events = POLLIN};
    if (s->listener >= 0)
        polled[count++] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
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
    for (nfds_t i = 0; i < count && !s->dead; i++) {
        if (!polled[i].revents || polled[i].fd == further)
            continue;
        worked = true;
        if (polled[i].fd == s->listener) {
            int fd = accept(s->listener, NULL, NULL);
            if (fd >= 0)
                new_client(s, fd);
        } else if (owners[i] && owners[i]->fd == polled[i].fd) {
            serve(s, owners[i]);
        }
    }
    return worked;
}
