/* In a real loop, with profiles in a directory of the test's own whose servers
 * are sockets on the loopback interface that answer nothing. When the next
 * attempt is made is vpn_retry_test's matter. */
#include "gateway/vpn/vpn.h"

#include "tests/turn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"

enum { PATH_SIZE = 96 };

struct fixture {
    char directory[32];
    struct loop *loop;
    struct vm_config settings;
    struct vpn *vpn;
    const char *awaited; /* the end of a path */
    int silent, closed;  /* sockets: UDP, and TCP that nobody listens at */
    uint16_t silent_port, closed_port;
    unsigned ups, downs, stops;
    enum vpn_state state; /* said last */
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

static void on_state(void *context, struct instant now, enum vpn_state state,
                     const char *why)
{
    struct fixture *f = context;
    (void)now;
    f->state = state;
    snprintf(f->why, sizeof f->why, "%s", why ? why : "");
}

static void on_stopped(void *context, const char *why)
{
    struct fixture *f = context;
    (void)why;
    f->stops++;
}

static int reserve_port(int type, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void set(struct fixture *f, enum vm_config_key key, const char *value)
{
    (void)vm_config_set(&f->settings, key, bytes_of_text(value));
    vpn_setting_changed(f->vpn, loop_now(f->loop), key);
    turn_for(f->loop, 5);
}

/* As an editor does: another file in its place. */
static void put(const struct fixture *f, const char *name, const char *text)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    snprintf(fresh, sizeof fresh, "%s/fresh", f->directory);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void put_profile(const struct fixture *f, const char *name,
                        const char *protocol, uint16_t port)
{
    char text[512];
    snprintf(text, sizeof text,
             "client\ndev tun\nremote 127.0.0.1 %u %s\nconnect-retry 1\n"
             "peer-fingerprint 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
             "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n"
             "<auth-user-pass>\nanna\nsecret\n</auth-user-pass>\n",
             port, protocol);
    put(f, name, text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct vpn_owner owner = {
        .context = f,
        .state = on_state,
        .stopped = on_stopped,
    };
    const struct vpn_options options = {
        .directory = f->directory, .settings = &f->settings, .serves_on = true};
    log_set_sink(quiet, NULL);
    strcpy(f->directory, "/tmp/vpn-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->silent = reserve_port(SOCK_DGRAM, &f->silent_port);
    f->closed = reserve_port(SOCK_STREAM, &f->closed_port);
    f->loop = loop_new();
    const struct vpn_tunnel_owner tunnel = {
        .context = f, .up = on_up, .down = on_down, .received = on_received};
    f->vpn = vpn_new(f->loop, &options, &owner, &tunnel);
    assert_non_null(f->vpn);
    put_profile(f, "a", "udp", f->silent_port);
    put_profile(f, "b", "udp", f->silent_port);
    put_profile(f, "dead", "tcp", f->closed_port);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[64];
    vpn_free(f->vpn);
    loop_free(f->loop);
    close(f->silent);
    close(f->closed);
    snprintf(command, sizeof command, "rm -r %s", f->directory);
    assert_int_equal(system(command), 0);
    log_set_sink(NULL, NULL);
    free(f);
    return 0;
}

/* The name of the profile in force, or "". */
static const char *in_force(const struct fixture *f)
{
    const char *path = vpn_view(f->vpn).path;
    return path ? path + strlen(f->directory) + 1 : "";
}

static bool is_in_force(const void *context)
{
    const struct fixture *f = context;
    return strcmp(in_force(f), f->awaited) == 0;
}

static void await(struct fixture *f, const char *name)
{
    f->awaited = name;
    turn_until(f->loop, is_in_force, f);
}

static void start(struct fixture *f, const char *profiles)
{
    (void)vm_config_set(&f->settings, VM_CONFIG_PROFILE,
                        bytes_of_text(profiles));
    vpn_start(f->vpn, loop_now(f->loop));
    turn_for(f->loop, 5);
}

static void nothing_happens_before_the_settings_are_known(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_PROFILE, "a");
    vpn_reconnect(f->vpn, loop_now(f->loop));
    vpn_reload(f->vpn, loop_now(f->loop));
    vpn_slept(f->vpn, loop_now(f->loop));
    turn_for(f->loop, 20);
    assert_null(vpn_view(f->vpn).client);
    assert_string_equal(vpn_view(f->vpn).blocked,
                        "waiting for the settings of dom0");
    start(f, "a");
    assert_string_equal(in_force(f), "a");
}

static void without_a_profile_it_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    start(f, "");
    assert_non_null(strstr(vpn_view(f->vpn).blocked, "there is no profile"));
    assert_int_equal(f->state, VPN_STATE_BLOCKED);
    assert_non_null(strstr(f->why, "there is no profile"));
    assert_int_equal(vpn_layout(f->vpn).block, 0);
    vpn_wanted(f->vpn, loop_now(f->loop));
    vpn_slept(f->vpn, loop_now(f->loop));
    assert_null(vpn_view(f->vpn).client);
}

static void another_profile_moves_it(void **state)
{
    struct fixture *f = *state;
    start(f, "a");
    assert_string_equal(in_force(f), "a");
    set(f, VM_CONFIG_PROFILE, "b");
    assert_string_equal(in_force(f), "b");
    /* A list that goes on behind the one in force changes nothing. */
    const struct vpn_client *client = vpn_view(f->vpn).client;
    set(f, VM_CONFIG_PROFILE, "b a");
    assert_ptr_equal(vpn_view(f->vpn).client, client);
    set(f, VM_CONFIG_PROFILE, "");
    assert_null(vpn_view(f->vpn).client);
}

static void one_that_cannot_be_used_leaves_the_old_until_it_can(void **state)
{
    struct fixture *f = *state;
    put(f, "c", "nonsense\n");
    start(f, "a");
    const struct vpn_client *client = vpn_view(f->vpn).client;
    set(f, VM_CONFIG_PROFILE, "c");
    assert_string_equal(in_force(f), "a");
    assert_ptr_equal(vpn_view(f->vpn).client, client);
    put_profile(f, "c", "udp", f->silent_port);
    await(f, "c");
}

static void a_first_one_that_cannot_be_used_blocks_until_it_can(void **state)
{
    struct fixture *f = *state;
    put(f, "c", "nonsense\n");
    start(f, "c");
    assert_null(vpn_view(f->vpn).client);
    assert_non_null(strstr(vpn_view(f->vpn).blocked, "/c"));
    put_profile(f, "c", "udp", f->silent_port);
    await(f, "c");
}

/* Not even the one in force goes on, against what the user said. */
static void settings_that_go_with_no_profile_block(void **state)
{
    struct fixture *f = *state;
    start(f, "a");
    assert_non_null(vpn_view(f->vpn).client);
    set(f, VM_CONFIG_REMOTE, "not/a/server");
    assert_null(vpn_view(f->vpn).client);
    set(f, VM_CONFIG_REMOTE, "");
    assert_string_equal(in_force(f), "a");
}

static void a_server_of_dom0s_takes_the_profiles_place(void **state)
{
    struct fixture *f = *state;
    char server[32];
    start(f, "dead");
    snprintf(server, sizeof server, "127.0.0.1:%u/udp", f->silent_port);
    set(f, VM_CONFIG_REMOTE, server);
    assert_string_equal(in_force(f), "dead");
    assert_int_equal(
        vpn_client_profile(vpn_view(f->vpn).client)->servers[0].port,
        f->silent_port);
}

static void the_next_profiles_turn_comes(void **state)
{
    struct fixture *f = *state;
    start(f, "dead a");
    assert_string_equal(in_force(f), "dead");
    await(f, "a");
    assert_non_null(vpn_view(f->vpn).profiles->entries[0].why);
    assert_int_equal(f->stops, 0);
    /* And the first one's again, when the profiles are read anew. */
    vpn_reload(f->vpn, loop_now(f->loop));
    assert_string_equal(in_force(f), "dead");
}

static unsigned brought_forward;

static void count_wishes(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level;
    brought_forward += strstr(line, "comes sooner") != NULL;
}

static uint64_t reconnects(const struct fixture *f)
{
    struct protocol_status status;
    vpn_client_status(vpn_view(f->vpn).client, &status);
    return status.reconnects;
}

static bool has_failed(const void *context)
{
    return reconnects(context) > 0;
}

static bool has_failed_again(const void *context)
{
    return reconnects(context) > 1;
}

/* Its pause is longer than the least that the profile says. */
static void a_packet_of_a_qube_ends_a_pause(void **state)
{
    struct fixture *f = *state;
    char text[512];
    snprintf(text, sizeof text,
             "client\ndev tun\nremote 127.0.0.1 %u tcp\nconnect-retry 1 60\n"
             "auth-retry nointeract\n"
             "peer-fingerprint 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
             "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n"
             "<auth-user-pass>\nanna\nsecret\n</auth-user-pass>\n",
             f->closed_port);
    put(f, "slow", text);
    start(f, "slow");
    turn_until(f->loop, has_failed, f);
    brought_forward = 0;
    log_set_sink(count_wishes, NULL);
    assert_true(instant_is_never(vpn_view(f->vpn).next_try));
    vpn_wanted(f->vpn, loop_now(f->loop));
    vpn_wanted(f->vpn, loop_now(f->loop));
    log_set_sink(quiet, NULL);
    assert_int_equal(brought_forward, 1);
    assert_false(instant_is_never(vpn_view(f->vpn).next_try));
    turn_until(f->loop, has_failed_again, f);
}

static void one_in_a_directory_of_its_own_is_taken(void **state)
{
    struct fixture *f = *state;
    char command[64];
    snprintf(command, sizeof command, "mkdir %s/provider", f->directory);
    assert_int_equal(system(command), 0);
    put_profile(f, "provider/work.ovpn", "udp", f->silent_port);
    start(f, "provider/work.ovpn");
    assert_string_equal(in_force(f), "provider/work.ovpn");
}

static void stopping_ends_in_any_state(void **state)
{
    struct fixture *f = *state;
    vpn_stop(f->vpn, loop_now(f->loop));
    assert_int_equal(f->stops, 1);
    start(f, "a");
    vpn_stop(f->vpn, loop_now(f->loop));
    assert_int_equal(f->stops, 2);
    vpn_stop(f->vpn, loop_now(f->loop));
    assert_int_equal(f->stops, 3);
    assert_int_equal(f->ups, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_happens_before_the_settings_are_known),
        TEST(without_a_profile_it_says_what_to_do),
        TEST(another_profile_moves_it),
        TEST(one_that_cannot_be_used_leaves_the_old_until_it_can),
        TEST(a_first_one_that_cannot_be_used_blocks_until_it_can),
        TEST(settings_that_go_with_no_profile_block),
        TEST(a_server_of_dom0s_takes_the_profiles_place),
        TEST(the_next_profiles_turn_comes),
        TEST(a_packet_of_a_qube_ends_a_pause),
        TEST(one_in_a_directory_of_its_own_is_taken),
        TEST(stopping_ends_in_any_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
