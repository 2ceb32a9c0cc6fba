/*
 * Measures the cost of the firewall's innermost parts: checksums, and a lookup
 * among keys that somebody chose to crowd the table. The best of some rounds.
 */
#include "gateway/packet/checksum.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "firewall/flow.h"
#include "tests/packet/craft.h"

enum { ROUNDS = 7 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t seed = 1;

/* --- Checksums ----------------------------------------------------------- */

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

/* --- The hash ------------------------------------------------------------ */

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
    struct qube_table all = {.limit = 0};
    struct qube qube;
    struct siphash_key secret;
    craft_fill(&seed, (uint8_t *)&secret, sizeof secret);
    if (!flow_table_init(&table, FLOWS, &secret) || !qube_enter(&all, &qube))
        exit(1);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct flow_key outside = key_of(i, crafted);
        do
            keys[i] = key_of(i, crafted);
        while (flow_find(&table, &keys[i]) != FLOW_NONE);
        outside.qube = FLOW_TUNNEL_SIDE;
        if (flow_find(&table, &outside) != FLOW_NONE)
            store_u32(outside.remote, i);
        if (flow_insert(&table, &qube, &keys[i], &outside, 0, 60) == FLOW_NONE)
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

int main(void)
{
    checksums(64);
    checksums(1400);
    hash("random keys                 ", false);
    hash("keys that crowd a weak hash ", true);
    return 0;
}
