/* The client of a profile with a static key, and the peer's session. */
#include "gateway/openvpn/client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/session/session_static.h"
#include "tests/openvpn/config/config_trial.h"
#include "tests/unit.h"

#define KEY_LINE "000102030405060708090a0b0c0d0e0f\n"
#define KEY_4    KEY_LINE KEY_LINE KEY_LINE KEY_LINE
#define PROFILE                                                                \
    "dev tun\nremote one.example\nremote two.example\ncipher AES-256-CBC\n"    \
    "auth SHA256\nifconfig 10.8.0.2 10.8.0.1\nredirect-gateway\n"              \
    "keepalive 5 20\nexplicit-exit-notify\nconnect-retry 1\n"                  \
    "<secret>\n-----BEGIN OpenVPN Static key V1-----\n" KEY_4 KEY_4 KEY_4      \
        KEY_4 "-----END OpenVPN Static key V1-----\n</secret>\n"

static uint32_t random_state = 1;
static uint32_t clock_seconds;

static void fill_random(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return clock_seconds;
}

static void no_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

struct trial {
    struct config_trial profile;
    struct client *client;
    struct session *peer;
    struct instant now;
    unsigned connects, ups, downs, sends;
    const char *host; /* of the last CONNECT */
    struct tunnel tunnel;
    size_t heard; /* of what it sent the peer could read so much */
};

static void open_peer(struct trial *t)
{
    struct static_key key;
    const struct config *c = &t->profile.config;
    assert_true(static_key_parse(
        bytes_of(c->static_key.data, c->static_key.size), &key));
    struct session_static_options o = {
        .env = {&random_state, fill_random, NULL},
        .key = &key,
        .direction = -1,
        .cipher = "AES-256-CBC",
        .digest = "SHA256",
        .began = clock_seconds,
        .replay_packets = 64,
        .replay_seconds = 15,
    };
    assert_true(session_static_init(t->peer, &o, t->now));
}

static struct trial *begin(const char *more)
{
    static const struct client_env env = {&random_state, fill_random,
                                          unix_time};
    char text[2048];
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    clock_seconds = 2000000000;
    t->now = (struct instant){1000000};
    snprintf(text, sizeof text, "%s%s", PROFILE, more);
    config_trial_parse(&t->profile, text);
    if (!t->profile.usable)
        config_trial_print(&t->profile);
    assert_true(t->profile.usable);
    t->peer = malloc(sizeof *t->peer);
    assert_non_null(t->peer);
    open_peer(t);
    t->client = client_new(&t->profile.config, &env, NULL);
    assert_non_null(t->client);
    client_start(t->client, t->now);
    return t;
}

static void end(struct trial *t)
{
    client_free(t->client);
    session_clear(t->peer);
    free(t->peer);
    config_trial_clear(&t->profile);
    free(t);
}

static void peer_hears(struct trial *t, struct bytes datagram)
{
    struct burst burst = {0};
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)datagram.size));
    session_data_open(t->peer, t->now, &burst, 0, 1);
    t->heard += burst.datagrams[0].drop == DROP_NONE;
    free(copy);
}

/* Lets it act. */
static void listen(struct trial *t)
{
    struct client_action a;
    while (client_poll(t->client, &a)) {
        switch (a.type) {
        case CLIENT_ACTION_CONNECT:
            t->connects++;
            t->host = a.remote->host;
            client_connected(t->client, t->now, 28, 1500);
            break;
        case CLIENT_ACTION_SEND:
            t->sends++;
            peer_hears(t, a.bytes);
            break;
        case CLIENT_ACTION_UP:
            t->ups++;
            t->tunnel = *a.tunnel;
            break;
        case CLIENT_ACTION_DOWN:
            t->downs++;
            break;
        case CLIENT_ACTION_DISCONNECT:
        case CLIENT_ACTION_ASK:
        case CLIENT_ACTION_STOPPED:
            break;
        }
    }
}

static void pass(struct trial *t, int64_t milliseconds)
{
    struct instant end_of_it =
        instant_after(t->now, duration_milliseconds(milliseconds));
    listen(t);
    while (!instant_before(end_of_it, client_deadline(t->client))) {
        if (instant_before(t->now, client_deadline(t->client)))
            t->now = client_deadline(t->client);
        client_expire(t->client, t->now);
        listen(t);
    }
    t->now = end_of_it;
}

static enum drop client_hears(struct trial *t, struct bytes datagram)
{
    struct burst burst = {0};
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)datagram.size));
    client_open(t->client, t->now, &burst);
    enum drop drop = (enum drop)burst.datagrams[0].drop;
    free(copy);
    listen(t);
    return drop;
}

static enum drop peer_says(struct trial *t, enum session_data_word word)
{
    return client_hears(t, session_data_say(t->peer, t->now, word));
}

static struct client_status status_of(const struct trial *t)
{
    struct client_status s;
    client_status(t->client, &s);
    return s;
}

static void the_peers_first_packet_makes_the_tunnel(void **state)
{
    (void)state;
    struct trial *t = begin("");
    pass(t, 3500);
    /* One question at once, and one every second. */
    assert_int_equal(t->sends, 4);
    assert_int_equal(t->heard, 4);
    assert_int_equal(status_of(t).state, CLIENT_NEGOTIATING);
    assert_int_equal(t->ups, 0);
    assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_NONE);
    assert_int_equal(t->ups, 1);
    assert_string_equal(status_of(t).cipher, "AES-256-CBC");
    assert_int_equal(address_to_ipv4(&t->tunnel.ipv4.address), 0x0a080002);
    assert_int_equal(address_to_ipv4(&t->tunnel.ipv4_gateway), 0x0a080001);
    assert_true(t->tunnel.redirect_ipv4);
    end(t);
}

static void what_others_say_makes_none(void **state)
{
    (void)state;
    uint8_t datagram[80];
    struct trial *t = begin("");
    listen(t);
    for (size_t size = 0; size < sizeof datagram; size++) {
        random_bytes(&random_state, datagram, size);
        assert_int_not_equal(client_hears(t, bytes_of(datagram, size)),
                             DROP_NONE);
    }
    t->profile.config.static_key.data[180] ^= 1; /* of the hmac */
    session_clear(t->peer);
    open_peer(t);
    assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_DATA_AUTH);
    assert_int_equal(t->ups, 0);
    end(t);
}

static void a_silent_peer_is_left_for_the_next(void **state)
{
    (void)state;
    struct trial *t = begin("");
    listen(t);
    assert_string_equal(t->host, "one.example");
    pass(t, 10100);
    assert_string_equal(t->host, "two.example");
    assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_NONE);
    assert_int_equal(t->ups, 1);
    end(t);
}

/* The peer would take what it sends as a replay otherwise. */
static void every_connection_counts_anew_and_later(void **state)
{
    (void)state;
    struct trial *t = begin("");
    listen(t);
    for (int i = 0; i < 5; i++) {
        size_t heard = t->heard;
        assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_NONE);
        client_reconnect(t->client, t->now);
        listen(t);
        assert_int_equal(t->heard, heard + 2); /* a goodbye and a question */
    }
    assert_int_equal(t->ups, 5);
    assert_int_equal(t->downs, 5);
    end(t);
}

static void a_lost_peer_is_noticed_and_a_goodbye_too(void **state)
{
    (void)state;
    struct trial *t = begin("");
    listen(t);
    assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_NONE);
    size_t sends = t->sends;
    pass(t, 19000);
    assert_int_equal(t->sends, sends + 3); /* pings */
    assert_int_equal(t->downs, 0);
    pass(t, 2500);
    assert_int_equal(t->downs, 1);
    assert_int_equal(peer_says(t, SESSION_DATA_PING), DROP_NONE);
    assert_int_equal(t->ups, 2);
    assert_int_equal(peer_says(t, SESSION_DATA_GOODBYE), DROP_NONE);
    assert_int_equal(t->downs, 2);
    end(t);
}

static void without_questions_it_is_up_at_once(void **state)
{
    (void)state;
    struct trial *t = begin("disable-occ\n");
    listen(t);
    assert_int_equal(t->ups, 1);
    end(t);
}

static int be_quiet(void **state)
{
    (void)state;
    log_set_sink(no_log, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peers_first_packet_makes_the_tunnel),
        cmocka_unit_test(what_others_say_makes_none),
        cmocka_unit_test(a_silent_peer_is_left_for_the_next),
        cmocka_unit_test(every_connection_counts_anew_and_later),
        cmocka_unit_test(a_lost_peer_is_noticed_and_a_goodbye_too),
        cmocka_unit_test(without_questions_it_is_up_at_once),
    };
    return cmocka_run_group_tests_name("client_static", tests, be_quiet, NULL);
}
