#include "tests/router/world.h"

/* Unusual packets: passed if they are harmless, else refused with a word. */

/* With IPv4 options or IPv6 extension headers, of a multiple of 8 bytes, the
 * first of that type. */
static struct packet with_options(const struct craft *c, uint8_t first,
                                  struct bytes options)
{
    bool v4 = c->source.family == ADDRESS_IPV4;
    size_t header = v4 ? 20 : 40;
    struct packet plain = craft_packet(c);
    struct packet p = {.size = plain.size + (uint32_t)options.size};
    p.data = malloc(p.size);
    memcpy(p.data, plain.data, header);
    memcpy(p.data + header, options.data, options.size);
    memcpy(p.data + header + options.size, plain.data + header,
           plain.size - header);
    free(plain.data);
    if (v4) {
        p.data[0] = (uint8_t)(0x45 + options.size / 4);
        store_u16(p.data + 2, (uint16_t)p.size);
        ip_write_checksum(&(struct ip_packet){
            .data = p.data,
            .family = ADDRESS_IPV4,
            .transport = (uint16_t)(header + options.size)});
    } else {
        p.data[40] = p.data[6];
        p.data[6] = first;
        store_u16(p.data + 4, (uint16_t)(p.size - 40));
    }
    return p;
}

#define BYTES(...)                                                             \
    bytes_of((const uint8_t[]){__VA_ARGS__},                                   \
             sizeof((const uint8_t[]){__VA_ARGS__}))

/* They pass both ways as they are, and what could lead elsewhere is refused
 * with a word. */
static void options_pass_where_they_are_harmless(void **state)
{
    (void)state;
    const struct {
        bool v6, passes;
        uint8_t first;
        struct bytes options;
    } table[] = {
        {false, true, 0, BYTES(148, 4, 0, 0, 1, 1, 1, 0)},    /* router alert */
        {false, true, 0, BYTES(7, 7, 4, 0, 0, 0, 0, 0)},      /* record route */
        {false, true, 0, BYTES(68, 8, 5, 0, 0, 0, 0, 0)},     /* timestamp */
        {false, false, 0, BYTES(131, 7, 4, 192, 0, 2, 1, 0)}, /* source route */
        {false, false, 0, BYTES(1, 137, 7, 4, 192, 0, 2, 1)}, /* strict */
        {false, false, 0, BYTES(77, 8, 0, 0, 0, 0, 0, 0)},    /* unknown */
        {false, false, 0, BYTES(148, 9, 0, 0, 0, 0, 0, 0)},   /* too long */
        {false, false, 0, BYTES(148, 1, 0, 0, 0, 0, 0, 0)},   /* too short */
        {true, true, 0, BYTES(0, 0, 5, 2, 0, 0, 1, 0)},       /* router alert */
        {true, true, 60, BYTES(0, 0, 1, 4, 0, 0, 0, 0)},      /* padding */
        {true, true, 60, BYTES(0, 0, 0x1e, 4, 0, 0, 0, 0)},  /* unknown: skip */
        {true, false, 0, BYTES(0, 0, 0x5e, 4, 0, 0, 0, 0)},  /* : discard */
        {true, false, 60, BYTES(0, 0, 0xc9, 4, 0, 0, 0, 0)}, /* home address */
        {true, false, 60, BYTES(0, 0, 1, 5, 0, 0, 0, 0)},    /* too long */
        {true, false, 43, BYTES(0, 0, 0, 0, 0, 0, 0, 0)},    /* routing */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct world *w = world_new(64);
        struct craft c = sample(table[i].v6, 17);
        enum drop drop =
            up(w, w->first, with_options(&c, table[i].first, table[i].options));
        assert_int_equal(drop, table[i].passes ? DROP_NONE : DROP_IP_OPTIONS);
        if (table[i].passes) {
            size_t header = c.source.family == ADDRESS_IPV4 ? 20 : 42;
            size_t skipped = header == 20 ? 0 : 2;
            assert_memory_equal(w->out + header,
                                table[i].options.data + skipped,
                                table[i].options.size - skipped);
            struct packet plain = craft_packet(&c);
            assert_int_equal(w->out_size, plain.size + table[i].options.size);
            free(plain.data);
        } else {
            expect_error(w, table[i].v6 ? 1 : 3, table[i].v6 ? 1 : 13);
        }
        world_free(w);
    }
}

static void packets_with_options_are_whole_and_answered(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    const struct bytes alert = BYTES(148, 4, 0, 0);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, 1460);
    assert_int_equal(up(w, w->first, with_options(&c, 0, alert)), DROP_NONE);
    c.payload.size = 1480;
    assert_int_equal(up(w, w->first, with_options(&c, 0, alert)), DROP_TOO_BIG);
    expect_error(w, 3, 4);
    c.payload.size = 100;
    struct packet p = with_options(&c, 0, alert);
    store_u16(p.data + 6, 0x2000);
    ip_write_checksum(&(struct ip_packet){
        .data = p.data, .family = ADDRESS_IPV4, .transport = 24});
    assert_int_equal(up(w, w->first, p), DROP_IP_OPTIONS);
    expect_error(w, 3, 13);

    /* An answer may have them, too; what leads elsewhere is not told. */
    c.payload.size = 12;
    open_flow(w, &c);
    struct craft back = {
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 17,
        .source_port = c.destination_port,
        .destination_port = port_at(w, 0),
        .payload = bytes_of_text("hello"),
    };
    assert_int_equal(down(w, with_options(&back, 0, alert)), DROP_NONE);
    assert_ptr_equal(w->packet.qube, w->first);
    assert_int_equal(
        down(w, with_options(&back, 0, BYTES(131, 7, 4, 192, 0, 2, 1, 0))),
        DROP_IP_OPTIONS);
    assert_int_equal(w->replies.count, 0);
    world_free(w);
}

static void what_cannot_go_anywhere_is_refused_with_a_word(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const char *const martians[] = {
        "240.0.0.1", "255.255.255.254", "169.254.1.1", "127.0.0.1", "0.0.0.0"};
    struct craft c = sample(false, 17), c6 = sample(true, 17);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(up_to(w, &c, martians[i]), DROP_MARTIAN);
        expect_error(w, 3, 0);
    }
    assert_int_equal(up_to(w, &c6, "::ffff:1.2.3.4"), DROP_MARTIAN);
    expect_error(w, 1, 0);
    assert_int_equal(up_to(w, &c6, "fe80::1"), DROP_MARTIAN);
    expect_error(w, 1, 0);
    for (int i = 0; i < 8; i++) {
        struct craft zero = sample(i & 1, i & 2 ? 17 : 6);
        *(i & 4 ? &zero.source_port : &zero.destination_port) = 0;
        assert_int_equal(up(w, w->first, craft_packet(&zero)), DROP_PORT_ZERO);
        expect_error(w, i & 1 ? 1 : 3, i & 1 ? 1 : 13);
    }
    world_free(w);
}

/* The ICMP questions echo and timestamp pass; others are refused, and a message
 * that is no question is not answered. */
static void icmp_that_does_not_pass_is_told(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const struct {
        uint8_t protocol, type;
        bool told;
    } table[] = {
        {1, 15, true},   {1, 17, true},   {1, 0, false},
        {1, 14, false},  {1, 5, false},   {1, 200, false},
        {58, 139, true}, {58, 200, true}, {58, 100, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct craft c = sample(table[i].protocol == 58, table[i].protocol);
        c.icmp_type = table[i].type;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_ICMP_TYPE);
        if (table[i].told)
            expect_error(w, c.protocol == 58 ? 1 : 3,
                         c.protocol == 58 ? 1 : 13);
        else
            assert_int_equal(w->replies.count, 0);
    }
    world_free(w);
}

static void icmp_timestamps_pass(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 1), echo = sample(false, 1);
    c.icmp_type = 13;
    c.payload = bytes_of_text("\1\2\3\4\0\0\0\0\0\0\0");
    c.payload.size = 12;
    open_flow(w, &c);
    open_flow(w, &echo);
    assert_int_equal(router_flow_count(w->router), 2);
    open_flow(w, &c);
    struct craft back = {
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 1,
        .icmp_type = 14,
        .icmp_rest = load_u32(w->out + 24),
        .payload = c.payload,
    };
    assert_int_equal(down(w, craft_packet(&back)), DROP_NONE);
    assert_ptr_equal(w->packet.qube, w->first);
    assert_int_equal(load_u32(w->out + 24), c.icmp_rest);
    back.icmp_type = 13;
    assert_int_equal(down(w, craft_packet(&back)), DROP_NO_FLOW);
    back.icmp_type = 14;
    w->now.us += 61000000;
    assert_int_equal(down(w, craft_packet(&back)), DROP_NO_FLOW);

    /* Rules tell it from an echo. */
    struct address a = craft_address("10.137.0.5");
    struct rules_entry only_echo[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"),
         bytes_of_text("action=accept proto=icmp icmptype=8")}};
    open_flow(w, &c);
    router_set_rules(w->router, w->now, &a, only_echo, 2);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_int_equal(up(w, w->first, craft_packet(&echo)), DROP_NONE);
    only_echo[1].value = bytes_of_text("action=accept proto=icmp icmptype=13");
    router_set_rules(w->router, w->now, &a, only_echo, 2);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    assert_int_equal(up(w, w->first, craft_packet(&echo)), DROP_RULE);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_pass_where_they_are_harmless),
        cmocka_unit_test(packets_with_options_are_whole_and_answered),
        cmocka_unit_test(what_cannot_go_anywhere_is_refused_with_a_word),
        cmocka_unit_test(icmp_that_does_not_pass_is_told),
        cmocka_unit_test(icmp_timestamps_pass),
    };
    return cmocka_run_group_tests_name("router_refusals", tests, NULL, NULL);
}
