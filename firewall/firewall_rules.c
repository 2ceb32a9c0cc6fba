/* The rules of all source addresses, and what they say of the flows. */
#include "firewall/firewall_state.h"

/* --- All of them --------------------------------------------------------- */

void firewall_state_clear_rules(struct firewall *f)
{
    while (f->rules_count > 0)
        rules_free(f->rules[--f->rules_count], &f->names);
}

/* `count` where it has none. */
static size_t place_of(const struct firewall *f, const struct address *source)
{
    size_t i = 0;
    while (i < f->rules_count && !address_equal(&f->rules[i]->source, source))
        i++;
    return i;
}

const struct rules *firewall_state_rules(const struct firewall *f,
                                         const struct address *source)
{
    size_t place = place_of(f, source);
    return place < f->rules_count ? f->rules[place] : NULL;
}

/* Puts the address's rules in place of the old ones, which the caller frees
 * when nobody looks at them any more; NULL takes them away. False, and
 * nothing is changed, when there is no room. */
static bool swap_rules(struct firewall *f, const struct address *source,
                       struct rules *rules, struct rules **old)
{
    size_t place = place_of(f, source);
    *old = place < f->rules_count ? f->rules[place] : NULL;
    if (rules) {
        if (place == RULES_SOURCES_MAX)
            return false;
        if (!*old)
            f->rules_count++;
        f->rules[place] = rules;
    } else if (*old) {
        f->rules[place] = f->rules[--f->rules_count];
    }
    return true;
}

/* --- Judging ------------------------------------------------------------- */

struct rules_verdict firewall_state_judge(const struct firewall *f,
                                          struct instant now,
                                          const struct flow_key *qube,
                                          const struct flow_key *tunnel,
                                          uint16_t accepted_by)
{
    const struct qube *q = f->qubes.qubes[qube->qube];
    bool v4 = qube->family == ADDRESS_IPV4;
    const struct rules *rules = v4 ? q->rules4 : q->rules6;
    if (!rules && f->accept_unruled)
        return (struct rules_verdict){DROP_NONE, RULES_NO_RULE};
    struct rules_question question = {
        .family = qube->family,
        .protocol = qube->protocol,
        .icmp_type = (uint8_t)tunnel->remote_port, /* where it is ICMP */
        .port = tunnel->remote_port,
        .destination = address_from_bytes(qube->family, tunnel->remote),
        .asked = address_from_bytes(qube->family, qube->remote),
        .to_resolver =
            firewall_state_is_resolver(f, tunnel->family, tunnel->remote),
        .accepted_by = accepted_by,
    };
    return rules_judge(rules, &f->names, now, &question);
}

/* --- Flows that stand ---------------------------------------------------- */

/* The flow ends, or is withheld, or goes on. */
static void judge_flow(struct firewall *f, struct instant now, uint32_t index,
                       bool new_rules)
{
    struct flow *flow = &f->flows.flows[index];
    struct rules_verdict verdict = firewall_state_judge(
        f, now, &flow->key[FLOW_SIDE_QUBE], &flow->key[FLOW_SIDE_TUNNEL],
        new_rules ? RULES_NO_RULE : flow->accepted_by);
    flow->withheld = verdict.drop == DROP_NAME_UNKNOWN;
    if (verdict.drop == DROP_NONE)
        flow->accepted_by = (unsigned)verdict.rule & RULES_NO_RULE;
    else if (!flow->withheld)
        firewall_state_end_flow(f, firewall_state_second(now), index);
    else if (new_rules)
        flow->accepted_by = RULES_NO_RULE;
}

static void judge_flows(struct firewall *f, struct instant now,
                        const struct qube *qube, enum address_family family,
                        bool new_rules)
{
    uint32_t next, i = qube->flows[QUBE_FLOWS].first;
    for (; i != FLOW_NONE; i = next) {
        next = f->flows.flows[i].in[QUBE_FLOWS].next;
        if (f->flows.flows[i].key[0].family == family)
            judge_flow(f, now, i, new_rules);
    }
}

void firewall_state_judge_all(struct firewall *f, struct instant now)
{
    for (struct qube *q = NULL; (q = qube_next(&f->qubes, q));) {
        judge_flows(f, now, q, ADDRESS_IPV4, false);
        judge_flows(f, now, q, ADDRESS_IPV6, false);
    }
}

bool firewall_judge_names(struct firewall *f, struct instant now)
{
    rule_names_expire(&f->names, now);
    if (!rule_names_take_change(&f->names))
        return false;
    for (struct qube *q = NULL; (q = qube_next(&f->qubes, q));) {
        if (q->rules4 && q->rules4->drops_by_name)
            judge_flows(f, now, q, ADDRESS_IPV4, false);
        if (q->rules6 && q->rules6->drops_by_name)
            judge_flows(f, now, q, ADDRESS_IPV6, false);
    }
    return true;
}

/* --- Rules coming and going ---------------------------------------------- */

/* Tells the qube with that address, if there is one. */
static void apply(struct firewall *f, struct instant now,
                  const struct address *source, const struct rules *rules)
{
    struct qube *q = qube_find(&f->qubes, source);
    if (!q)
        return;
    *(source->family == ADDRESS_IPV4 ? &q->rules4 : &q->rules6) = rules;
    judge_flows(f, now, q, source->family, true);
}

static void forget(struct firewall *f, struct instant now,
                   const struct address *source)
{
    struct rules *old;
    bool swapped = swap_rules(f, source, NULL, &old);
    assert(swapped);
    apply(f, now, source, NULL);
    rules_free(old, &f->names);
}

void firewall_forget_rules(struct firewall *f, struct instant now,
                           const struct address *source)
{
    const struct rules *known = firewall_state_rules(f, source);
    if (known && !known->of_file)
        forget(f, now, source);
}

static enum error take(struct firewall *f, struct instant now,
                       struct rules *rules)
{
    struct rules *old;
    if (!swap_rules(f, &rules->source, rules, &old)) {
        rules_free(rules, &f->names);
        return ERROR_BUSY;
    }
    apply(f, now, &rules->source, rules);
    rules_free(old, &f->names);
    return rules->bad ? ERROR_INVALID : OK;
}

enum error firewall_set_rules(struct firewall *f, struct instant now,
                              const struct address *source,
                              const struct rules_entry *entries, size_t count,
                              char problem[RULES_PROBLEM_SIZE])
{
    struct rules *rules = rules_parse(source, entries, count, &f->names);
    if (!rules) {
        forget(f, now, source);
        return ERROR_MEMORY;
    }
    memcpy(problem, rules->problem, RULES_PROBLEM_SIZE);
    return take(f, now, rules);
}

static bool has_source(struct rules *const *sets, size_t count,
                       const struct address *source)
{
    size_t i = 0;
    while (i < count && !address_equal(&sets[i]->source, source))
        i++;
    return i < count;
}

/* Rules that the file no longer has go first, so that there is room. */
void firewall_take_file(struct firewall *f, struct instant now,
                        struct rules *const *sets, size_t count)
{
    for (size_t i = f->rules_count; i-- > 0;) {
        const struct address source = f->rules[i]->source;
        if (f->rules[i]->of_file && !has_source(sets, count, &source))
            forget(f, now, &source);
    }
    for (size_t i = 0; i < count; i++) {
        const struct rules *known = firewall_state_rules(f, &sets[i]->source);
        sets[i]->of_file = true;
        if (known && !known->of_file)
            rules_free(sets[i], &f->names);
        else
            (void)take(f, now, sets[i]);
    }
}

struct rule_names *firewall_names(struct firewall *f)
{
    return &f->names;
}

enum rule_name_state firewall_describe_wait(const struct firewall *f,
                                            struct instant now,
                                            const struct qube *q,
                                            const char *unasked,
                                            char out[RULES_WAIT_SIZE])
{
    const struct rule_names *names = &f->names;
    enum rule_name_state state =
        rules_describe_wait(q->rules4, names, now, unasked, out);
    if (state == RULE_NAME_KNOWN)
        state = rules_describe_wait(q->rules6, names, now, unasked, out);
    return state;
}
