#include "gateway/openvpn/session/session_static.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

/* Half 0 is what direction 0 sends with; without a direction it is all there
 * is (openvpn: crypto.c, key_direction_state_init). */
static void material_of(const struct session_static_options *o,
                        struct key_material *out)
{
    memcpy(out->bytes, o->key->bytes, sizeof out->bytes);
    if (o->direction < 0)
        memcpy(out->bytes + 2 * STATIC_KEY_SLICE, o->key->bytes,
               2 * STATIC_KEY_SLICE);
}

static struct data_channel *open_channel(const struct session_static_options *o)
{
    struct key_material material;
    struct data_channel *channel = NULL;
    struct data_channel_options options = {
        /* A TLS client sends with half 0, too. */
        .role = o->direction == 1 ? OPENVPN_SERVER : OPENVPN_CLIENT,
        .library = AEAD_FASTEST,
        .peer_id = PEER_ID_NONE,
        .static_key = true,
        .unix_time = o->began,
        .digest = o->digest,
        .random = o->env.random,
        .random_context = o->env.context,
        .replay_packets = o->replay_packets,
        .replay_seconds = o->replay_seconds,
    };
    material_of(o, &material);
    if (data_channel_choose(&options, o->cipher))
        channel = data_channel_new(&options, &material);
    secret_wipe(&material, sizeof material);
    return channel;
}

bool session_static_init(struct session *s,
                         const struct session_static_options *o,
                         struct instant now)
{
    memset(s, 0, sizeof *s);
    s->is_static = true;
    s->options.env = o->env;
    s->primary = &s->keys[0];
    s->lame = &s->keys[1];
    s->primary->expires = INSTANT_NEVER;
    s->compression.kind = o->compression;
    s->compression.refused = o->compression_refused;
    s->fragmentation.max = o->fragment;
    keepalive_init(&s->keepalive, now, 0, 0);
    s->primary->data = open_channel(o);
    if (!s->primary->data || !control_wrap_init_none(&s->wrap) ||
        !text_copy(s->data.cipher, sizeof s->data.cipher,
                   bytes_of_text(o->cipher)))
        return false;
    s->primary->state = SESSION_KEY_READY;
    s->has_data = true;
    return true;
}

bool session_static_heard(const struct session *s)
{
    return s->primary->proven;
}
