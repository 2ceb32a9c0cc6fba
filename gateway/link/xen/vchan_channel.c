#include "gateway/link/xen/vchan_channel.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/libxenvchan.h"

enum {
    OUTPUT_SIZE = 256 * 1024, /* bytes that wait for the peer at most */
    READS_A_TURN = 256,       /* then others have theirs */
    CLIENT_AWAITED = 2,       /* libxenvchan_is_open() of a server */
};

struct vchan_channel {
    struct libxenvchan *vchan;
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer again; /* work is left, and no event will say so */
    struct vchan_channel_owner owner;
    struct vchan_framing_reader reader;
    bool open, takes_udp_gso;
    bool room_awaited;
    const char *broken;  /* why it has to be lost */
    uint32_t begin, end; /* of what waits in `output` */
    uint8_t output[OUTPUT_SIZE];
};

/* --- Output -------------------------------------------------------------- */

static bool has_room(const struct vchan_channel *c, size_t size)
{
    return size <= OUTPUT_SIZE - (size_t)(c->end - c->begin);
}

static void append(struct vchan_channel *c, struct bytes bytes)
{
    if (bytes.size)
        memcpy(c->output + c->end, bytes.data, bytes.size);
    c->end += (uint32_t)bytes.size;
}

static void close_up(struct vchan_channel *c)
{
    memmove(c->output, c->output + c->begin, c->end - c->begin);
    c->end -= c->begin;
    c->begin = 0;
}

bool vchan_channel_queue(struct vchan_channel *c, const struct bytes *parts,
                         size_t count)
{
    uint8_t prefix[VCHAN_FRAMING_PREFIX_SIZE];
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    assert(size <= VCHAN_FRAMING_BODY_MAX);
    if (!c->open || !has_room(c, sizeof prefix + size))
        return false;
    if (sizeof prefix + size > OUTPUT_SIZE - c->end)
        close_up(c);
    vchan_framing_write_prefix(prefix, (uint32_t)size);
    append(c, bytes_of(prefix, sizeof prefix));
    for (size_t i = 0; i < count; i++)
        append(c, parts[i]);
    return true;
}

static void greet(struct vchan_channel *c)
{
    uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE];
    vchan_framing_write_greeting(
        greeting, c->takes_udp_gso ? VCHAN_FRAMING_TAKES_UDP_GSO : 0);
    append(c, bytes_of(greeting, sizeof greeting));
}

/* A loss is told from inside the loop, whoever finds it. */
static void breaks(struct vchan_channel *c, const char *why)
{
    if (!c->broken)
        c->broken = why;
    loop_timer_set(&c->again, loop_now(c->loop));
}

void vchan_channel_flush(struct vchan_channel *c)
{
    while (c->begin < c->end && !c->broken) {
        /* It asks to be told of room if it cannot take all. */
        int size = libxenvchan_write(c->vchan, c->output + c->begin,
                                     c->end - c->begin);
        if (size < 0)
            breaks(c, "the other end is gone");
        if (size <= 0)
            return;
        c->begin += (uint32_t)size;
    }
    if (c->begin == c->end)
        c->begin = c->end = 0;
}

bool vchan_channel_is_full(const struct vchan_channel *c)
{
    return !c->open ||
           !has_room(c, VCHAN_FRAMING_PREFIX_SIZE + VCHAN_FRAMING_BODY_MAX);
}

void vchan_channel_await_room(struct vchan_channel *c)
{
    c->room_awaited = true;
}

bool vchan_channel_in_record(const struct vchan_channel *c)
{
    return c->reader.in_body;
}

/* --- Input --------------------------------------------------------------- */

static void tell(struct vchan_channel *c, struct instant now,
                 enum vchan_framing_result result)
{
    switch (result) {
    case VCHAN_FRAMING_PARTIAL:
        break;
    case VCHAN_FRAMING_GREETED:
        c->owner.greeted(c->owner.context, now,
                         c->reader.flags & VCHAN_FRAMING_TAKES_UDP_GSO);
        break;
    case VCHAN_FRAMING_WHOLE:
        c->owner.record(c->owner.context, now, c->reader.size);
        break;
    case VCHAN_FRAMING_MALFORMED:
        c->broken = "it sends what is no record";
        break;
    }
}

static void receive(struct vchan_channel *c, struct instant now)
{
    for (int reads = 0; reads < READS_A_TURN && !c->broken; reads++) {
        uint8_t *body = c->owner.room(c->owner.context);
        if (!body)
            break;
        struct vchan_framing_room room =
            vchan_framing_reader_room(&c->reader, body);
        int size = libxenvchan_read(c->vchan, room.data, room.size);
        if (size < 0)
            c->broken = "the other end is gone";
        if (size <= 0)
            return;
        tell(c, now, vchan_framing_reader_put(&c->reader, (size_t)size));
    }
    /* There may be more, which nothing else will tell of. */
    loop_timer_set(&c->again, now);
}

/* --- Turns --------------------------------------------------------------- */

/* False while a server's client has not come, and when an end is gone. */
static bool is_open(struct vchan_channel *c)
{
    int state = libxenvchan_is_open(c->vchan);
    if (c->vchan->is_server && state == CLIENT_AWAITED && !c->open)
        return false;
    if (state == 0) {
        c->broken = "the other end is gone";
        return false;
    }
    if (!c->open) {
        c->open = true;
        greet(c);
    }
    return true;
}

/* The last call may have closed it. */
static void turn(struct vchan_channel *c, struct instant now)
{
    if (!c->broken && is_open(c)) {
        receive(c, now);
        vchan_channel_flush(c);
        if (c->room_awaited && !vchan_channel_is_full(c)) {
            c->room_awaited = false;
            c->owner.writable(c->owner.context, now);
        }
    }
    if (c->broken)
        c->owner.lost(c->owner.context, now, c->broken);
    else if (c->open)
        c->owner.settled(c->owner.context, now);
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct vchan_channel *c = context;
    (void)events;
    /* Acknowledges the event; it does not block because there is one. */
    if (libxenvchan_wait(c->vchan) < 0)
        c->broken = "its event channel is gone";
    turn(c, now);
}

static void go_on(void *context, struct instant now)
{
    turn(context, now);
}

/* --- Beginning and end --------------------------------------------------- */

/* Takes the vchan, which may be none. */
static struct vchan_channel *
channel_new(struct libxenvchan *vchan, bool takes_udp_gso, struct loop *loop,
            const struct vchan_channel_owner *owner)
{
    struct vchan_channel *c = vchan ? malloc(sizeof *c) : NULL;
    if (!c) {
        libxenvchan_close(vchan);
        return NULL;
    }
    vchan->blocking = 0;
    /* Member by member: the buffer's pages are used only once bytes wait. */
    c->vchan = vchan;
    c->loop = loop;
    c->watch = (struct loop_watch){libxenvchan_fd_for_select(vchan), ready, c};
    c->again = (struct loop_timer){INSTANT_NEVER, go_on, c, NULL};
    c->owner = *owner;
    c->open = false;
    c->takes_udp_gso = takes_udp_gso;
    c->room_awaited = false;
    c->broken = NULL;
    c->begin = c->end = 0;
    vchan_framing_reader_init(&c->reader);
    loop_add_timer(loop, &c->again);
    if (loop_add(loop, &c->watch, LOOP_READ) != OK) {
        vchan_channel_close(c);
        return NULL;
    }
    /* Records may have come before we listened. */
    loop_timer_set(&c->again, loop_now(loop));
    return c;
}

struct vchan_channel *
vchan_channel_offer(uint32_t domain, const char *place, bool takes_udp_gso,
                    struct loop *loop, const struct vchan_channel_owner *owner)
{
    assert(strlen(place) < VCHAN_CHANNEL_PLACE_SIZE);
    return channel_new(libxenvchan_server_init(NULL, (int)domain, place,
                                               VCHAN_CHANNEL_RING_SIZE,
                                               VCHAN_CHANNEL_RING_SIZE),
                       takes_udp_gso, loop, owner);
}

struct vchan_channel *
vchan_channel_connect(uint32_t domain, const char *place, bool takes_udp_gso,
                      struct loop *loop,
                      const struct vchan_channel_owner *owner)
{
    assert(strlen(place) < VCHAN_CHANNEL_PLACE_SIZE);
    return channel_new(libxenvchan_client_init(NULL, (int)domain, place),
                       takes_udp_gso, loop, owner);
}

void vchan_channel_close(struct vchan_channel *c)
{
    if (!c)
        return;
    loop_remove(c->loop, &c->watch);
    loop_remove_timer(c->loop, &c->again);
    libxenvchan_close(c->vchan);
    free(c);
}
