/*
 * Data, in batches of one keypair. A tag is looked at before the window and
 * the window before anything is believed, so that a forgery changes nothing.
 */
#include <assert.h>

#include "gateway/packet/ip_packet.h"
#include "gateway/wireguard/data/ecn.h"
#include "gateway/wireguard/device_state.h"

/* An initiator asks for new keys when it receives under ones that will be too
 * old before the next chance. */
enum {
    LATE_REKEY_AFTER =
        KEYPAIR_REJECT_AFTER - PEER_TIMERS_KEEPALIVE - PEER_TIMERS_REKEY_TIMEOUT
};

struct burst_layout device_layout(const struct device *d)
{
    return (struct burst_layout){
        .head = WIRE_DATA_HEADER_SIZE,
        .block = WIRE_PADDING,
        .tail = WIRE_TAG_SIZE,
        .limit = d->options.mtu,
    };
}

static bool older(const struct keypair *k, struct instant now, int64_t seconds)
{
    return keypair_age(k, now).us >= duration_seconds(seconds).us;
}

/* --- Sealing ------------------------------------------------------------- */

/* New keys are due, because of age or use. */
static void keep_fresh(struct device *d, struct peer *p, struct instant now)
{
    const struct keypair *k = p->current;
    if (k->next_counter > KEYPAIR_REKEY_AFTER ||
        (k->initiator && older(k, now, PEER_TIMERS_REKEY_AFTER)))
        device_initiate(d, p, now, false);
}

static void seal_batch(struct device *d, struct instant now)
{
    struct device_batch *b = &d->batch;
    if (b->count == 0)
        return;
    aead_seal(b->keypair->sealing, b->jobs, b->count);
    b->count = 0;
    peer_timers_sent_authentic(&b->peer->timers, now);
    peer_timers_sent_data(&b->peer->timers, now);
    b->peer->keepalive_due = false;
    keep_fresh(d, b->peer, now);
}

static struct address inner_address(const uint8_t *inner, size_t ipv4,
                                    size_t ipv6)
{
    return inner[0] >> 4 == ADDRESS_IPV4
               ? address_from_bytes(ADDRESS_IPV4, inner + ipv4)
               : address_from_bytes(ADDRESS_IPV6, inner + ipv6);
}

static uint16_t receiver_of(const struct device *d, const uint8_t *inner)
{
    struct address to =
        inner_address(inner, IPV4_DESTINATION, IPV6_DESTINATION);
    return allowed_ips_find(&d->allowed, &to);
}

/* False, and it is lost: memory is short, or it is too large. */
static bool stage(struct device *d, struct peer *p, struct bytes packet)
{
    enum staging_result result =
        staging_put(&p->staged, packet, d->options.mtu);
    if (result == STAGING_KEPT_FOR_ANOTHER)
        drop_count(&d->drops, DROP_SEAL_HELD_FULL);
    return result != STAGING_REFUSED;
}

static enum drop hold(struct device *d, struct peer *p, struct instant now,
                      struct bytes packet)
{
    bool staged = stage(d, p, packet);
    /* A series of tries that is under way goes on. */
    if (!peer_timers_trying(&p->timers))
        device_initiate(d, p, now, false);
    return staged ? DROP_SEAL_HELD : DROP_SEAL_NO_KEY;
}

static void count_sealed(struct peer *p, size_t size)
{
    p->packets_sealed++;
    p->bytes_sealed += size;
}

static enum drop seal_one(struct device *d, struct instant now,
                          struct datagram *dg)
{
    struct device_batch *b = &d->batch;
    const uint8_t *inner = dg->data + dg->inner_offset;
    uint16_t number = receiver_of(d, inner);
    if (number == ALLOWED_IPS_NOBODY)
        return DROP_SEAL_NO_PEER;
    struct peer *p = &d->peers[number];
    if (!address_is_set(&p->endpoint.address))
        return DROP_SEAL_NO_ENDPOINT;
    if (!keypair_fresh(p->current, now))
        return hold(d, p, now, bytes_of(inner, dg->inner_size));
    if (b->count == AEAD_BATCH_MAX || b->keypair != p->current)
        seal_batch(d, now);
    b->peer = p;
    b->keypair = p->current;
    dg->endpoint = (uint8_t)number;
    dg->ecn = ecn_outer(inner);
    keypair_seal_job(p->current, dg, &b->jobs[b->count++]);
    count_sealed(p, dg->inner_size);
    return DROP_NONE;
}

void device_seal(struct device *d, struct instant now, struct burst *burst)
{
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *dg = &burst->datagrams[i];
        if (dg->drop != DROP_NONE || dg->inner_size == 0)
            continue;
        dg->drop = (uint8_t)seal_one(d, now, dg);
        if (dg->drop != DROP_NONE && dg->drop != DROP_SEAL_HELD)
            drop_count(&d->drops, (enum drop)dg->drop);
    }
    seal_batch(d, now);
}

/* Seals a packet, or nothing, for a datagram of its own. */
static void seal_alone(struct device *d, struct instant now, struct peer *p,
                       struct bytes inner, struct device_send *out)
{
    struct burst_layout layout = device_layout(d);
    struct aead_job job;
    burst_reset(&d->scratch);
    struct datagram *dg =
        burst_reserve(&d->scratch, &layout, (uint32_t)inner.size);
    assert(dg);
    if (inner.size)
        memcpy(dg->data + dg->inner_offset, inner.data, inner.size);
    keypair_seal_job(p->current, dg, &job);
    aead_seal(p->current->sealing, &job, 1);
    bool again = p->timers.keepalive_again;
    peer_timers_sent_authentic(&p->timers, now);
    p->keepalive_due = false;
    if (inner.size) {
        peer_timers_sent_data(&p->timers, now);
        count_sealed(p, inner.size);
    } else if (again) {
        peer_timers_received_data(&p->timers, now);
    }
    *out = (struct device_send){
        .peer = p->number,
        .to = p->endpoint,
        .tos = inner.size ? ecn_outer(inner.data) : 0,
        .bytes = bytes_of(dg->data, dg->size),
    };
    keep_fresh(d, p, now);
}

enum drop device_put(struct device *d, struct instant now, struct bytes packet)
{
    uint16_t number = receiver_of(d, packet.data);
    if (number == ALLOWED_IPS_NOBODY)
        return DROP_SEAL_NO_PEER;
    struct peer *p = &d->peers[number];
    device_wants(d, p);
    if (!keypair_fresh(p->current, now))
        return hold(d, p, now, packet);
    return stage(d, p, packet) ? DROP_NONE : DROP_SEAL_NO_KEY;
}

bool device_next_packet(struct device *d, struct instant now, struct peer *p,
                        struct device_send *out)
{
    struct bytes inner = {NULL, 0};
    if (!keypair_fresh(p->current, now) ||
        !address_is_set(&p->endpoint.address))
        return false;
    if (!staging_take(&p->staged, &inner) && !p->keepalive_due)
        return false;
    seal_alone(d, now, p, inner, out);
    return true;
}

/* --- Opening ------------------------------------------------------------- */

void device_heard(struct peer *p, struct instant now,
                  const struct endpoint *from)
{
    peer_timers_received_authentic(&p->timers, now);
    p->heard = now;
    p->silent = false;
    if (address_is_set(&from->address))
        p->endpoint = *from;
}

/* Data came under these keys. */
static void heard_data(struct device *d, struct peer *p, struct keypair *k,
                       struct instant now, const struct endpoint *from,
                       bool data)
{
    if (peer_confirm(p, &d->indices, k)) {
        peer_complete(p, now);
        device_wants(d, p);
    }
    device_heard(p, now, from);
    p->data = now;
    if (data)
        peer_timers_received_data(&p->timers, now);
    if (p->current && p->current->initiator && !p->timers.late_rekey &&
        older(p->current, now, LATE_REKEY_AFTER)) {
        p->timers.late_rekey = true;
        device_initiate(d, p, now, false);
    }
}

/* The size of the IP packet at the start of what was opened; 0: none is. */
static uint16_t packet_size(struct bytes plain)
{
    size_t size = 0, least = SIZE_MAX;
    if (plain.size >= IPV4_HEADER_SIZE && plain.data[0] >> 4 == ADDRESS_IPV4) {
        least = IPV4_HEADER_SIZE;
        size = load_u16(plain.data + IPV4_TOTAL_LENGTH);
    } else if (plain.size >= IPV6_HEADER_SIZE &&
               plain.data[0] >> 4 == ADDRESS_IPV6) {
        least = IPV6_HEADER_SIZE;
        size = least + load_u16(plain.data + IPV6_PAYLOAD_LENGTH);
    }
    return size >= least && size <= plain.size ? (uint16_t)size : 0;
}

/* The datagram is authentic and new. */
static enum drop look_inside(struct device *d, struct peer *p,
                             struct datagram *dg, const struct aead_job *job)
{
    if (job->size == 0)
        return DROP_NONE; /* a keepalive */
    uint16_t size = packet_size(bytes_of(job->data, job->size));
    if (size == 0)
        return DROP_IP_MALFORMED;
    struct address source = inner_address(job->data, IPV4_SOURCE, IPV6_SOURCE);
    if (allowed_ips_find(&d->allowed, &source) != p->number)
        return DROP_DATA_SPOOFED;
    ecn_combine(job->data, dg->ecn);
    dg->inner_offset = WIRE_DATA_HEADER_SIZE;
    dg->inner_size = size;
    p->packets_opened++;
    p->bytes_opened += size;
    return DROP_NONE;
}

static void open_batch(struct device *d, struct instant now,
                       const struct endpoint *from)
{
    struct device_batch *b = &d->batch;
    bool heard = false, data = false;
    size_t count = b->count;
    if (count == 0)
        return;
    b->count = 0;
    aead_open(b->keypair->opening, b->jobs, count);
    for (size_t i = 0; i < count; i++) {
        struct datagram *dg = b->datagrams[i];
        enum drop drop = DROP_DATA_AUTH;
        if (b->jobs[i].ok) {
            drop = DROP_DATA_REPLAY;
            if (counter_window_accept(&b->keypair->seen, b->counters[i])) {
                heard = dg->proven = true;
                data = data || b->jobs[i].size > 0;
                drop = look_inside(d, b->peer, dg, &b->jobs[i]);
            }
        }
        dg->drop = (uint8_t)drop;
        if (drop != DROP_NONE)
            drop_count(&d->drops, drop);
    }
    if (heard)
        heard_data(d, b->peer, b->keypair, now, from, data);
}

static struct keypair *keypair_of(const struct device *d, uint32_t receiver,
                                  struct peer **peer)
{
    uint16_t number = index_table_find(&d->indices, receiver);
    if (number == INDEX_TABLE_NOBODY)
        return NULL;
    *peer = &d->peers[number];
    return peer_keypair(*peer, receiver);
}

/* Into the batch; what was in it may have changed the keys. */
static enum drop open_one(struct device *d, struct instant now,
                          const struct endpoint *from, struct datagram *dg)
{
    struct device_batch *b = &d->batch;
    struct peer *p = NULL;
    uint32_t receiver;
    uint64_t counter;
    if (!wire_read_data(bytes_of(dg->data, dg->size), &receiver, &counter))
        return DROP_DATA_MALFORMED;
    struct keypair *k = keypair_of(d, receiver, &p);
    if (b->count == AEAD_BATCH_MAX || (b->count > 0 && b->keypair != k)) {
        open_batch(d, now, from);
        k = keypair_of(d, receiver, &p);
    }
    if (!k || older(k, now, KEYPAIR_REJECT_AFTER))
        return DROP_DATA_NO_KEY;
    if (counter >= COUNTER_WINDOW_LIMIT)
        return DROP_DATA_REPLAY;
    b->peer = p;
    b->keypair = k;
    b->datagrams[b->count] = dg;
    b->counters[b->count] = counter;
    keypair_open_job(dg, counter, &b->jobs[b->count++]);
    return DROP_NONE;
}

void device_open(struct device *d, struct instant now, struct burst *burst)
{
    const struct endpoint *from = &burst->source;
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *dg = &burst->datagrams[i];
        struct bytes message = bytes_of(dg->data, dg->size);
        if (dg->drop != DROP_NONE)
            continue;
        dg->inner_size = 0;
        enum drop drop = DROP_OPCODE;
        switch (wire_type_of(message)) {
        case WIRE_DATA:
            drop = open_one(d, now, from, dg);
            break;
        case WIRE_INITIATION:
        case WIRE_RESPONSE:
        case WIRE_COOKIE_REPLY:
            open_batch(d, now, from);
            drop = device_take_handshake(d, now, from, message);
            break;
        case WIRE_NONE:
            break;
        }
        dg->drop = (uint8_t)drop;
        if (drop != DROP_NONE)
            drop_count(&d->drops, drop);
    }
    open_batch(d, now, from);
}
