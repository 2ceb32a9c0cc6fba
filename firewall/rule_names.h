/*
 * The host names that rules mention (dsthost), and the addresses they stand
 * for. The table's owner resolves them: rule_names_next() says what is due,
 * rule_names_answer() takes what came.
 *
 * Each family of a name is known or not. It is known from an answer that told
 * all of its addresses until a while after its time to live; it is unknown
 * before the first answer, when no resolver answers, and when the answer is
 * that there is no such name or address. A rule that accepts an unknown name
 * matches what it remembers of it, a rule that drops it matches everything.
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
    RULE_NAMES_ADDRESSES = 128, /* of one family of a name */
    RULE_NAMES_SIZE = 254,      /* of a name and its NUL, RFC 1035 2.3.4 */
    /* Seconds. */
    RULE_NAMES_REMEMBER = 600, /* an address, beyond the time to live */
    RULE_NAMES_GRACE = 30, /* a name stays known so long while it is asked for
                              again */
    RULE_NAMES_TTL_MIN = 5,
    RULE_NAMES_TTL_MAX = 3600,
    RULE_NAMES_RETRY_MIN = 2, /* doubled with each failure */
    RULE_NAMES_RETRY_MAX = 60,
};

/* The known addresses of one family of a name, or why there are none. */
enum rule_name_state {
    RULE_NAME_UNASKED, /* no answer yet, since the rule or the tunnel came */
    RULE_NAME_KNOWN,
    RULE_NAME_SILENT,     /* no resolver answers */
    RULE_NAME_FAILURE,    /* the resolvers answer that they cannot tell */
    RULE_NAME_TRUNCATED,  /* the answer does not fit a datagram */
    RULE_NAME_TOO_MANY,   /* more addresses than there is room for */
    RULE_NAME_NO_NAME,    /* there is no such name */
    RULE_NAME_NO_ADDRESS, /* it has no address of this family */
    RULE_NAME_STATES
};

struct rule_name_address {
    struct address address;
    struct instant told;  /* when it was last */
    struct instant until; /* it is remembered */
};

/* The plan for one family of a name. */
struct rule_name_query {
    struct instant due;
    struct instant answered;    /* when it was last */
    struct instant known_until; /* while the state is KNOWN */
    uint8_t state, why;         /* enum rule_name_state; `why` is the state
                                   when it is known no longer */
    uint8_t failures;           /* in a row */
    uint8_t count;              /* of addresses */
    bool wanted;                /* a rule of this family has the name */
};

struct rule_name {
    char text[RULE_NAMES_SIZE];
    uint32_t uses; /* 0: the place is free */
    struct rule_name_address addresses[2][RULE_NAMES_ADDRESSES];
};

/* The queries lie apart, because they are looked through often. */
struct rule_names {
    uint16_t limit;        /* places at and above it were never used */
    bool changed;          /* since rule_names_take_change() */
    struct instant expiry; /* no name's known_until is earlier */
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
/* For rules that drop: an address is forgotten only when others are told
 * instead. */
bool rule_names_had(const struct rule_names *n, uint16_t name,
                    const struct address *address);
enum rule_name_state rule_names_state(const struct rule_names *n, uint16_t name,
                                      enum address_family family,
                                      struct instant now);

/* A name that is due, and its family; it is not due again before `again`
 * unless an answer comes. False when nothing is. */
MUST_USE bool rule_names_next(struct rule_names *n, struct instant now,
                              struct instant again, uint16_t *name,
                              enum address_family *family);
struct instant rule_names_deadline(const struct rule_names *n);

/* Addresses that the name certainly has; it may have others. */
void rule_names_learn(struct rule_names *n, struct instant now, uint16_t name,
                      enum address_family family,
                      const struct address *addresses, size_t count,
                      uint32_t ttl);
/* All addresses that the name has. */
void rule_names_answer(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family,
                       const struct address *addresses, size_t count,
                       uint32_t ttl);
/* There is no such answer, and why: it is asked for again after a pause. A
 * resolver's word on the name counts at once; if none says anything, a known
 * name is known until its time is over. */
void rule_names_failed(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family, enum rule_name_state why);

/* The tunnel is back: asks again at once what has failed. With `all`, because
 * it is another one, everything is asked again, and unknown until then: what
 * one resolver said is no answer of another's. */
void rule_names_hurry(struct rule_names *n, struct instant now, bool all);

/* Names whose time is over are known no longer. To be called at
 * rule_names_expiry(), and before rules are judged. */
void rule_names_expire(struct rule_names *n, struct instant now);
struct instant rule_names_expiry(const struct rule_names *n);

/* Has any name got a state or an address since the last call? */
MUST_USE bool rule_names_take_change(struct rule_names *n);

#endif
