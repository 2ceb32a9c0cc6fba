#include "gateway/openvpn/client/client_protocol.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/openvpn/client/client.h"
#include "gateway/openvpn/client/client_profile.h"
#include "gateway/openvpn/client/client_verify.h"

/* The client asks for one address at a time; the door has it looked up first
 * and connected to afterwards. */
struct openvpn {
    struct protocol protocol; /* first */
    struct protocol_env env;
    struct client *client;
    const struct config_remote *remote; /* of the last CONNECT */
    struct protocol_server server;      /* the same, shown */
    struct endpoint at;                 /* where it is */
    bool resolving;                     /* its name, or its proxy's */
    bool tell_connect, tell_aim;
};

static_assert(offsetof(struct openvpn, protocol) == 0,
              "a protocol is its start");
static_assert((int)CLIENT_WHY_SIZE == (int)PROTOCOL_WHY_SIZE &&
                  (int)CLIENT_WAITING_SIZE == (int)PROTOCOL_WAITING_SIZE,
              "one is given to the other");

static struct openvpn *inside(struct protocol *p)
{
    return (struct openvpn *)p;
}

static struct client *client_of(struct protocol *p)
{
    return inside(p)->client;
}

static const struct client *client_in(const struct protocol *p)
{
    return ((const struct openvpn *)p)->client;
}

/* --- The world ----------------------------------------------------------- */

static void fill_random(void *context, uint8_t *out, size_t size)
{
    const struct openvpn *o = context;
    o->env.random(o->env.context, out, size);
}

static uint32_t unix_time(void *context)
{
    const struct openvpn *o = context;
    return (uint32_t)(o->env.wall_clock(o->env.context) / 1000000000);
}

/* --- Inputs -------------------------------------------------------------- */

static void start(struct protocol *p, struct instant now)
{
    client_start(client_of(p), now);
}

/* A proxy looks for the server itself, and has a port of its own. */
static bool find(struct openvpn *o)
{
    bool direct = o->server.proxy.kind == PROTOCOL_PROXY_NONE;
    o->at.port = direct ? o->server.port : o->server.proxy.port;
    return client_address(o->client, &o->at.address);
}

static void resolved(struct protocol *p, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why)
{
    struct openvpn *o = inside(p);
    (void)endpoint;
    if (!o->resolving)
        return;
    o->resolving = false;
    client_resolved(o->client, now, addresses, count);
    o->tell_connect = find(o);
    if (!o->tell_connect)
        client_failed(o->client, now,
                      why ? why : "no address of the protocol's family");
}

static void connected(struct protocol *p, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu)
{
    client_connected(client_of(p), now, outer_overhead, outer_mtu);
}

static void path_changed(struct protocol *p, struct instant now,
                         uint16_t outer_overhead, uint16_t outer_mtu)
{
    (void)outer_overhead; /* a server keeps its family */
    client_path_changed(client_of(p), now, outer_mtu);
}

static void failed(struct protocol *p, struct instant now, const char *why)
{
    client_failed(client_of(p), now, why);
}

static void refused(struct protocol *p, struct instant now,
                    enum protocol_refusal what)
{
    if (what == PROTOCOL_REFUSED_PORT)
        client_refused(client_of(p), now);
}

static void expire(struct protocol *p, struct instant now)
{
    client_expire(client_of(p), now);
}

static void reconnect(struct protocol *p, struct instant now)
{
    client_reconnect(client_of(p), now);
}

static void end_pause(struct protocol *p, struct instant now)
{
    client_end_pause(client_of(p), now);
}

static void credentials(struct protocol *p, struct instant now,
                        const char *username, const char *password,
                        const char *response)
{
    client_credentials(client_of(p), now, username, password, response);
}

static void stop(struct protocol *p, struct instant now)
{
    client_stop(client_of(p), now);
}

/* --- Outputs ------------------------------------------------------------- */

/* CONNECT of the client's: the address first. */
static void go_to(struct openvpn *o, const struct config_remote *remote,
                  struct protocol_action *out)
{
    o->remote = remote;
    o->server = client_profile_server(remote);
    o->resolving = !find(o);
    o->tell_aim = o->tell_connect = false;
    out->type =
        o->resolving ? PROTOCOL_ACTION_RESOLVE : PROTOCOL_ACTION_CONNECT;
    out->server = &o->server;
    out->to = o->at;
}

static bool poll_own(struct openvpn *o, struct protocol_action *out)
{
    if (!o->tell_connect && !o->tell_aim)
        return false;
    out->type = o->tell_connect ? PROTOCOL_ACTION_CONNECT : PROTOCOL_ACTION_AIM;
    out->server = &o->server;
    out->to = o->at;
    o->tell_connect = o->tell_aim = false;
    return true;
}

static void translate(struct openvpn *o, const struct client_action *action,
                      struct protocol_action *out)
{
    out->bytes = action->bytes;
    out->tunnel = action->tunnel;
    out->text = action->text;
    switch (action->type) {
    case CLIENT_ACTION_CONNECT:
        go_to(o, action->remote, out);
        break;
    case CLIENT_ACTION_SEND:
        out->type = PROTOCOL_ACTION_SEND;
        break;
    case CLIENT_ACTION_DISCONNECT:
        o->resolving = false;
        out->type = PROTOCOL_ACTION_DISCONNECT;
        break;
    case CLIENT_ACTION_UP:
        out->type = PROTOCOL_ACTION_UP;
        break;
    case CLIENT_ACTION_DOWN:
        out->type = PROTOCOL_ACTION_DOWN;
        break;
    case CLIENT_ACTION_ASK:
        out->type = PROTOCOL_ACTION_ASK;
        break;
    case CLIENT_ACTION_STOPPED:
        out->type = PROTOCOL_ACTION_STOPPED;
        break;
    }
}

static bool next_action(struct protocol *p, struct protocol_action *out)
{
    struct openvpn *o = inside(p);
    struct client_action action;
    *out = (struct protocol_action){0};
    if (poll_own(o, out))
        return true;
    if (!client_poll(o->client, &action))
        return false;
    translate(o, &action, out);
    return true;
}

static struct instant deadline(const struct protocol *p)
{
    return client_deadline(client_in(p));
}

/* --- Packets ------------------------------------------------------------- */

static struct burst_layout layout(const struct protocol *p)
{
    return client_layout(client_in(p));
}

static bool seal(struct protocol *p, struct instant now, struct burst *burst)
{
    return client_seal(client_of(p), now, burst);
}

/* `float': where the server proves to be, it is from now on. */
static void open_burst(struct protocol *p, struct instant now,
                       struct burst *burst)
{
    struct openvpn *o = inside(p);
    client_open(o->client, now, burst);
    if (!o->server.moves || !address_is_set(&burst->source.address) ||
        endpoint_equal(&burst->source, &o->at) || !burst_is_proven(burst))
        return;
    o->at = burst->source;
    o->tell_aim = true;
}

/* --- Status -------------------------------------------------------------- */

static void status(const struct protocol *p, struct protocol_status *out)
{
    struct client_status s;
    client_status(client_in(p), &s);
    *out = (struct protocol_status){
        .state = s.vpn_state,
        .since = s.since,
        .next_try = s.next_try,
        .wanted_try = s.wanted_try,
        .asked_try = s.asked_try,
        .server_name = s.server_name,
        .last_received = s.last_received,
        .last_error = s.last_error,
        .warning = s.certificate,
        .wants_username = s.wants_username,
        .wants_password = s.wants_password,
        .wants_response = s.wants_response,
        .response_shown = s.response_shown,
        .tunnel = s.tunnel,
        .packets_sealed = s.packets_sealed,
        .packets_opened = s.packets_opened,
        .bytes_sealed = s.bytes_sealed,
        .bytes_opened = s.bytes_opened,
        .handshakes = s.negotiations,
        .reconnects = s.reconnects,
        .answers = s.answers,
        .rounds = s.rounds,
        .drops = s.drops,
        .fact_count = 3,
        .facts = {{"cipher", s.cipher},
                  {"crypto_library", s.crypto_library},
                  {"tls", s.tls}},
    };
    if (s.remote)
        out->server = client_profile_server(s.remote);
}

static bool waiting(const struct protocol *p, struct instant now,
                    char out[PROTOCOL_WAITING_SIZE])
{
    return client_waiting(client_in(p), now, out);
}

/* --- Opening and closing ------------------------------------------------- */

static void free_protocol(struct protocol *p)
{
    struct openvpn *o = inside(p);
    if (!o)
        return;
    client_free(o->client);
    client_profile_forget(o->protocol.profile);
    free(o);
}

static struct protocol *make(struct protocol_profile *profile,
                             const struct protocol_env *env,
                             char why[PROTOCOL_WHY_SIZE])
{
    snprintf(why, PROTOCOL_WHY_SIZE, "memory is short");
    struct openvpn *o = calloc(1, sizeof *o);
    if (!o) {
        client_profile_forget(profile);
        return NULL;
    }
    o->protocol.kind = &client_protocol;
    o->protocol.profile = profile;
    o->env = *env;
    const struct client_env client = {o, fill_random, unix_time};
    o->client = client_new(client_profile_config(profile), &client, why);
    if (o->client)
        return &o->protocol;
    free_protocol(&o->protocol);
    return NULL;
}

const struct protocol_kind client_protocol = {
    .name = "OpenVPN",
    .takes_all = "`redirect-gateway def1' in the profile",
    .recognises = client_profile_recognises,
    .read = client_profile_read,
    .verify = client_verify,
    .describe = client_profile_describe,
    .overlay = client_profile_overlay,
    .forget = client_profile_forget,
    .make = make,
    .free = free_protocol,
    .start = start,
    .resolved = resolved,
    .connected = connected,
    .path_changed = path_changed,
    .failed = failed,
    .refused = refused,
    .expire = expire,
    .reconnect = reconnect,
    .way_changed = reconnect,
    .end_pause = end_pause,
    .credentials = credentials,
    .stop = stop,
    .poll = next_action,
    .deadline = deadline,
    .layout = layout,
    .seal = seal,
    .open = open_burst,
    .status = status,
    .waiting = waiting,
};
