/*
 * Whether a client may come in, and with what: its cipher, its configuration,
 * its addresses, the routes to what lies behind it, its token.
 */
#include "gateway/openvpn/server/server_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/keys/cipher_names.h"
#include "gateway/openvpn/server/server_push.h"
#include "gateway/openvpn/session/data_negotiation.h"
#include "gateway/openvpn/session/options_string.h"
#include "gateway/openvpn/session/peer_info.h"

enum { IPV4_OVERHEAD = 20 + 8, IPV6_OVERHEAD = 40 + 8 }; /* with UDP */

/* --- What it can --------------------------------------------------------- */

/* The ciphers that a client takes: it lists them since 2.5; since 2.4 it takes
 * two, and that of its own options; before, only the latter (openvpn:
 * ssl_ncp.c, ncp_get_best_cipher). */
struct offer {
    char list[CONFIG_CIPHERS_SIZE]; /* may be "" */
    char own[32];                   /* the same */
    bool negotiates;
};

static struct offer offer_of(const struct key_exchange *theirs)
{
    struct offer o = {.negotiates = true};
    struct bytes value;
    if (peer_info_value(theirs->peer_info, "IV_CIPHERS", &value)) {
        if (!text_copy(o.list, sizeof o.list, value))
            o.list[0] = 0;
        return o;
    }
    if (!options_string_value(theirs->options, "cipher", o.own, sizeof o.own))
        o.own[0] = 0;
    if (peer_info_value(theirs->peer_info, "IV_NCP", &value))
        snprintf(o.list, sizeof o.list, "AES-256-GCM:AES-128-GCM");
    else
        o.negotiates = false;
    return o;
}

/* The first of our own list that it takes. */
static void choose_cipher(struct server_peer *p, const struct config *c,
                          const struct key_exchange *theirs)
{
    const struct offer o = offer_of(theirs);
    struct bytes rest = bytes_of_text(c->data_ciphers), name;
    p->cipher[0] = 0;
    while (text_cut(&rest, ':', &name)) {
        char one[sizeof p->cipher];
        if (!text_copy(one, sizeof one, name) ||
            !(cipher_names_in_list(o.list, one) ||
              cipher_names_in_list(o.own, one)))
            continue;
        memcpy(p->cipher, one, sizeof one);
        return;
    }
    /* A client that negotiates nothing has what the fallback says. */
    if (!o.negotiates &&
        (!o.own[0] || !strcmp(o.own, c->data_ciphers_fallback)))
        memcpy(p->cipher, c->data_ciphers_fallback, sizeof p->cipher);
}

/* A client that was made for compression puts a byte in front of its packets,
 * or has it put nothing there (openvpn: multi.c,
 * multi_client_set_protocol_options). */
static void choose_framing(struct server_peer *p,
                           const struct key_exchange *theirs)
{
    char name[SERVER_WHO_SIZE];
    struct bytes value;
    p->framing = CONFIG_COMPRESSION_NONE;
    if (!options_string_has(theirs->options, "comp-lzo"))
        return;
    p->framing = peer_info_value(theirs->peer_info, "IV_COMP_STUBv2", &value) &&
                         text_equal(value, "1")
                     ? CONFIG_COMPRESSION_STUB_V2
                     : CONFIG_COMPRESSION_LZO;
    log_info("server: %s announces compression; it is told to do without",
             server_peer_who(p, name));
}

/* Packets get through only if both ends have `fragment's header or neither, so
 * the server follows what the client's options say. It cuts nothing for a
 * client whose `fragment' its own configuration lacks: the size is not known.
 */
static void choose_fragment(struct server *s, struct server_peer *p,
                            const struct key_exchange *theirs)
{
    bool ipv4 = p->entry.path.remote.address.family == ADDRESS_IPV4;
    bool wanted = options_string_has(theirs->options, "mtu-dynamic");
    char name[SERVER_WHO_SIZE];
    p->fragment = 0;
    if (p->entry.path.stream != 0)
        return;
    p->fragment = data_negotiation_fragment(
        server_config_remote(s->config), ipv4 ? IPV4_OVERHEAD : IPV6_OVERHEAD);
    if (!options_string_has(theirs->options, "V4") ||
        wanted == (p->fragment > 0))
        return;
    p->fragment = wanted ? UINT16_MAX : 0;
    log_warn("server: %s %s; the server follows the client",
             server_peer_who(p, name),
             wanted ? "has `fragment', this configuration has not"
                    : "has no `fragment', this configuration has");
}

void server_admission_learn(struct server *s, struct server_peer *p,
                            const struct key_exchange *theirs)
{
    struct bytes value;
    if (!peer_info_value(theirs->peer_info, "IV_PROTO", &value) ||
        !text_to_u32(value, UINT32_MAX, &p->protocol))
        p->protocol = 0;
    p->protocol &= s->config->protocol_bits;
    p->tells_mtu = peer_info_value(theirs->peer_info, "IV_MTU", &value);
    choose_cipher(p, &s->config->common, theirs);
    choose_framing(p, theirs);
    choose_fragment(s, p, theirs);
}

static bool is_aead(const char *cipher)
{
    const struct cipher_name *c = cipher_names_find(bytes_of_text(cipher));
    return c && c->class == CIPHER_AEAD;
}

/* Each format needs what stands before it. */
static struct session_data_options data_options(const struct server *s,
                                                const struct server_peer *p)
{
    bool flags = p->protocol & PEER_INFO_CC_EXIT_NOTIFY;
    bool newer = p->protocol & PEER_INFO_DATA_V2;
    struct session_data_options o = {
        .peer_id = newer ? p->entry.index : PEER_ID_NONE,
        .digest = s->config->common.auth,
        .exporter = p->protocol & PEER_INFO_TLS_KEY_EXPORT,
        .compression = p->framing,
        .compression_refused = true, /* packets that are compressed */
        .fragment = p->fragment,
    };
    o.dynamic_wrap =
        flags && o.exporter && p->protocol & PEER_INFO_DYNAMIC_TLS_CRYPT;
    o.epoch = flags && newer && o.exporter &&
              p->protocol & PEER_INFO_DATA_EPOCH && is_aead(p->cipher);
    memcpy(o.cipher, p->cipher, sizeof o.cipher);
    return o;
}

/* --- Tokens -------------------------------------------------------------- */

static uint64_t unix_time(const struct server *s)
{
    return s->env.unix_time(s->env.context);
}

enum server_verdict server_admission_token(struct server *s,
                                           struct server_peer *p,
                                           struct bytes password)
{
    const struct auth_token_times times = {
        .renewal = s->config->token_renewal,
        .lifetime = s->config->token_lifetime,
    };
    struct auth_token token;
    bool good = auth_token_read(&s->token_key, bytes_of_text(p->username),
                                password, &token) &&
                auth_token_is_fresh(&token, &times, unix_time(s)) &&
                (!p->has_token || memcmp(token.session, p->token.session,
                                         sizeof token.session) == 0);
    if (!good) {
        snprintf(p->refusal, sizeof p->refusal, "SESSION: token expired");
        return SERVER_REFUSE;
    }
    p->token = token;
    p->has_token = true;
    return SERVER_ADMIT;
}

/* A new one of the same session. False where none is given. */
static bool make_token(struct server *s, struct server_peer *p,
                       char out[AUTH_TOKEN_TEXT_SIZE])
{
    p->token_due = INSTANT_NEVER;
    if (!s->config->tokens || p->username[0] == 0)
        return false;
    p->token.made = unix_time(s);
    if (!p->has_token) {
        p->token.initial = p->token.made;
        s->env.random(s->env.context, p->token.session,
                      sizeof p->token.session);
    }
    p->has_token = true;
    p->token_due =
        instant_after(s->now, duration_seconds(s->config->token_renewal));
    return auth_token_write(&s->token_key, &p->token,
                            bytes_of_text(p->username), out);
}

void server_admission_renew_token(struct server *s, struct server_peer *p)
{
    char token[AUTH_TOKEN_TEXT_SIZE], text[AUTH_TOKEN_TEXT_SIZE + 32];
    if (p->state == SERVER_PEER_UP && make_token(s, p, token)) {
        snprintf(text, sizeof text, "PUSH_REPLY,auth-token %s", token);
        (void)!session_send(&p->session, s->now, text);
        secret_wipe(text, sizeof text);
    }
    secret_wipe(token, sizeof token);
}

/* --- What it gets -------------------------------------------------------- */

static bool send_push(struct server *s, struct server_peer *p,
                      const struct server_client_config *own,
                      const struct session_data_options *data)
{
    char message[CONTROL_MESSAGE_MAX], token[AUTH_TOKEN_TEXT_SIZE];
    struct server_push push = {
        .config = s->config,
        .own = own,
        .ipv4 = p->ipv4,
        .ipv6 = p->ipv6,
        .peer_id = data->peer_id,
        .token = make_token(s, p, token) ? token : NULL,
        .cipher = p->cipher,
        .framing = p->framing,
        .protocol = p->protocol,
        .epoch = data->epoch,
        .mtu = p->tells_mtu,
    };
    uint8_t *memory = malloc(SERVER_PUSH_MAX);
    struct writer w = writer_of(memory, memory ? SERVER_PUSH_MAX : 0);
    bool good = server_push_write(&push, &w), first = true;
    struct bytes rest = writer_bytes(&w);
    while (good && server_push_next(&rest, &first, "PUSH_REPLY", message))
        good = session_send(&p->session, s->now, message);
    secret_wipe(message, sizeof message);
    secret_wipe(token, sizeof token);
    if (memory)
        secret_wipe(memory, w.size);
    free(memory);
    return good;
}

/* With several of one name, none is the one that was here before. */
static const char *name_of(const struct server *s, const struct server_peer *p)
{
    const char *name = p->common_name[0] ? p->common_name : p->username;
    return s->config->duplicate_cn ? NULL : name;
}

static bool add_address(struct server *s, struct server_peer *p,
                        const struct prefix *own)
{
    const struct prefix host = {own->address,
                                own->address.family == ADDRESS_IPV6 ? 128 : 32};
    return !address_is_set(&own->address) ||
           server_routes_add(&s->routes, &host, p, &p->routes);
}

/* Its own, where its configuration says so, and else of the pool. NULL, or why
 * not. */
static const char *take_addresses(struct server *s, struct server_peer *p,
                                  const struct server_client_config *own)
{
    const struct server_config *c = s->config;
    bool fixed = address_is_set(&own->ipv4.address);
    bool more =
        address_is_set(&c->ipv6_first) && !address_is_set(&own->ipv6.address);
    if (fixed && server_pool_number(&s->pool, &own->ipv4.address, &p->number)) {
        if (!server_pool_take_number(&s->pool, p->number, name_of(s, p), p))
            return "another client has its address";
        p->has_number = true;
    } else if (!fixed || more) {
        if (!server_pool_take(&s->pool, name_of(s, p), p, &p->number))
            return "no address is free";
        p->has_number = true;
    }
    p->ipv4 = own->ipv4;
    p->ipv6 = own->ipv6;
    if (!fixed)
        p->ipv4 = (struct prefix){server_pool_ipv4(&s->pool, p->number),
                                  c->ipv4.bits};
    if (more)
        p->ipv6 = (struct prefix){server_pool_ipv6(&s->pool, p->number),
                                  c->ipv6.bits};
    return add_address(s, p, &p->ipv4) && add_address(s, p, &p->ipv6)
               ? NULL
               : "another client has its address";
}

/* iroute: networks behind it. */
static void take_routes(struct server *s, struct server_peer *p,
                        const struct server_client_config *own)
{
    char name[SERVER_WHO_SIZE], text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < own->route_count; i++) {
        const struct prefix *r = &own->routes[i];
        if (!server_routes_add(&s->routes, r, p, &p->routes))
            log_warn("server: %s: %s/%u is another client's",
                     server_peer_who(p, name),
                     address_format(&r->address, text), r->bits);
    }
}

static bool same_name(const struct server_peer *a, const struct server_peer *b)
{
    return strcmp(a->common_name, b->common_name) == 0 &&
           strcmp(a->username, b->username) == 0;
}

/* A client that came back, and one that took another's port, leave a session
 * behind that nobody uses. Where it comes from the same place it may be the
 * same program, which keeps the peer id that it was told first (openvpn:
 * push.c, process_incoming_push_msg). */
static void retire_others(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE];
    for (uint32_t i = 0; i < s->table.capacity; i++) {
        struct server_entry *e = server_table_at(&s->table, i);
        struct server_peer *other = e ? server_peer_of(e) : NULL;
        if (!other || other->client >= p->client ||
            other->state == SERVER_PEER_GONE)
            continue;
        bool same_place = server_path_equal(&other->entry.path, &p->entry.path);
        bool again = other->state == SERVER_PEER_UP &&
                     !s->config->duplicate_cn && same_name(other, p);
        if (!same_place && !again)
            continue;
        log_info("server: %s: a newer session takes its place",
                 server_peer_who(other, name));
        if (same_place && other->state == SERVER_PEER_UP)
            server_table_swap(&s->table, &p->entry, &other->entry);
        server_peer_gone(s, other);
    }
}

static void be_up(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE], address[ADDRESS_TEXT_SIZE], tls[96];
    const struct server_config *c = s->config;
    /* A client waits once, the server twice as long: it is the client that
     * shall notice first. */
    keepalive_init(&p->session.keepalive, s->now, c->ping, 2 * c->ping_restart);
    server_peer_watch_idling(s, p);
    server_peer_become(
        s, p, SERVER_PEER_UP,
        c->common.session_timeout
            ? instant_after(s->now, duration_seconds(c->common.session_timeout))
            : INSTANT_NEVER);
    s->logins++;
    tls_session_describe(&p->session.primary->control.tls, tls, sizeof tls);
    log_info("server: %s is connected: %s, %s, %s", server_peer_who(p, name),
             address_format(&p->ipv4.address, address), p->cipher, tls);
}

static void go_up_with(struct server *s, struct server_peer *p,
                       const struct server_client_config *own)
{
    char name[SERVER_WHO_SIZE];
    if (own->disabled) {
        server_peer_refuse(s, p, "AUTH_FAILED", "it is disabled");
        return;
    }
    retire_others(s, p);
    const char *problem = take_addresses(s, p, own);
    if (problem) {
        server_peer_put_off(s, p, problem);
        return;
    }
    take_routes(s, p, own);
    const struct session_data_options data = data_options(s, p);
    if (!send_push(s, p, own, &data) ||
        !session_data_establish(&p->session, s->now, &data)) {
        log_warn("server: %s: %s", server_peer_who(p, name),
                 p->session.failed ? p->session.why
                                   : "its options do not fit into a push");
        server_peer_gone(s, p);
        return;
    }
    be_up(s, p);
}

static void go_up(struct server *s, struct server_peer *p)
{
    struct server_client_config own = {0};
    if (p->cipher[0] == 0)
        server_peer_refuse(
            s, p,
            "AUTH_FAILED,Data channel cipher negotiation failed (no shared "
            "cipher)",
            "no data cipher in common");
    else if (s->config->exporter_only &&
             !(p->protocol & PEER_INFO_TLS_KEY_EXPORT))
        server_peer_refuse(
            s, p,
            "AUTH_FAILED,Client incompatible with this server. Keying Material "
            "Exporters (RFC 5705) support missing. Upgrade to a client that "
            "supports this feature (OpenVPN 2.6.0+).",
            "force-tls-key-material-export wants what it cannot");
    else if (s->env.client_config &&
             !s->env.client_config(s->env.context, p->common_name, &own))
        server_peer_refuse(s, p, "AUTH_FAILED", "no configuration for it");
    else
        go_up_with(s, p, &own);
    server_client_config_clear(&own);
}

void server_admission_decide(struct server *s, struct server_peer *p)
{
    /* Before that no word of ours would reach it. */
    if (!p->active)
        return;
    if (p->verdict == SERVER_REFUSE) {
        char text[SERVER_REFUSAL_SIZE + 16];
        snprintf(text, sizeof text, "AUTH_FAILED%s%s", p->refusal[0] ? "," : "",
                 p->refusal);
        server_peer_refuse(s, p, text, "name or password");
    } else if (p->verdict == SERVER_BUSY) {
        server_peer_put_off(s, p, "logins cannot be checked now");
    } else if (p->verdict == SERVER_ADMIT &&
               p->state == SERVER_PEER_NEGOTIATING &&
               (p->asked || p->protocol & PEER_INFO_REQUEST_PUSH)) {
        go_up(s, p);
    }
}
