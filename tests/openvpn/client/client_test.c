/* The client's door: what it does before and without a server. The simulator
 * tests what it does with one. */
#include "gateway/openvpn/client/client.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/control/control_packet.h"
#include "tests/unit.h"
#include "tests/vectors/pki.h"

static void no_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void fill_random(void *context, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(next_random(context) >> 7);
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

static uint32_t random_state = 1;
static const struct client_env env = {&random_state, fill_random, unix_time};

static void set_blob(struct blob *blob, const char *text)
{
    assert_true(blob_set(blob, bytes_of_text(text)));
}

static struct config config_with_remotes(size_t count)
{
    struct config c;
    config_init(&c);
    c.remotes = calloc(count, sizeof *c.remotes);
    assert_non_null(c.remotes);
    c.remote_count = count;
    for (size_t i = 0; i < count; i++) {
        config_remote_init(&c.remotes[i]);
        snprintf(c.remotes[i].host, sizeof c.remotes[i].host, "host%zu", i);
    }
    set_blob(&c.ca, pki_ca);
    set_blob(&c.cert, pki_client_crt);
    set_blob(&c.key, pki_client_key);
    c.pull = true;
    return c;
}

/* A client and what it says. */
struct trial {
    struct config config;
    struct client *client;
    struct instant now;
    char said[4096];
};

static struct trial begin(struct config config)
{
    struct trial t = {.config = config, .now = {1000000}};
    return t;
}

static void make(struct trial *t)
{
    t->client = client_new(&t->config, &env, NULL);
    assert_non_null(t->client);
}

static void end(struct trial *t)
{
    client_free(t->client);
    config_clear(&t->config);
}

/* Everything it says now, a word each, with what goes with it. */
static const char *listen(struct trial *t)
{
    struct client_action a;
    t->said[0] = 0;
    while (client_poll(t->client, &a)) {
        size_t used = strlen(t->said);
        char *out = t->said + used;
        size_t room = sizeof t->said - used;
        switch (a.type) {
        case CLIENT_ACTION_CONNECT:
            snprintf(out, room, "CONNECT %s;", a.remote->host);
            break;
        case CLIENT_ACTION_SEND:
            snprintf(out, room, "SEND %d %zu;", opcode_of(a.bytes.data[0]),
                     a.bytes.size);
            break;
        case CLIENT_ACTION_DISCONNECT:
            snprintf(out, room, "DISCONNECT;");
            break;
        case CLIENT_ACTION_UP:
            snprintf(out, room, "UP;");
            break;
        case CLIENT_ACTION_DOWN:
            snprintf(out, room, "DOWN;");
            break;
        case CLIENT_ACTION_ASK:
            snprintf(out, room, "ASK %s;", a.text);
            break;
        case CLIENT_ACTION_STOPPED:
            snprintf(out, room, "STOPPED %s;", a.text ? a.text : "on request");
            break;
        }
    }
    return t->said;
}

static enum client_state state_of(const struct trial *t)
{
    struct client_status s;
    client_status(t->client, &s);
    return s.state;
}

/* Time passes, deadline by deadline. */
static void pass(struct trial *t, int64_t milliseconds)
{
    struct instant end =
        instant_after(t->now, duration_milliseconds(milliseconds));
    while (!instant_before(end, client_deadline(t->client))) {
        if (instant_before(t->now, client_deadline(t->client)))
            t->now = client_deadline(t->client);
        client_expire(t->client, t->now);
        struct instant next = client_deadline(t->client);
        if (!instant_before(t->now, next))
            break; /* it wants to say something first */
    }
    t->now = end;
}

static void start(struct trial *t)
{
    make(t);
    client_start(t->client, t->now);
}

static void connected(struct trial *t)
{
    client_connected(t->client, t->now, 28, 1500);
}

#define HELLO "SEND 7 14;" /* CONTROL_HARD_RESET_CLIENT_V2 */

static void it_connects_and_says_hello(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    make(&t);
    assert_string_equal(listen(&t), "");
    assert_int_equal(state_of(&t), CLIENT_IDLE);
    assert_true(instant_is_never(client_deadline(t.client)));
    client_start(t.client, t.now);
    assert_string_equal(listen(&t), "CONNECT host0;");
    assert_int_equal(state_of(&t), CLIENT_CONNECTING);
    connected(&t);
    assert_string_equal(listen(&t), HELLO);
    assert_int_equal(state_of(&t), CLIENT_NEGOTIATING);
    assert_string_equal(listen(&t), "");
    end(&t);
}

static void hello_is_said_every_second(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    connected(&t);
    listen(&t);
    for (int i = 0; i < 50; i++) {
        pass(&t, 1000);
        assert_string_equal(listen(&t), HELLO);
    }
    end(&t);
}

static void a_silent_server_is_left_without_a_pause(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    for (int i = 0; i < 5; i++) {
        connected(&t);
        listen(&t);
        pass(&t, 59900);
        listen(&t);
        assert_int_equal(state_of(&t), CLIENT_NEGOTIATING);
        pass(&t, 200);
        pass(&t, 1);
        assert_string_equal(listen(&t), "DISCONNECT;CONNECT host0;");
    }
    end(&t);
}

static void with_several_remotes_each_has_ten_seconds(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(3));
    start(&t);
    assert_string_equal(listen(&t), "CONNECT host0;");
    static const char *const next[] = {"DISCONNECT;CONNECT host1;",
                                       "DISCONNECT;CONNECT host2;",
                                       "DISCONNECT;CONNECT host0;"};
    for (size_t i = 0; i < 3; i++) {
        connected(&t);
        for (int second = 0; second < 10; second++) {
            assert_string_equal(listen(&t), HELLO);
            pass(&t, 1000);
        }
        pass(&t, 1);
        assert_string_equal(listen(&t), next[i]);
    }
    end(&t);
}

static void an_uplink_that_never_opens_is_given_up(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(2));
    start(&t);
    listen(&t);
    pass(&t, 121000);
    pass(&t, 1);
    assert_string_equal(listen(&t), "DISCONNECT;CONNECT host1;");
    client_failed(t.client, t.now, "no such host");
    assert_int_equal(state_of(&t), CLIENT_PAUSING);
    struct client_status s;
    client_status(t.client, &s);
    assert_string_equal(s.last_error, "host1:1194/udp: no such host");
    assert_string_equal(s.remote->host, "host0"); /* the next one to try */
    assert_false(instant_is_never(s.next_try));
    assert_string_equal(listen(&t), "DISCONNECT;");
    pass(&t, 1100);
    assert_string_equal(listen(&t), "CONNECT host0;");
    end(&t);
}

static void failures_make_the_pauses_longer(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    int64_t last = 0;
    for (int i = 0; i < 30; i++) {
        client_failed(t.client, t.now, "refused");
        struct client_status s;
        client_status(t.client, &s);
        int64_t pause = instant_since(s.next_try, t.now).us / 1000000;
        assert_true(pause >= last && pause >= 1 && pause <= 30);
        last = pause;
        listen(&t);
        pass(&t, pause * 1000 + 1);
        assert_string_equal(listen(&t), "CONNECT host0;");
    }
    assert_int_equal(last, 30);
    end(&t);
}

static void connect_retry_max_ends_it(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    t.config.connect_cycles_max = 2;
    start(&t);
    listen(&t);
    client_failed(t.client, t.now, "refused");
    listen(&t);
    pass(&t, 1100);
    listen(&t);
    client_failed(t.client, t.now, "refused");
    assert_non_null(strstr(
        listen(&t), "STOPPED host0:1194/udp: refused; that was the last"));
    assert_int_equal(state_of(&t), CLIENT_STOPPED);
    end(&t);
}

static void credentials_are_asked_for_first(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    t.config.auth_user_pass = true;
    start(&t);
    assert_string_equal(listen(&t), "ASK User name and password;");
    assert_int_equal(state_of(&t), CLIENT_AWAIT_CREDENTIALS);
    client_credentials(t.client, t.now, "anna", NULL, NULL);
    assert_string_equal(listen(&t), "ASK User name and password;");
    client_credentials(t.client, t.now, NULL, "secret", NULL);
    assert_string_equal(listen(&t), "CONNECT host0;");
    end(&t);
}

static void a_static_challenge_is_shown_as_it_stands(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    t.config.auth_user_pass = true;
    assert_true(
        config_set_text(&t.config.static_challenge, bytes_of_text("Code?")));
    assert_true(config_set_text(&t.config.username, bytes_of_text("anna")));
    assert_true(config_set_text(&t.config.password, bytes_of_text("secret")));
    start(&t);
    assert_string_equal(listen(&t), "ASK Code?;");
    client_credentials(t.client, t.now, NULL, NULL, "123");
    assert_string_equal(listen(&t), "CONNECT host0;");
    end(&t);
}

static void an_encrypted_keys_password_is_asked_until_it_is_right(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    set_blob(&t.config.key, pki_encrypted_key);
    start(&t);
    assert_string_equal(listen(&t), "ASK The password of the private key;");
    client_credentials(t.client, t.now, NULL, "wrong", NULL);
    assert_string_equal(listen(&t), "ASK The password of the private key; the "
                                    "one it got is wrong;");
    client_credentials(t.client, t.now, NULL, "qubes", NULL);
    assert_string_equal(listen(&t), "CONNECT host0;");
    end(&t);
}

static void a_wrong_password_of_the_profiles_is_asked_for(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    set_blob(&t.config.key, pki_encrypted_key);
    set_blob(&t.config.key_password, "wrong");
    start(&t);
    assert_string_equal(listen(&t), "ASK The password of the private key; the "
                                    "one it got is wrong;");
    client_credentials(t.client, t.now, NULL, "qubes", NULL);
    assert_string_equal(listen(&t), "CONNECT host0;");
    end(&t);
}

static const char *waiting(const struct trial *t)
{
    static char text[CLIENT_WAITING_SIZE];
    return client_waiting(t->client, t->now, text) ? text : "nothing";
}

static void a_silent_server_is_named_with_what_may_be_wrong(void **state)
{
    (void)state;
    struct client_status s;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    connected(&t);
    assert_string_equal(waiting(&t), "nothing");
    pass(&t, 6000);
    assert_string_equal(waiting(&t),
                        "no answer yet from host0:1194/udp (6 s): wrong port "
                        "or protocol, or a firewall");
    client_refused(t.client, t.now);
    assert_non_null(strstr(waiting(&t), "ICMP says that nobody listens"));
    listen(&t);
    while (state_of(&t) == CLIENT_NEGOTIATING) {
        pass(&t, 500);
        listen(&t);
    }
    client_status(t.client, &s);
    assert_non_null(
        strstr(s.last_error, "no answer from host0:1194/udp in 60 s: ICMP"));
    end(&t);
}

static void a_connection_that_does_not_come_is_told(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    t.config.remotes[0].protocol = CONFIG_TCP;
    memcpy(t.config.remotes[0].host, "2001:db8::1", 12);
    start(&t);
    pass(&t, 3000);
    assert_non_null(
        strstr(waiting(&t), "no connection yet to [2001:db8::1]:1194/tcp"));
    end(&t);
}

static void an_expired_certificate_of_ours_is_told(void **state)
{
    (void)state;
    struct client_status s;
    struct trial t = begin(config_with_remotes(1));
    set_blob(&t.config.cert, pki_expired_crt);
    set_blob(&t.config.key, pki_expired_key);
    start(&t);
    client_status(t.client, &s);
    assert_string_equal(s.certificate,
                        "the certificate in `cert' expired on 2021-02-03");
    end(&t);
    t = begin(config_with_remotes(1));
    start(&t);
    client_status(t.client, &s);
    assert_null(s.certificate);
    end(&t);
}

static void an_order_is_no_reason(void **state)
{
    (void)state;
    struct client_status s;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    client_reconnect(t.client, t.now);
    client_status(t.client, &s);
    assert_null(s.last_error);
    end(&t);
}

static void unusable_keys_make_no_client(void **state)
{
    (void)state;
    struct config c = config_with_remotes(1);
    set_blob(&c.key, pki_server_key);
    char why[CLIENT_WHY_SIZE];
    assert_null(client_new(&c, &env, why));
    assert_string_equal(why,
                        "the private key does not belong to the certificate");
    set_blob(&c.key, pki_client_key);
    set_blob(&c.ca, "rubbish");
    assert_null(client_new(&c, &env, why));
    assert_memory_equal(why, "ca cannot be used: ", 19);
    config_clear(&c);
}

static void an_unusable_wrapping_is_said_and_retried(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    t.config.remotes[0].wrap = CONFIG_WRAP_TLS_CRYPT;
    set_blob(&t.config.remotes[0].wrap_key, "no key");
    start(&t);
    listen(&t);
    connected(&t);
    assert_int_equal(state_of(&t), CLIENT_PAUSING);
    assert_string_equal(listen(&t), "DISCONNECT;");
    end(&t);
}

static void nothing_is_sealed_unless_it_is_up(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    struct burst burst = {.count = 0};
    struct burst_layout none = {0};
    make(&t);
    for (int i = 0; i < 3; i++) {
        struct burst_layout layout = client_layout(t.client);
        assert_false(client_seal(t.client, t.now, &burst));
        assert_memory_equal(&layout, &none, sizeof none);
        if (i == 0)
            client_start(t.client, t.now);
        else
            connected(&t);
    }
    client_stop(t.client, t.now);
    assert_false(client_seal(t.client, t.now, &burst));
    end(&t);
}

static void what_comes_too_early_is_counted(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    uint8_t data[] = {0x48, 0, 0, 0, 1, 2, 3}, unknown[] = {0x0c, 1};
    uint8_t control[14] = {0x40};
    struct client_status s;
    struct burst burst = {.count = 0};
    start(&t);
    listen(&t);
    connected(&t);
    assert_true(burst_add_view(&burst, data, sizeof data));
    assert_true(burst_add_view(&burst, data, sizeof data));
    assert_true(burst_add_view(&burst, unknown, sizeof unknown));
    assert_true(burst_add_view(&burst, control, 0));
    assert_true(burst_add_view(&burst, control, sizeof control));
    client_open(t.client, t.now, &burst);
    client_status(t.client, &s);
    assert_int_equal(s.drops->count[DROP_DATA_NO_KEY], 2);
    assert_int_equal(s.drops->count[DROP_OPCODE], 1);
    assert_int_equal(s.drops->count[DROP_CONTROL_MALFORMED], 2);
    assert_int_equal(state_of(&t), CLIENT_NEGOTIATING);
    end(&t);
}

static void stopping_is_final(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    connected(&t);
    listen(&t);
    client_stop(t.client, t.now);
    assert_string_equal(listen(&t), "DISCONNECT;STOPPED on request;");
    assert_true(instant_is_never(client_deadline(t.client)));
    client_start(t.client, t.now);
    client_reconnect(t.client, t.now);
    connected(&t);
    client_failed(t.client, t.now, "late");
    client_credentials(t.client, t.now, "a", "b", "c");
    client_stop(t.client, t.now);
    client_expire(t.client, t.now);
    assert_string_equal(listen(&t), "");
    end(&t);
}

static void reconnecting_skips_the_pause(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    listen(&t);
    client_failed(t.client, t.now, "refused");
    listen(&t);
    client_reconnect(t.client, t.now);
    assert_string_equal(listen(&t), "CONNECT host0;");
    client_reconnect(t.client, t.now);
    assert_string_equal(listen(&t), "DISCONNECT;CONNECT host0;");
    end(&t);
}

/* CONNECT that was not yet heard needs no DISCONNECT. */
static void what_was_not_said_is_not_taken_back(void **state)
{
    (void)state;
    struct trial t = begin(config_with_remotes(1));
    start(&t);
    client_stop(t.client, t.now);
    assert_string_equal(listen(&t), "STOPPED on request;");
    end(&t);
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENT_STATE_COUNT; i++)
        assert_true(strlen(client_state_name((enum client_state)i)) > 1);
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
        cmocka_unit_test(it_connects_and_says_hello),
        cmocka_unit_test(hello_is_said_every_second),
        cmocka_unit_test(a_silent_server_is_left_without_a_pause),
        cmocka_unit_test(with_several_remotes_each_has_ten_seconds),
        cmocka_unit_test(an_uplink_that_never_opens_is_given_up),
        cmocka_unit_test(failures_make_the_pauses_longer),
        cmocka_unit_test(connect_retry_max_ends_it),
        cmocka_unit_test(credentials_are_asked_for_first),
        cmocka_unit_test(a_static_challenge_is_shown_as_it_stands),
        cmocka_unit_test(an_encrypted_keys_password_is_asked_until_it_is_right),
        cmocka_unit_test(a_wrong_password_of_the_profiles_is_asked_for),
        cmocka_unit_test(a_silent_server_is_named_with_what_may_be_wrong),
        cmocka_unit_test(a_connection_that_does_not_come_is_told),
        cmocka_unit_test(an_expired_certificate_of_ours_is_told),
        cmocka_unit_test(an_order_is_no_reason),
        cmocka_unit_test(unusable_keys_make_no_client),
        cmocka_unit_test(an_unusable_wrapping_is_said_and_retried),
        cmocka_unit_test(nothing_is_sealed_unless_it_is_up),
        cmocka_unit_test(what_comes_too_early_is_counted),
        cmocka_unit_test(stopping_is_final),
        cmocka_unit_test(reconnecting_skips_the_pause),
        cmocka_unit_test(what_was_not_said_is_not_taken_back),
        cmocka_unit_test(every_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, be_quiet, NULL);
}
