/* The rules of all source addresses, and the host names they mention. */
#ifndef FIREWALL_RULE_SETS_H
#define FIREWALL_RULE_SETS_H

#include "firewall/rules_parser.h"

struct rule_sets {
    struct rule_names names;
    size_t count;
    struct rules *sets[RULES_SOURCES_MAX];
};

void rule_sets_clear(struct rule_sets *s);

/* NULL where the address has none. */
const struct rules *rule_sets_find(const struct rule_sets *s,
                                   const struct address *source);

/* Puts the address's rules in place of the old ones, which the caller frees
 * when nobody looks at them any more; NULL takes them away. False, and
 * nothing is changed, when there is no room. */
MUST_USE bool rule_sets_swap(struct rule_sets *s, const struct address *source,
                             struct rules *rules, struct rules **old);

#endif
