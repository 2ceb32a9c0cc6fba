/*
 * A wg-quick .conf, line by line: sections in brackets, `Key = value`,
 * comments from # on. Blanks do not count, nor does the case of sections and
 * keys.
 */
#ifndef WIREGUARD_PROFILE_CONF_LINE_H
#define WIREGUARD_PROFILE_CONF_LINE_H

#include "gateway/base/bytes.h"

enum conf_line_kind {
    CONF_LINE_EMPTY, /* or a comment alone */
    CONF_LINE_SECTION,
    CONF_LINE_VALUE,
    CONF_LINE_OTHER, /* it has no = */
};

/* Views of the line. */
struct conf_line {
    enum conf_line_kind kind;
    unsigned number;      /* from 1 on */
    struct bytes name;    /* of the section or key, trimmed */
    struct bytes value;   /* trimmed, without a comment */
    struct bytes comment; /* behind the #, trimmed */
    struct bytes whole;   /* behind the =, with what looks like a comment */
    bool semicolon;       /* that is how the comment begins */
};

struct conf_line_reader {
    struct bytes rest;
    unsigned number;
    bool byte_order_mark; /* the file began with one */
};

struct conf_line_reader conf_line_reader_of(struct bytes text);
/* False behind the last line. */
MUST_USE bool conf_line_next(struct conf_line_reader *r, struct conf_line *out);

/* The next item of a list, which commas or blanks separate; false behind the
 * last. */
MUST_USE bool conf_line_item(struct bytes *rest, struct bytes *item);

/* Without the blanks inside of it, as wg reads values; cut off at `capacity'.
 */
struct bytes conf_line_without_blanks(struct bytes text, char *memory,
                                      size_t capacity);

#endif
