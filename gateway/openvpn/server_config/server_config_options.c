#include "gateway/openvpn/server_config/server_config_options.h"

#include <assert.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/keys/auth_token.h"

#define HANDLER(verb) static CONFIG_OPTIONS_HANDLER(verb)

static_assert(offsetof(struct server_config_builder, common) == 0,
              "a builder is a server's builder's start");

struct server_config_builder *
server_config_options_builder(struct config_builder *b)
{
    return (struct server_config_builder *)b;
}

static struct server_config_builder *builder_of(struct config_builder *b)
{
    return server_config_options_builder(b);
}

static struct server_config *out_of(struct config_builder *b)
{
    return builder_of(b)->out;
}

static const char *quoted(char out[LOG_QUOTE_SIZE], const char *text)
{
    return log_quote(out, bytes_of_text(text ? text : ""));
}

/* --- Quiet, refused, flags ----------------------------------------------- */

HANDLER(quiet)
{
    (void)b;
    (void)option;
    (void)line;
}

HANDLER(refuse)
{
    config_builder_error(b, "`%s' is refused: %s", line->name, option->text);
}

/* A script that judged: what is missing without it follows from that. */
HANDLER(refuse_judge)
{
    builder_of(b)->refused_judge = true;
    refuse(b, option, line);
}

HANDLER(set_flag)
{
    (void)line;
    void *field = (char *)out_of(b) + option->field;
    bool *flag = field;
    *flag = true;
}

HANDLER(set_text)
{
    void *field = (char *)out_of(b) + option->field;
    (void)!config_builder_text(b, field, config_builder_argument(line, 1));
}

HANDLER(set_number)
{
    void *field = (char *)out_of(b) + option->field;
    uint32_t *number = field;
    (void)!config_builder_number(b, line, 1, option->first, option->last,
                                 number);
}

/* --- Who may come -------------------------------------------------------- */

HANDLER(verify_client_cert)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (!text || !strcmp(text, "require"))
        out_of(b)->certificate = SERVER_CERTIFICATE_REQUIRED;
    else if (!strcmp(text, "none"))
        out_of(b)->certificate = SERVER_CERTIFICATE_NONE;
    else if (!strcmp(text, "optional"))
        out_of(b)->certificate = SERVER_CERTIFICATE_OPTIONAL;
    else
        config_builder_error(b, "`%s' is not `require', `optional' or `none'",
                             quoted(out, text));
}

/* Tokens that stand for the password; `external-auth' is for plugins. */
HANDLER(auth_gen_token)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_argument(line, 3)) {
        config_builder_error(b, "`external-auth' is refused: there is no "
                                "plugin that could judge");
        return;
    }
    c->tokens = true;
    if (config_builder_argument(line, 1) &&
        !config_builder_number(b, line, 1, 0, UINT32_MAX, &c->token_lifetime))
        return;
    if (config_builder_argument(line, 2))
        (void)!config_builder_number(b, line, 2, 1, 86400 * 365,
                                     &c->token_renewal);
}

HANDLER(auth_gen_token_secret)
{
    (void)option;
    struct auth_token_key key;
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return;
    bool good =
        auth_token_parse_key(bytes_of(content.data, content.size), &key);
    secret_wipe(&key, sizeof key);
    if (!good) {
        config_builder_error(b, "`auth-gen-token-secret' holds no key as "
                                "`openvpn --genkey auth-token' makes it");
        blob_free(&content);
        return;
    }
    blob_free(&out_of(b)->token_key);
    out_of(b)->token_key = content;
}

/* --- Files that are written ---------------------------------------------- */

HANDLER(ifconfig_pool_persist)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_text(b, &c->pool_file,
                            config_builder_argument(line, 1)) &&
        config_builder_argument(line, 2))
        (void)!config_builder_number(b, line, 2, 0, 86400, &c->pool_seconds);
}

HANDLER(status)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_text(b, &c->status_file,
                            config_builder_argument(line, 1)) &&
        config_builder_argument(line, 2))
        (void)!config_builder_number(b, line, 2, 1, 86400, &c->status_seconds);
}

/* --- Of certificates, answers, the end ----------------------------------- */

/* As in a profile, but the list may change while the server runs. */
HANDLER(crl_verify)
{
    (void)option;
    const struct config_option *common = config_options_find("crl-verify");
    if (config_builder_argument(line, 2)) {
        config_builder_error(b, "a directory of `crl-verify' is not supported");
        return;
    }
    common->apply(b, common, line);
    if (!line->is_inline)
        (void)!config_builder_text(b, &out_of(b)->revoked_file,
                                   config_builder_argument(line, 1));
}

/* Read when somebody logs in, so that it is only a path here. */
HANDLER(user_pass_file)
{
    (void)option;
    (void)!config_builder_text(b, &out_of(b)->users,
                               config_builder_argument(line, 1));
}

HANDLER(remote_cert_tls)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "client") != 0)
        config_builder_error(b, "a server's `remote-cert-tls' is client");
    else
        out_of(b)->common.remote_cert_tls_client = true;
}

HANDLER(connect_freq_initial)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_number(b, line, 1, 1, 1000000, &c->first_answers))
        (void)!config_builder_number(b, line, 2, 1, 3600, &c->first_seconds);
}

HANDLER(connect_freq)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_number(b, line, 1, 1, 1000000, &c->logins))
        (void)!config_builder_number(b, line, 2, 1, 3600, &c->logins_seconds);
}

HANDLER(explicit_exit_notify)
{
    (void)option;
    uint32_t value = 1;
    if (config_builder_argument(line, 1) &&
        !config_builder_number(b, line, 1, 0, 2, &value))
        return;
    out_of(b)->exit_notify = value > 0;
    out_of(b)->exit_advance = value == 2;
}

/* Clients' own keys, which only this one can unwrap. Clients until 2.5 cannot
 * send theirs twice, and need state for their first packet. */
HANDLER(tls_crypt_v2)
{
    (void)option;
    static const char start[] = "-----BEGIN OpenVPN tls-crypt-v2 server key";
    struct config_draft *draft = &b->common;
    struct blob content;
    const char *cookie = config_builder_argument(line, 2);
    char out[LOG_QUOTE_SIZE];
    if (cookie && strcmp(cookie, "force-cookie") != 0 &&
        strcmp(cookie, "allow-noncookie") != 0) {
        config_builder_error(b,
                             "`%s' is neither `force-cookie' nor "
                             "`allow-noncookie'",
                             quoted(out, cookie));
        return;
    }
    if (!config_builder_content(b, line, &content))
        return;
    if (!memmem(content.data, content.size, start, strlen(start)) ||
        draft->said & CONFIG_SAID_WRAP) {
        config_builder_error(b, draft->said & CONFIG_SAID_WRAP
                                    ? "only one of tls-auth, tls-crypt and "
                                      "tls-crypt-v2 can be"
                                    : "`tls-crypt-v2' holds no server's key");
        blob_free(&content);
        return;
    }
    out_of(b)->cookie_only = cookie && strcmp(cookie, "force-cookie") == 0;
    draft->remote.wrap = CONFIG_WRAP_TLS_CRYPT_V2;
    draft->remote.wrap_key = content;
    draft->said |= CONFIG_SAID_WRAP;
}

/* Lets in the clients' keys that have one of these texts written into them. */
HANDLER(tls_crypt_v2_metadata)
{
    (void)option;
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return;
    if (text_trim(bytes_of(content.data, content.size)).size == 0) {
        config_builder_error(b, "`tls-crypt-v2-metadata' lists nothing: "
                                "nobody could come in");
        blob_free(&content);
        return;
    }
    blob_free(&out_of(b)->wrapped_key_texts);
    out_of(b)->wrapped_key_texts = content;
}

/* All that it may say means `migrate': each client is told what it needs, and
 * nothing is compressed. */
HANDLER(compression)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    if (!text || (strcmp(text, "no") != 0 && strcmp(text, "migrate") != 0))
        config_builder_warn(b,
                            "`%s' means `compress migrate': nothing is "
                            "compressed, which would tell what is inside of "
                            "the encryption",
                            line->name);
}

HANDLER(block_ipv6)
{
    (void)option;
    (void)line;
    builder_of(b)->block_ipv6_line = b->line;
}

/* 2.4.0: behaves as that version did, where that is safe. */
HANDLER(compat_mode)
{
    (void)option;
    static const uint32_t most[] = {9, 99, 99};
    struct bytes rest = bytes_of_text(config_builder_argument(line, 1)), part;
    uint32_t value, version = 0;
    size_t count = 0;
    bool good = true;
    while (good && text_cut(&rest, '.', &part)) {
        good = count < 3 && text_to_u32(part, most[count], &value);
        version = version * 100 + (good ? value : 0);
        count++;
    }
    good = good && count >= 2;
    for (; count < 3; count++)
        version *= 100;
    if (good)
        builder_of(b)->compatible = version;
    else
        config_builder_error(b, "`compat-mode' wants a version like 2.4.0");
}

/* `kernel' is not OpenVPN's: there a server without the directive does it. */
HANDLER(client_to_client)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    out_of(b)->client_to_client = true;
    out_of(b)->clients_by_kernel = text != NULL;
    if (text && strcmp(text, "kernel") != 0)
        config_builder_error(b, "`%s' is not `kernel'", quoted(out, text));
}

enum { ANY = CONFIG_TOKENS_MAX };

#define FIELD(member) offsetof(struct server_config, member)
#define CALL(name, least, most, handler)                                       \
    {                                                                          \
        name, least, most, 0, handler, 0, 0, 0, NULL                           \
    }
#define FLAG(name, member)                                                     \
    {                                                                          \
        name, 0, 0, 0, set_flag, FIELD(member), 0, 0, NULL                     \
    }
#define NUMBER(name, member, first, last)                                      \
    {                                                                          \
        name, 1, 1, 0, set_number, FIELD(member), first, last, NULL            \
    }
#define QUIET(name) CALL(name, 0, ANY, quiet)
#define REFUSE(name, why)                                                      \
    {                                                                          \
        name, 0, ANY, CONFIG_AS_BLOCK, refuse, 0, 0, 0, why                    \
    }
#define ONE(name)                                                              \
    REFUSE(name, "it is said of one client, in its file of "                   \
                 "`client-config-dir'")

static const struct config_option table[] = {
    CALL("local", 1, 3, server_config_options_local),
    CALL("port", 1, 1, server_config_options_port),
    CALL("lport", 1, 1, server_config_options_port),
    CALL("proto", 1, 1, server_config_options_proto),
    CALL("dev", 1, 1, server_config_options_device),
    CALL("mode", 1, 1, server_config_options_mode),
    QUIET("tls-server"),

    CALL("server", 2, 3, server_config_options_server),
    CALL("server-ipv6", 1, 2, server_config_options_server_ipv6),
    CALL("ifconfig", 2, 2, server_config_options_ifconfig),
    CALL("ifconfig-ipv6", 1, 2, server_config_options_ifconfig_ipv6),
    CALL("ifconfig-pool", 2, 3, server_config_options_ifconfig_pool),
    CALL("ifconfig-ipv6-pool", 1, 1, server_config_options_ifconfig_ipv6_pool),
    CALL("topology", 1, 1, server_config_options_topology),
    CALL("route", 1, 4, server_config_options_route),
    CALL("route-ipv6", 1, 3, server_config_options_route_ipv6),
    CALL("push", 1, 1, server_config_options_push_all),
    CALL("keepalive", 2, 2, server_config_options_keepalive),
    NUMBER("ping", ping, 0, 86400),
    NUMBER("ping-restart", ping_restart, 0, 86400),

    CALL("verify-client-cert", 0, 1, verify_client_cert),
    {"crl-verify", 1, 2, CONFIG_AS_BLOCK, crl_verify, 0, 0, 0, NULL},
    CALL("user-pass-file", 1, 1, user_pass_file),
    {"user-pass-socket", 1, 1, 0, set_text, FIELD(helper), 0, 0, NULL},
    CALL("remote-cert-tls", 1, 1, remote_cert_tls),
    {"client-config-dir", 1, 1, 0, set_text, FIELD(clients_directory), 0, 0,
     NULL},
    FLAG("ccd-exclusive", clients_exclusive),
    FLAG("username-as-common-name", username_as_common_name),
    CALL("auth-gen-token", 0, 3, auth_gen_token),
    {"auth-gen-token-secret", 1, 1, CONFIG_AS_BLOCK, auth_gen_token_secret, 0,
     0, 0, NULL},
    CALL("ifconfig-pool-persist", 1, 2, ifconfig_pool_persist),
    CALL("status", 1, 2, status),
    NUMBER("status-version", status_version, 1, 3),
    FLAG("duplicate-cn", duplicate_cn),
    CALL("client-to-client", 0, 1, client_to_client),
    NUMBER("max-clients", max_clients, 1, SERVER_CONFIG_CLIENTS_MAX),
    {"tls-crypt-v2", 1, 2, CONFIG_AS_BLOCK, tls_crypt_v2, 0, 0, 0, NULL},
    NUMBER("tls-crypt-v2-max-age", wrapped_key_days, 1, 36500),
    {"tls-crypt-v2-metadata", 1, 1, CONFIG_AS_BLOCK, tls_crypt_v2_metadata, 0,
     0, 0, NULL},
    CALL("connect-freq", 2, 2, connect_freq),
    CALL("connect-freq-initial", 2, 2, connect_freq_initial),
    CALL("explicit-exit-notify", 0, 1, explicit_exit_notify),

    {"dh", 0, ANY, CONFIG_AS_BLOCK, quiet, 0, 0, 0, NULL}, /* elliptic
                                                              curves do it */
    QUIET("ifconfig-pool-linear"),
    QUIET("hash-size"),
    QUIET("bcast-buffers"),
    QUIET("tcp-queue-limit"),
    QUIET("tcp-nodelay"),
    FLAG("force-tls-key-material-export", exporter_only),
    NUMBER("max-routes-per-client", client_routes_max, 1, 65536),
    FLAG("route-noexec", keeps_routes),
    FLAG("ifconfig-noexec", keeps_device),
    CALL("block-ipv6", 0, 0, block_ipv6),
    CALL("compat-mode", 1, 1, compat_mode),
    {"cipher", 1, 1, 0, config_options_cipher, 0, 0, 0, NULL},
    CALL("compress", 0, 1, compression),
    CALL("comp-lzo", 0, 1, compression),
    QUIET("allow-compression"), /* it is as with `no' */

    {"auth-user-pass-verify", 0, ANY, CONFIG_AS_BLOCK, refuse_judge, 0, 0, 0,
     "this program runs no scripts; write `user-pass-file FILE' or "
     "`user-pass-socket PATH'"},
    REFUSE("ns-cert-type", "write `remote-cert-tls client'"),
    REFUSE("port-share", "the server hangs up on clients that do not speak "
                         "OpenVPN; a proxy in front can share the port"),
    ONE("push-remove"),
    ONE("push-reset"),
    ONE("ifconfig-push"),
    ONE("ifconfig-ipv6-push"),
    ONE("iroute"),
    ONE("iroute-ipv6"),
    ONE("disable"),
    ONE("override-username"),
    REFUSE("tls-crypt-v2-verify", "this program runs no scripts; write "
                                  "`tls-crypt-v2-max-age DAYS' or "
                                  "`tls-crypt-v2-metadata FILE'"),
    REFUSE("client-connect", "this program runs no scripts; write "
                             "`client-config-dir DIRECTORY'"),
    REFUSE("client-cert-not-required", "write `verify-client-cert none'"),
    REFUSE("server-bridge", "Ethernet tunnels are not supported, only IP"),
    REFUSE("vlan-tagging", "Ethernet tunnels are not supported, only IP"),
    REFUSE("secret", "static-key tunnels without TLS are not supported; they "
                     "have no forward secrecy"),
};

const struct config_option *server_config_options_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return server_config_options_other(name);
}

bool server_config_options_restricts(const char *name)
{
    static const char *const names[] = {
        "block-ipv6",
        "ccd-exclusive",
        "config",
        "crl-verify",
        "inactive",
        "management-client-auth",
        "max-clients",
        "max-routes-per-client",
        "override-username",
        "plugin",
        "session-timeout",
        "shaper",
        "tls-verify",
        "verify-client-cert",
        "verify-x509-name",
        "vlan-pvid",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}
