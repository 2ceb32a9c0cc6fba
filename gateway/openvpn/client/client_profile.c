#include "gateway/openvpn/client/client_profile.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/openvpn/client/client_overlay.h"
#include "gateway/openvpn/client/client_protocol.h"
#include "gateway/openvpn/client/config_summary.h"
#include "gateway/openvpn/config/config_parser.h"
#include "gateway/openvpn/push/push_options.h"

static_assert(offsetof(struct client_profile, shown) == 0,
              "what is shown is its start");
static_assert((int)CONFIG_HOST_SIZE == (int)PROTOCOL_HOST_SIZE,
              "one is copied into the other");

static struct client_profile *inside(struct protocol_profile *profile)
{
    return (struct client_profile *)profile;
}

const struct config *
client_profile_config(const struct protocol_profile *profile)
{
    return &((const struct client_profile *)profile)->config;
}

/* --- What it is ---------------------------------------------------------- */

/* With one of these each profile can be told from other files. */
static const char *const telling[] = {
    "client", "remote", "dev",    "proto",        "tls-client",     "pull",
    "secret", "<ca>",   "<cert>", "<connection>", "auth-user-pass",
};

bool client_profile_recognises(struct bytes text)
{
    struct bytes line, word;
    while (text_cut(&text, '\n', &line)) {
        line = text_trim(line);
        if (!text_cut(&line, ' ', &word))
            continue;
        for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
            if (text_equal(word, telling[i]))
                return true;
    }
    return false;
}

/* --- Reading ------------------------------------------------------------- */

/* Files whose content, or whose proof of who we are, leaves this machine. */
static const struct {
    const char *option;
    enum protocol_fate fate;
    const char *use;
} fates[] = {
    {"auth-user-pass", PROTOCOL_FATE_SERVER,
     "the name and password in it are sent to the server"},
    {"http-proxy", PROTOCOL_FATE_PROXY,
     "the name and password in it are sent, readable on the way, to the proxy"},
    {"http-proxy-user-pass", PROTOCOL_FATE_PROXY,
     "the name and password in it are sent, readable on the way, to the proxy"},
    {"socks-proxy", PROTOCOL_FATE_PROXY,
     "the name and password in it are sent, readable on the way, to the proxy"},
    {"cert", PROTOCOL_FATE_SHOWN, "it is shown to the server"},
    {"extra-certs", PROTOCOL_FATE_SHOWN, "it is shown to the server"},
    {"pkcs12", PROTOCOL_FATE_SHOWN,
     "its certificate is shown, its key stays here and proves who we are, to "
     "the server"},
    {"key", PROTOCOL_FATE_SHOWN,
     "it stays here, and proves who we are to the server"},
    {"tls-crypt-v2", PROTOCOL_FATE_SHOWN,
     "its key stays here, its wrapped part is sent to the server"},
};

static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    const struct protocol_reader *reader = context;
    struct protocol_reference r = {
        .path = reference->path,
        .option = reference->option,
        .line = reference->line,
        .fate = PROTOCOL_FATE_STAYS,
        .use = "it stays here",
    };
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
        if (strcmp(fates[i].option, r.option) == 0) {
            r.fate = fates[i].fate;
            r.use = fates[i].use;
        }
    }
    return reader->read_file(reader->context, &r, out);
}

static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    static const enum protocol_severity severities[] = {
        [CONFIG_ERROR] = PROTOCOL_ERROR,
        [CONFIG_WARNING] = PROTOCOL_WARNING,
        [CONFIG_NOTE] = PROTOCOL_NOTE,
    };
    const struct protocol_reader *reader = context;
    reader->report(reader->context, severities[severity], line, text);
}

struct protocol_server client_profile_server(const struct config_remote *r)
{
    static const enum protocol_proxy_kind kinds[] = {
        [CONFIG_PROXY_NONE] = PROTOCOL_PROXY_NONE,
        [CONFIG_PROXY_HTTP] = PROTOCOL_PROXY_HTTP,
        [CONFIG_PROXY_SOCKS] = PROTOCOL_PROXY_SOCKS,
    };
    bool udp = r->protocol == CONFIG_UDP;
    return (struct protocol_server){
        .host = r->host,
        .port = r->port,
        .transport = udp ? PROTOCOL_UDP : PROTOCOL_TCP,
        .family = r->family,
        .proxy =
            {
                .kind = kinds[r->proxy.kind],
                .host = r->proxy.host,
                .port = r->proxy.port,
                .username = r->proxy.username,
                .password = r->proxy.password,
                .headers = r->proxy.headers,
                .http_1_1 = r->proxy.http_1_1,
            },
        .moves = udp && r->floating && r->proxy.kind == CONFIG_PROXY_NONE,
    };
}

/* Makes the parts that the door shows anew from the config. */
static bool show(struct client_profile *p)
{
    size_t count = p->config.remote_count;
    struct protocol_server *servers = calloc(count + 1, sizeof *servers);
    if (!servers)
        return false;
    for (size_t i = 0; i < count; i++)
        servers[i] = client_profile_server(&p->config.remotes[i]);
    free(p->servers);
    p->servers = servers;
    p->shown.servers = servers;
    p->shown.server_count = count;
    p->shown.kind = &client_protocol;
    p->shown.username = p->config.username;
    return true;
}

struct protocol_profile *
client_profile_read(struct bytes text, const char *path,
                    const struct protocol_reader *reader, bool *usable)
{
    struct protocol_reader copy = *reader;
    const struct config_parser_env env = {report, read_file, &copy,
                                          push_options_try_line};
    struct client_profile *p = calloc(1, sizeof *p);
    *usable = p && config_parse(text, path, &env, &p->config);
    if (p && show(p))
        return &p->shown;
    *usable = false;
    report(&copy, CONFIG_ERROR, 0, "memory is short");
    client_profile_forget(p ? &p->shown : NULL);
    return NULL;
}

void client_profile_describe(const struct protocol_profile *profile,
                             void (*line)(void *context, const char *topic,
                                          const char *text),
                             void *context)
{
    config_summary(client_profile_config(profile), line, context);
}

bool client_profile_overlay(struct protocol_profile *profile,
                            const struct protocol_overlay *overlay,
                            const char **why)
{
    struct client_profile *p = inside(profile);
    bool good = client_overlay_apply(overlay, &p->config, why);
    if (show(p))
        return good;
    *why = "out of memory";
    return false;
}

void client_profile_forget(struct protocol_profile *profile)
{
    struct client_profile *p = inside(profile);
    if (!p)
        return;
    config_clear(&p->config);
    free(p->servers);
    free(p);
}
