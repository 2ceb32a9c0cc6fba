#include "gateway/openvpn/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/client_wrap.h"
#include "gateway/openvpn/credentials.h"
#include "gateway/openvpn/negotiated.h"
#include "gateway/openvpn/options_string.h"
#include "gateway/openvpn/peer_info.h"
#include "gateway/openvpn/push_options.h"
#include "gateway/openvpn/remote_list.h"
#include "gateway/openvpn/session_data.h"
#include "gateway/openvpn/tls_context.h"

enum {
    HELLO_EVERY = 1,        /* s; the first packet, until it is answered: a
                               server that comes back is found within this */
    PUSH_REQUEST_FIRST = 1, /* s after the handshake; most servers push
                               unasked before (openvpn: push.c) */
    PUSH_REQUEST_EVERY = 5, /* s */
    FAILOVER_AFTER = 10,    /* s without an answer, with another remote to
                               try and no connect-timeout in the profile */
    CONNECT_TIMEOUT_DEFAULT = 120, /* s; openvpn: options.c */
    PARTING_MAX = 4,               /* datagrams on the way out */
    ERROR_SIZE = 1024,
    TLS_TEXT_SIZE = 96,
};

/* What IV_PROTO may promise: all of it is done here. */
enum {
    PROTOCOL_BITS = PEER_INFO_DATA_V2 | PEER_INFO_REQUEST_PUSH |
                    PEER_INFO_TLS_KEY_EXPORT | PEER_INFO_AUTH_PENDING_KEYWORDS |
                    PEER_INFO_CC_EXIT_NOTIFY | PEER_INFO_AUTH_FAILED_TEMPORARY |
                    PEER_INFO_DYNAMIC_TLS_CRYPT | PEER_INFO_DNS_OPTION_V2 |
                    PEER_INFO_PUSH_UPDATE,
};

#define CLIENT_VERSION "2.6.14" /* whose protocol this is */

struct parting {
    uint16_t size;
    uint8_t bytes[SESSION_DATAGRAM_MAX];
};

struct client {
    const struct config *config;
    struct client_env env;
    enum client_state state;
    struct instant since, now;
    struct instant deadline; /* of the state; NEVER if it may last */
    struct instant repeat;   /* next hello or PUSH_REQUEST */
    struct remote_list remotes;
    const struct config_remote *remote; /* while there is an attempt */
    uint16_t outer_overhead, outer_mtu;
    struct credentials credentials;
    bool tls_ready;
    bool session_open;
    bool push_open;
    bool waiting_for_rest; /* a push in several messages */
    char peer_cipher[NEGOTIATED_CIPHER_SIZE];
    /* Inactivity. */
    struct instant idle_since;
    uint64_t idle_bytes;
    /* What client_poll() has yet to say. */
    bool tell_connect, tell_disconnect, tell_up, tell_down, tell_ask,
        tell_stopped, ping_due;
    bool uplink_open; /* CONNECT was said and DISCONNECT was not */
    bool up_told;
    uint8_t parting_count, parting_next;
    struct drop_counters drops;
    uint64_t packets_sealed, packets_opened, bytes_sealed, bytes_opened;
    uint64_t negotiations, reconnects;
    char last_error[ERROR_SIZE];
    char tls_text[TLS_TEXT_SIZE];
    struct parting parting[PARTING_MAX];
    struct tls_context tls;
    struct static_key wrap_key;
    struct push_options push;
    struct session session;
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
_Static_assert(sizeof state_names / sizeof *state_names == CLIENT_STATE_COUNT,
               "every state has a name");

const char *client_state_name(enum client_state state)
{
    return state < CLIENT_STATE_COUNT ? state_names[state] : "?";
}

/* The one place where the state changes. */
static void become(struct client *c, enum client_state state,
                   struct instant deadline)
{
    if (c->state != state) {
        log_debug("openvpn: %s", state_names[state]);
        c->since = c->now;
    }
    c->state = state;
    c->deadline = deadline;
    c->repeat = INSTANT_NEVER;
}

static struct instant in_seconds(const struct client *c, int64_t seconds)
{
    return instant_after(c->now, duration_seconds(seconds));
}

static uint32_t unix_time(const struct client *c)
{
    return c->env.unix_time(c->env.context);
}

/* Leaving a connection. */

static void add_parting(struct client *c, struct bytes datagram)
{
    if (datagram.size == 0 || c->parting_count == PARTING_MAX)
        return;
    struct parting *p = &c->parting[c->parting_count++];
    memcpy(p->bytes, datagram.data, datagram.size);
    p->size = (uint16_t)datagram.size;
}

/* Goodbye, where the server knows the word; it frees what it holds. */
static void say_goodbye(struct client *c)
{
    bool datagrams = c->remote && c->remote->protocol == CONFIG_UDP;
    if (c->state != CLIENT_UP)
        return;
    if (c->push.cc_exit)
        (void)!session_send(&c->session, c->now, "EXIT");
    else if (datagrams &&
             (c->push.explicit_exit_notify || c->remote->explicit_exit_notify))
        add_parting(c, session_data_goodbye(&c->session, c->now));
}

/* Closes everything of this connection; what was still to be said (an alert,
 * EXIT) is kept in copies for client_poll(). */
static void disconnect(struct client *c)
{
    struct bytes datagram;
    if (c->parting_next == c->parting_count)
        c->parting_next = c->parting_count = 0;
    if (c->session_open) {
        while (session_heard(&c->session) && c->parting_count < PARTING_MAX &&
               session_transmit(&c->session, c->now, &datagram))
            add_parting(c, datagram);
        session_clear(&c->session);
        c->session_open = false;
        credentials_disconnected(&c->credentials);
    }
    if (c->push_open)
        push_options_clear(&c->push);
    c->push_open = false;
    c->ping_due = false;
    c->tell_up = false;
    c->tell_down = c->up_told;
    c->tell_connect = false;
    c->tell_disconnect = c->uplink_open;
    c->tls_text[0] = 0;
}

static void remember_error(struct client *c, const char *format,
                           va_list arguments)
{
    vsnprintf(c->last_error, sizeof c->last_error, format, arguments);
}

static void stop(struct client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void stop(struct client *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember_error(c, format, arguments);
    va_end(arguments);
    disconnect(c);
    c->tell_ask = false;
    c->tell_stopped = true;
    become(c, CLIENT_STOPPED, INSTANT_NEVER);
    log_info("openvpn: stopped: %s", c->last_error);
}

/* Gives this connection up and plans the next attempt. */
static void retry(struct client *c, enum remote_list_end end,
                  const struct remote_list_advice *advice, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

static void retry(struct client *c, enum remote_list_end end,
                  const struct remote_list_advice *advice, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember_error(c, format, arguments);
    va_end(arguments);
    if (c->state == CLIENT_UP)
        end = REMOTE_LIST_LOST;
    disconnect(c);
    c->reconnects++;
    c->remote = NULL;
    struct instant next = remote_list_next(&c->remotes, c->now, end, advice);
    if (instant_is_never(next)) {
        char last[ERROR_SIZE / 2];
        snprintf(last, sizeof last, "%.*s", (int)sizeof last - 1,
                 c->last_error);
        stop(c, "%s; that was the last attempt (connect-retry-max)", last);
        return;
    }
    become(c, CLIENT_PAUSING, next);
    log_warn("openvpn: %s; next attempt in %lld s", c->last_error,
             (long long)((instant_since(next, c->now).us + 999999) / 1000000));
}

/* Starting a connection. */

static void ask(struct client *c)
{
    become(c, CLIENT_AWAIT_CREDENTIALS, INSTANT_NEVER);
    c->tell_ask = true;
}

static bool prepare_tls(struct client *c)
{
    struct tls_random random = {c->env.context, c->env.random};
    if (c->tls_ready)
        return true;
    c->tls_ready =
        tls_context_init(&c->tls, OPENVPN_CLIENT, c->config,
                         credentials_key_password(&c->credentials), &random);
    if (!c->tls_ready)
        tls_context_clear(&c->tls);
    return c->tls_ready;
}

static void connect(struct client *c)
{
    /* A wrong password of the private key is asked for again. */
    while (!credentials_question(&c->credentials) && !prepare_tls(c)) {
        credentials_drop_key_password(&c->credentials);
        if (!credentials_question(&c->credentials)) {
            stop(c, "the profile's certificate or key cannot be used");
            return;
        }
    }
    if (credentials_question(&c->credentials)) {
        ask(c);
        return;
    }
    c->remote = remote_list_current(&c->remotes);
    c->tell_connect = true;
    become(c, CLIENT_CONNECTING, in_seconds(c, c->remote->connect_timeout));
    log_info("openvpn: connecting to %s port %u", c->remote->host,
             c->remote->port);
}

static bool open_session(struct client *c)
{
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

/* How long a silent server is waited for. */
static struct instant silence_limit(const struct client *c)
{
    uint32_t seconds = c->remote->connect_timeout;
    if (c->config->remote_count > 1 && seconds == CONNECT_TIMEOUT_DEFAULT)
        seconds = FAILOVER_AFTER;
    return in_seconds(c, seconds);
}

void client_connected(struct client *c, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu)
{
    c->now = now;
    if (c->state != CLIENT_CONNECTING)
        return;
    c->outer_overhead = outer_overhead;
    c->outer_mtu = outer_mtu;
    if (!open_session(c)) {
        retry(c, REMOTE_LIST_FAILED, NULL, "no session can be opened");
        return;
    }
    become(c, CLIENT_NEGOTIATING, silence_limit(c));
    c->repeat = in_seconds(c, HELLO_EVERY);
    session_start(&c->session, now);
}

/* The key method 2 messages of both ends. */

static void send_exchange(struct client *c)
{
    char options[OPTIONS_STRING_SIZE], info[PEER_INFO_SIZE];
    struct options_string ours = options_string_of(c->config, c->remote);
    struct peer_info about = {
        .version = CLIENT_VERSION,
        .protocol = PROTOCOL_BITS,
    };
    struct key_exchange message = {0};
    if (!options_string_format(&ours, options) ||
        !peer_info_format(&about, c->config, info)) {
        stop(c, "the profile's ciphers or digest cannot be told the server");
        return;
    }
    message.options = bytes_of_text(options);
    message.peer_info = bytes_of_text(info);
    credentials_write(&c->credentials, &message);
    /* Where it fails, SESSION_FAILED follows. */
    (void)!session_exchange(&c->session, c->now, &message);
}

static void take_exchange(struct client *c, const struct key_exchange *theirs)
{
    if (!options_string_value(theirs->options, "cipher", c->peer_cipher,
                              sizeof c->peer_cipher))
        c->peer_cipher[0] = 0;
}

/* From the handshake to the tunnel. */

static void report_push(void *context, const char *text)
{
    (void)context;
    log_warn("openvpn: %s", text);
}

static void await_push(struct client *c)
{
    c->negotiations++;
    tls_session_describe(&c->session.primary->control.tls, c->tls_text,
                         sizeof c->tls_text);
    log_info("openvpn: %s is \"%s\", %s", c->remote->host,
             c->session.primary->control.tls.verify.common_name, c->tls_text);
    push_options_init(&c->push, c->config, report_push, c);
    c->push.tun_mtu = c->remote->tun_mtu;
    c->push_open = true;
    c->waiting_for_rest = false;
    become(c, CLIENT_AWAIT_PUSH_REPLY, in_seconds(c, c->config->hand_window));
    c->repeat = in_seconds(c, PUSH_REQUEST_FIRST);
}

/* Makes or changes the tunnel out of what was pushed. */
static bool settle_tunnel(struct client *c)
{
    const char *why = "";
    if (!push_options_finish(&c->push, &why)) {
        retry(c, REMOTE_LIST_FAILED, NULL,
              "what the server pushed is no "
              "tunnel: %s",
              why);
        return false;
    }
    struct burst_layout layout = session_data_layout(&c->session);
    c->push.tunnel.mss_mtu =
        negotiated_mss_mtu(c->remote, &layout, c->push.tunnel.mtu,
                           c->outer_overhead, c->outer_mtu);
    return true;
}

static bool establish(struct client *c)
{
    struct session_data_options options = {
        .peer_id = c->push.peer_id,
        .exporter = c->push.tls_ekm,
        .dynamic_wrap = c->push.dyn_tls_crypt,
        .compression = c->push.compression_set ? c->push.compression
                                               : c->config->compression,
    };
    if (!negotiated_cipher(c->config, c->push.cipher, c->peer_cipher,
                           options.cipher)) {
        retry(c, REMOTE_LIST_FAILED, NULL,
              "no data cipher in common: the server wants %s, the profile has "
              "%s",
              c->push.cipher[0] ? c->push.cipher : c->peer_cipher,
              c->config->data_ciphers);
        return false;
    }
    return session_data_establish(&c->session, c->now, &options);
}

static void start_timers(struct client *c)
{
    uint32_t restart = c->push.ping_restart;
    if (restart == 0)
        restart = c->push.ping_exit;
    keepalive_init(&c->session.keepalive, c->now, c->push.ping, restart);
    c->idle_since = c->now;
    c->idle_bytes = 0;
}

static void go_up(struct client *c)
{
    if (c->push.rejected || c->push.aead_epoch) {
        retry(c, REMOTE_LIST_FAILED, NULL,
              "the server pushed an option that "
              "the profile rejects or this program does not know");
        return;
    }
    if (!establish(c) || !settle_tunnel(c))
        return;
    credentials_accepted(&c->credentials);
    if (c->push.auth_token[0])
        credentials_token(&c->credentials, c->push.auth_token_user,
                          c->push.auth_token);
    remote_list_succeeded(&c->remotes);
    start_timers(c);
    become(c, CLIENT_UP,
           c->push.session_timeout ? in_seconds(c, c->push.session_timeout)
                                   : INSTANT_NEVER);
    c->last_error[0] = 0;
    c->tell_up = true;
    log_info("openvpn: up, %s", c->session.data.cipher);
}

static void take_push(struct client *c, struct bytes text)
{
    if (c->state != CLIENT_AWAIT_PUSH_REPLY ||
        !push_options_add(&c->push, text, c->config, report_push, c))
        return;
    c->waiting_for_rest = c->push.continuation == 2;
    if (!c->waiting_for_rest)
        go_up(c);
}

/* While the tunnel stands a server repeats PUSH_REPLY only to replace the
 * token, after a renegotiation; nothing else of it counts. */
static void take_later_push(struct client *c, struct bytes text)
{
    struct push_options *later = calloc(1, sizeof *later);
    if (!later)
        return;
    push_options_init(later, c->config, NULL, NULL);
    if (push_options_add(later, text, c->config, NULL, NULL) &&
        later->auth_token[0])
        credentials_token(&c->credentials, later->auth_token_user,
                          later->auth_token);
    push_options_clear(later);
    free(later);
}

static void take_push_update(struct client *c, struct bytes text)
{
    if (c->state != CLIENT_UP ||
        !push_options_add(&c->push, text, c->config, report_push, c))
        return;
    if (c->push.rejected) {
        retry(c, REMOTE_LIST_FAILED, NULL,
              "the server changed something that "
              "cannot change while connected");
        return;
    }
    if (c->push.continuation != 2 && settle_tunnel(c))
        c->tell_up = true;
}

/* Messages of the server. */

static void take_auth_failed(struct client *c, struct bytes rest)
{
    static const enum remote_list_advance advances[] = {
        [CONTROL_ADVANCE_NO] = REMOTE_LIST_STAY,
        [CONTROL_ADVANCE_ADDRESS] = REMOTE_LIST_NEXT_ADDRESS,
        [CONTROL_ADVANCE_REMOTE] = REMOTE_LIST_NEXT_REMOTE,
    };
    struct control_auth_failed failed;
    char reason[LOG_QUOTE_SIZE];
    control_message_auth_failed(rest, &failed);
    log_quote(reason, failed.reason);
    if (failed.failure == CONTROL_AUTH_TEMPORARY) {
        struct remote_list_advice advice = {advances[failed.advance],
                                            failed.backoff};
        retry(c, REMOTE_LIST_FAILED, &advice,
              "the server cannot log us in now: %s", reason);
        return;
    }
    struct remote_list_advice stay = {REMOTE_LIST_STAY, 0};
    switch (credentials_refused(&c->credentials, rest)) {
    case CREDENTIALS_AGAIN:
        retry(c, REMOTE_LIST_LOST, &stay,
              "the server no longer accepts the session's token");
        break;
    case CREDENTIALS_LATER:
        retry(c, REMOTE_LIST_AUTH_FAILED, NULL, "the server refuses us: %s",
              reason[0] ? reason : "it does not say why");
        break;
    case CREDENTIALS_ASK:
        retry(c, REMOTE_LIST_AUTH_FAILED, &stay,
              "the server refuses the credentials: %s", reason);
        if (c->state == CLIENT_PAUSING)
            ask(c);
        break;
    }
}

static void take_auth_pending(struct client *c, struct bytes rest)
{
    uint32_t wanted = control_message_auth_pending(rest);
    uint32_t most = c->config->reneg_seconds / 2;
    if (most < c->config->hand_window)
        most = c->config->hand_window;
    if (c->state != CLIENT_AWAIT_PUSH_REPLY)
        return;
    log_info("openvpn: the server waits for an approval");
    c->deadline = instant_after(
        c->since, duration_seconds(wanted < most ? wanted : most));
    if (wanted == 0)
        c->deadline = in_seconds(c, c->config->hand_window);
}

/* Shown, never opened and never run. */
static void take_info(struct client *c, struct bytes rest)
{
    struct control_info info;
    char text[LOG_QUOTE_SIZE];
    (void)c;
    control_message_info(rest, &info);
    log_info("openvpn: the server says: %s", log_quote(text, info.text));
}

static void take_signal(struct client *c, bool halt, struct bytes rest)
{
    struct control_signal s;
    char reason[LOG_QUOTE_SIZE];
    control_message_signal(rest, &s);
    log_quote(reason, s.reason);
    struct remote_list_advice advice = {
        s.advance ? REMOTE_LIST_NEXT_REMOTE : REMOTE_LIST_STAY, 0};
    if (halt)
        stop(c, "the server ended the session for good: %s", reason);
    else
        retry(c, REMOTE_LIST_LOST, &advice, "the server wants a restart: %s",
              reason);
}

static void take_message(struct client *c, const struct control_message *m)
{
    switch (m->type) {
    case CONTROL_MESSAGE_PUSH_REPLY:
        if (c->state == CLIENT_UP)
            take_later_push(c, m->text);
        else
            take_push(c, m->text);
        break;
    case CONTROL_MESSAGE_PUSH_UPDATE:
        take_push_update(c, m->text);
        break;
    case CONTROL_MESSAGE_AUTH_FAILED:
        take_auth_failed(c, m->rest);
        break;
    case CONTROL_MESSAGE_AUTH_PENDING:
        take_auth_pending(c, m->rest);
        break;
    case CONTROL_MESSAGE_RESTART:
    case CONTROL_MESSAGE_HALT:
        take_signal(c, m->type == CONTROL_MESSAGE_HALT, m->rest);
        break;
    case CONTROL_MESSAGE_EXIT:
        retry(c, REMOTE_LIST_LOST, NULL, "the server said goodbye");
        break;
    case CONTROL_MESSAGE_INFO:
    case CONTROL_MESSAGE_INFO_PRE:
        take_info(c, m->rest);
        break;
    case CONTROL_MESSAGE_PUSH_REQUEST:
    case CONTROL_MESSAGE_CR_RESPONSE:
    case CONTROL_MESSAGE_UNKNOWN:
    case CONTROL_MESSAGE_TYPE_COUNT:
        break;
    }
}

static void take_event(struct client *c, const struct session_event *event)
{
    switch (event->type) {
    case SESSION_EXCHANGE_WANTED:
        send_exchange(c);
        break;
    case SESSION_EXCHANGE:
        take_exchange(c, &event->exchange);
        break;
    case SESSION_ACTIVE:
        await_push(c);
        if (!c->config->pull)
            go_up(c);
        break;
    case SESSION_RENEGOTIATED:
        c->negotiations++;
        log_info("openvpn: new data keys");
        break;
    case SESSION_MESSAGE:
        take_message(c, &event->message);
        break;
    case SESSION_PEER_EXIT:
        retry(c, REMOTE_LIST_LOST, NULL, "the server said goodbye");
        break;
    case SESSION_FAILED:
        retry(c, REMOTE_LIST_FAILED, NULL, "%s", event->why);
        break;
    }
}

/* After each input: lets the session's news have their effect. */
static void settle(struct client *c)
{
    struct session_event event;
    while (c->session_open && session_next(&c->session, c->now, &event))
        take_event(c, &event);
}

/* Inputs. */

struct client *client_new(const struct config *config,
                          const struct client_env *env)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c || config->remote_count == 0) {
        free(c);
        return NULL;
    }
    c->config = config;
    c->env = *env;
    c->deadline = c->repeat = INSTANT_NEVER;
    credentials_init(&c->credentials, config);
    if (!remote_list_init(&c->remotes, config, env->random, env->context)) {
        client_free(c);
        return NULL;
    }
    /* An encrypted key has to wait for its password. */
    bool encrypted = c->credentials.key_encrypted &&
                     credentials_key_password(&c->credentials).size == 0;
    if (!encrypted && !prepare_tls(c)) {
        client_free(c);
        return NULL;
    }
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    if (c->session_open)
        session_clear(&c->session);
    if (c->push_open)
        push_options_clear(&c->push);
    if (c->tls_ready)
        tls_context_clear(&c->tls);
    remote_list_clear(&c->remotes);
    credentials_clear(&c->credentials);
    secret_wipe(c, sizeof *c);
    free(c);
}

void client_start(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_IDLE)
        connect(c);
}

void client_failed(struct client *c, struct instant now, const char *why)
{
    c->now = now;
    switch (c->state) {
    case CLIENT_CONNECTING:
    case CLIENT_NEGOTIATING:
    case CLIENT_AWAIT_PUSH_REPLY:
    case CLIENT_UP:
        retry(c, REMOTE_LIST_FAILED, NULL, "%s", why);
        c->parting_next = c->parting_count = 0; /* no way to send them */
        break;
    case CLIENT_IDLE:
    case CLIENT_PAUSING:
    case CLIENT_AWAIT_CREDENTIALS:
    case CLIENT_STOPPED:
    case CLIENT_STATE_COUNT:
        break;
    }
}

void client_reconnect(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_IDLE || c->state == CLIENT_STOPPED)
        return;
    say_goodbye(c);
    disconnect(c);
    snprintf(c->last_error, sizeof c->last_error, "told to reconnect");
    log_info("openvpn: told to reconnect");
    connect(c);
}

void client_credentials(struct client *c, struct instant now,
                        const char *username, const char *password,
                        const char *response)
{
    c->now = now;
    credentials_answer(&c->credentials, username, password, response);
    if (c->state == CLIENT_AWAIT_CREDENTIALS)
        connect(c);
}

void client_stop(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_STOPPED)
        return;
    say_goodbye(c);
    stop(c, "told to stop");
}

/* Timers. */

static void in_negotiating(struct client *c)
{
    if (session_heard(&c->session)) {
        c->deadline = c->repeat = INSTANT_NEVER;
    } else if (instant_reached(c->now, c->deadline)) {
        retry(c, REMOTE_LIST_TIMED_OUT, NULL, "no answer from %s port %u",
              c->remote->host, c->remote->port);
    } else if (instant_reached(c->now, c->repeat)) {
        session_hasten(&c->session, c->now);
        c->repeat = in_seconds(c, HELLO_EVERY);
    }
}

static void in_await_push_reply(struct client *c)
{
    if (instant_reached(c->now, c->deadline)) {
        retry(c, REMOTE_LIST_FAILED, NULL, "the server pushed no options");
    } else if (instant_reached(c->now, c->repeat)) {
        if (!c->waiting_for_rest)
            (void)!session_send(&c->session, c->now, "PUSH_REQUEST");
        c->repeat = in_seconds(c, PUSH_REQUEST_EVERY);
    }
}

static struct instant idle_limit(const struct client *c)
{
    return c->push.inactive ? instant_after(c->idle_since,
                                            duration_seconds(c->push.inactive))
                            : INSTANT_NEVER;
}

static void in_up(struct client *c)
{
    struct keepalive *k = &c->session.keepalive;
    if (keepalive_timed_out(k, c->now)) {
        retry(c, REMOTE_LIST_LOST, NULL,
              "the server has been silent for %lld "
              "s",
              (long long)(k->timeout.us / 1000000));
        return;
    }
    if (instant_reached(c->now, c->deadline)) {
        retry(c, REMOTE_LIST_LOST, NULL, "the session's time is over");
        return;
    }
    if (keepalive_ping_due(k, c->now))
        c->ping_due = true;
    if (!instant_reached(c->now, idle_limit(c)))
        return;
    uint64_t bytes = c->bytes_sealed + c->bytes_opened;
    if (bytes - c->idle_bytes <= c->push.inactive_bytes)
        retry(c, REMOTE_LIST_LOST, NULL, "the tunnel was not used for %u s",
              c->push.inactive);
    c->idle_bytes = bytes;
    c->idle_since = c->now;
}

void client_expire(struct client *c, struct instant now)
{
    c->now = now;
    if (c->session_open)
        session_expire(&c->session, now);
    settle(c);
    switch (c->state) {
    case CLIENT_CONNECTING:
        if (instant_reached(now, c->deadline))
            retry(c, REMOTE_LIST_TIMED_OUT, NULL, "no connection to %s port %u",
                  c->remote->host, c->remote->port);
        break;
    case CLIENT_NEGOTIATING:
        in_negotiating(c);
        break;
    case CLIENT_AWAIT_PUSH_REPLY:
        in_await_push_reply(c);
        break;
    case CLIENT_UP:
        in_up(c);
        break;
    case CLIENT_PAUSING:
        if (instant_reached(now, c->deadline))
            connect(c);
        break;
    case CLIENT_IDLE:
    case CLIENT_AWAIT_CREDENTIALS:
    case CLIENT_STOPPED:
    case CLIENT_STATE_COUNT:
        break;
    }
    settle(c);
}

struct instant client_deadline(const struct client *c)
{
    struct instant t = instant_earlier(c->deadline, c->repeat);
    if (c->session_open)
        t = instant_earlier(t, session_deadline(&c->session));
    if (c->state == CLIENT_UP) {
        if (!c->ping_due)
            t = instant_earlier(t, keepalive_deadline(&c->session.keepalive));
        t = instant_earlier(t, idle_limit(c));
    }
    return t;
}

/* Outputs. */

static bool take_flag(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

static bool poll_send(struct client *c, struct client_action *out)
{
    out->type = CLIENT_ACTION_SEND;
    if (!c->session_open)
        return false;
    if (session_transmit(&c->session, c->now, &out->bytes))
        return true;
    if (!take_flag(&c->ping_due))
        return false;
    out->bytes = session_data_ping(&c->session, c->now);
    return out->bytes.size > 0;
}

/* In an order that makes sense for whatever happened between two calls: the
 * end of one connection first, then the next. */
bool client_poll(struct client *c, struct client_action *out)
{
    *out = (struct client_action){.text = c->last_error};
    if (take_flag(&c->tell_down)) {
        c->up_told = false;
        out->type = CLIENT_ACTION_DOWN;
    } else if (c->parting_next < c->parting_count) {
        struct parting *p = &c->parting[c->parting_next++];
        out->type = CLIENT_ACTION_SEND;
        out->bytes = bytes_of(p->bytes, p->size);
    } else if (take_flag(&c->tell_disconnect)) {
        c->uplink_open = false;
        out->type = CLIENT_ACTION_DISCONNECT;
    } else if (take_flag(&c->tell_stopped)) {
        out->type = CLIENT_ACTION_STOPPED;
    } else if (take_flag(&c->tell_ask)) {
        out->type = CLIENT_ACTION_ASK;
        out->text = credentials_question(&c->credentials);
    } else if (take_flag(&c->tell_connect)) {
        c->uplink_open = true;
        c->parting_count = c->parting_next = 0;
        out->type = CLIENT_ACTION_CONNECT;
        out->remote = c->remote;
    } else if (take_flag(&c->tell_up)) {
        c->up_told = true;
        out->type = CLIENT_ACTION_UP;
        out->tunnel = &c->push.tunnel;
    } else {
        return poll_send(c, out);
    }
    return true;
}

/* Packets. */

struct burst_layout client_layout(const struct client *c)
{
    return c->state == CLIENT_UP ? session_data_layout(&c->session)
                                 : (struct burst_layout){0};
}

bool client_seal(struct client *c, struct instant now, struct burst *burst)
{
    uint64_t bytes = 0, packets = 0;
    c->now = now;
    if (c->state != CLIENT_UP)
        return false;
    for (size_t i = 0; i < burst->count; i++) {
        bytes += burst->datagrams[i].inner_size;
        packets++;
    }
    if (!session_data_seal(&c->session, now, burst))
        return false;
    c->bytes_sealed += bytes;
    c->packets_sealed += packets;
    for (size_t i = 0; i < burst->count; i++) {
        if (burst->datagrams[i].drop != DROP_NONE)
            drop_count(&c->drops, burst->datagrams[i].drop);
    }
    return true;
}

static bool is_data(const struct datagram *d)
{
    return d->size > 0 && opcode_is_data(opcode_of(d->data[0]));
}

static void drop_all(struct burst *burst, size_t first, size_t count,
                     enum drop reason)
{
    for (size_t i = first; i < first + count; i++)
        burst->datagrams[i].drop = (uint8_t)reason;
}

static void open_control(struct client *c, struct datagram *d)
{
    enum drop drop = DROP_CONTROL_SESSION;
    d->inner_size = 0;
    if (c->session_open)
        drop = session_receive(&c->session, c->now, bytes_of(d->data, d->size));
    d->drop = (uint8_t)drop;
    settle(c);
}

static void count_opened(struct client *c, const struct burst *burst)
{
    for (size_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop != DROP_NONE) {
            drop_count(&c->drops, d->drop);
        } else if (d->inner_size > 0) {
            c->packets_opened++;
            c->bytes_opened += d->inner_size;
        }
    }
}

void client_open(struct client *c, struct instant now, struct burst *burst)
{
    c->now = now;
    for (size_t first = 0, count; first < burst->count; first += count) {
        count = 1;
        if (!is_data(&burst->datagrams[first])) {
            open_control(c, &burst->datagrams[first]);
            continue;
        }
        while (first + count < burst->count &&
               is_data(&burst->datagrams[first + count]))
            count++;
        if (c->state == CLIENT_UP)
            session_data_open(&c->session, now, burst, first, count);
        else
            drop_all(burst, first, count, DROP_DATA_NO_KEY);
    }
    settle(c);
    count_opened(c, burst);
}

/* Status. */

void client_status(const struct client *c, struct client_status *out)
{
    bool up = c->state == CLIENT_UP;
    const struct data_channel *sender =
        up ? session_data_sender(&c->session, c->now) : NULL;
    *out = (struct client_status){
        .state = c->state,
        .since = c->since,
        .next_try = c->state == CLIENT_PAUSING ? c->deadline : INSTANT_NEVER,
        .remote = c->remote,
        .cipher = up ? c->session.data.cipher : NULL,
        .tls = c->tls_text[0] ? c->tls_text : NULL,
        .crypto_library = sender ? data_channel_library(sender) : NULL,
        .last_error = c->last_error[0] ? c->last_error : NULL,
        .tunnel = up ? &c->push.tunnel : NULL,
        .packets_sealed = c->packets_sealed,
        .packets_opened = c->packets_opened,
        .bytes_sealed = c->bytes_sealed,
        .bytes_opened = c->bytes_opened,
        .negotiations = c->negotiations,
        .reconnects = c->reconnects,
        .drops = &c->drops,
    };
}
