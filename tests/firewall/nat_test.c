#include "firewall/nat.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

/* ICMP in IPv6 and ICMPv6 in IPv4 are protocols like any other: nobody has
 * looked whether there is a header. */
static void icmp_of_the_other_family_is_left_alone(void **state)
{
    (void)state;
    const struct address ends4[] = {craft_address("10.8.0.2"),
                                    craft_address("192.0.2.2")};
    const struct address ends6[] = {craft_address("fd00:8::2"),
                                    craft_address("2001:db8::2")};
    uint8_t ipv4[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, IP_ICMPV6};
    uint8_t ipv6[40] = {0x60, 0, 0, 0, 0, 0, IP_ICMP, 64};
    ip_write_checksum(&(struct ip_packet){
        .data = ipv4, .family = ADDRESS_IPV4, .transport = sizeof ipv4});
    for (int v6 = 0; v6 < 2; v6++) {
        const struct address *ends = v6 ? ends6 : ends4;
        size_t size = v6 ? sizeof ipv6 : sizeof ipv4;
        uint8_t memory[40 + 8];
        memset(memory, 0xa5, sizeof memory);
        memcpy(memory, v6 ? ipv6 : ipv4, size);
        struct packet p = {.data = memory, .size = (uint32_t)size};
        assert_int_equal(ip_packet_parse(&p), DROP_NONE);
        nat_rewrite(&p, &(struct nat_ends){ends[0].bytes, ends[1].bytes, 7, 9});
        assert_memory_equal(ip_source(&p.ip), ends[0].bytes, v6 ? 16 : 4);
        for (size_t i = size; i < sizeof memory; i++)
            assert_int_equal(memory[i], 0xa5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(icmp_of_the_other_family_is_left_alone),
    };
    return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
