/*
 * Qubes that are shown another address than they have, and another gateway
 * (Qubes' net.fake-ip): by their real address, which dom0 tells before or
 * after the qube comes.
 */
#ifndef ROUTER_MAPPED_H
#define ROUTER_MAPPED_H

#include "gateway/base/address.h"

enum { MAPPED_MAX = 1024 };

/* What is unset is shown as it is. */
struct mapped_entry {
    struct address real, visible, gateway;
};

struct mapped {
    uint16_t count;
    struct mapped_entry entries[MAPPED_MAX];
};

/* Instead of what was said of that address before; with both unset it is
 * forgotten. False where there is no room. */
MUST_USE bool mapped_set(struct mapped *m, const struct mapped_entry *entry);
/* All unset where nothing was said of it. */
struct mapped_entry mapped_find(const struct mapped *m,
                                const struct address *real);

#endif
