/*
 * The host names that rules mention (dsthost), and the addresses they stand
 * for. Whoever owns the table resolves them: rule_names_next() says what is
 * due, rule_names_answer() takes what came. Until a name is known, rules that
 * accept it match nothing, and those that drop it everything.
 *
 * An address is remembered for a while after its time to live: the qube may
 * hold the older answer, and names with many addresses give other ones each
 * time.
 */
#ifndef FIREWALL_RULE_NAMES_H
#define FIREWALL_RULE_NAMES_H

#include "gateway/base/address.h"
#include "gateway/base/instant.h"

enum {
    RULE_NAMES_MAX = 256,
    RULE_NAMES_NONE = UINT16_MAX,
    RULE_NAMES_ADDRESSES = 32, /* of one name, both families */
    RULE_NAMES_SIZE = 254,     /* of a name and its NUL, RFC 1035 2.3.4 */
    /* Seconds. */
    RULE_NAMES_REMEMBER = 600, /* beyond the time to live */
    RULE_NAMES_TTL_MIN = 30,
    RULE_NAMES_TTL_MAX = 3600,
    RULE_NAMES_RETRY_MIN = 2, /* doubled with each failure */
    RULE_NAMES_RETRY_MAX = 60,
};

struct rule_name_address {
    struct address address;
    struct instant until;
};

/* What is to be done for one family of a name. */
struct rule_name_query {
    struct instant due;
    struct instant answered; /* when it was last */
    uint8_t failures;        /* in a row */
    bool wanted;             /* a rule of this family has the name */
    bool tried;              /* answered or not, it is no news any more */
};

struct rule_name {
    char text[RULE_NAMES_SIZE];
    uint32_t uses; /* 0: the place is free */
    uint8_t count;
    struct rule_name_address addresses[RULE_NAMES_ADDRESSES];
};

/* The queries lie apart, because they are looked through often. */
struct rule_names {
    uint16_t limit; /* places at and above it were never used */
    struct rule_name_query queries[RULE_NAMES_MAX][2]; /* IPv4, IPv6 */
    struct rule_name names[RULE_NAMES_MAX];
};

/* The place of a name, one use more. RULE_NAMES_NONE where there is no room
 * or it is no name. */
uint16_t rule_names_use(struct rule_names *n, struct bytes text,
                        enum address_family family);
void rule_names_drop_use(struct rule_names *n, uint16_t name);

bool rule_names_has(const struct rule_names *n, uint16_t name,
                    const struct address *address, struct instant now);
/* For who is to refuse it: an address is forgotten only when others are told
 * instead. */
bool rule_names_had(const struct rule_names *n, uint16_t name,
                    const struct address *address);
/* It was not yet resolved, nor did that fail. */
bool rule_names_is_news(const struct rule_names *n, uint16_t name,
                        enum address_family family);

/* A name that is due, and its family; it is not due again before `again`
 * unless an answer comes. False when nothing is. */
MUST_USE bool rule_names_next(struct rule_names *n, struct instant now,
                              struct instant again, uint16_t *name,
                              enum address_family *family);
struct instant rule_names_deadline(const struct rule_names *n);

/* What the resolver said. No addresses is an answer too: such a name stands
 * for nothing. */
void rule_names_answer(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family,
                       const struct address *addresses, size_t count,
                       uint32_t ttl);
/* It said nothing, or nonsense. */
void rule_names_failed(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family);
/* Ask again at once what has failed: the tunnel is back. */
void rule_names_hurry(struct rule_names *n, struct instant now);

#endif
