#include "gateway/openvpn/client/client_overlay.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

static bool copy_text(char **out, const char *text)
{
    return !text || config_set_text(out, bytes_of_text(text));
}

/* A remote of its own with all that another one owns. */
static bool copy_remote(struct config_remote *out,
                        const struct config_remote *from)
{
    *out = *from;
    out->proxy.username = out->proxy.password = out->proxy.headers = NULL;
    out->wrap_key = (struct blob){NULL, 0};
    return copy_text(&out->proxy.username, from->proxy.username) &&
           copy_text(&out->proxy.password, from->proxy.password) &&
           copy_text(&out->proxy.headers, from->proxy.headers) &&
           (!from->wrap_key.data ||
            blob_set(&out->wrap_key,
                     bytes_of(from->wrap_key.data, from->wrap_key.size)));
}

static void free_remotes(struct config_remote *remotes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        config_remote_clear(&remotes[i]);
    free(remotes);
}

/* Everything but host, port and protocol is as in the profile's first. */
static bool apply_remotes(const struct protocol_overlay *o,
                          struct config *profile, const char **why)
{
    struct config_remote *remotes = calloc(o->server_count, sizeof *remotes);
    size_t count = 0;
    bool good = remotes && profile->remote_count > 0;

    *why = remotes ? "the profile has no remote to go by" : "out of memory";
    for (; good && count < o->server_count; count++) {
        const struct protocol_overlay_server *wanted = &o->servers[count];
        struct config_remote *r = &remotes[count];
        good = copy_remote(r, &profile->remotes[0]);
        memcpy(r->host, wanted->host, sizeof r->host);
        r->family = ADDRESS_NONE;
        if (wanted->port)
            r->port = wanted->port;
        if (wanted->transport != PROTOCOL_ANY_TRANSPORT)
            r->protocol =
                wanted->transport == PROTOCOL_TCP ? CONFIG_TCP : CONFIG_UDP;
        if (!good)
            *why = "out of memory";
    }
    if (!good) {
        free_remotes(remotes, count);
        return false;
    }
    free_remotes(profile->remotes, profile->remote_count);
    profile->remotes = remotes;
    profile->remote_count = count;
    return true;
}

static void set_proxy(struct config_remote *r, const struct protocol_overlay *o)
{
    /* A name and password in the profile are for another proxy. */
    struct config_remote old = {.proxy = r->proxy};
    r->proxy = (struct config_proxy){
        .kind = o->proxy == PROTOCOL_PROXY_HTTP ? CONFIG_PROXY_HTTP
                                                : CONFIG_PROXY_SOCKS,
        .port = o->proxy_server.port,
    };
    memcpy(r->proxy.host, o->proxy_server.host, sizeof r->proxy.host);
    config_remote_clear(&old);
}

static bool apply_proxy(const struct protocol_overlay *o,
                        struct config *profile, const char **why)
{
    size_t kept = 0;
    for (size_t i = 0; i < profile->remote_count; i++) {
        struct config_remote *r = &profile->remotes[i];
        if (o->proxy == PROTOCOL_PROXY_HTTP && r->protocol != CONFIG_TCP) {
            config_remote_clear(r);
            continue;
        }
        set_proxy(r, o);
        if (kept != i) {
            profile->remotes[kept] = *r;
            memset(r, 0, sizeof *r);
        }
        kept++;
    }
    profile->remote_count = kept;
    *why = "an HTTP proxy carries TCP, and no server is spoken to by TCP";
    return kept > 0;
}

static bool apply_username(const struct protocol_overlay *o,
                           struct config *profile, const char **why)
{
    if (!profile->auth_user_pass ||
        (profile->username && !strcmp(profile->username, o->username)))
        return true;
    /* The password in the profile is another user's. */
    if (profile->password) {
        secret_wipe(profile->password, strlen(profile->password));
        free(profile->password);
        profile->password = NULL;
    }
    *why = "out of memory";
    return config_set_text(&profile->username, bytes_of_text(o->username));
}

bool client_overlay_apply(const struct protocol_overlay *overlay,
                          struct config *profile, const char **why)
{
    const struct protocol_overlay *o = overlay;
    *why = NULL;
    return (!o->server_count || apply_remotes(o, profile, why)) &&
           (o->proxy == PROTOCOL_PROXY_NONE || apply_proxy(o, profile, why)) &&
           (!o->username[0] || apply_username(o, profile, why));
}
