#include "firewall/quota.h"

#include <assert.h>

static uint32_t lacks(const struct quota *q, uint16_t member)
{
    uint32_t has = q->has[member];
    return q->member[member] && has < q->part ? q->part - has : 0;
}

static void share_out(struct quota *q)
{
    q->part = q->count ? q->whole / 2 / q->count : 0;
    q->kept = 0;
    for (uint16_t i = 0; i < QUBES_MAX; i++)
        q->kept += lacks(q, i);
}

void quota_init(struct quota *q, uint32_t whole)
{
    *q = (struct quota){.whole = whole, .most = whole / 2};
}

void quota_join(struct quota *q, uint16_t member)
{
    assert(member < QUBES_MAX && !q->member[member]);
    q->member[member] = true;
    q->count++;
    share_out(q);
}

void quota_leave(struct quota *q, uint16_t member)
{
    assert(q->member[member] && q->has[member] == 0);
    q->member[member] = false;
    q->count--;
    share_out(q);
}

bool quota_allows(const struct quota *q, uint16_t member)
{
    uint32_t left = q->whole - q->taken;
    if (left == 0 || q->has[member] >= q->most)
        return false;
    return q->has[member] < q->part || left > q->kept;
}

void quota_take(struct quota *q, uint16_t member)
{
    assert(q->member[member] && q->taken < q->whole);
    if (q->has[member] < q->part)
        q->kept--;
    q->has[member]++;
    q->taken++;
}

void quota_give(struct quota *q, uint16_t member)
{
    assert(q->has[member] > 0);
    q->has[member]--;
    q->taken--;
    if (q->has[member] < q->part)
        q->kept++;
}

uint16_t quota_debtor(const struct quota *q, uint16_t member)
{
    uint16_t greediest = member;
    if (q->has[member] >= q->part)
        return member;
    for (uint16_t i = 0; i < QUBES_MAX; i++)
        if (q->has[i] > q->has[greediest])
            greediest = i;
    return greediest;
}
