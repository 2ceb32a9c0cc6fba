/*
 * A profile while it is being read: the config so far, and per place to connect
 * to what was said about it. A `remote` line or a <connection> block makes a
 * draft; lines outside of blocks make the draft `common`. At the end every
 * draft takes from `common` what it does not say itself, in any order.
 */
#ifndef OPENVPN_CONFIG_CONFIG_BUILDER_H
#define OPENVPN_CONFIG_CONFIG_BUILDER_H

#include "gateway/openvpn/config/config_parser.h"

enum config_said {
    CONFIG_SAID_PORT = 1 << 0,
    CONFIG_SAID_PROTOCOL = 1 << 1, /* and family */
    CONFIG_SAID_TIMEOUT = 1 << 2,
    CONFIG_SAID_TUN_MTU = 1 << 3,
    CONFIG_SAID_MSSFIX = 1 << 4,
    CONFIG_SAID_EXIT_NOTIFY = 1 << 5,
    CONFIG_SAID_PROXY = 1 << 6,
    CONFIG_SAID_PROXY_USER = 1 << 7,
    CONFIG_SAID_PROXY_OPTION = 1 << 8,
    CONFIG_SAID_WRAP = 1 << 9,
    CONFIG_SAID_KEY_DIRECTION = 1 << 10,
    CONFIG_SAID_FRAGMENT = 1 << 11,
};

struct config_draft {
    struct config_remote remote;
    unsigned said; /* bits of enum config_said */
    unsigned line;
    bool has_host;
};

enum {
    CONFIG_IGNORABLE_MAX = 64,
    CONFIG_REPORTS_MAX = 200,
    CONFIG_ANNOUNCED_MAX = 64,
};

/* The announcement of a block: config_announcement.h. */
struct config_announcement {
    char name[40];
    unsigned line; /* 0: not announced, but there */
    bool kept;     /* the block is there */
};

struct config_builder {
    const struct config_parser_env *env;
    struct config *config;
    unsigned line;
    bool failed; /* an error was found */
    size_t reports;

    struct config_draft common;
    struct config_draft *drafts;
    size_t draft_count;
    struct config_draft *block; /* the <connection> that is being read */

    /* Lines whose meaning depends on others. */
    unsigned secret_line;       /* of `secret`, or 0 */
    unsigned unknown_auth_line; /* of an `auth` that names no digest, or 0 */
    bool client, tls_client, said_dev, said_dev_type;
    bool refused_mode; /* it was said why this is no client's profile */
    bool cut_short;    /* a block swallowed the rest of the file */
    bool failed_ca, failed_cert, failed_key; /* was there, but no good */
    bool no_client_certificate;
    bool protocol_forced;
    enum config_protocol forced_protocol;
    char *ignorable[CONFIG_IGNORABLE_MAX]; /* ignore-unknown-option */
    size_t ignorable_count;
    struct config_announcement announced[CONFIG_ANNOUNCED_MAX];
    size_t announced_count;
};

/* One option of the file, or the content of an inline block. */
struct config_line {
    const char *name;
    const struct config_tokens *tokens; /* token[0] is the name */
    struct bytes text; /* the line without blanks around, to keep it */
    bool is_inline;    /* a block; `content` is what stands in it */
    struct bytes content;
};

void config_builder_init(struct config_builder *b, struct config *config,
                         const struct config_parser_env *env);
void config_builder_clear(struct config_builder *b);

/* One sentence about the line that is being read; never a secret. Past the
 * first CONFIG_REPORTS_MAX they are not told: such a file is no profile. */
void config_builder_error(struct config_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void config_builder_warn(struct config_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Nothing more will be told: what only finds a text can be left out. */
bool config_builder_is_silent(const struct config_builder *b);

/* The draft that a connection option is about: the open block's, or all. */
struct config_draft *config_builder_draft(struct config_builder *b);
/* A new draft, or NULL after an error. */
struct config_draft *config_builder_add_draft(struct config_builder *b);

/* The argument with this number, counted from 1, or NULL. */
const char *config_builder_argument(const struct config_line *line,
                                    size_t number);
/* `ignore-unknown-option NAME...', and whether it names that one. */
void config_builder_ignore(struct config_builder *b,
                           const struct config_tokens *tokens);
bool config_builder_ignores(const struct config_builder *b, const char *name);
/* A number of the range, or an error. */
MUST_USE bool config_builder_number(struct config_builder *b,
                                    const struct config_line *line,
                                    size_t argument, uint32_t least,
                                    uint32_t most, uint32_t *out);
/* A number that limits or times something, where openvpn takes anything: what
 * is above `most` is that, and what is below zero is zero. A warning says so,
 * or, with false, that what stands there is ignored. */
MUST_USE bool config_builder_limit(struct config_builder *b,
                                   const struct config_line *line,
                                   size_t argument, uint64_t least,
                                   uint64_t most, uint64_t *out);
/* The same for what 32 bits hold. */
MUST_USE bool config_builder_limit32(struct config_builder *b,
                                     const struct config_line *line,
                                     size_t argument, uint32_t least,
                                     uint32_t most, uint32_t *out);
/* Stores; an error when memory is short. */
MUST_USE bool config_builder_text(struct config_builder *b, char **field,
                                  const char *text);
/* Appends a copy to an owned list of texts. */
MUST_USE bool config_builder_append(struct config_builder *b, char ***list,
                                    size_t *count, struct bytes text);

/* The block's content, or that of the file named by argument 1. The caller
 * frees with blob_free(). False after an error. */
MUST_USE bool config_builder_content(struct config_builder *b,
                                     const struct config_line *line,
                                     struct blob *out);
/* The same for what a person can be asked for: an unreadable file is only a
 * warning. */
MUST_USE bool config_builder_secret(struct config_builder *b,
                                    const struct config_line *line,
                                    struct blob *out);

/* Two lines: a name and a password; the second may be missing. False if there
 * is no first, or they are too long. Copies into owned fields. */
MUST_USE bool config_builder_credentials(struct config_builder *b,
                                         struct bytes content, char **username,
                                         char **password);

#endif
