/*
 * Reads a profile. Options live in one table (name, who may set it, handler);
 * each problem is reported with its line and goes on, so that a user sees
 * all of them at once.
 */
#ifndef OPENVPN_CONFIG_CONFIG_PARSER_H
#define OPENVPN_CONFIG_CONFIG_PARSER_H

#include "gateway/openvpn/config/config.h"

enum config_severity {
    CONFIG_ERROR,
    CONFIG_WARNING,
    CONFIG_NOTE, /* nothing is wrong */
};

/* `line` is 0 for what concerns the whole profile. `text` is one sentence
 * without a line feed, valid during the call. */
typedef void config_report(void *context, enum config_severity severity,
                           unsigned line, const char *text);

/* The place in a profile that names a file. */
struct config_reference {
    const char *path, *option;
    unsigned line;
};

/* Reads the file that the profile refers to, relative to it; the caller owns
 * *out (heap). Injected so that this folder does no I/O. NULL, or a phrase
 * that says why it cannot be read. */
typedef const char *config_read_file(void *context,
                                     const struct config_reference *reference,
                                     struct blob *out);

/* Whether a line of the kind that a server may push as well (ifconfig, route,
 * dhcp-option) will be understood when the tunnel is made. `note` is told, in
 * one sentence, what of it will be ignored. */
typedef bool config_try_line(struct bytes line, config_note *note,
                             void *context);

struct config_parser_env {
    config_report *report;
    config_read_file *read_file;
    void *context;
    config_try_line *try_line; /* NULL: such lines are taken untried */
};

/* Parses `text` into *out (already config_init()ed by the callee). True if
 * the profile is usable: no error was reported. The caller clears *out in
 * both cases. */
MUST_USE bool config_parse(struct bytes text, const char *path,
                           const struct config_parser_env *env,
                           struct config *out);

enum { CONFIG_TOKENS_MAX = 17, CONFIG_LINE_MAX = 2048 };

/* One line cut like OpenVPN cuts it: blanks, double and single quotes,
 * backslash, comments from # or ;. Tokens are NUL-terminated in `memory`.
 * False for an unclosed quote or too many tokens. */
struct config_tokens {
    size_t count;
    const char *token[CONFIG_TOKENS_MAX];
    char memory[CONFIG_LINE_MAX + CONFIG_TOKENS_MAX];
};
MUST_USE bool config_tokenize(struct bytes line, struct config_tokens *out);

#endif
