#include "gateway/openvpn/server/server_push.h"

#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/openvpn/data/data_packet.h"
#include "gateway/openvpn/session/peer_info.h"

/* One option, and the NUL that ends it. */
#define ADD(w, ...) (text_write((w), __VA_ARGS__), write_u8((w), '\0'))

/* `key-derivation' is for clients that do not know `protocol-flags'. */
static void add_flags(struct writer *w, const struct server_push *p)
{
    bool exporter = p->protocol & PEER_INFO_TLS_KEY_EXPORT;
    if (p->protocol & PEER_INFO_CC_EXIT_NOTIFY)
        ADD(w, "protocol-flags cc-exit%s%s%s", exporter ? " tls-ekm" : "",
            exporter && p->protocol & PEER_INFO_DYNAMIC_TLS_CRYPT
                ? " dyn-tls-crypt"
                : "",
            p->epoch ? " aead-epoch" : "");
    else if (exporter)
        ADD(w, "key-derivation tls-ekm");
}

static struct address netmask_of(uint8_t bits)
{
    return address_ipv4(bits ? UINT32_MAX << (32 - bits) : 0);
}

/* The second argument of `ifconfig': a netmask, or the tunnel's other end. */
static struct address second_of(const struct server_push *p)
{
    const struct server_config *c = p->config;
    if (address_is_set(&p->own->ipv4_second))
        return p->own->ipv4_second;
    switch (c->topology) {
    case SERVER_CONFIG_SUBNET:
        return netmask_of(c->ipv4.bits);
    case SERVER_CONFIG_NET30:
        return address_ipv4(address_to_ipv4(&p->ipv4.address) - 1);
    case SERVER_CONFIG_P2P:
        break;
    }
    return c->ipv4.address;
}

/* Without a subnet a client reaches only what it has a route to (openvpn:
 * helper.c). */
static void add_network(struct writer *w, const struct server_config *c)
{
    char own[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE],
        mask[ADDRESS_TEXT_SIZE];
    const struct prefix network = prefix_of(&c->ipv4.address, c->ipv4.bits);
    const struct address netmask = netmask_of(c->ipv4.bits);
    address_format(&c->ipv4.address, own);
    if (c->topology == SERVER_CONFIG_SUBNET)
        ADD(w, "route-gateway %s", own);
    else if (c->client_to_client)
        ADD(w, "route %s %s", address_format(&network.address, text),
            address_format(&netmask, mask));
    else if (c->topology == SERVER_CONFIG_NET30)
        ADD(w, "route %s", own);
    ADD(w, "topology %s", server_config_topology_name(c->topology));
}

/* Neither compresses anything. */
static void add_framing(struct writer *w, enum config_compression framing)
{
    if (framing == CONFIG_COMPRESSION_STUB_V2)
        ADD(w, "compress stub-v2");
    else if (framing == CONFIG_COMPRESSION_LZO)
        ADD(w, "comp-lzo no");
}

bool server_push_write(const struct server_push *p, struct writer *w)
{
    const struct server_config *c = p->config;
    char own[ADDRESS_TEXT_SIZE], theirs[ADDRESS_TEXT_SIZE],
        second[ADDRESS_TEXT_SIZE];
    struct address other = second_of(p);
    for (size_t i = 0; i < c->push_count; i++)
        if (server_client_config_takes(p->own, c->pushes[i]))
            ADD(w, "%s", c->pushes[i]);
    for (size_t i = 0; i < p->own->push_count; i++)
        ADD(w, "%s", p->own->pushes[i]);
    add_network(w, c);
    if (c->ping)
        ADD(w, "ping %u", c->ping);
    if (c->ping_restart)
        ADD(w, "ping-restart %u", c->ping_restart);
    if (address_is_set(&p->ipv6.address))
        ADD(w, "ifconfig-ipv6 %s/%u %s",
            address_format(&p->ipv6.address, theirs), p->ipv6.bits,
            address_format(&c->ipv6.address, own));
    ADD(w, "ifconfig %s %s", address_format(&p->ipv4.address, theirs),
        address_format(&other, second));
    if (p->peer_id != PEER_ID_NONE)
        ADD(w, "peer-id %u", p->peer_id);
    if (p->token)
        ADD(w, "auth-token %s", p->token);
    ADD(w, "cipher %s", p->cipher);
    add_framing(w, p->framing);
    add_flags(w, p);
    if (p->mtu)
        ADD(w, "tun-mtu %u", server_config_remote(c)->tun_mtu);
    return writer_ok(w);
}

bool server_push_next(struct bytes *options, bool *first, const char *command,
                      char message[CONTROL_MESSAGE_MAX])
{
    static const char more[] = ",push-continuation 2";
    static const char last[] = ",push-continuation 1";
    struct writer w = writer_of(message, CONTROL_MESSAGE_MAX - sizeof more);
    if (options->size == 0)
        return false;
    write_bytes(&w, bytes_of_text(command));
    while (options->size > 0) {
        struct bytes option = bytes_of_text((const char *)options->data);
        if (1 + option.size > w.capacity - w.size)
            break;
        write_u8(&w, ',');
        write_bytes(&w, option);
        options->data += option.size + 1;
        options->size -= option.size + 1;
    }
    const char *end = options->size > 0 ? more : *first ? "" : last;
    snprintf(message + w.size, CONTROL_MESSAGE_MAX - w.size, "%s", end);
    *first = false;
    return true;
}

bool server_push_may_follow(const char *option)
{
    static const char *const names[] = {
        "block-ipv6",       "block-outside-dns", "dhcp-option", "dns",
        "redirect-gateway", "redirect-private",  "route",       "route-ipv6",
        "route-metric",     "tun-mtu",
    };
    option += strspn(option, "-?");
    struct bytes rest = bytes_of_text(option), name;
    if (!text_cut(&rest, ' ', &name))
        return false;
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        known |= text_equal(name, names[i]);
    return known && server_config_is_option(option);
}
