#include "firewall/rules.h"

#include <stdio.h>

#include "gateway/base/tunnel.h"

static bool has_ports(const struct rules_question *q)
{
    return q->protocol == IP_TCP || q->protocol == IP_UDP;
}

static bool protocol_matches(const struct rule *r,
                             const struct rules_question *q)
{
    if (!r->has_protocol)
        return true;
    return r->protocol == IP_ICMP ? ip_is_icmp(q->family, q->protocol)
                                  : r->protocol == q->protocol;
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

/* A rule's host name, against the destination. */
enum match { MATCH_NOT, MATCH_UNKNOWN, MATCH };

static enum match match_name(const struct rule *r,
                             const struct rule_names *names, struct instant now,
                             const struct rules_question *q, bool accepted_by)
{
    if (r->name == RULE_NAMES_NONE)
        return MATCH;
    if (r->action == RULE_ACCEPT)
        return accepted_by ||
                       rule_names_has(names, r->name, &q->destination, now)
                   ? MATCH
                   : MATCH_NOT;
    if (rule_names_had(names, r->name, &q->destination))
        return MATCH;
    return rule_names_state(names, r->name, q->family, now) == RULE_NAME_KNOWN
               ? MATCH_NOT
               : MATCH_UNKNOWN;
}

static bool matches_but_for_name(const struct rule *r,
                                 const struct rules_question *q)
{
    if (!protocol_matches(r, q) || !destination_matches(r, q))
        return false;
    if (r->has_ports &&
        (!has_ports(q) || q->port < r->first_port || q->port > r->last_port))
        return false;
    if (r->has_icmp_type &&
        (!ip_is_icmp(q->family, q->protocol) || q->icmp_type != r->icmp_type))
        return false;
    return !r->resolvers ||
           (q->to_resolver && has_ports(q) && q->port == TUNNEL_DNS_PORT);
}

struct rules_verdict rules_judge(const struct rules *rules,
                                 const struct rule_names *names,
                                 struct instant now,
                                 const struct rules_question *q)
{
    static const enum drop drops[] = {
        [RULE_DROP] = DROP_RULE, [RULE_ACCEPT] = DROP_NONE};
    if (!rules)
        return (struct rules_verdict){DROP_NO_RULES, RULES_NO_RULE};
    if (rules->bad)
        return (struct rules_verdict){DROP_BAD_RULES, RULES_NO_RULE};
    for (uint16_t i = 0; i < rules->count; i++) {
        const struct rule *r = &rules->rules[i];
        enum match match = MATCH_NOT;
        if (matches_but_for_name(r, q))
            match = match_name(r, names, now, q, q->accepted_by == i);
        if (match == MATCH_UNKNOWN)
            return (struct rules_verdict){DROP_NAME_UNKNOWN, i};
        if (match == MATCH)
            return (struct rules_verdict){drops[r->action], i};
    }
    return (struct rules_verdict){drops[rules->policy], RULES_NO_RULE};
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

static const char *const states[RULE_NAME_STATES] = {
    [RULE_NAME_SILENT] = "no resolver of the tunnel answers",
    [RULE_NAME_FAILURE] = "the tunnel's resolvers answer with a failure",
    [RULE_NAME_TRUNCATED] = "the resolvers' answer is too long for a datagram",
    [RULE_NAME_TOO_MANY] = "it has too many addresses",
    [RULE_NAME_NO_NAME] = "the resolver says that there is no such name",
    [RULE_NAME_NO_ADDRESS] = "the resolver says that it has no such address",
};

enum rule_name_state rules_describe_wait(const struct rules *rules,
                                         const struct rule_names *names,
                                         struct instant now,
                                         const char *unasked,
                                         char out[RULES_WAIT_SIZE])
{
    out[0] = 0;
    for (size_t i = 0; rules && i < rules->count; i++) {
        const struct rule *r = &rules->rules[i];
        enum address_family family = rules->source.family;
        if (r->action == RULE_ACCEPT || r->name == RULE_NAMES_NONE)
            continue;
        enum rule_name_state state =
            rule_names_state(names, r->name, family, now);
        if (state == RULE_NAME_KNOWN)
            continue;
        snprintf(out, RULES_WAIT_SIZE,
                 "rule %04u refuses more than it says, because the %s address "
                 "of %.150s is not known: %s",
                 r->number, family == ADDRESS_IPV4 ? "IPv4" : "IPv6",
                 names->names[r->name].text,
                 state == RULE_NAME_UNASKED ? unasked : states[state]);
        return state;
    }
    return RULE_NAME_KNOWN;
}
