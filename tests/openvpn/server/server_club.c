#include "tests/openvpn/server/server_club.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/openvpn/client/client_state.h"
#include "tests/unit.h"
#include "tests/vectors/pki.h"

static void fill_random(void *context, uint8_t *out, size_t size)
{
    struct server_club *c = context;
    random_bytes(&c->random, out, size);
}

static uint32_t unix_time(void *context)
{
    const struct server_club *c = context;
    return 2000000000 + (uint32_t)instant_to_seconds(c->now);
}

static void set_blob(struct blob *blob, const char *text)
{
    assert_true(blob_set(blob, bytes_of_text(text)));
}

static void give_remote(struct config *c)
{
    c->remotes = calloc(1, sizeof *c->remotes);
    assert_non_null(c->remotes);
    c->remote_count = 1;
    config_remote_init(&c->remotes[0]);
    snprintf(c->remotes[0].host, sizeof c->remotes[0].host, "vpn.example");
}

void server_club_init(struct server_club *c)
{
    memset(c, 0, sizeof *c);
    c->now = (struct instant){1000000};
    c->random = 77;
    server_config_init(&c->config);
    give_remote(&c->config.common);
    set_blob(&c->config.common.ca, pki_ca);
    set_blob(&c->config.common.cert, pki_server_crt);
    set_blob(&c->config.common.key, pki_server_key);
    c->config.ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    c->config.pool_first = 0x0a080002;
    c->config.pool_last = 0x0a0800fe;
    c->config.ping = 10;
    c->config.ping_restart = 60;
    c->config.max_clients = SERVER_CLUB_MEMBERS;
    c->env = (struct server_env){
        .context = c, .random = fill_random, .unix_time = unix_time};
}

void server_club_open(struct server_club *c)
{
    c->server = server_new(&c->config, &c->env, c->now);
    assert_non_null(c->server);
}

void server_club_clear(struct server_club *c)
{
    for (size_t i = 0; i < c->count; i++) {
        client_free(c->members[i].client);
        config_clear(&c->members[i].config);
    }
    server_free(c->server);
    server_config_clear(&c->config);
}

struct server_club_member *server_club_join(struct server_club *c,
                                            const char *certificate,
                                            const char *key)
{
    assert_true(c->count < SERVER_CLUB_MEMBERS);
    struct server_club_member *m = &c->members[c->count++];
    struct client_env env = {
        .context = c, .random = fill_random, .unix_time = unix_time};
    config_init(&m->config);
    give_remote(&m->config);
    m->config.pull = true;
    m->config.compression = c->compression;
    m->config.remotes[0].wrap = c->config.common.remotes[0].wrap;
    if (c->config.common.remotes[0].wrap_key.data)
        set_blob(&m->config.remotes[0].wrap_key,
                 c->wrap_key
                     ? c->wrap_key
                     : (const char *)c->config.common.remotes[0].wrap_key.data);
    set_blob(&m->config.ca, pki_ca);
    if (!c->without_certificate) {
        set_blob(&m->config.cert, certificate ? certificate : pki_client_crt);
        set_blob(&m->config.key, key ? key : pki_client_key);
    }
    if (c->username) {
        m->config.auth_user_pass = true;
        assert_true(
            config_set_text(&m->config.username, bytes_of_text(c->username)));
        assert_true(
            config_set_text(&m->config.password, bytes_of_text(c->password)));
    }
    if (c->filtered) {
        m->config.pull_filters = calloc(1, sizeof *m->config.pull_filters);
        assert_non_null(m->config.pull_filters);
        m->config.pull_filters[m->config.pull_filter_count++] =
            (struct config_pull_filter){CONFIG_PULL_IGNORE,
                                        strdup(c->filtered)};
    }
    m->path.remote =
        (struct endpoint){address_ipv4(0xc0000200 + (uint32_t)c->count), 40000};
    m->client = client_new(&m->config, &env, NULL);
    assert_non_null(m->client);
    client_start(m->client, c->now);
    return m;
}

enum drop server_club_hear(struct server_club *c,
                           const struct server_path *from,
                           struct bytes datagram, struct datagram *out)
{
    struct burst burst = {.count = 0};
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)datagram.size));
    server_open(c->server, c->now, from, &burst);
    enum drop drop = burst.datagrams[0].drop;
    if (out)
        *out = burst.datagrams[0];
    free(copy);
    return drop;
}

void server_club_downgrade(const struct server_club *c,
                           struct server_club_member *m)
{
    if (c->without_cookie)
        m->client->session.wrap.send_id = 0;
}

static void perform(struct server_club *c, struct server_club_member *m,
                    const struct client_action *a)
{
    switch (a->type) {
    case CLIENT_ACTION_CONNECT:
        client_connected(m->client, c->now, 28, 1500);
        server_club_downgrade(c, m);
        return;
    case CLIENT_ACTION_SEND:
        (void)server_club_hear(c, &m->path, a->bytes, NULL);
        return;
    case CLIENT_ACTION_UP:
        m->up = true;
        m->ups++;
        m->tunnel = *a->tunnel;
        return;
    case CLIENT_ACTION_DOWN:
        m->up = false;
        break;
    case CLIENT_ACTION_DISCONNECT:
    case CLIENT_ACTION_ASK:
    case CLIENT_ACTION_STOPPED:
        break;
    }
    snprintf(m->text, sizeof m->text, "%s", a->text ? a->text : "");
}

static void deliver(struct server_club *c, const struct server_path *to,
                    struct bytes datagram)
{
    for (size_t i = 0; i < c->count; i++) {
        struct server_club_member *m = &c->members[i];
        struct burst burst = {.count = 0};
        if (!endpoint_equal(&m->path.remote, &to->remote) ||
            m->path.stream != to->stream)
            continue;
        m->hung_up |= datagram.size == 0;
        if (datagram.size == 0)
            continue;
        uint8_t *copy = exact_copy(datagram.data, datagram.size);
        assert_true(burst_add_view(&burst, copy, (uint16_t)datagram.size));
        client_open(m->client, c->now, &burst);
        m->received += burst.datagrams[0].inner_size > 0;
        free(copy);
    }
}

static bool turn(struct server_club *c)
{
    bool moved = false;
    struct client_action action;
    struct server_path to;
    struct bytes datagram;
    for (size_t i = 0; i < c->count; i++) {
        struct server_club_member *m = &c->members[i];
        if (instant_reached(c->now, client_deadline(m->client)))
            client_expire(m->client, c->now);
        while (client_poll(m->client, &action)) {
            perform(c, m, &action);
            moved = true;
        }
    }
    if (instant_reached(c->now, server_deadline(c->server)))
        server_expire(c->server, c->now);
    while (server_transmit(c->server, &to, &datagram)) {
        deliver(c, &to, datagram);
        moved = true;
    }
    return moved;
}

void server_club_run(struct server_club *c, struct duration length)
{
    struct instant end = instant_after(c->now, length);
    while (true) {
        for (unsigned turns = 0; turn(c); turns++)
            assert_true(turns < 1000);
        struct instant next = server_deadline(c->server);
        for (size_t i = 0; i < c->count; i++)
            next = instant_earlier(next, client_deadline(c->members[i].client));
        if (instant_before(end, next))
            break;
        if (instant_before(c->now, next))
            c->now = next;
        else
            c->now = instant_after(c->now, duration_milliseconds(1));
    }
    c->now = end;
}

size_t server_club_seal(struct server_club *c, struct server_club_member *m,
                        uint32_t source, uint32_t destination,
                        uint8_t out[2048])
{
    struct burst burst;
    struct burst_layout layout = client_layout(m->client);
    assert_true(burst_init(&burst, 2048));
    struct datagram *d = burst_reserve(&burst, &layout, SERVER_CLUB_INNER);
    size_t size = 0;
    assert_non_null(d);
    uint8_t *inner = d->data + d->inner_offset;
    memset(inner, 0, SERVER_CLUB_INNER);
    inner[0] = 0x45;
    store_u16(inner + 2, SERVER_CLUB_INNER);
    store_u32(inner + 12, source);
    store_u32(inner + 16, destination);
    if (client_seal(m->client, c->now, &burst) && d->drop == DROP_NONE) {
        size = d->size;
        memcpy(out, d->data, size);
    }
    burst_clear(&burst);
    return size;
}

struct server_status server_club_status(const struct server_club *c)
{
    struct server_status status;
    server_status(c->server, &status);
    return status;
}
