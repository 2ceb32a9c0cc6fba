/*
 * The resolvers that a tunnel brings: the `dns` directive, which says it all,
 * and the older `dhcp-option`, which counts only where no `dns server` is
 * usable (openvpn: dns.c).
 */
#ifndef OPENVPN_PUSH_PUSH_DNS_H
#define OPENVPN_PUSH_PUSH_DNS_H

#include "gateway/base/tunnel.h"
#include "gateway/openvpn/config/config_parser.h"

enum {
    PUSH_DNS_SERVERS_MAX = 8,
    PUSH_DNS_ADDRESSES_MAX = 8,
    PUSH_DNS_DOMAIN_SIZE = 256,
};

struct push_dns_server {
    int priority; /* the lowest comes first */
    bool from_profile;
    bool split;    /* only for some domains */
    bool unusable; /* DNS over TLS or HTTPS, which nobody here speaks */
    uint8_t address_count;
    struct address addresses[PUSH_DNS_ADDRESSES_MAX];
};

struct push_dns {
    uint8_t server_count; /* of `dns`, sorted by priority */
    struct push_dns_server servers[PUSH_DNS_SERVERS_MAX];
    char search_domain[PUSH_DNS_DOMAIN_SIZE]; /* of `dns`, "" if none */
    uint8_t resolver_count;                   /* of `dhcp-option` */
    struct address resolvers[TUNNEL_RESOLVERS_MAX];
    char dhcp_domain[PUSH_DNS_DOMAIN_SIZE];
};

/* `dns ...`. `pushed` wins over the profile's own of the same priority. False
 * if malformed; *note may say what is understood but ignored. */
MUST_USE bool push_dns_add(struct push_dns *d, const struct config_tokens *t,
                           bool pushed, const char **note);
/* `dhcp-option ...` */
MUST_USE bool push_dns_add_dhcp(struct push_dns *d,
                                const struct config_tokens *t,
                                const char **note);
/* Forgets what `dns` said, or what `dhcp-option` said. */
void push_dns_clear_servers(struct push_dns *d);
void push_dns_clear_dhcp(struct push_dns *d);

/* Fills in the tunnel's resolvers and search domain. */
void push_dns_finish(const struct push_dns *d, struct tunnel *tunnel);

#endif
