/* In a real loop, with a socket on the loopback interface as the server: it
 * hears what the client says, and answers nothing. */
#include "gateway/vpn/vpn_client.h"

#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/client/client_profile.h"
#include "gateway/openvpn/client/client_protocol.h"

#define LOGIN "<auth-user-pass>\nanna\nsecret\n</auth-user-pass>\n"

struct fixture {
    bool holds_pause;
    struct loop *loop;
    struct vpn_client *client;
    int server;
    uint16_t port;
    unsigned ups, downs, states, stops;
    uint16_t connected; /* to this port */
    enum vpn_state state;
    char why[256];
};

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void on_up(void *context, struct instant now,
                  const struct tunnel *tunnel)
{
    struct fixture *f = context;
    (void)now, (void)tunnel;
    f->ups++;
}

static void on_down(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->downs++;
}

static void on_received(void *context, struct instant now, struct burst *burst)
{
    (void)context, (void)now, (void)burst;
}

static void on_connected(void *context, const struct endpoint *server)
{
    struct fixture *f = context;
    f->connected = server->port;
}

static void on_state(void *context, struct instant now,
                     const struct protocol_status *status)
{
    struct fixture *f = context;
    (void)now;
    f->states++;
    f->state = status->state;
    if (f->holds_pause && f->state == VPN_STATE_WAITING_TO_RETRY)
        vpn_client_hold(f->client, true);
}

static void on_stopped(void *context, struct instant now, const char *why)
{
    struct fixture *f = context;
    (void)now;
    f->stops++;
    snprintf(f->why, sizeof f->why, "%s", why ? why : "on request");
}

static void report(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    (void)context;
    if (severity == PROTOCOL_ERROR)
        fail_msg("%u: %s", line, text);
}

static struct protocol_profile *profile(const struct fixture *f,
                                        const char *more)
{
    const struct protocol_reader reader = {.report = report};
    bool usable;
    char text[1024];
    snprintf(text, sizeof text,
             "client\ndev tun\nremote 127.0.0.1 %u udp\nconnect-timeout 1\n"
             "peer-fingerprint 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
             "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n%s",
             f->port, more);
    struct protocol_profile *read =
        client_protocol.read(bytes_of_text(text), "p.ovpn", &reader, &usable);
    assert_true(usable);
    return read;
}

static const struct vpn_client_owner owner = {
    .connected = on_connected,
    .state = on_state,
    .stopped = on_stopped,
};

static const struct vpn_tunnel_owner tunnel = {
    .up = on_up,
    .down = on_down,
    .received = on_received,
};

static int64_t stamp;

static void make(struct fixture *f, const char *more)
{
    struct vpn_client_owner ours = owner;
    struct vpn_tunnel_owner above = tunnel;
    char why[PROTOCOL_WHY_SIZE];
    ours.context = above.context = f;
    f->client =
        vpn_client_new(f->loop, profile(f, more), &stamp, &ours, &above, why);
    assert_non_null(f->client);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    log_set_sink(quiet, NULL);
    f->loop = loop_new();
    f->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->server, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(f->server, (struct sockaddr *)&a, &size), 0);
    f->port = ntohs(a.sin_port);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    vpn_client_free(f->client);
    loop_free(f->loop);
    close(f->server);
    log_set_sink(NULL, NULL);
    free(f);
    return 0;
}

/* Something lies at the server. */
static bool is_heard(const void *context)
{
    const struct fixture *f = context;
    uint8_t byte;
    return recv(f->server, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

/* Receives a datagram and returns its kind: the opcode of OpenVPN. */
static unsigned hear(struct fixture *f)
{
    uint8_t datagram[2048];
    turn_until(f->loop, is_heard, f);
    assert_true(recv(f->server, datagram, sizeof datagram, 0) >= 14);
    return datagram[0] >> 3;
}

static void forget_what_was_heard(struct fixture *f)
{
    while (is_heard(f))
        (void)hear(f);
}

enum { HARD_RESET_CLIENT_V2 = 7 };

static void it_says_hello_to_the_server(void **state)
{
    struct fixture *f = *state;
    make(f, LOGIN);
    assert_null(vpn_client_uplink(f->client));
    vpn_client_start(f->client, loop_now(f->loop));
    assert_int_equal(hear(f), HARD_RESET_CLIENT_V2);
    assert_int_equal(f->state, VPN_STATE_CONNECTING);
    assert_int_equal(f->connected, f->port);
    assert_int_equal(vpn_client_uplink(f->client)->server.port, f->port);
    assert_int_equal(f->ups + f->stops, 0);
}

static void nothing_of_a_qube_leaves_before_it_is_up(void **state)
{
    struct fixture *f = *state;
    const struct burst_layout bare = {.block = 1};
    struct burst burst;
    make(f, LOGIN);
    vpn_client_start(f->client, loop_now(f->loop));
    (void)hear(f);
    forget_what_was_heard(f);
    assert_true(burst_init(&burst, 4096));
    struct datagram *d = burst_reserve(&burst, &bare, 100);
    memset(d->data, 0x45, 100);
    vpn_client_send(f->client, loop_now(f->loop), &burst);
    assert_int_equal(burst.count, 0);
    assert_false(is_heard(f));
    burst_clear(&burst);
}

static void a_question_is_told_and_its_answer_goes_on(void **state)
{
    struct fixture *f = *state;
    make(f, "auth-user-pass\n");
    assert_null(vpn_client_question(f->client));
    vpn_client_start(f->client, loop_now(f->loop));
    assert_int_equal(f->state, VPN_STATE_WAITING_FOR_LOGIN);
    assert_string_equal(vpn_client_question(f->client),
                        "User name and password");
    vpn_client_log_in(f->client, loop_now(f->loop), "anna", "secret", NULL);
    assert_null(vpn_client_question(f->client));
    assert_int_equal(hear(f), HARD_RESET_CLIENT_V2);
}

static void reconnecting_says_hello_again(void **state)
{
    struct fixture *f = *state;
    struct protocol_status status;
    make(f, LOGIN);
    vpn_client_start(f->client, loop_now(f->loop));
    (void)hear(f);
    forget_what_was_heard(f);
    unsigned states = f->states;
    vpn_client_reconnect(f->client, loop_now(f->loop));
    assert_int_equal(hear(f), HARD_RESET_CLIENT_V2);
    vpn_client_status(f->client, &status);
    assert_int_equal(status.reconnects, 1);
    assert_true(f->states > states);
}

static bool is_pausing(const void *context)
{
    const struct fixture *f = context;
    return f->state == VPN_STATE_WAITING_TO_RETRY;
}

/* Its silence was too long, and its next attempt is due at once; but not while
 * it is held. */
static void a_pause_that_is_held_ends_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    /* A silent server is tried again at once: what is to last is held as soon
     * as it begins. */
    f->holds_pause = true;
    make(f, LOGIN);
    vpn_client_start(f->client, loop_now(f->loop));
    turn_until(f->loop, is_pausing, f);
    forget_what_was_heard(f);
    turn_for(f->loop, 100);
    assert_int_equal(f->state, VPN_STATE_WAITING_TO_RETRY);
    assert_false(is_heard(f));
    vpn_client_end_pause(f->client, loop_now(f->loop));
    assert_int_equal(f->state, VPN_STATE_CONNECTING);
    vpn_client_hold(f->client, false);
    assert_int_equal(hear(f), HARD_RESET_CLIENT_V2);
}

static void its_end_is_told_unless_it_is_retired(void **state)
{
    struct fixture *f = *state;
    make(f, LOGIN);
    vpn_client_start(f->client, loop_now(f->loop));
    (void)hear(f);
    vpn_client_stop(f->client, loop_now(f->loop));
    assert_int_equal(f->stops, 1);
    assert_string_equal(f->why, "on request");
    assert_int_equal(f->downs, 1);
    vpn_client_free(f->client);

    make(f, LOGIN);
    vpn_client_start(f->client, loop_now(f->loop));
    (void)hear(f);
    unsigned states = f->states;
    vpn_client_retire(f->client, loop_now(f->loop));
    assert_int_equal(f->stops, 1);
    assert_int_equal(f->downs, 2);
    assert_int_equal(f->states, states);
}

static void keys_that_cannot_be_used_make_no_client(void **state)
{
    struct fixture *f = *state;
    struct protocol_profile *unusable = profile(f, LOGIN);
    struct config *config = &((struct client_profile *)unusable)->config;
    assert_true(blob_set(&config->cert, bytes_of_text("no PEM")));
    assert_true(blob_set(&config->key, bytes_of_text("no PEM")));
    char why[PROTOCOL_WHY_SIZE];
    assert_null(
        vpn_client_new(f->loop, unusable, &stamp, &owner, &tunnel, why));
    assert_memory_equal(why, "cert cannot be used: ", 21);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_says_hello_to_the_server),
        TEST(nothing_of_a_qube_leaves_before_it_is_up),
        TEST(a_question_is_told_and_its_answer_goes_on),
        TEST(reconnecting_says_hello_again),
        TEST(a_pause_that_is_held_ends_when_it_is_told_to),
        TEST(its_end_is_told_unless_it_is_retired),
        TEST(keys_that_cannot_be_used_make_no_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
