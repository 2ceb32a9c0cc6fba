#include "gateway/wireguard/client/wireguard_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/wireguard/client/wireguard_client_state.h"

enum { MTU_AT_FIRST = 1420 };

static struct wireguard_client *of(struct protocol *p)
{
    return (struct wireguard_client *)p;
}

static const struct wireguard_client *in(const struct protocol *p)
{
    return (const struct wireguard_client *)p;
}

struct instant wireguard_client_in(const struct wireguard_client *c,
                                   int64_t seconds)
{
    return instant_after(c->now, duration_seconds(seconds));
}

void wireguard_client_become(struct wireguard_client *c,
                             enum wireguard_client_phase phase,
                             struct instant deadline)
{
    if (c->phase != phase)
        c->since = c->now;
    c->phase = phase;
    c->deadline = deadline;
}

/* --- Inputs -------------------------------------------------------------- */

static void start(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_IDLE)
        wireguard_client_find(c);
}

static void resolved(struct protocol *p, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    wireguard_client_resolved(c, endpoint, addresses, count, why);
}

static void connected(struct protocol *p, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase != WIREGUARD_CLIENT_OPENING)
        return;
    c->outer_overhead = outer_overhead;
    c->outer_mtu = outer_mtu;
    c->tell_up = (wireguard_client_fit_path(c) && c->up) || c->tell_up;
    wireguard_client_begin(c);
}

static void path_changed(struct protocol *p, struct instant now,
                         uint16_t outer_overhead, uint16_t outer_mtu)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    c->outer_overhead = outer_overhead;
    c->outer_mtu = outer_mtu;
    if (wireguard_client_fit_path(c) && c->up)
        c->tell_up = true;
}

static void failed(struct protocol *p, struct instant now, const char *why)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase != WIREGUARD_CLIENT_IDLE &&
        c->phase != WIREGUARD_CLIENT_STOPPED)
        wireguard_client_lose_uplink(c, why);
}

/* A hint: where the tunnel is up it only asks the server at once. */
static void refused(struct protocol *p, struct instant now,
                    enum protocol_refusal what)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    c->refusals++;
    c->refusal = what;
    if (c->up)
        device_connect(c->device, c->main, now, false);
}

static void expire(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_PAUSING &&
        instant_reached(now, c->deadline))
        wireguard_client_find(c);
    wireguard_client_seek(c);
    device_expire(c->device, now);
    wireguard_client_watch(c);
    if (c->up && !c->answered && instant_reached(now, c->probe_at))
        wireguard_client_ask_resolver(c);
}

static void start_anew(struct wireguard_client *c)
{
    if (c->up)
        c->tell_down = true;
    c->up = c->tell_up = c->answered = c->probing = false;
    c->ask = 0;
    c->last_error[0] = 0; /* an order is no reason */
    for (uint16_t i = 0; i < device_peer_count(c->device); i++) {
        c->ways[i].asking = false;
        device_disconnect(c->device, i);
    }
    c->tell_disconnect = true;
    c->uplink_open = c->tell_connect = false;
}

static void reconnect(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_IDLE ||
        c->phase == WIREGUARD_CLIENT_STOPPED)
        return;
    start_anew(c);
    c->reconnects++;
    log_info("wireguard: told to reconnect");
    wireguard_client_find(c);
}

/* The socket is bound to what was, and a name may be another address: all is
 * sought again, and what is up stays up. */
static void way_changed(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_IDLE ||
        c->phase == WIREGUARD_CLIENT_STOPPED)
        return;
    c->uplink_open = false;
    wireguard_client_find(c);
}

static void end_pause(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_PAUSING)
        wireguard_client_find(c);
}

/* WireGuard asks nobody anything. */
static void credentials(struct protocol *p, struct instant now,
                        const char *username, const char *password,
                        const char *response)
{
    (void)p, (void)now, (void)username, (void)password, (void)response;
}

/* There is no word for goodbye. */
static void stop(struct protocol *p, struct instant now)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (c->phase == WIREGUARD_CLIENT_STOPPED)
        return;
    start_anew(c);
    c->tell_down = false; /* STOPPED says it */
    c->tell_stopped = true;
    wireguard_client_become(c, WIREGUARD_CLIENT_STOPPED, INSTANT_NEVER);
}

/* --- Outputs ------------------------------------------------------------- */

static bool take(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

static bool poll_resolve(struct wireguard_client *c,
                         struct protocol_action *out)
{
    if (!c->ask)
        return false;
    unsigned endpoint = (unsigned)__builtin_ctzll(c->ask);
    c->ask &= c->ask - 1;
    *out = (struct protocol_action){
        .type = PROTOCOL_ACTION_RESOLVE,
        .endpoint = (uint8_t)endpoint,
        .server = peer_way_server(&c->ways[endpoint]),
    };
    return true;
}

static bool poll_send(struct wireguard_client *c, struct protocol_action *out)
{
    struct device_send send;
    while (device_poll(c->device, c->now, &send)) {
        /* A datagram that has no uplink is lost, and strangers have no
         * endpoint. */
        if (!c->uplink_open || send.peer == ALLOWED_IPS_NOBODY) {
            device_count_lost(c->device, DROP_UPLINK_NOWHERE);
            continue;
        }
        *out = (struct protocol_action){
            .type = PROTOCOL_ACTION_SEND,
            .endpoint = (uint8_t)send.peer,
            .tos = send.tos,
            .bytes = send.bytes,
        };
        return true;
    }
    return false;
}

static bool poll_way(struct wireguard_client *c, struct protocol_action *out)
{
    if (take(&c->tell_disconnect)) {
        *out = (struct protocol_action){.type = PROTOCOL_ACTION_DISCONNECT};
        return true;
    }
    if (poll_resolve(c, out))
        return true;
    if (!take(&c->tell_connect))
        return c->uplink_open && wireguard_client_aim(c, out);
    *out = (struct protocol_action){
        .type = PROTOCOL_ACTION_CONNECT,
        .endpoint = (uint8_t)c->main,
        .server = peer_way_server(&c->ways[c->main]),
        .to = wireguard_client_main(c)->endpoint,
    };
    c->uplink_open = false;
    return true;
}

static bool poll(struct protocol *p, struct protocol_action *out)
{
    struct wireguard_client *c = of(p);
    if (take(&c->tell_down)) {
        *out = (struct protocol_action){
            .type = PROTOCOL_ACTION_DOWN,
            .text = c->last_error[0] ? c->last_error : NULL,
        };
        return true;
    }
    if (poll_way(c, out))
        return true;
    if (take(&c->tell_up)) {
        *out = (struct protocol_action){.type = PROTOCOL_ACTION_UP,
                                        .tunnel = &c->tunnel};
        return true;
    }
    if (poll_send(c, out))
        return true;
    if (!take(&c->tell_stopped))
        return false;
    *out = (struct protocol_action){.type = PROTOCOL_ACTION_STOPPED};
    return true;
}

static struct instant deadline(const struct protocol *p)
{
    const struct wireguard_client *c = in(p);
    if (c->ask || c->tell_connect || c->tell_disconnect || c->tell_up ||
        c->tell_down || c->tell_stopped)
        return (struct instant){0};
    struct instant earliest =
        instant_earlier(c->deadline, device_deadline(c->device));
    return c->up && !c->answered ? instant_earlier(earliest, c->probe_at)
                                 : earliest;
}

/* --- Packets ------------------------------------------------------------- */

static struct burst_layout layout(const struct protocol *p)
{
    return device_layout(in(p)->device);
}

static bool seal(struct protocol *p, struct instant now, struct burst *burst)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    if (!c->up)
        return false;
    device_seal(c->device, now, burst);
    return true;
}

static void open(struct protocol *p, struct instant now, struct burst *burst)
{
    struct wireguard_client *c = of(p);
    c->now = now;
    device_open(c->device, now, burst);
    wireguard_client_take_answer(c, burst);
    wireguard_client_watch(c);
}

/* --- Opening and closing ------------------------------------------------- */

static bool add_peers(struct wireguard_client *c)
{
    const struct wireguard_profile *p = c->profile;
    for (uint16_t i = 0; i < p->peer_count; i++) {
        const struct wireguard_profile_peer *peer = &p->peers[i];
        if (device_add_peer(c->device, peer->public_key,
                            peer->has_preshared ? peer->preshared : NULL,
                            peer->keepalive) != i)
            return false;
    }
    for (uint16_t i = 0; i < p->network_count; i++)
        if (!device_allow(c->device, p->networks[i].peer,
                          &p->networks[i].prefix))
            return false;
    return true;
}

static bool make_device(struct wireguard_client *c, char *why)
{
    struct device_options options = {
        .private_key = c->profile->private_key,
        .peers_max = c->profile->peer_count,
        .mtu = c->profile->mtu ? c->profile->mtu : MTU_AT_FIRST,
    };
    struct device_env env = {c->env.context, c->env.random, c->env.wall_clock,
                             c->env.latest_stamp};
    c->device = device_new(&options, &env);
    if (!c->device)
        return false;
    if (add_peers(c))
        return true;
    snprintf(why, PROTOCOL_WHY_SIZE,
             "a PublicKey of the profile is nobody's: no key gives it");
    return false;
}

static void free_client(struct protocol *p)
{
    struct wireguard_client *c = of(p);
    if (!c)
        return;
    device_free(c->device);
    wireguard_profile_forget(c->protocol.profile);
    secret_wipe(c, sizeof *c);
    free(c);
}

static struct protocol *make(struct protocol_profile *profile,
                             const struct protocol_env *env,
                             char why[PROTOCOL_WHY_SIZE])
{
    snprintf(why, PROTOCOL_WHY_SIZE, "memory is short");
    struct wireguard_client *c = calloc(1, sizeof *c);
    if (!c) {
        wireguard_profile_forget(profile);
        return NULL;
    }
    c->protocol =
        (struct protocol){.kind = &wireguard_client_kind, .profile = profile};
    c->profile = (const struct wireguard_profile *)profile;
    c->env = *env;
    c->main = c->profile->main;
    c->deadline = c->probe_at = c->heard = INSTANT_NEVER;
    if (!make_device(c, why)) {
        log_error("wireguard: %s", why);
        free_client(&c->protocol);
        return NULL;
    }
    wireguard_client_ways_init(c);
    wireguard_client_make_tunnel(c);
    return &c->protocol;
}

static struct protocol_profile *read_profile(struct bytes text,
                                             const char *path,
                                             const struct protocol_reader *r,
                                             bool *usable)
{
    struct protocol_profile *p = wireguard_profile_read(text, path, r, usable);
    if (p)
        p->kind = &wireguard_client_kind;
    return p;
}

/* Its keys were checked when it was read, and nothing in it has a date. */
static bool verify(const struct protocol_profile *profile, int64_t unix_time,
                   const struct protocol_env *env,
                   const struct protocol_reader *reader)
{
    (void)profile, (void)unix_time, (void)env, (void)reader;
    return true;
}

const struct protocol_kind wireguard_client_kind = {
    .name = "WireGuard",
    .recognises = wireguard_profile_recognises,
    .read = read_profile,
    .verify = verify,
    .describe = wireguard_profile_describe,
    .overlay = wireguard_profile_overlay,
    .forget = wireguard_profile_forget,
    .make = make,
    .free = free_client,
    .start = start,
    .resolved = resolved,
    .connected = connected,
    .path_changed = path_changed,
    .failed = failed,
    .refused = refused,
    .expire = expire,
    .reconnect = reconnect,
    .way_changed = way_changed,
    .end_pause = end_pause,
    .credentials = credentials,
    .stop = stop,
    .poll = poll,
    .deadline = deadline,
    .layout = layout,
    .seal = seal,
    .open = open,
    .status = wireguard_client_status,
    .waiting = wireguard_client_waiting,
};
