/* The rules of all addresses, as dom0 or a file says them, and what people are
 * told of them. */
#include "gateway/router/router.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/router/router_state.h"
#include "gateway/router/rules_file.h"

/* --- For people ---------------------------------------------------------- */

static void describe_rules(const struct router *r, struct qube *q)
{
    rules_describe(q->rules4, r->accept_unruled, q->rules_text);
    if (q->ipv6.family == ADDRESS_NONE)
        return;
    char text4[RULES_TEXT_SIZE], text6[RULES_TEXT_SIZE];
    memcpy(text4, q->rules_text, sizeof text4);
    rules_describe(q->rules6, r->accept_unruled, text6);
    if (strcmp(text4, text6) != 0)
        snprintf(q->rules_text, sizeof q->rules_text, "%.110s; IPv6: %.110s",
                 text4, text6);
}

bool router_state_can_resolve(const struct router *r)
{
    return r->up && r->tunnel.ipv4.address.family != ADDRESS_NONE &&
           r->dns.resolvers[0].family != ADDRESS_NONE;
}

/* A rule that just waits for its name's first answer is no news. */
static void describe_wait(const struct router *r, struct instant now,
                          struct qube *q)
{
    char before[RULES_WAIT_SIZE];
    const char *unasked = !r->up ? "the VPN is not connected"
                          : !router_state_can_resolve(r)
                              ? "the tunnel has no resolver that "
                                "IPv4 reaches"
                              : "an answer is awaited";
    memcpy(before, q->wait_text, sizeof before);
    enum rule_name_state state =
        firewall_describe_wait(r->firewall, now, q, unasked, q->wait_text);
    bool news =
        router_state_can_resolve(r) ? state != RULE_NAME_UNASKED : r->up;
    if (q->wait_text[0] && news && strcmp(before, q->wait_text) != 0)
        log_warn("firewall: %s: %s", q->name, q->wait_text);
}

void router_state_describe(struct router *r, struct instant now, struct qube *q)
{
    describe_rules(r, q);
    describe_wait(r, now, q);
}

void router_state_judge_names(struct router *r, struct instant now,
                              bool describe)
{
    if (!firewall_judge_names(r->firewall, now) && !describe)
        return;
    for (struct qube *q = NULL; (q = qube_next(r->qubes, q));)
        describe_wait(r, now, q);
}

/* --- From dom0 ----------------------------------------------------------- */

static void redescribe(struct router *r, struct instant now,
                       const struct address *source)
{
    struct qube *q = qube_find(r->qubes, source);
    if (q)
        router_state_describe(r, now, q);
}

void router_set_rules(struct router *r, struct instant now,
                      const struct address *source,
                      const struct rules_entry *entries, size_t count)
{
    char problem[RULES_PROBLEM_SIZE], text[ADDRESS_TEXT_SIZE];
    enum error error =
        firewall_set_rules(r->firewall, now, source, entries, count, problem);
    if (error != OK)
        log_warn("firewall: all packets from %s are dropped: %s",
                 address_format(source, text),
                 error == ERROR_INVALID ? problem : error_text(error));
    redescribe(r, now, source);
}

void router_forget_rules(struct router *r, struct instant now,
                         const struct address *source)
{
    firewall_forget_rules(r->firewall, now, source);
    redescribe(r, now, source);
}

/* --- From a file --------------------------------------------------------- */

static void free_sets(struct router *r, struct rules **sets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rules_free(sets[i], firewall_names(r->firewall));
}

/* False, and nothing is kept, at the first address whose rules are bad. */
static bool parse_sets(struct router *r, const struct rules_file *file,
                       struct rules **sets,
                       struct router_rules_problem *problem)
{
    char text[ADDRESS_TEXT_SIZE];
    const struct rules_file_source *s;
    for (size_t i = 0; (s = rules_file_source(file, i)) != NULL; i++) {
        sets[i] = rules_parse(&s->source, s->entries, s->count,
                              firewall_names(r->firewall));
        if (sets[i] && !sets[i]->bad)
            continue;
        if (sets[i]) {
            problem->line = s->lines[sets[i]->culprit];
            snprintf(problem->text, sizeof problem->text, "%s: %s",
                     address_format(&s->source, text), sets[i]->problem);
        }
        free_sets(r, sets, i + 1);
        return false;
    }
    return true;
}

bool router_load_rules(struct router *r, struct instant now, struct bytes text,
                       struct router_rules_problem *problem)
{
    *problem = (struct router_rules_problem){.text = "out of memory"};
    struct rules_file *file = rules_file_parse(text, &problem->line);
    if (!file && problem->line > 0)
        snprintf(problem->text, sizeof problem->text,
                 "a line is /qubes-firewall/ADDRESS/KEY VALUE");
    if (!file)
        return false;
    size_t count = rules_file_count(file);
    if (count > RULES_SOURCES_MAX)
        snprintf(problem->text, sizeof problem->text, "more than %d addresses",
                 (int)RULES_SOURCES_MAX);
    struct rules **sets =
        count > RULES_SOURCES_MAX ? NULL : calloc(count + 1, sizeof *sets);
    bool good = sets && parse_sets(r, file, sets, problem);
    if (good)
        firewall_take_file(r->firewall, now, sets, count);
    free(sets);
    rules_file_free(file);
    for (struct qube *q = NULL; good && (q = qube_next(r->qubes, q));)
        router_state_describe(r, now, q);
    return good;
}
