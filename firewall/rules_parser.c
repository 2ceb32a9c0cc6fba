#include "firewall/rules_parser.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

enum { NUMBER_DIGITS = 4, VALUE_SIZE_MAX = 3072 };

/* A rule while its options come in. */
struct draft {
    struct rule rule;
    uint32_t seen; /* options, by place in the table */
    enum address_family family;
    struct rule_names *names;
};

static bool parse_action(struct draft *d, struct bytes value)
{
    d->rule.action = text_equal(value, "accept") ? RULE_ACCEPT : RULE_DROP;
    return d->rule.action == RULE_ACCEPT || text_equal(value, "drop");
}

/* QubesDB has addresses whose host bits dom0 did not clear. */
static bool parse_destination(struct draft *d, struct bytes value,
                              enum address_family family)
{
    struct bytes address_text;
    struct address address;
    uint32_t bits = family == ADDRESS_IPV4 ? 32 : 128;
    if (!text_cut(&value, '/', &address_text) ||
        !address_parse(address_text, &address) || address.family != family ||
        family != d->family)
        return false;
    if (value.data && !text_to_u32(value, bits, &bits))
        return false;
    d->rule.destination = prefix_of(&address, (uint8_t)bits);
    return true;
}

static bool parse_dst4(struct draft *d, struct bytes value)
{
    return parse_destination(d, value, ADDRESS_IPV4);
}

static bool parse_dst6(struct draft *d, struct bytes value)
{
    return parse_destination(d, value, ADDRESS_IPV6);
}

static bool parse_dsthost(struct draft *d, struct bytes value)
{
    d->rule.name = rule_names_use(d->names, value, d->family);
    return d->rule.name != RULE_NAMES_NONE;
}

static bool parse_proto(struct draft *d, struct bytes value)
{
    d->rule.has_protocol = true;
    if (text_equal(value, "tcp"))
        d->rule.protocol = IP_TCP;
    else if (text_equal(value, "udp"))
        d->rule.protocol = IP_UDP;
    else if (text_equal(value, "icmp"))
        d->rule.protocol = IP_ICMP;
    else
        return false;
    return true;
}

static bool parse_specialtarget(struct draft *d, struct bytes value)
{
    d->rule.resolvers = true;
    return text_equal(value, "dns");
}

static bool parse_dstports(struct draft *d, struct bytes value)
{
    struct bytes first_text;
    uint32_t first, last;
    if (!text_cut(&value, '-', &first_text) ||
        !text_to_u32(first_text, UINT16_MAX, &first))
        return false;
    /* One port is a range too. */
    if (!text_to_u32(value.data ? value : first_text, UINT16_MAX, &last) ||
        first > last)
        return false;
    d->rule.has_ports = true;
    d->rule.first_port = (uint16_t)first;
    d->rule.last_port = (uint16_t)last;
    return true;
}

static bool parse_icmptype(struct draft *d, struct bytes value)
{
    uint32_t type;
    if (!text_to_u32(value, UINT8_MAX, &type))
        return false;
    d->rule.has_icmp_type = true;
    d->rule.icmp_type = (uint8_t)type;
    return true;
}

static const struct option {
    const char *name;
    bool (*parse)(struct draft *d, struct bytes value);
} options[] = {
    {"action", parse_action},     {"dst4", parse_dst4},
    {"dst6", parse_dst6},         {"dsthost", parse_dsthost},
    {"proto", parse_proto},       {"specialtarget", parse_specialtarget},
    {"dstports", parse_dstports}, {"icmptype", parse_icmptype},
};

enum {
    OPTIONS = sizeof options / sizeof options[0],
    SEEN_ACTION = 1 << 0,
    SEEN_DESTINATIONS = 1 << 1 | 1 << 2 | 1 << 3,
};

static const struct option *find_option(struct bytes name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (text_equal(name, options[i].name))
            return &options[i];
    return NULL;
}

/* NULL where all is well, else what is wrong. */
static const char *parse_option(struct draft *d, struct bytes text)
{
    struct bytes name;
    if (!text_cut(&text, '=', &name) || !text.data)
        return "not of the form key=value";
    const struct option *o = find_option(name);
    if (!o)
        return "unknown option";
    uint32_t bit = 1U << (o - options);
    if (d->seen & bit)
        return "option given twice";
    if (!o->parse(d, text))
        return "bad value";
    d->seen |= bit;
    return NULL;
}

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

static const char *check_combination(const struct draft *d)
{
    const struct rule *r = &d->rule;
    if (!(d->seen & SEEN_ACTION))
        return "no action";
    if (!is_power_of_two(d->seen & SEEN_DESTINATIONS))
        return "more than one destination";
    if (r->has_ports && r->has_protocol && r->protocol == IP_ICMP)
        return "dstports with proto=icmp";
    if (r->has_icmp_type && (!r->has_protocol || r->protocol != IP_ICMP))
        return "icmptype without proto=icmp";
    return NULL;
}

static const char *parse_rule(struct draft *d, struct bytes value,
                              struct bytes *culprit)
{
    struct bytes part;
    if (value.size > VALUE_SIZE_MAX)
        return "too long";
    while (text_cut(&value, ' ', &part)) {
        *culprit = part;
        const char *wrong = parse_option(d, part);
        if (wrong)
            return wrong;
    }
    *culprit = (struct bytes){0};
    return check_combination(d);
}

/* --- Sets ---------------------------------------------------------------- */

static void complain(struct rules *rules, struct bytes key, const char *wrong,
                     struct bytes culprit)
{
    char key_text[LOG_QUOTE_SIZE], culprit_text[LOG_QUOTE_SIZE];
    rules->bad = true;
    snprintf(rules->problem, sizeof rules->problem,
             culprit.size ? "rule %.20s: %s: %.80s" : "rule %.20s: %s",
             log_quote(key_text, key), wrong,
             culprit.size ? log_quote(culprit_text, culprit) : "");
}

static bool parse_number(struct bytes key, uint16_t *number)
{
    uint32_t n;
    if (key.size != NUMBER_DIGITS || !text_to_u32(key, 9999, &n))
        return false;
    *number = (uint16_t)n;
    return true;
}

static bool add_policy(struct rules *rules, struct bytes value, bool *seen)
{
    struct bytes key = bytes_of_text("policy");
    if (*seen) {
        complain(rules, key, "given twice", (struct bytes){0});
        return false;
    }
    *seen = true;
    rules->policy = text_equal(value, "accept") ? RULE_ACCEPT : RULE_DROP;
    if (rules->policy == RULE_ACCEPT || text_equal(value, "drop"))
        return true;
    complain(rules, key, "neither accept nor drop", value);
    return false;
}

static bool add_rule(struct rules *rules, const struct rules_entry *entry,
                     struct rule_names *names)
{
    struct draft d = {
        .rule = {.name = RULE_NAMES_NONE},
        .family = rules->source.family,
        .names = names,
    };
    struct bytes culprit = {0};
    const char *wrong = "neither policy nor four digits";
    if (parse_number(entry->key, &d.rule.number))
        wrong = parse_rule(&d, entry->value, &culprit);
    /* In the set even if it is wrong: its name is given back with the rest. */
    rules->rules[rules->count++] = d.rule;
    if (d.rule.action == RULE_DROP && d.rule.name != RULE_NAMES_NONE)
        rules->drops_by_name = true;
    if (wrong)
        complain(rules, entry->key, wrong, culprit);
    return !wrong;
}

static int by_number(const void *left, const void *right)
{
    const struct rule *a = left, *b = right;
    return (int)a->number - (int)b->number;
}

/* In their order; false where a number is given twice. */
static bool sort(struct rules *rules)
{
    qsort(rules->rules, rules->count, sizeof rules->rules[0], by_number);
    for (size_t i = 1; i < rules->count; i++)
        if (rules->rules[i].number == rules->rules[i - 1].number) {
            char key[NUMBER_DIGITS + 2];
            snprintf(key, sizeof key, "%04u", rules->rules[i].number);
            complain(rules, bytes_of_text(key), "given twice",
                     (struct bytes){0});
            return false;
        }
    return true;
}

/* The last entry with the number that is given twice. */
static size_t find_second(const struct rules_entry *entries, size_t count)
{
    for (size_t i = count; i-- > 0;)
        for (size_t j = 0; j < i; j++)
            if (bytes_equal(entries[i].key, entries[j].key))
                return i;
    return 0;
}

static void give_names_back(struct rules *rules, struct rule_names *names)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rules->rules[i].name != RULE_NAMES_NONE)
            rule_names_drop_use(names, rules->rules[i].name);
    rules->count = 0;
}

struct rules *rules_parse(const struct address *source,
                          const struct rules_entry *entries, size_t count,
                          struct rule_names *names)
{
    bool too_many = count > RULES_MAX + 1;
    if (too_many)
        count = 0;
    struct rules *rules =
        calloc(1, sizeof *rules + count * sizeof rules->rules[0]);
    if (!rules)
        return NULL;
    rules->source = *source;
    bool good = !too_many, has_policy = false;
    for (size_t i = 0; good && i < count; i++) {
        good = text_equal(entries[i].key, "policy")
                   ? add_policy(rules, entries[i].value, &has_policy)
                   : add_rule(rules, &entries[i], names);
        rules->culprit = i;
    }
    if (too_many)
        complain(rules, bytes_of_text("4097"), "too many", (struct bytes){0});
    else if (good && !has_policy)
        complain(rules, bytes_of_text("policy"), "missing", (struct bytes){0});
    else if (good && !sort(rules))
        rules->culprit = find_second(entries, count);
    if (rules->bad)
        give_names_back(rules, names);
    return rules;
}

void rules_free(struct rules *rules, struct rule_names *names)
{
    if (!rules)
        return;
    give_names_back(rules, names);
    free(rules);
}
