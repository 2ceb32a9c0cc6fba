#include "tests/link/xen/vchan_pair.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PLACE_SIZE = 64, OFFERS_MAX = 8, SERVER = 0, CLIENT = 1 };

enum { WANTS_DATA = 1, WANTS_ROOM = 2, AWAITED = 2 };

struct stream {
    uint8_t *data;
    uint32_t size, produced, consumed;
};

struct pair {
    int users;
    struct stream streams[2]; /* written by SERVER, by CLIENT */
    int live[2];
    unsigned wants[2];
    int events[2]; /* eventfd, or -1 */
};

struct end {
    struct libxenvchan vchan; /* first */
    struct pair *pair;
    int side;
    char place[PLACE_SIZE];
};

static struct {
    uint32_t domain, ring;
    void (*offered)(const char *place, bool there);
    bool refuse;
    unsigned open_count, attempts;
    struct end *offers[OFFERS_MAX];
} world;

void vchan_pair_reset(uint32_t domain,
                      void (*offered)(const char *place, bool there))
{
    memset(&world, 0, sizeof world);
    world.domain = domain;
    world.offered = offered;
}

void vchan_pair_set_ring(uint32_t size)
{
    world.ring = size;
}

void vchan_pair_refuse(bool refuse)
{
    world.refuse = refuse;
}

unsigned vchan_pair_open_count(void)
{
    return world.open_count;
}

unsigned vchan_pair_attempts(void)
{
    return world.attempts;
}

static struct end *end_of(struct libxenvchan *vchan)
{
    return (struct end *)vchan;
}

static void ring(struct pair *p, int side)
{
    if (p->events[side] >= 0)
        eventfd_write(p->events[side], 1);
}

static struct end *new_end(struct pair *pair, int side, const char *place)
{
    struct end *e = calloc(1, sizeof *e);
    assert(e && strlen(place) < PLACE_SIZE);
    /* All bits set, whatever their sign is in this version of the library. */
    memset(&e->vchan, 0xff, sizeof e->vchan);
    if (side != SERVER)
        e->vchan.is_server = 0;
    e->pair = pair;
    e->side = side;
    memcpy(e->place, place, strlen(place) + 1);
    pair->users++;
    pair->live[side] = 1;
    pair->wants[side] = WANTS_DATA;
    pair->events[side] = eventfd(0, EFD_NONBLOCK);
    assert(pair->events[side] >= 0);
    world.open_count++;
    return e;
}

static void init_stream(struct stream *s, size_t size)
{
    s->size = world.ring ? world.ring : (uint32_t)size;
    s->data = malloc(s->size);
    assert(s->data);
}

struct libxenvchan *libxenvchan_server_init(struct xentoollog_logger *logger,
                                            int domain, const char *xs_path,
                                            size_t read_min, size_t write_min)
{
    char place[PLACE_SIZE];
    (void)logger;
    (void)domain;
    if (world.refuse)
        return NULL;
    struct pair *pair = calloc(1, sizeof *pair);
    assert(pair);
    init_stream(&pair->streams[SERVER], write_min);
    init_stream(&pair->streams[CLIENT], read_min);
    pair->events[CLIENT] = -1;
    snprintf(place, sizeof place, "/local/domain/%u/%s", world.domain, xs_path);
    struct end *e = new_end(pair, SERVER, place);
    pair->live[CLIENT] = AWAITED;
    size_t i = 0;
    while (world.offers[i])
        i++;
    assert(i < OFFERS_MAX);
    world.offers[i] = e;
    world.offered(place, true);
    return &e->vchan;
}

struct libxenvchan *libxenvchan_client_init(struct xentoollog_logger *logger,
                                            int domain, const char *xs_path)
{
    (void)logger;
    (void)domain;
    world.attempts++;
    for (size_t i = 0; i < OFFERS_MAX && !world.refuse; i++) {
        struct end *server = world.offers[i];
        if (!server || strcmp(server->place, xs_path) != 0)
            continue;
        struct end *e = new_end(server->pair, CLIENT, xs_path);
        ring(server->pair, SERVER);
        return &e->vchan;
    }
    return NULL;
}

static void retract(struct end *e)
{
    for (size_t i = 0; i < OFFERS_MAX; i++) {
        if (world.offers[i] == e) {
            world.offers[i] = NULL;
            world.offered(e->place, false);
        }
    }
}

void vchan_pair_forget(struct libxenvchan *vchan)
{
    struct end *e = end_of(vchan);
    for (size_t i = 0; i < OFFERS_MAX; i++) {
        if (world.offers[i] == e)
            world.offers[i] = NULL;
    }
}

void libxenvchan_close(struct libxenvchan *ctrl)
{
    if (!ctrl)
        return;
    struct end *e = end_of(ctrl);
    struct pair *p = e->pair;
    p->live[e->side] = 0;
    close(p->events[e->side]);
    p->events[e->side] = -1;
    ring(p, !e->side);
    if (e->side == SERVER)
        retract(e);
    if (--p->users == 0) {
        free(p->streams[0].data);
        free(p->streams[1].data);
        free(p);
    }
    free(e);
    world.open_count--;
}

int libxenvchan_is_open(struct libxenvchan *ctrl)
{
    const struct end *e = end_of(ctrl);
    return e->pair->live[!e->side];
}

int libxenvchan_fd_for_select(struct libxenvchan *ctrl)
{
    const struct end *e = end_of(ctrl);
    return e->pair->events[e->side];
}

int libxenvchan_wait(struct libxenvchan *ctrl)
{
    int fd = libxenvchan_fd_for_select(ctrl);
    eventfd_t count;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    int told = poll(&polled, 1, 0);
    assert(told == 1); /* or it would block for ever */
    return eventfd_read(fd, &count);
}

static void notify(struct pair *p, int side, unsigned of)
{
    if (p->wants[side] & of) {
        p->wants[side] &= ~of;
        ring(p, side);
    }
}

int libxenvchan_write(struct libxenvchan *ctrl, const void *data, size_t size)
{
    const struct end *e = end_of(ctrl);
    struct stream *s = &e->pair->streams[e->side];
    const uint8_t *bytes = data;
    assert(!ctrl->blocking);
    if (!libxenvchan_is_open(ctrl))
        return -1;
    uint32_t room = s->size - (s->produced - s->consumed);
    if (room < size)
        e->pair->wants[e->side] |= WANTS_ROOM;
    if (size > room)
        size = room;
    for (size_t i = 0; i < size; i++)
        s->data[s->produced++ % s->size] = bytes[i];
    if (size)
        notify(e->pair, !e->side, WANTS_DATA);
    return (int)size;
}

int libxenvchan_read(struct libxenvchan *ctrl, void *data, size_t size)
{
    const struct end *e = end_of(ctrl);
    struct stream *s = &e->pair->streams[!e->side];
    uint8_t *bytes = data;
    assert(!ctrl->blocking);
    uint32_t ready = s->produced - s->consumed;
    if (ready < size)
        e->pair->wants[e->side] |= WANTS_DATA;
    if (ready == 0)
        return libxenvchan_is_open(ctrl) ? 0 : -1;
    if (size > ready)
        size = ready;
    for (size_t i = 0; i < size; i++)
        bytes[i] = s->data[s->consumed++ % s->size];
    notify(e->pair, !e->side, WANTS_ROOM);
    return (int)size;
}
