#include "tests/openvpn/data/channel_pair.h"

#include "gateway/openvpn/keys/replay_window.h"
#include "tests/unit.h"

void channel_pair_material(struct key_material *m)
{
    static const char text[] = "abcdefgh01234567ABCDEFGHjkuchenl";
    for (size_t i = 0; i < sizeof m->bytes; i++)
        m->bytes[i] = (uint8_t)((uint8_t)text[i % 32] ^ i);
}

static void next_bytes(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

struct data_channel_options channel_pair_options(enum openvpn_role role,
                                                 struct channel_kind kind)
{
    static uint32_t random = 1;
    struct data_channel_options o = {
        .role = role,
        .epoch = kind.epoch,
        .key_id = CHANNEL_PAIR_KEY_ID,
        .peer_id = CHANNEL_PAIR_PEER_ID,
        .replay_packets = REPLAY_WINDOW_DEFAULT,
        .replay_seconds = REPLAY_SECONDS_DEFAULT,
        .digest = kind.digest,
        .random = next_bytes,
        .random_context = &random,
    };
    assert_true(data_channel_choose(&o, kind.cipher));
    return o;
}

void channel_pair_init(struct channel_pair *p, struct channel_kind kind)
{
    struct key_material m;
    struct data_channel_options o;
    channel_pair_material(&m);
    o = channel_pair_options(OPENVPN_CLIENT, kind);
    p->client = data_channel_new(&o, &m);
    o = channel_pair_options(OPENVPN_SERVER, kind);
    p->server = data_channel_new(&o, &m);
    assert_non_null(p->client);
    assert_non_null(p->server);
    assert_true(burst_init(&p->out, CHANNEL_PAIR_MEMORY));
    memset(p->out.memory, 0, CHANNEL_PAIR_MEMORY);
    assert_true(burst_init(&p->in, 0));
}

void channel_pair_clear(struct channel_pair *p)
{
    data_channel_free(p->client);
    data_channel_free(p->server);
    burst_clear(&p->out);
    burst_clear(&p->in);
}

struct datagram *channel_pair_add(struct channel_pair *p,
                                  const struct data_channel *by,
                                  struct bytes inner)
{
    struct burst_layout layout = data_channel_layout(by);
    struct datagram *d = burst_reserve(&p->out, &layout, (uint32_t)inner.size);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, inner.data, inner.size);
    return d;
}

uint8_t *channel_pair_seal_one(struct channel_pair *p, struct data_channel *by,
                               struct bytes inner, uint16_t *size)
{
    burst_reset(&p->out);
    const struct datagram *d = channel_pair_add(p, by, inner);
    data_channel_seal(by, &p->out);
    assert_int_equal(d->drop, DROP_NONE);
    *size = d->size;
    return exact_copy(d->data, d->size);
}

const struct datagram *channel_pair_open_one(struct channel_pair *p,
                                             struct data_channel *by,
                                             uint8_t *data, uint16_t size)
{
    burst_reset(&p->in);
    assert_true(burst_add_view(&p->in, data, size));
    data_channel_open(by, (struct instant){1000000}, &p->in, 0, 1);
    return &p->in.datagrams[0];
}
