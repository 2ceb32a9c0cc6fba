#include "tests/simulator/server_end.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/openvpn/session/peer_info.h"

/* The world is asked for randomness and time, and this for verdicts. */

static void fill_random(void *context, uint8_t *out, size_t size)
{
    const struct server_end *s = context;
    s->outer.random(s->outer.context, out, size);
}

static uint32_t unix_time(void *context)
{
    const struct server_end *s = context;
    return s->outer.unix_time(s->outer.context);
}

static enum server_verdict admit(void *context,
                                 const struct server_login *login)
{
    struct server_end *s = context;
    if (!text_copy(s->client_name, sizeof s->client_name, login->username) ||
        !text_copy(s->client_password, sizeof s->client_password,
                   login->password))
        s->client_name[0] = 0;
    if (!s->options.refuse)
        return SERVER_ADMIT;
    s->pending = login->client;
    s->said = NULL;
    return SERVER_LATER;
}

static void answered(void *context, uint64_t client, struct bytes response)
{
    struct server_end *s = context;
    if (client != s->pending ||
        !text_copy(s->response, sizeof s->response, response))
        s->response[0] = 0;
}

static bool set_blob(struct blob *blob, const char *text)
{
    return blob_set(blob, bytes_of_text(text));
}

static uint32_t protocol_bits(const struct server_end_options *o)
{
    uint32_t bits = UINT32_MAX;
    if (!o->exporter)
        bits &= ~(uint32_t)PEER_INFO_TLS_KEY_EXPORT;
    if (!o->dynamic_wrap)
        bits &= ~(uint32_t)PEER_INFO_DYNAMIC_TLS_CRYPT;
    if (!o->epoch)
        bits &= ~(uint32_t)PEER_INFO_DATA_EPOCH;
    return bits;
}

static bool make_config(struct server_end *s)
{
    const struct server_end_options *o = &s->options;
    struct server_config *c = &s->config;
    server_config_init(c);
    c->common.remotes = calloc(1, sizeof *c->common.remotes);
    if (!c->common.remotes)
        return false;
    c->common.remote_count = 1;
    config_remote_init(&c->common.remotes[0]);
    c->common.remotes[0].fragment = o->fragment;
    c->ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    c->pool_first = 0x0a080002;
    c->pool_last = 0x0a0800fe;
    c->ping = 10;
    c->ping_restart = 60;
    c->certificate = o->asks_certificate ? SERVER_CERTIFICATE_REQUIRED
                                         : SERVER_CERTIFICATE_NONE;
    c->common.reneg_seconds = o->renegotiate_seconds;
    c->protocol_bits = protocol_bits(o);
    snprintf(c->common.data_ciphers, sizeof c->common.data_ciphers, "%s",
             o->cipher);
    if (o->push) {
        c->pushes = calloc(1, sizeof *c->pushes);
        if (!c->pushes)
            return false;
        c->pushes[0] = strdup(o->push);
        c->push_count = 1;
    }
    if (o->tls_crypt) {
        char text[STATIC_KEY_TEXT_SIZE];
        c->common.remotes[0].wrap = CONFIG_WRAP_TLS_CRYPT;
        if (!static_key_format(o->tls_crypt, text, sizeof text) ||
            !set_blob(&c->common.remotes[0].wrap_key, text))
            return false;
    }
    return set_blob(&c->common.ca, pki_ca) &&
           set_blob(&c->common.cert,
                    o->certificate ? o->certificate : pki_server_crt) &&
           set_blob(&c->common.key, o->key ? o->key : pki_server_key);
}

bool server_end_init(struct server_end *s,
                     const struct server_end_options *options,
                     const struct server_env *env, struct instant now)
{
    memset(s, 0, sizeof *s);
    s->options = *options;
    s->outer = *env;
    s->env = (struct server_env){
        .context = s,
        .random = fill_random,
        .unix_time = unix_time,
        .admit = admit,
        .answered = answered,
    };
    if (!make_config(s))
        return false;
    s->server = server_new(&s->config, &s->env, now);
    return s->server != NULL;
}

struct server_status server_end_status(const struct server_end *s)
{
    struct server_status now = {0};
    if (s->server)
        server_status(s->server, &now);
    now.logins += s->before.logins;
    now.negotiations += s->before.negotiations;
    now.goodbyes += s->before.goodbyes;
    return now;
}

void server_end_restart(struct server_end *s, struct instant now)
{
    s->before = server_end_status(s);
    server_free(s->server);
    s->server = server_new(&s->config, &s->env, now);
    s->pending = 0;
}

void server_end_clear(struct server_end *s)
{
    server_free(s->server);
    server_config_clear(&s->config);
    burst_clear(&s->heard);
}

/* --- Verdicts ------------------------------------------------------------ */

static void decide(struct server_end *s, struct instant now)
{
    const char *refuse = s->options.refuse;
    struct bytes text = bytes_of_text(refuse ? refuse : ""), word;
    if (s->pending == 0)
        return;
    if (!refuse) {
        server_admit(s->server, now, s->pending, true, NULL);
        s->pending = 0;
    } else if (text_starts_with(text, "AUTH_FAILED")) {
        (void)!text_cut(&text, ',', &word);
        server_admit(s->server, now, s->pending, false,
                     text.size > 0 ? (const char *)text.data : NULL);
        s->pending = 0;
    } else if (refuse != s->said) {
        bool wait = text_starts_with(text, "AUTH_PENDING,timeout ");
        if (wait)
            server_wait(
                s->server, now, s->pending,
                (uint32_t)atoi(refuse + strlen("AUTH_PENDING,timeout ")));
        if (wait || server_tell(s->server, now, s->pending, refuse))
            s->said = refuse;
    }
}

/* --- Datagrams ----------------------------------------------------------- */

static const struct server_path from = {
    .remote = {{.family = ADDRESS_IPV4, .bytes = {192, 0, 2, 2}}, 40000}};

void server_end_receive(struct server_end *s, struct instant now,
                        uint8_t *datagram, size_t size)
{
    burst_reset(&s->heard);
    if (s->silent || !burst_add_view(&s->heard, datagram, (uint16_t)size))
        return;
    server_open(s->server, now, &from, &s->heard);
    const struct datagram *d = &s->heard.datagrams[0];
    if (d->drop == DROP_NONE && d->inner_size > 0)
        arrivals_take(&s->arrivals,
                      bytes_of(d->data + d->inner_offset, d->inner_size));
    decide(s, now);
}

void server_end_expire(struct server_end *s, struct instant now)
{
    server_expire(s->server, now);
    decide(s, now);
}

struct instant server_end_deadline(const struct server_end *s)
{
    return s->silent ? INSTANT_NEVER : server_deadline(s->server);
}

bool server_end_transmit(struct server_end *s, struct instant now,
                         struct bytes *datagram)
{
    struct server_path to;
    if (s->silent)
        return false;
    decide(s, now);
    return server_transmit(s->server, &to, datagram);
}

bool server_end_say(struct server_end *s, struct instant now, const char *text)
{
    struct server_client client;
    uint32_t next = 0;
    while (server_next_client(s->server, &next, &client))
        if (client.up)
            return server_tell(s->server, now, client.client, text);
    return false;
}
