/*
 * Resolves the host names in rules, through the tunnel: asks what is due of
 * the tunnel's resolvers, the second where the first is silent, and gives the
 * answers to the firewall's names. Its packets are the gateway's own; each
 * has a port of the tunnel's address to itself, and an unpredictable number.
 */
#ifndef ROUTER_NAME_QUERIES_H
#define ROUTER_NAME_QUERIES_H

#include "firewall/firewall.h"
#include "gateway/router/dns.h"
#include "gateway/router/dns_message.h"

enum {
    NAME_QUERIES_MAX = 8,      /* at a time */
    NAME_QUERIES_ATTEMPTS = 4, /* the resolvers in turn */
    NAME_QUERIES_PATIENCE = 2, /* seconds for each */
};

struct name_query {
    bool asked;
    uint16_t name;
    enum address_family family;
    uint8_t attempts;
    uint8_t why; /* enum rule_name_state: what the last answer lacks */
    struct firewall_port port;
    struct address resolver;
    struct instant deadline;
    char text[RULE_NAMES_SIZE]; /* the name when it was asked for */
    size_t size;
    uint8_t message[DNS_MESSAGE_QUERY_MAX];
};

struct name_queries {
    struct firewall *firewall;
    struct name_query queries[NAME_QUERIES_MAX];
};

void name_queries_init(struct name_queries *q, struct firewall *firewall);

/* Appends what is to be asked now to `out`; `source` is the tunnel's IPv4
 * address. */
void name_queries_ask(struct name_queries *q, struct instant now,
                      const struct dns *dns, const struct address *source,
                      struct packet_batch *out);

/* May the packet, or the fragment, answer a question? */
bool name_queries_await(const struct name_queries *q,
                        const struct ip_packet *ip);

/* True where the packet, which belongs to no flow, answers a question. */
MUST_USE bool name_queries_receive(struct name_queries *q, struct instant now,
                                   const struct packet *packet);

/* The tunnel is another one, or gone: forgets what is asked, and asks anew what
 * has failed; everything where it is not the same. */
void name_queries_restart(struct name_queries *q, struct instant now,
                          bool other_tunnel);

struct instant name_queries_deadline(const struct name_queries *q);

#endif
