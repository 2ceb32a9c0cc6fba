#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/wireguard/client/wireguard_client_state.h"

enum { MTU_UNKNOWN_PATH = 1420, MTU_LEAST = 576 };

/* --- What the profile grants --------------------------------------------- */

static bool is_default(const struct prefix *p)
{
    return p->bits <= 1;
}

void wireguard_client_make_tunnel(struct wireguard_client *c)
{
    const struct wireguard_profile *p = c->profile;
    struct tunnel *t = &c->tunnel;
    *t = (struct tunnel){
        .ipv4 = p->ipv4,
        .ipv6 = p->ipv6,
        .redirect_ipv4 = wireguard_profile_takes_all(p, ADDRESS_IPV4),
        .redirect_ipv6 = wireguard_profile_takes_all(p, ADDRESS_IPV6),
        .resolver_count = p->resolver_count,
    };
    memcpy(t->resolvers, p->resolvers, sizeof t->resolvers);
    for (uint16_t i = 0; i < p->network_count; i++) {
        const struct prefix *network = &p->networks[i].prefix;
        bool redirected = network->address.family == ADDRESS_IPV4
                              ? t->redirect_ipv4
                              : t->redirect_ipv6;
        if (!(redirected && is_default(network)))
            t->routes[t->route_count++].prefix = *network;
    }
    (void)wireguard_client_fit_path(c);
}

/* The inner packet that one outer packet carries, padding and all. */
static uint16_t path_mtu(const struct wireguard_client *c)
{
    int size = (int)c->outer_mtu - c->outer_overhead - WIRE_DATA_OVERHEAD;
    if (c->outer_mtu == 0)
        return MTU_UNKNOWN_PATH;
    return size < MTU_LEAST ? MTU_LEAST : (uint16_t)size;
}

bool wireguard_client_fit_path(struct wireguard_client *c)
{
    struct tunnel *t = &c->tunnel;
    uint16_t path = path_mtu(c), before_mtu = t->mtu, before_path = t->path_mtu;
    t->mtu = c->profile->mtu ? c->profile->mtu : path;
    t->path_mtu = c->outer_mtu ? path : 0;
    t->mss_mtu = tunnel_mtu(t, ADDRESS_IPV4);
    device_set_mtu(c->device, t->mtu);
    return t->mtu != before_mtu || t->path_mtu != before_path;
}

/* --- The question of our own --------------------------------------------- */

static bool choose_resolver(struct wireguard_client *c)
{
    uint8_t random[4];
    const struct wireguard_profile *p = c->profile;
    for (uint16_t i = 0; i < p->resolver_count; i++) {
        const struct address *resolver = &p->resolvers[i];
        const struct prefix *own =
            resolver->family == ADDRESS_IPV4 ? &p->ipv4 : &p->ipv6;
        if (!own->address.family || !wireguard_profile_takes(p, resolver))
            continue;
        c->env.random(c->env.context, random, sizeof random);
        tunnel_probe_init(&c->probe, &own->address, resolver, random);
        return true;
    }
    return false;
}

void wireguard_client_ask_resolver(struct wireguard_client *c)
{
    uint8_t packet[TUNNEL_PROBE_SIZE_MAX];
    size_t size = tunnel_probe_write(&c->probe, packet);
    (void)device_put(c->device, c->now, bytes_of(packet, size));
    c->probe_at = wireguard_client_in(c, WIREGUARD_CLIENT_PROBE_EVERY);
}

void wireguard_client_take_answer(struct wireguard_client *c,
                                  struct burst *burst)
{
    for (uint16_t i = 0; c->probing && i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        struct bytes inner = bytes_of(d->data + d->inner_offset, d->inner_size);
        if (d->drop != DROP_NONE || d->inner_size == 0 ||
            !tunnel_probe_answered(&c->probe, inner))
            continue;
        d->inner_size = 0;
        c->probing = false;
    }
}

/* --- Up and down --------------------------------------------------------- */

static void come_up(struct wireguard_client *c)
{
    char place[WIREGUARD_CLIENT_PLACE_SIZE];
    c->up = c->tell_up = true;
    c->answers++;
    c->probing = choose_resolver(c);
    /* Without anybody to ask the response has to be enough. */
    c->answered = !c->probing;
    c->probe_at = INSTANT_NEVER;
    c->last_error[0] = 0;
    c->pause = 0;
    wireguard_client_become(c, WIREGUARD_CLIENT_UP, INSTANT_NEVER);
    log_info("wireguard: hands are shaken with %s",
             wireguard_client_place(c, place));
    if (c->probing)
        wireguard_client_ask_resolver(c);
}

void wireguard_client_go_down(struct wireguard_client *c, const char *format,
                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->last_error, sizeof c->last_error, format, arguments);
    va_end(arguments);
    c->up = c->tell_up = c->answered = c->probing = false;
    c->probe_at = INSTANT_NEVER;
    c->tell_down = true;
    c->reconnects++;
    log_warn("wireguard: %s", c->last_error);
    wireguard_client_become(c, WIREGUARD_CLIENT_SHAKING, INSTANT_NEVER);
}

/* Data had no answer for 15 s, nor had an initiation for 5 s after that; or
 * keys expired, and three initiations had none. */
static bool is_lost(const struct wireguard_client *c)
{
    const struct peer *p = wireguard_client_main(c);
    uint64_t unanswered = p->initiations - c->heard_initiations;
    return p->silent ? unanswered > 1
                     : !keypair_fresh(p->current, c->now) &&
                           unanswered > PEER_WAY_TRIES;
}

static void see_answers(struct wireguard_client *c, const struct peer *p)
{
    if (p->heard.us != c->heard.us) {
        c->heard = p->heard;
        c->refusals = 0;
        c->heard_initiations = p->initiations;
        peer_way_count_from(&c->ways[c->main], p->initiations);
    }
    if (!c->up || c->answered || instant_is_never(p->data) ||
        instant_before(p->data, c->since))
        return;
    c->answered = true;
    c->probe_at = INSTANT_NEVER;
    c->since = c->now;
    log_info("wireguard: connected");
}

void wireguard_client_watch(struct wireguard_client *c)
{
    const struct peer *p = wireguard_client_main(c);
    char place[WIREGUARD_CLIENT_PLACE_SIZE];
    if (!c->uplink_open)
        return;
    if (p->handshakes != c->handshakes) {
        c->handshakes = p->handshakes;
        if (!c->up)
            come_up(c);
    }
    see_answers(c, p);
    if (c->up && is_lost(c))
        wireguard_client_go_down(c,
                                 "%s has not answered for 15 s: trying again",
                                 wireguard_client_place(c, place));
    if (p->gave_up)
        device_connect(c->device, c->main, c->now, false);
}
