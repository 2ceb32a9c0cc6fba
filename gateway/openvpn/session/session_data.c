#include "gateway/openvpn/session/session_data.h"

#include <stdio.h>

#include "gateway/base/secret.h"

/* Keys. */

static bool derive_material(struct session *s, struct session_key *key,
                            struct key_material *out)
{
    bool client = s->options.role == OPENVPN_CLIENT;
    if (s->data.exporter)
        return tls_session_export(&key->control.tls, KEY_EXPORT_LABEL,
                                  out->bytes, sizeof out->bytes);
    return key_derivation_legacy(client ? &key->source : &key->peer_source,
                                 client ? &key->peer_source : &key->source,
                                 client ? &s->own : &s->peer,
                                 client ? &s->peer : &s->own, out);
}

bool session_data_derive(struct session *s, struct session_key *key)
{
    struct key_material material;
    struct data_channel_options options = {
        .role = s->options.role,
        .library = AEAD_FASTEST,
        .key_id = key->key_id,
        .peer_id = s->data.peer_id,
        .epoch = s->data.epoch,
        .digest = s->data.digest,
        .random = s->options.env.random,
        .random_context = s->options.env.context,
        .replay_packets = s->options.replay_packets,
        .replay_seconds = s->options.replay_seconds,
    };
    if (data_channel_choose(&options, s->data.cipher) &&
        derive_material(s, key, &material))
        key->data = data_channel_new(&options, &material);
    secret_wipe(&material, sizeof material);
    secret_wipe(&key->source, sizeof key->source);
    secret_wipe(&key->peer_source, sizeof key->peer_source);
    if (!key->data) {
        s->failed = true;
        snprintf(s->why, sizeof s->why,
                 "data keys for cipher %s cannot be made", s->data.cipher);
        return false;
    }
    return true;
}

/* From now on every wrapping is a tls-crypt. */
static bool make_dynamic_wrap(struct session *s)
{
    struct static_key key;
    struct session_env *env = &s->options.env;
    if (!tls_session_export(&s->primary->control.tls, KEY_EXPORT_LABEL_DYNAMIC,
                            key.bytes, sizeof key.bytes))
        return false;
    tls_crypt_mix(&key, s->options.wrap_key);
    s->has_dynamic_wrap = control_wrap_init_tls_crypt(
        &s->dynamic_wrap, &key, s->options.role, env->unix_time(env->context));
    secret_wipe(&key, sizeof key);
    return s->has_dynamic_wrap;
}

bool session_data_establish(struct session *s, struct instant now,
                            const struct session_data_options *o)
{
    (void)now;
    if (s->failed || s->has_data || s->primary->state != SESSION_KEY_ACTIVE)
        return false;
    s->data = *o;
    s->compression.kind = o->compression;
    s->compression.refused = o->compression_refused;
    s->fragmentation.max = o->fragment;
    if (o->dynamic_wrap && !make_dynamic_wrap(s)) {
        s->failed = true;
        snprintf(s->why, sizeof s->why,
                 "keys for dynamic tls-crypt cannot be "
                 "made");
        return false;
    }
    s->has_data = session_data_derive(s, s->primary);
    if (s->has_data)
        s->primary->state = SESSION_KEY_READY;
    return s->has_data;
}

/* The options consistency check (openvpn: occ.h), of which little is left. */
static const uint8_t occ[16] = {0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81,
                                0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c};
enum { OCC_REQUEST = 0, OCC_EXIT = 6 };

/* Sealing. */

/* A peer that has not finished its side of the authentication may not have
 * the new keys yet, so that the old ones are used for a while (openvpn:
 * ssl.c, auth_deferred_expire), unless it was seen to have them. */
static struct duration switch_delay(const struct session *s)
{
    struct duration half = {s->options.renegotiate_after.us / 2};
    if (half.us == 0 || half.us > s->options.hand_window.us)
        return s->options.hand_window;
    return half;
}

struct data_channel *session_data_sender(const struct session *s,
                                         struct instant now)
{
    const struct session_key *key = s->primary;
    if (s->failed || !s->has_data)
        return NULL;
    bool settled =
        key->state == SESSION_KEY_READY &&
        (key->proven ||
         instant_reached(now, instant_after(key->started, switch_delay(s))));
    if (settled || !s->lame->data)
        return key->state == SESSION_KEY_READY ? key->data : NULL;
    /* The old keys may be at their very end. */
    bool worn = key->state == SESSION_KEY_READY &&
                data_channel_use(s->lame->data).exhausted;
    return worn ? key->data : s->lame->data;
}

/* The place of a framed packet in a datagram. */
static struct burst_layout framed_layout(const struct session *s,
                                         const struct data_channel *c)
{
    return fragmentation_layout(&s->fragmentation, data_channel_layout(c));
}

struct burst_layout session_data_layout(const struct session *s)
{
    const struct data_channel *c =
        s->primary->data ? s->primary->data : s->lame->data;
    return c ? compression_layout(&s->compression, framed_layout(s, c))
             : (struct burst_layout){0};
}

static void check_use(struct session *s)
{
    if (s->primary->state != SESSION_KEY_READY)
        return;
    struct data_channel_use use = data_channel_use(s->primary->data);
    if (s->is_static && use.exhausted && !s->failed) {
        s->failed = true;
        snprintf(s->why, sizeof s->why, "the packet numbers are used up");
    }
    const struct session_options *o = &s->options;
    if (use.exhausted ||
        (o->renegotiate_bytes && use.bytes >= o->renegotiate_bytes) ||
        (o->renegotiate_packets && use.packets >= o->renegotiate_packets))
        s->renegotiation_due = true;
}

bool session_data_seal(struct session *s, struct instant now,
                       struct burst *burst)
{
    struct data_channel *c = session_data_sender(s, now);
    if (!c)
        return false;
    if (burst->count == 0)
        return true;
    struct burst_layout layout = framed_layout(s, c);
    compression_frame(&s->compression, burst);
    fragmentation_cut(&s->fragmentation, &layout, burst);
    data_channel_seal(c, burst);
    keepalive_sent(&s->keepalive, now);
    check_use(s);
    return true;
}

static struct bytes send_word(struct session *s, struct instant now,
                              struct bytes payload)
{
    struct burst burst;
    struct burst_layout layout = session_data_layout(s);
    burst.memory = s->datagram;
    burst.capacity = sizeof s->datagram;
    burst_reset(&burst);
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)payload.size);
    if (!d)
        return bytes_of(NULL, 0);
    memcpy(d->data + d->inner_offset, payload.data, payload.size);
    if (!session_data_seal(s, now, &burst) || d->drop != DROP_NONE)
        return bytes_of(NULL, 0);
    return bytes_of(d->data, d->size);
}

struct bytes session_data_say(struct session *s, struct instant now,
                              enum session_data_word word)
{
    uint8_t text[sizeof occ + 1];
    if (word == SESSION_DATA_PING) {
        keepalive_write_ping(text);
        return send_word(s, now, bytes_of(text, KEEPALIVE_PING_SIZE));
    }
    memcpy(text, occ, sizeof occ);
    text[sizeof occ] = word == SESSION_DATA_REQUEST ? OCC_REQUEST : OCC_EXIT;
    return send_word(s, now, bytes_of(text, sizeof text));
}

/* Opening. */

/* Takes out what is no IP packet but such a word. */
static void take_word(struct session *s, struct datagram *d)
{
    const uint8_t *inner = d->data + d->inner_offset;
    if (keepalive_is_ping(bytes_of(inner, d->inner_size))) {
        d->inner_size = 0;
    } else if (d->inner_size > sizeof occ &&
               memcmp(inner, occ, sizeof occ) == 0) {
        s->peer_exit |= inner[sizeof occ] == OCC_EXIT;
        d->inner_size = 0;
    }
}

static struct session_key *find_key(struct session *s, uint8_t key_id)
{
    for (size_t i = 0; i < SESSION_KEYS; i++) {
        if (s->keys[i].data && s->keys[i].key_id == key_id)
            return &s->keys[i];
    }
    return NULL;
}

/* With a static key there is but one, and no header to name it. */
static uint8_t key_id_in(const struct session *s, const struct datagram *d)
{
    return d->size > 0 && !s->is_static ? key_id_of(d->data[0]) : 0;
}

static void open_run(struct session *s, struct instant now, struct burst *burst,
                     size_t first, size_t count)
{
    struct session_key *key =
        find_key(s, key_id_in(s, &burst->datagrams[first]));
    if (key) {
        data_channel_open(key->data, now, burst, first, count);
        fragmentation_join(&s->fragmentation, now, burst, first, count);
        compression_unframe(&s->compression, burst, first, count);
    }
    for (size_t i = first; i < first + count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (!key && d->drop == DROP_NONE)
            d->drop = DROP_DATA_NO_KEY;
        if (d->drop != DROP_NONE)
            continue;
        key->proven = d->proven = true;
        keepalive_received(&s->keepalive, now);
        /* The first four bits of an IP packet are 4 or 6. */
        uint8_t version = d->inner_size ? d->data[d->inner_offset] >> 4 : 0;
        if (version != 4 && version != 6)
            take_word(s, d);
    }
}

uint64_t session_data_lost(struct session *s)
{
    return fragmentation_lost(&s->fragmentation);
}

void session_data_open(struct session *s, struct instant now,
                       struct burst *burst, size_t first, size_t count)
{
    size_t end = first + count;
    while (first < end) {
        uint8_t key_id = key_id_in(s, &burst->datagrams[first]);
        size_t next = first + 1;
        while (next < end && key_id_in(s, &burst->datagrams[next]) == key_id)
            next++;
        open_run(s, now, burst, first, next - first);
        first = next;
    }
    check_use(s);
}
