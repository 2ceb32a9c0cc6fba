#include "gateway/base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "gateway/base/text.h"

struct address address_ipv4(uint32_t host_order)
{
    struct address a = {.family = ADDRESS_IPV4};
    store_u32(a.bytes, host_order);
    return a;
}

struct address address_from_bytes(enum address_family family,
                                  const uint8_t *network_order)
{
    struct address a = {.family = family};
    memcpy(a.bytes, network_order, address_size(family));
    return a;
}

uint32_t address_to_ipv4(const struct address *a)
{
    return load_u32(a->bytes);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, 16);
}

bool address_is_set(const struct address *a)
{
    return a->family != ADDRESS_NONE;
}

bool address_parse_mac(struct bytes text, uint8_t out[6])
{
    struct bytes pair;
    for (int i = 0; i < 6; i++) {
        size_t size;
        if (!text_cut(&text, ':', &pair) ||
            !text_from_hex(pair, &out[i], 1, &size) || size != 1)
            return false;
    }
    return text.data == NULL;
}

bool address_parse(struct bytes text, struct address *out)
{
    char copy[ADDRESS_TEXT_SIZE];
    if (!text_copy(copy, sizeof copy, text))
        return false;

    struct address a = {0};
    if (inet_pton(AF_INET, copy, a.bytes) == 1)
        a.family = ADDRESS_IPV4;
    else if (inet_pton(AF_INET6, copy, a.bytes) == 1)
        a.family = ADDRESS_IPV6;
    else
        return false;
    *out = a;
    return true;
}

const char *address_format(const struct address *a, char out[ADDRESS_TEXT_SIZE])
{
    if (a->family == ADDRESS_NONE) {
        snprintf(out, ADDRESS_TEXT_SIZE, "none");
        return out;
    }
    inet_ntop(a->family == ADDRESS_IPV4 ? AF_INET : AF_INET6, a->bytes, out,
              ADDRESS_TEXT_SIZE);
    return out;
}

static void clear_bits_beyond(struct address *a, uint8_t bits)
{
    for (size_t i = 0; i < 16; i++) {
        size_t first = i * 8;
        if (first >= bits)
            a->bytes[i] = 0;
        else if (bits - first < 8)
            a->bytes[i] &= (uint8_t)(0xff00 >> (bits - first));
    }
}

struct prefix prefix_of(const struct address *a, uint8_t bits)
{
    struct prefix p = {*a, bits};
    clear_bits_beyond(&p.address, bits);
    return p;
}

bool prefix_parse(struct bytes text, struct prefix *out)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    struct bytes head = text;
    if (slash)
        head.size = (size_t)(slash - text.data);

    struct address a;
    if (!address_parse(head, &a))
        return false;

    uint32_t most = (uint32_t)address_size(a.family) * 8, bits = most;
    if (slash) {
        struct bytes tail = {slash + 1, text.size - head.size - 1};
        if (!text_to_u32(tail, most, &bits))
            return false;
    }

    struct prefix p = prefix_of(&a, (uint8_t)bits);
    if (!address_equal(&p.address, &a))
        return false;
    *out = p;
    return true;
}

bool prefix_contains(const struct prefix *p, const struct address *a)
{
    if (p->address.family != a->family || a->family == ADDRESS_NONE)
        return false;
    struct prefix of_a = prefix_of(a, p->bits);
    return address_equal(&of_a.address, &p->address);
}

const char *prefix_format(const struct prefix *p, char out[PREFIX_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    snprintf(out, PREFIX_TEXT_SIZE, "%s/%u", address_format(&p->address, text),
             p->bits);
    return out;
}

bool prefix_bits_of_netmask(uint32_t netmask, uint8_t *bits)
{
    uint32_t inverse = ~netmask;
    if (inverse & (inverse + 1))
        return false;
    *bits = (uint8_t)__builtin_popcount(netmask);
    return true;
}

const char *endpoint_format(const struct endpoint *e,
                            char out[ENDPOINT_TEXT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    snprintf(out, ENDPOINT_TEXT_SIZE,
             e->address.family == ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u",
             address_format(&e->address, text), e->port);
    return out;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_equal(&a->address, &b->address);
}
