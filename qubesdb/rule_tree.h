/*
 * The firewall rules of one qube as QubesDB's text, lifted out of a store in
 * one piece: its owner swaps the whole set or nothing.
 */
#ifndef QUBESDB_RULE_TREE_H
#define QUBESDB_RULE_TREE_H

#include "qubesdb/keys.h"

/* "policy" and its value, "0000" and its value, or what should not be there:
 * the text behind "/qubes-firewall/SOURCE/". */
struct rule_line {
    const char *name;
    struct bytes value;
};

struct rule_tree {
    struct address source;
    bool present; /* false: there are no rules, which is not the same as an
                     empty set, though both mean drop */
    size_t count;
    struct rule_line *lines; /* ascending by name; text is the store's */
};

/* Reads the tree with this base ("/qubes-firewall/SOURCE") as it stands; when
 * memory is short, as if it were absent. False if the base is not the path of
 * an address. */
MUST_USE bool rule_tree_read(struct rule_tree *tree, const struct store *s,
                             const char *base);
void rule_tree_clear(struct rule_tree *tree);

#endif
