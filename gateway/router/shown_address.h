/*
 * Qubes that are shown another address than they have, and another gateway
 * (Qubes' net.fake-ip): by their real address, which dom0 tells before or
 * after the qube comes.
 */
#ifndef ROUTER_SHOWN_ADDRESS_H
#define ROUTER_SHOWN_ADDRESS_H

#include "gateway/base/address.h"

enum { SHOWN_ADDRESS_MAX = 1024 };

/* An unset address is shown as it is. */
struct shown_address_entry {
    struct address real, visible, gateway;
};

struct shown_address {
    uint16_t count;
    struct shown_address_entry entries[SHOWN_ADDRESS_MAX];
};

/* Instead of what was said of that address before; with both unset it is
 * forgotten. False where there is no room. */
MUST_USE bool shown_address_set(struct shown_address *m,
                                const struct shown_address_entry *entry);
/* All unset where nothing was said of it. */
struct shown_address_entry shown_address_find(const struct shown_address *m,
                                              const struct address *real);

#endif
