#include "firewall/rules.h"

#include <stdio.h>

enum { PORT_DNS = 53 };

static bool has_ports(const struct rules_question *q)
{
    return q->protocol == IP_TCP || q->protocol == IP_UDP;
}

static bool is_icmp(const struct rules_question *q)
{
    return q->protocol == (q->family == ADDRESS_IPV4 ? IP_ICMP : IP_ICMPV6);
}

static bool protocol_matches(const struct rule *r,
                             const struct rules_question *q)
{
    if (!r->has_protocol)
        return true;
    return r->protocol == IP_ICMP ? is_icmp(q) : r->protocol == q->protocol;
}

/* The kernel of Qubes' own netvms judges behind the redirection of DNS, so
 * the resolver's real address counts; who allows the virtual one means it
 * too. */
static bool destination_matches(const struct rule *r,
                                const struct rules_question *q)
{
    if (r->destination.address.family == ADDRESS_NONE)
        return true;
    return prefix_contains(&r->destination, &q->destination) ||
           (r->action == RULE_ACCEPT &&
            prefix_contains(&r->destination, &q->asked));
}

/* What is to be refused must not slip through while nobody knows its address
 * yet; but names are resolved all the same. */
static bool name_matches(const struct rule *r, const struct rule_names *names,
                         struct instant now, const struct rules_question *q)
{
    if (r->name == RULE_NAMES_NONE)
        return true;
    if (r->action == RULE_ACCEPT)
        return rule_names_has(names, r->name, &q->destination, now);
    return rule_names_had(names, r->name, &q->destination) ||
           (q->may_wait && !q->to_resolver &&
            rule_names_is_news(names, r->name, q->family));
}

static bool matches(const struct rule *r, const struct rule_names *names,
                    struct instant now, const struct rules_question *q)
{
    if (!protocol_matches(r, q) || !destination_matches(r, q))
        return false;
    if (r->has_ports &&
        (!has_ports(q) || q->port < r->first_port || q->port > r->last_port))
        return false;
    if (r->has_icmp_type && (!is_icmp(q) || q->icmp_type != r->icmp_type))
        return false;
    if (r->resolvers &&
        (!q->to_resolver || !has_ports(q) || q->port != PORT_DNS))
        return false;
    return name_matches(r, names, now, q);
}

enum drop rules_judge(const struct rules *rules, const struct rule_names *names,
                      struct instant now, const struct rules_question *question)
{
    if (!rules)
        return DROP_NO_RULES;
    if (rules->bad)
        return DROP_BAD_RULES;
    for (size_t i = 0; i < rules->count; i++)
        if (matches(&rules->rules[i], names, now, question))
            return rules->rules[i].action == RULE_ACCEPT ? DROP_NONE
                                                         : DROP_RULE;
    return rules->policy == RULE_ACCEPT ? DROP_NONE : DROP_RULE;
}

void rules_describe(const struct rules *rules, bool accept_unruled,
                    char out[RULES_TEXT_SIZE])
{
    if (!rules)
        snprintf(out, RULES_TEXT_SIZE, "%s",
                 accept_unruled ? "accept (no rules configured)"
                                : "drop (no rules yet)");
    else if (rules->bad)
        snprintf(out, RULES_TEXT_SIZE, "drop (%s)", rules->problem);
    else
        snprintf(out, RULES_TEXT_SIZE, "%u rule%s, else %s", rules->count,
                 rules->count == 1 ? "" : "s",
                 rules->policy == RULE_ACCEPT ? "accept" : "drop");
}
