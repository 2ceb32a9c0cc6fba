#include "gateway/link/arp.h"
#include "tests/unit.h"

/* A request: "who has 10.137.255.254? tell 10.137.0.1". */
static const uint8_t who_has[ARP_SIZE] = {
    0, 1, 8, 0, 6, 4, 0,  1,             /* Ethernet, IPv4, request */
    2, 0, 0, 0, 0, 1, 10, 137, 0,   1,   /* sender */
    0, 0, 0, 0, 0, 0, 10, 137, 255, 254, /* target */
};

/* 10.137.255.254 is at fe:ff:ff:ff:ff:ff. */
static const uint8_t is_at[ARP_FRAME_SIZE] = {
    2,  0,   0,   0,   0, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 8,    6,
    0,  1,   8,   0,   6, 4, 0,    2,    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
    10, 137, 255, 254, 2, 0, 0,    0,    0,    1,    10,   137,  0,    1,
};

static const struct address own = {ADDRESS_IPV4, {10, 137, 0, 1}};

enum { OPERATION = 7, SENDER_MAC = 8, SENDER = 14, TARGET = 24 };

/* The answer to who_has with the byte at `at` changed. */
static bool answers_with(size_t at, uint8_t value)
{
    uint8_t changed[ARP_SIZE];
    uint8_t frame[ARP_FRAME_SIZE];
    struct arp_packet packet;
    memcpy(changed, who_has, sizeof changed);
    changed[at] = value;
    return arp_parse(bytes_of(changed, sizeof changed), &packet) &&
           arp_answer(&packet, &own, frame);
}

static void a_request_is_answered_with_the_gateways_mac(void **state)
{
    (void)state;
    struct arp_packet packet;
    uint8_t frame[ARP_FRAME_SIZE];
    assert_true(arp_parse(bytes_of(who_has, sizeof who_has), &packet));
    assert_int_equal(packet.operation, ARP_REQUEST);
    assert_true(arp_answer(&packet, &own, frame));
    assert_memory_equal(frame, is_at, sizeof frame);
}

static void an_answer_parses_as_a_reply(void **state)
{
    (void)state;
    struct arp_packet packet;
    uint8_t frame[ARP_FRAME_SIZE];
    assert_true(
        arp_parse(bytes_of(is_at + ETHERNET_HEADER_SIZE, ARP_SIZE), &packet));
    assert_int_equal(packet.operation, ARP_REPLY);
    assert_memory_equal(packet.sender_mac, ethernet_gateway_mac, 6);
    assert_memory_equal(packet.target_mac, is_at, 6);
    assert_true(address_equal(&packet.target, &own));
    assert_false(arp_answer(&packet, &own, frame));
}

static void padding_is_no_part_of_it(void **state)
{
    (void)state;
    uint8_t padded[46] = {0};
    struct arp_packet packet;
    memcpy(padded, who_has, sizeof who_has);
    assert_true(arp_parse(bytes_of(padded, sizeof padded), &packet));
}

static void every_truncated_packet_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < ARP_SIZE; size++) {
        uint8_t *copy = exact_copy(who_has, size);
        struct arp_packet packet = {.operation = 77};
        assert_false(arp_parse(bytes_of(copy, size), &packet));
        assert_int_equal(packet.operation, 77);
        free(copy);
    }
}

static void other_hardware_and_protocols_are_refused(void **state)
{
    (void)state;
    struct arp_packet packet;
    for (size_t at = 0; at < 6; at++) {
        uint8_t changed[ARP_SIZE];
        memcpy(changed, who_has, sizeof changed);
        changed[at] ^= 0x11;
        assert_false(arp_parse(bytes_of(changed, sizeof changed), &packet));
    }
}

static void the_qubes_own_address_stays_free(void **state)
{
    (void)state;
    struct arp_packet packet;
    uint8_t frame[ARP_FRAME_SIZE];
    uint8_t probe[ARP_SIZE];
    memcpy(probe, who_has, sizeof probe);
    memcpy(probe + TARGET, own.bytes, 4);
    memset(probe + SENDER, 0, 4); /* RFC 5227 */
    assert_true(arp_parse(bytes_of(probe, sizeof probe), &packet));
    assert_false(arp_answer(&packet, &own, frame));
}

static void announcements_are_ignored(void **state)
{
    (void)state;
    struct arp_packet packet;
    uint8_t frame[ARP_FRAME_SIZE];
    uint8_t announcement[ARP_SIZE];
    memcpy(announcement, who_has, sizeof announcement);
    memcpy(announcement + SENDER, announcement + TARGET, 4);
    assert_true(
        arp_parse(bytes_of(announcement, sizeof announcement), &packet));
    assert_false(arp_answer(&packet, &own, frame));
}

static void only_requests_of_one_station_are_answered(void **state)
{
    (void)state;
    assert_true(answers_with(OPERATION, ARP_REQUEST));
    assert_false(answers_with(OPERATION, ARP_REPLY));
    assert_false(answers_with(OPERATION, 0));
    assert_false(answers_with(OPERATION, 3));  /* RARP */
    assert_false(answers_with(SENDER_MAC, 3)); /* a group */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_with_the_gateways_mac),
        cmocka_unit_test(an_answer_parses_as_a_reply),
        cmocka_unit_test(padding_is_no_part_of_it),
        cmocka_unit_test(every_truncated_packet_is_refused),
        cmocka_unit_test(other_hardware_and_protocols_are_refused),
        cmocka_unit_test(the_qubes_own_address_stays_free),
        cmocka_unit_test(announcements_are_ignored),
        cmocka_unit_test(only_requests_of_one_station_are_answered),
    };
    return cmocka_run_group_tests_name("arp", tests, NULL, NULL);
}
