#include "gateway/openvpn/session/session.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/session/session_data.h"

static void fail(struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct session *s, const char *format, ...)
{
    if (s->failed)
        return;
    s->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
}

/* Generations of keys. */

static enum openvpn_role peer_role(const struct session *s)
{
    return s->options.role == OPENVPN_CLIENT ? OPENVPN_SERVER : OPENVPN_CLIENT;
}

static struct control_wrap *wrap_of(struct session *s, uint8_t key_id)
{
    return key_id > 0 && s->has_dynamic_wrap ? &s->dynamic_wrap : &s->wrap;
}

/* The room in a control datagram besides everything else. */
static uint16_t payload_max(struct session *s, uint8_t key_id)
{
    size_t head = CONTROL_HEADER_SIZE +
                  control_wrap_overhead(wrap_of(s, key_id)) + 1 /* count */ +
                  sizeof(uint32_t) * CONTROL_ACKS_SENT +
                  sizeof(struct session_id) + sizeof(uint32_t);
    return (uint16_t)(s->options.max_packet_size - head);
}

static bool key_open(struct session *s, struct session_key *key,
                     struct instant now, uint8_t key_id)
{
    key->state = SESSION_KEY_HANDSHAKE;
    key->key_id = key_id;
    key->asked = key->sent = key->received = key->proven = false;
    key->started = now;
    key->expires = INSTANT_NEVER;
    key->data = NULL;
    struct control_channel_options options = {
        .role = s->options.role,
        .key_id = key_id,
        .tls = s->options.tls,
        .unix_time = s->options.env.unix_time(s->options.env.context),
        .timeout = s->options.tls_timeout,
        .payload_max = payload_max(s, key_id),
        .wrapped_key_size = s->wrap.wrapped_key_size,
    };
    return control_channel_init(&key->control, &options);
}

static bool has_control(const struct session *s, const struct session_key *key)
{
    return key->state != SESSION_KEY_NONE && !s->is_static;
}

static void key_close(struct session *s, struct session_key *key)
{
    if (has_control(s, key))
        control_channel_clear(&key->control);
    data_channel_free(key->data);
    key->data = NULL;
    secret_wipe(&key->source, sizeof key->source);
    secret_wipe(&key->peer_source, sizeof key->peer_source);
    key->state = SESSION_KEY_NONE;
}

bool session_init(struct session *s, const struct session_options *o,
                  struct instant now)
{
    s->options = *o;
    s->peer_known = s->has_dynamic_wrap = s->has_data = s->is_static = false;
    s->renegotiation_due = s->peer_exit = false;
    s->again = (struct instant){0};
    s->resets = (struct token_bucket){0};
    s->failed = s->failure_told = false;
    s->texts = bytes_of(NULL, 0);
    s->record_size = 0;
    s->compression = (struct compression){0};
    s->fragmentation = (struct fragmentation){0};
    s->why[0] = 0;
    for (size_t i = 0; i < SESSION_KEYS; i++)
        s->keys[i].state = SESSION_KEY_NONE;
    s->primary = &s->keys[0];
    s->lame = &s->keys[1];
    keepalive_init(&s->keepalive, now, 0, 0);
    do {
        o->env.random(o->env.context, s->own.bytes, sizeof s->own.bytes);
    } while (session_id_is_zero(&s->own));
    return key_open(s, s->primary, now, 0);
}

void session_clear(struct session *s)
{
    for (size_t i = 0; i < SESSION_KEYS; i++)
        key_close(s, &s->keys[i]);
    compression_clear(&s->compression);
    fragmentation_clear(&s->fragmentation);
    control_wrap_clear(&s->wrap);
    if (s->has_dynamic_wrap)
        control_wrap_clear(&s->dynamic_wrap);
    secret_wipe(s, sizeof *s);
    s->failed = s->failure_told = true;
}

static uint8_t reset_opcode(const struct session *s)
{
    if (s->options.role == OPENVPN_SERVER)
        return OPCODE_CONTROL_HARD_RESET_SERVER_V2;
    return s->wrap.kind == CONTROL_WRAP_TLS_CRYPT_V2
               ? OPCODE_CONTROL_HARD_RESET_CLIENT_V3
               : OPCODE_CONTROL_HARD_RESET_CLIENT_V2;
}

void session_start(struct session *s, struct instant now)
{
    control_channel_start(&s->primary->control, now, reset_opcode(s));
}

void session_adopt(struct session *s, const struct session_id *own,
                   const struct session_id *peer)
{
    s->own = *own;
    s->peer = *peer;
    s->peer_known = true;
    control_channel_adopt(&s->primary->control);
}

/* Soft reset. */

static uint8_t next_key_id(const struct session *s)
{
    uint8_t id = s->primary->key_id;
    return id == SESSION_KEY_ID_LAST ? 1 : (uint8_t)(id + 1);
}

static bool soft_reset(struct session *s, struct instant now)
{
    uint8_t key_id = next_key_id(s);
    struct session_key *next = s->lame;
    key_close(s, next);
    s->lame = s->primary;
    /* One that was a lame duck before does not get any more time. */
    s->lame->expires = instant_earlier(
        s->lame->expires, instant_after(now, s->options.tran_window));
    s->primary = next;
    s->renegotiation_due = false;
    if (!key_open(s, next, now, key_id)) {
        fail(s, "no memory to renegotiate");
        return false;
    }
    control_channel_start(&next->control, now, OPCODE_CONTROL_SOFT_RESET_V1);
    log_debug("tunnel: renegotiation with key id %u", key_id);
    return true;
}

/* A peer whose certificate no longer holds is spoken to no more. */
static bool may_go_back(const struct session *s, struct instant now)
{
    return s->has_data && s->primary->state < SESSION_KEY_READY &&
           s->lame->state == SESSION_KEY_READY &&
           !instant_reached(now, s->lame->expires) &&
           s->primary->control.tls.verify.reason[0] == 0;
}

/* After a negotiation that failed: the keys before it go on. */
static void go_back(struct session *s, struct instant now)
{
    struct session_key *failed = s->primary;
    if (!s->failed || s->failure_told || !may_go_back(s, now))
        return;
    log_warn("tunnel: no new keys: %s; the old ones are good for another "
             "%lld s",
             s->why,
             (long long)(instant_since(s->lame->expires, now).us / 1000000));
    key_close(s, failed);
    s->primary = s->lame;
    s->lame = failed;
    s->failed = false;
    s->again = instant_after(now, s->options.hand_window);
}

void session_renegotiate(struct session *s, struct instant now)
{
    if (!s->failed && !s->is_static && s->primary->state == SESSION_KEY_READY)
        soft_reset(s, now);
}

/* Packets of the control channel coming in. */

static struct session_key *find_key(struct session *s, uint8_t key_id)
{
    for (size_t i = 0; i < SESSION_KEYS; i++) {
        if (s->keys[i].state != SESSION_KEY_NONE && s->keys[i].key_id == key_id)
            return &s->keys[i];
    }
    return NULL;
}

/* The header, which stands in clear, says who speaks. Asked first, so that what
 * we said ourselves and comes back takes no number of the peer's: a tls-auth
 * key without a direction would open it. */
static bool may_be_of_peer(const struct session *s, struct bytes datagram)
{
    struct session_id id;
    struct reader r = reader_of(datagram);
    (void)read_u8(&r);
    read_into(&r, id.bytes, sizeof id.bytes);
    return reader_ok(&r) && !session_id_equal(&id, &s->own) &&
           (!s->peer_known || session_id_equal(&id, &s->peer));
}

/* The packet that may make a peer known. */
static bool is_first_of_peer(const struct session *s, uint8_t opcode)
{
    if (s->options.role == OPENVPN_CLIENT)
        return opcode == OPCODE_CONTROL_HARD_RESET_SERVER_V2;
    return opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V2 ||
           opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V3;
}

static bool belongs(const struct session *s,
                    const struct control_packet *packet)
{
    if (packet->ack_count > 0 && !session_id_equal(&packet->peer, &s->own))
        return false;
    if (s->peer_known)
        return session_id_equal(&packet->session, &s->peer);
    return is_first_of_peer(s, packet->opcode) && packet->key_id == 0 &&
           !session_id_is_zero(&packet->session);
}

enum drop session_receive(struct session *s, struct instant now,
                          struct bytes datagram)
{
    struct control_packet packet;
    struct bytes wrapped_key;
    if (s->failed || s->is_static)
        return DROP_CONTROL_SESSION;
    if (datagram.size == 0)
        return DROP_CONTROL_MALFORMED;
    uint8_t opcode = opcode_of(datagram.data[0]);
    uint8_t key_id = key_id_of(datagram.data[0]);
    if (!opcode_is_control(opcode))
        return DROP_OPCODE;
    if (!may_be_of_peer(s, datagram))
        return DROP_CONTROL_SESSION;
    struct session_key *key = find_key(s, key_id);
    bool resets = opcode == OPCODE_CONTROL_SOFT_RESET_V1 && !key &&
                  s->primary->state == SESSION_KEY_READY &&
                  key_id == next_key_id(s);
    if (!key && !resets)
        return DROP_CONTROL_SESSION;
    enum drop drop = control_wrap_open(
        wrap_of(s, key_id), now, datagram, s->scratch, &packet,
        s->options.role == OPENVPN_SERVER ? &wrapped_key : NULL);
    if (drop != DROP_NONE)
        return drop;
    if (!belongs(s, &packet))
        return DROP_CONTROL_SESSION;
    if (resets) {
        if (packet.message_id != 0)
            return DROP_CONTROL_MALFORMED;
        /* Each costs us a handshake. A peer that means it will say it again. */
        if (!token_bucket_take(&s->resets, now, SESSION_RESETS_PER_SECOND,
                               SESSION_RESETS_AT_ONCE))
            return DROP_CONTROL_SESSION;
        if (!soft_reset(s, now))
            return DROP_CONTROL_SESSION;
        key = s->primary;
    }
    drop = control_channel_receive(&key->control, now, &packet);
    if (drop != DROP_NONE)
        return drop;
    s->peer = packet.session;
    s->peer_known = true;
    keepalive_received(&s->keepalive, now);
    return DROP_NONE;
}

/* Events. */

static bool next_text(struct session *s, struct session_event *out)
{
    unsigned dropped = 0;
    out->type = SESSION_MESSAGE;
    bool found = control_message_take(&s->texts, &out->message, &dropped);
    if (dropped > 0)
        log_debug("tunnel: %u unreadable control messages", dropped);
    return found;
}

static bool take_record(struct session *s, struct session_key *key,
                        struct bytes record, struct session_event *out)
{
    if (key->received) {
        s->texts = record;
        return next_text(s, out);
    }
    if (!key_exchange_parse(record, peer_role(s), &out->exchange)) {
        fail(s, "the %s's key exchange message is malformed",
             s->options.role == OPENVPN_CLIENT ? "server" : "client");
        return false;
    }
    key->received = true;
    key->peer_source = out->exchange.source;
    out->type = SESSION_EXCHANGE;
    return true;
}

/* Messages of the peer wait until all that we said is acknowledged: the key
 * must be ACTIVE before one of them has an effect. */
static bool may_read(const struct session *s, const struct session_key *key)
{
    return has_control(s, key) &&
           !(key->received && key->state < SESSION_KEY_ACTIVE);
}

/* A password or a token may be in it. */
static void wipe_record(struct session *s)
{
    secret_wipe(s->record, s->record_size);
    s->record_size = 0;
}

static bool read_key(struct session *s, struct instant now,
                     struct session_key *key, struct session_event *out)
{
    while (!s->failed && may_read(s, key) &&
           control_channel_read(&key->control, now, s->record, sizeof s->record,
                                &s->record_size)) {
        if (take_record(s, key, bytes_of(s->record, s->record_size), out))
            return true;
        wipe_record(s);
    }
    if (key == s->primary && has_control(s, key) &&
        key->control.tls.state == TLS_FAILED)
        fail(s, "%s", tls_session_error(&key->control.tls));
    return false;
}

/* How far the newest generation is. */
static bool step(struct session *s, struct instant now,
                 struct session_event *out)
{
    struct session_key *key = s->primary;
    if (!has_control(s, key))
        return false;
    if (!key->asked && key->control.tls.state == TLS_ESTABLISHED &&
        (s->options.role == OPENVPN_CLIENT || key->received)) {
        key->asked = true;
        out->type = SESSION_EXCHANGE_WANTED;
        return true;
    }
    if (key->state == SESSION_KEY_HANDSHAKE && key->sent && key->received) {
        key->state = SESSION_KEY_EXCHANGED;
        /* The peer may be ahead of us and use them before we do. */
        if (s->has_data && !session_data_derive(s, key))
            return false;
    }
    if (key->state != SESSION_KEY_EXCHANGED ||
        !control_channel_all_acked(&key->control))
        return false;
    key->state = s->has_data ? SESSION_KEY_READY : SESSION_KEY_ACTIVE;
    key->active = now;
    /* The lame duck has only packets to open from now on. */
    if (s->lame->state != SESSION_KEY_NONE)
        tls_session_clear(&s->lame->control.tls);
    out->type = s->has_data ? SESSION_RENEGOTIATED : SESSION_ACTIVE;
    return true;
}

bool session_next(struct session *s, struct instant now,
                  struct session_event *out)
{
    go_back(s, now);
    if (next_text(s, out))
        return true;
    wipe_record(s);
    if (!s->failed && (read_key(s, now, s->lame, out) ||
                       read_key(s, now, s->primary, out) || step(s, now, out)))
        return true;
    if (s->peer_exit) {
        s->peer_exit = false;
        out->type = SESSION_PEER_EXIT;
        return true;
    }
    go_back(s, now);
    if (!s->failed || s->failure_told)
        return false;
    s->failure_told = true;
    out->type = SESSION_FAILED;
    out->why = s->why;
    return true;
}

/* Our messages. */

bool session_exchange(struct session *s, struct instant now,
                      struct key_exchange *message)
{
    struct session_key *key = s->primary;
    struct session_env *env = &s->options.env;
    uint8_t record[KEY_EXCHANGE_SIZE_MAX];
    struct writer w = writer_of(record, sizeof record);
    struct key_source *source = &key->source;
    memset(source, 0, sizeof *source);
    if (s->options.role == OPENVPN_CLIENT)
        env->random(env->context, source->pre_master,
                    sizeof source->pre_master);
    env->random(env->context, source->random1, sizeof source->random1);
    env->random(env->context, source->random2, sizeof source->random2);
    message->source = *source;
    key_exchange_write(&w, s->options.role, message);
    secret_wipe(&message->source, sizeof message->source);
    key->sent = writer_ok(&w) &&
                control_channel_write(&key->control, now, writer_bytes(&w));
    secret_wipe(record, sizeof record);
    if (!key->sent)
        fail(s, "our key exchange message does not fit: name, password or "
                "peer information is too long");
    return key->sent;
}

bool session_send(struct session *s, struct instant now, const char *text)
{
    struct session_key *key =
        s->primary->state >= SESSION_KEY_ACTIVE ? s->primary : s->lame;
    /* The NUL goes with it: newer servers ignore a text without. */
    return !s->failed && !s->is_static && key->state >= SESSION_KEY_ACTIVE &&
           control_channel_write(&key->control, now,
                                 bytes_of(text, strlen(text) + 1));
}

void session_hasten(struct session *s, struct instant now)
{
    reliable_burst(&s->primary->control.reliable, now);
}

static bool transmit_key(struct session *s, struct instant now,
                         struct session_key *key, struct bytes *datagram)
{
    struct control_packet packet = {0};
    if (!has_control(s, key) ||
        !control_channel_transmit(&key->control, now, &packet))
        return false;
    packet.session = s->own;
    packet.peer = s->peer;
    struct writer w = writer_of(s->datagram, sizeof s->datagram);
    if (!control_wrap_seal(wrap_of(s, key->key_id), &packet, &w)) {
        fail(s, "a control packet cannot be sealed");
        return false;
    }
    *datagram = writer_bytes(&w);
    keepalive_sent(&s->keepalive, now);
    return true;
}

bool session_transmit(struct session *s, struct instant now,
                      struct bytes *datagram)
{
    return transmit_key(s, now, s->lame, datagram) ||
           transmit_key(s, now, s->primary, datagram);
}

/* Time. */

static struct instant negotiation_limit(const struct session *s)
{
    return s->primary->state < SESSION_KEY_ACTIVE
               ? instant_after(s->primary->started, s->options.hand_window)
               : INSTANT_NEVER;
}

static struct instant renegotiation_time(const struct session *s)
{
    struct instant t = INSTANT_NEVER;
    if (s->primary->state != SESSION_KEY_READY || s->is_static)
        return INSTANT_NEVER;
    if (s->options.renegotiate_after.us > 0)
        t = instant_after(s->primary->active, s->options.renegotiate_after);
    /* After one that failed another must follow, whatever the reason was. */
    if (s->renegotiation_due || !instant_is_never(s->primary->expires))
        t = (struct instant){0};
    return instant_before(t, s->again) ? s->again : t;
}

/* The end of keys that were to be replaced and were not. */
static struct instant primary_limit(const struct session *s)
{
    return s->primary->state == SESSION_KEY_READY ? s->primary->expires
                                                  : INSTANT_NEVER;
}

static struct instant lame_limit(const struct session *s)
{
    return s->lame->state == SESSION_KEY_NONE ? INSTANT_NEVER
                                              : s->lame->expires;
}

bool session_heard(const struct session *s)
{
    return s->peer_known;
}

void session_expire(struct session *s, struct instant now)
{
    if (s->failed)
        return;
    if (instant_reached(now, lame_limit(s)))
        key_close(s, s->lame);
    if (instant_reached(now, primary_limit(s))) {
        fail(s, "no new keys could be negotiated");
        return;
    }
    if (instant_reached(now, renegotiation_time(s)))
        soft_reset(s, now);
    if (!instant_reached(now, negotiation_limit(s)))
        return;
    if (session_heard(s))
        fail(s, "the negotiation was not over within %lld s",
             (long long)(s->options.hand_window.us / 1000000));
    else
        fail(s, "no answer");
    go_back(s, now);
}

struct instant session_deadline(const struct session *s)
{
    if (s->failed)
        return INSTANT_NEVER;
    struct instant t = negotiation_limit(s);
    t = instant_earlier(t, renegotiation_time(s));
    t = instant_earlier(t, primary_limit(s));
    t = instant_earlier(t, lame_limit(s));
    for (size_t i = 0; i < SESSION_KEYS; i++) {
        if (has_control(s, &s->keys[i]))
            t = instant_earlier(t,
                                control_channel_deadline(&s->keys[i].control));
    }
    return t;
}
