#include "tests/router/world.h"

/* --- Fragments ----------------------------------------------------------- */

/* The datagrams that a packet leaves in, in `b`. */
static void cut(const struct packet *p, uint16_t mtu, struct burst *b)
{
    static const struct burst_layout layout = {.head = 24, .tail = 16};
    struct segment_cursor cursor = {0};
    burst_reset(b);
    assert_int_equal(parsed_segment(p, mtu, &layout, &cursor, b), SEGMENT_DONE);
}

static struct packet nth_of(const struct burst *b, size_t i)
{
    const struct datagram *d = &b->datagrams[i];
    struct packet p = {.data = malloc(d->inner_size), .size = d->inner_size};
    memcpy(p.data, d->data + d->inner_offset, p.size);
    return p;
}

/* As systems send them that probe for the path's MTU all the same. */
static struct packet do_not_fragment(struct packet p)
{
    uint16_t old = load_u16(p.data + 6), new = old | IPV4_DONT_FRAGMENT;
    store_u16(p.data + 6, new);
    store_u16(p.data + 10,
              checksum_patch(load_u16(p.data + 10), checksum_change(old, new)));
    return p;
}

/* Up or down, alone in a batch; the packet's first part is copied, because
 * it may no longer be what was given. */
static enum drop pass(struct world *w, bool is_up, struct packet given,
                      struct packet *out)
{
    *out = given;
    if (is_up && !out->qube)
        out->qube = w->first;
    struct packet_batch batch = {.packets = out, .count = 1, .capacity = 1};
    packet_batch_reset(&w->replies);
    if (is_up)
        router_from_qubes(w->router, w->now, &batch, &w->replies);
    else if ((out->drop = (uint8_t)ip_packet_parse(out)) == DROP_NONE)
        router_from_tunnel(w->router, w->now, &batch, &w->replies);
    assert_true(out->drop != DROP_NONE || parsed_truly(out));
    free(given.data);
    return out->drop;
}

static void fragments_pass_as_the_packet_they_are_of(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b), *left = calloc(1, sizeof *left);
    assert_true(burst_init(b, 1 << 20) && burst_init(left, 1 << 20));
    struct packet out;
    for (int i = 0; i < 40; i++) {
        struct craft c = sample(false, i % 3 ? 17 : 1);
        c.dont_fragment = false;
        c.id = (uint16_t)i;
        c.payload = bytes_of(w->payload, 1600 + craft_below(&w->seed, 20000));
        struct packet whole = craft_packet(&c);
        cut(&whole, (uint16_t)(600 + 100 * (i % 9)), b);
        for (size_t k = 0; k < b->count; k++) {
            struct packet part = nth_of(b, k);
            assert_int_equal(
                pass(w, true, i % 2 ? do_not_fragment(part) : part, &out),
                k + 1 < b->count ? DROP_HELD : DROP_NONE);
        }
        assert_int_equal(out.fragment_size, b->datagrams[0].inner_size);
        uint8_t *flat = flatten(&out);
        assert_true(craft_checksums_right(flat, packet_total(&out)));
        assert_memory_equal(flat + 28, whole.data + 28, whole.size - 28);
        cut(&out, 1500, left);
        assert_int_equal(left->count, b->count);

        /* And its echo comes back in fragments, out of order. */
        free(w->packet.data);
        w->packet = (struct packet){0};
        memcpy(w->out, flat, packet_total(&out));
        w->out_size = packet_total(&out);
        free(flat);
        struct packet reply = echoed(w);
        cut(&reply, 1400, b);
        for (size_t k = b->count; k > 1; k--)
            assert_int_equal(pass(w, false, nth_of(b, k - 1), &out), DROP_HELD);
        assert_int_equal(pass(w, false, nth_of(b, 0), &out), DROP_NONE);
        assert_ptr_equal(out.qube, w->first);
        flat = flatten(&out);
        assert_true(craft_checksums_right(flat, packet_total(&out)));
        assert_memory_equal(flat + 16, c.source.bytes, 4);
        assert_memory_equal(flat + 28, whole.data + 28, whole.size - 28);
        free(flat);
        free(reply.data);
        free(whole.data);
    }
    burst_clear(b);
    burst_clear(left);
    free(b);
    free(left);
    world_free(w);
}

/* Questions of any size; no fragment of the answer is larger than theirs. */
static void the_gateway_answers_pings_in_fragments(void **state)
{
    (void)state;
    static const size_t sizes[] = {1600, 1900, 4000, 65000};
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (size_t i = 0; i < 8; i++) {
        bool v6 = i % 2;
        size_t header = v6 ? 48 : 20;
        struct packet out;
        struct craft c = sample(v6, v6 ? 58 : 1);
        c.destination =
            craft_address(v6 ? "fe80::fcff:ffff:feff:ffff" : "10.139.1.1");
        c.dont_fragment = false;
        c.payload = bytes_of(w->payload, sizes[i / 2] - 64);
        struct packet plain = craft_packet(&c);
        struct packet whole = v6 ? craft_fragmentable(&plain, 7) : plain;
        cut(&whole, 1280, b);
        for (size_t k = 0; k + 1 < b->count; k++)
            assert_int_equal(pass(w, true, nth_of(b, k), &out), DROP_HELD);
        struct packet last = nth_of(b, b->count - 1u);
        assert_int_equal(pass(w, true, last, &out), DROP_ANSWERED);
        assert_int_equal(w->replies.count, 1);

        const struct packet *reply = &w->replies.packets[0];
        uint8_t *flat = flatten(reply);
        assert_ptr_equal(reply->qube, w->first);
        assert_int_equal(packet_total(reply), whole.size);
        assert_true(craft_checksums_right(flat, packet_total(reply)));
        assert_int_equal(flat[header], v6 ? 129 : 0);
        assert_memory_equal(flat + source_at(flat), c.destination.bytes,
                            address_bytes(flat));
        assert_memory_equal(flat + header + 4, whole.data + header + 4,
                            whole.size - header - 4);
        size_t asked = b->count;
        cut(reply, 1500, b);
        assert_int_equal(b->count, asked);
        free(flat);
        if (v6)
            free(plain.data);
        free(whole.data);
    }
    burst_clear(b);
    free(b);
    world_free(w);
}

static void a_qube_s_fragments_are_its_own(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    struct packet out;
    struct craft c = sample(false, 17);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, 3000);
    struct packet whole = craft_packet(&c);
    cut(&whole, 1500, b);
    struct packet last = nth_of(b, 2);
    assert_int_equal(pass(w, true, nth_of(b, 0), &out), DROP_HELD);
    assert_int_equal(pass(w, true, nth_of(b, 1), &out), DROP_HELD);
    last.qube = w->second;
    assert_int_equal(pass(w, true, last, &out), DROP_SPOOFED);
    const struct qube *status;
    w->now.us += 15000000;
    assert_true(router_deadline(w->router).us <= w->now.us);
    router_expire(w->router, w->now);
    status = w->first;
    assert_int_equal(status->drops.count[DROP_FRAGMENT_TIMEOUT], 2);
    assert_int_equal(status->drops.count[DROP_HELD], 0);
    free(whole.data);
    burst_clear(b);
    free(b);
    world_free(w);
}

/* RFC 5722: one overlap ends the packet, and all that comes of it later. */
static void overlaps_are_dropped_and_counted(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b), *shifted = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20) && burst_init(shifted, 1 << 20));
    struct packet out;
    struct craft c = sample(false, 17);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, 3000);
    struct packet whole = craft_packet(&c);
    cut(&whole, 1500, b);
    cut(&whole, 1000, shifted);
    assert_int_equal(pass(w, true, nth_of(b, 0), &out), DROP_HELD);
    assert_int_equal(pass(w, true, nth_of(shifted, 1), &out), DROP_FRAGMENT);
    assert_int_equal(pass(w, true, nth_of(b, 1), &out), DROP_FRAGMENT);
    assert_int_equal(pass(w, true, nth_of(b, 2), &out), DROP_FRAGMENT);
    assert_int_equal(w->replies.count, 0);
    const struct qube *status = w->first;
    assert_int_equal(status->drops.count[DROP_FRAGMENT], 3);
    assert_int_equal(router_flow_count(w->router), 0);
    free(whole.data);
    burst_clear(b);
    burst_clear(shifted);
    free(b);
    free(shifted);
    world_free(w);
}

/* --- Their size ---------------------------------------------------------- */

static struct packet datagram(struct world *w, bool v6, size_t size)
{
    struct craft c = sample(v6, 17);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, size);
    struct packet plain = craft_packet(&c);
    if (!v6)
        return plain;
    struct packet p = craft_fragmentable(&plain, 99);
    free(plain.data);
    return p;
}

static void pass_all(struct world *w, bool is_up, const struct burst *b,
                     struct packet *out)
{
    for (size_t k = 0; k < b->count; k++)
        assert_int_equal(pass(w, is_up, nth_of(b, k), out),
                         k + 1 < b->count ? DROP_HELD : DROP_NONE);
}

static struct packet turned(const struct packet *p)
{
    struct packet back = {.data = malloc(p->size), .size = p->size};
    bool v6 = p->data[0] >> 4 == 6;
    size_t at = v6 ? 8 : 12, n = v6 ? 16 : 4, ports = v6 ? 48 : 20;
    memcpy(back.data, p->data, p->size);
    memcpy(back.data + at, p->data + at + n, n);
    memcpy(back.data + at + n, p->data + at, n);
    memcpy(back.data + ports, p->data + ports + 2, 2);
    memcpy(back.data + ports + 2, p->data + ports, 2);
    return back;
}

/* The sender, or a router that told it, knows of a way that is narrower than
 * the tunnel, and nobody would tell us. */
static void fragments_leave_no_larger_than_they_came(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b), *left = calloc(1, sizeof *left);
    assert_true(burst_init(b, 1 << 20) && burst_init(left, 1 << 20));
    for (int v6 = 0; v6 < 2; v6++)
        for (size_t size = 1268; size < 9000; size += 1277) {
            struct packet out, whole = datagram(w, v6, size);
            cut(&whole, 1280, b);
            assert_true(b->count > 1);
            pass_all(w, true, b, &out);
            cut(&out, 1500, left);
            assert_int_equal(left->count, b->count);
            for (size_t i = 0; i < left->count; i++)
                assert_true(left->datagrams[i].inner_size <= 1280);
            uint8_t *flat = flatten(&out);
            struct packet sent = {.data = flat, .size = packet_total(&out)},
                          back = turned(&sent);
            cut(&back, 1276, b);
            assert_true(b->count > 1);
            pass_all(w, false, b, &out);
            cut(&out, 1500, left);
            assert_int_equal(left->count, b->count);
            for (size_t i = 0; i < left->count; i++)
                assert_true(left->datagrams[i].inner_size <= 1276);
            free(flat);
            free(back.data);
            free(whole.data);
        }
    burst_clear(b);
    burst_clear(left);
    free(b);
    free(left);
    world_free(w);
}

/* A router on the way says that a fragment was too large for it. */
static struct packet error_about(const struct datagram *d, uint32_t mtu)
{
    const uint8_t *quoted = d->data + d->inner_offset;
    bool v6 = quoted[0] >> 4 == 6;
    struct craft c = {
        .source = craft_address(v6 ? "2001:db8:99::1" : "203.0.113.1"),
        .destination = address_from_bytes(v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                                          quoted + source_at(quoted)),
        .protocol = v6 ? 58 : 1,
        .icmp_type = v6 ? 2 : 3,
        .icmp_code = v6 ? 0 : 4,
        .icmp_rest = mtu,
        .payload = bytes_of(quoted, v6 ? 1232 : 548),
    };
    return craft_packet(&c);
}

static void errors_about_fragments_reach_their_sender(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet out, whole = datagram(w, v6, 4000);
        cut(&whole, 1400, b);
        pass_all(w, true, b, &out);
        cut(&out, 1500, b);
        assert_int_equal(down(w, error_about(&b->datagrams[0], 1300)),
                         DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->first);
        assert_true(craft_checksums_right(w->out, w->out_size));
        const uint8_t *quoted = w->out + (v6 ? 48 : 28);
        size_t ends = v6 ? 32 : 8, at = source_at(quoted);
        assert_int_equal(load_u32(quoted - 4), 1300);
        assert_memory_equal(quoted + at, whole.data + at, ends);
        at = v6 ? 48 : 20; /* the ports */
        assert_memory_equal(quoted + at, whole.data + at, 4);
        /* Nobody knows whose a later one is. */
        assert_int_equal(down(w, error_about(&b->datagrams[1], 1300)),
                         DROP_ICMP_EMBEDDED);
        free(whole.data);
    }
    burst_clear(b);
    free(b);
    world_free(w);
}

/* --- Their number -------------------------------------------------------- */

/* Passes each of them in two, as the next router on the way has cut it. */
static void pass_cut_again(struct world *w, bool is_up, const struct burst *b,
                           uint16_t mtu, struct packet *out)
{
    struct burst *again = calloc(1, sizeof *again);
    assert_true(burst_init(again, 1 << 16));
    for (size_t i = 0; i < b->count; i++) {
        struct packet part = nth_of(b, i);
        cut(&part, mtu, again);
        free(part.data);
        for (size_t k = 0; k < again->count; k++) {
            bool last = i + 1 == b->count && k + 1 == again->count;
            assert_int_equal(pass(w, is_up, nth_of(again, k), out),
                             last ? DROP_NONE : DROP_HELD);
        }
    }
    burst_clear(again);
    free(again);
}

static void datagrams_in_many_fragments_pass(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet out, whole = datagram(w, v6, 48000);
        cut(&whole, 1500, b);
        pass_cut_again(w, true, b, 1400, &out);
        struct packet sent = {.data = flatten(&out),
                              .size = packet_total(&out)},
                      back = turned(&sent);
        cut(&back, 1500, b);
        pass_cut_again(w, false, b, 1400, &out);
        uint8_t *flat = flatten(&out);
        size_t headers = v6 ? 56 : 28;
        assert_int_equal(packet_total(&out), whole.size);
        assert_memory_equal(flat + headers, whole.data + headers,
                            whole.size - headers);
        free(flat);
        free(sent.data);
        free(back.data);
        free(whole.data);
    }
    burst_clear(b);
    free(b);
    world_free(w);
}

/* --- Whose they are ------------------------------------------------------ */

/* A fragment as another sender's, of another packet, to another port. */
static struct packet altered(const struct burst *b, size_t i, uint8_t sender,
                             uint16_t id, uint8_t port)
{
    struct packet p = nth_of(b, i);
    bool v6 = p.data[0] >> 4 == 6;
    p.data[v6 ? 23 : 15] ^= sender;
    store_u16(p.data + (v6 ? 46 : 4), id);
    if (i == 0)
        p.data[v6 ? 51 : 23] ^= port;
    ip_write_checksum(
        &(struct ip_packet){.data = p.data,
                            .family = v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                            .transport = 20});
    return p;
}

/* A later fragment of an ICMP message. */
static struct packet of_an_error(const struct burst *b, uint16_t id)
{
    struct packet p = altered(b, 1, 0x55, id, 0);
    bool v6 = p.data[0] >> 4 == 6;
    p.data[v6 ? 40 : 9] = v6 ? 58 : 1;
    ip_write_checksum(
        &(struct ip_packet){.data = p.data,
                            .family = v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                            .transport = 20});
    return p;
}

static void flood(struct world *w, const struct burst *b, bool as_the_sender)
{
    static uint16_t id = 1;
    struct packet out;
    for (int i = 0; i < 300; i++, id++) {
        assert_int_equal(pass(w, false, altered(b, 0, 0x55, id, 0), &out),
                         DROP_NO_FLOW);
        assert_int_equal(pass(w, false, altered(b, 1, 0x55, id, 0), &out),
                         DROP_NO_FLOW);
        assert_int_equal(pass(w, false, of_an_error(b, id), &out), DROP_HELD);
        assert_int_equal(pass(w, false, altered(b, 0, 0, id, 1), &out),
                         DROP_NO_FLOW);
        if (as_the_sender)
            assert_int_equal(pass(w, false, altered(b, 1, 0, id, 0), &out),
                             DROP_HELD);
    }
}

/* A stranger's packets to the tunnel's address. */
static void strangers_push_out_nothing_that_is_wanted(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (int turn = 0; turn < 4; turn++) {
        bool v6 = turn & 1, in_order = turn & 2;
        struct packet out, whole = datagram(w, v6, 4000);
        cut(&whole, 1500, b);
        pass_all(w, true, b, &out);
        struct packet sent = {.data = flatten(&out),
                              .size = packet_total(&out)},
                      back = turned(&sent);
        cut(&back, 1400, b);
        assert_int_equal(b->count, 3);
        assert_int_equal(pass(w, false, nth_of(b, in_order ? 0 : 2), &out),
                         DROP_HELD);
        flood(w, b, in_order);
        assert_int_equal(pass(w, false, nth_of(b, in_order ? 2 : 0), &out),
                         DROP_HELD);
        flood(w, b, true);
        assert_int_equal(pass(w, false, nth_of(b, 1), &out), DROP_NONE);
        assert_ptr_equal(out.qube, w->first);
        free(sent.data);
        free(back.data);
        free(whole.data);
    }
    router_expire(w->router, w->now);
    assert_true(router_drops(w->router)->count[DROP_FRAGMENT_CROWDED] > 1000);
    burst_clear(b);
    free(b);
    world_free(w);
}

/* The gateway's own question for a name belongs to no flow. */
static void the_gateways_own_answers_may_come_in_fragments(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    struct burst *b = calloc(1, sizeof *b);
    const struct address qube = craft_address("10.137.0.5");
    const struct rules_entry rules[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"), bytes_of_text("action=accept dsthost=a.b")}};
    assert_true(packet_batch_init(&own, 16, 1024) && burst_init(b, 1 << 16));
    router_set_rules(w->router, w->now, &qube, rules, 2);
    for (size_t turn = 0; turn < 2; turn++) {
        packet_batch_reset(&own);
        for (; own.count == 0; w->now = router_deadline(w->router))
            router_own_packets(w->router, w->now, &own);
        struct packet out, answer = turned(&own.packets[0]);
        answer.data[30] |= 0x80; /* a response, with nothing in it */
        store_u16(answer.data + 26, 0);
        store_u16(answer.data + 6, 0);
        ip_write_checksum(&(struct ip_packet){
            .data = answer.data, .family = ADDRESS_IPV4, .transport = 20});
        cut(&answer, 48, b);
        assert_int_equal(b->count, 2);
        assert_int_equal(pass(w, false, nth_of(b, turn), &out), DROP_HELD);
        assert_int_equal(pass(w, false, nth_of(b, 1 - turn), &out),
                         DROP_ANSWERED);
        free(answer.data);
    }
    packet_batch_clear(&own);
    burst_clear(b);
    free(b);
    world_free(w);
}

/* --- Identifications ----------------------------------------------------- */

/* Marks each datagram's; the fragments of one share theirs. */
static void expect_fresh(const struct burst *b, bool seen[65536])
{
    for (size_t i = 0; i < b->count; i++) {
        const struct datagram *d = &b->datagrams[i];
        const uint8_t *ip = d->data + d->inner_offset;
        uint16_t id = load_u16(ip + 4);
        if (load_u16(ip + 6) & IPV4_FRAGMENT_OFFSET) {
            assert_true(seen[id]);
            continue;
        }
        assert_false(seen[id]);
        seen[id] = true;
    }
}

static struct packet some_super_packet(struct world *w, const struct craft *tcp,
                                       const struct craft *udp)
{
    struct craft c = craft_below(&w->seed, 2) ? *tcp : *udp;
    uint16_t gso = (uint16_t)(IP_GSO_SIZE_MIN + craft_below(&w->seed, 1400));
    c.payload = bytes_of(w->payload, 1 + craft_below(&w->seed, 20000));
    return craft_below(&w->seed, 4) && c.payload.size > gso
               ? craft_super_packet(&c, gso)
               : craft_packet(&c);
}

/* However finely the tunnel has what a qube sent cut: an identification that
 * is there twice would join fragments of two datagrams (RFC 6864 4.3). */
static void identifications_do_not_repeat(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {576, 1000, 1300, 1400};
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (size_t i = 0; i < 4; i++) {
        struct world *w = world_new(64);
        static bool seen[65536];
        memset(seen, 0, sizeof seen);
        w->tunnel.mtu = mtus[i];
        router_tunnel_up(w->router, w->now, &w->tunnel);
        struct craft tcp = sample(false, 6), udp = sample(false, 17);
        tcp.dont_fragment = udp.dont_fragment = false;
        establish(w, &tcp);
        for (int k = 0; k < 300; k++) {
            struct packet p = some_super_packet(w, &tcp, &udp);
            assert_int_equal(up(w, w->first, p), DROP_NONE);
            cut(&w->packet, mtus[i], b);
            for (size_t n = 0; n < b->count; n++)
                assert_true(b->datagrams[n].inner_size <= mtus[i]);
            expect_fresh(b, seen);
        }
        world_free(w);
    }
    burst_clear(b);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_pass_as_the_packet_they_are_of),
        cmocka_unit_test(the_gateway_answers_pings_in_fragments),
        cmocka_unit_test(a_qube_s_fragments_are_its_own),
        cmocka_unit_test(overlaps_are_dropped_and_counted),
        cmocka_unit_test(fragments_leave_no_larger_than_they_came),
        cmocka_unit_test(errors_about_fragments_reach_their_sender),
        cmocka_unit_test(datagrams_in_many_fragments_pass),
        cmocka_unit_test(strangers_push_out_nothing_that_is_wanted),
        cmocka_unit_test(the_gateways_own_answers_may_come_in_fragments),
        cmocka_unit_test(identifications_do_not_repeat),
    };
    return cmocka_run_group_tests_name("router_fragments", tests, NULL, NULL);
}
