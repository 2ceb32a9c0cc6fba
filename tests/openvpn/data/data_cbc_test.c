#include "gateway/openvpn/data/data_cbc.h"

#include "tests/crypto/vectors.h"
#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

/* The iv of the vectors in the place of randomness. */
static void vector_iv(void *context, uint8_t *out, size_t size)
{
    assert_int_equal(size, CBC_HMAC_BLOCK_SIZE);
    memcpy(out, context, size);
}

static enum aead_library library;

static struct data_channel *channel_of(const struct vectors *v,
                                       enum openvpn_role role, uint8_t *iv)
{
    uint8_t header[4] = {0x48, 0, 0, 1};
    struct key_material m;
    struct data_channel_options o = channel_pair_options(
        role, (struct channel_kind){.cipher = vectors_text(v, "cipher"),
                                    .digest = vectors_text(v, "digest")});
    channel_pair_material(&m);
    if (vectors_text(v, "header"))
        o.peer_id = vectors_bytes(v, "header", header, sizeof header) == 1
                        ? PEER_ID_NONE
                        : load_u32(header) & 0xffffff;
    o.key_id = header[0] & 7;
    o.library = library;
    o.random = vector_iv;
    o.random_context = iv;
    struct data_channel *c = data_channel_new(&o, &m);
    assert_non_null(c);
    return c;
}

static const struct datagram *open_packet(const struct vectors *v,
                                          struct burst *burst)
{
    uint8_t packet[256];
    struct data_channel *c = channel_of(v, OPENVPN_SERVER, NULL);
    size_t size = vectors_bytes(v, "packet", packet, sizeof packet);
    *burst = (struct burst){0};
    /* freed by the caller, because the datagram points into it */
    burst->memory = exact_copy(packet, size);
    assert_true(burst_add_view(burst, burst->memory, (uint16_t)size));
    data_channel_open(c, (struct instant){0}, burst, 0, 1);
    data_channel_free(c);
    return &burst->datagrams[0];
}

static void check_vector(const struct vectors *v)
{
    uint8_t iv[16], plain[128], packet[256];
    assert_int_equal(vectors_bytes(v, "iv", iv, sizeof iv), sizeof iv);
    struct bytes inner =
        bytes_of(plain, vectors_bytes(v, "plain", plain, sizeof plain));
    size_t size = vectors_bytes(v, "packet", packet, sizeof packet);
    struct burst burst;

    struct data_channel *c = channel_of(v, OPENVPN_CLIENT, iv);
    struct burst_layout layout = data_channel_layout(c);
    assert_true(burst_init(&burst, 512));
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)inner.size);
    memcpy(d->data + d->inner_offset, inner.data, inner.size);
    data_channel_seal(c, &burst);
    assert_bytes_equal(bytes_of(d->data, d->size), bytes_of(packet, size));
    burst_clear(&burst);
    data_channel_free(c);

    const struct datagram *opened = open_packet(v, &burst);
    assert_int_equal(opened->drop, DROP_NONE);
    assert_bytes_equal(
        bytes_of(opened->data + opened->inner_offset, opened->inner_size),
        inner);
    burst_clear(&burst);
}

static void check_vectors(enum aead_library with)
{
    struct vectors v;
    library = with;
    int good = 0, malformed = 0;
    vectors_open(&v, "tests/vectors/data_cbc.txt");
    while (vectors_next(&v)) {
        if (!vectors_text(&v, "malformed")) {
            check_vector(&v);
            good++;
            continue;
        }
        struct burst burst;
        assert_int_equal(open_packet(&v, &burst)->drop, DROP_DATA_MALFORMED);
        assert_int_equal(burst.datagrams[0].inner_size, 0);
        burst_clear(&burst);
        malformed++;
    }
    vectors_close(&v);
    assert_int_equal(good, 27);
    assert_int_equal(malformed, 7);
}

static void known_packets_are_sealed_and_opened(void **state)
{
    (void)state;
    check_vectors(AEAD_FASTEST);
    check_vectors(AEAD_PORTABLE);
}

static void nothing_is_sent_behind_the_last_packet_number(void **state)
{
    (void)state;
    struct channel_pair p;
    struct bytes inner = bytes_of_text("packet");
    channel_pair_init(
        &p, (struct channel_kind){.cipher = "AES-128-CBC", .digest = "SHA1"});
    struct data_cbc *c = (struct data_cbc *)p.client;
    c->last_id = 0xff000000 - 1;
    assert_false(data_channel_use(p.client).exhausted);
    channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_true(data_channel_use(p.client).exhausted);

    c->last_id = UINT32_MAX - 1;
    burst_reset(&p.out);
    for (int i = 0; i < 2; i++)
        channel_pair_add(&p, p.client, inner);
    data_channel_seal(p.client, &p.out);
    assert_int_equal(p.out.datagrams[0].drop, DROP_NONE);
    assert_int_equal(p.out.datagrams[1].drop, DROP_SEAL_LIMIT);
    channel_pair_clear(&p);
}

static void every_packet_has_another_iv(void **state)
{
    (void)state;
    enum { PACKETS = 150, IV = 4 + 20 };
    struct channel_pair p;
    channel_pair_init(
        &p, (struct channel_kind){.cipher = "AES-128-CBC", .digest = "SHA1"});
    for (int i = 0; i < PACKETS; i++)
        channel_pair_add(&p, p.client, bytes_of_text("packet"));
    data_channel_seal(p.client, &p.out);
    for (int i = 0; i < PACKETS; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(p.out.datagrams[i].data + IV,
                                    p.out.datagrams[k].data + IV, 16);
    channel_pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_packets_are_sealed_and_opened),
        cmocka_unit_test(nothing_is_sent_behind_the_last_packet_number),
        cmocka_unit_test(every_packet_has_another_iv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
