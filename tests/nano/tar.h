/*
 * Members of tar archives, made byte by byte.
 */
#ifndef TESTS_NANO_TAR_H
#define TESTS_NANO_TAR_H

#include "gateway/base/bytes.h"

enum { TAR_SIZE_MAX = 2 * 1024 * 1024 };

struct tar {
    size_t size;
    uint8_t data[TAR_SIZE_MAX];
};

struct tar_member {
    const char *name, *prefix;
    char type;
    struct bytes content;
    bool of_gnu;      /* has its magic */
    const char *size; /* instead of the content's */
};

struct bytes tar_bytes(const struct tar *t);
void tar_add(struct tar *t, struct tar_member member);
void tar_add_file(struct tar *t, const char *name, const char *content);
void tar_end(struct tar *t);

/* After a change of the block it is right again. */
void tar_fix_checksum(uint8_t *block);

#endif
