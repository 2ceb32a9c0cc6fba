#include "gateway/openvpn/config/remote_list.h"
#include "tests/unit.h"

static void deterministic(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

struct fixture {
    struct config config;
    struct config_remote remotes[4];
    struct remote_list list;
    uint32_t seed;
    struct instant now;
};

static void set_up(struct fixture *f, size_t count)
{
    *f = (struct fixture){.seed = 7, .now = {1000000}};
    config_init(&f->config);
    for (size_t i = 0; i < count; i++) {
        config_remote_init(&f->remotes[i]);
        memcpy(f->remotes[i].host, "a.example", 10);
        f->remotes[i].host[0] = (char)('a' + i);
    }
    f->config.remotes = f->remotes;
    f->config.remote_count = count;
}

static void start(struct fixture *f)
{
    assert_true(
        remote_list_init(&f->list, &f->config, deterministic, &f->seed));
}

static char current(const struct fixture *f)
{
    return remote_list_current(&f->list)->host[0];
}

/* -1: never. */
static int64_t seconds_until(const struct fixture *f, struct instant when)
{
    if (instant_is_never(when))
        return -1;
    return instant_to_seconds((struct instant){when.us - f->now.us});
}

/* Steps on; the pause in seconds. */
static int64_t next(struct fixture *f, enum remote_list_end end)
{
    return seconds_until(f, remote_list_next(&f->list, f->now, end, NULL).next);
}

static int64_t advised(struct fixture *f, enum remote_list_end end,
                       enum remote_list_advance advance, uint32_t backoff)
{
    const struct remote_list_advice advice = {advance, backoff, false};
    return seconds_until(f,
                         remote_list_next(&f->list, f->now, end, &advice).next);
}

static void remotes_are_tried_in_order_and_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3);
    start(&f);
    const char *expected = "abcabca";
    for (const char *e = expected; *e; e++) {
        assert_int_equal(current(&f), *e);
        assert_int_equal(next(&f, REMOTE_LIST_FAILED), 1);
    }
    remote_list_clear(&f.list);
}

static void a_shuffle_loses_no_remote_and_reaches_every_order(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3);
    f.config.remote_random = true;
    unsigned seen = 0; /* a bit for each of the six orders */
    for (int round = 0; round < 200; round++) {
        start(&f);
        char order[4] = {0};
        for (size_t i = 0; i < 3; i++) {
            order[i] = current(&f);
            (void)next(&f, REMOTE_LIST_FAILED);
        }
        assert_int_equal(order[0] + order[1] + order[2], 'a' + 'b' + 'c');
        assert_int_equal(current(&f), order[0]);
        seen |= 1u << ((order[0] - 'a') * 2 + (order[1] > order[2]));
        remote_list_clear(&f.list);
    }
    assert_int_equal(seen, 0x3f);
}

static void all_addresses_come_before_the_next_remote(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    start(&f);
    const struct address two[] = {address_ipv4(1), address_ipv4(2)};
    struct address a;
    assert_false(remote_list_address(&f.list, &a));
    remote_list_resolved(&f.list, two, 2);
    assert_true(remote_list_address(&f.list, &a));
    assert_int_equal(address_to_ipv4(&a), 1);
    (void)next(&f, REMOTE_LIST_FAILED);
    assert_int_equal(current(&f), 'a');
    assert_true(remote_list_address(&f.list, &a));
    assert_int_equal(address_to_ipv4(&a), 2);
    (void)next(&f, REMOTE_LIST_FAILED);
    assert_int_equal(current(&f), 'b');
    assert_false(remote_list_address(&f.list, &a));
    remote_list_clear(&f.list);
}

static void a_name_that_is_resolved_again_keeps_its_place(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    start(&f);
    const struct address first[] = {address_ipv4(1), address_ipv4(2)};
    const struct address turned[] = {address_ipv4(2), address_ipv4(1)};
    struct address a;
    remote_list_resolved(&f.list, first, 2);
    (void)next(&f, REMOTE_LIST_FAILED);
    remote_list_succeeded(&f.list);
    (void)next(&f, REMOTE_LIST_LOST);
    assert_false(remote_list_address(&f.list, &a));
    remote_list_resolved(&f.list, turned, 2);
    assert_true(remote_list_address(&f.list, &a));
    assert_int_equal(address_to_ipv4(&a), 2);

    /* Told to, without any failure; the server has moved meanwhile. */
    const struct address moved[] = {address_ipv4(4), address_ipv4(3)};
    remote_list_stay(&f.list);
    assert_false(remote_list_address(&f.list, &a));
    remote_list_resolved(&f.list, moved, 2);
    assert_true(remote_list_address(&f.list, &a));
    assert_int_equal(address_to_ipv4(&a), 4);
    remote_list_clear(&f.list);
}

static void addresses_of_the_wrong_family_are_left_out(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.remotes[0].family = ADDRESS_IPV6;
    start(&f);
    const uint8_t six[16] = {0x20, 1};
    const struct address both[] = {address_ipv4(1),
                                   address_from_bytes(ADDRESS_IPV6, six)};
    struct address a;
    remote_list_resolved(&f.list, both, 1);
    assert_false(remote_list_address(&f.list, &a));
    remote_list_resolved(&f.list, both, 2);
    assert_true(remote_list_address(&f.list, &a));
    assert_int_equal(a.family, ADDRESS_IPV6);
    remote_list_clear(&f.list);
}

static void more_addresses_than_there_is_room_for_do_no_harm(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    start(&f);
    struct address many[REMOTE_LIST_ADDRESSES_MAX + 5];
    for (uint32_t i = 0; i < REMOTE_LIST_ADDRESSES_MAX + 5; i++)
        many[i] = address_ipv4(i + 1);
    remote_list_resolved(&f.list, many, REMOTE_LIST_ADDRESSES_MAX + 5);
    assert_int_equal(f.list.address_count, REMOTE_LIST_ADDRESSES_MAX);
    remote_list_clear(&f.list);
}

static void after_a_success_the_same_remote_comes_once_more(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3);
    start(&f);
    (void)next(&f, REMOTE_LIST_FAILED);
    assert_int_equal(current(&f), 'b');
    remote_list_succeeded(&f.list);
    assert_int_equal(next(&f, REMOTE_LIST_LOST), 1);
    assert_int_equal(current(&f), 'b');
    (void)next(&f, REMOTE_LIST_FAILED);
    assert_int_equal(current(&f), 'c');
    remote_list_clear(&f.list);
}

static void a_refusal_stays_on_the_remote(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    start(&f);
    (void)next(&f, REMOTE_LIST_AUTH_FAILED);
    assert_int_equal(current(&f), 'a');
    (void)next(&f, REMOTE_LIST_AUTH_FAILED);
    assert_int_equal(current(&f), 'a');
    remote_list_clear(&f.list);
}

static void the_servers_advice_wins_over_the_rules(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3);
    start(&f);
    const struct address two[] = {address_ipv4(1), address_ipv4(2)};
    remote_list_resolved(&f.list, two, 2);
    (void)advised(&f, REMOTE_LIST_FAILED, REMOTE_LIST_STAY, 0);
    remote_list_resolved(&f.list, two, 2);
    assert_int_equal(f.list.address, 0);
    (void)advised(&f, REMOTE_LIST_AUTH_FAILED, REMOTE_LIST_NEXT_ADDRESS, 0);
    assert_int_equal(current(&f), 'a');
    assert_int_equal(f.list.address, 1);
    (void)advised(&f, REMOTE_LIST_AUTH_FAILED, REMOTE_LIST_NEXT_ADDRESS, 0);
    assert_int_equal(current(&f), 'b');
    remote_list_succeeded(&f.list);
    (void)advised(&f, REMOTE_LIST_LOST, REMOTE_LIST_NEXT_REMOTE, 0);
    assert_int_equal(current(&f), 'c');
    remote_list_clear(&f.list);
}

static void the_servers_backoff_is_at_least_kept(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.config.connect_retry = 20;
    start(&f);
    assert_int_equal(
        advised(&f, REMOTE_LIST_AUTH_FAILED, REMOTE_LIST_BY_RULE, 45), 45);
    assert_int_equal(
        advised(&f, REMOTE_LIST_AUTH_FAILED, REMOTE_LIST_BY_RULE, 5), 20);
    assert_int_equal(
        advised(&f, REMOTE_LIST_AUTH_FAILED, REMOTE_LIST_BY_RULE, UINT32_MAX),
        86400);
    remote_list_clear(&f.list);
}

static void pauses_grow_after_four_rounds_up_to_the_maximum(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    start(&f);
    const int64_t expected[] = {1, 1, 1, 1, 1,  1,  1,  1,  1,  2, 2,
                                4, 4, 8, 8, 16, 16, 30, 30, 30, 30};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(next(&f, REMOTE_LIST_FAILED), expected[i]);
    for (int i = 0; i < 100; i++)
        (void)next(&f, REMOTE_LIST_FAILED);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), 30);
    /* Not where patience does not help. */
    assert_int_equal(next(&f, REMOTE_LIST_AUTH_FAILED), 300);
    remote_list_succeeded(&f.list);
    assert_int_equal(next(&f, REMOTE_LIST_LOST), 1);
    remote_list_clear(&f.list);
}

/* Seconds of both numbers that a `connect-retry` has. */
static void the_profiles_own_pauses_count(void **state)
{
    (void)state;
    static const struct {
        uint32_t retry, most;
        int64_t first, last;
    } cases[] = {{60, 0, 60, 60}, {5, 120, 5, 120}, {2, 8, 2, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        set_up(&f, 1);
        f.config.connect_retry = cases[i].retry;
        f.config.connect_retry_max = cases[i].most;
        start(&f);
        assert_int_equal(next(&f, REMOTE_LIST_FAILED), cases[i].first);
        for (int n = 0; n < 100; n++)
            (void)next(&f, REMOTE_LIST_FAILED);
        assert_int_equal(next(&f, REMOTE_LIST_FAILED), cases[i].last);
        remote_list_clear(&f.list);
    }
}

static void a_wish_waits_for_the_profile_and_the_server(void **state)
{
    (void)state;
    struct fixture f;
    struct remote_list_plan p;
    set_up(&f, 1);
    f.config.connect_retry = 7;
    start(&f);
    for (int n = 0; n < 100; n++)
        (void)next(&f, REMOTE_LIST_FAILED);
    p = remote_list_next(&f.list, f.now, REMOTE_LIST_FAILED, NULL);
    assert_int_equal(seconds_until(&f, p.next), 30);
    assert_int_equal(seconds_until(&f, p.wanted), 7);
    assert_int_equal(seconds_until(&f, p.asked), 0);
    /* AUTH_FAILED,TEMP[backoff 20] */
    const struct remote_list_advice later = {.backoff = 20};
    p = remote_list_next(&f.list, f.now, REMOTE_LIST_FAILED, &later);
    assert_int_equal(seconds_until(&f, p.wanted), 20);
    assert_int_equal(seconds_until(&f, p.asked), 20);
    /* RESTART */
    const struct remote_list_advice keep = {.keep = true};
    p = remote_list_next(&f.list, f.now, REMOTE_LIST_FAILED, &keep);
    assert_int_equal(seconds_until(&f, p.wanted), -1);
    p = remote_list_next(&f.list, f.now, REMOTE_LIST_AUTH_FAILED, NULL);
    assert_int_equal(seconds_until(&f, p.wanted), -1);
    remote_list_clear(&f.list);
}

static void a_silent_server_costs_no_pause(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    start(&f);
    assert_int_equal(next(&f, REMOTE_LIST_TIMED_OUT), 0);
    assert_int_equal(current(&f), 'b');
    remote_list_clear(&f.list);
}

static void without_interaction_the_pause_is_ten_seconds(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.config.auth_retry = CONFIG_RETRY_NOINTERACT;
    start(&f);
    assert_int_equal(next(&f, REMOTE_LIST_AUTH_FAILED), 10);
    remote_list_clear(&f.list);
}

static void every_remote_is_tried_as_often_as_the_profile_says(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    f.config.connect_cycles_max = 2;
    start(&f);
    const struct address two[] = {address_ipv4(1), address_ipv4(2)};
    /* A second address of a remote is no second try of it. */
    remote_list_resolved(&f.list, two, 2);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), 1);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), 1);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), 1);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), 1);
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), -1);
    remote_list_clear(&f.list);
}

static void a_tunnel_that_stood_counts_as_no_failure(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.config.connect_cycles_max = 1;
    start(&f);
    for (int i = 0; i < 3; i++) {
        remote_list_succeeded(&f.list);
        assert_int_equal(next(&f, REMOTE_LIST_LOST), 1);
    }
    assert_int_equal(next(&f, REMOTE_LIST_FAILED), -1);
    remote_list_clear(&f.list);
}

static void a_random_label_differs_each_time(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.config.remote_random_hostname = true;
    start(&f);
    char first[CONFIG_HOST_SIZE];
    memcpy(first, remote_list_current(&f.list)->host, sizeof first);
    assert_int_equal(strlen(first), 13 + 9);
    assert_int_equal(strspn(first, "0123456789abcdef"), 12);
    assert_string_equal(first + 12, ".a.example");
    (void)next(&f, REMOTE_LIST_FAILED);
    assert_string_equal(remote_list_current(&f.list)->host + 12, ".a.example");
    assert_string_not_equal(remote_list_current(&f.list)->host, first);
    remote_list_clear(&f.list);
}

static void a_literal_address_or_a_full_name_gets_no_label(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    f.config.remote_random_hostname = true;
    memcpy(f.remotes[0].host, "192.0.2.1", 10);
    start(&f);
    assert_string_equal(remote_list_current(&f.list)->host, "192.0.2.1");
    remote_list_clear(&f.list);

    memset(f.remotes[0].host, 'x', CONFIG_HOST_SIZE - 1);
    start(&f);
    assert_int_equal(strlen(remote_list_current(&f.list)->host),
                     CONFIG_HOST_SIZE - 1);
    remote_list_clear(&f.list);

    /* The longest that still takes one. */
    f.remotes[0].host[CONFIG_HOST_SIZE - 1 - 13] = '\0';
    start(&f);
    assert_int_equal(strlen(remote_list_current(&f.list)->host),
                     CONFIG_HOST_SIZE - 1);
    assert_int_equal(remote_list_current(&f.list)->host[12], '.');
    remote_list_clear(&f.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remotes_are_tried_in_order_and_again),
        cmocka_unit_test(a_shuffle_loses_no_remote_and_reaches_every_order),
        cmocka_unit_test(all_addresses_come_before_the_next_remote),
        cmocka_unit_test(a_name_that_is_resolved_again_keeps_its_place),
        cmocka_unit_test(addresses_of_the_wrong_family_are_left_out),
        cmocka_unit_test(more_addresses_than_there_is_room_for_do_no_harm),
        cmocka_unit_test(after_a_success_the_same_remote_comes_once_more),
        cmocka_unit_test(a_refusal_stays_on_the_remote),
        cmocka_unit_test(the_servers_advice_wins_over_the_rules),
        cmocka_unit_test(the_servers_backoff_is_at_least_kept),
        cmocka_unit_test(pauses_grow_after_four_rounds_up_to_the_maximum),
        cmocka_unit_test(the_profiles_own_pauses_count),
        cmocka_unit_test(a_wish_waits_for_the_profile_and_the_server),
        cmocka_unit_test(a_silent_server_costs_no_pause),
        cmocka_unit_test(without_interaction_the_pause_is_ten_seconds),
        cmocka_unit_test(every_remote_is_tried_as_often_as_the_profile_says),
        cmocka_unit_test(a_tunnel_that_stood_counts_as_no_failure),
        cmocka_unit_test(a_random_label_differs_each_time),
        cmocka_unit_test(a_literal_address_or_a_full_name_gets_no_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
