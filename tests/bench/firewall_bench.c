/*
 * What the firewall's parts cost: checksums, a packet's way through the
 * router with 1, 1 000 and 65 536 flows in the table, the first packet of a
 * flow, a lookup among keys that somebody chose to crowd the table, cutting
 * and joining. The best of some rounds.
 */
#include "gateway/router/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "firewall/checksum.h"
#include "firewall/coalesce.h"
#include "firewall/flow.h"
#include "firewall/ip_packet.h"
#include "firewall/segment.h"
#include "tests/firewall/craft.h"

enum {
    ROUNDS = 7,
    QUBES = 4, /* one may not have more than half of the table */
    BATCH = 64,
    SEGMENT_PAYLOAD = 1348,
    SUPER_PAYLOAD = 45 * SEGMENT_PAYLOAD,
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t seed = 1;

/* --- Checksums ------------------------------------------------------------ */

static volatile uint16_t sink;

static void checksums(size_t size)
{
    static uint8_t from[2048], to[2048];
    enum { TIMES = 20000 };
    double best[3] = {1e9, 1e9, 1e9};
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < 3; kind++) {
            double start = seconds();
            for (int i = 0; i < TIMES; i++) {
                if (kind == 0)
                    sink = checksum_sum(from, size);
                else if (kind == 1)
                    sink = checksum_sum_copy(to, from, size);
                else
                    memcpy(to, from, size);
                __asm__ volatile("" : : "r"(to), "r"(from) : "memory");
            }
            double took = (seconds() - start) / TIMES;
            best[kind] = took < best[kind] ? took : best[kind];
        }
    printf("%5zu bytes: sum %6.1f ns, copy and sum %6.1f ns, memcpy %6.1f ns\n",
           size, 1e9 * best[0], 1e9 * best[1], 1e9 * best[2]);
}

/* --- The router ----------------------------------------------------------- */

struct world {
    struct router *router;
    struct instant now;
    struct packet_batch replies;
    uint32_t flows;
};

static struct address qube_address(uint32_t qube)
{
    return address_ipv4(0x0a890005 + qube);
}

/* A small UDP packet of flow `n`: every other one shares a source port, for
 * there are fewer than 65 536 of those. */
static struct craft packet_of(uint32_t n)
{
    return (struct craft){
        .source = qube_address(n % QUBES),
        .destination = address_ipv4(0x5db80000 + n * 7),
        .protocol = 17,
        .source_port = (uint16_t)(1024 + n / QUBES / 2),
        .destination_port = (uint16_t)(1 + n % 60000),
        .dont_fragment = true,
        .payload = {(const uint8_t *)"eight...", 8},
    };
}

static void world_init(struct world *w)
{
    struct router_options options = {.flows = 65536, .accept_unruled = true};
    const struct tunnel tunnel = {
        .ipv4 = {address_ipv4(0x0a080002), 24},
        .mtu = 1500,
        .redirect_ipv4 = true,
    };
    *w = (struct world){.now = {1000000}};
    craft_fill(&seed, options.seed, sizeof options.seed);
    w->router = router_new(&options);
    if (!w->router || !packet_batch_init(&w->replies, 4, 2048))
        exit(1);
    for (uint32_t i = 0; i < QUBES; i++) {
        struct address a = qube_address(i);
        if (router_add_qube(w->router, w->now, "qube", &a, NULL) != (int)i)
            exit(1);
    }
    router_tunnel_up(w->router, w->now, &tunnel);
}

static void world_clear(struct world *w)
{
    packet_batch_clear(&w->replies);
    router_free(w->router);
}

/* Packets of `first` and the following flows, or of random ones below
 * `below`, as the links would give them. */
static void fill(struct packet_batch *batch, uint32_t first, uint32_t below)
{
    packet_batch_reset(batch);
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t n = below ? craft_below(&seed, below) : first + i;
        struct craft c = packet_of(n);
        struct packet *p = packet_batch_add(batch);
        p->size = (uint32_t)craft_write(&c, p->data);
        p->qube = (uint16_t)(n % QUBES);
    }
}

static double pass(struct world *w, struct packet_batch *batch)
{
    w->now.us += 9000; /* new flows may come at a rate only */
    double start = seconds();
    router_from_qubes(w->router, w->now, batch, &w->replies);
    double took = seconds() - start;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->packets[i].drop != DROP_NONE) {
            fprintf(stderr, "dropped: %s\n", drop_text(batch->packets[i].drop));
            exit(1);
        }
    return took;
}

static void open_flows(struct world *w, struct packet_batch *batch,
                       uint32_t flows)
{
    double took = 0;
    uint32_t opened = flows - w->flows;
    for (; w->flows < flows; w->flows += BATCH) {
        fill(batch, w->flows, 0);
        took += pass(w, batch);
    }
    printf("%5u flows: the first packet of each new one %6.1f ns\n", flows,
           1e9 * took / opened);
}

static void known_flows(struct world *w, struct packet_batch *batch,
                        uint32_t flows)
{
    enum { BATCHES = 300 };
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double took = 0;
        for (int i = 0; i < BATCHES; i++) {
            fill(batch, 0, flows);
            took += pass(w, batch);
        }
        best = took < best ? took : best;
    }
    printf("%5u flows: a packet of a random one %6.1f ns\n", flows,
           1e9 * best / (BATCHES * BATCH));
}

static void router(void)
{
    struct world w;
    struct packet_batch batch;
    world_init(&w);
    if (!packet_batch_init(&batch, BATCH, 512))
        exit(1);
    open_flows(&w, &batch, BATCH);
    known_flows(&w, &batch, 1);
    open_flows(&w, &batch, 1024);
    known_flows(&w, &batch, 1000);
    open_flows(&w, &batch, 65536);
    known_flows(&w, &batch, 65536);
    assert(router_flow_count(w.router) == 65536);
    packet_batch_clear(&batch);
    world_clear(&w);
}

/* --- The hash ------------------------------------------------------------- */

/* Random, or of equal sum and equal exclusive or: what crowds in one chain of
 * a table with a weak hash. */
static struct flow_key key_of(uint32_t n, bool crafted)
{
    struct flow_key k = {.protocol = 17, .family = ADDRESS_IPV4};
    if (crafted) {
        store_u16(k.remote, (uint16_t)n);
        store_u16(k.remote + 2, 0x5db8);
        k.remote_port = (uint16_t)~n;
        k.local_port = 40000;
    } else {
        craft_fill(&seed, k.remote, 4);
        craft_fill(&seed, (uint8_t *)&k.remote_port, 2);
        craft_fill(&seed, (uint8_t *)&k.local_port, 2);
    }
    return k;
}

static void hash(const char *what, bool crafted)
{
    enum { FLOWS = 65536, TIMES = 4 };
    static struct flow_key keys[FLOWS];
    static struct flow_table table;
    struct siphash_key secret;
    craft_fill(&seed, (uint8_t *)&secret, sizeof secret);
    if (!flow_table_init(&table, FLOWS, &secret))
        exit(1);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct flow_key outside = key_of(i, crafted);
        do
            keys[i] = key_of(i, crafted);
        while (flow_find(&table, &keys[i]) != FLOW_NONE);
        outside.qube = FLOW_TUNNEL_SIDE;
        if (flow_find(&table, &outside) != FLOW_NONE)
            store_u32(outside.remote, i);
        if (flow_insert(&table, &keys[i], &outside, 0, 60) == FLOW_NONE)
            exit(1);
    }
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        for (uint32_t i = 0; i < TIMES * FLOWS; i++)
            sink = (uint16_t)flow_find(&table, &keys[i * 40503 % FLOWS]);
        double took = (seconds() - start) / (TIMES * FLOWS);
        best = took < best ? took : best;
    }
    printf("65536 flows, %s: a lookup %6.1f ns\n", what, 1e9 * best);
    flow_table_clear(&table);
}

/* --- Cutting and joining -------------------------------------------------- */

static const struct burst_layout layout = {.head = 8, .tail = 16};

static void cut_and_join(void)
{
    enum { TIMES = 300 };
    static uint8_t payload[SUPER_PAYLOAD];
    static struct burst burst;
    struct craft c = {
        .source = address_ipv4(0x0a080002),
        .destination = address_ipv4(0x5db80000),
        .protocol = 6,
        .source_port = 40000,
        .destination_port = 443,
        .flags = 0x10,
        .dont_fragment = true,
        .payload = {payload, sizeof payload},
    };
    struct packet p = craft_super_packet(&c, SEGMENT_PAYLOAD);
    struct packet_batch batch;
    struct coalesce *coalescer = coalesce_new();
    double cut = 1e9, join = 1e9;
    if (!coalescer || !burst_init(&burst, 1 << 20) ||
        !packet_batch_init(&batch, BATCH, 0))
        exit(1);
    for (int round = 0; round < ROUNDS * TIMES; round++) {
        struct segment_cursor cursor = {0};
        uint16_t next = 0;
        burst_reset(&burst);
        packet_batch_reset(&batch);
        double start = seconds();
        if (segment(&p, 1500, &layout, &cursor, &burst) != SEGMENT_DONE)
            exit(1);
        double middle = seconds();
        if (!coalesce(coalescer, &burst, &next, &batch) || batch.count != 1)
            exit(1);
        double took = seconds() - middle;
        join = took < join ? took : join;
        cut = middle - start < cut ? middle - start : cut;
    }
    double segments = burst.count, bits = 8.0 * sizeof payload;
    printf("cutting %6.1f ns a segment, %6.1f Gbit/s;  "
           "joining %6.1f ns, %6.1f Gbit/s\n",
           1e9 * cut / segments, bits / cut * 1e-9, 1e9 * join / segments,
           bits / join * 1e-9);
    free(p.data);
    coalesce_free(coalescer);
    packet_batch_clear(&batch);
    burst_clear(&burst);
}

int main(void)
{
    checksums(64);
    checksums(1400);
    router();
    hash("random keys                 ", false);
    hash("keys that crowd a weak hash ", true);
    cut_and_join();
    return 0;
}
