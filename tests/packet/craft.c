#include "tests/packet/craft.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t add_up(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
        if (sum > 0xffff)
            sum = sum - 0x10000 + 1;
    }
    return sum;
}

static uint32_t fold(uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static uint32_t pseudo(const uint8_t *data, uint8_t protocol, size_t size)
{
    bool v4 = data[0] >> 4 == 4;
    uint8_t words[4] = {(uint8_t)(size >> 8), (uint8_t)size, 0, protocol};
    uint32_t sum = v4 ? add_up(data + 12, 8) : add_up(data + 8, 32);
    return fold(sum + add_up(words, 4));
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static size_t write_transport(const struct craft *c, uint8_t *t)
{
    size_t header = 8;
    memset(t, 0, 60);
    put16(t, c->source_port);
    put16(t + 2, c->destination_port);
    if (c->protocol == 6) {
        header = 20 + c->tcp_options.size;
        put32(t + 4, c->sequence);
        put32(t + 8, c->acknowledgement);
        t[12] = (uint8_t)(header / 4 << 4);
        t[13] = c->flags;
        put16(t + 14, c->window);
        if (c->tcp_options.size)
            memcpy(t + 20, c->tcp_options.data, c->tcp_options.size);
    } else if (c->protocol == 17) {
        put16(t + 4, (uint32_t)(8 + c->payload.size));
    } else {
        t[0] = c->icmp_type;
        t[1] = c->icmp_code;
        put16(t + 2, 0);
        put32(t + 4, c->icmp_rest);
    }
    if (c->payload.size)
        memcpy(t + header, c->payload.data, c->payload.size);
    return header + c->payload.size;
}

static size_t field_of(uint8_t protocol)
{
    return protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
}

static void write_checksum(const struct craft *c, uint8_t *ip, uint8_t *t,
                           size_t size)
{
    if (c->protocol == 17 && c->udp_without_checksum)
        return;
    uint32_t sum = add_up(t, size);
    if (c->protocol != 1)
        sum += pseudo(ip, c->protocol, size);
    uint32_t checksum = ~fold(sum) & 0xffff;
    if (c->protocol == 17 && checksum == 0)
        checksum = 0xffff;
    put16(t + field_of(c->protocol), checksum);
}

size_t craft_write(const struct craft *c, uint8_t *out)
{
    bool v4 = c->source.family == ADDRESS_IPV4;
    size_t header = v4 ? 20 : 40;
    uint8_t *t = out + header;
    size_t size = write_transport(c, t);
    memset(out, 0, header);
    if (v4) {
        out[0] = 0x45;
        out[1] = c->tos;
        put16(out + 2, (uint32_t)(header + size));
        put16(out + 4, c->id);
        put16(out + 6, c->dont_fragment ? 0x4000 : 0);
        out[8] = c->ttl ? c->ttl : 64;
        out[9] = c->protocol;
        memcpy(out + 12, c->source.bytes, 4);
        memcpy(out + 16, c->destination.bytes, 4);
        put16(out + 10, ~add_up(out, 20) & 0xffff);
    } else {
        out[0] = (uint8_t)(0x60 | c->tos >> 4);
        out[1] = (uint8_t)(c->tos << 4);
        put16(out + 4, (uint32_t)size);
        out[6] = c->protocol;
        out[7] = c->ttl ? c->ttl : 64;
        memcpy(out + 8, c->source.bytes, 16);
        memcpy(out + 24, c->destination.bytes, 16);
    }
    write_checksum(c, out, t, size);
    return header + size;
}

struct packet craft_packet(const struct craft *c)
{
    uint8_t *scratch = malloc(CRAFT_SIZE_MAX + 100);
    assert(scratch);
    size_t size = craft_write(c, scratch);
    struct packet p = {.data = malloc(size), .size = (uint32_t)size};
    assert(p.data && size <= CRAFT_SIZE_MAX);
    memcpy(p.data, scratch, size);
    free(scratch);
    return p;
}

struct packet craft_fragmentable(const struct packet *plain, uint32_t id)
{
    struct packet p = {.data = calloc(1, plain->size + 8),
                       .size = plain->size + 8};
    memcpy(p.data, plain->data, 40);
    p.data[40] = plain->data[6];
    p.data[6] = 44;
    put32(p.data + 44, id);
    memcpy(p.data + 48, plain->data + 40, plain->size - 40);
    put16(p.data + 4, p.size - 40);
    return p;
}

struct packet craft_super_packet(const struct craft *c, uint16_t gso_size)
{
    struct packet p = craft_packet(c);
    size_t header = c->source.family == ADDRESS_IPV4 ? 20 : 40;
    put16(p.data + header + field_of(c->protocol),
          pseudo(p.data, c->protocol, p.size - header));
    p.checksum = PACKET_CHECKSUM_PARTIAL;
    p.gso_size = gso_size;
    if (gso_size)
        p.gso = c->protocol == 6 ? PACKET_GSO_TCP : PACKET_GSO_UDP;
    return p;
}

bool craft_checksums_right(const uint8_t *data, size_t size)
{
    bool v4 = data[0] >> 4 == 4;
    size_t header = v4 ? (size_t)(data[0] & 15) * 4 : 40;
    uint8_t protocol = v4 ? data[9] : data[6];
    if (v4 && add_up(data, header) != 0xffff)
        return false;
    if (!v4 && protocol == 44) { /* of a whole packet, it stands for nothing */
        protocol = data[40];
        header += 8;
    }
    const uint8_t *t = data + header;
    size_t left = size - header;
    if (protocol == 17 && v4 && t[6] == 0 && t[7] == 0)
        return true;
    if (protocol == 17 && t[6] == 0 && t[7] == 0)
        return false;
    uint32_t sum = add_up(t, left);
    if (protocol != 1)
        sum += pseudo(data, protocol, left);
    return fold(sum) == 0xffff;
}

bool craft_partial_right(const uint8_t *data, size_t size, size_t total)
{
    bool v4 = data[0] >> 4 == 4;
    size_t header = v4 ? 20 : 40;
    uint8_t protocol = v4 ? data[9] : data[6];
    size_t at = header + field_of(protocol);
    if (size < at + 2 || (v4 && add_up(data, header) != 0xffff))
        return false;
    uint32_t field = (uint32_t)data[at] << 8 | data[at + 1];
    return field == pseudo(data, protocol, total - header);
}

uint64_t craft_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

uint32_t craft_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((craft_random(state) >> 32) % limit);
}

void craft_fill(uint64_t *state, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(craft_random(state) >> 56);
}

struct address craft_address(const char *text)
{
    struct address a;
    bool parsed = address_parse(bytes_of_text(text), &a);
    assert(parsed);
    return a;
}
