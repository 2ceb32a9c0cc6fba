/*
 * Measures the cost of sealing and opening a packet, for every format and
 * library: bursts of 45 packets of 1400 bytes, back to back in memory, as one
 * UDP_SEGMENT send of a 64 KiB super-packet has them. The best of some rounds.
 */
#include "gateway/openvpn/data/data_channel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PACKETS = 45, SIZE = 1400, BURSTS = 400, ROUNDS = 7 };

struct kind {
    const char *cipher;
    const char *digest;
    bool epoch;
    enum aead_library library;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void some_bytes(void *context, uint8_t *out, size_t size)
{
    uint8_t *state = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (*state)++;
}

static struct data_channel *channel(const struct kind *kind,
                                    enum openvpn_role role)
{
    static uint8_t random;
    struct key_material m;
    struct data_channel_options o = {
        .role = role,
        .library = kind->library,
        .epoch = kind->epoch,
        .peer_id = 1,
        .replay_packets = 64,
        .replay_seconds = 15,
        .digest = kind->digest,
        .random = some_bytes,
        .random_context = &random,
    };
    for (size_t i = 0; i < sizeof m.bytes; i++)
        m.bytes[i] = (uint8_t)(i + 1);
    return data_channel_choose(&o, kind->cipher) ? data_channel_new(&o, &m)
                                                 : NULL;
}

static void round_of(struct data_channel *client, struct data_channel *server,
                     double *seal, double *open)
{
    static struct burst burst, received;
    struct burst_layout layout = data_channel_layout(client);
    if (!burst.memory && !burst_init(&burst, PACKETS * (SIZE + 200)))
        exit(1);
    *seal = *open = 0;
    for (int i = 0; i < BURSTS; i++) {
        burst_reset(&burst);
        burst_reset(&received);
        for (int k = 0; k < PACKETS; k++) {
            const struct datagram *d = burst_reserve(&burst, &layout, SIZE);
            if (!d || !burst_add_view(&received, d->data, d->size))
                exit(1);
        }
        double start = seconds();
        data_channel_seal(client, &burst);
        double middle = seconds();
        data_channel_open(server, (struct instant){0}, &received, 0, PACKETS);
        *open += seconds() - middle;
        *seal += middle - start;
        for (int k = 0; k < PACKETS; k++)
            assert(received.datagrams[k].inner_size == SIZE);
    }
}

static void measure(const struct kind *kind)
{
    struct data_channel *client = channel(kind, OPENVPN_CLIENT);
    struct data_channel *server = channel(kind, OPENVPN_SERVER);
    double best_seal = 1e9, best_open = 1e9;
    if (!client || !server) {
        data_channel_free(client);
        data_channel_free(server);
        return; /* this CPU cannot */
    }
    for (int i = 0; i < ROUNDS; i++) {
        double seal, open;
        round_of(client, server, &seal, &open);
        best_seal = seal < best_seal ? seal : best_seal;
        best_open = open < best_open ? open : best_open;
    }
    const double packets = (double)BURSTS * PACKETS;
    printf("%-18s %-7s %-6s %-9s seal %7.1f ns %6.2f Gbit/s   "
           "open %7.1f ns %6.2f Gbit/s\n",
           kind->cipher, kind->digest ? kind->digest : "",
           kind->epoch ? "epoch" : "", data_channel_library(client),
           1e9 * best_seal / packets, packets * SIZE * 8e-9 / best_seal,
           1e9 * best_open / packets, packets * SIZE * 8e-9 / best_open);
    data_channel_free(client);
    data_channel_free(server);
}

int main(void)
{
    static const struct kind kinds[] = {
        {.cipher = "AES-128-GCM", .library = AEAD_IPSECMB},
        {.cipher = "AES-256-GCM", .library = AEAD_IPSECMB},
        {.cipher = "AES-256-GCM", .epoch = true, .library = AEAD_IPSECMB},
        {.cipher = "CHACHA20-POLY1305", .library = AEAD_IPSECMB},
        {.cipher = "AES-128-GCM", .library = AEAD_PORTABLE},
        {.cipher = "AES-256-GCM", .library = AEAD_PORTABLE},
        {.cipher = "CHACHA20-POLY1305", .library = AEAD_PORTABLE},
        {.cipher = "AES-256-CBC", .digest = "SHA1", .library = AEAD_IPSECMB},
        {.cipher = "AES-256-CBC", .digest = "SHA256", .library = AEAD_IPSECMB},
        {.cipher = "AES-256-CBC", .digest = "SHA512", .library = AEAD_IPSECMB},
        {.cipher = "AES-256-CBC", .digest = "SHA1", .library = AEAD_PORTABLE},
        {.cipher = "AES-256-CBC", .digest = "SHA256", .library = AEAD_PORTABLE},
        {.cipher = "AES-256-CBC", .digest = "SHA512", .library = AEAD_PORTABLE},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        measure(&kinds[i]);
    return 0;
}
