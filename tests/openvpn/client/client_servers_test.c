/* The addresses a client goes to, one after another, and how long it waits for
 * each; nobody ever answers. */
#include "gateway/base/log.h"
#include "gateway/openvpn/client/client.h"
#include "tests/unit.h"
#include "tests/vectors/pki.h"

struct fixture {
    struct config config;
    struct client *client;
    struct instant now;
    uint32_t seed;
    unsigned lookups;
};

static struct fixture fixture;

static void fill_random(void *context, uint8_t *out, size_t size)
{
    struct fixture *f = context;
    random_bytes(&f->seed, out, size);
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

static void no_lines(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void set_up(struct fixture *f, size_t remotes)
{
    struct config *c = &f->config;
    log_set_sink(no_lines, NULL);
    *f = (struct fixture){.now = {1000000}, .seed = 1};
    config_init(c);
    c->remotes = calloc(remotes, sizeof *c->remotes);
    assert_non_null(c->remotes);
    c->remote_count = remotes;
    for (size_t i = 0; i < remotes; i++) {
        config_remote_init(&c->remotes[i]);
        memcpy(c->remotes[i].host, "a.example", 10);
        c->remotes[i].host[0] = (char)('a' + i);
    }
    assert_true(blob_set(&c->ca, bytes_of_text(pki_ca)));
    assert_true(blob_set(&c->cert, bytes_of_text(pki_client_crt)));
    assert_true(blob_set(&c->key, bytes_of_text(pki_client_key)));
    struct client_env env = {f, fill_random, unix_time};
    f->client = client_new(c, &env, NULL);
    assert_non_null(f->client);
    client_start(f->client, f->now);
}

static void tear_down(struct fixture *f)
{
    client_free(f->client);
    config_clear(&f->config);
    log_set_sink(NULL, NULL);
}

static const struct config_remote *awaited_connect(struct fixture *f)
{
    struct client_action action;
    const struct config_remote *remote = NULL;
    while (!remote) {
        while (client_poll(f->client, &action))
            if (action.type == CLIENT_ACTION_CONNECT)
                remote = action.remote;
        if (remote)
            break;
        f->now = client_deadline(f->client);
        client_expire(f->client, f->now);
    }
    return remote;
}

/* The next place it goes to, as "a1": the remote's letter and the last byte
 * of the address; its names have the addresses 1 .. count, turned by one with
 * each look-up. */
static const char *next_place(struct fixture *f, uint32_t count)
{
    static char place[3];
    const struct config_remote *remote = awaited_connect(f);
    struct address address, all[8];
    if (!client_address(f->client, &address)) {
        for (uint32_t i = 0; i < count; i++)
            all[i] = address_ipv4(1 + (i + f->lookups) % count);
        f->lookups++;
        client_resolved(f->client, f->now, all, count);
        assert_true(client_address(f->client, &address));
    }
    place[0] = remote->host[0];
    place[1] = (char)('0' + address_to_ipv4(&address));
    return place;
}

static void every_address_of_a_turning_name_is_tried_once(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    set_up(f, 2);
    static const char *const places[] = {"a1", "a2", "a3", "b2", "b3",
                                         "b1", "a3", "a1", "a2"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_string_equal(next_place(f, 3), places[i]);
        client_failed(f->client, f->now, "refused");
    }
    assert_int_equal(f->lookups, 3);
    tear_down(f);
}

/* Ten seconds where there is something else to try, otherwise two minutes. */
static void a_silent_address_is_left_in_time(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    set_up(f, 1);
    assert_string_equal(next_place(f, 2), "a1");
    int64_t limit = f->now.us + 10 * 1000000;
    assert_int_equal(client_deadline(f->client).us, limit);
    client_expire(f->client, client_deadline(f->client));
    f->now.us = limit;
    assert_string_equal(next_place(f, 2), "a2");
    assert_int_equal(f->now.us, limit); /* without a pause */
    assert_int_equal(client_deadline(f->client).us, limit + 10 * 1000000);
    tear_down(f);

    set_up(f, 1);
    assert_string_equal(next_place(f, 1), "a1");
    assert_int_equal(client_deadline(f->client).us, f->now.us + 120 * 1000000);
    tear_down(f);
}

static void the_profiles_own_timeout_counts(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    set_up(f, 2);
    f->config.remotes[1].connect_timeout = 3;
    assert_string_equal(next_place(f, 1), "a1");
    client_failed(f->client, f->now, "refused");
    assert_string_equal(next_place(f, 1), "b1");
    assert_int_equal(client_deadline(f->client).us, f->now.us + 3 * 1000000);
    tear_down(f);
}

/* The way may be another one now, and the name may lead elsewhere. */
static void a_wish_to_reconnect_asks_for_the_name_again(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    set_up(f, 1);
    assert_string_equal(next_place(f, 3), "a1");
    client_failed(f->client, f->now, "refused");
    assert_string_equal(next_place(f, 3), "a2");
    client_reconnect(f->client, f->now);
    assert_string_equal(next_place(f, 3), "a2");
    assert_int_equal(f->lookups, 2);
    tear_down(f);
}

static void a_name_without_a_fitting_address_is_no_place(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    set_up(f, 2);
    f->config.remotes[1].family = ADDRESS_IPV6;
    assert_string_equal(next_place(f, 1), "a1");
    client_failed(f->client, f->now, "refused");
    const struct address only = address_ipv4(1);
    struct address address;
    assert_string_equal(awaited_connect(f)->host, "b.example");
    assert_false(client_address(f->client, &address));
    client_resolved(f->client, f->now, &only, 1);
    assert_false(client_address(f->client, &address));
    tear_down(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_of_a_turning_name_is_tried_once),
        cmocka_unit_test(a_silent_address_is_left_in_time),
        cmocka_unit_test(the_profiles_own_timeout_counts),
        cmocka_unit_test(a_wish_to_reconnect_asks_for_the_name_again),
        cmocka_unit_test(a_name_without_a_fitting_address_is_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
