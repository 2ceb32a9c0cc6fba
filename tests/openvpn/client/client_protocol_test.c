/* The door, with the client of a static key behind it: its peer's first packet
 * is the tunnel. What the client itself does is client_test's matter. */
#include "gateway/openvpn/client/client_protocol.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/client/client_profile.h"
#include "gateway/openvpn/session/session_static.h"
#include "tests/unit.h"

#define KEY_LINE "000102030405060708090a0b0c0d0e0f\n"
#define KEY_4    KEY_LINE KEY_LINE KEY_LINE KEY_LINE
#define PROFILE                                                                \
    "dev tun\nremote one.example 1194 udp\nremote two.example 1195 udp\n"      \
    "cipher AES-256-CBC\nauth SHA256\nifconfig 10.8.0.2 10.8.0.1\n"            \
    "<secret>\n-----BEGIN OpenVPN Static key V1-----\n" KEY_4 KEY_4 KEY_4      \
        KEY_4 "-----END OpenVPN Static key V1-----\n</secret>\n"

enum { NOW = 2000000000 };

static uint32_t random_state = 1;

static void fill_random(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

static int64_t wall_clock(void *context)
{
    (void)context;
    return (int64_t)NOW * 1000000000;
}

static void no_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void ignore(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    (void)context, (void)severity, (void)line, (void)text;
}

struct trial {
    struct protocol *protocol;
    struct session *peer;
    struct instant now;
};

static void open_peer(struct trial *t)
{
    struct static_key key;
    const struct config *c = client_profile_config(t->protocol->profile);
    assert_true(static_key_parse(
        bytes_of(c->static_key.data, c->static_key.size), &key));
    struct session_static_options o = {
        .env = {&random_state, fill_random, NULL},
        .key = &key,
        .direction = -1,
        .cipher = "AES-256-CBC",
        .digest = "SHA256",
        .began = NOW,
        .replay_packets = 64,
        .replay_seconds = 15,
    };
    assert_true(session_static_init(t->peer, &o, t->now));
}

static struct trial *begin(const char *more)
{
    static int64_t stamp;
    const struct protocol_env env = {&random_state, fill_random, wall_clock,
                                     &stamp};
    const struct protocol_reader reader = {.report = ignore};
    char text[2048], why[PROTOCOL_WHY_SIZE];
    bool usable;
    struct trial *t = calloc(1, sizeof *t);
    log_set_sink(no_log, NULL);
    t->now = (struct instant){1000000};
    snprintf(text, sizeof text, "%s%s", PROFILE, more);
    assert_true(client_protocol.recognises(bytes_of_text(text)));
    struct protocol_profile *profile =
        client_protocol.read(bytes_of_text(text), "p.ovpn", &reader, &usable);
    assert_true(usable);
    assert_int_equal(profile->server_count, 2);
    t->protocol = client_protocol.make(profile, &env, why);
    assert_non_null(t->protocol);
    t->peer = malloc(sizeof *t->peer);
    open_peer(t);
    client_protocol.start(t->protocol, t->now);
    return t;
}

static void end(struct trial *t)
{
    client_protocol.free(t->protocol);
    session_clear(t->peer);
    free(t->peer);
    free(t);
    log_set_sink(NULL, NULL);
}

/* The next action of that kind; what is sent before it goes nowhere. */
static struct protocol_action expect(struct trial *t,
                                     enum protocol_action_type type)
{
    struct protocol_action a;
    do
        assert_true(client_protocol.poll(t->protocol, &a));
    while (a.type == PROTOCOL_ACTION_SEND && type != PROTOCOL_ACTION_SEND);
    assert_int_equal(a.type, type);
    return a;
}

static bool says(struct trial *t, enum protocol_action_type type)
{
    struct protocol_action a;
    bool said = false;
    while (client_protocol.poll(t->protocol, &a))
        said = said || a.type == type;
    return said;
}

static const struct endpoint first = {{ADDRESS_IPV4, {192, 0, 2, 1}}, 1194};
static const struct endpoint other = {{ADDRESS_IPV4, {192, 0, 2, 9}}, 4000};

static void connect_to_first(struct trial *t)
{
    struct protocol_action a = expect(t, PROTOCOL_ACTION_RESOLVE);
    assert_string_equal(a.server->host, "one.example");
    client_protocol.resolved(t->protocol, t->now, a.endpoint, &first.address, 1,
                             NULL);
    a = expect(t, PROTOCOL_ACTION_CONNECT);
    assert_true(endpoint_equal(&a.to, &first));
    client_protocol.connected(t->protocol, t->now, 28, 1500);
}

static void hear(struct trial *t, struct bytes datagram,
                 const struct endpoint *source)
{
    struct burst *burst = calloc(1, sizeof *burst);
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    burst->source = *source;
    assert_true(burst_add_view(burst, copy, (uint16_t)datagram.size));
    client_protocol.open(t->protocol, t->now, burst);
    free(copy);
    free(burst);
}

static void hear_peer(struct trial *t, const struct endpoint *source)
{
    hear(t, session_data_say(t->peer, t->now, SESSION_DATA_PING), source);
}

static void a_name_is_looked_up_before_it_is_connected_to(void **state)
{
    (void)state;
    struct trial *t = begin("");
    struct protocol_action a = expect(t, PROTOCOL_ACTION_RESOLVE);
    client_protocol.resolved(t->protocol, t->now, a.endpoint, NULL, 0,
                             "there is no such name");
    struct protocol_status s;
    client_protocol.status(t->protocol, &s);
    assert_non_null(strstr(s.last_error, "there is no such name"));
    assert_int_equal(s.state, VPN_STATE_WAITING_TO_RETRY);
    assert_false(says(t, PROTOCOL_ACTION_CONNECT));
    end(t);
}

/* An answer that comes when nobody waits for it is none. */
static void a_late_answer_connects_to_nothing(void **state)
{
    (void)state;
    struct trial *t = begin("");
    struct protocol_action a = expect(t, PROTOCOL_ACTION_RESOLVE);
    client_protocol.stop(t->protocol, t->now);
    assert_true(says(t, PROTOCOL_ACTION_STOPPED));
    client_protocol.resolved(t->protocol, t->now, a.endpoint, &first.address, 1,
                             NULL);
    assert_false(says(t, PROTOCOL_ACTION_CONNECT));
    end(t);
}

static void a_server_that_floats_is_followed_when_it_proves_itself(void **state)
{
    (void)state;
    struct trial *t = begin("float\n");
    connect_to_first(t);
    hear_peer(t, &first);
    assert_true(says(t, PROTOCOL_ACTION_UP));

    hear(t, bytes_of_text("it is me, your server, at another address"), &other);
    assert_false(says(t, PROTOCOL_ACTION_AIM));
    hear_peer(t, &other);
    struct protocol_action a = expect(t, PROTOCOL_ACTION_AIM);
    assert_true(endpoint_equal(&a.to, &other));
    assert_int_equal(a.endpoint, 0);
    hear_peer(t, &other);
    assert_false(says(t, PROTOCOL_ACTION_AIM));
    end(t);
}

static void one_that_does_not_stays_where_it_is(void **state)
{
    (void)state;
    struct trial *t = begin("");
    connect_to_first(t);
    hear_peer(t, &(struct endpoint){0}); /* a connected uplink names none */
    assert_true(says(t, PROTOCOL_ACTION_UP));
    hear_peer(t, &other);
    assert_false(says(t, PROTOCOL_ACTION_AIM));
    end(t);
}

static void what_only_openvpn_knows_is_facts(void **state)
{
    (void)state;
    struct trial *t = begin("");
    struct protocol_status s;
    connect_to_first(t);
    hear_peer(t, &first);
    client_protocol.status(t->protocol, &s);
    assert_int_equal(s.state, VPN_STATE_CONNECTED);
    assert_string_equal(s.server.host, "one.example");
    assert_int_equal(s.server.port, 1194);
    assert_string_equal(s.facts[0].name, "cipher");
    assert_string_equal(s.facts[0].value, "AES-256-CBC");
    assert_string_equal(s.facts[2].name, "tls");
    assert_null(s.facts[2].value);
    end(t);
}

static void other_files_are_not_recognised(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "\n\n",
                                         "# remote a.example\n",
                                         "[Interface]\nPrivateKey = x\n",
                                         "-----BEGIN CERTIFICATE-----\n",
                                         "remotely like it\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(client_protocol.recognises(bytes_of_text(others[i])));
    assert_true(client_protocol.recognises(
        bytes_of_text("\xef\xbb\xbf# mine\r\n  remote a.example\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_looked_up_before_it_is_connected_to),
        cmocka_unit_test(a_late_answer_connects_to_nothing),
        cmocka_unit_test(
            a_server_that_floats_is_followed_when_it_proves_itself),
        cmocka_unit_test(one_that_does_not_stays_where_it_is),
        cmocka_unit_test(what_only_openvpn_knows_is_facts),
        cmocka_unit_test(other_files_are_not_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
