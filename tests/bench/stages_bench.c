/*
 * Measures the cost of a packet at each stage of its way: parsing, rules with
 * conntrack and NAT, cutting, sealing, opening, joining. Packets come as they
 * do under load: batches of 64 small ones to the router, trains of 45 segments
 * from a super-packet or for one. The median of the calls, so that neither
 * another program's turn nor one lucky call counts.
 *
 *   stages_bench            every stage: NAME NANOSECONDS a packet
 *   stages_bench NAME       that one, few times: NAME PACKETS, for a profiler
 *                           that collects what is below measured()
 */
#include "gateway/router/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/openvpn/data/data_channel.h"
#include "gateway/packet/coalesce.h"
#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "tests/packet/craft.h"

enum {
    CALLS = 2000,
    CALLS_PROFILED = 100,
    FEW = 15,  /* a table of flows fills once */
    QUBES = 4, /* one may not have more than half of the table */
    BATCH = 64,
    FLOWS = 65536,
    SEGMENT_PAYLOAD = 1348,
    SEGMENTS = 45,
    SUPER_PAYLOAD = SEGMENTS * SEGMENT_PAYLOAD,
};

struct stage {
    const char *name;
    uint32_t flows;        /* of so many, which are opened before */
    void (*prepare)(void); /* a call, not measured */
    uint32_t (*run)(void); /* one; how many packets that was */
    uint32_t calls;        /* or 0: as many as there may be */
};

static struct {
    uint64_t seed;
    struct instant now;
    /* The router's. */
    struct router *router;
    struct qube *qubes[QUBES];
    uint32_t flows; /* opened */
    uint32_t below; /* known ones are taken from these */
    struct packet_batch small, replies;
    /* The tunnel's. */
    struct data_channel *client, *server;
    struct coalesce *coalesce;
    struct packet super_packet;
    struct burst out, in;
    struct packet_batch joined;
} bench = {.seed = 1, .now = {1000000}};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* --- The router's stages ------------------------------------------------- */

static struct address qube_address(uint32_t qube)
{
    return address_ipv4(0x0a890005 + qube);
}

/* A small UDP packet of flow `n`: every other one shares a source port, for
 * there are fewer than 65 536 of those. */
static void add_packet(uint32_t n)
{
    const struct craft c = {
        .source = qube_address(n % QUBES),
        .destination = address_ipv4(0x5db80000 + n * 7),
        .protocol = IP_UDP,
        .source_port = (uint16_t)(1024 + n / QUBES / 2),
        .destination_port = (uint16_t)(1 + n % 60000),
        .dont_fragment = true,
        .payload = {(const uint8_t *)"eight...", 8},
    };
    struct packet *p = packet_batch_add(&bench.small);
    p->size = (uint32_t)craft_write(&c, p->data);
    p->qube = bench.qubes[n % QUBES];
}

static void prepare_known(void)
{
    packet_batch_reset(&bench.small);
    for (int i = 0; i < BATCH; i++)
        add_packet(craft_below(&bench.seed, bench.below));
}

static void prepare_new(void)
{
    bench.now.us += 9000; /* new flows may come at a rate only */
    packet_batch_reset(&bench.small);
    for (int i = 0; i < BATCH; i++)
        add_packet(bench.flows++);
}

static uint32_t run_router(void)
{
    router_from_qubes(bench.router, bench.now, &bench.small, &bench.replies);
    return BATCH;
}

static uint32_t run_parse(void)
{
    for (int i = 0; i < BATCH; i++) {
        must(ip_packet_parse(&bench.small.packets[i]) == DROP_NONE, "parsing");
        __asm__ volatile("" : : : "memory");
    }
    return BATCH;
}

static void router_begin(void)
{
    struct router_options options = {.flows = FLOWS, .accept_unruled = true};
    const struct tunnel tunnel = {
        .ipv4 = {address_ipv4(0x0a080002), 24},
        .mtu = 1500,
        .redirect_ipv4 = true,
    };
    craft_fill(&bench.seed, options.seed, sizeof options.seed);
    bench.router = router_new(&options);
    must(bench.router && packet_batch_init(&bench.small, BATCH, 512) &&
             packet_batch_init(&bench.replies, 4, 2048),
         "memory");
    for (uint32_t i = 0; i < QUBES; i++) {
        struct address a = qube_address(i);
        bench.qubes[i] =
            router_add_qube(bench.router, bench.now, "qube", &a, NULL);
        must(bench.qubes[i], "adding a qube");
    }
    router_tunnel_up(bench.router, bench.now, &tunnel);
}

static void open_flows(uint32_t flows)
{
    while (bench.flows < flows) {
        prepare_new();
        run_router();
    }
}

/* --- The tunnel's stages ------------------------------------------------- */

static void some_bytes(void *context, uint8_t *out, size_t size)
{
    craft_fill(context, out, size);
}

static struct data_channel *channel(enum openvpn_role role)
{
    struct key_material m;
    struct data_channel_options o = {
        .role = role,
        .library = AEAD_FASTEST,
        .peer_id = 1,
        .replay_packets = 64,
        .replay_seconds = 15,
        .random = some_bytes,
        .random_context = &bench.seed,
    };
    for (size_t i = 0; i < sizeof m.bytes; i++)
        m.bytes[i] = (uint8_t)(i + 1);
    return data_channel_choose(&o, "AES-256-GCM") ? data_channel_new(&o, &m)
                                                  : NULL;
}

static uint32_t run_cut(void)
{
    struct segment_cursor cursor = {0};
    struct burst_layout layout = data_channel_layout(bench.client);
    must(segment(&bench.super_packet, 1500, &layout, &cursor, &bench.out) ==
             SEGMENT_DONE,
         "cutting");
    return SEGMENTS;
}

static void prepare_cut(void)
{
    burst_reset(&bench.out);
}

static void prepare_seal(void)
{
    prepare_cut();
    run_cut();
}

static uint32_t run_seal(void)
{
    data_channel_seal(bench.client, &bench.out);
    return SEGMENTS;
}

static void prepare_open(void)
{
    prepare_seal();
    run_seal();
    burst_reset(&bench.in);
    for (uint16_t i = 0; i < bench.out.count; i++) {
        const struct datagram *d = &bench.out.datagrams[i];
        must(burst_add_view(&bench.in, d->data, d->size), "a view");
    }
}

static uint32_t run_open(void)
{
    data_channel_open(bench.server, bench.now, &bench.in, 0, bench.in.count);
    return SEGMENTS;
}

static void prepare_join(void)
{
    prepare_open();
    run_open();
    packet_batch_reset(&bench.joined);
}

static uint32_t run_join(void)
{
    uint16_t next = 0;
    must(coalesce(bench.coalesce, &bench.in, &next, &bench.joined) &&
             bench.joined.count == 1,
         "joining");
    return SEGMENTS;
}

static void tunnel_begin(void)
{
    static uint8_t payload[SUPER_PAYLOAD];
    const struct craft c = {
        .source = address_ipv4(0x0a080002),
        .destination = address_ipv4(0x5db80000),
        .protocol = IP_TCP,
        .source_port = 40000,
        .destination_port = 443,
        .flags = TCP_ACK,
        .dont_fragment = true,
        .payload = {payload, sizeof payload},
    };
    bench.super_packet = craft_super_packet(&c, SEGMENT_PAYLOAD);
    must(ip_packet_parse(&bench.super_packet) == DROP_NONE, "parsing");
    bench.client = channel(OPENVPN_CLIENT);
    bench.server = channel(OPENVPN_SERVER);
    bench.coalesce = coalesce_new();
    must(bench.client && bench.server && bench.coalesce &&
             burst_init(&bench.out, 1 << 17) && burst_init(&bench.in, 0) &&
             packet_batch_init(&bench.joined, BATCH, 0),
         "memory");
}

/* --- Measuring ----------------------------------------------------------- */

/* In an order in which the number of flows only grows. */
static const struct stage stages[] = {
    {.name = "parse", .flows = 1, .prepare = prepare_known, .run = run_parse},
    {.name = "known-1", .flows = 1, .prepare = prepare_known},
    {.name = "new-1", .flows = 1, .prepare = prepare_new, .calls = FEW},
    {.name = "known-1000", .flows = 1000, .prepare = prepare_known},
    {.name = "new-65536",
     .flows = FLOWS - FEW * BATCH,
     .prepare = prepare_new,
     .calls = FEW},
    {.name = "known-65536", .flows = FLOWS, .prepare = prepare_known},
    /* Each ends an older one. */
    {.name = "new-full", .flows = FLOWS, .prepare = prepare_new},
    {.name = "cut", .prepare = prepare_cut, .run = run_cut},
    {.name = "seal", .prepare = prepare_seal, .run = run_seal},
    {.name = "open", .prepare = prepare_open, .run = run_open},
    {.name = "join", .prepare = prepare_join, .run = run_join},
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A function of its own, for profilers, which has to see it return. */
__attribute__((noinline)) uint32_t measured(const struct stage *s);
uint32_t measured(const struct stage *s)
{
    uint32_t packets = s->run ? s->run() : run_router();
    __asm__ volatile("" : "+r"(packets));
    return packets;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void begin(const struct stage *s)
{
    bench.below = s->flows;
    open_flows(s->flows);
}

static void nothing_was_dropped(const struct stage *s)
{
    for (size_t i = 0; i < bench.small.count; i++)
        must(bench.small.packets[i].drop == DROP_NONE, s->name);
    for (size_t i = 0; i < bench.in.count; i++)
        must(bench.in.datagrams[i].drop == DROP_NONE, s->name);
}

static void time_stage(const struct stage *s)
{
    static double took[CALLS];
    uint32_t calls = s->calls ? s->calls : CALLS;
    begin(s);
    for (uint32_t i = 0; i < calls; i++) {
        s->prepare();
        double start = seconds();
        uint32_t packets = measured(s);
        took[i] = (seconds() - start) / packets;
        nothing_was_dropped(s);
    }
    qsort(took, calls, sizeof *took, by_size);
    printf("%s %.1f\n", s->name, 1e9 * took[calls / 2]);
}

static void profile_stage(const struct stage *s)
{
    uint32_t calls = s->calls ? s->calls : CALLS_PROFILED;
    uint64_t packets = 0;
    begin(s);
    for (uint32_t i = 0; i < calls; i++) {
        s->prepare();
        packets += measured(s);
    }
    printf("%s %llu\n", s->name, (unsigned long long)packets);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    router_begin();
    tunnel_begin();
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (!only)
            time_stage(&stages[i]);
        else if (strcmp(only, stages[i].name) == 0)
            profile_stage(&stages[i]);
    }
    return 0;
}
