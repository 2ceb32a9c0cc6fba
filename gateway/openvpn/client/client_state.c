#include "gateway/openvpn/client/client_state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/client/client_wrap.h"
#include "gateway/openvpn/session/session_static.h"

enum {
    FAILOVER_AFTER = 10,           /* s without an answer, with another
                                      address or remote to try and no
                                      connect-timeout set */
    CONNECT_TIMEOUT_DEFAULT = 120, /* s; openvpn: options.c */
};

static const char *const state_names[] = {
    [CLIENT_IDLE] = "idle",
    [CLIENT_CONNECTING] = "connecting",
    [CLIENT_NEGOTIATING] = "negotiating",
    [CLIENT_AWAIT_PUSH_REPLY] = "awaiting push reply",
    [CLIENT_UP] = "up",
    [CLIENT_PAUSING] = "pausing",
    [CLIENT_AWAIT_CREDENTIALS] = "awaiting credentials",
    [CLIENT_STOPPED] = "stopped",
};
static_assert(sizeof state_names / sizeof *state_names == CLIENT_STATE_COUNT,
              "every state has a name");

const char *client_state_name(enum client_state state)
{
    return state < CLIENT_STATE_COUNT ? state_names[state] : "?";
}

enum vpn_state client_state_of_vpn(const struct client *c)
{
    switch (c->state) {
    case CLIENT_IDLE:
    case CLIENT_CONNECTING:
    case CLIENT_NEGOTIATING:
        return VPN_STATE_CONNECTING;
    case CLIENT_AWAIT_PUSH_REPLY: /* or a challenge, or a browser */
        return c->question[0] ? VPN_STATE_WAITING_FOR_LOGIN
                              : VPN_STATE_CONNECTING;
    case CLIENT_UP:
        return VPN_STATE_CONNECTED;
    case CLIENT_PAUSING:
        return VPN_STATE_WAITING_TO_RETRY;
    case CLIENT_AWAIT_CREDENTIALS:
        return VPN_STATE_WAITING_FOR_LOGIN;
    case CLIENT_STOPPED:
    case CLIENT_STATE_COUNT:
        break;
    }
    return VPN_STATE_STOPPED;
}

/* The one place where the state changes. */
void client_state_become(struct client *c, enum client_state state,
                         struct instant deadline)
{
    if (c->state != state) {
        log_debug("tunnel: %s", state_names[state]);
        c->since = c->now;
    }
    c->state = state;
    c->deadline = deadline;
    c->repeat = INSTANT_NEVER;
}

struct instant client_state_in_seconds(const struct client *c, int64_t seconds)
{
    return instant_after(c->now, duration_seconds(seconds));
}

struct instant client_state_silence_limit(const struct client *c)
{
    uint32_t seconds = c->remote->connect_timeout;
    bool others = c->config->remote_count > 1 || c->remotes.address_count > 1;
    if (others && seconds == CONNECT_TIMEOUT_DEFAULT)
        seconds = FAILOVER_AFTER;
    return client_state_in_seconds(c, seconds);
}

static uint32_t unix_time(const struct client *c)
{
    return c->env.unix_time(c->env.context);
}

/* Leaving a connection. */

static void add_parting(struct client *c, struct bytes datagram)
{
    if (datagram.size == 0 || c->parting_count == CLIENT_PARTING_MAX)
        return;
    struct client_parting *p = &c->parting[c->parting_count++];
    memcpy(p->bytes, datagram.data, datagram.size);
    p->size = (uint16_t)datagram.size;
}

/* Goodbye, where the server knows the word; it frees what it holds. */
void client_state_say_goodbye(struct client *c)
{
    bool datagrams = c->remote && c->remote->protocol == CONFIG_UDP;
    if (c->state != CLIENT_UP)
        return;
    if (c->push.cc_exit)
        (void)!session_send(&c->session, c->now, "EXIT");
    else if (datagrams &&
             (c->push.explicit_exit_notify || c->remote->explicit_exit_notify))
        add_parting(
            c, session_data_say(&c->session, c->now, SESSION_DATA_GOODBYE));
}

/* Closes everything of this connection; what was still to be said (an alert,
 * EXIT) is kept in copies for client_poll(). */
void client_state_disconnect(struct client *c)
{
    struct bytes datagram;
    if (c->parting_next == c->parting_count)
        c->parting_next = c->parting_count = 0;
    if (c->session_open) {
        c->answers += session_heard(&c->session);
        while (session_heard(&c->session) &&
               c->parting_count < CLIENT_PARTING_MAX &&
               session_transmit(&c->session, c->now, &datagram))
            add_parting(c, datagram);
        session_clear(&c->session);
        c->session_open = false;
        credentials_disconnected(&c->credentials);
    }
    if (c->push_open)
        push_options_clear(&c->push);
    c->push_open = false;
    c->challenged = false;
    c->question[0] = 0;
    c->ping_due = false;
    c->tell_up = false;
    c->tell_down = c->up_told;
    c->tell_connect = false;
    c->tell_disconnect = c->uplink_open;
    c->tls_text[0] = c->server_name[0] = 0;
}

static void remember_error(struct client *c, const char *format,
                           va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void remember_error(struct client *c, const char *format,
                           va_list arguments)
{
    vsnprintf(c->last_error, sizeof c->last_error, format, arguments);
}

void client_state_end(struct client *c)
{
    client_state_disconnect(c);
    c->tell_ask = false;
    c->tell_stopped = true;
    client_state_become(c, CLIENT_STOPPED, INSTANT_NEVER);
}

void client_state_stop(struct client *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember_error(c, format, arguments);
    va_end(arguments);
    client_state_end(c);
    log_warn("tunnel: %s: %s", vpn_state_name(VPN_STATE_STOPPED),
             c->last_error);
}

/* Gives this connection up and plans the next attempt. */
void client_state_retry(struct client *c, enum remote_list_end end,
                        const struct remote_list_advice *advice,
                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember_error(c, format, arguments);
    va_end(arguments);
    if (c->state == CLIENT_UP)
        end = REMOTE_LIST_LOST;
    client_state_disconnect(c);
    c->reconnects++;
    c->remote = NULL;
    c->plan = remote_list_next(&c->remotes, c->now, end, advice);
    if (instant_is_never(c->plan.next)) {
        char last[CLIENT_ERROR_SIZE / 2];
        snprintf(last, sizeof last, "%.*s", (int)sizeof last - 1,
                 c->last_error);
        client_state_stop(
            c, "%s; that was the last attempt (connect-retry-max)", last);
        return;
    }
    client_state_become(c, CLIENT_PAUSING, c->plan.next);
    log_warn("tunnel: %s in %lld s: %s",
             vpn_state_name(VPN_STATE_WAITING_TO_RETRY),
             (long long)((instant_since(c->plan.next, c->now).us + 999999) /
                         1000000),
             c->last_error);
}

/* A server that was never heard is left for its silence alone. */
static bool may_be_refused(const struct client *c)
{
    return c->session_open && session_heard(&c->session);
}

static bool was_heard_since(const struct client *c, struct instant when)
{
    return instant_reached(c->session.keepalive.last_received, when);
}

void client_state_refused(struct client *c)
{
    if (!may_be_refused(c)) {
        c->closed = true;
        return;
    }
    if (c->refusals == 0 || was_heard_since(c, c->refused)) {
        c->refusals = 0;
        c->refused = c->now;
    }
    c->refusals++;
}

struct instant client_state_refusal_limit(const struct client *c)
{
    bool refused = may_be_refused(c) && c->refusals >= CLIENT_REFUSALS &&
                   !was_heard_since(c, c->refused);
    return refused
               ? instant_after(c->refused, duration_seconds(CLIENT_REFUSED_FOR))
               : INSTANT_NEVER;
}

void client_state_leave_refused(struct client *c)
{
    char place[CLIENT_PLACE_SIZE];
    if (instant_reached(c->now, client_state_refusal_limit(c)))
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "%s is closed, says ICMP, and has been silent for "
                           "%d s: the server does not run any more",
                           client_state_place(c, place), CLIENT_REFUSED_FOR);
}

void client_state_leave_silent(struct client *c)
{
    char place[CLIENT_PLACE_SIZE];
    client_state_retry(
        c, REMOTE_LIST_TIMED_OUT, NULL, "no answer from %s in %lld s: %s",
        client_state_place(c, place),
        (long long)(instant_since(c->now, c->since).us / 1000000),
        client_state_silence_hint(c));
}

/* Starting a connection. */

void client_state_ask(struct client *c)
{
    client_state_become(c, CLIENT_AWAIT_CREDENTIALS, INSTANT_NEVER);
    c->tell_ask = true;
}

bool client_state_prepare_tls(struct client *c)
{
    struct tls_random random = {c->env.context, c->env.random};
    if (c->tls_ready || config_is_static(c->config))
        return true;
    c->tls_ready =
        tls_context_init(&c->tls, OPENVPN_CLIENT, c->config,
                         credentials_key_password(&c->credentials), &random);
    if (!c->tls_ready)
        tls_context_clear(&c->tls);
    /* Then a person is asked, whoever knew the wrong one. */
    if (!c->tls_ready && c->tls.password_wrong)
        credentials_drop_key_password(&c->credentials);
    return c->tls_ready;
}

/* One that is not valid now is still shown to the server: the clock may be
 * wrong, and it is the server that judges. */
static void look_at_certificate(struct client *c)
{
    char now[CERTIFICATE_DATES_TEXT_SIZE] = "";
    if (!config_is_static(c->config))
        (void)certificate_dates_problem(
            c->tls.own, c->config->pkcs12.size ? "pkcs12" : "cert",
            unix_time(c), now);
    if (now[0] && strcmp(now, c->certificate) != 0)
        log_warn("tunnel: %s: the server may refuse it; ask for a new profile",
                 now);
    memcpy(c->certificate, now, sizeof now);
}

void client_state_connect(struct client *c)
{
    char place[CLIENT_PLACE_SIZE];
    if (!credentials_question(&c->credentials) &&
        !client_state_prepare_tls(c) && !c->tls.password_wrong) {
        client_state_stop(c, "certificates and keys of the profile: %s",
                          c->tls.problem[0] ? c->tls.problem
                                            : "memory is short");
        return;
    }
    if (credentials_question(&c->credentials)) {
        client_state_ask(c);
        return;
    }
    look_at_certificate(c);
    c->remote = remote_list_current(&c->remotes);
    c->tell_connect = true;
    /* A look-up may take longer than a silent server is given. */
    struct address known;
    client_state_become(
        c, CLIENT_CONNECTING,
        remote_list_address(&c->remotes, &known)
            ? client_state_silence_limit(c)
            : client_state_in_seconds(c, c->remote->connect_timeout));
    log_info("tunnel: %s to %s", vpn_state_name(VPN_STATE_CONNECTING),
             client_state_place(c, place));
}

/* One attempt without TLS 1.3 may follow on one with it, so that whoever can
 * forge a server's first words gains nothing for long. */
static void settle_tls_version(struct client *c)
{
    bool without = c->without_tls_1_3;
    c->without_tls_1_3 = false;
    (void)!tls_context_offer_tls_1_3(&c->tls, !without);
}

static bool open_static_session(struct client *c)
{
    const struct config *config = c->config;
    struct static_key key;
    /* A count that begins no later than the one before looks to the peer like
     * a replay of it. */
    uint32_t began = unix_time(c);
    c->static_began = began > c->static_began ? began : c->static_began + 1;
    struct session_static_options options = {
        .env = {c->env.context, c->env.random, c->env.unix_time},
        .key = &key,
        .direction = config->static_key_direction,
        .cipher = config->cipher,
        .digest = config->auth,
        .began = c->static_began,
        .replay_packets = config->replay_packets,
        .replay_seconds = config->replay_seconds,
        .compression = config->compression,
        .compression_refused = config->compression_refused,
        .fragment = data_negotiation_fragment(c->remote, c->outer_overhead),
    };
    if (!static_key_parse(
            bytes_of(config->static_key.data, config->static_key.size), &key))
        return false;
    c->session_open = true;
    bool good = session_static_init(&c->session, &options, c->now);
    secret_wipe(&key, sizeof key);
    return good;
}

static bool open_session(struct client *c)
{
    if (config_is_static(c->config))
        return open_static_session(c);
    settle_tls_version(c);
    const struct config *config = c->config;
    struct session_options options = {
        .role = OPENVPN_CLIENT,
        .tls = &c->tls,
        .env = {c->env.context, c->env.random, c->env.unix_time},
        .tls_timeout = duration_seconds(config->tls_timeout),
        .hand_window = duration_seconds(config->hand_window),
        .tran_window = duration_seconds(config->tran_window),
        .renegotiate_after = duration_seconds(config->reneg_seconds),
        .renegotiate_bytes = config->reneg_bytes,
        .renegotiate_packets = config->reneg_packets,
        .max_packet_size = config->max_packet_size,
        .replay_packets = config->replay_packets,
        .replay_seconds = config->replay_seconds,
        .wrap_key = c->remote->wrap == CONFIG_WRAP_NONE ? NULL : &c->wrap_key,
    };
    if (!client_wrap_init(&c->session.wrap, &c->wrap_key, c->remote,
                          config->auth, unix_time(c)))
        return false;
    c->session_open = true;
    return session_init(&c->session, &options, c->now);
}

void client_state_negotiate(struct client *c)
{
    if (!open_session(c)) {
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "no session can be opened");
        return;
    }
    c->lines = c->refusals = 0;
    c->closed = false;
    client_state_become(c, CLIENT_NEGOTIATING, client_state_silence_limit(c));
    if (c->remote->protocol == CONFIG_UDP)
        c->repeat = client_state_in_seconds(c, CLIENT_HELLO_EVERY);
    if (config_is_static(c->config))
        c->ping_due = true;
    else
        session_start(&c->session, c->now);
}
