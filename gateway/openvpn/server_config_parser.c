#include "gateway/openvpn/server_config_parser.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/config_file.h"
#include "gateway/openvpn/server_config_options.h"

enum { TAG_SIZE = 40, PORT_DEFAULT = 1194, RENEWAL_DEFAULT = 3600 };

/* --- One line or block --- */

static void unknown(struct config_builder *b, const char *name)
{
    const char *nearest = config_options_nearest(name);
    char quoted[LOG_QUOTE_SIZE];
    log_quote(quoted, bytes_of_text(name));
    if (nearest)
        config_builder_error(b, "unknown option `%s'; did you mean `%s'?",
                             quoted, nearest);
    else
        config_builder_error(b, "unknown option `%s'", quoted);
}

static void apply(struct server_config_builder *s, const char *name,
                  struct config_line *line)
{
    struct config_builder *b = &s->common;
    const struct config_option *option = server_config_options_find(name);
    if (!option && server_config_options_client_only(name)) {
        config_builder_error(b,
                             "`%s' is a client's option; if it is for the "
                             "clients, write `push \"%s ...\"'",
                             name, name);
        return;
    }
    if (!option)
        option = config_options_find(name);
    if (option)
        config_options_apply(b, option, line);
    else
        unknown(b, name);
}

static void read_block(struct server_config_builder *s, struct config_file *f,
                       const char *tag)
{
    struct config_tokens tokens = {.count = 1, .token = {tag}};
    struct config_line line = {.tokens = &tokens, .is_inline = true};
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
        struct config_line line = {.tokens = &tokens, .text = text};
        if (problem)
            config_builder_error(&s->common, "%s", problem);
        else if (config_file_tag(&tokens, tag, sizeof tag))
            read_block(s, f, tag);
        /* "ca [inline]" announces a block that stands elsewhere. */
        else if (tokens.count == 2 && !strcmp(tokens.token[1], "[inline]"))
            continue;
        else if (tokens.count > 0)
            apply(s, tokens.token[0], &line);
    }
}

/* --- What can be said only when all is known --- */

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
    if (common->cert.size == 0 && !b->failed_cert)
        config_builder_error(b, "`cert' is missing: no client would know the "
                                "server");
    if (common->key.size == 0 && !b->failed_key)
        config_builder_error(b, "`key' is missing");
    if (common->ca.size == 0 && common->fingerprint_count == 0 && !b->failed_ca)
        config_builder_error(b, "`ca' is missing: no client could be known");
    if (c->users && c->helper)
        config_builder_error(b, "either `user-pass-file' or "
                                "`user-pass-socket' says who may come in");
    bool passwords = c->users || c->helper;
    if (c->certificate != SERVER_CERTIFICATE_REQUIRED && !passwords)
        config_builder_error(b, "with neither certificates nor a "
                                "`user-pass-file' anybody could come in");
    if ((c->tokens || c->username_as_common_name) && !passwords)
        config_builder_error(b, "`%s' needs a `user-pass-file'",
                             c->tokens ? "auth-gen-token"
                                       : "username-as-common-name");
    if (c->clients_exclusive && !c->clients_directory)
        config_builder_error(b, "`ccd-exclusive' needs a `client-config-dir'");
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
        finish(&s);
    }
    bool usable = !s.common.failed;
    config_builder_clear(&s.common);
    return usable;
}
