/* The name that a misspelt word was meant to be. */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include <stddef.h>

enum { SPELLING_NAME_MAX = 40 };

/* Plain data; borrows what it is told. */
struct spelling {
    const char *word;
    const char *nearest; /* of the names offered, or NULL: none is near */
    size_t least;
};

struct spelling spelling_of(const char *word);
/* One name that the word may have been. */
void spelling_offer(struct spelling *s, const char *name);

#endif
