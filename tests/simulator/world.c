#include "tests/simulator/world.h"

#include <stdio.h>

#include "tests/unit.h"

enum { TURNS_AT_ONCE = 1000 }; /* without time passing: something spins */

static void fill_random(void *context, uint8_t *out, size_t size)
{
    struct world *w = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(next_random(&w->random) >> 11);
}

static uint32_t unix_time(void *context)
{
    const struct world *w = context;
    return WORLD_UNIX_TIME + (uint32_t)instant_to_seconds(w->now);
}

struct world_options world_usual(uint32_t seed)
{
    return (struct world_options){
        .seed = seed,
        .faults = {.delay = duration_milliseconds(20)},
        .server =
            {
                .cipher = "AES-256-GCM",
                .exporter = true,
                .dynamic_wrap = true,
            },
    };
}

struct pipe_faults world_bad_path(void)
{
    return (struct pipe_faults){
        .loss = 30,
        .doubles = 10,
        .delay = duration_milliseconds(20),
        .jitter = duration_milliseconds(20),
    };
}

static void set_blob(struct blob *blob, const char *text)
{
    assert_true(blob_set(blob, bytes_of_text(text)));
}

static void make_client_config(struct world *w, const struct world_options *o)
{
    struct config *c = &w->client_config;
    config_init(c);
    c->remotes = calloc(1, sizeof *c->remotes);
    assert_non_null(c->remotes);
    c->remote_count = 1;
    config_remote_init(&c->remotes[0]);
    c->remotes[0].fragment = o->server.fragment;
    snprintf(c->remotes[0].host, sizeof c->remotes[0].host, "vpn.example");
    set_blob(&c->ca, o->client_ca ? o->client_ca : pki_ca);
    set_blob(&c->cert, pki_client_crt);
    set_blob(&c->key, pki_client_key);
    c->remote_cert_tls_server = true;
    c->pull = true;
    snprintf(c->data_ciphers, sizeof c->data_ciphers,
             "AES-256-GCM:AES-192-GCM:AES-128-GCM:CHACHA20-POLY1305:"
             "AES-256-CBC");
    if (o->server.tls_crypt) {
        char text[STATIC_KEY_TEXT_SIZE];
        assert_true(static_key_format(o->server.tls_crypt, text, sizeof text));
        c->remotes[0].wrap = CONFIG_WRAP_TLS_CRYPT;
        set_blob(&c->remotes[0].wrap_key, text);
    }
    if (o->change_config)
        o->change_config(c);
}

static void make_server(struct world *w, const struct world_options *o)
{
    struct server_end_options options = o->server;
    struct server_env env = {
        .context = w, .random = fill_random, .unix_time = unix_time};
    if (o->server_crt)
        options.certificate = o->server_crt;
    if (o->server_key)
        options.key = o->server_key;
    assert_true(server_end_init(&w->server, &options, &env, w->now));
}

struct world *world_new(const struct world_options *o)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now = (struct instant){1000000};
    w->random = o->seed * 2246822519U + 1;
    make_client_config(w, o);
    make_server(w, o);
    w->core3_client = o->core3_client;
    w->core3_server = o->core3_server;
    w->attacker.percent = o->copies;
    w->attacker.random = o->seed * 2654435761U + 1;
    pipe_init(&w->up, o->seed, &o->faults);
    pipe_init(&w->down, o->seed + 0x55555555U, &o->faults);
    struct client_env env = {w, fill_random, unix_time};
    w->client = client_new(&w->client_config, &env, NULL);
    assert_non_null(w->client);
    client_start(w->client, w->now);
    return w;
}

void world_free(struct world *w)
{
    client_free(w->client);
    server_end_clear(&w->server);
    config_clear(&w->client_config);
    burst_clear(&w->heard);
    free(w);
}

/* Each name has addresses that end in 1, 2, ... */
static void note_place(struct world *w, const char *host)
{
    struct address known[4] = {{.family = ADDRESS_NONE}}, address;
    size_t used = strlen(w->tried);
    if (w->addresses == 0)
        return;
    for (uint8_t i = 0; i < w->addresses; i++)
        known[i] = address_ipv4(0xc0000201u + i);
    if (!client_address(w->client, &address))
        client_resolved(w->client, w->now, known, w->addresses);
    assert_true(client_address(w->client, &address));
    snprintf(w->tried + used, sizeof w->tried - used, "%s %u;", host,
             address_to_ipv4(&address) & 0xff);
}

/* From an exactly sized copy, so that reads beyond it are seen. */
static void client_hears(struct world *w, struct bytes heard)
{
    burst_reset(&w->heard);
    uint8_t *copy = exact_copy(heard.data, heard.size);
    assert_true(burst_add_view(&w->heard, copy, (uint16_t)heard.size));
    client_open(w->client, w->now, &w->heard);
    const struct datagram *d = &w->heard.datagrams[0];
    if (d->drop == DROP_NONE && d->inner_size > 0)
        arrivals_take(&w->arrivals,
                      bytes_of(d->data + d->inner_offset, d->inner_size));
    free(copy);
}

static void server_hears(struct world *w, struct bytes heard)
{
    uint8_t *copy = exact_copy(heard.data, heard.size);
    server_end_receive(&w->server, w->now, copy, heard.size);
    free(copy);
}

static void deliver_to_client(struct world *w, struct bytes datagram)
{
    client_hears(w, w->core3_client ? core3_hear(&w->client_mouth, datagram)
                                    : datagram);
}

static void deliver_to_server(struct world *w, struct bytes datagram)
{
    server_hears(w, w->core3_server ? core3_hear(&w->server_mouth, datagram)
                                    : datagram);
}

static void send(struct world *w, struct pipe *p, struct bytes datagram)
{
    pipe_send(p, w->now, datagram);
    attacker_see(&w->attacker, w->now, datagram, &w->up, &w->down);
}

static void client_says(struct world *w, struct bytes datagram)
{
    struct bytes back = bytes_of(NULL, 0);
    if (w->core3_client)
        datagram = core3_say(&w->client_mouth, datagram, &back);
    if (datagram.size > 0)
        send(w, &w->up, datagram);
    if (back.size > 0)
        client_hears(w, back);
}

static void server_says(struct world *w, struct bytes datagram)
{
    struct bytes back = bytes_of(NULL, 0);
    if (w->core3_server)
        datagram = core3_say(&w->server_mouth, datagram, &back);
    if (datagram.size > 0)
        send(w, &w->down, datagram);
    if (back.size > 0)
        server_hears(w, back);
}

/* One action of the client. */
static void perform(struct world *w, const struct client_action *a)
{
    switch (a->type) {
    case CLIENT_ACTION_CONNECT:
        assert_false(w->uplink);
        w->uplink = true;
        w->connects++;
        note_place(w, a->remote->host);
        client_connected(w->client, w->now, 28, 1500);
        return;
    case CLIENT_ACTION_SEND:
        assert_true(w->uplink);
        client_says(w, a->bytes);
        return;
    case CLIENT_ACTION_DISCONNECT:
        assert_true(w->uplink);
        w->uplink = false;
        w->disconnects++;
        return;
    case CLIENT_ACTION_UP:
        w->tunnel = *a->tunnel;
        w->ups++;
        return;
    case CLIENT_ACTION_DOWN:
        w->downs++;
        break;
    case CLIENT_ACTION_ASK:
        w->asks++;
        break;
    case CLIENT_ACTION_STOPPED:
        w->stops++;
        break;
    }
    snprintf(w->text, sizeof w->text, "%s", a->text ? a->text : "");
}

void world_inject(struct world *w, const uint8_t *datagram, size_t size)
{
    deliver_to_client(w, bytes_of(datagram, size));
}

/* Everything that is to happen at this moment. */
static void turn(struct world *w)
{
    struct client_action action;
    struct bytes datagram;
    uint8_t bytes[PIPE_DATAGRAM_MAX];
    size_t size;
    while (pipe_receive(&w->up, w->now, bytes, &size))
        deliver_to_server(w, bytes_of(bytes, size));
    while (pipe_receive(&w->down, w->now, bytes, &size)) {
        if (w->uplink)
            deliver_to_client(w, bytes_of(bytes, size));
    }
    if (instant_reached(w->now, client_deadline(w->client)))
        client_expire(w->client, w->now);
    if (instant_reached(w->now, server_end_deadline(&w->server)))
        server_end_expire(&w->server, w->now);
    while (client_poll(w->client, &action))
        perform(w, &action);
    while (server_end_transmit(&w->server, w->now, &datagram))
        server_says(w, datagram);
}

static struct instant next_event(struct world *w)
{
    struct instant t = client_deadline(w->client);
    t = instant_earlier(t, server_end_deadline(&w->server));
    t = instant_earlier(t, pipe_deadline(&w->up));
    return instant_earlier(t, pipe_deadline(&w->down));
}

static enum client_state state_of(const struct world *w)
{
    return world_status(w).state;
}

static bool run(struct world *w, struct duration length,
                enum client_state state)
{
    struct instant end = instant_after(w->now, length);
    unsigned turns = 0;
    while (true) {
        turn(w);
        if (state_of(w) == state)
            return true;
        struct instant next = next_event(w);
        if (instant_before(end, next))
            break;
        turns = instant_before(w->now, next) ? 0 : turns + 1;
        if (turns > 0)
            assert_true(turns < TURNS_AT_ONCE);
        if (instant_before(w->now, next))
            w->now = next;
    }
    w->now = end;
    return false;
}

void world_run(struct world *w, struct duration length)
{
    /* A state that no client is in: time alone ends it. */
    run(w, length, CLIENT_STATE_COUNT);
}

bool world_run_until(struct world *w, struct duration length,
                     enum client_state state)
{
    return run(w, length, state);
}

/* A packet, perhaps in pieces. */
static void send_all(struct world *w, struct pipe *p, const struct burst *burst)
{
    for (size_t i = 0; i < burst->count; i++)
        send(w, p,
             bytes_of(burst->datagrams[i].data, burst->datagrams[i].size));
}

bool world_client_sends(struct world *w)
{
    struct burst burst;
    struct burst_layout layout = client_layout(w->client);
    assert_true(burst_init(&burst, PIPE_DATAGRAM_MAX));
    struct datagram *d = burst_reserve(&burst, &layout, ARRIVALS_PACKET_SIZE);
    assert_non_null(d);
    arrivals_write(d->data + d->inner_offset, w->client_numbers);
    bool sealed = client_seal(w->client, w->now, &burst);
    if (sealed && d->drop == DROP_NONE) {
        w->client_numbers++;
        send_all(w, &w->up, &burst);
    }
    burst_clear(&burst);
    return sealed;
}

bool world_client_refuses(struct world *w)
{
    struct burst empty = {.count = 0};
    return !client_seal(w->client, w->now, &empty);
}

bool world_server_sends(struct world *w)
{
    struct burst burst;
    struct server *s = w->server.server;
    struct address to = address_ipv4(0x0a080002);
    struct server_peer *client = server_find(s, &to);
    if (!client)
        return false;
    struct burst_layout layout = server_layout(client);
    assert_true(burst_init(&burst, PIPE_DATAGRAM_MAX));
    struct datagram *d = burst_reserve(&burst, &layout, ARRIVALS_PACKET_SIZE);
    assert_non_null(d);
    arrivals_write(d->data + d->inner_offset, w->server_numbers);
    bool sealed = server_seal(s, w->now, client, &burst);
    if (sealed && d->drop == DROP_NONE) {
        w->server_numbers++;
        send_all(w, &w->down, &burst);
    }
    burst_clear(&burst);
    return sealed;
}

struct client_status world_status(const struct world *w)
{
    struct client_status status;
    client_status(w->client, &status);
    return status;
}
