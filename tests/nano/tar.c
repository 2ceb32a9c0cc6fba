#include "tests/nano/tar.h"

#include <assert.h>
#include <stdio.h>

enum { BLOCK = 512 };

struct bytes tar_bytes(const struct tar *t)
{
    return bytes_of(t->data, t->size);
}

static uint8_t *room(struct tar *t, size_t size)
{
    uint8_t *at = t->data + t->size;
    size_t blocks = (size + BLOCK - 1) / BLOCK;
    assert(t->size + blocks * BLOCK <= sizeof t->data);
    memset(at, 0, blocks * BLOCK);
    t->size += blocks * BLOCK;
    return at;
}

void tar_fix_checksum(uint8_t *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

static void put(uint8_t *at, const char *text, size_t size)
{
    size_t length = text ? strlen(text) : 0;
    if (length)
        memcpy(at, text, length < size ? length : size);
}

void tar_add(struct tar *t, struct tar_member member)
{
    char size[12];
    uint8_t *block = room(t, BLOCK);
    snprintf(size, sizeof size, "%011zo", member.content.size);
    put(block, member.name, 100);
    put(block + 100, "0000644", 8);
    put(block + 124, member.size ? member.size : size, 12);
    put(block + 136, "00000000000", 12);
    block[156] = (uint8_t)member.type;
    put(block + 257, member.of_gnu ? "ustar  " : "ustar", 8);
    if (!member.of_gnu)
        put(block + 263, "00", 2);
    put(block + 345, member.prefix, 155);
    tar_fix_checksum(block);
    if (member.content.size)
        memcpy(room(t, member.content.size), member.content.data,
               member.content.size);
}

void tar_add_file(struct tar *t, const char *name, const char *content)
{
    tar_add(t, (struct tar_member){.name = name,
                                   .type = '0',
                                   .content = bytes_of_text(content)});
}

void tar_end(struct tar *t)
{
    room(t, (size_t)2 * BLOCK);
}
