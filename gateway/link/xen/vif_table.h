/*
 * The vifs of this domain, as xenstore makes them known: which there are, and
 * when each looks at what was written. A frontend's writing costs it looks, of
 * which it gets a few at a time.
 */
#ifndef LINK_XEN_VIF_TABLE_H
#define LINK_XEN_VIF_TABLE_H

#include "gateway/link/xen/vif.h"

enum {
    /* A watch each, and xenstored grants a domain 128. */
    VIF_TABLE_MAX = 120,
};

struct vif_table {
    const struct vif_host *host;
    char root[XENSTORE_DIRECTORY_SIZE]; /* <home>/backend/vif */
    struct vif *vifs[VIF_TABLE_MAX];
    size_t count;
    bool crowded; /* there are more than these */
};

/* Watches this domain's directory, and hears at once what is in it. `host` is
 * borrowed. The log says what failed. */
MUST_USE enum error vif_table_init(struct vif_table *table,
                                   const struct vif_host *host);
/* Leaves xenstore as it is. */
void vif_table_clear(struct vif_table *table);

/* A watch said so (xenstore_changed). */
void vif_table_changed(struct vif_table *table, const char *path,
                       const char *token);
/* After changes: those that are concerned look. Returns when to call it again
 * at the latest. */
MUST_USE struct instant vif_table_settle(struct vif_table *table,
                                         struct instant now);

#endif
