/* On the loopback interface; nobody answers there but the kernel. */
#include "gateway/vpn/connection.h"

#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/config/config_parser.h"
#include "gateway/process/randomness.h"

struct fixture {
    struct loop *loop;
    struct config config;
    struct client *client;
    struct connection *connection;
    const struct config_remote *remote;
    int socket; /* of a server, or of nobody */
    uint16_t port;
    unsigned connected, failed;
    char why[128];
};

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    (void)context;
    if (severity == CONFIG_ERROR)
        fail_msg("%u: %s", line, text);
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

static void on_connected(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->connected++;
}

static void on_failed(void *context, struct instant now, const char *why)
{
    struct fixture *f = context;
    (void)now;
    f->failed++;
    snprintf(f->why, sizeof f->why, "%s", why);
}

static void on_received(void *context, struct instant now, struct burst *burst)
{
    (void)context, (void)now, (void)burst;
}

/* A port that is ours; a TCP one takes no connections. */
static void reserve_port(struct fixture *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    f->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->socket, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(f->socket, (struct sockaddr *)&a, &size), 0);
    f->port = ntohs(a.sin_port);
}

/* Starts the client of a profile with these lines, up to its CONNECT. */
static struct fixture *begin(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static struct fixture *begin(const char *format, ...)
{
    static const char head[] =
        "client\ndev tun\npeer-fingerprint "
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n"
        "<auth-user-pass>\nanna\nsecret\n</auth-user-pass>\n";
    static const struct client_env env = {NULL, randomness_fill, unix_time};
    struct fixture *f = calloc(1, sizeof *f);
    const struct uplink_owner owner = {f, on_connected, on_failed, on_received};
    const struct config_parser_env parser = {report, NULL, NULL, NULL};
    struct client_action action;
    char text[1024], lines[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(lines, sizeof lines, format, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%s%s", head, lines);
    log_set_sink(quiet, NULL);
    config_init(&f->config);
    assert_true(
        config_parse(bytes_of_text(text), "p.ovpn", &parser, &f->config));
    f->loop = loop_new();
    f->socket = -1;
    f->client = client_new(&f->config, &env, NULL);
    assert_non_null(f->client);
    f->connection = connection_new(f->loop, f->client, &owner);
    assert_non_null(f->connection);
    client_start(f->client, loop_now(f->loop));
    assert_true(client_poll(f->client, &action));
    assert_int_equal(action.type, CLIENT_ACTION_CONNECT);
    f->remote = action.remote;
    return f;
}

static void end(struct fixture *f)
{
    connection_free(f->connection);
    client_free(f->client);
    config_clear(&f->config);
    loop_free(f->loop);
    if (f->socket >= 0)
        close(f->socket);
    log_set_sink(NULL, NULL);
    free(f);
}

static bool is_told(const void *context)
{
    const struct fixture *f = context;
    return f->connected + f->failed > 0;
}

static void start(struct fixture *f)
{
    connection_start(f->connection, loop_now(f->loop), f->remote);
    turn_until(f->loop, is_told, f);
}

static const struct uplink *uplink_of(const struct fixture *f)
{
    return connection_uplink(f->connection);
}

static void udp_stands_at_once(void **state)
{
    (void)state;
    struct fixture *f = begin("remote 127.0.0.1 1194 udp\n");
    assert_null(uplink_of(f));
    start(f);
    assert_int_equal(f->connected, 1);
    assert_string_equal(uplink_of(f)->kind->name, "udp");
    assert_int_equal(uplink_of(f)->server.port, 1194);
    end(f);
}

static void a_name_is_looked_up(void **state)
{
    (void)state;
    struct fixture *f = begin("remote localhost 1194 udp4\n");
    start(f);
    assert_int_equal(f->connected, 1);
    assert_int_equal(address_to_ipv4(&uplink_of(f)->server.address),
                     INADDR_LOOPBACK);
    end(f);
}

static void nobody_at_the_port_is_a_failure_of_tcp(void **state)
{
    (void)state;
    struct fixture probe = {0};
    reserve_port(&probe);
    struct fixture *f = begin("remote 127.0.0.1 %u tcp\n", probe.port);
    f->socket = probe.socket;
    start(f);
    assert_int_equal(f->failed, 1);
    assert_non_null(strstr(f->why, "refused"));
    end(f);
}

/* The server's name is the proxy's matter, and its port the proxy's own. */
static void a_proxy_takes_the_servers_place(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *kind;
    } cases[] = {
        {"remote nowhere.invalid 1194 tcp\nhttp-proxy 127.0.0.1 %u\n", "tcp"},
        {"remote nowhere.invalid 1194 tcp\nsocks-proxy 127.0.0.1 %u\n", "tcp"},
        {"remote nowhere.invalid 1194 udp\nsocks-proxy 127.0.0.1 %u\n",
         "udp through SOCKS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture probe = {0};
        char lines[256];
        reserve_port(&probe);
        assert_int_equal(listen(probe.socket, 1), 0);
        snprintf(lines, sizeof lines, "%s", cases[i].lines);
        *strstr(lines, "%u") = '\0';
        struct fixture *f = begin("%s%u\n", lines, probe.port);
        f->socket = probe.socket;
        connection_start(f->connection, loop_now(f->loop), f->remote);
        turn_for(f->loop, 1);
        assert_int_equal(f->failed, 0);
        assert_string_equal(uplink_of(f)->kind->name, cases[i].kind);
        assert_int_equal(uplink_of(f)->server.port, probe.port);
        end(f);
    }
}

static void drops_outlive_their_uplink(void **state)
{
    (void)state;
    struct fixture *f = begin("remote 127.0.0.1 1194 udp\n");
    for (unsigned n = 1; n <= 3; n++) {
        start(f);
        connection_uplink(f->connection)->drops.count[DROP_UPLINK_ERROR] += n;
        f->connected = 0;
    }
    /* The one that stands is not among those gone by. */
    assert_int_equal(connection_drops(f->connection)->count[DROP_UPLINK_ERROR],
                     1 + 2);
    connection_end(f->connection);
    assert_null(uplink_of(f));
    assert_int_equal(connection_drops(f->connection)->count[DROP_UPLINK_ERROR],
                     1 + 2 + 3);
    end(f);
}

static void an_end_cancels_what_was_asked(void **state)
{
    (void)state;
    struct fixture *f = begin("remote localhost 1194 udp4\n");
    connection_start(f->connection, loop_now(f->loop), f->remote);
    connection_end(f->connection);
    turn_for(f->loop, 50);
    assert_int_equal(f->connected + f->failed, 0);
    assert_null(uplink_of(f));
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_stands_at_once),
        cmocka_unit_test(a_name_is_looked_up),
        cmocka_unit_test(nobody_at_the_port_is_a_failure_of_tcp),
        cmocka_unit_test(a_proxy_takes_the_servers_place),
        cmocka_unit_test(drops_outlive_their_uplink),
        cmocka_unit_test(an_end_cancels_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
