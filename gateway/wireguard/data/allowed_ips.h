/*
 * Finds the peer that has an address: of all prefixes that hold it the longest
 * decides (wireguard paper 2). A prefix belongs to one peer.
 */
#ifndef WIREGUARD_DATA_ALLOWED_IPS_H
#define WIREGUARD_DATA_ALLOWED_IPS_H

#include "gateway/base/address.h"

enum { ALLOWED_IPS_MAX = 1024, ALLOWED_IPS_NOBODY = 0xffff };

struct allowed_ips_entry {
    struct prefix prefix;
    uint16_t peer;
};

/* A run of entries of one family and length. */
struct allowed_ips_level {
    enum address_family family;
    uint8_t bits;
    uint16_t first, count;
};

/* By family and length, longest first, and by address. Starts zeroed. */
struct allowed_ips {
    uint16_t count, level_count;
    struct allowed_ips_entry entries[ALLOWED_IPS_MAX];
    struct allowed_ips_level levels[33 + 129];
};

/* Takes the prefix away from the peer that has it, if one has. False when the
 * table is full. */
MUST_USE bool allowed_ips_add(struct allowed_ips *a, const struct prefix *p,
                              uint16_t peer);

/* The peer, or ALLOWED_IPS_NOBODY. */
uint16_t allowed_ips_find(const struct allowed_ips *a,
                          const struct address *address);

#endif
