/*
 * Two devices in one process, under one clock that only this file moves, and
 * between them a way that loses what the test says. A is at 192.0.2.1 with
 * 10.0.0.1 inside, B at 192.0.2.2 with 10.0.0.2; each knows the other's place.
 */
#ifndef TESTS_WIREGUARD_DEVICE_PAIR_H
#define TESTS_WIREGUARD_DEVICE_PAIR_H

#include "gateway/wireguard/device.h"

enum { DEVICE_PAIR_LOG_MAX = 65536, DEVICE_PAIR_MTU = 1420 };

enum device_pair_end { PAIR_A, PAIR_B };

/* A datagram that left one of them. */
struct device_pair_entry {
    struct instant at;
    uint8_t from;
    uint8_t type, tos;
    uint16_t size;
};

struct device_end {
    struct device *device;
    struct endpoint place;
    struct address inner;
    int64_t latest_stamp;
    uint64_t random;
    unsigned received; /* packets that came out */
    uint8_t last[1500];
    uint16_t last_size;
};

struct device_pair {
    struct instant now;
    int64_t wall; /* ns at instant 0 */
    struct device_end end[2];
    /* Whether it arrives; NULL: all does. */
    bool (*pass)(struct device_pair *pair, unsigned from, struct bytes bytes);
    void *context;
    unsigned log_count;
    struct device_pair_entry log[DEVICE_PAIR_LOG_MAX];
    uint8_t last_message[2][WIRE_HANDSHAKE_MAX]; /* of a handshake, by sender */
    uint8_t last_data[2][2048];
    uint16_t last_data_size[2];
};

/* On the heap. `keepalive` is A's. */
struct device_pair *device_pair_new(const uint8_t *psk_a, const uint8_t *psk_b,
                                    uint16_t keepalive);
void device_pair_free(struct device_pair *p);

/* Carries both ends' messages, again and again. */
void device_pair_settle(struct device_pair *p);
/* Time passes; each timer fires at its own moment. */
void device_pair_wait(struct device_pair *p, int64_t milliseconds);
/* One packet from that end to the other, of `size` bytes, and what follows.
 * Returns what became of it. */
enum drop device_pair_send(struct device_pair *p, unsigned from, uint16_t size);
/* A datagram arrives at that end, from that place; what became of it. The
 * bytes are copied to a heap of exactly their size. */
enum drop device_pair_arrive(struct device_pair *p, unsigned to,
                             const struct endpoint *from, struct bytes bytes);

/* Hands shaken, both directions used once. */
void device_pair_connect(struct device_pair *p);

/* How many datagrams of this type that end sent since log entry `first`. */
unsigned device_pair_count(const struct device_pair *p, unsigned first,
                           unsigned from, enum wire_type type);
/* Milliseconds since `since` at which the nth (from 0) of them left; -1: there
 * is none. */
int64_t device_pair_when(const struct device_pair *p, unsigned first,
                         unsigned from, enum wire_type type, unsigned n,
                         struct instant since);

/* The peer that this end has of the other. */
const struct peer *device_pair_peer(const struct device_pair *p, unsigned end);

#endif
