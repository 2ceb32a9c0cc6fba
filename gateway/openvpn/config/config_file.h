/*
 * The syntax of a profile: lines, words, and inline blocks, as real files
 * have them.
 *
 *   BOM? { line LF }
 *   line  := blank* [ word { blank+ word } ] [ # or ; comment ]   CR is a blank
 *   word  := "quoted \" text" | 'quoted text' | plain\ text
 *   block := "<tag>" LF { any line LF } blank* "</tag>"
 *
 * A comment starts only where a word could (openvpn: options_parse.c,
 * parse_line, read_inline_file).
 */
#ifndef OPENVPN_CONFIG_CONFIG_FILE_H
#define OPENVPN_CONFIG_CONFIG_FILE_H

#include "gateway/openvpn/config/config_parser.h"

struct config_file {
    struct bytes rest;
    unsigned line; /* number of the line read last; 0 before the first */
};

/* Borrows `text`; steps over a byte order mark. */
void config_file_init(struct config_file *f, struct bytes text);

/* The next line, without its line feed. False at the end. */
MUST_USE bool config_file_line(struct config_file *f, struct bytes *line);

/* All lines up to the one that starts with `</tag>`, which is stepped over.
 * False, with everything read, if there is none. */
MUST_USE bool config_file_block(struct config_file *f, const char *tag,
                                struct bytes *content);

/* Steps over a line that starts with `start`, if it is in sight; else stays. */
bool config_file_skip_past(struct config_file *f, const char *start);

/* Whether `line`, which was just read, begins a key or certificate outside of
 * a block. Then all of it is stepped over if its end is in sight, so that its
 * lines are not taken for options, and never printed. */
MUST_USE bool config_file_skip_armour(struct config_file *f, struct bytes line);

/* A word in the place of an option may be part of a key or a password, and then
 * no report may repeat it: only what looks like an option is quoted. `words` of
 * its line. */
MUST_USE bool config_file_is_option_like(const char *word, size_t words);

/* "<tag>" alone on its line. */
MUST_USE bool config_file_tag(const struct config_tokens *line, char *tag,
                              size_t tag_size);

/* Cuts a line into words. NULL, or what is wrong with it as a phrase. */
MUST_USE const char *config_file_cut(struct bytes line,
                                     struct config_tokens *out);

#endif
