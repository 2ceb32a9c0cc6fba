/*
 * A file's content or another run of bytes on the heap, owned. Behind `size`
 * stands a NUL, as text parsers want it.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include "gateway/base/bytes.h"

struct blob {
    uint8_t *data;
    size_t size;
};

/* Takes a copy of the content, wipes and frees the old one. False when memory
 * is short; then the old one stays. */
MUST_USE bool blob_set(struct blob *blob, struct bytes content);

/* Wipes and frees. */
void blob_free(struct blob *blob);

#endif
