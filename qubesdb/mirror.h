/*
 * Our copy of the database. It tells each change of a key once, and the rules
 * of a source only as a whole.
 *
 * The caller says when a tree is complete, which is what the protocol is
 * about; the mirror remembers which sources have been told to have rules, so
 * that those whose rules vanish unseen are told too.
 */
#ifndef QUBESDB_MIRROR_H
#define QUBESDB_MIRROR_H

#include "gateway/base/instant.h"
#include "qubesdb/rule_tree.h"

struct mirror_owner {
    void *context;
    /* The rules of one source, borrowed for the call. */
    void (*rules)(void *context, struct instant now,
                  const struct rule_tree *tree);
    /* Another value, a new key, or one that is gone. Not for rules. */
    void (*changed)(void *context, struct instant now, const char *path);
    /* Everything has been read and told, after a loss of contact too. */
    void (*synced)(void *context, struct instant now);
};

struct mirror {
    const struct mirror_owner *owner; /* borrowed */
    struct store store;
    struct store told; /* bases whose rules the owner has */
};

/* A part of the database: one key; all paths that begin so, "" being
 * everything; or the rules of one source, named by their base. */
enum mirror_scope { MIRROR_KEY, MIRROR_PREFIX, MIRROR_RULES };

bool mirror_covers(enum mirror_scope scope, const char *path,
                   const char *candidate);

/* The owner is told of changed keys but of no rules. */
void mirror_init(struct mirror *m, const struct mirror_owner *owner);
void mirror_clear(struct mirror *m);

/* In the scope, the database is what `reading` holds, and nothing else. False
 * if memory is short or the store is full: read everything again. `reading`
 * may lose its content. */
MUST_USE bool mirror_update(struct mirror *m, struct instant now,
                            enum mirror_scope scope, const char *path,
                            struct store *reading);

/* Tells the rules with this base, which are complete. */
void mirror_tell_rules(struct mirror *m, struct instant now, const char *base);

/* Tells all rules that are there, except of the bases in `unsettled`, and the
 * end of those that are not there any more. */
void mirror_tell_all_rules(struct mirror *m, struct instant now,
                           const struct store *unsettled);

#endif
