#include <stdio.h>

#include "gateway/wireguard/client/wireguard_client_state.h"
#include "gateway/wireguard/profile/conf_key.h"

enum { WORTH_TELLING = 2 /* s */ };

/* 2026-01-01: no clock that is right says less. */
#define CLOCK_LEAST (INT64_C(1767225600) * 1000000000)

const char *wireguard_client_place(const struct wireguard_client *c,
                                   char out[WIREGUARD_CLIENT_PLACE_SIZE])
{
    const struct protocol_server *s = peer_way_server(&c->ways[c->main]);
    bool ipv6 = strchr(s->host, ':') != NULL;
    snprintf(out, WIREGUARD_CLIENT_PLACE_SIZE, "%s%.128s%s:%u/udp",
             ipv6 ? "[" : "", s->host, ipv6 ? "]" : "", s->port);
    return out;
}

static enum vpn_state state_of(const struct wireguard_client *c)
{
    switch (c->phase) {
    case WIREGUARD_CLIENT_IDLE:
    case WIREGUARD_CLIENT_FINDING:
    case WIREGUARD_CLIENT_SHAKING:
        return VPN_STATE_CONNECTING;
    case WIREGUARD_CLIENT_OPENING: /* up, another uplink is opened */
    case WIREGUARD_CLIENT_UP:
        return c->up && c->answered ? VPN_STATE_CONNECTED
                                    : VPN_STATE_CONNECTING;
    case WIREGUARD_CLIENT_PAUSING:
        return VPN_STATE_WAITING_TO_RETRY;
    case WIREGUARD_CLIENT_STOPPED:
        break;
    }
    return VPN_STATE_STOPPED;
}

static void add_fact(struct protocol_status *out, const char *name,
                     const char *value)
{
    out->facts[out->fact_count++] = (struct protocol_fact){name, value};
}

static void tell_age(char out[WIREGUARD_CLIENT_FACT_SIZE], struct instant now,
                     struct instant then)
{
    if (instant_is_never(then))
        snprintf(out, WIREGUARD_CLIENT_FACT_SIZE, "none yet");
    else
        snprintf(out, WIREGUARD_CLIENT_FACT_SIZE, "%lld s ago",
                 (long long)(instant_since(now, then).us / 1000000));
}

static void tell_facts(struct wireguard_client *c, struct protocol_status *out)
{
    const struct peer *p = wireguard_client_main(c);
    conf_key_write(p->identity.public_key, c->facts[0]);
    endpoint_format(&p->endpoint, c->facts[1]);
    tell_age(c->facts[2], c->now, p->handshake);
    tell_age(c->facts[3], c->now, p->heard);
    add_fact(out, "server_key", c->facts[0]);
    add_fact(out, "endpoint",
             address_is_set(&p->endpoint.address) ? c->facts[1] : "none yet");
    add_fact(out, "last_handshake", c->facts[2]);
    add_fact(out, "last_heard", c->facts[3]);
    add_fact(out, "cipher", "ChaCha20-Poly1305");
}

/* The sums over all peers. */
static void add_traffic(const struct wireguard_client *c,
                        struct protocol_status *out)
{
    for (uint16_t i = 0; i < device_peer_count(c->device); i++) {
        const struct peer *p = device_peer(c->device, i);
        out->packets_sealed += p->packets_sealed;
        out->packets_opened += p->packets_opened;
        out->bytes_sealed += p->bytes_sealed;
        out->bytes_opened += p->bytes_opened;
        out->handshakes += p->handshakes;
    }
}

/* From any of the peers. */
static struct instant last_received(const struct wireguard_client *c)
{
    struct instant last = INSTANT_NEVER;
    for (uint16_t i = 0; i < device_peer_count(c->device); i++) {
        struct instant heard = device_peer(c->device, i)->heard;
        if (instant_is_never(last) ||
            (!instant_is_never(heard) && heard.us > last.us))
            last = heard;
    }
    return last;
}

void wireguard_client_status(const struct protocol *protocol,
                             struct protocol_status *out)
{
    /* The text of facts is kept where it lives until the next call. */
    struct wireguard_client *c = (struct wireguard_client *)(uintptr_t)protocol;
    const struct peer_way *w = &c->ways[c->main];
    bool pausing = c->phase == WIREGUARD_CLIENT_PAUSING;
    *out = (struct protocol_status){
        .state = state_of(c),
        .since = c->since,
        .next_try = pausing ? c->deadline : INSTANT_NEVER,
        .wanted_try = pausing ? c->now : INSTANT_NEVER,
        .asked_try = INSTANT_NEVER,
        .last_received = c->up ? last_received(c) : INSTANT_NEVER,
        .server = *peer_way_server(w),
        .last_error = c->last_error[0] ? c->last_error : NULL,
        .tunnel = c->up ? &c->tunnel : NULL,
        .reconnects = c->reconnects,
        .answers = c->answers,
        .rounds = w->rounds,
        .drops = device_drops(c->device),
    };
    add_traffic(c, out);
    tell_facts(c, out);
}

/* --- What is waited for -------------------------------------------------- */

static const char *refusal_text(enum protocol_refusal refusal)
{
    switch (refusal) {
    case PROTOCOL_REFUSED_PORT:
        return "ICMP says that nobody listens there: the server does not run, "
               "or its port is another";
    case PROTOCOL_REFUSED_UNREACHABLE:
        return "ICMP says that there is no way to it: the server is down, or "
               "its address is another";
    case PROTOCOL_REFUSED_PROHIBITED:
        return "ICMP says that a firewall on the way does not let it pass";
    case PROTOCOL_REFUSED_NO_ROUTE:
        return "this machine has no way there: has it a network?";
    case PROTOCOL_REFUSED_DENIED:
        break;
    }
    return "a firewall of this machine does not let it pass";
}

/* A server ignores an initiation whose timestamp is not the greatest that it
 * has seen, so a clock that is behind looks like a dead server. */
static const char *clock_hint(const struct wireguard_client *c)
{
    int64_t wall = c->env.wall_clock(c->env.context);
    if (wall < CLOCK_LEAST)
        return "the clock of this machine is wrong, and a server ignores "
               "a client whose clock went back; or ";
    if (*c->env.latest_stamp > wall + 1000000000)
        return "the clock of this machine was set back, and a server ignores "
               "a client whose clock went back; or ";
    return "";
}

static void say_silence(const struct wireguard_client *c, long long seconds,
                        char out[PROTOCOL_WAITING_SIZE])
{
    const struct peer *p = wireguard_client_main(c);
    char place[WIREGUARD_CLIENT_PLACE_SIZE];
    (void)wireguard_client_place(c, place);
    if (p->preshared_differs)
        snprintf(out, PROTOCOL_WAITING_SIZE,
                 "%s answers, but its preshared key is another: PresharedKey "
                 "in the profile is wrong, or missing",
                 place);
    else if (p->busy)
        snprintf(out, PROTOCOL_WAITING_SIZE,
                 "%s is busy, and asked us to try again (%lld s)", place,
                 seconds);
    else if (c->refusals)
        snprintf(out, PROTOCOL_WAITING_SIZE, "no answer from %s (%lld s): %s",
                 place, seconds, refusal_text(c->refusal));
    else
        snprintf(
            out, PROTOCOL_WAITING_SIZE,
            "no answer yet from %s (%lld s): %sthe server does not know "
            "our key (deleted, expired, or wrong in the profile), does not "
            "run, or a firewall blocks the port: it would not say which",
            place, seconds, clock_hint(c));
}

bool wireguard_client_waiting(const struct protocol *protocol,
                              struct instant now,
                              char out[PROTOCOL_WAITING_SIZE])
{
    const struct wireguard_client *c =
        (const struct wireguard_client *)protocol;
    char place[WIREGUARD_CLIENT_PLACE_SIZE];
    long long seconds = instant_since(now, c->since).us / 1000000;
    if (seconds < WORTH_TELLING)
        return false;
    switch (c->phase) {
    case WIREGUARD_CLIENT_SHAKING:
        say_silence(c, seconds, out);
        return true;
    case WIREGUARD_CLIENT_UP:
        if (c->answered)
            break;
        snprintf(out, PROTOCOL_WAITING_SIZE,
                 "hands are shaken with %s, but nothing has come back (%lld "
                 "s): is Address in the profile the one that the server gave, "
                 "is the account paid, does the resolver answer?",
                 wireguard_client_place(c, place), seconds);
        return true;
    case WIREGUARD_CLIENT_IDLE:
    case WIREGUARD_CLIENT_FINDING:
    case WIREGUARD_CLIENT_OPENING:
    case WIREGUARD_CLIENT_PAUSING:
    case WIREGUARD_CLIENT_STOPPED:
        break;
    }
    return false;
}
