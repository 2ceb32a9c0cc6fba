#include "tests/router/world.h"

/* --- ICMP errors --------------------------------------------------------- */

/* An error about the packet that left last, quoting `quoted` bytes of it. */
static struct packet error_about(const struct world *w, const char *router,
                                 uint8_t type, uint8_t code, uint32_t rest,
                                 size_t quoted)
{
    static uint8_t message[2000];
    bool v6 = w->out[0] >> 4 == 6;
    memcpy(message, w->out, quoted);
    struct craft c = {
        .source = craft_address(router),
        .destination = address_from_bytes(v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                                          w->out + source_at(w->out)),
        .protocol = v6 ? 58 : 1,
        .icmp_type = type,
        .icmp_code = code,
        .icmp_rest = rest,
        .payload = bytes_of(message, quoted),
    };
    return craft_packet(&c);
}

static void errors_about_known_flows_reach_the_qube(void **state)
{
    (void)state;
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int i = 0; i < 6; i++) {
        struct world *w = world_new(64);
        bool v6 = i % 2;
        struct craft c = sample(v6, protocols[i / 2][v6]);
        struct packet sent = craft_packet(&c);
        size_t header = v6 ? 40 : 20, least = header + 8;
        open_flow(w, &c);
        static uint8_t left[2000];
        size_t left_size = w->out_size;
        memcpy(left, w->out, left_size);
        for (size_t quoted = 0; quoted <= left_size; quoted++) {
            memcpy(w->out, left, left_size);
            w->out_size = left_size;
            struct packet p =
                error_about(w, v6 ? "2001:db8:1::1" : "203.0.113.9", v6 ? 1 : 3,
                            1, 0, quoted);
            enum drop drop = down(w, p);
            if (quoted < least) {
                assert_int_equal(drop, DROP_ICMP_EMBEDDED);
                continue;
            }
            assert_int_equal(drop, DROP_NONE);
            assert_true(craft_checksums_right(w->out, w->out_size));
            assert_ptr_equal(w->packet.qube, w->first);
            /* The quoted packet is what the qube sent, but for the hop. */
            uint8_t *inner = w->out + header + 8;
            inner[v6 ? 7 : 8] = 64;
            if (!v6)
                memcpy(inner + 10, sent.data + 10, 2);
            /* Half a checksum cannot be patched. */
            size_t known = quoted;
            if (c.protocol == 6 && quoted == header + 17)
                known--;
            assert_memory_equal(inner, sent.data, known);
        }
        free(sent.data);
        world_free(w);
    }
}

static void an_error_must_quote_a_packet_of_ours(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 6);
    open_flow(w, &c);
    static uint8_t left[2000];
    memcpy(left, w->out, w->out_size);
    size_t size = w->out_size;
    static const struct {
        size_t at;
        uint8_t flip;
    } changes[] = {{12, 1}, {16, 1}, {20, 1}, {22, 1}, {9, 23}, {24, 0x40}};
    for (size_t i = 0; i < 6; i++) {
        memcpy(w->out, left, size);
        struct packet p = error_about(w, "203.0.113.9", 3, 1, 0, size);
        p.data[28 + changes[i].at] ^= changes[i].flip;
        store_u16(p.data + 22, 0);
        store_u16(p.data + 22,
                  checksum_finish(checksum_sum(p.data + 20, p.size - 20)));
        assert_int_equal(down(w, p), DROP_ICMP_EMBEDDED);
    }
    memcpy(w->out, left, size);
    struct packet p = error_about(w, "203.0.113.9", 3, 4, 67, size);
    assert_int_equal(down(w, p), DROP_ICMP_EMBEDDED); /* absurd MTU */
    memcpy(w->out, left, size);
    p = error_about(w, "203.0.113.9", 3, 4, 1400, size);
    p.data[p.size - 1] ^= 1;
    assert_int_equal(down(w, p), DROP_TRANSPORT_CHECKSUM);
    world_free(w);
}

/* Nobody outside speaks as the gateway or as another qube. */
static void an_error_in_our_own_name_is_dropped(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"10.139.1.1", "fe80::fcff:ffff:feff:ffff"},
        {"10.139.1.2", "fd09:24ef:4179::a89:5"},
        {"10.137.0.6", "fd09:24ef:4179::a89:5"},
        {"10.8.0.2", "fd00:8::2"},
    };
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        struct world *w = world_new(64);
        bool v6 = i % 2;
        struct craft c = sample(v6, 17);
        open_flow(w, &c);
        struct packet p =
            error_about(w, names[i / 2][v6], v6 ? 1 : 3, 0, 0, w->out_size);
        assert_int_equal(down(w, p), DROP_MARTIAN);
        world_free(w);
    }
}

static void errors_of_a_qube_go_out_translated(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    uint8_t sent[2000];
    size_t sent_size = w->out_size;
    memcpy(sent, w->out, sent_size);
    struct packet in = echoed(w);
    assert_int_equal(down(w, in), DROP_NONE);

    /* Port unreachable, about what it has just received. */
    static uint8_t quoted[2000];
    memcpy(quoted, w->out, w->out_size);
    struct craft error = {
        .source = craft_address("10.137.0.5"),
        .destination = craft_address("198.51.100.7"),
        .protocol = 1,
        .icmp_type = 3,
        .icmp_code = 3,
        .payload = bytes_of(quoted, w->out_size),
    };
    assert_int_equal(up(w, w->first, craft_packet(&error)), DROP_NONE);
    assert_true(craft_checksums_right(w->out, w->out_size));
    assert_memory_equal(w->out + 12, w->tunnel.ipv4.address.bytes, 4);
    assert_memory_equal(w->out + 28 + 12, sent + 16, 4);
    assert_memory_equal(w->out + 28 + 16, sent + 12, 4);
    assert_memory_equal(w->out + 28 + 20, sent + 22, 2);
    assert_memory_equal(w->out + 28 + 22, sent + 20, 2);

    /* To a third party, or about what it never got, it does not go. */
    struct craft wrong = error;
    wrong.destination = craft_address("198.51.100.8");
    assert_int_equal(up(w, w->first, craft_packet(&wrong)), DROP_ICMP_EMBEDDED);
    quoted[20] ^= 1;
    assert_int_equal(up(w, w->first, craft_packet(&error)), DROP_ICMP_EMBEDDED);
    world_free(w);
}

/* --- What the gateway says itself ---------------------------------------- */

static void refusals_are_answered_at_once(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        struct craft c = sample(v6, 17);
        c.ttl = 1;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TTL);
        expect_error(w, v6 ? 3 : 11, 0);
        c.ttl = 64;
        c.payload = bytes_of(w->payload, 1500);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TOO_BIG);
        expect_error(w, v6 ? 2 : 3, v6 ? 0 : 4);
        const uint8_t *t = w->replies.packets[0].data + (v6 ? 40 : 20);
        assert_int_equal(load_u32(t + 4), 1500);
        c.payload.size = 10;
        c.protocol = 136;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_PROTOCOL);
        expect_error(w, v6 ? 4 : 3, v6 ? 1 : 2);
        c.protocol = 17;
        router_tunnel_down(w->router, w->now);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TUNNEL_DOWN);
        expect_error(w, v6 ? 1 : 3, 0);
        router_tunnel_up(w->router, w->now, &w->tunnel);
    }
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "10.137.0.6"), DROP_QUBE_TO_QUBE);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &c, "10.8.0.2"), DROP_HAIRPIN);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_GATEWAY_SERVICE);
    expect_error(w, 3, 3);
    w->tunnel.redirect_ipv4 = false;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NO_ROUTE);
    expect_error(w, 3, 0);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

/* A packet that would need an outer fragment is too big, by the size that needs
 * none. A packet that may be cut is cut here instead. */
static void the_outer_path_bounds_what_a_qube_may_send(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const uint16_t most[] = {1348, 1348, 1228, 1280};
    for (int i = 0; i < 4; i++) {
        bool v6 = i % 2;
        w->tunnel.path_mtu = i < 2 ? 1348 : 1228;
        router_tunnel_up(w->router, w->now, &w->tunnel);
        struct craft c = sample(v6, 17);
        size_t headers = (v6 ? 40 : 20) + 8;
        c.payload = bytes_of(w->payload, most[i] - headers);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
        c.payload.size++;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TOO_BIG);
        expect_error(w, v6 ? 2 : 3, v6 ? 0 : 4);
        const uint8_t *t = w->replies.packets[0].data + (v6 ? 40 : 20);
        assert_int_equal(load_u32(t + 4), most[i]);
        c.dont_fragment = false;
        assert_int_equal(up(w, w->first, craft_packet(&c)),
                         v6 ? DROP_TOO_BIG : DROP_NONE);
    }
    world_free(w);
}

/* A sender of packets that a qube's network card has no room for is told so, if
 * a qube talks with it, and not too often. */
static void what_is_too_big_for_a_qube_is_refused_at_its_sender(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        size_t headers = v6 ? 48 : 28;
        struct craft c = sample(v6, 17);
        open_flow(w, &c);
        struct craft in = {
            .source = c.destination,
            .destination = v6 ? w->tunnel.ipv6.address : w->tunnel.ipv4.address,
            .protocol = 17,
            .source_port = c.destination_port,
            .destination_port = port_at(w, 0),
            .dont_fragment = true,
            .payload = bytes_of(w->payload, 1500 - headers),
        };
        assert_int_equal(down(w, craft_packet(&in)), DROP_NONE);
        in.payload.size++;
        assert_int_equal(down(w, craft_packet(&in)), DROP_TOO_BIG);
        expect_error(w, v6 ? 2 : 3, v6 ? 0 : 4);
        const struct packet *reply = &w->replies.packets[0];
        assert_int_equal(load_u32(reply->data + (v6 ? 44 : 24)), 1500);
        assert_memory_equal(reply->data + source_at(reply->data),
                            in.destination.bytes, address_bytes(reply->data));
        assert_null(reply->qube);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
        struct craft stranger = in;
        stranger.source_port++;
        assert_int_equal(down(w, craft_packet(&stranger)), DROP_NO_FLOW);
        assert_int_equal(w->replies.count, 0);
        in.dont_fragment = v6;
        assert_int_equal(down(w, craft_packet(&in)),
                         v6 ? DROP_TOO_BIG : DROP_NONE);
        in.dont_fragment = true;
        unsigned told = 0;
        for (int i = 0; i < 200; i++) {
            assert_int_equal(down(w, craft_packet(&in)), DROP_TOO_BIG);
            told += w->replies.count;
        }
        assert_true(told > 0 && told <= 50);
        w->now.us += 10 * 1000000LL;
    }
    world_free(w);
}

static void without_ipv6_it_is_refused_and_never_leaks(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(true, 6);
    w->tunnel.block_ipv6 = true;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_IPV6);
    expect_error(w, 1, 0);
    w->tunnel.block_ipv6 = false;
    w->tunnel.ipv6 = (struct prefix){0};
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_IPV6);
    expect_error(w, 1, 0);
    world_free(w);
}

static void noise_and_spoofing_are_dropped_in_silence(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    static const char *const groups[] = {"224.0.1.1", "239.255.255.250"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(up_to(w, &c, groups[i]), DROP_MARTIAN);
        assert_int_equal(w->replies.count, 0);
    }
    c = sample(true, 17);
    assert_int_equal(up_to(w, &c, "ff05::2"), DROP_MARTIAN);
    assert_int_equal(w->replies.count, 0);
    c = sample(false, 17);
    c.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_SPOOFED);
    assert_int_equal(w->replies.count, 0);
    c = sample(true, 17);
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_SPOOFED);
    assert_int_equal(up(w, NULL, craft_packet(&c)), DROP_UNKNOWN_QUBE);
    world_free(w);
}

/* Questions that every operating system asks by itself are no attempt to
 * deceive. */
static void what_a_qube_says_to_its_link_is_not_spoofing(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        enum drop drop;
    } table[] = {
        {"10.137.0.5", "224.0.0.251", DROP_LINK_LOCAL},
        {"0.0.0.0", "255.255.255.255", DROP_LINK_LOCAL},
        {"169.254.7.7", "224.0.0.22", DROP_LINK_LOCAL},
        {"10.137.0.6", "224.0.0.251", DROP_SPOOFED},
        {"169.254.7.7", "198.51.100.7", DROP_SPOOFED},
        {"0.0.0.0", "198.51.100.7", DROP_SPOOFED},
        {"fe80::216:3eff:fe5e:6c00", "ff02::2", DROP_LINK_LOCAL},
        {"::", "ff02::16", DROP_LINK_LOCAL},
        {"fd09:24ef:4179::a89:5", "ff02::fb", DROP_LINK_LOCAL},
        {"fe80::216:3eff:fe5e:6c00", "2001:db8::9", DROP_SPOOFED},
        {"fe80::216:3eff:fe5e:6c00", "ff05::2", DROP_SPOOFED},
        {"fd09::6", "ff02::2", DROP_SPOOFED},
        {"::", "2001:db8::9", DROP_SPOOFED},
    };
    struct world *w = world_new(64);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool v6 = craft_address(table[i].from).family == ADDRESS_IPV6;
        struct craft c = sample(v6, v6 ? 58 : 17);
        c.icmp_type = 133; /* router solicitation */
        c.source = craft_address(table[i].from);
        assert_int_equal(up_to(w, &c, table[i].to), table[i].drop);
        assert_int_equal(w->replies.count, 0);
    }
    world_free(w);
}

static void what_is_lost_behind_the_router_is_counted(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct qube *status;
    struct packet p = {.qube = w->second};
    router_lost(w->router, &p, DROP_UNCUTTABLE);
    status = w->second;
    assert_int_equal(status->drops.count[DROP_UNCUTTABLE], 1);
    p.qube = NULL;
    router_lost(w->router, &p, DROP_UNCUTTABLE);
    assert_int_equal(router_drops(w->router)->count[DROP_UNCUTTABLE], 1);
    world_free(w);
}

static void the_gateway_answers_ping(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct address gateway = craft_address("10.137.0.1");
    router_set_gateway_address(w->router, &gateway);
    static const char *const own[] = {"10.137.0.1", "10.139.1.1", "10.139.1.2",
                                      "10.8.0.2"};
    for (int i = 0; i < 5; i++) {
        struct craft c = sample(i == 4, i == 4 ? 58 : 1);
        c.ttl = 1;
        assert_int_equal(
            up_to(w, &c, i == 4 ? "fe80::fcff:ffff:feff:ffff" : own[i]),
            DROP_ANSWERED);
        assert_int_equal(w->replies.count, 1);
        const struct packet *p = &w->replies.packets[0];
        assert_ptr_equal(p->qube, w->first);
        assert_int_equal(p->size, w->out_size);
        assert_true(craft_checksums_right(p->data, p->size));
        size_t at = source_at(p->data), n = address_bytes(p->data);
        assert_memory_equal(p->data + at, w->out + at + n, n);
        assert_memory_equal(p->data + at + n, w->out + at, n);
        assert_int_equal(p->data[at + 2 * n], i == 4 ? 129 : 0);
    }
    router_tunnel_down(w->router, w->now);
    struct craft c = sample(false, 1);
    assert_int_equal(up_to(w, &c, "10.137.0.1"), DROP_ANSWERED);
    assert_int_equal(w->replies.count, 1);
    world_free(w);
}

/* The word about one qube's gateway leaves the others and IPv6 alone, and
 * dom0's word on what the qube sees counts before it. */
static void a_qube_may_know_the_gateway_by_an_address_of_its_own(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct address real = craft_address("10.137.0.5"),
                   own = craft_address("10.138.0.1"),
                   shown = craft_address("192.168.1.1"), unset = {0};
    struct craft ping = sample(false, 1), c6 = sample(true, 17),
                 other = sample(false, 1), udp = sample(false, 17);
    router_set_qube_gateway(w->router, &real, &own);
    assert_int_equal(up_to(w, &ping, "10.138.0.1"), DROP_ANSWERED);
    assert_int_equal(up_to(w, &udp, "10.138.0.1"), DROP_GATEWAY_SERVICE);
    expect_error(w, 3, 3);
    assert_memory_equal(w->replies.packets[0].data + 12, own.bytes, 4);
    assert_int_equal(up_to(w, &ping, "10.139.1.1"), DROP_ANSWERED);
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    other.source = craft_address("10.137.0.6");
    other.destination = own;
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);

    router_show_addresses(w->router, w->now, &real, &unset, &shown);
    assert_int_equal(up_to(w, &ping, "192.168.1.1"), DROP_ANSWERED);
    assert_true(up_to(w, &ping, "10.138.0.1") != DROP_ANSWERED);
    router_show_addresses(w->router, w->now, &real, &unset, &own);
    assert_int_equal(up_to(w, &ping, "10.138.0.1"), DROP_ANSWERED);
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    world_free(w);
}

/* Qubes' net.fake-ip: nothing that the qube sees tells where it is. */
static void a_qube_may_be_shown_other_addresses(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct address real = craft_address("10.137.0.5"),
                   visible = craft_address("192.168.1.2"),
                   gateway = craft_address("192.168.1.1"),
                   own = craft_address("10.137.0.1"), unset = {0};
    struct rules_entry only_web[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"), bytes_of_text("action=accept dstports=443")}};
    router_set_gateway_address(w->router, &own);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    router_show_addresses(w->router, w->now, &real, &visible, &gateway);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_SPOOFED);

    c.source = visible;
    open_flow(w, &c);
    struct packet back = echoed(w);
    assert_memory_equal(w->out + 12, w->tunnel.ipv4.address.bytes, 4);
    assert_int_equal(down(w, back), DROP_NONE);
    assert_ptr_equal(w->packet.qube, w->first);
    assert_memory_equal(w->out + 16, visible.bytes, 4);

    /* Rules are those of its real address; errors come from what it takes
     * for us, ping is answered there, and who we are it is not told. */
    router_set_rules(w->router, w->now, &real, only_web, 2);
    c.destination_port = 80;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    expect_error(w, 3, 13);
    assert_memory_equal(w->replies.packets[0].data + 12, gateway.bytes, 4);
    struct craft ping = sample(false, 1);
    ping.source = visible;
    assert_int_equal(up_to(w, &ping, "192.168.1.1"), DROP_ANSWERED);
    assert_int_equal(up_to(w, &ping, "10.139.1.1"), DROP_ANSWERED);
    assert_int_equal(up_to(w, &ping, "10.137.0.1"), DROP_QUBE_TO_QUBE);
    assert_int_equal(up_to(w, &ping, "10.137.0.5"), DROP_QUBE_TO_QUBE);
    assert_int_equal(up_to(w, &ping, "192.168.1.2"), DROP_QUBE_TO_QUBE);
    struct craft c6 = sample(true, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NO_IPV6);
    expect_error(w, 1, 0);

    /* The other one, and this one when it is over, see what is. */
    struct craft other = sample(false, 17);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    ping.source = other.source;
    ping.destination = own;
    assert_int_equal(up(w, w->second, craft_packet(&ping)), DROP_ANSWERED);
    router_show_addresses(w->router, w->now, &real, &real, &own);
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    router_show_addresses(w->router, w->now, &real, &unset, &unset);
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    c.source = real;
    c.destination_port = 443;
    open_flow(w, &c);
    world_free(w);
}

static void answers_are_limited_in_rate(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    router_tunnel_down(w->router, w->now);
    unsigned answered = 0;
    for (int i = 0; i < 1000; i++) {
        struct craft c = sample(false, 17);
        (void)up(w, w->first, craft_packet(&c));
        answered += w->replies.count;
    }
    assert_int_equal(answered, 50);
    w->now.us += 100 * 1000;
    for (int i = 0; i < 1000; i++) {
        struct craft c = sample(false, 17);
        (void)up(w, w->first, craft_packet(&c));
        answered += w->replies.count;
    }
    assert_int_equal(answered, 60);
    world_free(w);
}

static void floods_of_many_qubes_leave_answers_to_the_others(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    router_tunnel_down(w->router, w->now);
    struct craft c = sample(false, 17);
    for (uint8_t k = 1; k <= 20; k++) {
        char name[] = {'g', 'r', 'e', 'e', 'd', 'y', (char)('a' + k), 0};
        c.source = craft_address("10.137.1.0");
        c.source.bytes[3] = k;
        struct qube *qube =
            router_add_qube(w->router, w->now, name, &c.source, NULL);
        for (int i = 0; i < 60; i++)
            assert_int_equal(up(w, qube, craft_packet(&c)), DROP_TUNNEL_DOWN);
    }
    c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TUNNEL_DOWN);
    assert_int_equal(w->replies.count, 1);
    world_free(w);
}

static void a_connection_from_before_is_reset(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 6);
    c.flags = TCP_ACK | TCP_PSH;
    c.acknowledgement = 0xabcdef01;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_FLOW);
    assert_int_equal(w->replies.count, 1);
    const uint8_t *p = w->replies.packets[0].data;
    assert_true(craft_checksums_right(p, w->replies.packets[0].size));
    assert_int_equal(load_u16(p + 20), 443);
    assert_int_equal(load_u16(p + 22), 40000);
    assert_int_equal(load_u32(p + 24), 0xabcdef01);
    assert_int_equal(p[33], TCP_RST);
    c.flags = TCP_RST;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_FLOW);
    assert_int_equal(w->replies.count, 0);
    world_free(w);
}

/* --- DNS ----------------------------------------------------------------- */

static void dns_goes_to_the_tunnels_resolvers_only(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const char *const virtual[] = {"10.139.1.1", "10.139.1.2"};
    for (int i = 0; i < 4; i++) {
        struct craft c = sample(false, i % 2 ? 17 : 6);
        c.destination_port = 53;
        c.source_port = (uint16_t)(2000 + i);
        assert_int_equal(up_to(w, &c, virtual[i / 2]), DROP_NONE);
        assert_memory_equal(w->out + 16, w->tunnel.resolvers[i / 2].bytes, 4);
        assert_true(craft_checksums_right(w->out, w->out_size));
        struct packet answer = echoed(w);
        if (i % 2 == 0) { /* TCP: a SYN answered by SYN and ACK */
            answer.data[33] = TCP_SYN | TCP_ACK;
            store_u32(answer.data + 28, 1013);
        }
        assert_int_equal(down(w, answer), DROP_NONE);
        assert_memory_equal(w->out + 12, c.destination.bytes, 4);
        assert_memory_equal(w->out + 16, c.source.bytes, 4);
    }
    world_free(w);
}

static void one_resolver_serves_both_from_the_same_port(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    w->tunnel.resolver_count = 1;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    struct craft c = sample(false, 17);
    c.destination_port = 53;
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NONE);
    struct packet first = echoed(w);
    assert_int_equal(up_to(w, &c, "10.139.1.2"), DROP_NONE);
    struct packet second = echoed(w);
    assert_int_equal(down(w, first), DROP_NONE);
    assert_int_equal(w->out[15], 1);
    assert_int_equal(down(w, second), DROP_NONE);
    assert_int_equal(w->out[15], 2);
    world_free(w);
}

/* The resolver that a question from a new port goes to: 0 or 1. */
static int asked(struct world *w, const char *virtual)
{
    static uint16_t port = 5000;
    struct craft c = sample(false, 17);
    c.destination_port = 53;
    c.source_port = port++;
    assert_int_equal(up_to(w, &c, virtual), DROP_NONE);
    return memcmp(w->out + 16, w->tunnel.resolvers[0].bytes, 4) != 0;
}

static void a_silent_resolver_is_passed_over_for_a_while(void **state)
{
    (void)state;
    struct world *w = world_new(256);
    for (int i = 0; i < 3; i++)
        assert_int_equal(asked(w, "10.139.1.1"), 0);
    w->now.us += 2999999;
    assert_int_equal(asked(w, "10.139.1.1"), 0);
    w->now.us++;
    assert_int_equal(asked(w, "10.139.1.1"), 1);
    struct packet answer = echoed(w);
    assert_int_equal(down(w, answer), DROP_NONE);
    assert_memory_equal(w->out + 12, "\x0a\x8b\x01\x01", 4);
    assert_int_equal(asked(w, "10.139.1.2"), 1);
    /* It is tried again, and is back when it answers. */
    w->now.us += 57 * 1000000;
    assert_int_equal(asked(w, "10.139.1.1"), 0);
    answer = echoed(w);
    assert_int_equal(down(w, answer), DROP_NONE);
    for (int i = 0; i < 10; i++) {
        w->now.us += 1000000;
        assert_int_equal(asked(w, "10.139.1.1"), 0);
        answer = echoed(w);
        assert_int_equal(down(w, answer), DROP_NONE);
    }
    for (int i = 0; i < 10; i++) {
        w->now.us += 1000000;
        assert_int_equal(asked(w, "10.139.1.2"), 1);
        answer = echoed(w);
        assert_int_equal(down(w, answer), DROP_NONE);
    }
    /* If both are silent, each gets the questions that it is asked. */
    for (int i = 0; i < 4; i++) {
        w->now.us += 1000000;
        (void)asked(w, "10.139.1.1");
        (void)asked(w, "10.139.1.2");
    }
    assert_int_equal(asked(w, "10.139.1.1"), 0);
    assert_int_equal(asked(w, "10.139.1.2"), 1);
    world_free(w);
}

static void without_resolvers_dns_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    c.destination_port = 53;
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NONE);
    struct packet late = echoed(w);
    w->tunnel.resolvers[0] = craft_address("127.0.0.1");
    w->tunnel.resolvers[1] = craft_address("10.139.1.2");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(down(w, late), DROP_NO_FLOW);
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NO_RESOLVER);
    expect_error(w, 3, 3);
    assert_int_equal(up_to(w, &c, "10.139.1.2"), DROP_NO_RESOLVER);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_about_known_flows_reach_the_qube),
        cmocka_unit_test(an_error_must_quote_a_packet_of_ours),
        cmocka_unit_test(an_error_in_our_own_name_is_dropped),
        cmocka_unit_test(errors_of_a_qube_go_out_translated),
        cmocka_unit_test(refusals_are_answered_at_once),
        cmocka_unit_test(the_outer_path_bounds_what_a_qube_may_send),
        cmocka_unit_test(what_is_too_big_for_a_qube_is_refused_at_its_sender),
        cmocka_unit_test(without_ipv6_it_is_refused_and_never_leaks),
        cmocka_unit_test(noise_and_spoofing_are_dropped_in_silence),
        cmocka_unit_test(what_a_qube_says_to_its_link_is_not_spoofing),
        cmocka_unit_test(what_is_lost_behind_the_router_is_counted),
        cmocka_unit_test(the_gateway_answers_ping),
        cmocka_unit_test(a_qube_may_know_the_gateway_by_an_address_of_its_own),
        cmocka_unit_test(a_qube_may_be_shown_other_addresses),
        cmocka_unit_test(answers_are_limited_in_rate),
        cmocka_unit_test(floods_of_many_qubes_leave_answers_to_the_others),
        cmocka_unit_test(a_connection_from_before_is_reset),
        cmocka_unit_test(dns_goes_to_the_tunnels_resolvers_only),
        cmocka_unit_test(one_resolver_serves_both_from_the_same_port),
        cmocka_unit_test(a_silent_resolver_is_passed_over_for_a_while),
        cmocka_unit_test(without_resolvers_dns_is_refused),
    };
    return cmocka_run_group_tests_name("router_answers", tests, NULL, NULL);
}
