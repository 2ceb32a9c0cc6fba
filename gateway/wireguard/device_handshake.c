#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/wireguard/device_state.h"
#include "gateway/wireguard/timestamp.h"

enum {
    TOS_HANDSHAKE = 0x88, /* AF41, as Linux has it */
    TOS_COOKIE = 0,
};

/* Between two initiations of one peer that are answered: 50 a second. */
static const struct duration least_between = {20000};

static void draw(const struct device *d, uint8_t *out, size_t size)
{
    d->env.random(d->env.context, out, size);
}

/* Stamps the MACs, counts as sent, and goes to the queue. */
static void send(struct device *d, struct peer *p, struct instant now,
                 uint8_t *message, size_t size)
{
    cookie_holder_stamp(&p->cookies, now, message, size);
    peer_timers_sent_authentic(&p->timers, now);
    device_queue(d, p->number, &p->endpoint, TOS_HANDSHAKE, message, size);
}

/* --- Initiations of ours ------------------------------------------------- */

static bool make_initiation(struct device *d, struct peer *p,
                            uint8_t out[WIRE_INITIATION_SIZE])
{
    uint8_t ephemeral[WIRE_KEY_SIZE], timestamp[WIRE_TIMESTAMP_SIZE];
    struct wire_initiation m;
    peer_forget_initiation(p, &d->indices);
    draw(d, ephemeral, sizeof ephemeral);
    timestamp_next(d->env.latest_stamp, d->env.wall_clock(d->env.context),
                   timestamp);
    uint32_t index = device_new_index(d);
    bool good = handshake_initiate(&p->initiation, &d->identity, &p->identity,
                                   ephemeral, index, timestamp, &m);
    secret_wipe(ephemeral, sizeof ephemeral);
    if (!good)
        return false;
    index_table_add(&d->indices, index, p->number);
    p->initiated = true;
    wire_write_initiation(out, &m);
    return true;
}

void device_initiate(struct device *d, struct peer *p, struct instant now,
                     bool retry)
{
    uint8_t message[WIRE_INITIATION_SIZE];
    if (!retry)
        p->timers.retries = 0;
    p->gave_up = false;
    if (peer_timers_too_early(&p->timers, now)) {
        peer_timers_initiate_later(&p->timers);
        return;
    }
    peer_timers_initiated(&p->timers, now, device_jitter(d));
    if (!address_is_set(&p->endpoint.address) ||
        !make_initiation(d, p, message))
        return;
    p->initiations++;
    send(d, p, now, message, sizeof message);
}

/* --- The answers to them ------------------------------------------------- */

/* The keys are there; the other end has them once it got data. */
static enum drop begin_session(struct device *d, struct peer *p,
                               struct instant now, struct handshake *done)
{
    bool initiator = done->initiator;
    struct keypair *k = keypair_new(d->options.library, done, now);
    if (!k) {
        log_error("wireguard: no memory for a peer's keys");
        return DROP_CONTROL_SESSION;
    }
    if (initiator)
        peer_take_initiated(p, &d->indices, k);
    else
        peer_take_responded(p, &d->indices, k);
    peer_timers_derived(&p->timers, now);
    p->timers.jitter = device_jitter(d);
    return DROP_NONE;
}

static enum drop take_response(struct device *d, struct instant now,
                               const struct endpoint *from,
                               const struct wire_response *m)
{
    struct handshake done;
    uint16_t number = index_table_find(&d->indices, m->receiver);
    if (number == INDEX_TABLE_NOBODY)
        return DROP_CONTROL_SESSION;
    struct peer *p = &d->peers[number];
    if (!p->initiated || p->initiation.local_index != m->receiver)
        return DROP_CONTROL_SESSION;
    if (!handshake_finish(&p->initiation, &d->identity, &p->identity, m,
                          &done)) {
        /* It saw our initiation and knows our public key: most likely it is
         * the server, with another preshared key. That is a hint, no proof. */
        handshake_clear(&done);
        p->preshared_differs = true;
        return DROP_HANDSHAKE_PRESHARED;
    }
    /* The index goes on with the keys. */
    p->initiated = false;
    handshake_clear(&p->initiation);
    enum drop drop = begin_session(d, p, now, &done);
    if (drop != DROP_NONE) {
        index_table_remove(&d->indices, m->receiver);
        return drop;
    }
    device_heard(p, now, from);
    peer_complete(p, now);
    p->keepalive_due = true; /* which confirms the keys */
    device_wants(d, p);
    return DROP_NONE;
}

/* --- Initiations of theirs ----------------------------------------------- */

static struct peer *find_peer(struct device *d,
                              const uint8_t public_key[WIRE_KEY_SIZE])
{
    for (uint16_t i = 0; i < d->peer_count; i++)
        if (!memcmp(d->peers[i].identity.public_key, public_key, WIRE_KEY_SIZE))
            return &d->peers[i];
    return NULL;
}

static enum drop respond(struct device *d, struct peer *p, struct instant now,
                         struct handshake *h)
{
    uint8_t ephemeral[WIRE_KEY_SIZE], message[WIRE_RESPONSE_SIZE];
    struct wire_response m;
    uint32_t index = device_new_index(d);
    draw(d, ephemeral, sizeof ephemeral);
    bool good = handshake_respond(h, &p->identity, ephemeral, index, &m);
    secret_wipe(ephemeral, sizeof ephemeral);
    if (!good)
        return DROP_CONTROL_AUTH;
    wire_write_response(message, &m);
    enum drop drop = begin_session(d, p, now, h);
    if (drop != DROP_NONE)
        return drop;
    index_table_add(&d->indices, index, p->number);
    p->timers.handshake_sent = now;
    send(d, p, now, message, sizeof message);
    return DROP_NONE;
}

static enum drop take_initiation(struct device *d, struct instant now,
                                 const struct endpoint *from,
                                 const struct wire_initiation *m,
                                 struct handshake *h)
{
    uint8_t timestamp[WIRE_TIMESTAMP_SIZE];
    if (!handshake_identify(h, &d->identity, m))
        return DROP_CONTROL_AUTH;
    struct peer *p = find_peer(d, h->remote_static);
    if (!p)
        return DROP_HANDSHAKE_STRANGER;
    if (!handshake_accept(h, &p->identity, m, timestamp))
        return DROP_CONTROL_AUTH;
    if (!timestamp_later(timestamp, p->timestamp))
        return DROP_CONTROL_REPLAY;
    if (!instant_is_never(p->taken) &&
        instant_before(now, instant_after(p->taken, least_between)))
        return DROP_HANDSHAKE_RATE;
    memcpy(p->timestamp, timestamp, sizeof p->timestamp);
    p->taken = now;
    device_heard(p, now, from);
    return respond(d, p, now, h);
}

/* --- Load ---------------------------------------------------------------- */

static void send_cookie(struct device *d, struct instant now,
                        const struct endpoint *from, struct bytes message,
                        uint32_t sender)
{
    uint8_t reply[WIRE_COOKIE_REPLY_SIZE], nonce[WIRE_NONCE_SIZE];
    uint8_t secret[COOKIE_SECRET_SIZE];
    if (cookie_checker_stale(&d->checker, now)) {
        draw(d, secret, sizeof secret);
        cookie_checker_renew(&d->checker, now, secret);
        secret_wipe(secret, sizeof secret);
    }
    draw(d, nonce, sizeof nonce);
    cookie_checker_reply(&d->checker, message, sender, from, nonce, reply);
    device_queue(d, ALLOWED_IPS_NOBODY, from, TOS_COOKIE, reply, sizeof reply);
}

/* Whether a message with the right mac1 may cost a multiplication. */
static enum drop admit(struct device *d, struct instant now,
                       const struct endpoint *from, struct bytes message,
                       uint32_t sender)
{
    if (!cookie_checker_mac1(&d->checker, message))
        return DROP_CONTROL_AUTH;
    if (!admission_loaded(&d->admission, now))
        return DROP_NONE;
    if (!cookie_checker_mac2(&d->checker, now, message, from)) {
        send_cookie(d, now, from, message, sender);
        return DROP_HANDSHAKE_COOKIE;
    }
    return admission_take(&d->admission, now, &from->address)
               ? DROP_NONE
               : DROP_HANDSHAKE_RATE;
}

static enum drop take_cookie(struct device *d, struct instant now,
                             const struct wire_cookie_reply *m)
{
    uint16_t number = index_table_find(&d->indices, m->receiver);
    if (number == INDEX_TABLE_NOBODY)
        return DROP_CONTROL_SESSION;
    struct peer *p = &d->peers[number];
    if (!cookie_holder_take(&p->cookies, now, m))
        return DROP_CONTROL_AUTH;
    p->busy = true;
    return DROP_NONE;
}

enum drop device_take_handshake(struct device *d, struct instant now,
                                const struct endpoint *from,
                                struct bytes message)
{
    struct wire_initiation initiation;
    struct wire_response response;
    struct wire_cookie_reply reply;
    struct handshake h;
    enum drop drop = DROP_CONTROL_MALFORMED;
    if (wire_read_initiation(message, &initiation)) {
        drop = admit(d, now, from, message, initiation.sender);
        if (drop == DROP_NONE) {
            drop = take_initiation(d, now, from, &initiation, &h);
            handshake_clear(&h);
        }
    } else if (wire_read_response(message, &response)) {
        drop = admit(d, now, from, message, response.sender);
        if (drop == DROP_NONE)
            drop = take_response(d, now, from, &response);
    } else if (wire_read_cookie_reply(message, &reply)) {
        drop = take_cookie(d, now, &reply);
    }
    return drop;
}
