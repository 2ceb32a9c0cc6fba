/*
 * Firewall rules out of a file instead of a QubesDB, in QubesDB's own text: a
 * line `PATH VALUE` each, the value being the rest of the line.
 *
 *   # the qube may do DNS and HTTPS
 *   /qubes-firewall/10.137.0.20/policy drop
 *   /qubes-firewall/10.137.0.20/0000 action=accept specialtarget=dns
 *   /qubes-firewall/10.137.0.20/0001 action=accept proto=tcp dstports=443-443
 *
 * The end of the file is what the writing of a base is in QubesDB, so a base
 * may be given but need not be. Only the shape is judged here; the rules are
 * by who applies them.
 */
#ifndef QUBESDB_RULES_FILE_H
#define QUBESDB_RULES_FILE_H

#include "gateway/base/instant.h"
#include "qubesdb/rule_tree.h"

struct rules_file_env {
    void *context;
    /* `text` is one sentence, valid during the call. */
    void (*report)(void *context, unsigned line, const char *text);
};

/* Reads `text` into *out, which the caller clears. True if nothing was
 * reported; else *out is empty. */
MUST_USE bool rules_file_parse(struct bytes text,
                               const struct rules_file_env *env,
                               struct store *out);

/* Calls rules() for each source in the order of the paths. */
void rules_file_each(const struct store *s, struct instant now, void *context,
                     void (*rules)(void *context, struct instant now,
                                   const struct rule_tree *tree));

#endif
