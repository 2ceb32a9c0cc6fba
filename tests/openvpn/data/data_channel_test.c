/* Rules that hold for every format of data channel. */
#include "gateway/openvpn/data/data_channel.h"

#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

static const struct channel_kind kinds[] = {
    {.cipher = "AES-128-GCM"},
    {.cipher = "AES-192-GCM"},
    {.cipher = "AES-256-GCM"},
    {.cipher = "CHACHA20-POLY1305"},
    {.cipher = "AES-128-GCM", .epoch = true},
    {.cipher = "AES-192-GCM", .epoch = true},
    {.cipher = "AES-256-GCM", .epoch = true},
    {.cipher = "CHACHA20-POLY1305", .epoch = true},
    {.cipher = "AES-128-CBC", .digest = "SHA1"},
    {.cipher = "AES-192-CBC", .digest = "SHA384"},
    {.cipher = "AES-256-CBC", .digest = "SHA256"},
    {.cipher = "AES-256-CBC", .digest = "SHA512"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Runs a check with a fresh pair for each kind. */
static void with_each(void (*check)(struct channel_pair *p))
{
    for (size_t i = 0; i < KINDS; i++) {
        struct channel_pair p;
        channel_pair_init(&p, kinds[i]);
        check(&p);
        channel_pair_clear(&p);
    }
}

static void check_round_trip(struct channel_pair *p)
{
    uint32_t random = 7;
    uint8_t inner[1600];
    random_bytes(&random, inner, sizeof inner);
    for (size_t size = 1; size <= sizeof inner; size++) {
        struct data_channel *from = size % 2 ? p->client : p->server;
        struct data_channel *to = size % 2 ? p->server : p->client;
        uint16_t sealed;
        uint8_t *data =
            channel_pair_seal_one(p, from, bytes_of(inner, size), &sealed);
        const struct datagram *d = channel_pair_open_one(p, to, data, sealed);
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           bytes_of(inner, size));
        free(data);
    }
}

static void every_size_goes_round_in_both_directions(void **state)
{
    (void)state;
    with_each(check_round_trip);
}

/* Fills `out` and keeps what went in, one after another. */
static void fill(struct channel_pair *p, const struct data_channel *by,
                 uint32_t *random, uint8_t *kept)
{
    burst_reset(&p->out);
    while (p->out.count < BURST_DATAGRAMS_MAX &&
           p->out.used < p->out.capacity - 2000) {
        size_t size = 1 + next_random(random) % 1500;
        random_bytes(random, kept, size);
        channel_pair_add(p, by, bytes_of(kept, size));
        kept += size;
    }
}

enum { NOT_ASKED = 0, DROPPED_BEFORE = 3, REFUSED_BEFORE = 5, NO_PACKET = 9 };

/* Datagram `i` of `in` as it has to be, with `inner` in it when it was sent. */
static void check_opened(const struct channel_pair *p, size_t i,
                         struct bytes inner)
{
    const struct datagram *d = &p->in.datagrams[i];
    if (i == NOT_ASKED)
        assert_int_equal(d->inner_size, 0);
    else if (i == REFUSED_BEFORE)
        assert_int_equal(d->drop, DROP_NOT_FROM_SERVER);
    else if (i == DROPPED_BEFORE || i == NO_PACKET)
        assert_int_not_equal(d->drop, DROP_NONE);
    else {
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           inner);
    }
}

static void check_burst(struct channel_pair *p, const uint8_t *kept)
{
    uint16_t sizes[BURST_DATAGRAMS_MAX];
    for (size_t i = 0; i < p->out.count; i++)
        sizes[i] = p->out.datagrams[i].inner_size;
    /* what is dropped already and what is no packet is passed over */
    p->out.datagrams[DROPPED_BEFORE].drop = DROP_TOO_BIG;
    p->out.datagrams[NO_PACKET].inner_size = 0;
    struct datagram before = p->out.datagrams[DROPPED_BEFORE];
    uint8_t *untouched = exact_copy(before.data, before.size);
    data_channel_seal(p->client, &p->out);
    assert_memory_equal(before.data, untouched, before.size);
    free(untouched);

    burst_reset(&p->in);
    for (size_t i = 0; i < p->out.count; i++)
        assert_true(burst_add_view(&p->in, p->out.datagrams[i].data,
                                   p->out.datagrams[i].size));
    p->in.datagrams[REFUSED_BEFORE].drop = DROP_NOT_FROM_SERVER;
    data_channel_open(p->server, (struct instant){0}, &p->in, 1,
                      p->in.count - 1u);
    for (size_t i = 0; i < p->out.count; kept += sizes[i++])
        check_opened(p, i, bytes_of(kept, sizes[i]));
}

static void check_bursts(struct channel_pair *p)
{
    uint32_t random = 11;
    uint8_t *kept = malloc(CHANNEL_PAIR_MEMORY);
    for (int round = 0; round < 3; round++) {
        fill(p, p->client, &random, kept);
        check_burst(p, kept);
    }
    free(kept);
}

static void bursts_of_mixed_sizes_go_round(void **state)
{
    (void)state;
    with_each(check_bursts);
}

static void check_truncation(struct channel_pair *p)
{
    uint16_t size;
    struct bytes inner = bytes_of_text("a packet that is cut");
    uint8_t *data = channel_pair_seal_one(p, p->client, inner, &size);
    for (uint16_t part = 0; part < size; part++) {
        uint8_t *cut = exact_copy(data, part);
        const struct datagram *d =
            channel_pair_open_one(p, p->server, cut, part);
        assert_true(d->drop == DROP_DATA_MALFORMED ||
                    d->drop == DROP_DATA_AUTH);
        assert_int_equal(d->inner_size, 0);
        free(cut);
    }
    assert_int_equal(channel_pair_open_one(p, p->server, data, size)->drop,
                     DROP_NONE);
    free(data);
}

static void every_truncated_packet_is_refused(void **state)
{
    (void)state;
    with_each(check_truncation);
}

/* Flips in a header that nothing authenticates need not be seen. */
static void check_flips(struct channel_pair *p, size_t unauthenticated)
{
    uint16_t size;
    struct bytes inner = bytes_of_text("a packet with one bit turned");
    uint8_t *data = channel_pair_seal_one(p, p->client, inner, &size);
    for (size_t bit = 8 * unauthenticated; bit < 8u * size; bit++) {
        uint8_t *changed = exact_copy(data, size);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        const struct datagram *d =
            channel_pair_open_one(p, p->server, changed, size);
        assert_true(d->drop == DROP_DATA_MALFORMED ||
                    d->drop == DROP_DATA_NO_KEY || d->drop == DROP_DATA_AUTH);
        assert_int_equal(d->inner_size, 0);
        free(changed);
    }
    assert_int_equal(channel_pair_open_one(p, p->server, data, size)->drop,
                     DROP_NONE);
    free(data);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct channel_pair p;
        channel_pair_init(&p, kinds[i]);
        check_flips(&p, kinds[i].digest ? DATA_V2_HEADER_SIZE : 0);
        channel_pair_clear(&p);
    }
}

static void check_replay(struct channel_pair *p)
{
    enum { PACKETS = 100 };
    uint8_t *data[PACKETS], *copy;
    uint16_t size[PACKETS];
    for (size_t i = 0; i < PACKETS; i++)
        data[i] = channel_pair_seal_one(p, p->client, bytes_of_text("packet"),
                                        &size[i]);
    /* the last first: those within its window are accepted once, the rest
     * are too old */
    for (size_t i = PACKETS; i-- > 0;) {
        for (int again = 0; again < 2; again++) {
            bool fresh = !again && i >= PACKETS - 64;
            copy = exact_copy(data[i], size[i]);
            assert_int_equal(
                channel_pair_open_one(p, p->server, copy, size[i])->drop,
                fresh ? DROP_NONE : DROP_DATA_REPLAY);
            free(copy);
        }
    }
    for (size_t i = 0; i < PACKETS; i++)
        free(data[i]);
}

static void every_replayed_packet_is_refused(void **state)
{
    (void)state;
    with_each(check_replay);
}

static void check_replay_in_burst(struct channel_pair *p)
{
    uint16_t size;
    uint8_t *data =
        channel_pair_seal_one(p, p->client, bytes_of_text("packet"), &size);
    uint8_t *copy = exact_copy(data, size);
    burst_reset(&p->in);
    assert_true(burst_add_view(&p->in, data, size));
    assert_true(burst_add_view(&p->in, copy, size));
    data_channel_open(p->server, (struct instant){0}, &p->in, 0, 2);
    assert_int_equal(p->in.datagrams[0].drop, DROP_NONE);
    assert_int_equal(p->in.datagrams[1].drop, DROP_DATA_REPLAY);
    assert_int_equal(p->in.datagrams[1].inner_size, 0);
    free(data);
    free(copy);
}

static void a_packet_twice_in_a_burst_is_accepted_once(void **state)
{
    (void)state;
    with_each(check_replay_in_burst);
}

static void check_own(struct channel_pair *p)
{
    uint16_t size;
    uint8_t *data =
        channel_pair_seal_one(p, p->client, bytes_of_text("packet"), &size);
    assert_int_equal(channel_pair_open_one(p, p->client, data, size)->drop,
                     DROP_DATA_AUTH);
    free(data);
}

static void a_packet_sent_back_to_its_sender_is_refused(void **state)
{
    (void)state;
    with_each(check_own);
}

static void check_use(struct channel_pair *p)
{
    uint16_t size;
    struct data_channel_use use = data_channel_use(p->client);
    assert_int_equal(use.bytes, 0);
    assert_int_equal(use.packets, 0);
    assert_false(use.exhausted);
    uint8_t *data =
        channel_pair_seal_one(p, p->client, bytes_of_text("packet"), &size);
    use = data_channel_use(p->client);
    assert_int_equal(use.bytes, size);
    assert_int_equal(use.packets, 1);
    channel_pair_open_one(p, p->server, data, size);
    channel_pair_open_one(p, p->server, data, size);
    use = data_channel_use(p->server);
    assert_int_equal(use.bytes, size);
    assert_int_equal(use.packets, 1);
    assert_false(use.exhausted);
    free(data);
}

static void use_counts_what_went_through(void **state)
{
    (void)state;
    with_each(check_use);
}

static void check_versions(struct channel_pair *p, struct channel_kind kind)
{
    struct key_material m;
    uint16_t size[2];
    channel_pair_material(&m);
    struct data_channel_options o = channel_pair_options(OPENVPN_CLIENT, kind);
    o.peer_id = PEER_ID_NONE;
    struct data_channel *v1 = data_channel_new(&o, &m);
    if (kind.epoch) {
        assert_null(v1);
        return;
    }
    struct bytes inner = bytes_of_text("packet");
    uint8_t *data[2];
    data[0] = channel_pair_seal_one(p, p->client, inner, &size[0]);
    free(channel_pair_seal_one(p, v1, inner, &size[1])); /* number 1 */
    data[1] = channel_pair_seal_one(p, v1, inner, &size[1]);
    assert_int_equal(data[0][0], OPCODE_DATA_V2 << 3 | CHANNEL_PAIR_KEY_ID);
    assert_int_equal(data[1][0], OPCODE_DATA_V1 << 3 | CHANNEL_PAIR_KEY_ID);
    assert_int_equal(size[0], size[1] + 3);
    burst_reset(&p->in);
    for (int k = 0; k < 2; k++)
        assert_true(burst_add_view(&p->in, data[k], size[k]));
    data_channel_open(p->server, (struct instant){0}, &p->in, 0, 2);
    for (int k = 0; k < 2; k++) {
        const struct datagram *d = &p->in.datagrams[k];
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           inner);
        free(data[k]);
    }
    data_channel_free(v1);
}

static void headers_of_both_versions_are_opened(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct channel_pair p;
        channel_pair_init(&p, kinds[i]);
        check_versions(&p, kinds[i]);
        channel_pair_clear(&p);
    }
}

static void ciphers_are_chosen_by_name(void **state)
{
    (void)state;
    struct data_channel_options o = {0};
    assert_true(data_channel_choose(&o, "chacha20-poly1305"));
    assert_int_equal(o.cipher, AEAD_CHACHA20_POLY1305);
    assert_int_equal(o.cbc_key_size, 0);
    assert_true(data_channel_choose(&o, "AES-192-CBC"));
    assert_int_equal(o.cbc_key_size, 24);
    assert_true(data_channel_choose(&o, "AES-128-GCM"));
    assert_int_equal(o.cipher, AEAD_AES_128_GCM);
    assert_int_equal(o.cbc_key_size, 0);
    static const char *const others[] = {
        "",        "none",         "BF-CBC",      "AES",
        "DES-CBC", "AES-256-GCMX", "AES-256-CFB", "CAMELLIA-256-CBC",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(data_channel_choose(&o, others[i]));
}

static void a_key_of_zeroes_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct data_channel_options o =
            channel_pair_options(OPENVPN_CLIENT, kinds[i]);
        for (int half = 0; half < 2; half++) {
            struct key_material m;
            channel_pair_material(&m);
            memset(m.bytes + 128 * half, 0, 64);
            assert_null(data_channel_new(&o, &m));
        }
    }
}

static void contradicting_options_are_refused(void **state)
{
    (void)state;
    struct key_material m;
    channel_pair_material(&m);
    struct channel_kind cbc = {.cipher = "AES-128-CBC", .digest = "SHA256"};
    struct data_channel_options o = channel_pair_options(OPENVPN_CLIENT, cbc);
    o.epoch = true;
    assert_null(data_channel_new(&o, &m));
    static const char *const digests[] = {NULL, "", "NONE", "SHA3", "SHA257"};
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        o = channel_pair_options(OPENVPN_CLIENT, cbc);
        o.digest = digests[i];
        assert_null(data_channel_new(&o, &m));
    }
    o = channel_pair_options(OPENVPN_CLIENT, cbc);
    o.random = NULL;
    assert_null(data_channel_new(&o, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_goes_round_in_both_directions),
        cmocka_unit_test(bursts_of_mixed_sizes_go_round),
        cmocka_unit_test(every_truncated_packet_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_replayed_packet_is_refused),
        cmocka_unit_test(a_packet_twice_in_a_burst_is_accepted_once),
        cmocka_unit_test(a_packet_sent_back_to_its_sender_is_refused),
        cmocka_unit_test(use_counts_what_went_through),
        cmocka_unit_test(headers_of_both_versions_are_opened),
        cmocka_unit_test(ciphers_are_chosen_by_name),
        cmocka_unit_test(a_key_of_zeroes_is_refused),
        cmocka_unit_test(contradicting_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
