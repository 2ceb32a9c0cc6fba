/* Properties that hold for whatever rules and packets there are, over
 * generated ones. The judge is written from the description of Qubes' rules
 * (core-admin-client, vm-interface.rst), rule by rule from top to bottom, and
 * shares no line with the firewall. */
#include "tests/router/world.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/packet/coalesce.h"

enum {
    RULES_MOST = 8,
    SENT_MOST = 256, /* packets that are remembered */
    ROUNDS = 2000,   /* sets of rules */
    PACKETS = 60,    /* with each */
};

/* --- Rules as a person would say them ------------------------------------ */

struct said {
    bool accept;
    int target; /* 0 anywhere, 1 a network, 2 a name, 3 dns */
    struct address network;
    unsigned bits;
    int protocol; /* 0 any, 6, 17, 1 */
    bool ports;
    unsigned low, high;
    int icmp_type; /* or -1 */
};

struct said_set {
    bool known, bad, accept;
    size_t count;
    struct said rules[RULES_MOST];
};

static const char *const networks[2][6] = {
    {"198.51.100.7", "198.51.100.64", "203.0.113.0", "0.0.0.0", "10.139.1.1",
     "9.9.9.9"},
    {"2001:db8::9", "2001:db8::", "2001:db8:1::", "::", "2001:db8:ffff::1",
     "2620:fe::fe"},
};
static const unsigned lengths[2][5] = {{32, 26, 24, 8, 0}, {128, 64, 48, 8, 0}};
static const unsigned ports[] = {22, 53, 80, 443, 5000, 65535};

static struct said say(uint64_t *seed, bool v6)
{
    struct said s = {.accept = craft_below(seed, 3) > 0, .icmp_type = -1};
    static const int protocols[] = {0, 0, 6, 17, 1};
    s.target = (int)craft_below(seed, 5);
    s.target = s.target > 3 ? 1 : s.target;
    s.network = craft_address(networks[v6][craft_below(seed, 6)]);
    s.bits = lengths[v6][craft_below(seed, 5)];
    s.protocol = protocols[craft_below(seed, 5)];
    if (s.protocol == 1 && craft_below(seed, 2))
        s.icmp_type = craft_below(seed, 2) ? (v6 ? 128 : 8) : 3;
    if (s.protocol != 1 && craft_below(seed, 2)) {
        s.ports = true;
        s.low = ports[craft_below(seed, 6)];
        s.high = s.low + craft_below(seed, 2) * 400;
        s.high = s.high > 65535 ? 65535 : s.high;
    }
    return s;
}

/* The options in an order of chance: QubesDB promises none. */
static void write_rule(uint64_t *seed, const struct said *s, char *out,
                       size_t size)
{
    char parts[5][80], address[ADDRESS_TEXT_SIZE];
    size_t count = 0, at = 0;
    snprintf(parts[count++], 80, "action=%s", s->accept ? "accept" : "drop");
    if (s->target == 1)
        snprintf(parts[count++], 80, "dst%c=%s/%u",
                 s->network.family == ADDRESS_IPV4 ? '4' : '6',
                 address_format(&s->network, address), s->bits);
    if (s->target == 2)
        snprintf(parts[count++], 80, "dsthost=nobody.example.net");
    if (s->target == 3)
        snprintf(parts[count++], 80, "specialtarget=dns");
    if (s->protocol)
        snprintf(parts[count++], 80, "proto=%s",
                 s->protocol == 6    ? "tcp"
                 : s->protocol == 17 ? "udp"
                                     : "icmp");
    if (s->ports)
        snprintf(parts[count++], 80, "dstports=%u-%u", s->low, s->high);
    if (s->icmp_type >= 0)
        snprintf(parts[count++], 80, "icmptype=%d", s->icmp_type);
    size_t first = craft_below(seed, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "",
                               parts[(first + i) % count]);
}

/* Numbered with gaps, and not given in their order. */
static struct said_set set_rules(struct world *w, const char *source)
{
    static const char *const mistakes[] = {"action=allow", "action=accept x=1",
                                           "proto=tcp", "",
                                           "action=drop action=drop"};
    struct address a = craft_address(source);
    bool v6 = a.family == ADDRESS_IPV6;
    struct said_set set = {.known = true,
                           .bad = craft_below(&w->seed, 12) == 0,
                           .accept = craft_below(&w->seed, 4) == 0,
                           .count = craft_below(&w->seed, RULES_MOST + 1)};
    char keys[RULES_MOST + 1][8], values[RULES_MOST + 1][400];
    struct rules_entry entries[RULES_MOST + 2];
    size_t count = set.count;
    for (size_t i = 0; i < count; i++) {
        set.rules[i] = say(&w->seed, v6);
        snprintf(keys[i], sizeof keys[i], "%04zu", i * 7);
        write_rule(&w->seed, &set.rules[i], values[i], sizeof values[i]);
    }
    if (set.bad) {
        snprintf(keys[count], sizeof keys[count], "%04d", 9999);
        snprintf(values[count], sizeof values[count], "%s",
                 mistakes[craft_below(&w->seed, 5)]);
        count++;
    }
    size_t first = count ? craft_below(&w->seed, (uint32_t)count) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = (first + i) % count;
        entries[i] = (struct rules_entry){bytes_of_text(keys[k]),
                                          bytes_of_text(values[k])};
    }
    entries[count] = (struct rules_entry){
        bytes_of_text("policy"), bytes_of_text(set.accept ? "accept" : "drop")};
    router_set_rules(w->router, w->now, &a, entries, count + 1);
    return set;
}

/* --- The judge ----------------------------------------------------------- */

/* A packet that begins something, as its qube sees it; and who really gets
 * it, which is another where it asks a virtual resolver. */
struct wish {
    struct address asked, reached;
    uint8_t protocol;
    unsigned port;
    int icmp_type;
};

static bool is_in(const struct address *a, const struct address *network,
                  unsigned bits)
{
    if (a->family != network->family)
        return false;
    for (unsigned i = 0; i < bits; i++) {
        unsigned shift = 7 - i % 8;
        if ((a->bytes[i / 8] ^ network->bytes[i / 8]) >> shift & 1)
            return false;
    }
    return true;
}

static bool is_resolver(const struct world *w, const struct address *a)
{
    for (size_t i = 0; i < w->tunnel.resolver_count; i++)
        if (address_equal(&w->tunnel.resolvers[i], a))
            return true;
    return false;
}

static bool is_met(const struct world *w, const struct said *s,
                   const struct wish *p)
{
    bool has_port = p->protocol == 6 || p->protocol == 17;
    bool icmp = p->protocol == 1 || p->protocol == 58;
    if (s->target == 1 && !is_in(&p->reached, &s->network, s->bits) &&
        !(s->accept && is_in(&p->asked, &s->network, s->bits)))
        return false;
    /* Nobody ever answers for that name: everything could be what it is. */
    if (s->target == 2 && s->accept)
        return false;
    if (s->target == 3 &&
        (!has_port || p->port != 53 || !is_resolver(w, &p->reached)))
        return false;
    if (s->protocol == 1 ? !icmp : s->protocol && s->protocol != p->protocol)
        return false;
    if (s->ports && (!has_port || p->port < s->low || p->port > s->high))
        return false;
    return s->icmp_type < 0 || (icmp && s->icmp_type == p->icmp_type);
}

static bool is_allowed(const struct world *w, const struct said_set *set,
                       const struct wish *p)
{
    if (!set->known || set->bad)
        return false;
    for (size_t i = 0; i < set->count; i++)
        if (is_met(w, &set->rules[i], p))
            return set->rules[i].accept;
    return set->accept;
}

/* --- Packets ------------------------------------------------------------- */

enum source { FIRST4, FIRST6, SECOND4, SOURCES };
static const char *const sources[SOURCES] = {
    "10.137.0.5", "fd09:24ef:4179::a89:5", "10.137.0.6"};

/* The packets that left, to be answered later. */
struct sent {
    enum source source;
    struct wish wish;
    uint16_t source_port;
    size_t size;
    uint8_t left[2000];
};

struct play {
    struct world *w;
    struct said_set rules[SOURCES];
    size_t sent_count;
    struct sent sent[SENT_MOST];
    unsigned passed_up, passed_down, refused_up, refused_down, mutants;
};

/* The last of each are nowhere that a tunnel leads to. */
static const char *const places[2][12] = {
    {"198.51.100.7", "198.51.100.70", "203.0.113.9", "9.9.9.9", "10.8.0.1",
     "10.139.1.1", "10.139.1.2", "10.137.0.6", "10.137.0.5", "127.0.0.1",
     "224.0.0.5", "10.8.0.2"},
    {"2001:db8::9", "2001:db8::a", "2001:db8:1::1", "2620:fe::fe",
     "2001:db8:ffff::1", "2a00::1", "fe80::1", "fd09:24ef:4179::a89:5", "::1",
     "ff02::1", "fd00:8::2", "::"},
};

static bool is_outside(const struct address *a)
{
    bool v6 = a->family == ADDRESS_IPV6;
    for (size_t i = 0; i < (v6 ? 6 : 5); i++) {
        struct address place = craft_address(places[v6][i]);
        if (address_equal(&place, a))
            return true;
    }
    return false;
}

static bool is_virtual(const struct address *a)
{
    struct address first = craft_address("10.139.1.1"),
                   second = craft_address("10.139.1.2");
    return address_equal(a, &first) || address_equal(a, &second);
}

static struct craft some_packet(struct world *w, enum source source)
{
    static const uint8_t protocols[2][8] = {{6, 6, 6, 17, 17, 17, 1, 47},
                                            {6, 6, 6, 17, 17, 17, 58, 47}};
    static const int offsets[] = {0, 0, -1, 1, 400, 401};
    bool v6 = source == FIRST6;
    struct craft c = sample(v6, protocols[v6][craft_below(&w->seed, 8)]);
    c.source = craft_address(sources[source]);
    c.destination = craft_address(places[v6][craft_below(&w->seed, 12)]);
    c.source_port = (uint16_t)(3000 + craft_below(&w->seed, 40));
    c.destination_port = (uint16_t)ports[craft_below(&w->seed, 6)];
    /* On and beside the borders of what rules say. */
    c.destination_port =
        (uint16_t)(c.destination_port + offsets[craft_below(&w->seed, 6)]);
    c.flags =
        craft_below(&w->seed, 4) ? TCP_SYN : (uint8_t)craft_below(&w->seed, 64);
    c.ttl = craft_below(&w->seed, 12) ? 64 : 1;
    c.dont_fragment = craft_below(&w->seed, 2);
    if (craft_below(&w->seed, 6) == 0)
        c.icmp_type = (uint8_t)craft_below(&w->seed, 140);
    c.icmp_rest = (uint32_t)c.source_port << 16 | 1;
    c.payload = bytes_of(w->payload, craft_below(&w->seed, 1560));
    return c;
}

static struct wish wish_of(const struct craft *c)
{
    return (struct wish){c->destination, c->destination, c->protocol,
                         c->destination_port, c->icmp_type};
}

/* Beyond all doubt a packet that begins something. */
static bool is_plain(const struct craft *c)
{
    bool v6 = c->source.family == ADDRESS_IPV6;
    size_t size = c->payload.size + (v6 ? 40 : 20);
    bool echo = (c->protocol == 1 || c->protocol == 58) &&
                c->icmp_type == (v6 ? 128 : 8);
    bool tcp = c->protocol == 6 && c->flags == TCP_SYN;
    bool udp = c->protocol == 17;
    return c->ttl == 64 && size < 1440 && c->destination_port != 0 &&
           (tcp || udp || echo || c->protocol == 47);
}

/* A question to a virtual resolver may go to any of the tunnel's. */
static bool must_pass(const struct play *p, enum source source,
                      const struct craft *c)
{
    const struct world *w = p->w;
    struct wish wish = wish_of(c);
    if (!is_plain(c))
        return false;
    if (is_outside(&wish.asked))
        return is_allowed(w, &p->rules[source], &wish);
    if (!is_virtual(&wish.asked) || wish.port != 53 ||
        (wish.protocol != 6 && wish.protocol != 17))
        return false;
    for (size_t i = 0; i < w->tunnel.resolver_count; i++) {
        wish.reached = w->tunnel.resolvers[i];
        if (!is_allowed(w, &p->rules[source], &wish))
            return false;
    }
    return true;
}

static void check_left(struct play *p, enum source source,
                       const struct craft *c)
{
    struct world *w = p->w;
    bool v6 = source == FIRST6;
    struct wish wish = wish_of(c);
    const struct address *own =
        v6 ? &w->tunnel.ipv6.address : &w->tunnel.ipv4.address;
    size_t at = source_at(w->out), n = address_bytes(w->out);
    assert_memory_equal(w->out + at, own->bytes, n);
    wish.reached = address_from_bytes(c->source.family, w->out + at + n);
    assert_true(is_outside(&wish.reached));
    if (is_virtual(&wish.asked)) {
        assert_true(is_resolver(w, &wish.reached));
        assert_int_equal(wish.port, 53);
        assert_true(wish.protocol == 6 || wish.protocol == 17);
    } else {
        assert_true(address_equal(&wish.asked, &wish.reached));
    }
    assert_true(is_allowed(w, &p->rules[source], &wish));
    struct sent *s = &p->sent[p->sent_count++ % SENT_MOST];
    *s = (struct sent){source, wish, c->source_port, w->out_size, {0}};
    assert_true(w->out_size <= sizeof s->left);
    memcpy(s->left, w->out, w->out_size);
    p->passed_up++;
}

static void send_one(struct play *p)
{
    struct world *w = p->w;
    enum source source = (enum source)craft_below(&w->seed, SOURCES);
    struct craft c = some_packet(w, source);
    bool spoofed = craft_below(&w->seed, 15) == 0;
    if (spoofed)
        c.source.bytes[3] ^= 1;
    struct qube *qube = source == SECOND4 ? w->second : w->first;
    enum drop drop = up(w, qube, craft_packet(&c));
    for (size_t i = 0; i < w->replies.count; i++) {
        const struct packet *reply = &w->replies.packets[i];
        assert_ptr_equal(reply->qube, qube);
        assert_true(craft_checksums_right(reply->data, reply->size));
        assert_memory_equal(reply->data + source_at(reply->data) +
                                address_bytes(reply->data),
                            c.source.bytes, address_bytes(reply->data));
    }
    if (drop == DROP_NONE) {
        assert_false(spoofed);
        if (c.protocol != 47)
            assert_true(craft_checksums_right(w->out, w->out_size));
        check_left(p, source, &c);
        return;
    }
    p->refused_up++;
    /* In protocols without ports only one qube can have a remote end, and a SYN
     * may be a strange one to a connection that stands. */
    if (!spoofed && drop != DROP_HOST_TAKEN && drop != DROP_FLOW_STATE)
        assert_false(must_pass(p, source, &c));
}

/* The index of the qube whose it is, by what it would see of it; or -1. */
static struct qube *belongs_to(const struct play *p)
{
    const struct world *w = p->w;
    bool v4 = w->out[0] >> 4 == 4;
    size_t at = source_at(w->out), n = address_bytes(w->out);
    uint8_t protocol = w->out[v4 ? 9 : 6];
    const uint8_t *t = w->out + (v4 ? 20 : 40);
    for (size_t i = 0; i < p->sent_count && i < SENT_MOST; i++) {
        const struct sent *s = &p->sent[i];
        struct address own = craft_address(sources[s->source]);
        if (s->wish.protocol != protocol ||
            memcmp(w->out + at, s->wish.asked.bytes, n) != 0 ||
            memcmp(w->out + at + n, own.bytes, n) != 0)
            continue;
        bool ports_fit = protocol == 47;
        if (protocol == 6 || protocol == 17)
            ports_fit = load_u16(t) == s->wish.port &&
                        load_u16(t + 2) == s->source_port;
        if (protocol == 1 || protocol == 58)
            ports_fit = load_u16(t + 4) == s->source_port;
        if (ports_fit && is_allowed(w, &p->rules[s->source], &s->wish))
            return s->source == SECOND4 ? w->second : w->first;
    }
    return NULL;
}

/* The answer to something that left, in one of three cases with a bit or two
 * turned over. */
static void answer_one(struct play *p)
{
    struct world *w = p->w;
    if (p->sent_count == 0)
        return;
    size_t known = p->sent_count < SENT_MOST ? p->sent_count : SENT_MOST;
    const struct sent *s = &p->sent[craft_below(&w->seed, (uint32_t)known)];
    memcpy(w->out, s->left, s->size);
    w->out_size = s->size;
    struct packet answer = echoed(w);
    bool v4 = answer.data[0] >> 4 == 4;
    answer.data[v4 ? 8 : 7] = 50;
    if (craft_below(&w->seed, 3) == 0) {
        size_t header = v4 ? 20 : 40;
        for (int i = 0; i < 2; i++)
            answer.data[source_at(answer.data) +
                        craft_below(
                            &w->seed,
                            (uint32_t)(header - source_at(answer.data)) + 8)] ^=
                (uint8_t)(1u << craft_below(&w->seed, 8));
        p->mutants++;
    }
    if (v4) {
        store_u16(answer.data + 10, 0);
        store_u16(answer.data + 10,
                  checksum_finish(checksum_sum(answer.data, 20)));
    }
    if (down(w, answer) != DROP_NONE) {
        p->refused_down++;
        return;
    }
    assert_ptr_equal(w->packet.qube, belongs_to(p));
    p->passed_down++;
}

static struct world *ruled_world(void)
{
    struct world *w = world_new(8192);
    struct router_options options = {.flows = 8192};
    craft_fill(&w->seed, options.seed, sizeof options.seed);
    struct address a4 = craft_address(sources[FIRST4]),
                   a6 = craft_address(sources[FIRST6]),
                   b4 = craft_address(sources[SECOND4]);
    router_free(w->router);
    w->router = router_new(&options);
    w->first = router_add_qube(w->router, w->now, "first", &a4, &a6);
    w->second = router_add_qube(w->router, w->now, "second", &b4, NULL);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    return w;
}

static void no_packet_passes_without_a_rule_that_allows_it(void **state)
{
    (void)state;
    struct play *p = calloc(1, sizeof *p);
    p->w = ruled_world();
    log_set_level(LOG_ERROR); /* bad rules are named */
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PACKETS; i++) {
            p->w->now.us += 5000;
            if (craft_below(&p->w->seed, 3))
                send_one(p);
            else
                answer_one(p);
        }
        uint32_t source = craft_below(&p->w->seed, SOURCES);
        p->rules[source] = set_rules(p->w, sources[source]);
    }
    log_set_level(LOG_INFO);
    /* Otherwise all of this would say little. */
    assert_true(p->passed_up > 5000 && p->refused_up > 5000);
    assert_true(p->passed_down > 1500 && p->refused_down > 1500);
    assert_true(p->mutants > 5000);
    world_free(p->w);
    free(p);
}

/* --- Super-packets towards a qube ---------------------------------------- */

enum { FLOWS = 4, INBOUND = 300, OUTPUT_MOST = 1600 };
static const struct burst_layout layout = {.head = 60, .tail = 16};

/* The packets that reached the qube, in its order. */
struct arrivals {
    size_t count;
    struct bytes packets[INBOUND];
};

static void arrive(struct arrivals *a, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    assert_true(a->count < INBOUND && size <= OUTPUT_MOST);
    memcpy(copy, data, size);
    a->packets[a->count++] = bytes_of(copy, size);
}

static void forget(struct arrivals *a)
{
    for (size_t i = 0; i < a->count; i++)
        free((void *)(uintptr_t)a->packets[i].data);
    a->count = 0;
}

/* The same flows in either world: two of TCP and two of UDP. */
static void open_flows(struct world *w, bool v6, struct craft in[FLOWS])
{
    for (int i = 0; i < FLOWS; i++) {
        struct craft c = sample(v6, i < 2 ? 6 : 17);
        c.source_port = (uint16_t)(3000 + i);
        if (i < 2)
            establish(w, &c);
        else
            open_flow(w, &c);
        in[i] = (struct craft){
            .source = c.destination,
            .destination = v6 ? w->tunnel.ipv6.address : w->tunnel.ipv4.address,
            .protocol = c.protocol,
            .source_port = c.destination_port,
            .destination_port = c.source_port,
            .sequence = 5001,
            .acknowledgement = c.sequence,
            .flags = TCP_ACK,
            .window = 60000,
            .ttl = 50,
        };
    }
}

/* The next of a flow: mostly its neighbour, of the same size; now and then
 * another one, or one that is to be dropped. */
static struct craft next_of(uint64_t *seed, const struct world *w,
                            struct craft *flow, uint16_t mss)
{
    uint32_t chance = craft_below(seed, 40);
    flow->id++;
    flow->payload =
        bytes_of(w->payload + craft_below(seed, 1000),
                 craft_below(seed, 6) ? mss : 1 + craft_below(seed, 1400));
    flow->flags = craft_below(seed, 8) ? TCP_ACK : TCP_ACK | TCP_PSH;
    struct craft c = *flow;
    if (chance == 0)
        c.destination_port++;
    if (chance == 1)
        c.ttl = 1;
    if (chance == 2)
        c.sequence += 0x40000000;
    if (chance == 3)
        c.tos = 4;
    if (chance > 2)
        flow->sequence += (uint32_t)c.payload.size;
    return c;
}

static void arrive_cut(const struct packet *p, struct arrivals *a)
{
    static struct burst cut;
    struct segment_cursor cursor = {0};
    assert_true(cut.memory || burst_init(&cut, 1 << 20));
    burst_reset(&cut);
    assert_int_equal(segment(p, 1500, &layout, &cursor, &cut), SEGMENT_DONE);
    for (size_t i = 0; i < cut.count; i++) {
        const struct datagram *d = &cut.datagrams[i];
        arrive(a, d->data + d->inner_offset, d->inner_size);
        assert_true(
            craft_checksums_right(d->data + d->inner_offset, d->inner_size));
    }
}

static size_t pass_joined(struct world *w, struct coalesce *coalescer,
                          struct burst *burst, struct arrivals *a)
{
    struct packet_batch batch;
    uint16_t next = 0;
    assert_true(packet_batch_init(&batch, INBOUND, 0));
    packet_batch_reset(&w->replies);
    assert_true(coalesce(coalescer, burst, &next, &batch));
    router_from_tunnel(w->router, w->now, &batch, &w->replies);
    size_t joined = burst->count - batch.count;
    for (size_t i = 0; i < batch.count; i++)
        if (batch.packets[i].drop == DROP_NONE) {
            assert_true(parsed_truly(&batch.packets[i]));
            arrive_cut(&batch.packets[i], a);
        }
    packet_batch_clear(&batch);
    return joined;
}

/* The n-th packet of one flow that arrived; flows may overtake each other. */
static struct bytes nth_of(const struct arrivals *a, uint16_t port, size_t n)
{
    for (size_t i = 0; i < a->count; i++) {
        const uint8_t *p = a->packets[i].data;
        if (load_u16(p + (p[0] >> 4 == 4 ? 22 : 42)) == port && n-- == 0)
            return a->packets[i];
    }
    return (struct bytes){0};
}

/* Identifications of packets that are never cut mean nothing (RFC 6864 4.1),
 * and what sums them up means no more. */
static void hide_id(struct bytes packet)
{
    uint8_t *p = (uint8_t *)(uintptr_t)packet.data;
    if (packet.size == 0 || p[0] >> 4 != 4 || !(p[6] & 0x40))
        return;
    store_u16(p + 4, 0);
    store_u16(p + 10, 0);
}

static void assert_same(struct bytes a, struct bytes b)
{
    assert_int_equal(a.size, b.size);
    hide_id(a);
    hide_id(b);
    if (a.size)
        assert_memory_equal(a.data, b.data, a.size);
}

static void what_is_joined_reaches_the_qube_as_if_it_were_not(void **state)
{
    (void)state;
    struct coalesce *coalescer = coalesce_new();
    struct burst *burst = calloc(1, sizeof *burst);
    struct arrivals *single = calloc(1, sizeof *single),
                    *cut = calloc(1, sizeof *cut);
    static uint8_t bytes[CRAFT_SIZE_MAX + 100];
    size_t joined = 0;
    coalesce_join_udp(coalescer, true);
    assert_true(burst_init(burst, 1 << 20));
    for (unsigned round = 0; round < 60; round++) {
        struct world *whole = world_new(64), *parts = world_new(64);
        struct craft flows[FLOWS];
        uint64_t seed = round + 1;
        bool v6 = round % 2;
        uint16_t mss = (uint16_t)(200 + craft_below(&seed, 1200));
        open_flows(whole, v6, flows);
        open_flows(parts, v6, flows);
        for (int i = 0; i < FLOWS; i++)
            flows[i].dont_fragment = round % 3 > 0;
        burst_reset(burst);
        uint32_t count = 1 + craft_below(&seed, 200);
        for (uint32_t i = 0; i < count; i++) {
            /* Runs, as they come. */
            struct craft *flow =
                &flows[craft_below(&seed, 4) ? i / 16 % FLOWS : i % FLOWS];
            struct craft c = next_of(&seed, whole, flow, mss);
            size_t size = craft_write(&c, bytes);
            struct datagram *d = burst_reserve(burst, &layout, (uint32_t)size);
            memcpy(d->data + d->inner_offset, bytes, size);
            if (down(parts, craft_packet(&c)) == DROP_NONE)
                arrive(single, parts->out, parts->out_size);
        }
        joined += pass_joined(whole, coalescer, burst, cut);
        assert_int_equal(single->count, cut->count);
        for (uint16_t port = 3000; port < 3000 + FLOWS; port++)
            for (size_t n = 0; n < single->count; n++)
                assert_same(nth_of(single, port, n), nth_of(cut, port, n));
        forget(single);
        forget(cut);
        world_free(whole);
        world_free(parts);
    }
    assert_true(joined > 1500);
    coalesce_free(coalescer);
    burst_clear(burst);
    free(burst);
    free(single);
    free(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_packet_passes_without_a_rule_that_allows_it),
        cmocka_unit_test(what_is_joined_reaches_the_qube_as_if_it_were_not),
    };
    return cmocka_run_group_tests_name("router properties", tests, NULL, NULL);
}
