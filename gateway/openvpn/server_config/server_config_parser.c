#include "gateway/openvpn/server_config/server_config_parser.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/config/config_announcement.h"
#include "gateway/openvpn/config/config_file.h"
#include "gateway/openvpn/keys/cipher_names.h"
#include "gateway/openvpn/server_config/server_config_options.h"

enum {
    TAG_SIZE = 40,
    PORT_DEFAULT = 1194,
    RENEWAL_DEFAULT = 3600,
    COMPATIBLE_FALLBACK = 20400, /* compat-mode; see settle_ciphers() */
    COMPATIBLE_CIPHER = 20500,
};

/* --- One line or block --------------------------------------------------- */

static void unknown(struct config_builder *b, const char *name, size_t words)
{
    const char *nearest = config_options_nearest(name);
    char quoted[LOG_QUOTE_SIZE];
    if (nearest)
        config_builder_error(b, "unknown option `%s'; did you mean `%s'?",
                             log_quote(quoted, bytes_of_text(name)), nearest);
    else if (config_file_is_option_like(name, words))
        config_builder_error(b, "unknown option `%s'", name);
    else
        config_builder_error(b, "this is not an option");
}

static void apply(struct server_config_builder *s, const char *name,
                  struct config_line *line)
{
    const struct config_option *option = server_config_options_find(name);
    if (option)
        config_options_apply(&s->common, option, line);
    else if (!config_builder_ignores(&s->common, name))
        unknown(&s->common, name, line->is_inline ? 2 : line->tokens->count);
}

/* A line without the words in front that are no option's: `setenv opt' makes it
 * one that may be unknown, `--' stands there on a command line. */
static void apply_words(struct server_config_builder *s, struct bytes text,
                        struct config_tokens *tokens)
{
    struct config_line line = {.tokens = tokens, .text = text};
    const char *name = tokens->token[0];
    if (text_starts_with(bytes_of_text(name), "--") && name[2])
        tokens->token[0] = name += 2;
    if (strcmp(name, "ignore-unknown-option") == 0) {
        config_builder_ignore(&s->common, tokens);
    } else if (strcmp(name, "setenv") != 0) {
        apply(s, name, &line);
    } else if (tokens->count > 2 && strcmp(tokens->token[1], "opt") == 0) {
        tokens->count -= 2;
        memmove(tokens->token, tokens->token + 2,
                tokens->count * sizeof *tokens->token);
        if (server_config_options_find(tokens->token[0]))
            apply(s, tokens->token[0], &line);
    } /* else it is for scripts */
}

static void read_block(struct server_config_builder *s, struct config_file *f,
                       const char *tag)
{
    struct config_tokens tokens = {.count = 1, .token = {tag}};
    struct config_line line = {.tokens = &tokens, .is_inline = true};
    config_announcement_kept(&s->common, tag);
    if (config_file_block(f, tag, &line.content))
        apply(s, tag, &line);
    else
        config_builder_error(&s->common, "this block is never closed");
}

static void read_lines(struct server_config_builder *s, struct config_file *f)
{
    struct bytes text;
    while (config_file_line(f, &text)) {
        struct config_tokens tokens;
        char tag[TAG_SIZE];
        s->common.line = f->line;
        const char *problem = config_file_cut(text, &tokens);
        if (config_file_skip_armour(f, text))
            config_builder_error(&s->common, "this text belongs to no block");
        else if (problem)
            config_builder_error(&s->common, "%s", problem);
        else if (config_file_tag(&tokens, tag, sizeof tag))
            read_block(s, f, tag);
        else if (tokens.count > 0 &&
                 !config_announcement_take(&s->common, &tokens))
            apply_words(s, text, &tokens);
    }
}

/* --- What can be said only when all is known ----------------------------- */

static void open_socket(struct server_config_builder *s,
                        const struct server_config_local *l)
{
    struct config_builder *b = &s->common;
    enum config_protocol protocol = l->has_protocol ? l->protocol : s->protocol;
    enum address_family family = l->has_protocol ? l->family : s->family;
    struct server_config_socket *socket = &s->out->sockets[protocol];
    b->line = l->line;
    if (socket->open)
        config_builder_error(b, "there can be one `local' for each protocol");
    if (family != ADDRESS_NONE && address_is_set(&l->address) &&
        l->address.family != family)
        config_builder_error(b, "address and protocol are of two families");
    socket->open = true;
    socket->local.address = l->address;
    socket->local.port = l->port ? l->port : s->port;
    if (family != ADDRESS_NONE && !address_is_set(&l->address))
        socket->local.address = address_ipv4(0);
    b->line = 0;
}

static void open_sockets(struct server_config_builder *s)
{
    static const struct server_config_local any = {0};
    if (s->local_count == 0)
        open_socket(s, &any);
    for (size_t i = 0; i < s->local_count; i++)
        open_socket(s, &s->locals[i]);
}

/* Until 2.4 `cipher' was what clients got that negotiate nothing, and until 2.5
 * it was one of those that are agreed on (openvpn: options.c,
 * options_set_backwards_compatible_options). */
static void settle_ciphers(struct server_config_builder *s)
{
    struct config *c = &s->out->common;
    uint32_t version = s->compatible ? s->compatible : UINT32_MAX;
    bool listed = cipher_names_in_list(c->data_ciphers, c->cipher);
    const struct cipher_name *cipher =
        cipher_names_find(bytes_of_text(c->cipher));
    bool usable =
        cipher && (cipher->class == CIPHER_AEAD || cipher->class == CIPHER_CBC);
    if (usable && version < COMPATIBLE_FALLBACK && !c->data_ciphers_fallback[0])
        memcpy(c->data_ciphers_fallback, c->cipher, sizeof c->cipher);
    if (usable && version < COMPATIBLE_CIPHER && !listed) {
        size_t used = strlen(c->data_ciphers);
        listed = used + 1 + strlen(c->cipher) < sizeof c->data_ciphers;
        if (listed)
            snprintf(c->data_ciphers + used, sizeof c->data_ciphers - used,
                     ":%s", c->cipher);
    }
    if (c->cipher[0] && !listed && strcmp(c->cipher, c->data_ciphers_fallback))
        config_builder_warn(&s->common,
                            "`cipher %s' has no effect: %s are agreed on; for "
                            "clients from before OpenVPN 2.4 write it in "
                            "`data-ciphers' as well",
                            c->cipher, c->data_ciphers);
}

static bool has_cbc(const struct config *c)
{
    struct bytes rest = bytes_of_text(c->data_ciphers), name;
    const struct cipher_name *cipher =
        cipher_names_find(bytes_of_text(c->data_ciphers_fallback));
    bool found = cipher && cipher->class == CIPHER_CBC;
    while (text_cut(&rest, ':', &name)) {
        cipher = cipher_names_find(name);
        found |= cipher && cipher->class == CIPHER_CBC;
    }
    return found;
}

static void check_tls(struct config_builder *b, const struct config *c)
{
    if (c->tls_version_max != CONFIG_TLS_ANY &&
        c->tls_version_min > c->tls_version_max)
        config_builder_error(b, "`tls-version-min' is above `tls-version-max'");
    if (strcmp(c->auth, "NONE") != 0)
        return;
    if (has_cbc(c))
        config_builder_error(b, "`auth none' with a CBC cipher is refused: "
                                "packets would not be authenticated");
    if (c->remotes[0].wrap == CONFIG_WRAP_TLS_AUTH)
        config_builder_error(b, "`tls-auth' needs a digest, and `auth' says "
                                "none");
}

static void check_own_identity(struct config_builder *b, const struct config *c)
{
    if (c->cert.size == 0 && !b->failed_cert)
        config_builder_error(b, "`cert' is missing: no client would know the "
                                "server");
    if (c->key.size == 0 && !b->failed_key)
        config_builder_error(b, "`key' is missing");
    if (c->ca.size == 0 && c->fingerprint_count == 0 && !b->failed_ca)
        config_builder_error(b, "`ca' is missing: no client could be known");
}

/* If a refused line said who comes in, that is told already. */
static void check_admission(struct server_config_builder *s)
{
    struct config_builder *b = &s->common;
    const struct server_config *c = s->out;
    bool passwords = c->users || c->helper || s->refused_judge;
    if (c->users && c->helper)
        config_builder_error(b, "either `user-pass-file' or "
                                "`user-pass-socket' says who may come in");
    if (c->certificate != SERVER_CERTIFICATE_REQUIRED && !passwords)
        config_builder_error(b, "with neither certificates nor a "
                                "`user-pass-file' anybody could come in");
    if ((c->tokens || c->username_as_common_name) && !passwords)
        config_builder_error(b, "`%s' needs a `user-pass-file'",
                             c->tokens ? "auth-gen-token"
                                       : "username-as-common-name");
    if (c->clients_exclusive && !c->clients_directory)
        config_builder_error(b, "`ccd-exclusive' needs a `client-config-dir'");
}

static void finish(struct server_config_builder *s)
{
    struct config_builder *b = &s->common;
    struct server_config *c = s->out;
    struct config *common = &c->common;
    b->line = 0;
    common->remotes = calloc(1, sizeof *common->remotes);
    if (!common->remotes) {
        config_builder_error(b, "out of memory");
        return;
    }
    common->remote_count = 1;
    common->remotes[0] = b->common.remote;
    config_remote_init(&b->common.remote);

    open_sockets(s);
    server_config_options_finish_addresses(s);
    check_own_identity(b, common);
    check_admission(s);
    settle_ciphers(s);
    check_tls(b, common);
    if (c->token_renewal == 0)
        c->token_renewal =
            common->reneg_seconds ? common->reneg_seconds : RENEWAL_DEFAULT;
}

bool server_config_parse(struct bytes text, const char *path,
                         const struct config_parser_env *env,
                         struct server_config *out)
{
    struct server_config_builder s = {.out = out, .port = PORT_DEFAULT};
    struct config_file f;
    server_config_init(out);
    config_builder_init(&s.common, &out->common, env);
    if (config_builder_text(&s.common, &out->common.path, path)) {
        config_file_init(&f, text);
        read_lines(&s, &f);
        config_announcement_finish(&s.common);
        finish(&s);
    }
    bool usable = !s.common.failed;
    config_builder_clear(&s.common);
    return usable;
}
