#include "gateway/openvpn/client/client_event.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/push/push_text.h"
#include "gateway/openvpn/session/options_string.h"
#include "gateway/openvpn/session/peer_info.h"
#include "gateway/openvpn/session/session_static.h"

enum {
    PUSH_REQUEST_FIRST = 1
}; /* s after the handshake; most servers push
      unasked before (openvpn: push.c) */

/* The promises of IV_PROTO: all of it is done here. */
enum {
    PROTOCOL_BITS = PEER_INFO_DATA_V2 | PEER_INFO_REQUEST_PUSH |
                    PEER_INFO_TLS_KEY_EXPORT | PEER_INFO_AUTH_PENDING_KEYWORDS |
                    PEER_INFO_CC_EXIT_NOTIFY | PEER_INFO_AUTH_FAILED_TEMPORARY |
                    PEER_INFO_DYNAMIC_TLS_CRYPT | PEER_INFO_DATA_EPOCH |
                    PEER_INFO_DNS_OPTION_V2 | PEER_INFO_PUSH_UPDATE,
};

#define CLIENT_VERSION "2.6.14" /* whose protocol this is */

/* The key method 2 messages of both ends. */

static void send_exchange(struct client *c)
{
    char options[OPTIONS_STRING_SIZE], info[PEER_INFO_SIZE];
    struct options_string ours = options_string_of(c->config, c->remote);
    struct peer_info about = {
        .version = CLIENT_VERSION,
        .protocol = c->config->pull ? (uint32_t)PROTOCOL_BITS
                                    : peer_agreement_protocol(),
        /* It would be an invitation to compress, so only who has it in the
         * profile says it. */
        .lzo = c->config->compression == CONFIG_COMPRESSION_LZO &&
               !c->config->compression_refused,
        .lz4 = c->config->compression_lz4 && !c->config->compression_refused,
        .sso = "webauth,openurl,crtext",
    };
    struct key_exchange message = {0};
    if (!options_string_format(&ours, options) ||
        !peer_info_format(&about, c->config, info)) {
        client_state_stop(
            c, "the profile's ciphers or digest cannot be told the server");
        return;
    }
    message.options = bytes_of_text(options);
    message.peer_info = bytes_of_text(info);
    credentials_write(&c->credentials, &message);
    /* If it fails, SESSION_FAILED follows. */
    (void)!session_exchange(&c->session, c->now, &message);
    credentials_sent(&c->credentials);
}

/* With `fragment` at one end alone no packet gets through, and nothing else
 * tells the user why. A server with `disable-occ` does not say what it has. */
static void compare_fragment(const struct client *c, struct bytes theirs)
{
    char place[CLIENT_PLACE_SIZE];
    bool cuts = options_string_has(theirs, "mtu-dynamic");
    if (c->state == CLIENT_UP || !options_string_has(theirs, "V4") ||
        cuts == (c->remote->fragment > 0))
        return;
    if (cuts)
        log_warn("tunnel: %s has `fragment', the profile has not, and so no "
                 "packet will get through; write `fragment 1300' into the "
                 "profile",
                 client_state_place(c, place));
    else
        log_warn("tunnel: the profile has `fragment', %s has not, and so no "
                 "packet will get through; take it out of the profile",
                 client_state_place(c, place));
}

static void take_exchange(struct client *c, const struct key_exchange *theirs)
{
    compare_fragment(c, theirs->options);
    if (!options_string_value(theirs->options, "cipher", c->peer_cipher,
                              sizeof c->peer_cipher))
        c->peer_cipher[0] = 0;
    peer_agreement_agree(c->config, theirs->peer_info, &c->p2p);
}

/* From the handshake to the tunnel. */

/* Lines that a server can cause as often as it likes must not fill the disk. */
static bool may_tell(struct client *c)
{
    if (c->lines > CLIENT_LINES_MAX)
        return false;
    if (++c->lines <= CLIENT_LINES_MAX)
        return true;
    log_warn("tunnel: the server sends too many messages: no more are logged");
    return false;
}

static void report_push(void *context, const char *text)
{
    if (may_tell(context))
        log_warn("tunnel: %s", text);
}

static void open_push(struct client *c)
{
    push_options_init(&c->push, c->config, report_push, c);
    c->push.tun_mtu = c->remote->tun_mtu;
    c->push_open = true;
    c->waiting_for_rest = false;
}

static void await_push(struct client *c)
{
    const struct tls_session *tls = &c->session.primary->control.tls;
    c->negotiations++;
    log_quote(c->server_name, bytes_of_text(tls->verify.common_name));
    tls_session_describe(tls, c->tls_text, sizeof c->tls_text);
    log_info("tunnel: %s is \"%s\", %s", c->remote->host, c->server_name,
             c->tls_text);
    open_push(c);
    client_state_become(c, CLIENT_AWAIT_PUSH_REPLY,
                        client_state_in_seconds(c, c->config->hand_window));
    c->repeat = client_state_in_seconds(c, PUSH_REQUEST_FIRST);
}

void client_event_fit_path(struct client *c)
{
    struct burst_layout layout = session_data_layout(&c->session);
    /* TCP cuts what it carries as it likes. */
    if (c->remote->protocol == CONFIG_UDP)
        c->push.tunnel.path_mtu =
            data_negotiation_path_mtu(&layout, c->outer_overhead, c->outer_mtu);
    c->push.tunnel.mss_mtu =
        data_negotiation_mss_mtu(c->remote, &layout, c->push.tunnel.mtu,
                                 c->outer_overhead, c->outer_mtu);
}

/* Makes or changes the tunnel out of what was pushed. */
static bool settle_tunnel(struct client *c)
{
    const char *why = "";
    if (!push_options_finish(&c->push, &why)) {
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server's options make no tunnel: %s", why);
        return false;
    }
    client_event_fit_path(c);
    if (c->push.route.left)
        log_warn("tunnel: %u of the server's routes are left out: %d is the "
                 "most",
                 c->push.route.left, TUNNEL_ROUTES_MAX);
    return true;
}

static bool establish(struct client *c)
{
    struct session_data_options options = {
        .peer_id = c->push.peer_id,
        .digest = c->config->auth,
        .epoch = c->push.aead_epoch,
        .exporter = c->push.tls_ekm,
        .dynamic_wrap = c->push.dyn_tls_crypt,
        .compression = c->push.compression_set ? c->push.compression
                                               : c->config->compression,
        .compression_refused = c->config->compression_refused,
        .fragment = data_negotiation_fragment(c->remote, c->outer_overhead),
    };
    if (!data_negotiation_cipher(c->config, c->push.cipher, c->peer_cipher,
                                 options.cipher)) {
        const char *wanted =
            c->push.cipher[0] ? c->push.cipher : c->peer_cipher;
        char quoted[LOG_QUOTE_SIZE];
        client_state_retry(
            c, REMOTE_LIST_FAILED, NULL,
            "no data cipher in common: the server wants %s, the profile has "
            "%s",
            log_quote(quoted, bytes_of_text(wanted)), c->config->data_ciphers);
        return false;
    }
    return session_data_establish(&c->session, c->now, &options);
}

static void start_timers(struct client *c)
{
    keepalive_init(&c->session.keepalive, c->now, c->push.ping,
                   c->push.ping_restart);
    c->idle_since = c->now;
    c->idle_bytes = 0;
}

static void go_up(struct client *c)
{
    if (c->push.rejected) {
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server sent an option that the profile rejects "
                           "or this program does not know");
        return;
    }
    bool has_keys = config_is_static(c->config) || establish(c);
    if (!has_keys || !settle_tunnel(c))
        return;
    credentials_accepted(&c->credentials);
    if (c->push.auth_token[0])
        credentials_token(&c->credentials, c->push.auth_token_user,
                          c->push.auth_token);
    remote_list_succeeded(&c->remotes);
    start_timers(c);
    client_state_become(
        c, CLIENT_UP,
        c->push.session_timeout
            ? client_state_in_seconds(c, c->push.session_timeout)
            : INSTANT_NEVER);
    c->last_error[0] = 0;
    c->question[0] = 0;
    c->challenged = false;
    c->tell_up = true;
}

/* Sets what a server would have pushed. */
static void go_up_unpushed(struct client *c)
{
    uint8_t id[PEER_AGREEMENT_PEER_ID_SIZE];
    struct tls_session *tls = &c->session.primary->control.tls;
    struct push_options *o = &c->push;
    o->tls_ekm = c->p2p.key_export;
    o->dyn_tls_crypt = c->p2p.dynamic_tls_crypt;
    o->cc_exit = c->p2p.cc_exit;
    memcpy(o->cipher, c->p2p.cipher, sizeof o->cipher);
    if (c->p2p.data_v2)
        o->peer_id = PEER_AGREEMENT_PEER_ID;
    if (c->p2p.data_v2 && c->p2p.key_export &&
        tls_session_export(tls, PEER_AGREEMENT_PEER_ID_LABEL, id, sizeof id))
        o->peer_id = (uint32_t)(id[0] << 16 | id[1] << 8 | id[2]);
    go_up(c);
}

static void log_push(struct client *c, struct bytes message)
{
    char text[PUSH_TEXT_SIZE];
    if (log_get_level() >= LOG_DEBUG && may_tell(c))
        log_debug("tunnel: the server pushes %s", push_text(message, text));
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
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server changed an option that cannot change "
                           "while connected");
        return;
    }
    if (c->push.continuation != 2 && settle_tunnel(c))
        c->tell_up = true;
}

/* Messages of the server. */

/* The server's reason, quoted. */
static const char *reason_of(char quoted[LOG_QUOTE_SIZE], struct bytes text)
{
    log_quote(quoted, text);
    return quoted[0] ? quoted : "it does not say why";
}

static void take_auth_failed(struct client *c, struct bytes rest)
{
    static const enum remote_list_advance advances[] = {
        [CONTROL_ADVANCE_NO] = REMOTE_LIST_STAY,
        [CONTROL_ADVANCE_ADDRESS] = REMOTE_LIST_NEXT_ADDRESS,
        [CONTROL_ADVANCE_REMOTE] = REMOTE_LIST_NEXT_REMOTE,
    };
    struct control_auth_failed failed;
    char quoted[LOG_QUOTE_SIZE];
    control_message_auth_failed(rest, &failed);
    const char *reason = reason_of(quoted, failed.reason);
    if (failed.failure == CONTROL_AUTH_TEMPORARY) {
        struct remote_list_advice advice = {.advance = advances[failed.advance],
                                            .backoff = failed.backoff};
        client_state_retry(c, REMOTE_LIST_FAILED, &advice,
                           "the server cannot log us in now: %s", reason);
        return;
    }
    struct remote_list_advice stay = {.advance = REMOTE_LIST_STAY,
                                      .keep = true};
    switch (credentials_refused(&c->credentials, &failed)) {
    case CREDENTIALS_AGAIN:
        client_state_retry(c, REMOTE_LIST_LOST, &stay,
                           "the server no longer accepts the session's token");
        break;
    case CREDENTIALS_LATER:
        client_state_retry(c, REMOTE_LIST_AUTH_FAILED, NULL,
                           "the server refuses us: %s", reason);
        break;
    case CREDENTIALS_ASK:
        client_state_retry(c, REMOTE_LIST_AUTH_FAILED, &stay,
                           "the server refuses the credentials: %s", reason);
        if (c->state == CLIENT_PAUSING)
            client_state_ask(c);
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
    if (may_tell(c))
        log_info("tunnel: the server waits for somebody's approval");
    if (wanted == 0)
        wanted = c->config->hand_window;
    /* From the start of this state, so that to say it again is no gain. */
    c->deadline = instant_after(
        c->since, duration_seconds(wanted < most ? wanted : most));
}

/* Shown, never opened and never run. If the server wants something done before
 * it pushes, that becomes a question. */
static void take_info(struct client *c, struct bytes rest)
{
    struct control_info info;
    char quoted[LOG_QUOTE_SIZE];
    control_message_info(rest, &info);
    if (!may_tell(c))
        return;
    if (info.kind == CONTROL_INFO_TEXT || c->state != CLIENT_AWAIT_PUSH_REPLY) {
        log_info("tunnel: the server says: %s", log_quote(quoted, info.text));
        return;
    }
    c->challenged =
        info.kind == CONTROL_INFO_CHALLENGE && info.response_required;
    c->challenge_echo = info.echo;
    snprintf(c->question, sizeof c->question, "%s%.*s",
             info.kind == CONTROL_INFO_CHALLENGE ? ""
                                                 : "Log in with a browser: ",
             (int)info.text.size, (const char *)info.text.data);
    c->tell_ask = true;
}

static void take_signal(struct client *c, bool halt, struct bytes rest)
{
    struct control_signal s;
    char quoted[LOG_QUOTE_SIZE];
    control_message_signal(rest, &s);
    const char *reason = reason_of(quoted, s.reason);
    struct remote_list_advice advice = {
        .advance = s.advance ? REMOTE_LIST_NEXT_REMOTE : REMOTE_LIST_STAY,
        .keep = true};
    if (!s.preserve_credentials)
        credentials_forget(&c->credentials);
    if (halt)
        client_state_stop(c, "the server ended the session for good: %s",
                          reason);
    else
        client_state_retry(c, REMOTE_LIST_FAILED, &advice,
                           "the server asks for a new connection: %s", reason);
}

static void take_message(struct client *c, const struct control_message *m)
{
    switch (m->type) {
    case CONTROL_MESSAGE_PUSH_REPLY:
        log_push(c, m->text);
        if (c->state == CLIENT_UP)
            take_later_push(c, m->text);
        else
            take_push(c, m->text);
        break;
    case CONTROL_MESSAGE_PUSH_UPDATE:
        log_push(c, m->text);
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
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server said goodbye");
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

/* No failure of the remote's: the same once more, at once. */
static void connect_without_tls_1_3(struct client *c)
{
    log_info("tunnel: the server signs with RSA-PSS in TLS 1.2, which works "
             "only if TLS 1.3 is not offered: connecting again without it");
    client_state_disconnect(c);
    c->without_tls_1_3 = true;
    remote_list_stay(&c->remotes);
    client_state_connect(c);
}

static void take_failure(struct client *c, const char *why)
{
    const struct tls_session *tls = &c->session.primary->control.tls;
    if (tls_session_offered_too_much(tls) &&
        tls_context_offer_tls_1_3(&c->tls, false))
        connect_without_tls_1_3(c);
    else if (session_heard(&c->session))
        client_state_retry(c, REMOTE_LIST_FAILED, NULL, "%s", why);
    else
        client_state_leave_silent(c);
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
            go_up_unpushed(c);
        break;
    case SESSION_RENEGOTIATED:
        c->negotiations++;
        log_info("tunnel: new data keys");
        break;
    case SESSION_MESSAGE:
        take_message(c, &event->message);
        break;
    case SESSION_PEER_EXIT:
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server said goodbye");
        break;
    case SESSION_FAILED:
        take_failure(c, event->why);
        break;
    }
}

/* After each input: lets the session's news have their effect. */
void client_event_settle(struct client *c)
{
    struct session_event event;
    while (c->session_open && session_next(&c->session, c->now, &event))
        take_event(c, &event);
    if (c->state == CLIENT_NEGOTIATING && config_is_static(c->config) &&
        (session_static_heard(&c->session) || c->config->disable_occ)) {
        open_push(c);
        go_up(c);
    }
}
