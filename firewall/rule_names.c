#include "firewall/rule_names.h"

#include <assert.h>

#include "gateway/base/text.h"

enum { LABEL_MAX = 63 }; /* RFC 1035 2.3.4 */

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* A name of letters, digits, hyphens and dots that DNS can ask for: RFC 1123
 * 2.1, and the underscore that real names have. */
static bool is_valid(struct bytes text)
{
    size_t label = 0;
    if (text.size == 0 || text.size >= RULE_NAMES_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '.') {
            if (label == 0 || text.data[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!is_letter_or_digit(c) && (c != '-' || label == 0))
            return false;
        if (++label > LABEL_MAX)
            return false;
    }
    return text.data[text.size - 1] != '-';
}

static struct rule_name_query *query_of(struct rule_names *n, uint16_t name,
                                        enum address_family family)
{
    return &n->queries[name][family == ADDRESS_IPV6];
}

uint16_t rule_names_use(struct rule_names *n, struct bytes text,
                        enum address_family family)
{
    uint16_t place = RULE_NAMES_NONE;
    if (!is_valid(text))
        return RULE_NAMES_NONE;
    for (uint16_t i = 0; i < RULE_NAMES_MAX; i++) {
        if (n->names[i].uses == 0) {
            if (place == RULE_NAMES_NONE)
                place = i;
        } else if (text_equal_ignoring_case(text, n->names[i].text)) {
            place = i;
            break;
        }
    }
    if (place == RULE_NAMES_NONE)
        return RULE_NAMES_NONE;
    struct rule_name *name = &n->names[place];
    if (name->uses == 0) {
        memset(n->queries[place], 0, sizeof n->queries[place]);
        if (n->limit <= place)
            n->limit = (uint16_t)(place + 1);
        bool copied = text_copy(name->text, sizeof name->text, text);
        assert(copied);
    }
    name->uses++;
    query_of(n, place, family)->wanted = true;
    return place;
}

void rule_names_drop_use(struct rule_names *n, uint16_t name)
{
    assert(n->names[name].uses > 0);
    if (--n->names[name].uses == 0)
        n->queries[name][0].wanted = n->queries[name][1].wanted = false;
}

bool rule_names_has(const struct rule_names *n, uint16_t name,
                    const struct address *address, struct instant now)
{
    bool v6 = address->family == ADDRESS_IPV6;
    const struct rule_name_address *known = n->names[name].addresses[v6];
    for (size_t i = 0; i < n->queries[name][v6].count; i++)
        if (address_equal(&known[i].address, address))
            return !instant_reached(now, known[i].until);
    return false;
}

bool rule_names_had(const struct rule_names *n, uint16_t name,
                    const struct address *address)
{
    bool v6 = address->family == ADDRESS_IPV6;
    return rule_names_has(n, name, address, n->queries[name][v6].answered);
}

enum rule_name_state rule_names_state(const struct rule_names *n, uint16_t name,
                                      enum address_family family,
                                      struct instant now)
{
    const struct rule_name_query *q = &n->queries[name][family == ADDRESS_IPV6];
    bool over =
        q->state == RULE_NAME_KNOWN && instant_reached(now, q->known_until);
    return (enum rule_name_state)(over ? q->why : q->state);
}

bool rule_names_next(struct rule_names *n, struct instant now,
                     struct instant again, uint16_t *name,
                     enum address_family *family)
{
    for (uint16_t i = 0; i < n->limit; i++)
        for (int v6 = 0; v6 < 2; v6++) {
            struct rule_name_query *q = &n->queries[i][v6];
            if (!q->wanted || !instant_reached(now, q->due))
                continue;
            q->due = again;
            *name = i;
            *family = v6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
            return true;
        }
    return false;
}

struct instant rule_names_deadline(const struct rule_names *n)
{
    struct instant deadline = INSTANT_NEVER;
    for (size_t i = 0; i < n->limit; i++)
        for (int v6 = 0; v6 < 2; v6++)
            if (n->queries[i][v6].wanted)
                deadline = instant_earlier(deadline, n->queries[i][v6].due);
    return deadline;
}

/* --- Answers ------------------------------------------------------------- */

static void become(struct rule_names *n, struct rule_name_query *q,
                   enum rule_name_state state)
{
    n->changed = n->changed || q->state != state;
    q->state = (uint8_t)state;
    q->why = state == RULE_NAME_KNOWN ? RULE_NAME_UNASKED : (uint8_t)state;
}

/* The place of an address: its own, a new one, or that of the one that was
 * told the longest time ago. */
static struct rule_name_address *place_for(struct rule_names *n,
                                           struct rule_name_query *q,
                                           struct rule_name_address *known,
                                           const struct address *address)
{
    size_t oldest = 0;
    for (size_t i = 0; i < q->count; i++) {
        if (address_equal(&known[i].address, address))
            return &known[i];
        if (instant_before(known[i].told, known[oldest].told))
            oldest = i;
    }
    n->changed = true;
    return q->count < RULE_NAMES_ADDRESSES ? &known[q->count++]
                                           : &known[oldest];
}

static uint32_t limit_ttl(uint32_t ttl)
{
    if (ttl < RULE_NAMES_TTL_MIN)
        return RULE_NAMES_TTL_MIN;
    return ttl > RULE_NAMES_TTL_MAX ? RULE_NAMES_TTL_MAX : ttl;
}

void rule_names_learn(struct rule_names *n, struct instant now, uint16_t name,
                      enum address_family family,
                      const struct address *addresses, size_t count,
                      uint32_t ttl)
{
    struct rule_name_query *q = query_of(n, name, family);
    struct rule_name_address *known =
        n->names[name].addresses[family == ADDRESS_IPV6];
    struct instant until = instant_after(
        now, duration_seconds((int64_t)limit_ttl(ttl) + RULE_NAMES_REMEMBER));
    if (count > RULE_NAMES_ADDRESSES)
        count = RULE_NAMES_ADDRESSES;
    for (size_t i = 0; i < count; i++)
        if (addresses[i].family == family)
            *place_for(n, q, known, &addresses[i]) =
                (struct rule_name_address){addresses[i], now, until};
}

void rule_names_answer(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family,
                       const struct address *addresses, size_t count,
                       uint32_t ttl)
{
    struct rule_name_query *q = query_of(n, name, family);
    rule_names_learn(n, now, name, family, addresses, count, ttl);
    q->failures = 0;
    q->answered = now;
    q->due = instant_after(now, duration_seconds(limit_ttl(ttl)));
    q->known_until = instant_after(q->due, duration_seconds(RULE_NAMES_GRACE));
    n->expiry = instant_earlier(n->expiry, q->known_until);
    become(n, q, RULE_NAME_KNOWN);
}

void rule_names_failed(struct rule_names *n, struct instant now, uint16_t name,
                       enum address_family family, enum rule_name_state why)
{
    struct rule_name_query *q = query_of(n, name, family);
    int64_t pause = (int64_t)RULE_NAMES_RETRY_MIN << q->failures;
    if (pause > RULE_NAMES_RETRY_MAX)
        pause = RULE_NAMES_RETRY_MAX;
    else
        q->failures++;
    q->due = instant_after(now, duration_seconds(pause));
    if (q->state == RULE_NAME_KNOWN &&
        (why == RULE_NAME_SILENT || why == RULE_NAME_FAILURE))
        q->why = (uint8_t)why;
    else
        become(n, q, why);
}

/* --- Time ---------------------------------------------------------------- */

void rule_names_hurry(struct rule_names *n, struct instant now, bool all)
{
    for (size_t i = 0; i < n->limit; i++)
        for (int v6 = 0; v6 < 2; v6++) {
            struct rule_name_query *q = &n->queries[i][v6];
            if (all || q->failures > 0)
                q->due = instant_earlier(q->due, now);
            q->failures = 0;
            if (q->wanted && (all || q->state != RULE_NAME_KNOWN))
                become(n, q, RULE_NAME_UNASKED);
        }
}

void rule_names_expire(struct rule_names *n, struct instant now)
{
    if (!instant_reached(now, rule_names_expiry(n)))
        return;
    n->expiry = INSTANT_NEVER;
    for (size_t i = 0; i < n->limit; i++)
        for (int v6 = 0; v6 < 2; v6++) {
            struct rule_name_query *q = &n->queries[i][v6];
            if (!q->wanted || q->state != RULE_NAME_KNOWN)
                continue;
            if (instant_reached(now, q->known_until))
                become(n, q, (enum rule_name_state)q->why);
            else
                n->expiry = instant_earlier(n->expiry, q->known_until);
        }
}

struct instant rule_names_expiry(const struct rule_names *n)
{
    return n->limit > 0 ? n->expiry : INSTANT_NEVER;
}

bool rule_names_take_change(struct rule_names *n)
{
    bool changed = n->changed;
    n->changed = false;
    return changed;
}
