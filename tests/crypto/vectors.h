/*
 * Known answers out of tests/vectors/: blocks of `name = value` lines, apart
 * from each other by empty lines; # starts a comment. A file that is missing
 * or malformed fails the test that reads it.
 */
#ifndef TESTS_CRYPTO_VECTORS_H
#define TESTS_CRYPTO_VECTORS_H

#include "gateway/base/bytes.h"

enum { VECTORS_LINES_MAX = 32, VECTORS_BLOCK_MAX = 16384 };

struct vectors {
    void *file;
    size_t count;
    const char *name[VECTORS_LINES_MAX];
    const char *value[VECTORS_LINES_MAX];
    char memory[VECTORS_BLOCK_MAX];
};

void vectors_open(struct vectors *v, const char *path);
void vectors_close(struct vectors *v);
/* Goes on to the next block; false behind the last one. */
bool vectors_next(struct vectors *v);
/* The value of a line of this block, NULL if there is none. */
const char *vectors_text(const struct vectors *v, const char *name);
/* A value in hexadecimal, with or without spaces; which must be there. */
size_t vectors_bytes(const struct vectors *v, const char *name, uint8_t *out,
                     size_t capacity);

#endif
