#include "gateway/packet/ip_packet.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static struct craft sample(bool v6, uint8_t protocol)
{
    return (struct craft){
        .source = craft_address(v6 ? "fd09::1" : "10.137.0.5"),
        .destination = craft_address(v6 ? "2001:db8::9" : "198.51.100.7"),
        .protocol = protocol,
        .source_port = 40000,
        .destination_port = 443,
        .sequence = 0x01020304,
        .flags = TCP_ACK,
        .window = 1000,
        .icmp_type = v6 ? 128 : 8,
        .icmp_rest = 0x12340001,
        .payload = bytes_of_text("hello, world"),
    };
}

static void headers_are_found(void **state)
{
    (void)state;
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int v6 = 0; v6 < 2; v6++)
        for (int i = 0; i < 3; i++) {
            struct craft c = sample(v6, protocols[i][v6]);
            struct packet p = craft_packet(&c);
            assert_int_equal(ip_packet_parse(&p), DROP_NONE);
            assert_int_equal(p.ip.family, v6 ? ADDRESS_IPV6 : ADDRESS_IPV4);
            assert_int_equal(p.ip.protocol, c.protocol);
            assert_int_equal(p.ip.total, p.size);
            assert_int_equal(p.ip.transport, v6 ? 40 : 20);
            assert_int_equal(ip_payload_size(&p.ip), c.payload.size);
            assert_int_equal(p.ip.source_port, i == 2 ? 0x1234 : 40000);
            assert_int_equal(p.ip.destination_port, i == 2 ? 0x1234 : 443);
            assert_memory_equal(ip_source(&p.ip), c.source.bytes,
                                ip_address_size(&p.ip));
            assert_memory_equal(ip_destination(&p.ip), c.destination.bytes,
                                ip_address_size(&p.ip));
            assert_false(p.ip.options || ip_is_fragment(&p.ip));
            free(p.data);
        }
}

/* A truncated packet on the heap, exactly as long as it claims: nothing may
 * be read behind it. */
static enum drop parse_prefix(const struct packet *whole, size_t size,
                              bool quoted, bool *parsed)
{
    uint8_t *data = exact_copy(whole->data, size);
    struct packet p = *whole;
    struct ip_packet ip;
    enum drop drop = DROP_NONE;
    p.data = data;
    p.size = (uint32_t)size;
    if (quoted)
        *parsed = ip_packet_parse_quoted(data, size, &ip);
    else
        drop = ip_packet_parse(&p);
    free(data);
    return drop;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int v6 = 0; v6 < 2; v6++)
        for (int i = 0; i < 3; i++) {
            struct craft c = sample(v6, protocols[i][v6]);
            struct packet p = craft_packet(&c);
            for (size_t size = 0; size < p.size; size++) {
                bool parsed;
                assert_int_not_equal(parse_prefix(&p, size, false, &parsed),
                                     DROP_NONE);
                (void)parse_prefix(&p, size, true, &parsed);
                assert_int_equal(parsed, size >= (v6 ? 48 : 28));
            }
            free(p.data);
        }
}

/* The same, with lengths that fit the truncation: the transport is short. */
static void every_short_transport_is_refused(void **state)
{
    (void)state;
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int v6 = 0; v6 < 2; v6++)
        for (int i = 0; i < 3; i++) {
            struct craft c = sample(v6, protocols[i][v6]);
            struct packet p = craft_packet(&c);
            size_t ip_header = v6 ? 40 : 20, needed = ip_header + 8;
            if (c.protocol == 6)
                needed = ip_header + 20;
            if (c.protocol == 17)
                needed = p.size; /* its own length says so */
            for (size_t size = ip_header; size <= p.size; size++) {
                bool parsed;
                store_u16(p.data + (v6 ? 4 : 2),
                          (uint16_t)(v6 ? size - 40 : size));
                ip_write_checksum(&(struct ip_packet){
                    .data = p.data,
                    .family = v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                    .transport = 20});
                assert_int_equal(parse_prefix(&p, size, false, &parsed),
                                 size < needed ? DROP_TRANSPORT_MALFORMED
                                               : DROP_NONE);
            }
            free(p.data);
        }
}

static void padding_behind_the_packet_is_trimmed(void **state)
{
    (void)state;
    struct craft c = sample(false, 17);
    struct packet p = craft_packet(&c);
    uint32_t size = p.size;
    p.data = realloc(p.data, size + 6);
    p.size = size + 6;
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    assert_int_equal(p.size, size);
    free(p.data);
}

static enum drop parse_changed(const struct craft *c, size_t at, uint8_t value,
                               bool fix_checksum)
{
    struct packet p = craft_packet(c);
    p.data[at] = value;
    if (fix_checksum)
        ip_write_checksum(&(struct ip_packet){
            .data = p.data, .family = ADDRESS_IPV4, .transport = 20});
    enum drop drop = ip_packet_parse(&p);
    free(p.data);
    return drop;
}

static void nonsense_is_named(void **state)
{
    (void)state;
    struct craft tcp = sample(false, 6), udp = sample(false, 17);
    assert_int_equal(parse_changed(&tcp, 0, 0x55, true), DROP_IP_MALFORMED);
    assert_int_equal(parse_changed(&tcp, 0, 0x44, true), DROP_IP_MALFORMED);
    assert_int_equal(parse_changed(&tcp, 0, 0x46, true), DROP_IP_CHECKSUM);
    assert_int_equal(parse_changed(&tcp, 8, 3, false), DROP_IP_CHECKSUM);
    assert_int_equal(parse_changed(&tcp, 32, 0x40, false),
                     DROP_TRANSPORT_MALFORMED);
    assert_int_equal(parse_changed(&tcp, 32, 0xf0, false),
                     DROP_TRANSPORT_MALFORMED);
    assert_int_equal(parse_changed(&udp, 25, 7, false),
                     DROP_TRANSPORT_MALFORMED);
}

static void offload_data_must_make_sense(void **state)
{
    (void)state;
    struct craft c = sample(false, 6);
    struct packet p = craft_super_packet(&c, 0);
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    p.gso = PACKET_GSO_UDP;
    p.gso_size = 1000;
    assert_int_equal(ip_packet_parse(&p), DROP_TRANSPORT_MALFORMED);
    p.gso = PACKET_GSO_TCP;
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    p.gso_size = IP_GSO_SIZE_MIN - 1;
    assert_int_equal(ip_packet_parse(&p), DROP_TRANSPORT_MALFORMED);
    p.gso_size = 1000;
    p.checksum = PACKET_CHECKSUM_VALID;
    assert_int_equal(ip_packet_parse(&p), DROP_TRANSPORT_MALFORMED);
    p.checksum = PACKET_CHECKSUM_PARTIAL;
    store_u16(p.data + IPV4_FRAGMENT, IPV4_MORE_FRAGMENTS);
    ip_write_checksum(&(struct ip_packet){
        .data = p.data, .family = ADDRESS_IPV4, .transport = 20});
    assert_int_equal(ip_packet_parse(&p), DROP_TRANSPORT_MALFORMED);
    free(p.data);
}

static void extension_headers_are_walked(void **state)
{
    (void)state;
    /* Destination options, then a Fragment header, then UDP. */
    static const uint8_t extensions[] = {44, 0, 1, 4, 0, 0, 0, 0,
                                         17, 0, 0, 1, 9, 8, 7, 6};
    struct craft c = sample(true, 17);
    struct packet plain = craft_packet(&c);
    struct packet p = {.size = plain.size + sizeof extensions};
    p.data = malloc(p.size);
    memcpy(p.data, plain.data, 40);
    memcpy(p.data + 40, extensions, sizeof extensions);
    memcpy(p.data + 40 + sizeof extensions, plain.data + 40, plain.size - 40);
    p.data[6] = IP_DESTINATION_OPTIONS;
    store_u16(p.data + 4, (uint16_t)(p.size - 40));
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    assert_true(p.ip.options && p.ip.more_fragments);
    assert_int_equal(p.ip.fragment_offset, 0);
    assert_int_equal(p.ip.fragment_id, 0x09080706);
    assert_int_equal(p.ip.protocol, 17);
    assert_int_equal(p.ip.source_port, 40000);
    for (size_t size = 0; size < p.size; size++) {
        bool parsed;
        assert_int_not_equal(parse_prefix(&p, size, false, &parsed), DROP_NONE);
        (void)parse_prefix(&p, size, true, &parsed);
        assert_int_equal(parsed, size >= 40 + sizeof extensions + 8);
    }
    p.data[41] = 255; /* longer than the packet */
    assert_int_equal(ip_packet_parse(&p), DROP_IP_OPTIONS);
    free(p.data);
    free(plain.data);
}

/* Else the second one's word would hide that it is a fragment. */
static void a_second_fragment_header_is_refused(void **state)
{
    (void)state;
    static const uint8_t headers[] = {44, 0, 0, 1, 0, 0, 0, 1,
                                      6,  0, 0, 0, 0, 0, 0, 2};
    uint8_t memory[40 + sizeof headers + 20] = {0x60, 0, 0, 0, 0, 0, 44, 64};
    struct packet p = {.data = memory, .size = sizeof memory};
    store_u16(memory + 4, sizeof memory - 40);
    memcpy(memory + 40, headers, sizeof headers);
    store_u32(memory + 40 + sizeof headers, 0x00010002);
    memory[40 + sizeof headers + 12] = 0x50;
    assert_int_equal(ip_packet_parse(&p), DROP_IP_OPTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_short_transport_is_refused),
        cmocka_unit_test(padding_behind_the_packet_is_trimmed),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(offload_data_must_make_sense),
        cmocka_unit_test(extension_headers_are_walked),
        cmocka_unit_test(a_second_fragment_header_is_refused),
    };
    return cmocka_run_group_tests_name("ip_packet", tests, NULL, NULL);
}
