#include "firewall/qube.h"

#include <assert.h>

bool qube_enter(struct qube_table *t, struct qube *q)
{
    static const struct qube_flows none = {UINT32_MAX, UINT32_MAX, 0};
    uint16_t i = 0;
    while (i < QUBES_MAX && t->qubes[i])
        i++;
    if (i == QUBES_MAX)
        return false;
    if (t->limit <= i)
        t->limit = (uint16_t)(i + 1);
    t->qubes[i] = q;
    q->number = i;
    for (size_t order = 0; order < QUBE_FLOW_ORDERS; order++)
        q->flows[order] = none;
    return true;
}

void qube_leave(struct qube_table *t, struct qube *q)
{
    assert(t->qubes[q->number] == q && q->flows[QUBE_FLOWS].count == 0);
    t->qubes[q->number] = NULL;
}

struct qube *qube_next(const struct qube_table *t, const struct qube *q)
{
    uint16_t i = q ? (uint16_t)(q->number + 1) : 0;
    while (i < t->limit && !t->qubes[i])
        i++;
    return i < t->limit ? t->qubes[i] : NULL;
}

struct qube *qube_find(const struct qube_table *t, const struct address *a)
{
    struct qube *q = NULL;
    if (!address_is_set(a))
        return NULL;
    while ((q = qube_next(t, q)) && !address_equal(&q->ipv4, a) &&
           !address_equal(&q->ipv6, a))
        ;
    return q;
}
