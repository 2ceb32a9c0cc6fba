/* The gateway's own questions to a resolver, and their answers, as bytes
 * (RFC 1035). c-ares builds the one and reads the other. */
#ifndef ROUTER_DNS_MESSAGE_H
#define ROUTER_DNS_MESSAGE_H

#include "gateway/base/address.h"

enum {
    DNS_MESSAGE_QUERY_MAX = 300, /* header, longest name, type, OPT */
    DNS_MESSAGE_ADDRESSES_MAX = 128,
    DNS_MESSAGE_UDP_SIZE = 1232, /* that we take: no fragments, DNS flag day */
};

/* A question for the addresses of `name` of one family; its size, or 0 where
 * there is no such question. */
size_t dns_message_query(uint8_t out[DNS_MESSAGE_QUERY_MAX], const char *name,
                         enum address_family family, uint16_t id);

enum dns_message_outcome {
    DNS_MESSAGE_ADDRESSES, /* at least one, and these are all */
    DNS_MESSAGE_TRUNCATED, /* some of them, or none */
    DNS_MESSAGE_TOO_MANY,  /* the first ones */
    DNS_MESSAGE_NO_NAME,
    DNS_MESSAGE_NO_ADDRESS, /* of this family; or a chain of aliases has no
                               end that we know */
    DNS_MESSAGE_FAILURE,    /* the resolver says so, or says nonsense */
    DNS_MESSAGE_OUTCOMES
};

struct dns_message_answer {
    enum dns_message_outcome outcome;
    size_t count;
    struct address addresses[DNS_MESSAGE_ADDRESSES_MAX];
    uint32_t ttl; /* s; the least of them */
};

/* False where the message does not answer this very query. */
MUST_USE bool dns_message_parse(struct bytes message, struct bytes query,
                                enum address_family family,
                                struct dns_message_answer *out);

#endif
