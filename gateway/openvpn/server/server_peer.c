#include "gateway/openvpn/server/server_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/session/peer_info.h"

enum { PUT_OFF_SECONDS = 5 }; /* or up to twice as long */

/* --- Beginning and end --------------------------------------------------- */

const char *server_peer_who(const struct server_peer *p,
                            char out[SERVER_WHO_SIZE])
{
    char quoted[LOG_QUOTE_SIZE], text[ENDPOINT_TEXT_SIZE];
    const char *name = p->common_name[0] ? p->common_name : p->username;
    endpoint_format(&p->entry.path.remote, text);
    if (name[0])
        snprintf(out, SERVER_WHO_SIZE, "%s (%s)",
                 log_quote(quoted, bytes_of_text(name)), text);
    else
        snprintf(out, SERVER_WHO_SIZE, "%s", text);
    return out;
}

void server_peer_become(struct server *s, struct server_peer *p,
                        enum server_peer_state state, struct instant deadline)
{
    s->negotiating -= p->state == SERVER_PEER_NEGOTIATING;
    s->up -= p->state == SERVER_PEER_UP;
    p->state = state;
    p->since = s->now;
    p->deadline = deadline;
    s->negotiating += state == SERVER_PEER_NEGOTIATING;
    s->up += state == SERVER_PEER_UP;
}

/* So that not all clients want new keys at once (openvpn: options.c). */
static struct duration renegotiation(struct server *s)
{
    uint32_t seconds = s->config->common.reneg_seconds, random;
    s->env.random(s->env.context, (uint8_t *)&random, sizeof random);
    return duration_seconds(seconds -
                            (seconds >= 10 ? random % (seconds / 10) : 0));
}

static bool open_session(struct server *s, struct server_peer *p)
{
    const struct config *c = &s->config->common;
    const struct config_remote *remote = server_config_remote(s->config);
    struct session_options options = {
        .role = OPENVPN_SERVER,
        .tls = &s->tls,
        .env = {s->env.context, s->env.random, s->env.unix_time},
        .tls_timeout = duration_seconds(c->tls_timeout),
        .hand_window = duration_seconds(c->hand_window),
        .tran_window = duration_seconds(c->tran_window),
        .renegotiate_after = renegotiation(s),
        .renegotiate_bytes = c->reneg_bytes,
        .renegotiate_packets = c->reneg_packets,
        .max_packet_size = c->max_packet_size,
        .replay_packets = c->replay_packets,
        .replay_seconds = c->replay_seconds,
        .wrap_key = remote->wrap == CONFIG_WRAP_NONE ? NULL : &p->wrap_key,
    };
    if (!server_state_wrap(s, &p->wrap_key, &p->session.wrap))
        return false;
    /* The answer that kept no state had the first number. */
    p->session.wrap.send_id = 1;
    if (session_init(&p->session, &options, s->now))
        return true;
    session_clear(&p->session);
    return false;
}

/* connect-freq: so many sessions in so many seconds. */
static bool may_begin(struct server *s)
{
    struct duration length = duration_seconds(s->config->logins_seconds);
    if (s->config->logins == 0)
        return true;
    if (instant_reached(s->now, instant_after(s->begun_since, length))) {
        s->begun_since = s->now;
        s->begun = 0;
    }
    return s->begun++ < s->config->logins;
}

struct server_peer *
server_peer_new(struct server *s, const struct server_path *from,
                const struct session_id *own, const struct session_id *theirs,
                const struct static_key *key, enum drop *drop)
{
    *drop = DROP_SERVER_FULL;
    if (s->negotiating >= s->negotiating_max ||
        s->table.count == s->table.capacity)
        return NULL;
    if (!may_begin(s)) {
        *drop = DROP_SERVER_RATE;
        return NULL;
    }
    struct server_peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->wrap_key = *key;
    if (!open_session(s, p)) {
        secret_wipe(p, sizeof *p);
        free(p);
        return NULL;
    }
    if (own)
        session_adopt(&p->session, own, theirs);
    else
        session_start(&p->session, s->now);
    p->client = ++s->clients;
    p->entry.path = *from;
    p->entry.session = *theirs;
    p->state = SERVER_PEER_GONE; /* not counted yet */
    bool added = server_table_add(&s->table, &p->entry, s->now);
    if (!added) {
        session_clear(&p->session);
        free(p);
        return NULL;
    }
    server_peer_become(
        s, p, SERVER_PEER_NEGOTIATING,
        instant_after(s->now, duration_seconds(s->config->common.hand_window)));
    return p;
}

struct server_peer *server_peer_up_at(const struct server *s,
                                      const struct server_path *path)
{
    struct server_entry *e = server_table_at_path(&s->table, path, NULL);
    while (e && server_peer_of(e)->state != SERVER_PEER_UP)
        e = server_table_at_path(&s->table, path, e);
    return e ? server_peer_of(e) : NULL;
}

static void give_addresses_back(struct server *s, struct server_peer *p)
{
    server_routes_remove(&s->routes, &p->routes);
    if (p->has_number)
        server_pool_give(&s->pool, p->number);
    p->has_number = false;
    p->ipv4 = p->ipv6 = (struct prefix){0};
}

void server_peer_free(struct server *s, struct server_peer *p)
{
    server_peer_become(s, p, SERVER_PEER_GONE, INSTANT_NEVER);
    give_addresses_back(s, p);
    server_table_remove(&s->table, &p->entry);
    session_clear(&p->session);
    secret_wipe(p, sizeof *p);
    free(p);
}

void server_peer_gone(struct server *s, struct server_peer *p)
{
    server_peer_become(s, p, SERVER_PEER_GONE, s->now);
    give_addresses_back(s, p);
    server_table_queue(&s->table, &p->entry);
}

void server_peer_cut_off(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE];
    if (p->state == SERVER_PEER_GONE)
        return;
    log_info("server: %s closed its connection", server_peer_who(p, name));
    server_peer_gone(s, p);
}

void server_peer_leave(struct server *s, struct server_peer *p,
                       const char *text)
{
    if (p->state == SERVER_PEER_LEAVING || p->state == SERVER_PEER_GONE)
        return;
    if (!text || !session_send(&p->session, s->now, text)) {
        server_peer_gone(s, p);
        return;
    }
    give_addresses_back(s, p);
    server_peer_become(
        s, p, SERVER_PEER_LEAVING,
        instant_after(s->now,
                      duration_seconds(s->stopping ? SERVER_STOPPING_SECONDS
                                                   : SERVER_LEAVING_SECONDS)));
    server_table_queue(&s->table, &p->entry);
    server_table_wake(&s->table, &p->entry, server_peer_deadline(p));
}

void server_peer_refuse(struct server *s, struct server_peer *p,
                        const char *text, const char *why)
{
    char name[SERVER_WHO_SIZE];
    log_info("server: %s is refused: %s", server_peer_who(p, name), why);
    server_peer_leave(s, p, text);
}

/* Not all of them at the same moment. Old clients take a refusal for the last
 * word, but come again where the server starts anew. */
void server_peer_put_off(struct server *s, struct server_peer *p,
                         const char *why)
{
    char text[128];
    uint32_t random;
    s->env.random(s->env.context, (uint8_t *)&random, sizeof random);
    snprintf(text, sizeof text, "AUTH_FAILED,TEMP[backoff %u]:%s",
             PUT_OFF_SECONDS + random % PUT_OFF_SECONDS, why);
    s->put_off++;
    server_peer_refuse(
        s, p, p->protocol & PEER_INFO_AUTH_FAILED_TEMPORARY ? text : "RESTART",
        why);
}

/* --- Time ---------------------------------------------------------------- */

struct instant server_peer_deadline(const struct server_peer *p)
{
    if (p->state == SERVER_PEER_GONE)
        return INSTANT_NEVER; /* it goes with the next transmission */
    struct instant t =
        instant_earlier(p->deadline, session_deadline(&p->session));
    if (p->state == SERVER_PEER_UP && !p->ping_due)
        t = instant_earlier(t, keepalive_deadline(&p->session.keepalive));
    if (p->state == SERVER_PEER_UP)
        t = instant_earlier(t, instant_earlier(p->token_due, p->idle_due));
    return t;
}

void server_peer_watch_idling(struct server *s, struct server_peer *p)
{
    uint32_t seconds = s->config->common.inactive;
    p->idle_bytes = p->bytes_in + p->bytes_out;
    p->idle_due = seconds ? instant_after(s->now, duration_seconds(seconds))
                          : INSTANT_NEVER;
}
