/* Rules of many addresses out of one text, for those who have no QubesDB:
 * a line "/qubes-firewall/<address>/<key> <value>" each. */
#ifndef ROUTER_RULES_FILE_H
#define ROUTER_RULES_FILE_H

#include "firewall/qube.h"

struct rules_file;

struct rules_file_source {
    struct address source;
    const struct rules_entry *entries; /* views of the text */
    const size_t *lines;               /* of each entry, from 1 */
    size_t count;
};

/* Borrows `text`. NULL where a line is malformed (*line is its number, from
 * 1) or memory is short (*line is 0). */
struct rules_file *rules_file_parse(struct bytes text, size_t *line);
void rules_file_free(struct rules_file *file);

size_t rules_file_count(const struct rules_file *file);
/* The addresses in the file, one after another; NULL behind the last. */
const struct rules_file_source *rules_file_source(const struct rules_file *file,
                                                  size_t index);

#endif
