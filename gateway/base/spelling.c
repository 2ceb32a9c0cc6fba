#include "gateway/base/spelling.h"

#include <string.h>

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two names: insert, delete, replace, or swap of neighbours. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][SPELLING_NAME_MAX + 1];
    size_t *before = row[0], *above = row[1], *now = row[2];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        above[j] = j;
    memcpy(before, above, sizeof row[0]);

    for (size_t i = 1; a[i - 1]; i++) {
        now[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least_of(replaced, least_of(above[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least_of(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = above;
        above = now;
        now = free_row;
    }
    return above[width];
}

/* A third of the letters may differ, and never more than two. */
struct spelling spelling_of(const char *word)
{
    return (struct spelling){.word = word,
                             .least = least_of(strlen(word) / 3, 2) + 1};
}

void spelling_offer(struct spelling *s, const char *name)
{
    size_t size = strlen(s->word), other = strlen(name);
    /* Every letter too many or too few is one edit. */
    if (size > SPELLING_NAME_MAX || other > SPELLING_NAME_MAX ||
        other >= size + s->least || size >= other + s->least)
        return;
    size_t edits = distance(s->word, name);
    if (edits >= s->least)
        return;
    s->least = edits;
    s->nearest = name;
}
