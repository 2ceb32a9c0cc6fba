/* Clients that are older than the server, or made to look like that: without
 * peer ids, and without the cookie of tls-crypt-v2. And one that is told of a
 * thousand routes. */
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/data/data_packet.h"
#include "gateway/openvpn/server/server_state.h"
#include "gateway/openvpn/session/peer_info.h"
#include "tests/openvpn/server/server_club.h"
#include "tests/unit.h"
#include "tests/vectors/openvpn_tls_crypt.h"

enum { OWN = 0x0a080002, WEB = 0x0a636450 };

static char last_warning[512];

static void keep_warning(void *context, enum log_level level, const char *line)
{
    (void)context;
    if (level == LOG_WARN)
        snprintf(last_warning, sizeof last_warning, "%s", line);
}

static int set_up(void **state)
{
    log_set_sink(keep_warning, NULL);
    last_warning[0] = 0;
    *state = calloc(1, sizeof(struct server_club));
    assert_non_null(*state);
    server_club_init(*state);
    return 0;
}

static int tear_down(void **state)
{
    server_club_clear(*state);
    free(*state);
    return 0;
}

static uint64_t dropped(const struct server_club *c, enum drop reason)
{
    return server_club_status(c).drops->count[reason];
}

static struct server_club_member *one_more(struct server_club *c)
{
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    return m;
}

/* --- Data without a peer id ---------------------------------------------- */

static void to_client(struct server_club *c, struct server_club_member *m,
                      uint8_t opcode)
{
    struct burst burst, heard = {.count = 0};
    const struct address to = m->tunnel.ipv4.address;
    struct server_peer *p = server_find(c->server, &to);
    assert_non_null(p);
    const struct burst_layout layout = server_layout(p);
    assert_true(burst_init(&burst, 2048));
    struct datagram *d = burst_reserve(&burst, &layout, 40);
    assert_non_null(d);
    memset(d->data + d->inner_offset, 0, 40);
    d->data[d->inner_offset] = 0x45;
    assert_true(server_seal(c->server, c->now, p, &burst));
    assert_int_equal(opcode_of(d->data[0]), opcode);
    assert_true(burst_add_view(&heard, d->data, (uint16_t)d->size));
    client_open(m->client, c->now, &heard);
    assert_int_equal(heard.datagrams[0].drop, DROP_NONE);
    burst_clear(&burst);
}

static void moves_data(struct server_club *c, struct server_club_member *m,
                       uint8_t says, uint8_t hears)
{
    uint8_t bytes[2048];
    struct server_path elsewhere = m->path;
    const uint32_t own = address_to_ipv4(&m->tunnel.ipv4.address);
    size_t size = server_club_seal(c, m, own, WEB, bytes);
    assert_true(size > 0);
    assert_int_equal(opcode_of(bytes[0]), says);
    elsewhere.remote.port++;
    assert_int_equal(
        server_club_hear(c, &elsewhere, bytes_of(bytes, size), NULL),
        says == OPCODE_DATA_V1 ? DROP_DATA_NO_KEY : DROP_NONE);
    if (says == OPCODE_DATA_V1)
        assert_int_equal(
            server_club_hear(c, &m->path, bytes_of(bytes, size), NULL),
            DROP_NONE);
    to_client(c, m, hears);
}

static void stays_up(struct server_club *c, struct server_club_member *m)
{
    server_club_run(c, duration_seconds(300));
    assert_true(m->up);
    assert_int_equal(m->ups, 1);
}

/* It is told a peer id, and what it gets has one. */
static void who_ignores_its_peer_id_moves_data(void **state)
{
    struct server_club *c = *state;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_DATA_EPOCH;
    c->config.duplicate_cn = true;
    server_club_open(c);
    struct server_club_member *newer = one_more(c);
    c->filtered = "peer-id";
    struct server_club_member *one = one_more(c), *two = one_more(c);
    assert_true(newer->up && one->up && two->up);
    moves_data(c, two, OPCODE_DATA_V1, OPCODE_DATA_V2);
    moves_data(c, one, OPCODE_DATA_V1, OPCODE_DATA_V2);
    moves_data(c, newer, OPCODE_DATA_V2, OPCODE_DATA_V2);
    newer->path.remote.port++; /* where it was heard last */
    stays_up(c, one);
    moves_data(c, one, OPCODE_DATA_V1, OPCODE_DATA_V2);
}

static void who_knows_no_peer_ids_moves_data(void **state)
{
    struct server_club *c = *state;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_DATA_V2;
    server_club_open(c);
    struct server_club_member *m = one_more(c);
    assert_true(m->up);
    moves_data(c, m, OPCODE_DATA_V1, OPCODE_DATA_V1);
    server_renegotiate(c->server, c->now, 1);
    stays_up(c, m);
    assert_int_equal(server_club_status(c).negotiations, 2);
    moves_data(c, m, OPCODE_DATA_V1, OPCODE_DATA_V1);
}

/* Several in one burst are one client's, and garbage among them is dropped. */
static void a_burst_without_peer_ids_is_its_sender_s(void **state)
{
    struct server_club *c = *state;
    enum { COUNT = 4 };
    uint8_t bytes[COUNT][2048], one[1] = {OPCODE_DATA_V1 << 3};
    struct burst burst = {.count = 0};
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_DATA_V2;
    server_club_open(c);
    struct server_club_member *m = one_more(c);
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = server_club_seal(c, m, OWN, WEB, bytes[i]);
        if (i == 1)
            assert_true(burst_add_view(&burst, one, sizeof one));
        assert_true(burst_add_view(&burst, bytes[i], (uint16_t)size));
    }
    server_open(c->server, c->now, &m->path, &burst);
    for (size_t i = 0; i < burst.count; i++)
        assert_int_equal(burst.datagrams[i].drop,
                         i == 1 ? DROP_DATA_MALFORMED : DROP_NONE);
}

/* --- tls-crypt-v2 without the cookie ------------------------------------- */

static void with_own_keys(struct server_club *c)
{
    c->config.common.remotes[0].wrap = CONFIG_WRAP_TLS_CRYPT_V2;
    assert_true(blob_set(&c->config.common.remotes[0].wrap_key,
                         bytes_of_text(vector_v2_server_key)));
    c->wrap_key = vector_v2_client_key;
    c->without_cookie = true;
}

static void who_returns_no_cookie_comes_in(void **state)
{
    struct server_club *c = *state;
    with_own_keys(c);
    server_club_open(c);
    struct server_club_member *m = one_more(c);
    assert_true(m->up);
    moves_data(c, m, OPCODE_DATA_V2, OPCODE_DATA_V2);
    assert_int_equal(last_warning[0], 0);
}

static void unless_it_must(void **state)
{
    struct server_club *c = *state;
    with_own_keys(c);
    c->config.cookie_only = true;
    server_club_open(c);
    struct server_club_member *m = one_more(c);
    assert_false(m->up);
    assert_true(server_is_empty(c->server));
    assert_true(dropped(c, DROP_SERVER_COOKIE) > 0);
    assert_non_null(strstr(last_warning, "192.0.2.1:40000"));
    assert_non_null(strstr(last_warning, "force-cookie"));
    /* A connection proves its address by itself. */
    struct server_club_member *connected = server_club_join(c, NULL, NULL);
    connected->path.stream = 7;
    server_club_run(c, duration_seconds(1));
    assert_true(connected->up);
}

/* Each takes a place until it is over, and there is an end to places. */
static void first_packets_alone_are_forgotten(void **state)
{
    struct server_club *c = *state;
    struct server_path to;
    struct bytes datagram;
    with_own_keys(c);
    c->config.max_clients = 8;
    c->config.first_answers = 20;
    server_club_open(c);
    for (unsigned i = 0; i < 30; i++) {
        struct server_club_member *m = server_club_join(c, NULL, NULL);
        struct client_action a;
        while (client_poll(m->client, &a)) {
            if (a.type == CLIENT_ACTION_CONNECT) {
                client_connected(m->client, c->now, 28, 1500);
                server_club_downgrade(c, m);
            } else if (a.type == CLIENT_ACTION_SEND) {
                (void)server_club_hear(c, &m->path, a.bytes, NULL);
            }
        }
        client_stop(m->client, c->now);
        while (server_transmit(c->server, &to, &datagram))
            assert_true(datagram.size < 100);
    }
    assert_int_equal(server_club_status(c).negotiating, 8);
    assert_true(dropped(c, DROP_SERVER_FULL) > 0);
    assert_true(dropped(c, DROP_SERVER_RATE) > 0);
    server_club_run(c, duration_seconds(61));
    assert_true(server_is_empty(c->server));
}

/* --- A thousand routes --------------------------------------------------- */

static void all_that_is_to_be_pushed_arrives(void **state)
{
    struct server_club *c = *state;
    enum { ROUTES = 1024 };
    c->config.pushes = calloc(ROUTES + 1, sizeof *c->config.pushes);
    assert_non_null(c->config.pushes);
    for (unsigned i = 0; i < ROUTES; i++) {
        char text[64];
        snprintf(text, sizeof text, "route 172.%u.%u.0 255.255.255.0",
                 16 + i / 256, i % 256);
        c->config.pushes[c->config.push_count++] = strdup(text);
    }
    c->config.pushes[c->config.push_count++] =
        strdup("dhcp-option DNS 198.51.100.53");
    server_club_open(c);
    struct server_club_member *m = one_more(c);
    assert_true(m->up);
    assert_true(m->tunnel.route_count >= 256);
    assert_int_equal(m->tunnel.resolver_count, 1);
    moves_data(c, m, OPCODE_DATA_V2, OPCODE_DATA_V2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_ignores_its_peer_id_moves_data),
        TEST(who_knows_no_peer_ids_moves_data),
        TEST(a_burst_without_peer_ids_is_its_sender_s),
        TEST(who_returns_no_cookie_comes_in),
        TEST(unless_it_must),
        TEST(first_packets_alone_are_forgotten),
        TEST(all_that_is_to_be_pushed_arrives),
    };
    return cmocka_run_group_tests_name("server_older", tests, NULL, NULL);
}
