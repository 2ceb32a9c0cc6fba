#include "tests/router/world.h"

static const uint8_t mss_option[] = {2, 4, 0x05, 0xb4};

/* --- Translation --------------------------------------------------------- */

static void what_comes_back_is_what_was_sent(void **state)
{
    (void)state;
    struct world *w = world_new(4096);
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int i = 0; i < 1500; i++) {
        bool v6 = i % 2;
        struct craft c = sample(v6, protocols[i % 3][v6]);
        c.source_port = (uint16_t)(1 + craft_below(&w->seed, 65535));
        c.destination_port = (uint16_t)(1 + craft_below(&w->seed, 65535));
        craft_fill(&w->seed, c.destination.bytes, v6 ? 16 : 4);
        c.destination.bytes[0] = v6 ? 0x20 : 99;
        c.icmp_rest = (uint32_t)craft_random(&w->seed);
        c.payload = bytes_of(w->payload, craft_below(&w->seed, 1300));
        c.udp_without_checksum = !v6 && i % 7 == 0;
        struct packet before = craft_packet(&c);
        open_flow(w, &c);
        const struct address *own =
            v6 ? &w->tunnel.ipv6.address : &w->tunnel.ipv4.address;
        assert_memory_equal(w->out + source_at(w->out), own->bytes,
                            address_bytes(w->out));
        assert_memory_equal(w->out + source_at(w->out) + address_bytes(w->out),
                            c.destination.bytes, address_bytes(w->out));

        /* Its echo, back at the qube, is the echo of what it sent. */
        assert_int_equal(down(w, echoed(w)), DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->first);
        assert_true(craft_checksums_right(w->out, w->out_size));
        struct packet again = echoed(w);
        again.data[v6 ? 7 : 8] = 64;
        if (!v6) {
            store_u16(again.data + 10, 0);
            store_u16(again.data + 10,
                      checksum_finish(checksum_sum(again.data, 20)));
        } else {
            assert_int_equal(w->out[7], 62);
        }
        if (c.protocol == 1 || c.protocol == 58) {
            /* echoed() made it a reply; the qube had sent a request */
            again.data[v6 ? 40 : 20] = before.data[v6 ? 40 : 20];
            memcpy(again.data + (v6 ? 42 : 22), before.data + (v6 ? 42 : 22),
                   2);
        }
        assert_int_equal(again.size, before.size);
        assert_memory_equal(again.data, before.data, before.size);
        free(again.data);
        free(before.data);
    }
    world_free(w);
}

static void a_super_packet_goes_the_way_of_its_segments(void **state)
{
    (void)state;
    static const struct burst_layout layout = {.head = 24, .tail = 16};
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (int i = 0; i < 60; i++) {
        struct world *whole = world_new(64), *parts = world_new(64);
        struct craft c = sample(i % 2, i % 5 == 4 ? 17 : 6);
        if (c.protocol == 6) {
            struct craft copy = c;
            establish(parts, &copy);
            establish(whole, &c);
        }
        uint16_t mss = (uint16_t)(100 + craft_below(&whole->seed, 1300));
        c.dont_fragment = i % 3 > 0;
        c.payload =
            bytes_of(whole->payload, 1 + craft_below(&whole->seed, 20000));
        assert_int_equal(up(whole, whole->first, craft_super_packet(&c, mss)),
                         DROP_NONE);
        assert_true(
            craft_partial_right(whole->out, whole->out_size, whole->out_size));
        struct segment_cursor cursor = {0};
        burst_reset(b);
        assert_int_equal(
            parsed_segment(&whole->packet, 1500, &layout, &cursor, b),
            SEGMENT_DONE);
        for (size_t s = 0, at = 0; s < b->count; s++, at += mss) {
            struct craft one = c;
            size_t left = c.payload.size - at;
            one.payload =
                bytes_of(c.payload.data + at, left < mss ? left : mss);
            one.sequence += (uint32_t)at;
            one.id = (uint16_t)(one.id + s);
            assert_int_equal(up(parts, parts->first, craft_packet(&one)),
                             DROP_NONE);
            const struct datagram *d = &b->datagrams[s];
            assert_int_equal(d->inner_size, parts->out_size);
            assert_memory_equal(d->data + d->inner_offset, parts->out,
                                parts->out_size);
            assert_true(craft_checksums_right(parts->out, parts->out_size));
        }
        world_free(whole);
        world_free(parts);
    }
    burst_clear(b);
    free(b);
}

static void one_port_stands_for_one_port_everywhere(void **state)
{
    (void)state;
    struct world *w = world_new(1024);
    struct craft c = sample(false, 17);
    c.source_port = 53000;
    open_flow(w, &c);
    assert_int_equal(port_at(w, 0), 53000); /* free, so kept */
    for (int i = 0; i < 50; i++) {
        c.destination.bytes[3] = (uint8_t)(10 + i);
        c.destination_port = (uint16_t)(1000 + i);
        open_flow(w, &c);
        assert_int_equal(port_at(w, 0), 53000);
    }
    /* The other qube's same port is another one. */
    c.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    assert_int_not_equal(port_at(w, 0), 53000);
    assert_true(port_at(w, 0) >= 1024);
    world_free(w);
}

/* ESP, GRE and SCTP have no port to be told apart by: whoever was first with
 * a remote address has it. */
static void protocols_without_ports_are_told_apart_by_address(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const uint8_t protocols[] = {47, 50, 132};
    for (size_t i = 0; i < 3; i++) {
        struct craft c = sample(false, protocols[i]), other = c;
        other.source = craft_address("10.137.0.6");
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
        assert_memory_equal(w->out + 12, w->tunnel.ipv4.address.bytes, 4);
        struct packet back = echoed(w);
        struct craft error = {
            .source = craft_address("203.0.113.9"),
            .destination = w->tunnel.ipv4.address,
            .protocol = 1,
            .icmp_type = 3,
            .icmp_code = 1,
            .payload = bytes_of(w->out, w->out_size),
        };
        struct packet unreachable = craft_packet(&error);
        assert_int_equal(up(w, w->second, craft_packet(&other)),
                         DROP_HOST_TAKEN);
        other.destination = craft_address("198.51.100.8");
        assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
        assert_int_equal(down(w, unreachable), DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->first);
        assert_int_equal(down(w, back), DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->first);
        assert_memory_equal(w->out + 16, c.source.bytes, 4);
        assert_memory_equal(w->out + 20, "\x00\x00", 2);
    }
    world_free(w);
}

static void mss_never_leads_beyond_the_mtu(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const uint16_t sizes[][4] = {
        {1500, 0, 0, 1460},    {1400, 0, 0, 1360},    {1400, 1450, 0, 1360},
        {1400, 1300, 0, 1260}, {1500, 0, 1348, 1308}, {1500, 1300, 1348, 1260},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        w->tunnel.mtu = sizes[i][0];
        w->tunnel.mss_mtu = sizes[i][1];
        w->tunnel.path_mtu = sizes[i][2];
        router_tunnel_up(w->router, w->now, &w->tunnel);
        struct craft c = sample(false, 6);
        c.source_port = (uint16_t)(3000 + i);
        c.tcp_options = bytes_of(mss_option, sizeof mss_option);
        c.payload.size = 0;
        open_flow(w, &c);
        assert_int_equal(port_at(w, 22), sizes[i][3]);
    }
    world_free(w);
}

static void mss_is_lowered_both_ways(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        uint16_t most = v6 ? 1340 : 1360;
        for (int partial = 0; partial < 2; partial++) {
            struct craft c = sample(v6, 6);
            c.source_port = (uint16_t)(1000 + partial);
            c.tcp_options = bytes_of(mss_option, sizeof mss_option);
            c.payload.size = 0;
            struct packet p =
                partial ? craft_super_packet(&c, 0) : craft_packet(&c);
            assert_int_equal(up(w, w->first, p), DROP_NONE);
            assert_int_equal(port_at(w, 22), most);
            if (partial)
                assert_true(
                    craft_partial_right(w->out, w->out_size, w->out_size));
            else
                assert_true(craft_checksums_right(w->out, w->out_size));
        }
    }
    struct craft c = sample(false, 6);
    c.source_port = 999;
    open_flow(w, &c);
    c = (struct craft){
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 6,
        .source_port = 443,
        .destination_port = port_at(w, 0),
        .sequence = 9,
        .acknowledgement = 1013,
        .flags = TCP_SYN | TCP_ACK,
        .tcp_options = bytes_of(mss_option, sizeof mss_option),
    };
    assert_int_equal(down(w, craft_packet(&c)), DROP_NONE);
    assert_int_equal(port_at(w, 22), 1360);
    assert_true(craft_checksums_right(w->out, w->out_size));
    world_free(w);
}

/* --- What may come in ---------------------------------------------------- */

static void nothing_comes_in_without_a_flow(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    uint16_t port = port_at(w, 0);
    struct craft in = {
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 17,
        .source_port = 443,
        .destination_port = port,
    };
    assert_int_equal(down(w, craft_packet(&in)), DROP_NONE);
    struct craft other = in;
    other.source_port = 444;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.source = craft_address("198.51.100.8");
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.destination_port++;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.protocol = 6;
    other.flags = TCP_SYN;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.destination = craft_address("10.137.0.5");
    assert_int_equal(down(w, craft_packet(&other)), DROP_MARTIAN);
    other = in;
    other.ttl = 1;
    assert_int_equal(down(w, craft_packet(&other)), DROP_TTL);
    other = in;
    other.protocol = 1;
    other.icmp_type = 8;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other.icmp_type = 5; /* redirect */
    assert_int_equal(down(w, craft_packet(&other)), DROP_ICMP_TYPE);
    assert_int_equal(router_drops(w->router)->count[DROP_NO_FLOW], 5);
    world_free(w);
}

/* A program of the qube may listen where it had a connection. */
static void no_connection_is_opened_from_outside(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 6);
    establish(w, &c);
    open_flow(w, &c);
    struct craft server = {
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 6,
        .source_port = 443,
        .destination_port = port_at(w, 0),
        .sequence = 5001,
        .acknowledgement = c.sequence,
        .flags = TCP_FIN | TCP_ACK,
        .window = 60000,
    };
    struct craft syn = server;
    syn.flags = TCP_SYN;
    for (int i = 0; i < 3; i++) {
        for (uint32_t k = 0; k < 100; k++) {
            syn.sequence = 5001 + k * 0x02000000;
            assert_int_equal(down(w, craft_packet(&syn)), DROP_FLOW_STATE);
        }
        if (i == 0)
            assert_int_equal(down(w, craft_packet(&server)), DROP_NONE);
        c.acknowledgement = 5002;
        c.flags = i == 0 ? TCP_FIN | TCP_ACK : TCP_RST | TCP_ACK;
        c.sequence += (uint32_t)i;
        open_flow(w, &c);
    }
    assert_int_equal(router_drops(w->router)->count[DROP_FLOW_STATE], 300);
    world_free(w);
}

static void random_packets_from_outside_open_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(1024);
    for (int i = 0; i < 100; i++) {
        struct craft c = sample(false, i % 2 ? 6 : 17);
        c.source_port = (uint16_t)(20000 + i);
        c.payload.size = 0;
        open_flow(w, &c);
    }
    for (int i = 0; i < 20000; i++) {
        struct craft c = {
            .source = craft_address("198.51.100.7"),
            .destination = w->tunnel.ipv4.address,
            .protocol = i % 3 == 0   ? 1
                        : i % 3 == 1 ? 6
                                     : 17,
            .source_port = 442,
            .destination_port = (uint16_t)(20000 + craft_below(&w->seed, 100)),
            .flags = (uint8_t)craft_random(&w->seed),
            .icmp_type = (uint8_t)craft_random(&w->seed),
            .payload = bytes_of(w->payload, craft_below(&w->seed, 100)),
        };
        assert_int_not_equal(down(w, craft_packet(&c)), DROP_NONE);
    }
    assert_int_equal(router_flow_count(w->router), 100);
    world_free(w);
}

/* --- Lives of flows ------------------------------------------------------ */

static void flows_end_when_their_time_is_over(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft udp = sample(false, 17);
    open_flow(w, &udp);
    struct packet answer = echoed(w);
    struct packet again = echoed(w);
    assert_int_equal(down(w, answer), DROP_NONE);
    w->now.us += 299 * 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 1);
    w->now.us += 1000000LL;
    assert_false(instant_is_never(router_deadline(w->router)));
    assert_true(router_deadline(w->router).us <= w->now.us);
    assert_int_equal(down(w, again), DROP_NO_FLOW);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_true(instant_is_never(router_deadline(w->router)));

    struct craft tcp = sample(false, 6);
    establish(w, &tcp);
    assert_int_equal(up(w, w->first, craft_packet(&tcp)), DROP_NONE);
    w->now.us += 7439 * 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 1);
    w->now.us += 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

static void a_new_tunnel_address_ends_flows_the_same_keeps_them(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17), c6 = sample(true, 17);
    open_flow(w, &c);
    open_flow(w, &c6);
    router_tunnel_down(w->router, w->now);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(router_flow_count(w->router), 2);
    w->tunnel.ipv4.address = craft_address("10.8.0.3");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(router_flow_count(w->router), 1);
    router_remove_qube(w->router, w->first);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

/* A qube that only listens learns of it too: nothing that it sends would tell
 * it. */
static void connections_through_an_old_address_are_reset(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        struct craft stands = sample(v6, 6), waits = sample(v6, 6);
        struct craft datagram = sample(v6, 17);
        establish(w, &stands);
        open_flow(w, &stands);
        waits.source_port++;
        open_flow(w, &waits);
        open_flow(w, &datagram);
        packet_batch_reset(&w->replies);
        assert_true(
            router_reset_flows(w->router, w->now, &w->tunnel, &w->replies));
        assert_int_equal(w->replies.count, 0);
        struct tunnel other = w->tunnel;
        (v6 ? &other.ipv6 : &other.ipv4)->address.bytes[v6 ? 15 : 3] ^= 4;
        /* No room is no loss. */
        struct packet_batch none = w->replies;
        none.capacity = 0;
        assert_false(router_reset_flows(w->router, w->now, &other, &none));
        assert_true(router_reset_flows(w->router, w->now, &other, &w->replies));
        router_tunnel_up(w->router, w->now, &other);
        w->tunnel = other;
        assert_int_equal(router_flow_count(w->router), 0);
        assert_int_equal(w->replies.count, 1);
        const struct packet *p = &w->replies.packets[0];
        assert_ptr_equal(p->qube, w->first);
        assert_true(craft_checksums_right(p->data, p->size));
        size_t at = source_at(p->data), n = address_bytes(p->data);
        const uint8_t *t = p->data + (v6 ? 40 : 20);
        assert_memory_equal(p->data + at, stands.destination.bytes, n);
        assert_memory_equal(p->data + at + n, stands.source.bytes, n);
        assert_int_equal(load_u16(t), stands.destination_port);
        assert_int_equal(load_u16(t + 2), stands.source_port);
        assert_int_equal(load_u32(t + 4), stands.acknowledgement);
        assert_int_equal(load_u32(t + 8), stands.sequence);
        assert_int_equal(t[13], TCP_RST | TCP_ACK);
        /* The qube's packet about a wrong number is answered, too. */
        assert_int_equal(up(w, w->first, craft_packet(&stands)), DROP_NO_FLOW);
        assert_int_equal(w->replies.count, 1);
        /* The SYN that was on its way goes again, from the new address. */
        open_flow(w, &waits);
        assert_memory_equal(w->out + source_at(w->out),
                            (v6 ? &other.ipv6 : &other.ipv4)->address.bytes, n);
        other = w->tunnel;
        (v6 ? &other.ipv6 : &other.ipv4)->address.bytes[v6 ? 15 : 3] ^= 4;
        router_tunnel_up(w->router, w->now, &other);
        w->tunnel = other;
    }
    world_free(w);
}

/* Another server may give the same address, and lead elsewhere. */
static void flows_that_the_tunnel_does_not_carry_any_more_end(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft stands = sample(false, 6), datagram = sample(false, 17);
    struct craft carried = sample(false, 17), dns = sample(false, 17);
    dns.destination_port = 53;
    establish(w, &stands);
    open_flow(w, &stands);
    open_flow(w, &datagram);
    assert_int_equal(up_to(w, &carried, "203.0.113.9"), DROP_NONE);
    assert_int_equal(up_to(w, &dns, "10.139.1.2"), DROP_NONE);
    struct tunnel split = w->tunnel;
    split.redirect_ipv4 = false;
    split.route_count = 1;
    split.routes[0].prefix = prefix_of(&carried.destination, 24);
    packet_batch_reset(&w->replies);
    assert_true(router_reset_flows(w->router, w->now, &split, &w->replies));
    assert_int_equal(w->replies.count, 1);
    assert_int_equal(w->replies.packets[0].data[33], TCP_RST | TCP_ACK);
    router_tunnel_up(w->router, w->now, &split);
    assert_int_equal(router_flow_count(w->router), 2);
    assert_int_equal(up(w, w->first, craft_packet(&datagram)), DROP_NO_ROUTE);
    assert_int_equal(up(w, w->first, craft_packet(&carried)), DROP_NONE);
    assert_int_equal(up(w, w->first, craft_packet(&dns)), DROP_NONE);
    world_free(w);
}

static void a_greedy_qube_cannot_push_out_another(void **state)
{
    (void)state;
    struct world *w = world_new(65536);
    struct craft other = sample(false, 6);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    struct packet late = echoed(w);
    late.data[33] = TCP_SYN | TCP_ACK;
    unsigned passed = 0;
    struct craft c = sample(false, 17);
    for (uint32_t i = 0; i < 65536; i++) {
        c.source_port = (uint16_t)(1024 + i % 60000);
        c.destination_port = (uint16_t)(1 + i / 60000);
        w->now.us += 500;
        passed += up(w, w->first, craft_packet(&c)) == DROP_NONE;
    }
    assert_int_equal(passed, 65536); /* its own oldest made room */
    /* Half of the ports are its, some less than half of the flows. */
    assert_int_equal(router_flow_count(w->router), 1 + (64512 - 64) / 2);
    assert_int_equal(down(w, late), DROP_NONE);
    assert_ptr_equal(w->packet.qube, w->second);
    for (int i = 0; i < 200; i++) {
        other.source_port = (uint16_t)(3000 + i);
        assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    }
    world_free(w);
}

static void unanswered_connections_end_for_newer_ones(void **state)
{
    (void)state;
    struct world *w = world_new(65536);
    struct craft stands = sample(false, 6), datagram = sample(false, 17);
    establish(w, &stands);
    open_flow(w, &stands);
    open_flow(w, &datagram);
    struct craft other = sample(false, 6);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    struct craft c = sample(false, 6);
    c.payload.size = 0;
    for (uint16_t i = 0; i < 3000; i++) {
        c.source_port = (uint16_t)(1024 + i);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
        assert_true(router_flow_count(w->router) <= 3 + 512);
    }
    assert_int_equal(router_flow_count(w->router), 3 + 512);
    struct packet newest = echoed(w);
    newest.data[33] = TCP_SYN | TCP_ACK;
    store_u32(newest.data + 28, c.sequence + 1);
    assert_int_equal(down(w, newest), DROP_NONE);
    /* Neither what stands nor what is no connection had to go. */
    stands.payload.size = 12;
    assert_int_equal(up(w, w->first, craft_packet(&stands)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    world_free(w);
}

/* Connections that stand do not end for new ones, whosever they are. */
static void who_has_all_its_flows_is_told_so(void **state)
{
    (void)state;
    enum { TABLE = 1024, HALF = TABLE / 2 };
    struct world *w = world_new(TABLE);
    const struct qube *status;
    for (uint16_t i = 0; i < HALF; i++) {
        struct craft c = sample(false, 6);
        c.source_port = (uint16_t)(3000 + i);
        establish(w, &c);
        open_flow(w, &c); /* the acknowledgement */
    }
    struct craft more = sample(false, 6);
    for (uint16_t i = 0; i < 3; i++) {
        more.source_port = (uint16_t)(2000 + i);
        w->now.us += 1000000;
        assert_int_equal(up(w, w->first, craft_packet(&more)), DROP_FLOWS_FULL);
        expect_error(w, 3, 13);
    }
    status = w->first;
    assert_int_equal(status->drops.count[DROP_FLOWS_FULL], 3);
    assert_int_equal(status->flows[QUBE_FLOWS].count, HALF);
    struct craft other = sample(false, 6);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    world_free(w);
}

static void new_flows_are_limited_in_rate(void **state)
{
    (void)state;
    struct world *w = world_new(65536);
    struct craft c = sample(false, 17), known = c, other = c;
    other.source = craft_address("10.137.0.6");
    open_flow(w, &known);
    unsigned opened = 1;
    for (int i = 0; i < 10000; i++) {
        c.source_port = (uint16_t)(1024 + i);
        enum drop drop = up(w, w->first, craft_packet(&c));
        assert_true(drop == DROP_NONE || drop == DROP_FLOW_RATE);
        opened += drop == DROP_NONE;
    }
    assert_int_equal(opened, 8000);
    w->now.us += 1000000;
    c.source_port = 900;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    for (int i = 0; i < 2000; i++)
        (void)up(w, w->first,
                 craft_packet(&(struct craft){
                     .source = c.source,
                     .destination = c.destination,
                     .protocol = 17,
                     .source_port = (uint16_t)(20000 + i),
                     .destination_port = 443,
                 }));
    assert_int_equal(router_flow_count(w->router), 10000);
    c.source_port = 901;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_FLOW_RATE);
    /* Standing flows go on, and the other qube has a rate of its own. */
    assert_int_equal(up(w, w->first, craft_packet(&known)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    world_free(w);
}

static void qubes_are_counted_apart(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct qube *status;
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    struct packet back = echoed(w);
    assert_int_equal(down(w, back), DROP_NONE);
    assert_int_equal(up_to(w, &c, "127.0.0.1"), DROP_MARTIAN);
    status = w->first;
    assert_string_equal(status->name, "first");
    assert_int_equal(status->flows[QUBE_FLOWS].count, 1);
    assert_int_equal(status->packets_up, 1);
    assert_int_equal(status->packets_down, 1);
    assert_int_equal(status->bytes_up, 40);
    assert_int_equal(status->drops.count[DROP_MARTIAN], 1);
    status = w->second;
    assert_int_equal(status->packets_up, 0);
    assert_ptr_equal(router_next_qube(w->router, NULL), w->first);
    assert_ptr_equal(router_next_qube(w->router, w->first), w->second);
    assert_null(router_next_qube(w->router, w->second));
    struct address taken = craft_address("10.137.0.6");
    assert_null(router_add_qube(w->router, w->now, "x", &taken, NULL));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_what_was_sent),
        cmocka_unit_test(a_super_packet_goes_the_way_of_its_segments),
        cmocka_unit_test(one_port_stands_for_one_port_everywhere),
        cmocka_unit_test(protocols_without_ports_are_told_apart_by_address),
        cmocka_unit_test(mss_is_lowered_both_ways),
        cmocka_unit_test(mss_never_leads_beyond_the_mtu),
        cmocka_unit_test(nothing_comes_in_without_a_flow),
        cmocka_unit_test(no_connection_is_opened_from_outside),
        cmocka_unit_test(random_packets_from_outside_open_nothing),
        cmocka_unit_test(flows_end_when_their_time_is_over),
        cmocka_unit_test(a_new_tunnel_address_ends_flows_the_same_keeps_them),
        cmocka_unit_test(connections_through_an_old_address_are_reset),
        cmocka_unit_test(flows_that_the_tunnel_does_not_carry_any_more_end),
        cmocka_unit_test(a_greedy_qube_cannot_push_out_another),
        cmocka_unit_test(unanswered_connections_end_for_newer_ones),
        cmocka_unit_test(who_has_all_its_flows_is_told_so),
        cmocka_unit_test(new_flows_are_limited_in_rate),
        cmocka_unit_test(qubes_are_counted_apart),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
