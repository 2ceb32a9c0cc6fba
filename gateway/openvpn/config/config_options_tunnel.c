#include "gateway/openvpn/config/config_options.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/digest.h"
#include "gateway/openvpn/keys/cipher_names.h"

#define HANDLER(verb) CONFIG_OPTIONS_HANDLER(config_options_##verb)

static bool is_word(const struct config_line *line, size_t argument,
                    const char *word)
{
    const char *text = config_builder_argument(line, argument);
    return text && text_equal_ignoring_case(bytes_of_text(text), word);
}

/* --- What kind of profile this is ---------------------------------------- */

HANDLER(client)
{
    (void)option;
    if (!strcmp(line->name, "client")) {
        b->client = true;
        b->config->pull = true;
    }
    b->tls_client = true;
}

HANDLER(mode)
{
    (void)option;
    if (is_word(line, 1, "p2p"))
        return;
    b->refused_mode = true;
    config_builder_error(b, "`mode server' makes the profile a server's");
}

static void refuse_tap(struct config_builder *b, const char *name)
{
    b->refused_mode = true;
    config_builder_error(b,
                         "`%s tap' is refused: Ethernet tunnels are not "
                         "supported, only IP (tun)",
                         name);
}

HANDLER(dev)
{
    (void)option;
    const char *name = config_builder_argument(line, 1);
    b->said_dev = true;
    if (text_starts_with(bytes_of_text(name), "tap"))
        refuse_tap(b, "dev");
    else if (!strcmp(name, "null"))
        config_builder_error(b, "`dev null' makes no tunnel");
}

HANDLER(dev_type)
{
    (void)option;
    b->said_dev_type = true;
    if (is_word(line, 1, "tap"))
        refuse_tap(b, "dev-type");
    else if (!is_word(line, 1, "tun"))
        config_builder_error(b, "`dev-type' wants tun");
}

/* "2.4" or "2.4.0": what it would switch is on here in any case. */
HANDLER(compat_mode)
{
    (void)option;
    const char *version = config_builder_argument(line, 1);
    if (strspn(version, "0123456789.") != strlen(version) ||
        !strchr(version, '.'))
        config_builder_error(b, "`compat-mode' wants a version like 2.4.0");
}

/* --- Ciphers ------------------------------------------------------------- */

static bool list_add(char list[CONFIG_CIPHERS_SIZE], const char *name)
{
    if (cipher_names_in_list(list, name))
        return true;
    size_t used = strlen(list), n = strlen(name);
    if (used + 1 + n >= CONFIG_CIPHERS_SIZE)
        return false;
    if (used)
        list[used++] = ':';
    memcpy(list + used, name, n + 1);
    return true;
}

static bool is_usable(const struct cipher_name *cipher)
{
    return cipher->class == CIPHER_AEAD || cipher->class == CIPHER_CBC;
}

/* One entry of data-ciphers; `?` before it means "if you know it". */
static bool add_cipher(struct config_builder *b, struct bytes entry,
                       char list[CONFIG_CIPHERS_SIZE])
{
    bool optional = entry.size && entry.data[0] == '?';
    if (optional)
        entry = bytes_of(entry.data + 1, entry.size - 1);
    if (text_equal_ignoring_case(entry, "DEFAULT"))
        return list_add(list, "AES-256-GCM") && list_add(list, "AES-128-GCM") &&
               list_add(list, "CHACHA20-POLY1305");

    const struct cipher_name *cipher = cipher_names_find(entry);
    if (cipher && is_usable(cipher))
        return list_add(list, cipher->name);
    if (cipher && cipher->class == CIPHER_NONE) {
        config_builder_error(b, "a tunnel without encryption is refused");
    } else if (!optional) {
        char quoted[LOG_QUOTE_SIZE];
        config_builder_warn(b,
                            "the cipher `%s' is not supported and not "
                            "offered",
                            log_quote(quoted, entry));
    }
    return true;
}

HANDLER(data_ciphers)
{
    (void)option;
    char list[CONFIG_CIPHERS_SIZE] = "";
    struct bytes rest = bytes_of_text(config_builder_argument(line, 1)), entry;
    bool fits = true;
    while (text_cut(&rest, ':', &entry))
        if (entry.size)
            fits = add_cipher(b, entry, list) && fits;
    if (!fits) {
        config_builder_error(b, "the list of `%s' is too long", line->name);
        return;
    }
    if (list[0] == '\0') {
        config_builder_error(b, "`%s' holds no cipher that is supported",
                             line->name);
        return;
    }
    memcpy(b->config->data_ciphers, list, sizeof list);
}

static const struct cipher_name *find_cipher(struct config_builder *b,
                                             const struct config_line *line)
{
    struct bytes name = bytes_of_text(config_builder_argument(line, 1));
    const struct cipher_name *cipher = cipher_names_find(name);
    char quoted[LOG_QUOTE_SIZE];
    if (!cipher)
        config_builder_error(b, "`%s' is not a cipher that is known here",
                             log_quote(quoted, name));
    else if (cipher->class == CIPHER_NONE)
        config_builder_error(b,
                             "`%s none' is refused: the tunnel would not "
                             "be encrypted",
                             line->name);
    else
        return cipher;
    return NULL;
}

/* Whether it may be used is settled when all lines are known. */
HANDLER(cipher)
{
    (void)option;
    struct bytes name = bytes_of_text(config_builder_argument(line, 1));
    const struct cipher_name *cipher = cipher_names_find(name);
    char quoted[LOG_QUOTE_SIZE];
    if (!cipher || !is_usable(cipher))
        config_builder_warn(b,
                            "`cipher %s' will never be used: the server "
                            "must agree on a better one",
                            cipher ? cipher->name : log_quote(quoted, name));
    if (!cipher || cipher->class == CIPHER_NONE)
        return;
    (void)!text_copy(b->config->cipher, sizeof b->config->cipher,
                     bytes_of_text(cipher->name));
}

HANDLER(data_ciphers_fallback)
{
    (void)option;
    const struct cipher_name *cipher = find_cipher(b, line);
    if (!cipher)
        return;
    if (!is_usable(cipher)) {
        config_builder_warn(b,
                            "`%s %s' is ignored: the cipher is not "
                            "supported",
                            line->name, cipher->name);
        return;
    }
    (void)!text_copy(b->config->data_ciphers_fallback,
                     sizeof b->config->data_ciphers_fallback,
                     bytes_of_text(cipher->name));
}

HANDLER(auth)
{
    (void)option;
    struct bytes name = bytes_of_text(config_builder_argument(line, 1));
    size_t size;
    const char *digest = digest_find(name, &size);
    b->unknown_auth_line = digest ? 0 : b->line;
    if (digest)
        (void)!text_copy(b->config->auth, sizeof b->config->auth,
                         bytes_of_text(digest));
}

/* --- Compression: nothing that is sent is compressed --------------------- */

HANDLER(compress)
{
    (void)option;
    const char *word = config_builder_argument(line, 1);
    if (!config_compression_named(word, &b->config->compression))
        config_builder_error(b, "`compress' wants stub, stub-v2, lzo, lz4, "
                                "lz4-v2 or migrate");
    else
        b->config->compression_set = true;
    b->config->compression_lz4 = word && !strncmp(word, "lz4", 3);
}

HANDLER(comp_lzo)
{
    (void)option;
    if (config_builder_argument(line, 1) && !is_word(line, 1, "yes") &&
        !is_word(line, 1, "no") && !is_word(line, 1, "adaptive")) {
        config_builder_error(b, "`comp-lzo' wants yes, no or adaptive");
        return;
    }
    b->config->compression = CONFIG_COMPRESSION_LZO;
    b->config->compression_set = true;
}

HANDLER(allow_compression)
{
    (void)option;
    if (is_word(line, 1, "no"))
        b->config->compression_refused = true;
    else if (is_word(line, 1, "asym") || is_word(line, 1, "yes"))
        b->config->compression_refused = false;
    else
        config_builder_error(b, "`allow-compression' wants no, asym or yes");
}

/* --- Limits and timers --------------------------------------------------- */

HANDLER(replay_window)
{
    (void)option;
    uint32_t packets, seconds = b->config->replay_seconds;
    if (!config_builder_number(b, line, 1, 0, 65536, &packets))
        return;
    if (config_builder_argument(line, 2) &&
        !config_builder_number(b, line, 2, 0, 600, &seconds))
        return;
    b->config->replay_packets = packets;
    b->config->replay_seconds = seconds;
}

/* The second number, a least time, only makes a server's jitter. */
HANDLER(reneg_sec)
{
    (void)option;
    (void)!config_builder_limit32(b, line, 1, 0, UINT32_MAX,
                                  &b->config->reneg_seconds);
}

HANDLER(reneg_limit)
{
    void *field = (char *)b->config + option->field;
    uint64_t *limit = field;
    (void)!config_builder_limit(b, line, 1, 0, INT64_MAX, limit);
}

/* And ping-exit: a gateway has no other use for its end than to connect anew.
 * The one said last counts (openvpn: options.c, ping_rec_timeout). */
HANDLER(ping_restart)
{
    (void)option;
    if (config_builder_limit32(b, line, 1, 0, 86400, &b->config->ping_restart))
        b->config->ping_restart_set = true;
}

HANDLER(keepalive)
{
    (void)option;
    uint32_t ping, restart;
    if (!config_builder_limit32(b, line, 1, 0, 86400, &ping) ||
        !config_builder_limit32(b, line, 2, 0, 86400, &restart))
        return;
    b->config->ping = ping;
    b->config->ping_restart = restart;
    b->config->ping_restart_set = true;
    if (restart < 2 * (uint64_t)ping)
        config_builder_warn(b, "`keepalive' should wait at least twice as long "
                               "as it pings");
}

HANDLER(inactive)
{
    (void)option;
    uint32_t seconds;
    uint64_t bytes = 0;
    if (!config_builder_limit32(b, line, 1, 0, UINT32_MAX, &seconds))
        return;
    if (config_builder_argument(line, 2) &&
        !config_builder_limit(b, line, 2, 0, INT64_MAX, &bytes))
        bytes = 0;
    b->config->inactive = seconds;
    b->config->inactive_bytes = bytes;
}

/* --- Authentication ------------------------------------------------------ */

HANDLER(auth_user_pass)
{
    (void)option;
    struct config *c = b->config;
    c->auth_user_pass = true;
    const char *file = config_builder_argument(line, 1);
    if (!line->is_inline && (!file || !strcmp(file, "stdin")))
        return; /* asked for */

    struct blob content;
    if (!config_builder_secret(b, line, &content))
        return;
    if (!config_builder_credentials(b, bytes_of(content.data, content.size),
                                    &c->username, &c->password))
        config_builder_error(b, "`auth-user-pass' wants two lines: a name and "
                                "a password");
    blob_free(&content);
}

HANDLER(auth_retry)
{
    (void)option;
    if (is_word(line, 1, "none"))
        b->config->auth_retry = CONFIG_RETRY_NONE;
    else if (is_word(line, 1, "nointeract"))
        b->config->auth_retry = CONFIG_RETRY_NOINTERACT;
    else if (is_word(line, 1, "interact"))
        b->config->auth_retry = CONFIG_RETRY_INTERACT;
    else
        config_builder_error(b, "`auth-retry' wants none, nointeract or "
                                "interact");
}

HANDLER(static_challenge)
{
    (void)option;
    uint32_t echo = 0;
    (void)!config_builder_limit32(b, line, 2, 0, 1, &echo);
    bool concat = is_word(line, 3, "concat");
    if (config_builder_argument(line, 3) && !concat &&
        !is_word(line, 3, "scrv1")) {
        config_builder_error(b, "`static-challenge' knows the formats scrv1 "
                                "and concat");
        return;
    }
    if (!config_builder_text(b, &b->config->static_challenge,
                             config_builder_argument(line, 1)))
        return;
    b->config->static_challenge_echo = echo;
    b->config->static_challenge_concat = concat;
}

/* --- What is in the tunnel ----------------------------------------------- */

HANDLER(pull_filter)
{
    (void)option;
    enum config_pull_action action;
    if (is_word(line, 1, "accept"))
        action = CONFIG_PULL_ACCEPT;
    else if (is_word(line, 1, "ignore"))
        action = CONFIG_PULL_IGNORE;
    else if (is_word(line, 1, "reject"))
        action = CONFIG_PULL_REJECT;
    else {
        config_builder_error(b, "`pull-filter' wants accept, ignore or reject");
        return;
    }
    struct config *c = b->config;
    struct config_pull_filter *grown =
        reallocarray(c->pull_filters, c->pull_filter_count + 1, sizeof *grown);
    if (!grown) {
        config_builder_error(b, "out of memory");
        return;
    }
    c->pull_filters = grown;
    grown[c->pull_filter_count] = (struct config_pull_filter){.action = action};
    if (config_builder_text(b, &grown[c->pull_filter_count].prefix,
                            config_builder_argument(line, 2)))
        c->pull_filter_count++;
}

static void warn(void *context, const char *text)
{
    config_builder_warn(context, "%s", text);
}

/* Kept as it stands, for the code that reads pushed options; that code is
 * asked now whether it will understand the line. Where a server's would be
 * left out with a word, the profile's is, too. */
HANDLER(tunnel_option)
{
    (void)option;
    char quoted[LOG_QUOTE_SIZE];
    config_try_line *try_line = b->env->try_line;
    if (try_line && !try_line(line->text, warn, b))
        config_builder_warn(b, "`%s' is malformed and ignored",
                            log_quote(quoted, line->text));
    else
        (void)!config_builder_append(b, &b->config->options,
                                     &b->config->option_count, line->text);
}
