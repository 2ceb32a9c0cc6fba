/*
 * Reading and writing wire bytes.
 *
 * `struct bytes` borrows memory and is valid until the next call on its
 * source. `struct reader` and `struct writer` fail stickily: a read past the
 * end yields zeroes and a write past the end is not done, and both set
 * `failed`. A decoder reads its whole layout into a local, asks
 * reader_finished() or reader_ok() once, and only then lets the value have
 * an effect. All multi-byte integers are big endian.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

/* The bytes of a C string, without its NUL. */
static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b);

static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

static inline uint64_t load_u64(const uint8_t *p)
{
    return (uint64_t)load_u32(p) << 32 | load_u32(p + 4);
}

static inline void store_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void store_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static inline void store_u64(uint8_t *p, uint64_t value)
{
    store_u32(p, (uint32_t)(value >> 32));
    store_u32(p + 4, (uint32_t)value);
}

struct reader {
    const uint8_t *next;
    size_t left;
    bool failed;
};

static inline struct reader reader_of(struct bytes source)
{
    return (struct reader){source.data, source.size, false};
}

/* `size` bytes of the source, borrowed; an empty view once failed. */
static inline struct bytes read_bytes(struct reader *r, size_t size)
{
    if (r->failed || size > r->left) {
        r->failed = true;
        r->left = 0;
        return (struct bytes){NULL, 0};
    }
    struct bytes taken = {r->next, size};
    if (size) /* an empty source may be NULL, which takes no arithmetic */
        r->next += size;
    r->left -= size;
    return taken;
}

static inline uint8_t read_u8(struct reader *r)
{
    struct bytes b = read_bytes(r, 1);
    return b.size ? b.data[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    struct bytes b = read_bytes(r, 2);
    return b.size ? load_u16(b.data) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    struct bytes b = read_bytes(r, 4);
    return b.size ? load_u32(b.data) : 0;
}

static inline uint64_t read_u64(struct reader *r)
{
    struct bytes b = read_bytes(r, 8);
    return b.size ? load_u64(b.data) : 0;
}

/* Copies exactly `size` bytes out; zeroes them when the source is short. */
static inline void read_into(struct reader *r, void *out, size_t size)
{
    struct bytes b = read_bytes(r, size);
    if (b.size)
        memcpy(out, b.data, size);
    else
        memset(out, 0, size);
}

/* Everything that is left. */
static inline struct bytes read_rest(struct reader *r)
{
    return read_bytes(r, r->left);
}

/* A reader over the next `size` bytes; it fails at once where they are not. */
static inline struct reader read_sub(struct reader *r, size_t size)
{
    struct bytes b = read_bytes(r, size);
    return (struct reader){b.data, b.size, r->failed};
}

/* Nothing was missing so far. */
static inline MUST_USE bool reader_ok(const struct reader *r)
{
    return !r->failed;
}

/* Nothing was missing and nothing is left over. */
static inline MUST_USE bool reader_finished(const struct reader *r)
{
    return !r->failed && r->left == 0;
}

struct writer {
    uint8_t *start;
    size_t size; /* bytes written */
    size_t capacity;
    bool failed;
};

static inline struct writer writer_of(void *memory, size_t capacity)
{
    return (struct writer){memory, 0, capacity, false};
}

/* Room for `size` bytes that the caller fills; NULL once failed. */
static inline uint8_t *write_space(struct writer *w, size_t size)
{
    if (w->failed || size > w->capacity - w->size) {
        w->failed = true;
        return NULL;
    }
    uint8_t *space = w->start ? w->start + w->size : NULL;
    w->size += size;
    return space;
}

static inline void write_bytes(struct writer *w, struct bytes b)
{
    uint8_t *space = write_space(w, b.size);
    if (space && b.size)
        memcpy(space, b.data, b.size);
}

static inline void write_u8(struct writer *w, uint8_t value)
{
    uint8_t *space = write_space(w, 1);
    if (space)
        *space = value;
}

static inline void write_u16(struct writer *w, uint16_t value)
{
    uint8_t *space = write_space(w, 2);
    if (space)
        store_u16(space, value);
}

static inline void write_u32(struct writer *w, uint32_t value)
{
    uint8_t *space = write_space(w, 4);
    if (space)
        store_u32(space, value);
}

static inline void write_u64(struct writer *w, uint64_t value)
{
    uint8_t *space = write_space(w, 8);
    if (space)
        store_u64(space, value);
}

static inline MUST_USE bool writer_ok(const struct writer *w)
{
    return !w->failed;
}

/* The bytes written so far, borrowed from the writer's memory. */
static inline struct bytes writer_bytes(const struct writer *w)
{
    return (struct bytes){w->start, w->size};
}

#endif
