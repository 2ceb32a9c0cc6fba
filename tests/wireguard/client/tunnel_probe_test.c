#include "gateway/wireguard/client/tunnel_probe.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

static const uint8_t random_bytes_of[4] = {0x12, 0x34, 0x56, 0x78};

static struct tunnel_probe probe_of(const char *own, const char *resolver)
{
    struct tunnel_probe p;
    struct address a = craft_address(own), b = craft_address(resolver);
    tunnel_probe_init(&p, &a, &b, random_bytes_of);
    return p;
}

/* The answer to a question. */
static void turn_round(uint8_t *packet, size_t address)
{
    uint8_t kept[16], port[2];
    uint8_t *source = packet + (address == 4 ? IPV4_SOURCE : IPV6_SOURCE);
    uint8_t *udp = packet + (address == 4 ? 20 : 40);
    memcpy(kept, source, address);
    memcpy(source, source + address, address);
    memcpy(source + address, kept, address);
    memcpy(port, udp, 2);
    memcpy(udp, udp + 2, 2);
    memcpy(udp + 2, port, 2);
    udp[UDP_HEADER_SIZE + 2] |= 0x80;
}

static void check(const char *own, const char *resolver, size_t address)
{
    struct tunnel_probe p = probe_of(own, resolver);
    uint8_t packet[TUNNEL_PROBE_SIZE_MAX];
    size_t size = tunnel_probe_write(&p, packet);
    assert_int_equal(size, (address == 4 ? 20 : 40) + 8 + 17);
    assert_true(craft_checksums_right(packet, size));
    struct packet whole = {.data = packet, .size = (uint32_t)size};
    assert_int_equal(ip_packet_parse(&whole), DROP_NONE);
    assert_int_equal(whole.ip.destination_port, 53);
    assert_true(whole.ip.source_port >= 49152);

    assert_false(tunnel_probe_answered(&p, bytes_of(packet, size)));
    turn_round(packet, address);
    assert_true(tunnel_probe_answered(&p, bytes_of(packet, size)));
    for (size_t cut = 0; cut < size - 14; cut++) {
        uint8_t *copy = exact_copy(packet, cut);
        assert_false(tunnel_probe_answered(&p, bytes_of(copy, cut)));
        free(copy);
    }
    /* another address, port, number, or protocol is another's */
    size_t udp = size - 25, source = address == 4 ? 12 : 8;
    size_t of_it[] = {address == 4 ? 9 : 6,
                      source,
                      source + address,
                      udp + 1,
                      udp + 3,
                      udp + 9};
    for (size_t i = 0; i < sizeof of_it / sizeof *of_it; i++) {
        packet[of_it[i]] ^= 1;
        assert_false(tunnel_probe_answered(&p, bytes_of(packet, size)));
        packet[of_it[i]] ^= 1;
    }
}

static void over_ipv4(void **state)
{
    (void)state;
    check("10.64.0.9", "10.64.0.1", 4);
}

static void over_ipv6(void **state)
{
    (void)state;
    check("fd00::9", "fd00::1", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_ipv4),
        cmocka_unit_test(over_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
