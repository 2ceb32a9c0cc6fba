#include "firewall/rules_parser.h"

#include <stdlib.h>

#include "gateway/router/rules_file.h"
#include "tests/fuzz/target.h"

static uint32_t uses(const struct rule_names *n)
{
    uint32_t total = 0;
    for (size_t i = 0; i < RULE_NAMES_MAX; i++)
        total += n->names[i].uses;
    return total;
}

/* Any rules: a bad set holds nothing, and judging needs no more than the rules.
 * */
static void parse(const struct rules_file_source *s, struct rule_names *names)
{
    struct rules *rules = rules_parse(&s->source, s->entries, s->count, names);
    if (!rules)
        return;
    check(rules->bad == (rules->problem[0] != 0));
    check(memchr(rules->problem, 0, sizeof rules->problem) != NULL);
    check(!rules->bad || (rules->count == 0 && uses(names) == 0));
    for (size_t i = 0; i + 1 < rules->count; i++)
        check(rules->rules[i].number < rules->rules[i + 1].number);
    struct rules_question q = {
        .family = (uint8_t)s->source.family,
        .protocol = IP_TCP,
        .port = 443,
        .destination = s->source,
        .asked = s->source,
        .accepted_by = RULES_NO_RULE,
    };
    struct rules_verdict verdict =
        rules_judge(rules, names, (struct instant){0}, &q);
    enum drop drop = verdict.drop;
    check(drop == DROP_NONE || drop == DROP_RULE || drop == DROP_NAME_UNKNOWN ||
          drop == DROP_BAD_RULES);
    check(verdict.rule < rules->count || verdict.rule == RULES_NO_RULE);
    check((drop == DROP_BAD_RULES) == rules->bad);
    rules_free(rules, names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rule_names names;
    size_t line;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct rules_file *file = rules_file_parse(bytes_of(copy, size), &line);
    check(file || line > 0);
    const struct rules_file_source *s;
    for (size_t i = 0; file && (s = rules_file_source(file, i)) != NULL; i++) {
        parse(s, &names);
        check(uses(&names) == 0);
    }
    rules_file_free(file);
    free(copy);
    return 0;
}
