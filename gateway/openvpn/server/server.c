#include "gateway/openvpn/server/server.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/server/server_state.h"
#include "gateway/openvpn/session/peer_info.h"

enum {
    NEGOTIATING_LEAST = 256, /* that many at once, or a quarter */
};

static_assert(offsetof(struct server_peer, entry) == 0,
              "an entry is a client's start");

/* --- Beginning and end --------------------------------------------------- */

static bool read_server_key(struct server *s, struct bytes text)
{
    struct tls_crypt_v2_server_key key;
    bool good = tls_crypt_v2_parse_server(text, &key) &&
                tls_crypt_v2_init(&s->unwrap, &key);
    secret_wipe(&key, sizeof key);
    return good;
}

static bool read_wrap_key(struct server *s)
{
    const struct config_remote *remote = server_config_remote(s->config);
    struct bytes text = bytes_of(remote->wrap_key.data, remote->wrap_key.size);
    if (server_has_own_keys(s))
        s->wrap_ready = read_server_key(s, text);
    else if (remote->wrap == CONFIG_WRAP_NONE ||
             static_key_parse(text, &s->wrap_key))
        s->wrap_ready = server_state_wrap(s, &s->wrap_key, &s->wrap);
    if (!s->wrap_ready)
        log_error("server: the key of the control channel cannot be used");
    return s->wrap_ready;
}

static bool read_token_key(struct server *s)
{
    const struct blob *key = &s->config->token_key;
    if (key->size > 0)
        return auth_token_parse_key(bytes_of(key->data, key->size),
                                    &s->token_key);
    s->env.random(s->env.context, s->token_key.bytes,
                  sizeof s->token_key.bytes);
    return true;
}

static bool open_parts(struct server *s)
{
    const struct server_config *c = s->config;
    struct tls_random random = {s->env.context, s->env.random};
    struct siphash_key key;
    s->env.random(s->env.context, (uint8_t *)&key, sizeof key);
    s->env.random(s->env.context, (uint8_t *)&s->cookie_key,
                  sizeof s->cookie_key);
    s->negotiating_max = c->max_clients / 4;
    if (s->negotiating_max < NEGOTIATING_LEAST)
        s->negotiating_max = NEGOTIATING_LEAST;
    if (!server_table_init(&s->table, c->max_clients, &key) ||
        !server_pool_init(&s->pool, c, &key) ||
        !server_routes_init(&s->routes, 2 * c->max_clients, &key)) {
        log_error("server: out of memory");
        return false;
    }
    if (!read_wrap_key(s) || !read_token_key(s))
        return false;
    s->tls_ready = true; /* is to be cleared also after a failure */
    if (!tls_context_init(
            &s->tls, OPENVPN_SERVER, &c->common,
            bytes_of(c->common.key_password.data, c->common.key_password.size),
            &random))
        return false;
    if (c->certificate == SERVER_CERTIFICATE_NONE)
        tls_context_demand(&s->tls, TLS_END_NONE);
    if (c->certificate == SERVER_CERTIFICATE_OPTIONAL)
        tls_context_demand(&s->tls, TLS_END_OPTIONAL);
    return true;
}

struct server *server_new(const struct server_config *config,
                          const struct server_env *env, struct instant now)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = config;
    s->env = *env;
    s->now = s->first_since = now;
    if (open_parts(s))
        return s;
    server_free(s);
    return NULL;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->table.capacity; i++) {
        struct server_entry *e = server_table_at(&s->table, i);
        if (e)
            server_peer_free(s, server_peer_of(e));
    }
    server_table_clear(&s->table);
    server_pool_clear(&s->pool);
    server_routes_clear(&s->routes);
    if (s->wrap_ready && server_has_own_keys(s))
        tls_crypt_key_clear(&s->unwrap);
    else if (s->wrap_ready)
        control_wrap_clear(&s->wrap);
    if (s->tls_ready)
        tls_context_clear(&s->tls);
    secret_wipe(s, sizeof *s);
    free(s);
}

/* --- Datagrams ----------------------------------------------------------- */

static bool is_data(const struct datagram *d)
{
    return d->size > 0 && opcode_is_data(opcode_of(d->data[0]));
}

static enum drop take_control(struct server *s, const struct server_path *from,
                              struct bytes datagram)
{
    struct reader r = reader_of(datagram);
    struct session_id session;
    uint8_t opcode = opcode_of(read_u8(&r));
    read_into(&r, session.bytes, sizeof session.bytes);
    if (!reader_ok(&r))
        return DROP_CONTROL_MALFORMED;
    if (!opcode_is_control(opcode))
        return DROP_OPCODE;
    struct server_entry *e = server_table_find(&s->table, from, &session);
    if (!e)
        return server_stranger_take(s, from, datagram);
    struct server_peer *p = server_peer_of(e);
    if (p->state == SERVER_PEER_GONE)
        return DROP_CONTROL_SESSION;
    enum drop drop = session_receive(&p->session, s->now, datagram);
    if (drop == DROP_NONE)
        server_event_settle(s, p);
    return drop;
}

/* The client of a data packet. The older format does not say it: there it is
 * whoever comes from that place. */
static struct server_peer *data_peer(struct server *s,
                                     const struct server_path *from,
                                     const struct datagram *d)
{
    if (opcode_of(d->data[0]) == OPCODE_DATA_V1)
        return server_peer_up_at(s, from);
    if (d->size < DATA_V2_HEADER_SIZE)
        return NULL;
    struct server_entry *e =
        server_table_at(&s->table, load_u32(d->data) & PEER_ID_NONE);
    struct server_peer *p = e ? server_peer_of(e) : NULL;
    return p && p->state == SERVER_PEER_UP ? p : NULL;
}

static bool is_own(const struct server *s, const struct address *a)
{
    return address_equal(a, &s->config->ipv4.address) ||
           address_equal(a, &s->config->ipv6.address);
}

/* Its own address, or one behind it. */
static bool is_of(const struct server *s, const struct server_peer *p,
                  const struct address *from)
{
    if (address_equal(from, &p->ipv4.address) ||
        (from->family == ADDRESS_IPV6 && address_equal(from, &p->ipv6.address)))
        return true;
    return s->routes.wide > 0 && !is_own(s, from) &&
           server_routes_find(&s->routes, from) == p;
}

/* One that clients have, or may get, or that lies behind one. */
static bool is_clients(const struct server *s, const struct address *to)
{
    const struct prefix *own =
        to->family == ADDRESS_IPV4 ? &s->config->ipv4 : &s->config->ipv6;
    struct prefix network = prefix_of(&own->address, own->bits);
    return !is_own(s, to) &&
           (prefix_contains(&network, to) ||
            (s->routes.wide > 0 && server_routes_find(&s->routes, to)));
}

/* Its own source, and not another client's destination. */
static enum drop judge(const struct server *s, const struct server_peer *p,
                       struct bytes inner)
{
    struct address from, to;
    uint8_t version = inner.data[0] >> 4;
    if (version == 4 && inner.size >= 20) {
        from = address_from_bytes(ADDRESS_IPV4, inner.data + 12);
        to = address_from_bytes(ADDRESS_IPV4, inner.data + 16);
    } else if (version == 6 && inner.size >= 40) {
        from = address_from_bytes(ADDRESS_IPV6, inner.data + 8);
        to = address_from_bytes(ADDRESS_IPV6, inner.data + 24);
    } else {
        return DROP_IP_MALFORMED;
    }
    if (!is_of(s, p, &from))
        return DROP_CLIENT_SPOOFED;
    return !s->config->client_to_client && is_clients(s, &to)
               ? DROP_CLIENT_TO_CLIENT
               : DROP_NONE;
}

/* True if one of them authenticated. */
static bool judge_opened(struct server *s, struct server_peer *p,
                         struct datagram *d, size_t count)
{
    bool authentic = false;
    for (size_t i = 0; i < count; i++) {
        if (d[i].drop != DROP_NONE)
            continue;
        authentic = true;
        if (d[i].inner_size == 0)
            continue;
        d[i].drop = (uint8_t)judge(
            s, p, bytes_of(d[i].data + d[i].inner_offset, d[i].inner_size));
        p->packets_in += d[i].drop == DROP_NONE;
        p->bytes_in += d[i].drop == DROP_NONE ? d[i].inner_size : 0;
    }
    return authentic;
}

/* It has shown that it has the keys, and where it is. */
static void heard_from(struct server *s, struct server_peer *p,
                       const struct server_path *from)
{
    char text[ENDPOINT_TEXT_SIZE], quoted[LOG_QUOTE_SIZE];
    p->proven = true;
    p->heard = s->now;
    if (endpoint_equal(&p->entry.path.remote, &from->remote))
        return;
    log_info("server: %s comes from %s now",
             log_quote(quoted, bytes_of_text(p->common_name)),
             endpoint_format(&from->remote, text));
    server_table_move(&s->table, &p->entry, from);
}

/* A run of one client's data. */
static void take_data(struct server *s, const struct server_path *from,
                      struct burst *burst, size_t first, size_t count)
{
    struct datagram *d = &burst->datagrams[first];
    struct server_peer *p = data_peer(s, from, d);
    /* Datagrams may come from elsewhere; a connection is where it is. */
    if (!p || p->entry.path.stream != from->stream) {
        for (size_t i = 0; i < count; i++)
            d[i].drop = DROP_DATA_NO_KEY;
        return;
    }
    session_data_open(&p->session, s->now, burst, first, count);
    s->drops.count[DROP_DATA_FRAGMENT_LOST] += session_data_lost(&p->session);
    if (judge_opened(s, p, d, count))
        heard_from(s, p, from);
    server_event_settle(s, p);
}

/* Both from the same place. */
static bool same_client(const struct datagram *a, const struct datagram *b)
{
    if (opcode_of(a->data[0]) != opcode_of(b->data[0]))
        return false;
    if (opcode_of(a->data[0]) == OPCODE_DATA_V1)
        return true;
    return a->size >= DATA_V2_HEADER_SIZE && b->size >= DATA_V2_HEADER_SIZE &&
           ((load_u32(a->data) ^ load_u32(b->data)) & PEER_ID_NONE) == 0;
}

/* How many datagrams are data of the same client as the first one's. */
static size_t data_run(const struct burst *burst, size_t first)
{
    const struct datagram *d = &burst->datagrams[first];
    size_t n = 1;
    while (first + n < burst->count && is_data(&d[n]) && same_client(d, &d[n]))
        n++;
    return n;
}

void server_open(struct server *s, struct instant now,
                 const struct server_path *from, struct burst *burst)
{
    s->now = now;
    for (size_t first = 0, count; first < burst->count; first += count) {
        struct datagram *d = &burst->datagrams[first];
        count = 1;
        if (is_data(d)) {
            count = data_run(burst, first);
            take_data(s, from, burst, first, count);
        } else {
            d->inner_size = 0;
            d->drop =
                (uint8_t)take_control(s, from, bytes_of(d->data, d->size));
        }
        for (size_t i = 0; i < count; i++)
            if (d[i].drop != DROP_NONE)
                drop_count(&s->drops, d[i].drop);
    }
}

static struct server_peer *at_end_of(const struct server *s,
                                     const struct server_path *path)
{
    static const struct session_id any = {{0}};
    struct server_entry *e = server_table_find(&s->table, path, &any);
    return path->stream != 0 && e ? server_peer_of(e) : NULL;
}

bool server_knows(const struct server *s, const struct server_path *path)
{
    return at_end_of(s, path) != NULL;
}

void server_disconnected(struct server *s, struct instant now,
                         const struct server_path *path)
{
    s->now = now;
    struct server_peer *p = at_end_of(s, path);
    if (p)
        server_peer_cut_off(s, p);
}

static bool take_answer(struct server *s, struct server_path *to,
                        struct bytes *datagram)
{
    if (s->answer_count == 0)
        return false;
    const struct server_answer *a = &s->answers[s->answer_first];
    s->answer_first = (s->answer_first + 1) % SERVER_ANSWERS;
    s->answer_count--;
    *to = a->path;
    *datagram = bytes_of(a->bytes, a->size);
    return true;
}

static bool transmit_peer(struct server *s, struct server_peer *p,
                          struct bytes *datagram)
{
    if (session_transmit(&p->session, s->now, datagram))
        return true;
    if (!p->ping_due || p->state != SERVER_PEER_UP)
        return false;
    p->ping_due = false;
    *datagram = session_data_say(&p->session, s->now, SESSION_DATA_PING);
    /* Between two keys there is none to send it with: next time. */
    keepalive_sent(&p->session.keepalive, s->now);
    return datagram->size > 0;
}

bool server_transmit(struct server *s, struct server_path *to,
                     struct bytes *datagram)
{
    struct server_entry *e;
    if (take_answer(s, to, datagram))
        return true;
    while ((e = server_table_queued(&s->table))) {
        struct server_peer *p = server_peer_of(e);
        if (transmit_peer(s, p, datagram)) {
            *to = e->path;
            return true;
        }
        server_table_dequeue(&s->table);
        if (p->state != SERVER_PEER_GONE) {
            server_table_wake(&s->table, e, server_peer_deadline(p));
            continue;
        }
        *to = e->path;
        *datagram = bytes_of(NULL, 0);
        server_peer_free(s, p);
        if (to->stream != 0)
            return true;
    }
    return false;
}

/* --- Time ---------------------------------------------------------------- */

void server_expire(struct server *s, struct instant now)
{
    struct server_entry *e;
    s->now = now;
    while ((e = server_table_due(&s->table, now))) {
        struct server_peer *p = server_peer_of(e);
        /* Its deadline may have been put off meanwhile. */
        if (instant_reached(now, server_peer_deadline(p)))
            server_event_expire(s, p);
        struct instant next = server_peer_deadline(p);
        /* Once a turn, even where something stays due: what it waits for is
         * a transmission, which follows. */
        if (instant_reached(now, next))
            next = instant_after(now, (struct duration){1});
        server_table_rest(&s->table, e, next);
    }
}

struct instant server_deadline(const struct server *s)
{
    return server_table_deadline(&s->table);
}

/* --- Who had which address ----------------------------------------------- */

void server_remember(struct server *s, const char *common_name,
                     const struct address *ipv4)
{
    server_pool_remember(&s->pool, common_name, ipv4);
}

bool server_next_lease(const struct server *s, uint32_t *number,
                       struct server_lease *out)
{
    while (*number < s->pool.count && !s->pool.places[*number].name)
        (*number)++;
    if (*number >= s->pool.count)
        return false;
    *out = (struct server_lease){
        .common_name = s->pool.places[*number].name,
        .ipv4 = server_pool_ipv4(&s->pool, *number),
        .ipv6 = server_pool_ipv6(&s->pool, *number),
    };
    (*number)++;
    return true;
}

/* --- Packets to clients -------------------------------------------------- */

struct server_peer *server_find(struct server *s,
                                const struct address *destination)
{
    struct server_peer *p = server_routes_find(&s->routes, destination);
    return p && p->state == SERVER_PEER_UP ? p : NULL;
}

struct burst_layout server_layout(const struct server_peer *p)
{
    return session_data_layout(&p->session);
}

const struct server_path *server_path_of(const struct server_peer *p)
{
    return &p->entry.path;
}

bool server_seal(struct server *s, struct instant now, struct server_peer *p,
                 struct burst *burst)
{
    uint64_t bytes = 0, packets = 0;
    s->now = now;
    for (size_t i = 0; i < burst->count; i++) {
        bytes += burst->datagrams[i].inner_size;
        packets += burst->datagrams[i].inner_size > 0;
    }
    if (p->state != SERVER_PEER_UP ||
        !session_data_seal(&p->session, now, burst))
        return false;
    p->packets_out += packets;
    p->bytes_out += bytes;
    for (size_t i = 0; i < burst->count; i++)
        if (burst->datagrams[i].drop != DROP_NONE)
            drop_count(&s->drops, burst->datagrams[i].drop);
    /* The key may be at its end. */
    server_table_wake(&s->table, &p->entry, server_peer_deadline(p));
    return true;
}

/* --- Status -------------------------------------------------------------- */

void server_status(const struct server *s, struct server_status *out)
{
    *out = (struct server_status){
        .up = s->up,
        .negotiating = s->negotiating,
        .logins = s->logins,
        .put_off = s->put_off,
        .negotiations = s->negotiations,
        .goodbyes = s->goodbyes,
        .answers = s->answers_given,
        .drops = &s->drops,
    };
}

bool server_next_client(const struct server *s, uint32_t *peer_id,
                        struct server_client *out)
{
    struct server_entry *e = NULL;
    while (!e && *peer_id < s->table.capacity)
        e = server_table_at(&s->table, (*peer_id)++);
    if (!e)
        return false;
    const struct server_peer *p = server_peer_of(e);
    *out = (struct server_client){
        .client = p->client,
        .peer_id = e->index,
        .up = p->state == SERVER_PEER_UP,
        .common_name = p->common_name,
        .username = p->username,
        .cipher = p->cipher,
        .path = &e->path,
        .ipv4 = &p->ipv4.address,
        .ipv6 = &p->ipv6.address,
        .routes = p->routes,
        .since = p->since,
        .packets_in = p->packets_in,
        .packets_out = p->packets_out,
        .bytes_in = p->bytes_in,
        .bytes_out = p->bytes_out,
    };
    return true;
}
