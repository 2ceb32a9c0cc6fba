#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/wireguard/client/wireguard_client_state.h"

/* The others have one server each, out of the profile. */
static void init_other(struct wireguard_client *c, uint16_t i)
{
    const struct wireguard_profile_peer *peer = &c->profile->peers[i];
    c->servers[i] = (struct protocol_server){
        .host = peer->host,
        .port = peer->port,
        .transport = PROTOCOL_UDP,
        .moves = true,
    };
    peer_way_init(&c->ways[i], &c->servers[i], peer->host[0] ? 1 : 0);
}

void wireguard_client_ways_init(struct wireguard_client *c)
{
    const struct protocol_profile *p = &c->profile->profile;
    for (uint16_t i = 0; i < c->profile->peer_count; i++)
        if (i == c->main)
            peer_way_init(&c->ways[i], p->servers, p->server_count);
        else
            init_other(c, i);
}

static void ask(struct wireguard_client *c, unsigned endpoint)
{
    c->ways[endpoint].asking = true;
    c->ask |= (uint64_t)1 << endpoint;
}

/* The address in turn is where the peer is sent to. */
static void set_place(struct wireguard_client *c, uint16_t i)
{
    struct endpoint place;
    if (!peer_way_place(&c->ways[i], &place))
        return;
    device_set_endpoint(c->device, i, &place);
    peer_way_count_from(&c->ways[i], device_peer(c->device, i)->initiations);
}

static bool same_family(const struct wireguard_client *c)
{
    return c->aimed[c->main].address.family ==
           wireguard_client_main(c)->endpoint.address.family;
}

/* An uplink is of one family: another address may need another. */
static void open_uplink(struct wireguard_client *c)
{
    set_place(c, c->main);
    c->tell_connect = true;
    wireguard_client_become(c, WIREGUARD_CLIENT_OPENING, INSTANT_NEVER);
}

static void find_main(struct wireguard_client *c)
{
    wireguard_client_become(c, WIREGUARD_CLIENT_FINDING, INSTANT_NEVER);
    if (peer_way_begin(&c->ways[c->main]))
        open_uplink(c);
    else
        ask(c, c->main);
}

void wireguard_client_find(struct wireguard_client *c)
{
    for (uint16_t i = 0; i < c->profile->peer_count; i++)
        if (i != c->main && c->ways[i].server_count) {
            if (peer_way_begin(&c->ways[i]))
                set_place(c, i);
            else
                ask(c, i);
        }
    find_main(c);
}

/* The main peer's address in turn is another than before. */
static void turn_to_next(struct wireguard_client *c)
{
    set_place(c, c->main);
    if (c->uplink_open && same_family(c)) {
        device_connect(c->device, c->main, c->now, true);
        return;
    }
    c->tell_connect = true;
    wireguard_client_become(c, WIREGUARD_CLIENT_OPENING, INSTANT_NEVER);
}

/* Each pause is longer than the one before. */
static void pause_for(struct wireguard_client *c, const char *why)
{
    if (strcmp(c->last_error, why) != 0)
        log_warn("wireguard: %s", why);
    snprintf(c->last_error, sizeof c->last_error, "%s", why);
    c->reconnects++;
    c->pause = c->pause ? 2 * c->pause : WIREGUARD_CLIENT_PAUSE;
    if (c->pause > WIREGUARD_CLIENT_PAUSE_MOST)
        c->pause = WIREGUARD_CLIENT_PAUSE_MOST;
    wireguard_client_become(c, WIREGUARD_CLIENT_PAUSING,
                            wireguard_client_in(c, c->pause));
}

static void main_not_found(struct wireguard_client *c, const char *why)
{
    char text[WIREGUARD_CLIENT_ERROR_SIZE];
    struct peer_way *w = &c->ways[c->main];
    snprintf(text, sizeof text, "%s: %s", peer_way_server(w)->host,
             why ? why : "no address");
    /* The way that there was is still one. */
    if (c->phase == WIREGUARD_CLIENT_FINDING) {
        (void)!peer_way_next(w);
        w->address_count = 0;
        pause_for(c, text);
    }
}

void wireguard_client_resolved(struct wireguard_client *c, unsigned endpoint,
                               const struct address *addresses, size_t count,
                               const char *why)
{
    struct peer_way *w = &c->ways[endpoint];
    if (endpoint >= c->profile->peer_count || !w->asking)
        return;
    if (count == 0) {
        w->asking = false;
        if (endpoint == c->main)
            main_not_found(c, why);
        return;
    }
    peer_way_resolved(w, addresses, count);
    if (endpoint != c->main)
        set_place(c, (uint16_t)endpoint);
    else if (c->phase == WIREGUARD_CLIENT_FINDING)
        open_uplink(c);
    else
        turn_to_next(c);
}

void wireguard_client_begin(struct wireguard_client *c)
{
    c->uplink_open = true;
    c->aimed[c->main] = wireguard_client_main(c)->endpoint;
    wireguard_client_become(
        c, c->up ? WIREGUARD_CLIENT_UP : WIREGUARD_CLIENT_SHAKING,
        INSTANT_NEVER);
    device_connect(c->device, c->main, c->now, true);
}

void wireguard_client_lose_uplink(struct wireguard_client *c, const char *why)
{
    char place[WIREGUARD_CLIENT_PLACE_SIZE], text[WIREGUARD_CLIENT_ERROR_SIZE];
    snprintf(text, sizeof text, "%s: %s", wireguard_client_place(c, place),
             why);
    if (c->up)
        wireguard_client_go_down(c, "%s", text);
    c->uplink_open = false;
    c->tell_disconnect = true;
    c->tell_connect = false;
    /* Another address may have a way. */
    (void)!peer_way_next(&c->ways[c->main]);
    pause_for(c, text);
}

/* An answer counts the tries anew. */
static void seek(struct wireguard_client *c, uint16_t i)
{
    const struct peer *peer = device_peer(c->device, i);
    struct peer_way *w = &c->ways[i];
    bool due = instant_reached(c->now, peer->timers.at[PEER_TIMER_HANDSHAKE]);
    if (w->server_count == 0 || w->asking || !due ||
        !peer_way_tried(w, peer->initiations))
        return;
    peer_way_count_from(w, peer->initiations);
    if (!peer_way_next(w))
        ask(c, i);
    else if (i == c->main)
        turn_to_next(c);
    else
        set_place(c, i);
}

void wireguard_client_seek(struct wireguard_client *c)
{
    if (!c->uplink_open)
        return;
    for (uint16_t i = 0; i < c->profile->peer_count; i++)
        seek(c, i);
}

bool wireguard_client_aim(struct wireguard_client *c,
                          struct protocol_action *out)
{
    for (uint16_t i = 0; i < c->profile->peer_count; i++) {
        const struct endpoint *place = &device_peer(c->device, i)->endpoint;
        if (endpoint_equal(place, &c->aimed[i]))
            continue;
        c->aimed[i] = *place;
        *out = (struct protocol_action){
            .type = PROTOCOL_ACTION_AIM,
            .endpoint = (uint8_t)i,
            .to = *place,
        };
        return true;
    }
    return false;
}
