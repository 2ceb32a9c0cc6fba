/* IP packets made to order, and an independent judge of their checksums:
 * slow, byte by byte, sharing no line with what it judges. */
#ifndef TESTS_PACKET_CRAFT_H
#define TESTS_PACKET_CRAFT_H

#include "gateway/base/address.h"
#include "gateway/packet/packet.h"

enum { CRAFT_SIZE_MAX = 65535 };

struct craft {
    struct address source, destination;
    uint8_t protocol; /* 6, 17, 1, 58 */
    uint16_t source_port, destination_port;
    uint8_t ttl, tos;
    uint16_t id;
    bool dont_fragment;
    uint32_t sequence, acknowledgement;
    uint8_t flags; /* of TCP */
    uint16_t window;
    struct bytes tcp_options; /* a multiple of four bytes */
    uint8_t icmp_type, icmp_code;
    uint32_t icmp_rest; /* the second word of its header */
    bool udp_without_checksum;
    struct bytes payload;
};

/* Writes it with right checksums; its size. */
size_t craft_write(const struct craft *c, uint8_t *out);

/* As a packet whose data is on the heap, of exactly its size; free(p.data). */
struct packet craft_packet(const struct craft *c);

/* An IPv6 packet once more, with a Fragment header that says it is whole. */
struct packet craft_fragmentable(const struct packet *plain, uint32_t id);

/* As a super-packet with a PARTIAL checksum. */
struct packet craft_super_packet(const struct craft *c, uint16_t gso_size);

/* All checksums of a whole packet are right. */
bool craft_checksums_right(const uint8_t *data, size_t size);
/* The transport checksum field is the folded sum of the pseudo-header. */
bool craft_partial_right(const uint8_t *data, size_t size, size_t total);

/* A small seeded generator (xorshift64*). */
uint64_t craft_random(uint64_t *state);
uint32_t craft_below(uint64_t *state, uint32_t limit);
void craft_fill(uint64_t *state, uint8_t *out, size_t size);

/* "192.0.2.1" as an address; aborts on nonsense. */
struct address craft_address(const char *text);

#endif
