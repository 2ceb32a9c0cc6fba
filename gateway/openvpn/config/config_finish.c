#include "gateway/openvpn/config/config_finish.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/openvpn/keys/cipher_names.h"

void config_finish_peer_info(struct config_builder *b, const char *name,
                             const char *value)
{
    char entry[512];
    int n = snprintf(entry, sizeof entry, "%s=%s", name, value);
    struct bytes text = bytes_of_text(entry);
    bool plain = n > 0 && (size_t)n < sizeof entry;
    for (size_t i = 0; i < text.size; i++)
        plain = plain && text.data[i] >= 0x20 && text.data[i] < 0x7f;
    if (!plain)
        config_builder_warn(b, "a variable that cannot be told to the server "
                               "is ignored");
    else
        (void)!config_builder_append(b, &b->config->peer_info,
                                     &b->config->peer_info_count, text);
}

/* --- Remotes ------------------------------------------------------------- */

static bool copy_text(char **to, const char *from)
{
    return !from || *to || config_set_text(to, bytes_of_text(from));
}

static bool inherit_proxy(struct config_draft *to,
                          const struct config_draft *from, unsigned missing)
{
    struct config_proxy *mine = &to->remote.proxy;
    const struct config_proxy *theirs = &from->remote.proxy;
    if (missing & CONFIG_SAID_PROXY) {
        mine->kind = theirs->kind;
        memcpy(mine->host, theirs->host, sizeof mine->host);
        mine->port = theirs->port;
    }
    if (missing & CONFIG_SAID_PROXY_OPTION)
        mine->http_1_1 = theirs->http_1_1;
    return (!(missing & CONFIG_SAID_PROXY_OPTION) ||
            copy_text(&mine->headers, theirs->headers)) &&
           (!(missing & CONFIG_SAID_PROXY_USER) ||
            (copy_text(&mine->username, theirs->username) &&
             copy_text(&mine->password, theirs->password)));
}

/* Gives `to` what only `from` says. */
static bool inherit(struct config_draft *to, const struct config_draft *from)
{
    struct config_remote *mine = &to->remote;
    const struct config_remote *theirs = &from->remote;
    unsigned missing = from->said & ~to->said;

    if (missing & CONFIG_SAID_PORT)
        mine->port = theirs->port;
    if (missing & CONFIG_SAID_PROTOCOL) {
        mine->protocol = theirs->protocol;
        mine->family = theirs->family;
    }
    if (missing & CONFIG_SAID_TIMEOUT)
        mine->connect_timeout = theirs->connect_timeout;
    if (missing & CONFIG_SAID_TUN_MTU)
        mine->tun_mtu = theirs->tun_mtu;
    if (missing & CONFIG_SAID_MSSFIX) {
        mine->mssfix = theirs->mssfix;
        mine->mssfix_with_outer = theirs->mssfix_with_outer;
        mine->mssfix_fixed = theirs->mssfix_fixed;
    }
    if (missing & CONFIG_SAID_EXIT_NOTIFY)
        mine->explicit_exit_notify = theirs->explicit_exit_notify;
    if (missing & CONFIG_SAID_FRAGMENT) {
        mine->fragment = theirs->fragment;
        mine->fragment_with_outer = theirs->fragment_with_outer;
    }
    if (missing & CONFIG_SAID_KEY_DIRECTION)
        mine->key_direction = theirs->key_direction;
    if (missing & CONFIG_SAID_WRAP) {
        mine->wrap = theirs->wrap;
        if (!blob_set(&mine->wrap_key,
                      bytes_of(theirs->wrap_key.data, theirs->wrap_key.size)))
            return false;
    }
    return inherit_proxy(to, from, missing);
}

/* A literal address decides the family whatever `proto` says: that of what we
 * connect to, which is the proxy if there is one. */
static void settle_family(struct config_builder *b, struct config_draft *draft)
{
    struct address literal;
    struct config_remote *r = &draft->remote;
    const char *host =
        r->proxy.kind == CONFIG_PROXY_NONE ? r->host : r->proxy.host;
    if (!address_parse(bytes_of_text(host), &literal))
        return;
    if (r->family != ADDRESS_NONE && r->family != literal.family)
        config_builder_warn(b, "the address is not of the protocol's family");
    r->family = literal.family;
}

/* Checks of one complete remote; problems belong to its line. */
static void settle_remote(struct config_builder *b, struct config_draft *draft)
{
    struct config_remote *r = &draft->remote;
    b->line = draft->line;
    settle_family(b, draft);
    if (r->proxy.kind == CONFIG_PROXY_HTTP && r->protocol == CONFIG_UDP)
        config_builder_error(b, "an HTTP proxy carries only TCP, and this "
                                "remote is UDP");
    r->floating = b->config->floating && r->protocol == CONFIG_UDP &&
                  r->proxy.kind == CONFIG_PROXY_NONE;
    /* Only tls-auth has a direction, and only UDP has datagrams to cut and has
     * to be told goodbye. */
    if (r->wrap != CONFIG_WRAP_TLS_AUTH)
        r->key_direction = -1;
    if (r->protocol != CONFIG_UDP) {
        r->explicit_exit_notify = false;
        r->fragment = 0;
    }
}

static bool is_wanted(const struct config_builder *b,
                      const struct config_draft *draft)
{
    return draft->has_host && (!b->protocol_forced ||
                               draft->remote.protocol == b->forced_protocol);
}

static void settle_remotes(struct config_builder *b)
{
    struct config *c = b->config;
    if (b->draft_count == 0) {
        if (!b->refused_mode)
            config_builder_error(b, "there is no usable `remote': nowhere to "
                                    "connect to");
        return;
    }
    c->remotes = calloc(b->draft_count, sizeof *c->remotes);
    if (!c->remotes) {
        config_builder_error(b, "out of memory");
        return;
    }
    for (size_t i = 0; i < b->draft_count; i++) {
        struct config_draft *draft = &b->drafts[i];
        if (!inherit(draft, &b->common)) {
            config_builder_error(b, "out of memory");
            return;
        }
        if (!is_wanted(b, draft))
            continue;
        settle_remote(b, draft);
        c->remotes[c->remote_count++] = draft->remote;
        draft->remote = (struct config_remote){0};
    }
    b->line = 0;
    if (c->remote_count == 0 && !b->failed)
        config_builder_error(b, "`proto-force' leaves no remote");
}

/* --- Ciphers ------------------------------------------------------------- */

static bool list_has_class(const char *list, enum cipher_class class)
{
    struct bytes rest = bytes_of_text(list), part;
    while (text_cut(&rest, ':', &part)) {
        const struct cipher_name *cipher = cipher_names_find(part);
        if (cipher && cipher->class == class)
            return true;
    }
    return false;
}

/* Profiles with nothing but `cipher` rely on it for servers that do not
 * negotiate, as OpenVPN 2.4 offered it; 64-bit ciphers are never added. */
static void settle_ciphers(struct config_builder *b)
{
    struct config *c = b->config;
    bool no_digest = !strcmp(c->auth, "NONE");
    const struct cipher_name *cipher =
        cipher_names_find(bytes_of_text(c->cipher));
    bool usable = cipher && (cipher->class == CIPHER_AEAD ||
                             (cipher->class == CIPHER_CBC && !no_digest));
    if (usable && !cipher_names_in_list(c->data_ciphers, cipher->name)) {
        size_t used = strlen(c->data_ciphers);
        int n = snprintf(c->data_ciphers + used, sizeof c->data_ciphers - used,
                         ":%s", cipher->name);
        if (n < 0 || (size_t)n >= sizeof c->data_ciphers - used)
            c->data_ciphers[used] = '\0';
    }
    const struct cipher_name *fallback =
        cipher_names_find(bytes_of_text(c->data_ciphers_fallback));
    if (no_digest && (list_has_class(c->data_ciphers, CIPHER_CBC) ||
                      (fallback && fallback->class == CIPHER_CBC) ||
                      (cipher && cipher->class == CIPHER_CBC)))
        config_builder_error(b, "`auth none' with a CBC cipher is refused: "
                                "packets would not be authenticated");
}

static bool has_wrap(const struct config *c, enum config_wrap wrap)
{
    for (size_t i = 0; i < c->remote_count; i++)
        if (c->remotes[i].wrap == wrap)
            return true;
    return false;
}

/* A digest that nothing would use may have any name. */
static void check_digest(struct config_builder *b)
{
    const struct config *c = b->config;
    static const char text[] = "the digest of `auth' is not known here";
    if (!b->unknown_auth_line)
        return;
    b->line = b->unknown_auth_line;
    if (b->secret_line || has_wrap(c, CONFIG_WRAP_TLS_AUTH) ||
        list_has_class(c->data_ciphers, CIPHER_CBC) ||
        list_has_class(c->data_ciphers_fallback, CIPHER_CBC))
        config_builder_error(b, "%s, and a cipher or tls-auth needs it", text);
    else
        config_builder_warn(b, "%s; nothing uses it", text);
    b->line = 0;
}

/* --- What is missing ----------------------------------------------------- */

static bool has_server_check(const struct config *c)
{
    return c->remote_cert_tls_server || c->ns_cert_type_server ||
           c->remote_cert_eku || c->name_type != CONFIG_NAME_NONE ||
           c->fingerprint_count;
}

static void check_server_identity(struct config_builder *b)
{
    const struct config *c = b->config;
    if (b->failed_ca)
        return;
    if (!c->ca.data && !c->fingerprint_count && !c->pkcs12.data)
        config_builder_error(b, "there is neither `ca' nor `peer-fingerprint': "
                                "the server could not be recognised");
    else if (!has_server_check(c))
        config_builder_warn(b, "nothing says how the server's certificate "
                               "differs from a client's: any client of this "
                               "provider could pose as the server; add "
                               "`remote-cert-tls server'");
    if (c->crl.data && !c->ca.data && !c->pkcs12.data)
        config_builder_warn(b, "`crl-verify' has no effect: it revokes what "
                               "an authority signed, and there is no `ca'");
}

static void check_own_identity(struct config_builder *b)
{
    const struct config *c = b->config;
    if (b->failed_cert || b->failed_key)
        return;
    if (c->pkcs12.data && (c->cert.data || c->key.data))
        config_builder_error(b, "`pkcs12' and `cert' or `key' exclude each "
                                "other");
    else if (c->cert.data && !c->key.data)
        config_builder_error(b, "there is a `cert' but no `key'");
    else if (c->key.data && !c->cert.data)
        config_builder_error(b, "there is a `key' but no `cert'");
    else if (!c->cert.data && !c->pkcs12.data && !c->auth_user_pass &&
             !b->no_client_certificate)
        config_builder_error(b, "there is neither `cert' and `key' nor "
                                "`auth-user-pass': the server could not "
                                "recognise this client");
}

static void check_tls(struct config_builder *b)
{
    const struct config *c = b->config;
    if (c->tls_version_max != CONFIG_TLS_ANY &&
        c->tls_version_min > c->tls_version_max)
        config_builder_error(b, "`tls-version-min' is above `tls-version-max'");
    if (!strcmp(c->auth, "NONE") && has_wrap(c, CONFIG_WRAP_TLS_AUTH))
        config_builder_error(b, "`tls-auth' needs a digest, and `auth' says "
                                "none");
}

/* --- Who is given nothing ------------------------------------------------ */

static bool has_option(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->option_count; i++) {
        struct config_tokens t;
        if (config_tokenize(bytes_of_text(c->options[i]), &t) &&
            !strcmp(t.token[0], name))
            return true;
    }
    return false;
}

static bool has_address(const struct config *c)
{
    return has_option(c, "ifconfig") || has_option(c, "ifconfig-ipv6");
}

static void check_static_cipher(struct config_builder *b)
{
    const struct config *c = b->config;
    const struct cipher_name *cipher =
        cipher_names_find(bytes_of_text(c->cipher));
    if (!c->cipher[0])
        config_builder_error(b, "`secret' needs a `cipher': nothing is "
                                "negotiated, and BF-CBC, which is meant "
                                "without, is too weak");
    else if (!cipher || cipher->class != CIPHER_CBC)
        config_builder_error(b,
                             "`secret' works with AES in CBC mode, not with "
                             "%s",
                             c->cipher);
    if (!strcmp(c->auth, "NONE"))
        config_builder_error(b, "`auth none' is refused: packets would not be "
                                "authenticated");
}

static void finish_static(struct config_builder *b)
{
    struct config *c = b->config;
    b->line = b->secret_line;
    if (!config_is_static(c))
        return; /* it was said why */
    c->static_key_direction = b->common.remote.key_direction;
    if (b->tls_client || c->pull)
        config_builder_error(b, "`secret' and `client', `tls-client' or "
                                "`pull' exclude each other");
    if (b->common.remote.wrap != CONFIG_WRAP_NONE)
        config_builder_error(b, "`secret' and tls-auth or tls-crypt exclude "
                                "each other");
    if (!has_address(c))
        config_builder_error(b, "`secret' needs an `ifconfig': no server "
                                "pushes an address");
    check_static_cipher(b);
    config_builder_warn(b, "`secret' has no forward secrecy: who gets the key "
                           "can read all that was ever sent");
}

void config_finish(struct config_builder *b)
{
    if (b->cut_short)
        return; /* what seems to be missing may stand in the lost part */
    settle_remotes(b);
    b->line = 0;
    if (b->refused_mode)
        return; /* it was said; what else is missing follows from it */
    if (b->secret_line) {
        check_digest(b);
        finish_static(b);
        return;
    }
    if (!b->tls_client) {
        config_builder_error(b, "there is neither `client' nor `tls-client': "
                                "this is not a client's profile");
        return;
    }
    if (!b->said_dev && !b->said_dev_type)
        config_builder_warn(b, "there is no `dev' line; `dev tun' is meant");
    if (!b->config->pull && !has_address(b->config))
        config_builder_error(b, "without `client' or `pull' no address comes "
                                "from the server, and there is no `ifconfig'");
    settle_ciphers(b);
    check_digest(b);
    check_server_identity(b);
    check_own_identity(b);
    check_tls(b);
}
