/* On the loopback interface; nobody answers there but the kernel. */
#include "gateway/vpn/connection.h"

#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"

struct fixture {
    struct loop *loop;
    struct connection *connection;
    int socket; /* of nobody */
    uint16_t port;
    unsigned connected, failed, resolved;
    unsigned endpoint;  /* of the last answer, */
    struct endpoint to; /* and where that is */
    char why[128];
};

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
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

static void on_resolved(void *context, struct instant now, unsigned endpoint,
                        const struct address *addresses, size_t count,
                        const char *why)
{
    struct fixture *f = context;
    (void)now, (void)why;
    f->resolved |= 1U << endpoint;
    f->endpoint = endpoint;
    f->to.address = count ? addresses[0] : (struct address){0};
}

static struct fixture *begin(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct connection_owner owner = {
        .uplink = {f, on_connected, on_failed, on_received},
        .resolved = on_resolved,
    };
    log_set_sink(quiet, NULL);
    f->loop = loop_new();
    f->socket = -1;
    f->connection = connection_new(f->loop, &owner);
    assert_non_null(f->connection);
    return f;
}

static void end(struct fixture *f)
{
    connection_free(f->connection);
    loop_free(f->loop);
    if (f->socket >= 0)
        close(f->socket);
    log_set_sink(NULL, NULL);
    free(f);
}

static struct endpoint loopback(uint16_t port)
{
    return (struct endpoint){address_ipv4(INADDR_LOOPBACK), port};
}

static bool is_told(const void *context)
{
    const struct fixture *f = context;
    return f->connected + f->failed > 0;
}

static void start(struct fixture *f, const struct protocol_server *server,
                  struct endpoint to)
{
    connection_start(f->connection, loop_now(f->loop), 0, server, &to);
    turn_until(f->loop, is_told, f);
}

static const struct uplink *uplink_of(const struct fixture *f)
{
    return connection_uplink(f->connection);
}

static const struct protocol_server udp = {
    .host = "localhost", .port = 1194, .transport = PROTOCOL_UDP};

static void udp_stands_at_once(void **state)
{
    (void)state;
    struct fixture *f = begin();
    assert_null(uplink_of(f));
    start(f, &udp, loopback(1194));
    assert_int_equal(f->connected, 1);
    assert_string_equal(uplink_of(f)->kind->name, "udp");
    assert_int_equal(uplink_of(f)->server.port, 1194);
    end(f);
}

static bool has_two_answers(const void *context)
{
    const struct fixture *f = context;
    return f->resolved == (1U << 3 | 1U << 7);
}

static void names_are_looked_up_one_after_another(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct protocol_server second = udp;
    second.host = "127.0.0.1";
    second.family = ADDRESS_IPV4;
    struct protocol_server first = udp;
    first.family = ADDRESS_IPV4;
    connection_resolve(f->connection, loop_now(f->loop), 3, &first);
    connection_resolve(f->connection, loop_now(f->loop), 7, &second);
    turn_until(f->loop, has_two_answers, f);
    assert_int_equal(f->endpoint, 7);
    assert_int_equal(address_to_ipv4(&f->to.address), INADDR_LOOPBACK);
    assert_int_equal(f->failed, 0);
    end(f);
}

static void nobody_at_the_port_is_a_failure_of_tcp(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct protocol_server tcp = udp;
    tcp.transport = PROTOCOL_TCP;
    reserve_port(f);
    start(f, &tcp, loopback(f->port));
    assert_int_equal(f->failed, 1);
    assert_non_null(strstr(f->why, "refused"));
    end(f);
}

/* The server's name is the proxy's matter, and its port the proxy's own. */
static void a_proxy_takes_the_servers_place(void **state)
{
    (void)state;
    static const struct {
        enum protocol_transport transport;
        enum protocol_proxy_kind proxy;
        const char *kind;
    } cases[] = {
        {PROTOCOL_TCP, PROTOCOL_PROXY_HTTP, "tcp"},
        {PROTOCOL_TCP, PROTOCOL_PROXY_SOCKS, "tcp"},
        {PROTOCOL_UDP, PROTOCOL_PROXY_SOCKS, "udp through SOCKS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = begin();
        reserve_port(f);
        assert_int_equal(listen(f->socket, 1), 0);
        struct endpoint to = loopback(f->port);
        const struct protocol_server server = {
            .host = "nowhere.invalid",
            .port = 1194,
            .transport = cases[i].transport,
            .proxy = {.kind = cases[i].proxy,
                      .host = "127.0.0.1",
                      .port = f->port},
        };
        connection_resolve(f->connection, loop_now(f->loop), 0, &server);
        assert_int_equal(address_to_ipv4(&f->to.address), INADDR_LOOPBACK);
        connection_start(f->connection, loop_now(f->loop), 0, &server, &to);
        turn_for(f->loop, 1);
        assert_int_equal(f->failed, 0);
        assert_string_equal(uplink_of(f)->kind->name, cases[i].kind);
        assert_int_equal(uplink_of(f)->server.port, f->port);
        end(f);
    }
}

static void drops_outlive_their_uplink(void **state)
{
    (void)state;
    struct fixture *f = begin();
    for (unsigned n = 1; n <= 3; n++) {
        start(f, &udp, loopback(1194));
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
    struct fixture *f = begin();
    connection_resolve(f->connection, loop_now(f->loop), 0, &udp);
    connection_resolve(f->connection, loop_now(f->loop), 1, &udp);
    connection_end(f->connection);
    turn_for(f->loop, 50);
    assert_int_equal(f->connected + f->failed + f->resolved, 0);
    assert_null(uplink_of(f));
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_stands_at_once),
        cmocka_unit_test(names_are_looked_up_one_after_another),
        cmocka_unit_test(nobody_at_the_port_is_a_failure_of_tcp),
        cmocka_unit_test(a_proxy_takes_the_servers_place),
        cmocka_unit_test(drops_outlive_their_uplink),
        cmocka_unit_test(an_end_cancels_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
