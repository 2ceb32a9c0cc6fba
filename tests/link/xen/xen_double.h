/*
 * Stands in for libxengnttab and libxenevtchn where there is no Xen: domains
 * are fake frontends in this process. The pages and ports of netback are
 * theirs; what it leaves mapped or bound shows. Like the kernel, it masks a
 * port that rang until netback writes it back, and keeps what rings meanwhile.
 */
#ifndef TESTS_LINK_XEN_XEN_DOUBLE_H
#define TESTS_LINK_XEN_XEN_DOUBLE_H

#include "tests/link/xen/fake_frontend.h"

enum {
    XEN_DOUBLE_TRANSMIT_REF = 2000, /* of a domain's ring pages */
    XEN_DOUBLE_RECEIVE_REF = 2001,
    XEN_DOUBLE_PORT = 7, /* the one each domain offers */
};

/* Forgets all domains. */
void xen_double_reset(void);
/* Borrowed; NULL takes the domain away. */
void xen_double_set_domain(uint32_t domain, struct fake_frontend *f);
void xen_double_set_devices(bool present);

/* The domain rings. False: nobody is bound to its port. */
bool xen_double_ring(uint32_t domain);
/* The kernel's part in the meantime. */
void xen_double_turn(void);

unsigned xen_double_mapped(void);            /* pages */
unsigned xen_double_bound(void);             /* ports */
unsigned xen_double_events(uint32_t domain); /* delivered */

#endif
