#include "gateway/openvpn/server_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/cipher_names.h"
#include "gateway/openvpn/options_string.h"
#include "gateway/openvpn/peer_info.h"
#include "gateway/openvpn/server_push.h"

/* --- Beginning and end --------------------------------------------------- */

enum { WHO_SIZE = LOG_QUOTE_SIZE + ENDPOINT_TEXT_SIZE };

/* For the log. */
static const char *who(const struct server_peer *p, char out[WHO_SIZE])
{
    char quoted[LOG_QUOTE_SIZE], text[ENDPOINT_TEXT_SIZE];
    const char *name = p->common_name[0] ? p->common_name : p->username;
    endpoint_format(&p->entry.path.remote, text);
    if (name[0])
        snprintf(out, WHO_SIZE, "%s (%s)",
                 log_quote(quoted, bytes_of_text(name)), text);
    else
        snprintf(out, WHO_SIZE, "%s", text);
    return out;
}

static void become(struct server *s, struct server_peer *p,
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
    if (!server_stranger_wrap(s, &p->wrap_key, &p->session.wrap))
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
    session_adopt(&p->session, own, theirs);
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
    become(
        s, p, SERVER_PEER_NEGOTIATING,
        instant_after(s->now, duration_seconds(s->config->common.hand_window)));
    return p;
}

static void give_address_back(struct server *s, struct server_peer *p)
{
    if (p->has_number)
        server_pool_give(&s->pool, p->number);
    p->has_number = false;
    p->ipv4 = p->ipv6 = (struct address){0};
}

void server_peer_free(struct server *s, struct server_peer *p)
{
    become(s, p, SERVER_PEER_GONE, INSTANT_NEVER);
    give_address_back(s, p);
    server_table_remove(&s->table, &p->entry);
    session_clear(&p->session);
    secret_wipe(p, sizeof *p);
    free(p);
}

void server_peer_gone(struct server *s, struct server_peer *p)
{
    become(s, p, SERVER_PEER_GONE, s->now);
    give_address_back(s, p);
    server_table_queue(&s->table, &p->entry);
}

void server_peer_cut_off(struct server *s, struct server_peer *p)
{
    char name[WHO_SIZE];
    if (p->state == SERVER_PEER_GONE)
        return;
    log_info("server: %s closed its connection", who(p, name));
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
    give_address_back(s, p);
    become(s, p, SERVER_PEER_LEAVING,
           instant_after(
               s->now, duration_seconds(s->stopping ? SERVER_STOPPING_SECONDS
                                                    : SERVER_LEAVING_SECONDS)));
    server_table_queue(&s->table, &p->entry);
    server_table_wake(&s->table, &p->entry, server_peer_deadline(p));
}

static void refuse(struct server *s, struct server_peer *p, const char *text,
                   const char *why)
{
    char name[WHO_SIZE];
    log_info("server: %s is refused: %s", who(p, name), why);
    server_peer_leave(s, p, text);
}

/* --- What it can, and what it gets --------------------------------------- */

/* The first of our own list that it has; of old clients we know only what
 * their options say (openvpn: ssl_ncp.c, ncp_get_best_cipher). */
static void choose_cipher(struct server_peer *p, const char *ours,
                          const struct key_exchange *theirs)
{
    char list[CONFIG_CIPHERS_SIZE], old[32] = "";
    struct bytes value, rest = bytes_of_text(ours), name;
    p->cipher[0] = 0;
    if (peer_info_value(theirs->peer_info, "IV_CIPHERS", &value)) {
        if (!text_copy(list, sizeof list, value))
            list[0] = 0;
    } else if (peer_info_value(theirs->peer_info, "IV_NCP", &value)) {
        snprintf(list, sizeof list, "AES-256-GCM:AES-128-GCM");
    } else if (options_string_value(theirs->options, "cipher", old,
                                    sizeof old)) {
        snprintf(list, sizeof list, "%s", old);
    } else {
        list[0] = 0;
    }
    while (text_cut(&rest, ':', &name)) {
        char one[sizeof p->cipher];
        if (!text_copy(one, sizeof one, name) ||
            !cipher_names_in_list(list, one))
            continue;
        memcpy(p->cipher, one, sizeof one);
        return;
    }
}

static void learn(struct server *s, struct server_peer *p,
                  const struct key_exchange *theirs)
{
    struct bytes value;
    if (!peer_info_value(theirs->peer_info, "IV_PROTO", &value) ||
        !text_to_u32(value, UINT32_MAX, &p->protocol))
        p->protocol = 0;
    p->protocol &= s->config->protocol_bits;
    p->tells_mtu = peer_info_value(theirs->peer_info, "IV_MTU", &value);
    choose_cipher(p, s->config->common.data_ciphers, theirs);
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
    struct session_data_options o = {
        .peer_id = p->entry.index,
        .digest = s->config->common.auth,
        .exporter = p->protocol & PEER_INFO_TLS_KEY_EXPORT,
    };
    o.dynamic_wrap =
        flags && o.exporter && p->protocol & PEER_INFO_DYNAMIC_TLS_CRYPT;
    o.epoch = flags && o.exporter && p->protocol & PEER_INFO_DATA_EPOCH &&
              is_aead(p->cipher);
    memcpy(o.cipher, p->cipher, sizeof o.cipher);
    return o;
}

static bool send_push(struct server *s, struct server_peer *p, bool epoch)
{
    char message[CONTROL_MESSAGE_MAX];
    struct server_push push = {
        .config = s->config,
        .ipv4 = p->ipv4,
        .ipv6 = p->ipv6,
        .peer_id = p->entry.index,
        .cipher = p->cipher,
        .protocol = p->protocol,
        .epoch = epoch,
        .mtu = p->tells_mtu,
    };
    uint8_t *memory = malloc(SERVER_PUSH_MAX);
    struct writer w = writer_of(memory, memory ? SERVER_PUSH_MAX : 0);
    bool good = server_push_write(&push, &w), first = true;
    struct bytes rest = writer_bytes(&w);
    while (good && server_push_next(&rest, &first, message))
        good = session_send(&p->session, s->now, message);
    free(memory);
    return good;
}

static uint64_t name_of(const struct server *s, const struct server_peer *p)
{
    const char *name = p->common_name[0] ? p->common_name : p->username;
    uint64_t hash = siphash(&s->name_key, name, strlen(name));
    /* With several of one name, none is the one that was here before. */
    if (s->config->duplicate_cn)
        hash ^= p->client * 0x9e3779b97f4a7c15U;
    return hash ? hash : 1;
}

static bool same_name(const struct server_peer *a, const struct server_peer *b)
{
    return strcmp(a->common_name, b->common_name) == 0 &&
           strcmp(a->username, b->username) == 0;
}

/* A client that came back, and one that took another's port, leave a session
 * behind that nobody uses. */
static void retire_others(struct server *s, const struct server_peer *p)
{
    char name[WHO_SIZE];
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
                 who(other, name));
        server_peer_gone(s, other);
    }
}

static void go_up(struct server *s, struct server_peer *p)
{
    char name[WHO_SIZE], address[ADDRESS_TEXT_SIZE], tls[96];
    const struct server_config *c = s->config;
    struct session_data_options data = data_options(s, p);
    if (p->cipher[0] == 0 || !(p->protocol & PEER_INFO_DATA_V2)) {
        refuse(s, p,
               "AUTH_FAILED,Data channel cipher negotiation failed (no shared "
               "cipher)",
               "no data cipher in common");
        return;
    }
    retire_others(s, p);
    if (!server_pool_take(&s->pool, name_of(s, p), p, &p->number)) {
        refuse(s, p, "AUTH_FAILED,TEMP:no address is free",
               "no address is free");
        return;
    }
    p->has_number = true;
    p->ipv4 = server_pool_ipv4(&s->pool, p->number);
    p->ipv6 = server_pool_ipv6(&s->pool, p->number);
    if (!send_push(s, p, data.epoch) ||
        !session_data_establish(&p->session, s->now, &data)) {
        log_warn("server: %s: %s", who(p, name),
                 p->session.failed ? p->session.why
                                   : "what is to be pushed does not fit");
        server_peer_gone(s, p);
        return;
    }
    /* A client waits once, the server twice as long: it is the client that
     * shall notice first. */
    keepalive_init(&p->session.keepalive, s->now, c->ping, 2 * c->ping_restart);
    become(
        s, p, SERVER_PEER_UP,
        c->common.session_timeout
            ? instant_after(s->now, duration_seconds(c->common.session_timeout))
            : INSTANT_NEVER);
    s->logins++;
    tls_session_describe(&p->session.primary->control.tls, tls, sizeof tls);
    log_info("server: %s is up: %s, %s, %s", who(p, name),
             address_format(&p->ipv4, address), p->cipher, tls);
}

void server_peer_decide(struct server *s, struct server_peer *p)
{
    /* Before that no word of ours would reach it. */
    if (!p->active)
        return;
    if (p->verdict == SERVER_REFUSE) {
        char text[SERVER_NAME_SIZE + 16];
        snprintf(text, sizeof text, "AUTH_FAILED%s%s", p->refusal[0] ? "," : "",
                 p->refusal);
        refuse(s, p, text, "name or password");
    } else if (p->verdict == SERVER_ADMIT &&
               p->state == SERVER_PEER_NEGOTIATING &&
               (p->asked || p->protocol & PEER_INFO_REQUEST_PUSH)) {
        go_up(s, p);
    }
}

/* --- What it says -------------------------------------------------------- */

static bool is_same_client(const struct server_peer *p, const char *common_name,
                           struct bytes username)
{
    return strcmp(p->common_name, common_name) == 0 &&
           text_equal(username, p->username);
}

static void take_exchange(struct server *s, struct server_peer *p,
                          const struct key_exchange *theirs)
{
    const char *name = p->session.primary->control.tls.verify.common_name;
    char text[WHO_SIZE];
    bool again = p->state == SERVER_PEER_UP;
    s->negotiations++;
    if (again && !is_same_client(p, name, theirs->username)) {
        log_warn("server: %s negotiates as somebody else", who(p, text));
        server_peer_gone(s, p);
        return;
    }
    if (!again) {
        (void)!text_copy(p->common_name, sizeof p->common_name,
                         bytes_of_text(name));
        if (!text_copy(p->username, sizeof p->username, theirs->username)) {
            log_info("server: %s: its name is too long", who(p, text));
            server_peer_gone(s, p);
            return;
        }
        learn(s, p, theirs);
    }
    struct server_login login = {
        .client = p->client,
        .common_name = p->common_name,
        .username = theirs->username,
        .password = theirs->password,
        .path = &p->entry.path,
        .again = again,
    };
    p->verdict =
        s->env.admit ? s->env.admit(s->env.context, &login) : SERVER_ADMIT;
    if (again && p->verdict == SERVER_REFUSE)
        server_peer_decide(s, p);
}

static void answer_exchange(struct server *s, struct server_peer *p)
{
    const struct config *c = &s->config->common;
    struct options_string ours = options_string_of(c, &c->remotes[0]);
    ours.protocol = p->entry.path.stream ? CONFIG_TCP : CONFIG_UDP;
    char options[OPTIONS_STRING_SIZE], name[WHO_SIZE];
    ours.server = true;
    ours.cipher = p->cipher;
    struct key_exchange message = {0};
    if (!options_string_format(&ours, options)) {
        log_error("server: %s: our options cannot be told", who(p, name));
        server_peer_gone(s, p);
        return;
    }
    message.options = bytes_of_text(options);
    /* Where it fails, SESSION_FAILED follows. */
    (void)!session_exchange(&p->session, s->now, &message);
}

static void say_goodbye(struct server *s, struct server_peer *p)
{
    char name[WHO_SIZE];
    s->goodbyes++;
    log_info("server: %s said goodbye", who(p, name));
    server_peer_gone(s, p);
}

static void take_message(struct server *s, struct server_peer *p,
                         const struct control_message *m)
{
    if (m->type == CONTROL_MESSAGE_PUSH_REQUEST &&
        p->state == SERVER_PEER_NEGOTIATING) {
        p->asked = true;
        server_peer_decide(s, p);
    } else if (m->type == CONTROL_MESSAGE_EXIT) {
        say_goodbye(s, p);
    } else if (m->type == CONTROL_MESSAGE_CR_RESPONSE && s->env.answered) {
        s->env.answered(s->env.context, p->client, m->rest);
    }
}

static void take_event(struct server *s, struct server_peer *p,
                       const struct session_event *event)
{
    char name[WHO_SIZE];
    switch (event->type) {
    case SESSION_EXCHANGE:
        take_exchange(s, p, &event->exchange);
        break;
    case SESSION_EXCHANGE_WANTED:
        answer_exchange(s, p);
        break;
    case SESSION_ACTIVE:
        p->active = true;
        server_peer_decide(s, p);
        break;
    case SESSION_RENEGOTIATED:
        log_debug("server: %s: new data keys", who(p, name));
        break;
    case SESSION_MESSAGE:
        take_message(s, p, &event->message);
        break;
    case SESSION_PEER_EXIT:
        say_goodbye(s, p);
        break;
    case SESSION_FAILED:
        log_info("server: %s: %s", who(p, name), event->why);
        server_peer_gone(s, p);
        break;
    }
}

static bool is_over(const struct server_peer *p)
{
    return p->state == SERVER_PEER_GONE ||
           (p->state == SERVER_PEER_LEAVING &&
            control_channel_all_acked(&p->session.primary->control));
}

void server_peer_settle(struct server *s, struct server_peer *p)
{
    struct session_event event;
    while (p->state != SERVER_PEER_GONE &&
           session_next(&p->session, s->now, &event))
        take_event(s, p, &event);
    if (p->state != SERVER_PEER_GONE && is_over(p))
        server_peer_gone(s, p);
    server_table_queue(&s->table, &p->entry);
    server_table_wake(&s->table, &p->entry, server_peer_deadline(p));
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
    return t;
}

void server_peer_expire(struct server *s, struct server_peer *p)
{
    char name[WHO_SIZE];
    const struct keepalive *k = &p->session.keepalive;
    session_expire(&p->session, s->now);
    switch (p->state) {
    case SERVER_PEER_NEGOTIATING:
        if (instant_reached(s->now, p->deadline)) {
            log_info("server: %s did not come in within %u s", who(p, name),
                     s->config->common.hand_window);
            server_peer_gone(s, p);
        }
        break;
    case SERVER_PEER_UP:
        if (keepalive_timed_out(k, s->now)) {
            log_info("server: %s has been silent for %lld s", who(p, name),
                     (long long)(k->timeout.us / 1000000));
            server_peer_gone(s, p);
        } else if (instant_reached(s->now, p->deadline)) {
            log_info("server: %s: its time is over", who(p, name));
            server_peer_leave(s, p, "RESTART");
        } else if (keepalive_ping_due(k, s->now)) {
            p->ping_due = true;
        }
        break;
    case SERVER_PEER_LEAVING:
        if (instant_reached(s->now, p->deadline))
            server_peer_gone(s, p);
        break;
    case SERVER_PEER_GONE:
        break;
    }
    server_peer_settle(s, p);
}
