#include "firewall/rule_sets.h"

void rule_sets_clear(struct rule_sets *s)
{
    while (s->count > 0)
        rules_free(s->sets[--s->count], &s->names);
}

/* `count` where it has none. */
static size_t place_of(const struct rule_sets *s, const struct address *source)
{
    size_t i = 0;
    while (i < s->count && !address_equal(&s->sets[i]->source, source))
        i++;
    return i;
}

const struct rules *rule_sets_find(const struct rule_sets *s,
                                   const struct address *source)
{
    size_t place = place_of(s, source);
    return place < s->count ? s->sets[place] : NULL;
}

bool rule_sets_swap(struct rule_sets *s, const struct address *source,
                    struct rules *rules, struct rules **old)
{
    size_t place = place_of(s, source);
    *old = place < s->count ? s->sets[place] : NULL;
    if (rules) {
        if (place == RULES_SOURCES_MAX)
            return false;
        if (!*old)
            s->count++;
        s->sets[place] = rules;
    } else if (*old) {
        s->sets[place] = s->sets[--s->count];
    }
    return true;
}
