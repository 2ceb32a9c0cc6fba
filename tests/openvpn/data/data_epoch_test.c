#include "gateway/openvpn/data/data_epoch.h"

#include "tests/crypto/vectors.h"
#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

static const struct channel_kind gcm = {.cipher = "AES-256-GCM", .epoch = true};

static struct data_epoch *inside(struct data_channel *c)
{
    return (struct data_epoch *)c;
}

/* Makes the channel's next packet one of the next epoch. */
static void spend(struct data_channel *c)
{
    inside(c)->counter = DATA_EPOCH_COUNTER_MAX;
}

/* One packet from one end, `steps` epochs on. */
static uint8_t *packet_after(struct channel_pair *p, struct data_channel *by,
                             int steps, uint16_t *size)
{
    for (int i = 1; i < steps; i++) {
        spend(by);
        free(channel_pair_seal_one(p, by, bytes_of_text("lost"), size));
    }
    if (steps > 0)
        spend(by);
    return channel_pair_seal_one(p, by, bytes_of_text("packet"), size);
}

static enum drop receive(struct channel_pair *p, struct data_channel *by,
                         uint8_t *data, uint16_t size)
{
    uint8_t *copy = exact_copy(data, size);
    enum drop drop = channel_pair_open_one(p, by, copy, size)->drop;
    free(copy);
    return drop;
}

static void check_packet(const struct vectors *v)
{
    uint8_t header[4], plain[128], expected[256];
    struct channel_pair p;
    channel_pair_init(&p,
                      (struct channel_kind){.cipher = vectors_text(v, "cipher"),
                                            .epoch = true});
    struct bytes inner =
        bytes_of(plain, vectors_bytes(v, "plain", plain, sizeof plain));
    size_t size = vectors_bytes(v, "packet", expected, sizeof expected);
    assert_int_equal(vectors_bytes(v, "header", header, sizeof header), 4);
    int epoch = atoi(vectors_text(v, "epoch"));
    assert_in_range(epoch, 1, 10);

    for (int i = 1; i < epoch; i++) {
        spend(p.client);
        uint16_t lost;
        free(channel_pair_seal_one(&p, p.client, inner, &lost));
    }
    /* each epoch starts at 1, and so does this packet */
    inside(p.client)->counter = 0;
    memcpy(p.client->header, header, sizeof header);
    uint16_t sealed;
    uint8_t *data = channel_pair_seal_one(&p, p.client, inner, &sealed);
    assert_bytes_equal(bytes_of(data, sealed), bytes_of(expected, size));
    if (data_packet_header_size(header[0])) {
        const struct datagram *d =
            channel_pair_open_one(&p, p.server, data, sealed);
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           inner);
    }
    free(data);
    channel_pair_clear(&p);
}

static void check_label(const struct vectors *v)
{
    uint8_t secret[EPOCH_SECRET_SIZE], expected[64], out[64];
    assert_int_equal(vectors_bytes(v, "secret", secret, sizeof secret),
                     sizeof secret);
    size_t size = vectors_bytes(v, "out", expected, sizeof expected);
    epoch_key_expand(secret, vectors_text(v, "label"), out, size);
    assert_memory_equal(out, expected, size);
}

static void keys_and_packets_match_known_vectors(void **state)
{
    (void)state;
    struct vectors v;
    int labels = 0, packets = 0;
    vectors_open(&v, "tests/vectors/data_epoch.txt");
    while (vectors_next(&v)) {
        if (vectors_text(&v, "label")) {
            check_label(&v);
            labels++;
        } else {
            check_packet(&v);
            packets++;
        }
    }
    vectors_close(&v);
    assert_int_equal(labels, 3);
    assert_int_equal(packets, 13);
}

static void the_receiver_follows_and_sends_in_the_same_epoch(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size, old_size;
    channel_pair_init(&p, gcm);
    struct data_epoch *server = inside(p.server);

    uint8_t *old = packet_after(&p, p.client, 0, &old_size);
    uint8_t *data = packet_after(&p, p.client, 3, &size);
    assert_int_equal(load_u16(data + 4), 4);
    assert_int_equal(receive(&p, p.server, data, size), DROP_NONE);
    assert_int_equal(server->current.epoch, 4);
    assert_int_equal(server->retiring.epoch, 1);
    assert_int_equal(server->send.epoch, 4);
    assert_int_equal(receive(&p, p.server, data, size), DROP_DATA_REPLAY);

    /* a straggler of the epoch before is accepted, once */
    assert_int_equal(receive(&p, p.server, old, old_size), DROP_NONE);
    assert_int_equal(receive(&p, p.server, old, old_size), DROP_DATA_REPLAY);
    assert_int_equal(server->current.epoch, 4);
    free(data);

    data = packet_after(&p, p.server, 0, &size);
    assert_int_equal(load_u16(data + 4), 4);
    assert_int_equal(receive(&p, p.client, data, size), DROP_NONE);
    free(data);

    /* two epochs later it is forgotten */
    data = packet_after(&p, p.client, 1, &size);
    assert_int_equal(receive(&p, p.server, data, size), DROP_NONE);
    assert_int_equal(receive(&p, p.server, old, old_size), DROP_DATA_NO_KEY);
    free(data);
    free(old);
    channel_pair_clear(&p);
}

static void the_sender_never_goes_back(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size;
    channel_pair_init(&p, gcm);
    free(packet_after(&p, p.server, 3, &size));
    assert_int_equal(inside(p.server)->send.epoch, 4);
    uint8_t *data = packet_after(&p, p.client, 1, &size);
    assert_int_equal(receive(&p, p.server, data, size), DROP_NONE);
    assert_int_equal(inside(p.server)->current.epoch, 2);
    assert_int_equal(inside(p.server)->send.epoch, 4);
    assert_int_equal(inside(p.server)->counter, 1);
    free(data);
    channel_pair_clear(&p);
}

/* CVE-2025-15497 was the jump to the last one. */
static void jumps_are_followed_as_far_as_there_are_keys(void **state)
{
    (void)state;
    for (int jump = 1; jump <= DATA_EPOCH_FUTURE + 2; jump++) {
        struct channel_pair p;
        uint16_t size;
        channel_pair_init(&p, gcm);
        bool far = jump > DATA_EPOCH_FUTURE;
        for (int round = 0; round < 3; round++) {
            uint8_t *data = packet_after(&p, p.client, jump, &size);
            assert_int_equal(receive(&p, p.server, data, size),
                             far ? DROP_DATA_NO_KEY : DROP_NONE);
            assert_int_equal(inside(p.server)->current.epoch,
                             far ? 1 : 1 + (round + 1) * jump);
            free(data);
        }
        channel_pair_clear(&p);
    }
}

static void only_what_authenticates_moves_the_epoch(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size;
    channel_pair_init(&p, gcm);
    uint8_t *data = packet_after(&p, p.client, 0, &size);
    for (uint32_t epoch = 0; epoch <= UINT16_MAX; epoch++) {
        if (epoch == 1)
            continue;
        store_u16(data + 4, (uint16_t)epoch);
        bool known = epoch > 1 && epoch <= 1 + DATA_EPOCH_FUTURE;
        assert_int_equal(receive(&p, p.server, data, size),
                         known ? DROP_DATA_AUTH : DROP_DATA_NO_KEY);
    }
    assert_int_equal(inside(p.server)->current.epoch, 1);
    assert_int_equal(inside(p.server)->retiring.epoch, 0);
    store_u16(data + 4, 1);
    assert_int_equal(receive(&p, p.server, data, size), DROP_NONE);
    free(data);
    channel_pair_clear(&p);
}

/* Both ends at the same epoch far up; the secrets do not know their number. */
static void move_both(struct channel_pair *p, uint16_t epoch)
{
    struct data_channel *const ends[] = {p->client, p->server};
    for (int i = 0; i < 2; i++) {
        struct data_epoch *e = inside(ends[i]);
        e->send_chain.epoch = e->send.epoch = epoch;
        e->receive_chain.epoch = e->current.epoch = epoch;
    }
}

static void the_last_epochs_are_not_received(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size;
    channel_pair_init(&p, gcm);
    move_both(&p, DATA_EPOCH_LAST - 1);
    uint8_t *data = packet_after(&p, p.client, 1, &size);
    assert_int_equal(receive(&p, p.server, data, size), DROP_NONE);
    assert_int_equal(inside(p.server)->current.epoch, DATA_EPOCH_LAST);
    free(data);
    for (int i = 0; i < 3; i++) {
        data = packet_after(&p, p.client, 1, &size);
        assert_int_equal(receive(&p, p.server, data, size), DROP_DATA_NO_KEY);
        free(data);
    }
    channel_pair_clear(&p);
}

static void nothing_is_sent_behind_the_last_epoch(void **state)
{
    (void)state;
    struct channel_pair p;
    channel_pair_init(&p, gcm);
    move_both(&p, DATA_EPOCH_EXHAUSTED - 1);
    assert_false(data_channel_use(p.client).exhausted);
    spend(p.client);
    channel_pair_add(&p, p.client, bytes_of_text("packet"));
    data_channel_seal(p.client, &p.out);
    assert_int_equal(p.out.datagrams[0].drop, DROP_NONE);
    assert_true(data_channel_use(p.client).exhausted);

    move_both(&p, UINT16_MAX);
    inside(p.client)->counter = DATA_EPOCH_COUNTER_MAX - 1;
    burst_reset(&p.out);
    for (int i = 0; i < 3; i++)
        channel_pair_add(&p, p.client, bytes_of_text("packet"));
    data_channel_seal(p.client, &p.out);
    assert_int_equal(p.out.datagrams[0].drop, DROP_NONE);
    assert_int_equal(load_u64(p.out.datagrams[0].data + 4), UINT64_MAX);
    assert_int_equal(p.out.datagrams[1].drop, DROP_SEAL_LIMIT);
    assert_int_equal(p.out.datagrams[2].drop, DROP_SEAL_LIMIT);
    channel_pair_clear(&p);
}

static void a_used_up_key_gives_way_to_the_next(void **state)
{
    (void)state;
    struct channel_pair p;
    channel_pair_init(&p, gcm);
    struct data_epoch *e = inside(p.client);
    e->send.usage.used = DATA_USAGE_GCM_LIMIT - 2;
    for (int i = 0; i < 3; i++)
        channel_pair_add(&p, p.client, bytes_of_text("packet"));
    data_channel_seal(p.client, &p.out);
    static const uint64_t ids[] = {UINT64_C(1) << 48 | 1, UINT64_C(2) << 48 | 1,
                                   UINT64_C(2) << 48 | 2};
    for (int i = 0; i < 3; i++) {
        struct datagram *d = &p.out.datagrams[i];
        assert_int_equal(d->drop, DROP_NONE);
        assert_int_equal(load_u64(d->data + 4), ids[i]);
        assert_int_equal(receive(&p, p.server, d->data, d->size), DROP_NONE);
    }
    channel_pair_clear(&p);
}

static void a_peer_that_overuses_its_key_is_asked_to_move(void **state)
{
    (void)state;
    struct channel_pair p;
    uint16_t size;
    channel_pair_init(&p, gcm);
    struct data_epoch *e = inside(p.client);
    e->current.usage.used = DATA_USAGE_GCM_LIMIT;
    for (int i = 0; i < 3; i++) {
        free(packet_after(&p, p.client, 0, &size));
        assert_int_equal(e->send.epoch, 2); /* one step and no more */
    }
    channel_pair_clear(&p);

    channel_pair_init(&p, gcm);
    inside(p.client)->current.usage.failed = DATA_USAGE_FAILED_HIGH;
    free(packet_after(&p, p.client, 0, &size));
    assert_int_equal(inside(p.client)->send.epoch, 2);
    channel_pair_clear(&p);
}

/* One burst with packets of several epochs, old ones among new ones. */
static void a_burst_may_hold_several_epochs(void **state)
{
    (void)state;
    enum { PACKETS = 12 };
    struct channel_pair p;
    uint8_t *data[PACKETS];
    uint16_t size[PACKETS];
    channel_pair_init(&p, gcm);
    for (int i = 0; i < PACKETS; i++)
        data[i] = packet_after(&p, p.client, i % 3 == 2, &size[i]);
    /* epochs 1 1 2 2 2 3 3 3 4 4 4 5, received as 1 2 1 3 2 3 4 3 5 2 */
    static const struct {
        int packet;
        enum drop drop;
    } order[] = {
        {0, DROP_NONE},         {2, DROP_NONE},        {1, DROP_NONE},
        {5, DROP_NONE},         {3, DROP_NONE},        {6, DROP_NONE},
        {8, DROP_NONE},         {7, DROP_NONE},        {11, DROP_NONE},
        {4, DROP_DATA_NO_KEY},  {9, DROP_NONE},        {0, DROP_DATA_NO_KEY},
        {11, DROP_DATA_REPLAY}, {9, DROP_DATA_REPLAY},
    };
    size_t count = sizeof order / sizeof *order;
    uint8_t *copies[sizeof order / sizeof *order];
    for (size_t i = 0; i < count; i++) {
        int k = order[i].packet;
        copies[i] = exact_copy(data[k], size[k]);
        assert_true(burst_add_view(&p.in, copies[i], size[k]));
    }
    data_channel_open(p.server, (struct instant){0}, &p.in, 0, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(p.in.datagrams[i].drop, order[i].drop);
        free(copies[i]);
    }
    for (int i = 0; i < PACKETS; i++)
        free(data[i]);
    channel_pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_packets_match_known_vectors),
        cmocka_unit_test(the_receiver_follows_and_sends_in_the_same_epoch),
        cmocka_unit_test(the_sender_never_goes_back),
        cmocka_unit_test(jumps_are_followed_as_far_as_there_are_keys),
        cmocka_unit_test(only_what_authenticates_moves_the_epoch),
        cmocka_unit_test(the_last_epochs_are_not_received),
        cmocka_unit_test(nothing_is_sent_behind_the_last_epoch),
        cmocka_unit_test(a_used_up_key_gives_way_to_the_next),
        cmocka_unit_test(a_peer_that_overuses_its_key_is_asked_to_move),
        cmocka_unit_test(a_burst_may_hold_several_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
