/*
 * dom0's say in a running gateway: firewall rules, settings and addresses,
 * which come through QubesDB and go to the router and to the owner. This is
 * where the QubesDB client meets the event loop.
 *
 * The last settings and rules stay in force while there is no contact. A qube
 * whose rules were never read has none: everything of it is dropped.
 */
#ifndef DOM0_DOM0_H
#define DOM0_DOM0_H

#include "gateway/dom0/vm_config.h"
#include "gateway/event/loop.h"
#include "gateway/router/router.h"
#include "qubesdb/keys.h"

struct dom0;

/* Called from the loop. None of these may close it. */
struct dom0_owner {
    void *context;
    /* The value in force of this setting is another now, or gone. */
    void (*setting)(void *context, struct instant now, enum vm_config_key key);
    /* The router has other rules now. */
    void (*rules)(void *context, struct instant now);
    /* Names and addresses of this qube; the router has its part already. */
    void (*own)(void *context, struct instant now, const struct keys_own *own);
    /* Everything was read and told: at the start, and after each loss. */
    void (*synced)(void *context, struct instant now);
};

/* `where`: a socket's path, or "vchan". Begins in the loop's next turn and
 * tries for ever. Borrows loop and router; `owner` is copied. NULL when
 * memory is short. */
struct dom0 *dom0_open(const char *where, struct loop *loop,
                       struct router *router, const struct dom0_owner *owner);
void dom0_close(struct dom0 *d);

bool dom0_in_contact(const struct dom0 *d);
const struct vm_config *dom0_config(const struct dom0 *d);

/* Whether dom0 counts a qube with this real address among ours, by
 * /connected-ips and what /mapped-ip makes of it. For a person: what the qube
 * may send is up to its rules, which dom0 may write after its card is there. */
bool dom0_expects(const struct dom0 *d, const struct address *real);

#endif
