#include "gateway/wireguard/profile/conf_value.h"

#include "gateway/base/text.h"

enum { MTU_LEAST = 576, MTU_MOST = 65535 - 80, PORT_MOST = 65535 };

static const char *split(struct bytes text, struct bytes *address,
                         struct bytes *length)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    size_t size = slash ? (size_t)(slash - text.data) : text.size;
    *address = bytes_of(text.data, size);
    *length =
        slash ? bytes_of(slash + 1, text.size - size - 1) : bytes_of(NULL, 0);
    if (slash && length->size == 0)
        return "the number behind the `/' is missing";
    return NULL;
}

static const char *family_problem(struct bytes text)
{
    if (text.size > 0 && (text.data[0] == '+' || text.data[0] == '-'))
        return "a `+' or `-' in front changes a running interface, and has no "
               "place in a file";
    return "it is no IPv4 or IPv6 address";
}

const char *conf_value_address(struct bytes text, struct prefix *out)
{
    struct bytes address, length;
    struct prefix p;
    uint32_t bits;
    const char *why = split(text, &address, &length);
    if (why)
        return why;
    if (!address_parse(address, &p.address))
        return family_problem(text);
    uint32_t most = p.address.family == ADDRESS_IPV4 ? 32 : 128;
    if (!length.size)
        bits = most;
    else if (memchr(length.data, '.', length.size))
        return "behind the `/' stands a number of bits, as 24, and no netmask";
    else if (!text_to_u32(length, most, &bits))
        return most == 32 ? "behind the `/' stands a number from 0 to 32"
                          : "behind the `/' stands a number from 0 to 128";
    p.bits = (uint8_t)bits;
    *out = p;
    return NULL;
}

const char *conf_value_network(struct bytes text, struct prefix *out, bool *cut)
{
    struct prefix p;
    const char *why = conf_value_address(text, &p);
    if (why)
        return why;
    *out = prefix_of(&p.address, p.bits);
    *cut = !address_equal(&out->address, &p.address);
    return NULL;
}

/* The last colon of "HOST:PORT" divides, so that IPv6 needs no brackets. */
const char *conf_value_endpoint(struct bytes text,
                                char host[CONF_VALUE_HOST_SIZE], uint16_t *port)
{
    const uint8_t *colon =
        text.size ? memrchr(text.data, ':', text.size) : NULL;
    if (!colon)
        return "the port is missing: HOST:51820 is the usual one";
    struct bytes name = bytes_of(text.data, (size_t)(colon - text.data));
    struct bytes number = bytes_of(colon + 1, text.size - name.size - 1);
    uint32_t value;
    if (name.size >= 2 && name.data[0] == '[') {
        struct address address;
        if (name.data[name.size - 1] != ']')
            return "the port is missing behind the `]'";
        name = bytes_of(name.data + 1, name.size - 2);
        if (!address_parse(name, &address) || address.family != ADDRESS_IPV6)
            return "in the brackets stands no IPv6 address";
    }
    if (name.size == 0)
        return "the host is missing in front of the port";
    if (!text_to_u32(number, PORT_MOST, &value) || value == 0)
        return "the port is a number from 1 to 65535";
    if (!text_copy(host, CONF_VALUE_HOST_SIZE, name))
        return "the host's name is too long";
    *port = (uint16_t)value;
    return NULL;
}

const char *conf_value_keepalive(struct bytes text, uint16_t *out)
{
    uint32_t seconds = 0;
    if (!text_equal_ignoring_case(text, "off") &&
        !text_to_u32(text, UINT16_MAX, &seconds))
        return "it is a number of seconds up to 65535 without a unit, or `off'";
    *out = (uint16_t)seconds;
    return NULL;
}

const char *conf_value_mtu(struct bytes text, uint16_t *out)
{
    uint32_t mtu;
    if (!text_to_u32(text, MTU_MOST, &mtu) || mtu < MTU_LEAST)
        return "it is a number of bytes from 576 to 65455";
    *out = (uint16_t)mtu;
    return NULL;
}
