#include "tests/simulator/server_end.h"

#include <stdio.h>

#include "gateway/base/text.h"

bool server_end_init(struct server_end *s,
                     const struct server_end_options *options,
                     const struct session_env *env)
{
    struct tls_random random = {env->context, env->random};
    memset(s, 0, sizeof *s);
    s->options = *options;
    s->env = *env;
    if (!tls_context_init(&s->tls, OPENVPN_SERVER, options->config,
                          bytes_of(NULL, 0), &random))
        return false;
    if (!options->asks_certificate)
        mbedtls_ssl_conf_authmode(&s->tls.config, MBEDTLS_SSL_VERIFY_NONE);
    return true;
}

void server_end_restart(struct server_end *s)
{
    if (s->open)
        session_clear(&s->session);
    s->open = s->granted = false;
}

void server_end_clear(struct server_end *s)
{
    server_end_restart(s);
    tls_context_clear(&s->tls);
}

static bool accept_client(struct server_end *s, struct instant now)
{
    struct session_options options = {
        .role = OPENVPN_SERVER,
        .tls = &s->tls,
        .env = s->env,
        .tls_timeout = duration_seconds(2),
        .hand_window = duration_seconds(60),
        .tran_window = duration_seconds(3600),
        .renegotiate_after = duration_seconds(s->options.renegotiate_seconds),
        .max_packet_size = 1250,
        .replay_packets = 64,
        .replay_seconds = 15,
        .wrap_key = s->options.tls_crypt,
    };
    uint32_t time = s->env.unix_time(s->env.context);
    bool wrapped = s->options.tls_crypt
                       ? control_wrap_init_tls_crypt(&s->session.wrap,
                                                     s->options.tls_crypt,
                                                     OPENVPN_SERVER, time)
                       : control_wrap_init_none(&s->session.wrap);
    if (!wrapped || !session_init(&s->session, &options, now))
        return false;
    s->open = true;
    s->granted = false;
    s->sessions++;
    session_start(&s->session, now);
    return true;
}

static void take_exchange(struct server_end *s, const struct key_exchange *m)
{
    s->negotiations++;
    if (!text_copy(s->client_options, sizeof s->client_options, m->options) ||
        !text_copy(s->client_name, sizeof s->client_name, m->username) ||
        !text_copy(s->client_password, sizeof s->client_password, m->password))
        s->client_options[0] = 0;
}

static void answer_exchange(struct server_end *s, struct instant now)
{
    struct key_exchange message = {
        .options = bytes_of_text("V4,dev-type tun,link-mtu 1549,tun-mtu 1500,"
                                 "proto UDPv4,auth [null-digest],keysize 256,"
                                 "key-method 2,tls-server"),
    };
    (void)!session_exchange(&s->session, now, &message);
}

static void grant(struct server_end *s, struct instant now)
{
    char reply[1024];
    const struct session_data_options *d = &s->options.data;
    if (s->options.refuse) {
        (void)!session_send(&s->session, now, s->options.refuse);
        return;
    }
    snprintf(reply, sizeof reply,
             "PUSH_REPLY,%s,peer-id %u,cipher %s,protocol-flags cc-exit%s%s%s",
             s->options.push, (unsigned)d->peer_id, d->cipher,
             d->exporter ? " tls-ekm" : "",
             d->dynamic_wrap ? " dyn-tls-crypt" : "",
             d->epoch ? " aead-epoch" : "");
    if (!session_send(&s->session, now, reply) || s->granted)
        return;
    s->granted = session_data_establish(&s->session, now, d);
    keepalive_init(&s->session.keepalive, now, 10, 120);
}

static void take_event(struct server_end *s, struct instant now,
                       const struct session_event *event)
{
    switch (event->type) {
    case SESSION_EXCHANGE:
        take_exchange(s, &event->exchange);
        break;
    case SESSION_EXCHANGE_WANTED:
        answer_exchange(s, now);
        break;
    case SESSION_ACTIVE:
        grant(s, now);
        break;
    case SESSION_MESSAGE:
        if (event->message.type == CONTROL_MESSAGE_PUSH_REQUEST)
            grant(s, now);
        if (event->message.type == CONTROL_MESSAGE_CR_RESPONSE &&
            !text_copy(s->response, sizeof s->response, event->message.rest))
            s->response[0] = 0;
        s->goodbyes += event->message.type == CONTROL_MESSAGE_EXIT;
        break;
    case SESSION_PEER_EXIT:
        s->goodbyes++;
        break;
    case SESSION_RENEGOTIATED:
    case SESSION_FAILED:
        break;
    }
}

static void settle(struct server_end *s, struct instant now)
{
    struct session_event event;
    while (s->open && session_next(&s->session, now, &event))
        take_event(s, now, &event);
    /* A failed session stays until the client's next reset, for its alert. */
}

static void open_data(struct server_end *s, struct instant now,
                      uint8_t *datagram, size_t size)
{
    struct burst burst = {.count = 0};
    if (!s->open || !burst_add_view(&burst, datagram, (uint16_t)size)) {
        drop_count(&s->drops, DROP_DATA_NO_KEY);
        return;
    }
    session_data_open(&s->session, now, &burst, 0, 1);
    if (burst.datagrams[0].drop != DROP_NONE)
        drop_count(&s->drops, burst.datagrams[0].drop);
    else if (burst.datagrams[0].inner_size > 0)
        arrivals_take(&s->arrivals,
                      bytes_of(datagram + burst.datagrams[0].inner_offset,
                               burst.datagrams[0].inner_size));
}

/* A reset that the present session does not know: the client has begun
 * anew. */
static bool is_new_client(const struct server_end *s, const uint8_t *datagram,
                          size_t size)
{
    uint8_t opcode = opcode_of(datagram[0]);
    return opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V2 && size > 9 &&
           (!s->open || memcmp(datagram + 1, s->session.peer.bytes, 8) != 0);
}

void server_end_receive(struct server_end *s, struct instant now,
                        uint8_t *datagram, size_t size)
{
    if (s->silent)
        return;
    if (opcode_is_data(opcode_of(datagram[0]))) {
        open_data(s, now, datagram, size);
        settle(s, now);
        return;
    }
    if (is_new_client(s, datagram, size)) {
        server_end_restart(s);
        if (!accept_client(s, now))
            return;
    }
    enum drop drop = DROP_CONTROL_SESSION;
    if (s->open)
        drop = session_receive(&s->session, now, bytes_of(datagram, size));
    if (drop != DROP_NONE)
        drop_count(&s->drops, drop);
    settle(s, now);
}

void server_end_expire(struct server_end *s, struct instant now)
{
    if (s->open)
        session_expire(&s->session, now);
    settle(s, now);
    if (s->granted && keepalive_timed_out(&s->session.keepalive, now))
        server_end_restart(s);
}

struct instant server_end_deadline(const struct server_end *s)
{
    if (!s->open || s->silent)
        return INSTANT_NEVER;
    return s->granted
               ? instant_earlier(session_deadline(&s->session),
                                 keepalive_deadline(&s->session.keepalive))
               : session_deadline(&s->session);
}

bool server_end_transmit(struct server_end *s, struct instant now,
                         struct bytes *datagram)
{
    if (!s->open || s->silent)
        return false;
    if (session_transmit(&s->session, now, datagram))
        return true;
    if (!s->granted || !keepalive_ping_due(&s->session.keepalive, now))
        return false;
    *datagram = session_data_ping(&s->session, now);
    return datagram->size > 0;
}
