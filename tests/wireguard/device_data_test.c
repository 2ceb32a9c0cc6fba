/* Packets through the device: whole bursts, several peers, and what a peer may
 * put inside that is not for us. */
#include "gateway/wireguard/data/allowed_ips.h"
#include "gateway/wireguard/data/ecn.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"
#include "tests/wireguard/device_pair.h"

/* B seals these bytes, whatever they are; what A makes of them. */
static enum drop send_raw(struct device_pair *p, struct bytes plain)
{
    uint8_t wire[2048];
    struct keypair *k = device_pair_peer(p, PAIR_B)->current;
    struct datagram d = {
        .data = wire,
        .size = (uint16_t)(plain.size + WIRE_DATA_OVERHEAD),
        .inner_offset = WIRE_DATA_HEADER_SIZE,
        .inner_size = (uint16_t)plain.size,
    };
    struct aead_job job;
    if (plain.size)
        memcpy(wire + d.inner_offset, plain.data, plain.size);
    keypair_seal_job(k, &d, &job);
    aead_seal(k->sealing, &job, 1);
    return device_pair_arrive(p, PAIR_A, &p->end[PAIR_B].place,
                              bytes_of(wire, d.size));
}

static size_t udp(const char *from, const char *to, uint8_t *out)
{
    struct craft c = {
        .source = craft_address(from),
        .destination = craft_address(to),
        .protocol = 17,
        .source_port = 5,
        .destination_port = 6,
        .ttl = 64,
        .payload = bytes_of_text("hello"),
    };
    return craft_write(&c, out);
}

static void what_is_inside_is_a_packet_of_the_peer(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "10.0.0.1",  "10.0.0.3",        "127.0.0.1",
        "224.0.0.1", "255.255.255.255", "0.0.0.0",
    };
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    const struct peer *a = device_pair_peer(p, PAIR_A);
    uint8_t packet[200] = {0};
    size_t size;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        size = udp(foreign[i], "10.0.0.1", packet);
        p->now.us += 1000;
        assert_int_equal(send_raw(p, bytes_of(packet, size)),
                         DROP_DATA_SPOOFED);
        /* and yet it was authentic */
        assert_int_equal(a->heard.us, p->now.us);
    }
    size = udp("2001:db8::1", "2001:db8::2", packet);
    assert_int_equal(send_raw(p, bytes_of(packet, size)), DROP_DATA_SPOOFED);

    size = udp("10.0.0.2", "10.0.0.1", packet);
    for (unsigned version = 0; version < 16; version++) {
        packet[0] = (uint8_t)(version << 4 | 5);
        assert_int_equal(send_raw(p, bytes_of(packet, size)),
                         version == 4 ? DROP_NONE : DROP_IP_MALFORMED);
    }
    packet[0] = 0x45;
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(send_raw(p, bytes_of(packet, cut)), DROP_IP_MALFORMED);
    for (uint16_t total = 0; total < 20; total++) {
        store_u16(packet + 2, total);
        assert_int_equal(send_raw(p, bytes_of(packet, size)),
                         DROP_IP_MALFORMED);
    }
    size = udp("2001:db8::1", "2001:db8::2", packet);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(send_raw(p, bytes_of(packet, cut)), DROP_IP_MALFORMED);
    unsigned before = p->end[PAIR_A].received;
    device_pair_send(p, PAIR_B, 100);
    assert_int_equal(p->end[PAIR_A].received, before + 1);
    device_pair_free(p);
}

static void padding_of_any_kind_is_cut_off(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t packet[300];
    memset(packet, 0xee, sizeof packet);
    size_t size = udp("10.0.0.2", "10.0.0.1", packet);
    for (size_t padded = size; padded < sizeof packet; padded += 13) {
        assert_int_equal(send_raw(p, bytes_of(packet, padded)), DROP_NONE);
        assert_int_equal(p->end[PAIR_A].last_size, size);
        assert_memory_equal(p->end[PAIR_A].last, packet, size);
    }
    device_pair_free(p);
}

static void a_keepalive_is_no_packet(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    unsigned before = p->end[PAIR_A].received;
    assert_int_equal(send_raw(p, bytes_of(NULL, 0)), DROP_NONE);
    assert_int_equal(p->end[PAIR_A].received, before);
    device_pair_free(p);
}

/* --- Several peers ------------------------------------------------------- */

/* Three devices on one table: 0 sends to 1 and 2. */
struct star {
    struct device *device[3];
    int64_t stamp[3];
    uint64_t random;
};

static void random_of(void *context, uint8_t *out, size_t size)
{
    craft_fill(context, out, size);
}

static int64_t wall_clock(void *context)
{
    (void)context;
    return INT64_C(1767225600) * 1000000000;
}

static struct endpoint place(unsigned number)
{
    struct endpoint e = {craft_address("192.0.2.0"), 51820};
    e.address.bytes[3] = (uint8_t)number;
    return e;
}

static void meet(struct star *s, unsigned one, unsigned other,
                 const char *prefix)
{
    struct prefix p;
    struct endpoint at = place(other);
    uint16_t number = device_add_peer(
        s->device[one], device_public_key(s->device[other]), NULL, 0);
    assert_int_not_equal(number, ALLOWED_IPS_NOBODY);
    assert_true(prefix_parse(bytes_of_text(prefix), &p));
    assert_true(device_allow(s->device[one], number, &p));
    device_set_endpoint(s->device[one], number, &at);
}

static void star_open(struct star *s)
{
    *s = (struct star){.random = 3};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t key[WIRE_KEY_SIZE] = {(uint8_t)(i + 1)};
        struct device_options options = {key, 2, 1420, AEAD_PORTABLE};
        struct device_env env = {&s->random, random_of, wall_clock,
                                 &s->stamp[i]};
        s->device[i] = device_new(&options, &env);
        assert_non_null(s->device[i]);
    }
    meet(s, 0, 1, "0.0.0.0/0");
    meet(s, 0, 2, "10.2.0.0/16");
    meet(s, 1, 0, "10.0.0.1/32");
    meet(s, 2, 0, "10.0.0.1/32");
}

static void star_settle(struct star *s, struct instant now)
{
    static struct burst burst;
    struct device_send send;
    for (unsigned quiet = 0; quiet < 3;)
        for (unsigned i = 0; i < 3; i++) {
            if (!device_poll(s->device[i], now, &send)) {
                quiet++;
                continue;
            }
            quiet = 0;
            uint8_t *copy = exact_copy(send.bytes.data, send.bytes.size);
            burst_reset(&burst);
            burst.source = place(i);
            assert_true(
                burst_add_view(&burst, copy, (uint16_t)send.bytes.size));
            device_open(s->device[send.to.address.bytes[3]], now, &burst);
            free(copy);
        }
}

static void reserve(struct burst *burst, const struct device *d, const char *to)
{
    uint8_t packet[200];
    struct burst_layout layout = device_layout(d);
    size_t size = udp(strchr(to, ':') ? "fd00::1" : "10.0.0.1", to, packet);
    struct datagram *at = burst_reserve(burst, &layout, (uint32_t)size);
    assert_non_null(at);
    memcpy(at->data + at->inner_offset, packet, size);
}

static void each_packet_goes_to_the_peer_that_has_its_destination(void **state)
{
    (void)state;
    static struct burst burst;
    struct instant now = {1000000000};
    struct star s;
    star_open(&s);
    assert_true(burst_init(&burst, 65536));
    for (int round = 0; round < 2; round++) {
        burst_reset(&burst);
        for (int i = 0; i < 50; i++) {
            reserve(&burst, s.device[0], "192.0.2.77");
            reserve(&burst, s.device[0], "10.2.3.4");
            reserve(&burst, s.device[0], "10.3.3.4");
        }
        reserve(&burst, s.device[0], "2001:db8::1");
        device_seal(s.device[0], now, &burst);
        for (unsigned i = 0; i < 150; i++) {
            const struct datagram *d = &burst.datagrams[i];
            assert_int_equal(d->drop, round == 0 ? DROP_SEAL_HELD : DROP_NONE);
            if (round)
                assert_int_equal(d->endpoint, i % 3 == 1 ? 1 : 0);
        }
        assert_int_equal(burst.datagrams[150].drop, DROP_SEAL_NO_PEER);
        star_settle(&s, now);
    }
    /* what waited went its own way as well */
    assert_int_equal(device_peer(s.device[1], 0)->packets_opened, 100);
    assert_int_equal(device_peer(s.device[2], 0)->packets_opened, 50);
    /* nobody may answer in the name of another */
    assert_int_equal(device_drops(s.device[1])->count[DROP_DATA_SPOOFED], 0);
    for (unsigned i = 0; i < 3; i++)
        device_free(s.device[i]);
    burst_clear(&burst);
}

static void a_peer_without_a_place_is_not_sent_to(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct endpoint nowhere = {0};
    device_set_endpoint(p->end[PAIR_A].device, 0, &nowhere);
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_NO_ENDPOINT);
    /* until it speaks itself */
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_SEAL_HELD);
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_NONE);
    assert_int_equal(p->end[PAIR_B].received, 1);
    device_pair_free(p);
}

static void congestion_comes_in_and_stays_inside(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    static struct burst burst;
    uint8_t packet[100];
    device_pair_connect(p);
    struct burst_layout layout = device_layout(p->end[PAIR_A].device);
    assert_true(burst_init(&burst, 2000));
    size_t size = udp("10.0.0.1", "10.0.0.2", packet);
    packet[1] = 0xb8 | ECN_ECT_0;
    packet[11] = (uint8_t)(packet[11] - packet[1]);
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)size);
    memcpy(d->data + d->inner_offset, packet, size);
    device_seal(p->end[PAIR_A].device, p->now, &burst);
    assert_int_equal(d->ecn, ECN_ECT_0);
    d->ecn = ECN_CE; /* on the way */
    burst.source = p->end[PAIR_A].place;
    device_open(p->end[PAIR_B].device, p->now, &burst);
    assert_int_equal(d->drop, DROP_NONE);
    assert_int_equal(d->data[d->inner_offset + 1], 0xb8 | ECN_CE);
    /* a handshake is AF41, data has no DSCP */
    assert_int_equal(p->log[0].tos, 0x88);
    assert_int_equal(p->log[2].tos, 0);
    burst_clear(&burst);
    device_pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_inside_is_a_packet_of_the_peer),
        cmocka_unit_test(padding_of_any_kind_is_cut_off),
        cmocka_unit_test(a_keepalive_is_no_packet),
        cmocka_unit_test(each_packet_goes_to_the_peer_that_has_its_destination),
        cmocka_unit_test(a_peer_without_a_place_is_not_sent_to),
        cmocka_unit_test(congestion_comes_in_and_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
