/*
 * The Internet checksum (RFC 1071) and its patching (RFC 1624).
 *
 * A sum is the unfolded total of 16-bit big-endian words, complements taken
 * by nobody until checksum_finish(); adding sums adds what they cover, as
 * long as each part but the last has an even size. A packet whose checksum is
 * PARTIAL holds the folded sum of its pseudo-header, uncomplemented: patched
 * with the same differences, but only those of the addresses and the length,
 * because ports and payload are not in it yet.
 */
#ifndef PACKET_CHECKSUM_H
#define PACKET_CHECKSUM_H

#include "gateway/base/bytes.h"

/* The folded sum of `size` bytes; an odd last byte counts as a high one. */
uint16_t checksum_sum(const uint8_t *data, size_t size);

/* The same, while copying to `to`, which must not overlap. */
uint16_t checksum_sum_copy(uint8_t *to, const uint8_t *from, size_t size);

/* The sum of the pseudo-header of TCP, UDP (RFC 9293 3.1, RFC 768) and, for
 * 16-byte addresses, ICMPv6 (RFC 8200 8.1). */
uint32_t checksum_pseudo(const uint8_t *source, const uint8_t *destination,
                         size_t address_size, uint8_t protocol,
                         uint32_t transport_size);

static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The value for the header. */
static inline uint16_t checksum_finish(uint64_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

/* The sum of what stands at an odd offset from the start. */
static inline uint16_t checksum_swap(uint16_t sum)
{
    return (uint16_t)(sum << 8 | sum >> 8);
}

/* The difference that a word's change makes, to be added up and patched in
 * at once: ~m + m' of RFC 1624. */
static inline uint32_t checksum_change(uint16_t old, uint16_t new)
{
    return (uint32_t)(uint16_t)~old + new;
}

/* The differences of `size` bytes (even) replaced by others. */
static inline uint32_t checksum_change_bytes(const uint8_t *old,
                                             const uint8_t *new, size_t size)
{
    uint32_t change = 0;
    for (size_t i = 0; i < size; i += 2)
        change += checksum_change(load_u16(old + i), load_u16(new + i));
    return change;
}

/* A header's checksum after the change: HC' = ~(~HC + change), equation 3. */
static inline uint16_t checksum_patch(uint16_t checksum, uint32_t change)
{
    return checksum_finish((uint64_t)(uint16_t)~checksum + change);
}

#endif
