/* Numbers, words and encodings out of text that somebody else wrote. Each
 * says no rather than guess. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "gateway/base/bytes.h"

/* Copies to a C string; false if it does not fit or holds a NUL. */
MUST_USE bool text_copy(char *out, size_t out_size, struct bytes text);

/* Decimal digits only, at most `most`. */
MUST_USE bool text_to_u32(struct bytes text, uint32_t most, uint32_t *out);

bool text_equal(struct bytes text, const char *word);
bool text_equal_ignoring_case(struct bytes text, const char *word);
bool text_starts_with(struct bytes text, const char *prefix);
bool text_starts_ignoring_case(struct bytes text, const char *prefix);

/* Cuts the part up to `separator` (or all) off the front of *rest and steps
 * over the separator. False once nothing is left. */
MUST_USE bool text_cut(struct bytes *rest, char separator, struct bytes *part);

/* Without blanks, tabs, CR and LF at both ends. */
struct bytes text_trim(struct bytes text);

/* RFC 4648 with padding; returns false on any other character or if it does
 * not fit. */
MUST_USE bool text_from_base64(struct bytes text, uint8_t *out, size_t capacity,
                               size_t *size);
/* Needs 4 * ceil(size / 3) + 1 bytes; false if `capacity` is less. */
MUST_USE bool text_to_base64(struct bytes data, char *out, size_t capacity);

/* As printf does, without a NUL: all of it, or nothing and `failed`. More than
 * TEXT_WRITE_MAX characters never go in at once. */
enum { TEXT_WRITE_MAX = 1023 };
void text_write(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Two hexadecimal digits a byte, nothing between. */
MUST_USE bool text_from_hex(struct bytes text, uint8_t *out, size_t capacity,
                            size_t *size);

#endif
