/*
 * IP addresses, prefixes and endpoints of both families as plain values, and
 * their text. An IPv4 address lies in the first four bytes; the rest is
 * zero, so that two equal addresses are equal bytes.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "gateway/base/bytes.h"

enum address_family { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

struct address {
    enum address_family family;
    uint8_t bytes[16]; /* network order */
};

struct prefix {
    struct address address; /* bits beyond `bits` are zero */
    uint8_t bits;
};

struct endpoint {
    struct address address;
    uint16_t port; /* host order */
};

enum { ADDRESS_TEXT_SIZE = 46, ENDPOINT_TEXT_SIZE = 56, PREFIX_TEXT_SIZE = 50 };

struct address address_ipv4(uint32_t host_order);
struct address address_from_bytes(enum address_family family,
                                  const uint8_t *network_order);
uint32_t address_to_ipv4(const struct address *a); /* host order */
bool address_equal(const struct address *a, const struct address *b);
bool address_is_set(const struct address *a);

/* "02:00:00:00:00:01". */
MUST_USE bool address_parse_mac(struct bytes text, uint8_t out[6]);

/* 4 or 16. */
static inline size_t address_size(enum address_family family)
{
    return family == ADDRESS_IPV4 ? 4 : 16;
}

/* Strict text: dotted quad without leading zeros, or RFC 4291. */
MUST_USE bool address_parse(struct bytes text, struct address *out);
const char *address_format(const struct address *a,
                           char out[ADDRESS_TEXT_SIZE]);

/* "A.B.C.D/24", "fd00::/8"; without a slash the whole address. Bits beyond
 * the prefix must be zero. */
MUST_USE bool prefix_parse(struct bytes text, struct prefix *out);
/* A prefix of family NONE contains nothing. */
bool prefix_contains(const struct prefix *p, const struct address *a);
struct prefix prefix_of(const struct address *a, uint8_t bits);
const char *prefix_format(const struct prefix *p, char out[PREFIX_TEXT_SIZE]);

/* Prefix length of a contiguous IPv4 netmask; false if it has holes. */
MUST_USE bool prefix_bits_of_netmask(uint32_t netmask, uint8_t *bits);

/* "192.0.2.1:1194", "[2001:db8::1]:1194". */
const char *endpoint_format(const struct endpoint *e,
                            char out[ENDPOINT_TEXT_SIZE]);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#endif
