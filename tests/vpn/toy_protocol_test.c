/* The whole of vpn with a protocol that it does not know, in a real loop: its
 * servers are sockets on the loopback interface that the test speaks for. What
 * is true of the toy here holds for each protocol behind the door. */
#include "tests/vpn/toy_protocol.h"

#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/control/status.h"
#include "gateway/vpn/protocols.h"
#include "gateway/vpn/vpn.h"

enum { PATH_SIZE = 96, SERVERS = 2, PACKET_SIZE = 40 };

/* In the place of the program's list: there is nothing but toys here. */
const struct protocol_kind *protocols_find(struct bytes text)
{
    (void)text;
    return &toy_protocol;
}

struct fixture {
    char directory[32];
    struct loop *loop;
    struct vm_config settings;
    struct vpn *vpn;
    struct burst out;
    int servers[SERVERS], stranger;
    uint16_t ports[SERVERS];
    struct sockaddr_in client; /* as a server saw it last */
    uint8_t got[256];          /* heard last */
    ssize_t size;
    unsigned ups, downs, stops, received;
    uint8_t inner[256]; /* that came last */
    enum vpn_state state;
};

/* --- What is above ------------------------------------------------------- */

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void on_up(void *context, struct instant now,
                  const struct tunnel *tunnel)
{
    struct fixture *f = context;
    (void)now;
    assert_int_equal(tunnel->mtu, TOY_MTU);
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
    struct fixture *f = context;
    (void)now;
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop != DROP_NONE || d->inner_size == 0)
            continue;
        f->received++;
        memcpy(f->inner, d->data + d->inner_offset, d->inner_size);
    }
}

static void on_state(void *context, struct instant now, enum vpn_state state,
                     const char *why)
{
    struct fixture *f = context;
    (void)now, (void)why;
    f->state = state;
}

static void on_stopped(void *context, const char *why)
{
    struct fixture *f = context;
    (void)why;
    f->stops++;
}

/* --- Servers ------------------------------------------------------------- */

static int open_socket(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

struct ear {
    int fd;
};

static bool is_heard(const void *context)
{
    const struct ear *e = context;
    uint8_t byte;
    return recv(e->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

/* The kind of the next datagram there. */
static int hear(struct fixture *f, int fd)
{
    socklen_t size = sizeof f->client;
    turn_until(f->loop, is_heard, &(struct ear){fd});
    f->size = recvfrom(fd, f->got, sizeof f->got, 0,
                       (struct sockaddr *)&f->client, &size);
    assert_true(f->size > TOY_TAG_SIZE);
    assert_memory_equal(f->got + f->size - TOY_TAG_SIZE, TOY_TAG, TOY_TAG_SIZE);
    return f->got[0];
}

static bool hears_nothing(struct fixture *f, int fd)
{
    turn_for(f->loop, 20);
    return !is_heard(&(struct ear){fd});
}

/* As the server of that number, from any socket. */
static void say(struct fixture *f, int fd, char what, uint8_t number,
                const char *tag)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%c%c%s%s", what, number,
                        what == 'D' ? "a packet" : "", tag);
    if (number == 0) /* the text ends there */
        size = 2 + (int)strlen(tag) + (what == 'D' ? 8 : 0);
    assert_int_equal(sendto(fd, text, (size_t)size, 0,
                            (struct sockaddr *)&f->client, sizeof f->client),
                     size);
    turn_for(f->loop, 10);
}

/* --- Packets ------------------------------------------------------------- */

/* For the server with that number, filled with `mark'. */
static void put(struct fixture *f, uint8_t number, uint8_t mark)
{
    struct burst_layout layout = vpn_layout(f->vpn);
    struct datagram *d = burst_reserve(&f->out, &layout, PACKET_SIZE);
    assert_non_null(d);
    memset(d->data + d->inner_offset, mark, PACKET_SIZE);
    d->data[d->inner_offset + 19] = number;
}

static void send_all(struct fixture *f)
{
    vpn_send(f->vpn, loop_now(f->loop), &f->out);
    assert_int_equal(f->out.count, 0);
    turn_for(f->loop, 5);
}

static void put_profile(const struct fixture *f, const char *name,
                        const char *more)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "toy\n%s", more);
    fclose(file);
}

static const char *server_lines(const struct fixture *f)
{
    static char lines[128];
    snprintf(lines, sizeof lines, "server 127.0.0.1 %u\nserver localhost %u\n",
             f->ports[0], f->ports[1]);
    return lines;
}

static void set(struct fixture *f, enum vm_config_key key, const char *value)
{
    (void)vm_config_set(&f->settings, key, bytes_of_text(value));
    vpn_setting_changed(f->vpn, loop_now(f->loop), key);
    turn_for(f->loop, 5);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct vpn_owner owner = {
        .context = f, .state = on_state, .stopped = on_stopped};
    const struct vpn_tunnel_owner tunnel = {.context = f,
                                            .up = on_up,
                                            .down = on_down,
                                            .received = on_received,
                                            .packets = f};
    const struct vpn_options options = {
        .directory = f->directory, .settings = &f->settings, .serves_on = true};
    uint16_t unused;
    log_set_sink(quiet, NULL);
    strcpy(f->directory, "/tmp/toy-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    for (size_t i = 0; i < SERVERS; i++)
        f->servers[i] = open_socket(&f->ports[i]);
    f->stranger = open_socket(&unused);
    f->loop = loop_new();
    assert_true(burst_init(&f->out, 64 * 1024));
    f->vpn = vpn_new(f->loop, &options, &owner, &tunnel);
    assert_non_null(f->vpn);
    put_profile(f, "a", server_lines(f));
    (void)vm_config_set(&f->settings, VM_CONFIG_PROFILE, bytes_of_text("a"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[64];
    vpn_free(f->vpn);
    burst_clear(&f->out);
    loop_free(f->loop);
    for (size_t i = 0; i < SERVERS; i++)
        close(f->servers[i]);
    close(f->stranger);
    snprintf(command, sizeof command, "rm -r %s", f->directory);
    assert_int_equal(system(command), 0);
    log_set_sink(NULL, NULL);
    free(f);
    return 0;
}

static bool is_up(const void *context)
{
    const struct fixture *f = context;
    return f->ups > f->downs;
}

static void begin(struct fixture *f)
{
    vpn_start(f->vpn, loop_now(f->loop));
    turn_until(f->loop, is_up, f);
    turn_for(f->loop, 20); /* the second server's name */
}

static void status_of(const struct fixture *f, struct protocol_status *out)
{
    vpn_client_status(vpn_view(f->vpn).client, out);
}

/* Both servers have heard of us and answered. */
static void shake_hands(struct fixture *f)
{
    for (uint8_t i = 0; i < SERVERS; i++) {
        put(f, i, 'x');
        send_all(f);
        assert_int_equal(hear(f, f->servers[i]), 'H');
        say(f, f->servers[i], 'A', i, TOY_TAG);
        assert_int_equal(hear(f, f->servers[i]), 'D');
    }
}

/* --- Tests --------------------------------------------------------------- */

static void it_is_up_without_a_key_and_packets_are_held(void **state)
{
    struct fixture *f = *state;
    struct protocol_status s;
    begin(f);
    assert_int_equal(f->ups, 1);
    assert_int_equal(f->state, VPN_STATE_CONNECTING);
    assert_true(hears_nothing(f, f->servers[0]));

    for (uint8_t i = 0; i < TOY_HELD_MAX + 2; i++)
        put(f, 0, (uint8_t)('a' + i));
    send_all(f);
    assert_int_equal(hear(f, f->servers[0]), 'H');
    assert_true(hears_nothing(f, f->servers[0]));
    status_of(f, &s);
    assert_int_equal(s.drops->count[DROP_SEAL_HELD], TOY_HELD_MAX);
    assert_int_equal(s.drops->count[DROP_SEAL_HELD_FULL], 2);

    say(f, f->servers[0], 'A', 0, TOY_TAG);
    for (uint8_t i = 0; i < TOY_HELD_MAX; i++) {
        assert_int_equal(hear(f, f->servers[0]), 'D');
        assert_int_equal(f->got[1], 'a' + i);
    }
    assert_true(hears_nothing(f, f->servers[0]));
    assert_int_equal(f->state, VPN_STATE_CONNECTED);
    assert_int_equal(f->ups, 1);
}

/* The key is used up: a new one is wanted, and nobody above notices. */
static void a_key_that_expires_leaves_it_connected(void **state)
{
    struct fixture *f = *state;
    begin(f);
    shake_hands(f);
    for (uint8_t i = 0; i < TOY_KEY_PACKETS; i++)
        put(f, 0, (uint8_t)('a' + i));
    send_all(f);
    for (uint8_t i = 0; i + 1 < TOY_KEY_PACKETS; i++)
        assert_int_equal(hear(f, f->servers[0]), 'D');
    assert_int_equal(hear(f, f->servers[0]), 'H');
    say(f, f->servers[0], 'A', 0, TOY_TAG);
    assert_int_equal(hear(f, f->servers[0]), 'D');
    assert_int_equal(f->got[1], 'a' + TOY_KEY_PACKETS - 1);
    assert_int_equal(f->ups, 1);
    assert_int_equal(f->downs, 0);
}

static void several_endpoints_are_in_force_at_once(void **state)
{
    struct fixture *f = *state;
    begin(f);
    shake_hands(f);
    for (uint8_t i = 0; i < 6; i++)
        put(f, i % 2, (uint8_t)('a' + i));
    send_all(f);
    for (uint8_t i = 0; i < 6; i++) {
        assert_int_equal(hear(f, f->servers[i % 2]), 'D');
        assert_int_equal(f->got[1], 'a' + i);
    }
}

static void padding_is_zero_bytes_up_to_the_block_or_the_limit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t inner, body;
    } sizes[] = {{40, 48}, {48, 48}, {90, 96}, {97, 100}, {100, 100}};
    begin(f);
    shake_hands(f);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct burst_layout layout = vpn_layout(f->vpn);
        struct datagram *d = burst_reserve(&f->out, &layout, sizes[i].inner);
        memset(d->data, 0xff, d->size);
        d->data[TOY_HEAD + 19] = 0;
        send_all(f);
        assert_int_equal(hear(f, f->servers[0]), 'D');
        assert_int_equal(f->size, TOY_HEAD + sizes[i].body + TOY_TAG_SIZE);
        for (uint32_t k = sizes[i].inner; k < sizes[i].body; k++)
            assert_int_equal(f->got[TOY_HEAD + k], 0);
    }
}

static void an_authentic_packet_moves_its_endpoint_alone(void **state)
{
    struct fixture *f = *state;
    begin(f);
    shake_hands(f);
    say(f, f->stranger, 'D', 1, "NOT!");
    assert_int_equal(f->received, 0);
    put(f, 1, 'a');
    send_all(f);
    assert_int_equal(hear(f, f->servers[1]), 'D');

    say(f, f->stranger, 'D', 1, TOY_TAG);
    assert_int_equal(f->received, 1);
    assert_memory_equal(f->inner, "a packet", 8);
    put(f, 1, 'b');
    put(f, 0, 'c');
    send_all(f);
    assert_int_equal(hear(f, f->stranger), 'D');
    assert_int_equal(f->got[1], 'b');
    assert_int_equal(hear(f, f->servers[0]), 'D');
    assert_int_equal(f->got[1], 'c');
    assert_true(hears_nothing(f, f->servers[1]));
}

static void it_tries_on_without_another_uplink(void **state)
{
    struct fixture *f = *state;
    struct protocol_status s;
    begin(f);
    put(f, 0, 'a');
    send_all(f);
    assert_int_equal(hear(f, f->servers[0]), 'H');
    uint16_t port = f->client.sin_port;
    assert_int_equal(hear(f, f->servers[0]), 'H');
    assert_int_equal(f->client.sin_port, port);
    status_of(f, &s);
    assert_int_equal(s.reconnects, 1);
    assert_int_equal(f->downs, 0);
}

static bool is_second_profile(const void *context)
{
    const struct fixture *f = context;
    const char *path = vpn_view(f->vpn).path;
    return path && path[strlen(path) - 1] == 'b';
}

static void another_profile_has_its_turn_though_it_never_pauses(void **state)
{
    struct fixture *f = *state;
    put_profile(f, "b", server_lines(f));
    set(f, VM_CONFIG_PROFILE, "a b");
    begin(f);
    put(f, 0, 'a');
    send_all(f);
    turn_until(f->loop, is_second_profile, f);
    assert_int_equal(f->downs, 1);
    turn_until(f->loop, is_up, f);
}

static void another_way_keeps_the_tunnel(void **state)
{
    struct fixture *f = *state;
    begin(f);
    shake_hands(f);
    vpn_slept(f->vpn, loop_now(f->loop));
    assert_int_equal(hear(f, f->servers[0]), 'H');
    assert_int_equal(f->downs, 0);
    /* A person's wish does not. */
    vpn_reconnect(f->vpn, loop_now(f->loop));
    assert_int_equal(f->downs, 1);
    turn_until(f->loop, is_up, f);
}

static void a_question_is_asked_and_answered(void **state)
{
    struct fixture *f = *state;
    put_profile(f, "a", "login\n");
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/a", f->directory);
    FILE *file = fopen(path, "a");
    fputs(server_lines(f), file);
    fclose(file);
    vpn_start(f->vpn, loop_now(f->loop));
    assert_int_equal(f->state, VPN_STATE_WAITING_FOR_LOGIN);
    assert_string_equal(vpn_client_question(vpn_view(f->vpn).client),
                        "Who plays?");
    vpn_log_in(f->vpn, loop_now(f->loop), "anna", NULL, NULL);
    turn_until(f->loop, is_up, f);
    assert_null(vpn_client_question(vpn_view(f->vpn).client));
}

static void dom0s_settings_are_put_over_it(void **state)
{
    struct fixture *f = *state;
    char text[64];
    begin(f);
    snprintf(text, sizeof text, "127.0.0.1:%u", f->ports[1]);
    set(f, VM_CONFIG_REMOTE, text);
    assert_int_equal(hear(f, f->servers[1]), 'B'); /* of the one before */
    turn_until(f->loop, is_up, f);
    put(f, 0, 'a');
    send_all(f);
    assert_int_equal(hear(f, f->servers[1]), 'H');

    set(f, VM_CONFIG_PROXY, "socks5://127.0.0.1:1080");
    assert_int_equal(f->state, VPN_STATE_BLOCKED);
    assert_non_null(strstr(vpn_view(f->vpn).blocked, "through no proxy"));
}

static void its_goodbye_is_sent(void **state)
{
    struct fixture *f = *state;
    begin(f);
    vpn_stop(f->vpn, loop_now(f->loop));
    assert_int_equal(f->stops, 1);
    assert_int_equal(hear(f, f->servers[0]), 'B');
    assert_int_equal(hear(f, f->servers[1]), 'B');
    put(f, 0, 'a');
    send_all(f);
    assert_true(hears_nothing(f, f->servers[0]));
}

static void a_file_that_is_none_is_named(void **state)
{
    struct fixture *f = *state;
    put_profile(f, "a", "servant of two masters\n");
    vpn_start(f->vpn, loop_now(f->loop));
    assert_int_equal(f->state, VPN_STATE_BLOCKED);
    assert_non_null(
        strstr(vpn_view(f->vpn).blocked, "a:2: error: a toy has no such part"));
    put_profile(f, "a", "");
    vpn_reload(f->vpn, loop_now(f->loop));
    assert_non_null(strstr(vpn_view(f->vpn).blocked, "a toy wants a server"));
}

/* The facts for a person are the toy's, and nothing else's. */
static void its_facts_are_shown(void **state)
{
    struct fixture *f = *state;
    static const struct sandbox sandbox;
    struct router *router = router_new(&(struct router_options){.flows = 64});
    begin(f);
    shake_hands(f);
    const struct tunnel narrow = {.mtu = TOY_MTU}; /* without a route */
    json_t *status = status_json(&(struct status_source){
        .now = loop_now(f->loop),
        .tunnel = &narrow,
        .granted = &narrow,
        .sandbox = &sandbox,
        .vpn = vpn_view(f->vpn),
        .settings = &f->settings,
        .qubesdb = "none",
        .router = router,
    });
    assert_string_equal(json_string_value(json_object_get(status, "toy_key")),
                        "wound up");
    assert_string_equal(json_string_value(json_object_get(status, "state")),
                        "connected");
    char *all = json_dumps(status, 0);
    assert_non_null(strstr(all, "at most: a larger toy sends all through it"));
    assert_null(strstr(all, "redirect-gateway"));
    free(all);
    assert_null(json_object_get(status, "cipher"));
    assert_null(json_object_get(status, "tls"));
    json_decref(status);
    router_free(router);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_up_without_a_key_and_packets_are_held),
        TEST(a_key_that_expires_leaves_it_connected),
        TEST(several_endpoints_are_in_force_at_once),
        TEST(padding_is_zero_bytes_up_to_the_block_or_the_limit),
        TEST(an_authentic_packet_moves_its_endpoint_alone),
        TEST(it_tries_on_without_another_uplink),
        TEST(another_profile_has_its_turn_though_it_never_pauses),
        TEST(another_way_keeps_the_tunnel),
        TEST(a_question_is_asked_and_answered),
        TEST(dom0s_settings_are_put_over_it),
        TEST(its_goodbye_is_sent),
        TEST(a_file_that_is_none_is_named),
        TEST(its_facts_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
