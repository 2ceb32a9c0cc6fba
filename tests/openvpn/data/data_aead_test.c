#include "gateway/openvpn/data/data_aead.h"

#include "tests/crypto/vectors.h"
#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

static struct data_aead *inside(struct data_channel *c)
{
    return (struct data_aead *)c;
}

static void check_seal(const struct vectors *v, struct data_channel *c,
                       struct bytes plain)
{
    static const char *const names[] = {"packet1", "packet2"};
    struct burst_layout layout = data_channel_layout(c);
    struct burst burst;
    uint8_t expected[256];
    assert_true(burst_init(&burst, 1024));
    for (size_t i = 0; i < 2; i++) {
        struct datagram *d =
            burst_reserve(&burst, &layout, (uint32_t)plain.size);
        memcpy(d->data + d->inner_offset, plain.data, plain.size);
    }
    data_channel_seal(c, &burst);
    for (size_t i = 0; i < 2 && vectors_text(v, names[i]); i++) {
        const struct datagram *d = &burst.datagrams[i];
        size_t size = vectors_bytes(v, names[i], expected, sizeof expected);
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data, d->size),
                           bytes_of(expected, size));
    }
    burst_clear(&burst);
}

/* The server's end opens the client's packets of the vector. */
static void check_open(const struct vectors *v, struct data_channel *c,
                       struct bytes plain)
{
    uint8_t packet[256];
    struct burst burst = {0};
    size_t size = vectors_bytes(v, "packet2", packet, sizeof packet);
    uint8_t *data = exact_copy(packet, size);
    assert_true(burst_add_view(&burst, data, (uint16_t)size));
    data_channel_open(c, (struct instant){0}, &burst, 0, 1);
    const struct datagram *d = &burst.datagrams[0];
    assert_int_equal(d->drop, DROP_NONE);
    assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                       plain);
    free(data);
}

static void check_vector(const struct vectors *v)
{
    uint8_t header[4] = {0}, plain[256];
    struct key_material m;
    struct data_channel_options o = channel_pair_options(
        OPENVPN_CLIENT,
        (struct channel_kind){.cipher = vectors_text(v, "cipher")});
    struct bytes inner =
        bytes_of(plain, vectors_bytes(v, "plain", plain, sizeof plain));
    size_t header_size = vectors_bytes(v, "header", header, sizeof header);
    o.key_id = header[0] & 7;
    o.peer_id = header_size == 1 ? PEER_ID_NONE : load_u32(header) & 0xffffff;
    channel_pair_material(&m);
    struct data_channel *c = data_channel_new(&o, &m);
    o.role = OPENVPN_SERVER;
    struct data_channel *s = data_channel_new(&o, &m);
    assert_non_null(c);
    assert_non_null(s);
    /* the header of OpenVPN's vector has no opcode */
    memcpy(c->header, header, header_size);
    check_seal(v, c, inner);
    if (data_packet_header_size(header[0]))
        check_open(v, s, inner);
    data_channel_free(c);
    data_channel_free(s);
}

static void known_packets_are_sealed_and_opened(void **state)
{
    (void)state;
    struct vectors v;
    int count = 0;
    vectors_open(&v, "tests/vectors/data_aead.txt");
    for (; vectors_next(&v); count++)
        check_vector(&v);
    vectors_close(&v);
    assert_int_equal(count, 9);
}

static void nothing_is_sent_behind_the_last_packet_number(void **state)
{
    (void)state;
    struct channel_pair p;
    channel_pair_init(&p, (struct channel_kind){.cipher = "AES-256-GCM"});
    struct data_aead *a = inside(p.client);
    struct bytes inner = bytes_of_text("packet");

    a->last_id = 0xff000000 - 2;
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_false(data_channel_use(p.client).exhausted);
    burst_reset(&p.out);
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_true(data_channel_use(p.client).exhausted);

    a->last_id = UINT32_MAX - 2;
    burst_reset(&p.out);
    for (int i = 0; i < 4; i++)
        channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    for (int i = 0; i < 4; i++)
        assert_int_equal(p.out.datagrams[i].drop,
                         i < 2 ? DROP_NONE : DROP_SEAL_LIMIT);
    assert_int_equal(load_u32(p.out.datagrams[1].data + 4), UINT32_MAX);
    /* what was not sealed is as it was */
    assert_memory_equal(p.out.datagrams[2].data + 24, "packet", 6);
    assert_int_equal(a->last_id, UINT32_MAX);
    channel_pair_clear(&p);
}

static void gcm_has_a_limit_of_use_and_chacha_has_none(void **state)
{
    (void)state;
    struct channel_pair p;
    struct bytes inner = bytes_of_text("seventeen bytes..");

    channel_pair_init(&p, (struct channel_kind){.cipher = "AES-128-GCM"});
    struct data_aead *a = inside(p.client);
    a->sent.used = DATA_USAGE_GCM_HIGH - 3 - 1;
    channel_pair_add(&p, p.client, inner); /* a message and two blocks */
    data_channel_seal(p.client, &p.out);
    assert_int_equal(a->sent.used, DATA_USAGE_GCM_HIGH - 1);
    assert_false(data_channel_use(p.client).exhausted);
    burst_reset(&p.out);
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_true(data_channel_use(p.client).exhausted);
    assert_int_equal(p.out.datagrams[0].drop, DROP_NONE);

    a->sent.used = DATA_USAGE_GCM_LIMIT;
    burst_reset(&p.out);
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_int_equal(p.out.datagrams[0].drop, DROP_SEAL_LIMIT);

    a->sent.used = 0;
    a->received.used = DATA_USAGE_GCM_HIGH;
    assert_true(data_channel_use(p.client).exhausted);
    channel_pair_clear(&p);

    channel_pair_init(&p, (struct channel_kind){.cipher = "CHACHA20-POLY1305"});
    a = inside(p.client);
    a->sent.used = a->received.used = DATA_USAGE_GCM_LIMIT;
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_int_equal(p.out.datagrams[0].drop, DROP_NONE);
    assert_false(data_channel_use(p.client).exhausted);
    channel_pair_clear(&p);
}

static void too_many_forgeries_end_a_key(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size;
    channel_pair_init(&p, (struct channel_kind){.cipher = "CHACHA20-POLY1305"});
    struct data_aead *a = inside(p.server);
    uint8_t *good =
        channel_pair_seal_one(&p, p.client, bytes_of_text("packet"), &size);
    uint8_t *bad = exact_copy(good, size);
    bad[size - 1] ^= 1;

    a->received.failed = DATA_USAGE_FAILED_HIGH - 1;
    assert_false(data_channel_use(p.server).exhausted);
    assert_int_equal(channel_pair_open_one(&p, p.server, bad, size)->drop,
                     DROP_DATA_AUTH);
    assert_true(data_channel_use(p.server).exhausted);
    a->received.failed = DATA_USAGE_FAILED_MAX;
    assert_int_equal(channel_pair_open_one(&p, p.server, good, size)->drop,
                     DROP_DATA_AUTH);
    free(good);
    free(bad);
    channel_pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_packets_are_sealed_and_opened),
        cmocka_unit_test(nothing_is_sent_behind_the_last_packet_number),
        cmocka_unit_test(gcm_has_a_limit_of_use_and_chacha_has_none),
        cmocka_unit_test(too_many_forgeries_end_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
