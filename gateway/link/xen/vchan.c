/*
 * Records are read one behind the other into one block of memory, so that
 * each IP header comes to lie on a cache line, as in tap.c; one that has come
 * in part stays where it is until the next turn.
 */
#include "gateway/link/xen/vchan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/link/card.h"
#include "gateway/link/xen/vchan_channel.h"
#include "gateway/link/xen/xenstore.h"

enum {
    ALIGNMENT = 64,
    SLOT_SIZE_MAX = PACKET_HEADROOM + PACKET_SIZE_MAX + 1,
    BATCH_PACKETS = 64,
    MEMORY_SIZE = 8 * (SLOT_SIZE_MAX + ALIGNMENT),
    RETRY_FIRST = 250, /* ms */
    RETRY_LAST = 4000, /* ms */
    STEADY = 1000,     /* ms; who stays so long does not come and go */
};

static_assert(sizeof "/local/domain/32751/" - 1 + VCHAN_PATH_SIZE <=
                  (int)VCHAN_CHANNEL_PLACE_SIZE,
              "libxenvchan takes the longest place");

struct vchan {
    struct link link; /* first */
    struct loop *loop;
    struct link_owner owner;
    struct xenstore *xenstore;
    struct loop_timer retry;
    bool pausing;          /* until then */
    struct duration pause; /* before the next attempt */
    struct instant since;  /* when it connected */
    bool complained;       /* of this loss; further ones are no news */
    uint32_t domain;
    char place[VCHAN_CHANNEL_PLACE_SIZE];
    struct vchan_channel *channel; /* NULL: not connected */
    bool refused;                  /* by our owner */
    bool peer_takes_udp_gso;
    struct qube *qube; /* or NULL */
    struct card card;
    struct card fresh; /* as it is for one who has just connected */
    uint8_t *slot;     /* where the next record goes, within `memory` */
    uint8_t *memory;
    struct packet_batch batch; /* views into `memory` */
};

static_assert(offsetof(struct vchan, link) == 0, "a link is a vchan's start");

static struct vchan *vchan_of(struct link *link)
{
    return (struct vchan *)link;
}

static void drop(struct vchan *v, enum drop reason)
{
    drop_count(&v->link.drops, reason);
}

/* --- From the qube ------------------------------------------------------- */

static uint8_t *room(void *context)
{
    const struct vchan *v = context;
    if (v->refused || v->batch.count == BATCH_PACKETS ||
        v->memory + MEMORY_SIZE - v->slot < SLOT_SIZE_MAX)
        return NULL;
    return v->slot + PACKET_HEADROOM - CARD_HEADERS_SIZE;
}

/* An answer of the link's own to ARP or ND. */
static void answer(struct vchan *v, const struct frame *frame)
{
    uint8_t out[CARD_ANSWER_SIZE];
    const struct bytes part = bytes_of(out, card_answer(frame, out));
    if (!vchan_channel_queue(v->channel, &part, 1))
        drop(v, DROP_LINK_QUEUE_FULL);
}

static void record(void *context, struct instant now, size_t size)
{
    struct vchan *v = context;
    struct frame frame;
    struct packet packet = {
        .data = v->slot + PACKET_HEADROOM,
        .headroom = PACKET_HEADROOM,
    };
    (void)now;
    switch (card_take(&v->card, size, &packet, &frame)) {
    case FRAME_DROPPED:
        drop(v, frame.drop);
        return;
    case FRAME_QUESTION:
        answer(v, &frame);
        return;
    case FRAME_SILENCE:
        return;
    case FRAME_PACKET:
        break;
    }
    packet.qube = v->qube;
    *packet_batch_add(&v->batch) = packet;
    size_t used = (size_t)PACKET_HEADROOM + packet.size;
    v->slot += (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void writable(void *context, struct instant now)
{
    (void)context; /* packets do not wait here */
    (void)now;
}

/* --- Coming and going ---------------------------------------------------- */

static void disconnect(struct vchan *v)
{
    vchan_channel_close(v->channel);
    v->channel = NULL;
    v->refused = false;
    packet_batch_reset(&v->batch);
    v->slot = v->memory;
    struct qube *qube = v->qube;
    v->qube = NULL;
    if (qube)
        v->owner.qube_removed(v->owner.context, qube);
}

static bool was_steady(const struct vchan *v, struct instant now)
{
    return v->qube &&
           instant_since(now, v->since).us >= duration_milliseconds(STEADY).us;
}

/* To be tried again in a while: a qube that comes and goes, or whose offer
 * leads nowhere, costs less and less. */
static void lose(struct vchan *v, struct instant now, const char *why)
{
    if (was_steady(v, now))
        v->pause = duration_milliseconds(RETRY_FIRST);
    log_line(v->complained ? LOG_DEBUG : LOG_INFO, "%s: not connected: %s",
             v->card.name, why);
    v->complained = true;
    disconnect(v);
    v->pausing = true;
    loop_timer_set(&v->retry, instant_after(now, v->pause));
    v->pause.us *= 2;
    if (v->pause.us > duration_milliseconds(RETRY_LAST).us)
        v->pause = duration_milliseconds(RETRY_LAST);
}

static void lost(void *context, struct instant now, const char *why)
{
    lose(context, now, why);
}

static void greeted(void *context, struct instant now, bool takes_udp_gso)
{
    struct vchan *v = context;
    v->peer_takes_udp_gso = takes_udp_gso;
    v->card = v->fresh;
    v->qube = v->owner.qube_added(v->owner.context, &v->link.port, v->card.name,
                                  &v->card.ipv4, &v->card.ipv6);
    v->refused = !v->qube;
    if (v->refused)
        return; /* settled() hangs up */
    log_info("%s: connected", v->card.name);
    v->complained = false;
    v->since = now;
}

static void settled(void *context, struct instant now)
{
    struct vchan *v = context;
    if (v->refused) {
        lose(v, now, "the gateway refuses it");
        return;
    }
    if (v->batch.count)
        v->owner.received(v->owner.context, now, &v->batch);
    packet_batch_reset(&v->batch);
    if (!vchan_channel_in_record(v->channel))
        v->slot = v->memory;
    vchan_channel_flush(v->channel); /* answers */
}

static void connect_now(struct vchan *v, struct instant now)
{
    const struct vchan_channel_owner owner = {
        .context = v,
        .greeted = greeted,
        .room = room,
        .record = record,
        .settled = settled,
        .writable = writable,
        .lost = lost,
    };
    v->channel =
        vchan_channel_connect(v->domain, v->place, true, v->loop, &owner);
    if (!v->channel)
        lose(v, now, "the qube's offer leads nowhere");
}

static bool is_offered(struct vchan *v)
{
    char value[XENSTORE_VALUE_SIZE];
    return xenstore_read(v->xenstore, v->place, "event-channel", value) ==
           XENSTORE_PRESENT;
}

/* The offer goes when the qube's end is closed, and with the qube. */
static void look(struct vchan *v, struct instant now)
{
    bool offered = is_offered(v);
    if (v->channel && !offered)
        lose(v, now, "the qube took its end away");
    /* While it pauses, the pause's end looks again. */
    if (!v->channel && offered && !v->pausing)
        connect_now(v, now);
}

static void pause_over(void *context, struct instant now)
{
    struct vchan *v = context;
    v->pausing = false;
    look(v, now);
}

static void changed(void *context, struct instant now, const char *path,
                    const char *token)
{
    (void)context;
    (void)now;
    (void)path;
    (void)token;
}

static void changes_settled(void *context, struct instant now)
{
    look(context, now);
}

/* --- To the qube --------------------------------------------------------- */

static enum drop send_packet(struct vchan *v, const struct packet *packet)
{
    uint8_t headers[CARD_HEADERS_SIZE];
    struct bytes parts[2 + PACKET_PIECES_MAX] = {{headers, sizeof headers}};
    if (!v->qube)
        return DROP_LINK_ERROR;
    enum drop reason = card_headers(&v->card, packet, headers);
    if (reason != DROP_NONE)
        return reason;
    if (packet_total(packet) > PACKET_SIZE_MAX)
        return DROP_LINK_MALFORMED;
    parts[1] = bytes_of(packet->data, packet->size);
    for (size_t i = 0; i < packet->piece_count; i++)
        parts[2 + i] = packet->pieces[i];
    return vchan_channel_queue(v->channel, parts, 2U + packet->piece_count)
               ? DROP_NONE
               : DROP_LINK_QUEUE_FULL;
}

static void vchan_send(struct link_port *port, struct instant now,
                       struct packet *const *packets, size_t count)
{
    struct vchan *v = vchan_of(port->link);
    (void)now;
    for (size_t i = 0; i < count; i++) {
        enum drop reason = send_packet(v, packets[i]);
        if (reason == DROP_NONE)
            continue;
        packets[i]->drop = (uint8_t)reason;
        drop(v, reason);
    }
    if (v->channel)
        vchan_channel_flush(v->channel);
}

static bool vchan_takes(const struct link_port *port,
                        const struct packet *packet)
{
    const struct vchan *v = (const struct vchan *)port->link;
    return packet->gso != PACKET_GSO_UDP || v->peer_takes_udp_gso;
}

/* --- Opening and closing ------------------------------------------------- */

static void vchan_close(struct link *link)
{
    struct vchan *v = vchan_of(link);
    disconnect(v);
    loop_remove_timer(v->loop, &v->retry);
    xenstore_close(v->xenstore);
    packet_batch_clear(&v->batch);
    free(v->memory);
    free(v);
}

static const struct link_kind kind = {
    .name = "vchan",
    .send = vchan_send,
    .takes = vchan_takes,
    .close = vchan_close,
};

bool vchan_path_valid(struct bytes path)
{
    if (path.size == 0 || path.size >= VCHAN_PATH_SIZE)
        return false;
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        bool last = i + 1 == path.size;
        if (c == '/' && (i == 0 || last || path.data[i + 1] == '/'))
            return false;
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '/')
            return false;
    }
    return true;
}

/* All but xenstore; NULL when memory is short. */
static struct vchan *vchan_new(const struct vchan_options *options,
                               struct loop *loop,
                               const struct link_owner *owner)
{
    char name[CARD_NAME_SIZE];
    struct vchan *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    *v = (struct vchan){
        .link = {.kind = &kind, .port = {&v->link}, .takes_udp_gso = true},
        .loop = loop,
        .owner = *owner,
        .retry = {INSTANT_NEVER, pause_over, v, NULL},
        .pause = duration_milliseconds(RETRY_FIRST),
        .domain = options->domain,
        .memory = aligned_alloc(ALIGNMENT, MEMORY_SIZE),
    };
    v->slot = v->memory;
    snprintf(v->place, sizeof v->place, "/local/domain/%u/%s", options->domain,
             options->path);
    snprintf(name, sizeof name, "vchan:%u:%s", options->domain, options->path);
    card_init(&v->fresh, name, &options->ipv4, &options->ipv6, options->mac);
    v->card = v->fresh;
    loop_add_timer(loop, &v->retry);
    if (v->memory && packet_batch_init(&v->batch, BATCH_PACKETS, 0))
        return v;
    vchan_close(&v->link);
    return NULL;
}

struct link *vchan_open(const struct vchan_options *options, struct loop *loop,
                        const struct link_owner *owner, enum error *error)
{
    char leaf[XENSTORE_PATH_SIZE];
    assert(vchan_path_valid(bytes_of_text(options->path)));
    struct vchan *v = vchan_new(options, loop, owner);
    if (!v) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    const struct xenstore_owner watcher = {v, changed, changes_settled};
    v->xenstore = xenstore_open(loop, &watcher, error);
    if (!v->xenstore) {
        vchan_close(&v->link);
        return NULL;
    }
    /* The last that a server writes; it is told of at once, too. */
    snprintf(leaf, sizeof leaf, "%s/event-channel", v->place);
    if (!xenstore_watch(v->xenstore, leaf, "vchan")) {
        log_error("%s: xenstore cannot be watched", v->card.name);
        *error = ERROR_INVALID;
        vchan_close(&v->link);
        return NULL;
    }
    return &v->link;
}
