#include "gateway/openvpn/client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/client/client_event.h"
#include "gateway/openvpn/client/client_state.h"

enum { PUSH_REQUEST_EVERY = 5 }; /* s */

/* Inputs. */

struct client *client_new(const struct config *config,
                          const struct client_env *env,
                          char why[CLIENT_WHY_SIZE])
{
    if (why)
        snprintf(why, CLIENT_WHY_SIZE, "memory is short");
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
    if (!encrypted && !client_state_prepare_tls(c) && !c->tls.password_wrong) {
        if (why && c->tls.problem[0])
            snprintf(why, CLIENT_WHY_SIZE, "%s", c->tls.problem);
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
        client_state_connect(c);
}

bool client_address(const struct client *c, struct address *out)
{
    return remote_list_address(&c->remotes, out);
}

void client_resolved(struct client *c, struct instant now,
                     const struct address *addresses, size_t count)
{
    c->now = now;
    if (c->state != CLIENT_CONNECTING)
        return;
    remote_list_resolved(&c->remotes, addresses, count);
    c->deadline = client_state_silence_limit(c);
}

void client_connected(struct client *c, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu)
{
    c->now = now;
    if (c->state != CLIENT_CONNECTING)
        return;
    c->outer_overhead = outer_overhead;
    c->outer_mtu = outer_mtu;
    client_state_negotiate(c);
    client_event_settle(c);
}

void client_path_changed(struct client *c, struct instant now,
                         uint16_t outer_mtu)
{
    c->now = now;
    if (outer_mtu == c->outer_mtu)
        return;
    c->outer_mtu = outer_mtu;
    if (c->state != CLIENT_UP)
        return;
    client_event_fit_path(c);
    c->tell_up = true;
    log_info("tunnel: the path to the server now carries packets of %u bytes: "
             "the tunnel's MTU is %u",
             outer_mtu, tunnel_mtu(&c->push.tunnel, ADDRESS_IPV4));
}

void client_failed(struct client *c, struct instant now, const char *why)
{
    char place[CLIENT_PLACE_SIZE];
    c->now = now;
    switch (c->state) {
    case CLIENT_CONNECTING:
    case CLIENT_NEGOTIATING:
    case CLIENT_AWAIT_PUSH_REPLY:
    case CLIENT_UP:
        client_state_retry(c, REMOTE_LIST_FAILED, NULL, "%s: %s",
                           client_state_place(c, place), why);
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

void client_refused(struct client *c, struct instant now)
{
    c->now = now;
    client_state_refused(c);
}

void client_reconnect(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_IDLE || c->state == CLIENT_STOPPED)
        return;
    client_state_say_goodbye(c);
    client_state_disconnect(c);
    c->reconnects++;
    c->last_error[0] = 0; /* an order is no reason */
    remote_list_stay(&c->remotes);
    client_state_connect(c);
}

void client_end_pause(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_PAUSING)
        client_state_connect(c);
}

/* CR_TEXT: asked and answered while the server holds back its push. */
static void answer_challenge(struct client *c, const char *answer)
{
    char message[CONTROL_MESSAGE_MAX];
    struct writer w = writer_of(message, sizeof message);
    if (!answer || !control_message_write_response(bytes_of_text(answer), &w))
        return;
    c->challenged = !session_send(&c->session, c->now, message);
    if (!c->challenged)
        c->question[0] = 0;
    secret_wipe(message, sizeof message);
}

void client_credentials(struct client *c, struct instant now,
                        const char *username, const char *password,
                        const char *response)
{
    c->now = now;
    if (c->state == CLIENT_AWAIT_PUSH_REPLY && c->challenged) {
        answer_challenge(c, response ? response : password);
        return;
    }
    credentials_answer(&c->credentials, username, password, response);
    if (c->state == CLIENT_AWAIT_CREDENTIALS)
        client_state_connect(c);
}

void client_stop(struct client *c, struct instant now)
{
    c->now = now;
    if (c->state == CLIENT_STOPPED)
        return;
    client_state_say_goodbye(c);
    client_state_end(c);
    c->last_error[0] = 0; /* an order is no reason */
}

/* Timers. */

/* Says this until the server answers. */
static void say_hello(struct client *c)
{
    if (config_is_static(c->config))
        c->ping_due = true;
    else if (c->remote->protocol == CONFIG_UDP)
        session_hasten(&c->session, c->now);
    c->repeat = client_state_in_seconds(c, CLIENT_HELLO_EVERY);
}

static void in_negotiating(struct client *c)
{
    if (session_heard(&c->session)) {
        c->deadline = c->repeat = INSTANT_NEVER;
    } else if (instant_reached(c->now, c->deadline)) {
        client_state_leave_silent(c);
    } else if (instant_reached(c->now, c->repeat)) {
        say_hello(c);
    }
}

static void in_await_push_reply(struct client *c)
{
    if (instant_reached(c->now, c->deadline)) {
        client_state_retry(c, REMOTE_LIST_FAILED, NULL,
                           "the server accepted the login, but sent no address "
                           "and no options");
    } else if (instant_reached(c->now, c->repeat)) {
        if (!c->waiting_for_rest)
            (void)!session_send(&c->session, c->now, "PUSH_REQUEST");
        c->repeat = client_state_in_seconds(c, PUSH_REQUEST_EVERY);
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
        client_state_retry(c, REMOTE_LIST_LOST, NULL,
                           "the server has been silent for %lld "
                           "s",
                           (long long)(k->timeout.us / 1000000));
        return;
    }
    if (instant_reached(c->now, c->deadline)) {
        client_state_retry(c, REMOTE_LIST_LOST, NULL,
                           "the session lasted as long as the server allows "
                           "(session-timeout)");
        return;
    }
    if (keepalive_ping_due(k, c->now))
        c->ping_due = true;
    if (!instant_reached(c->now, idle_limit(c)))
        return;
    uint64_t bytes = c->bytes_sealed + c->bytes_opened;
    if (bytes - c->idle_bytes <= c->push.inactive_bytes)
        client_state_retry(c, REMOTE_LIST_LOST, NULL,
                           "the tunnel was not used for %u s",
                           c->push.inactive);
    c->idle_bytes = bytes;
    c->idle_since = c->now;
}

void client_expire(struct client *c, struct instant now)
{
    char place[CLIENT_PLACE_SIZE];
    c->now = now;
    if (c->session_open)
        session_expire(&c->session, now);
    client_event_settle(c);
    client_state_leave_refused(c);
    switch (c->state) {
    case CLIENT_CONNECTING:
        if (instant_reached(now, c->deadline))
            client_state_retry(c, REMOTE_LIST_TIMED_OUT, NULL,
                               "no connection to %s: wrong address or port, or "
                               "a firewall",
                               client_state_place(c, place));
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
            client_state_connect(c);
        break;
    case CLIENT_IDLE:
    case CLIENT_AWAIT_CREDENTIALS:
    case CLIENT_STOPPED:
    case CLIENT_STATE_COUNT:
        break;
    }
    client_event_settle(c);
}

struct instant client_deadline(const struct client *c)
{
    struct instant t = instant_earlier(c->deadline, c->repeat);
    t = instant_earlier(t, client_state_refusal_limit(c));
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
    out->bytes = session_data_say(&c->session, c->now,
                                  c->state == CLIENT_UP ? SESSION_DATA_PING
                                                        : SESSION_DATA_REQUEST);
    /* Between two keys there is none to send it with: next time. */
    keepalive_sent(&c->session.keepalive, c->now);
    return out->bytes.size > 0;
}

/* In an order that makes sense for whatever happened between two calls: the
 * end of one connection first, then the next. */
bool client_poll(struct client *c, struct client_action *out)
{
    *out =
        (struct client_action){.text = c->last_error[0] ? c->last_error : NULL};
    if (take_flag(&c->tell_down)) {
        c->up_told = false;
        out->type = CLIENT_ACTION_DOWN;
    } else if (c->parting_next < c->parting_count) {
        struct client_parting *p = &c->parting[c->parting_next++];
        out->type = CLIENT_ACTION_SEND;
        out->bytes = bytes_of(p->bytes, p->size);
    } else if (take_flag(&c->tell_disconnect)) {
        c->uplink_open = false;
        out->type = CLIENT_ACTION_DISCONNECT;
    } else if (take_flag(&c->tell_stopped)) {
        out->type = CLIENT_ACTION_STOPPED;
    } else if (take_flag(&c->tell_ask)) {
        out->type = CLIENT_ACTION_ASK;
        out->text = c->question[0] ? c->question
                                   : credentials_question(&c->credentials);
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
        packets += burst->datagrams[i].inner_size > 0;
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

/* With a static key there is nothing else. */
static bool is_data(const struct client *c, const struct datagram *d)
{
    return config_is_static(c->config) ||
           (d->size > 0 && opcode_is_data(opcode_of(d->data[0])));
}

/* With a static key the first packet is what shows that the peer is there. */
static bool may_open(const struct client *c)
{
    return c->state == CLIENT_UP ||
           (c->state == CLIENT_NEGOTIATING && config_is_static(c->config));
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
    client_event_settle(c);
}

/* How many of them were no packets of the server's. */
static size_t count_forged(const struct burst *burst)
{
    size_t forged = 0;
    for (size_t i = 0; i < burst->count; i++)
        forged += burst->datagrams[i].drop == DROP_DATA_AUTH;
    return forged;
}

/* Packets that LZO unpacked lie in memory of the session, which a message
 * behind them may have ended. */
static void drop_opened(struct burst *burst)
{
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (d->drop == DROP_NONE && d->inner_size > 0)
            d->drop = DROP_TUNNEL_DOWN;
    }
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
        if (!is_data(c, &burst->datagrams[first])) {
            open_control(c, &burst->datagrams[first]);
            continue;
        }
        while (first + count < burst->count &&
               is_data(c, &burst->datagrams[first + count]))
            count++;
        if (may_open(c))
            session_data_open(&c->session, now, burst, first, count);
        else
            drop_all(burst, first, count, DROP_DATA_NO_KEY);
    }
    client_event_settle(c);
    /* A stream has one sender: what is forged or garbled in it will go on so
     * (openvpn: forward.c, "Fatal decryption error"). */
    if (c->state == CLIENT_UP && c->remote->protocol == CONFIG_TCP &&
        count_forged(burst) > 0)
        client_state_retry(c, REMOTE_LIST_LOST, NULL,
                           "a data packet in the TCP connection fails "
                           "authentication");
    if (!c->session_open)
        drop_opened(burst);
    else
        c->drops.count[DROP_DATA_FRAGMENT_LOST] +=
            session_data_lost(&c->session);
    count_opened(c, burst);
}

/* Status. */

static unsigned wanted_answer(const struct client *c)
{
    if (c->state == CLIENT_AWAIT_PUSH_REPLY && c->challenged)
        return CREDENTIALS_RESPONSE;
    return c->state == CLIENT_AWAIT_CREDENTIALS
               ? credentials_wanted(&c->credentials)
               : 0;
}

static bool shows_response(const struct client *c)
{
    return c->challenged ? c->challenge_echo
                         : credentials_shows_response(&c->credentials);
}

void client_status(const struct client *c, struct client_status *out)
{
    bool up = c->state == CLIENT_UP, pausing = c->state == CLIENT_PAUSING;
    unsigned wanted = wanted_answer(c);
    const struct data_channel *sender =
        up ? session_data_sender(&c->session, c->now) : NULL;
    *out = (struct client_status){
        .state = c->state,
        .vpn_state = client_state_of_vpn(c),
        .since = c->since,
        .next_try = pausing ? c->plan.next : INSTANT_NEVER,
        .wanted_try = pausing ? c->plan.wanted : INSTANT_NEVER,
        .asked_try = pausing ? c->plan.asked : INSTANT_NEVER,
        .remote = pausing ? remote_list_current(&c->remotes) : c->remote,
        .cipher = up ? c->session.data.cipher : NULL,
        .tls = c->tls_text[0] ? c->tls_text : NULL,
        .crypto_library = sender ? data_channel_library(sender) : NULL,
        .server_name = c->server_name[0] ? c->server_name : NULL,
        .last_received =
            up ? c->session.keepalive.last_received : INSTANT_NEVER,
        .last_error = c->last_error[0] ? c->last_error : NULL,
        .certificate = c->certificate[0] ? c->certificate : NULL,
        .wants_username = wanted & CREDENTIALS_USERNAME,
        .wants_password = wanted & CREDENTIALS_PASSWORD,
        .wants_response = wanted & CREDENTIALS_RESPONSE,
        .response_shown = wanted & CREDENTIALS_RESPONSE && shows_response(c),
        .tunnel = up ? &c->push.tunnel : NULL,
        .packets_sealed = c->packets_sealed,
        .packets_opened = c->packets_opened,
        .bytes_sealed = c->bytes_sealed,
        .bytes_opened = c->bytes_opened,
        .negotiations = c->negotiations,
        .reconnects = c->reconnects,
        .answers = c->answers,
        .rounds = c->remotes.failures / c->config->remote_count,
        .drops = &c->drops,
    };
}
