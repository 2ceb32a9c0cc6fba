/* The gateway's own questions to a resolver, and their answers, as bytes
 * (RFC 1035). c-ares builds the one and reads the other. */
#ifndef ROUTER_DNS_MESSAGE_H
#define ROUTER_DNS_MESSAGE_H

#include "gateway/base/address.h"

enum {
    DNS_MESSAGE_QUERY_MAX = 300, /* header, longest name, type, OPT */
    DNS_MESSAGE_ADDRESSES_MAX = 32,
    DNS_MESSAGE_UDP_SIZE = 1232, /* that we take: no fragments, DNS flag day */
    DNS_MESSAGE_NO_NAME_TTL =
        60 /* s; until a name that is not is asked again */
};

/* A question for the addresses of `name` of one family; its size, or 0 where
 * there is no such question. */
size_t dns_message_query(uint8_t out[DNS_MESSAGE_QUERY_MAX], const char *name,
                         enum address_family family, uint16_t id);

struct dns_message_answer {
    size_t count; /* 0: the name has no such address */
    struct address addresses[DNS_MESSAGE_ADDRESSES_MAX];
    uint32_t ttl; /* s; the least of them */
};

/* False where the message does not answer this very query. *usable is false
 * where it does, with a failure. */
MUST_USE bool dns_message_parse(struct bytes message, struct bytes query,
                                enum address_family family, bool *usable,
                                struct dns_message_answer *out);

#endif
