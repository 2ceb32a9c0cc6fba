/*
 * How a bounded resource is shared out among qubes: flows, external ports.
 *
 *   most   what one qube can have: half of it all
 *   part   what each qube can have whatever the others do: half of it all, by
 *          the number of qubes
 *   kept   the sum of what is not taken yet of all parts; only a qube whose
 *          part it is takes that
 *
 * More qubes make smaller parts. A qube that comes when all is taken gets its
 * part back from the one that has most.
 */
#ifndef FIREWALL_QUOTA_H
#define FIREWALL_QUOTA_H

#include "firewall/qube.h"

struct quota {
    uint32_t whole, taken;
    uint32_t most, part, kept;
    uint32_t count; /* of members */
    bool member[QUBES_MAX];
    uint32_t has[QUBES_MAX];
};

void quota_init(struct quota *q, uint32_t whole);

void quota_join(struct quota *q, uint16_t member);
/* It has given back all. */
void quota_leave(struct quota *q, uint16_t member);

/* May it take one more? */
bool quota_allows(const struct quota *q, uint16_t member);
void quota_take(struct quota *q, uint16_t member);
void quota_give(struct quota *q, uint16_t member);

/* The member from which one has to be taken back, so that this one may take:
 * itself, or while it has less than its part, the one that has most. */
uint16_t quota_debtor(const struct quota *q, uint16_t member);

#endif
