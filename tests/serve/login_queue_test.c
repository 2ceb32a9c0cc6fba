/* The order in which passwords are judged, and logins that find no place. */
#include "gateway/serve/login_queue.h"

#include <stdio.h>

#include "tests/unit.h"

enum { STRANGERS = LOGIN_QUEUE_PLACES - LOGIN_QUEUE_RESERVE };

static struct address ipv4(uint32_t number)
{
    return address_ipv4(0xc0000200 + number);
}

static size_t put(struct login_queue *q, uint32_t from)
{
    struct address a = ipv4(from);
    size_t place;
    assert_true(login_queue_put(q, &a, false, &place));
    return place;
}

static bool has_place(struct login_queue *q, uint32_t from, bool again)
{
    struct address a = ipv4(from);
    size_t place;
    bool put = login_queue_put(q, &a, again, &place);
    if (put)
        login_queue_give(q, place);
    return put;
}

static void is_next(struct login_queue *q, size_t expected)
{
    size_t place;
    assert_true(login_queue_next(q, &place));
    assert_int_equal(place, expected);
}

static void one_address_is_served_in_order(void **state)
{
    (void)state;
    struct login_queue q = {0};
    size_t place, all[3];
    assert_false(login_queue_next(&q, &place));
    for (size_t i = 0; i < 3; i++)
        all[i] = put(&q, 1);
    for (size_t i = 0; i < 3; i++) {
        is_next(&q, all[i]);
        login_queue_give(&q, all[i]);
    }
    assert_false(login_queue_next(&q, &place));
}

/* Sixteen wait of one address, and whoever comes then is the second. */
static void a_flood_is_waited_for_once(void **state)
{
    (void)state;
    struct login_queue q = {0};
    size_t flood[LOGIN_QUEUE_OF_ONE];
    for (size_t i = 0; i < LOGIN_QUEUE_OF_ONE; i++)
        flood[i] = put(&q, 1);
    assert_false(has_place(&q, 1, false));
    size_t other = put(&q, 2);
    is_next(&q, flood[0]);
    is_next(&q, other);
    is_next(&q, flood[1]);
    /* A client that has been served comes behind one that waits. */
    login_queue_give(&q, flood[0]);
    size_t more = put(&q, 1), third = put(&q, 3);
    is_next(&q, flood[2]);
    is_next(&q, third);
    for (size_t i = 3; i < LOGIN_QUEUE_OF_ONE; i++)
        is_next(&q, flood[i]);
    is_next(&q, more);
}

static void many_addresses_take_turns(void **state)
{
    (void)state;
    struct login_queue q = {0};
    size_t places[4][3];
    for (uint32_t a = 0; a < 4; a++)
        for (size_t i = 0; i < 3; i++)
            places[a][i] = put(&q, a);
    for (size_t i = 0; i < 3; i++)
        for (uint32_t a = 0; a < 4; a++)
            is_next(&q, places[a][i]);
}

/* A flood from everywhere leaves room for who is in, and these come first. */
static void who_is_in_has_a_reserve(void **state)
{
    (void)state;
    struct login_queue q = {0};
    struct address mine = ipv4(7);
    size_t place, first = put(&q, 100), taken = 1;
    for (uint32_t from = 101; taken < STRANGERS; taken++)
        (void)put(&q, from++);
    assert_false(has_place(&q, 99, false));
    assert_true(login_queue_put(&q, &mine, true, &place));
    is_next(&q, place);
    is_next(&q, first);
    login_queue_give(&q, first);
    assert_true(has_place(&q, 99, false));
    /* Nor may who is in have all of it. */
    for (size_t i = 1; i < LOGIN_QUEUE_OF_ONE; i++)
        assert_true(login_queue_put(&q, &mine, true, &place));
    assert_false(login_queue_put(&q, &mine, true, &place));
}

/* A login that is being judged counts until its verdict is there. */
static void a_turn_is_no_end(void **state)
{
    (void)state;
    struct login_queue q = {0};
    size_t place;
    for (size_t i = 0; i < LOGIN_QUEUE_OF_ONE; i++) {
        (void)put(&q, 1);
        assert_true(login_queue_next(&q, &place));
    }
    assert_false(has_place(&q, 1, false));
    login_queue_give(&q, place);
    assert_true(has_place(&q, 1, false));
}

static void a_network_of_ipv6_is_one(void **state)
{
    (void)state;
    struct login_queue q = {0};
    size_t place;
    struct address a;
    char text[ADDRESS_TEXT_SIZE];
    for (unsigned i = 0; i < LOGIN_QUEUE_OF_ONE; i++) {
        snprintf(text, sizeof text, "2001:db8:0:1:%x::1", i);
        assert_true(address_parse(bytes_of_text(text), &a));
        assert_true(login_queue_put(&q, &a, false, &place));
    }
    assert_true(address_parse(bytes_of_text("2001:db8:0:1::2"), &a));
    assert_false(login_queue_put(&q, &a, false, &place));
    assert_true(address_parse(bytes_of_text("2001:db8:0:2::2"), &a));
    assert_true(login_queue_put(&q, &a, false, &place));
}

/* In any order: no more than there are, each served once, none lost. */
static void any_order_loses_nobody(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 200; seed++) {
        struct login_queue q = {0};
        uint32_t random = seed;
        size_t put_in = 0, served = 0, given = 0, place;
        size_t under_way[LOGIN_QUEUE_PLACES];
        for (unsigned step = 0; step < 400; step++) {
            uint32_t what = next_random(&random);
            struct address a = ipv4(what >> 8 & 7);
            if (what % 3 == 0) {
                put_in += login_queue_put(&q, &a, what & 64, &place);
            } else if (what % 3 == 1 && login_queue_next(&q, &place)) {
                under_way[served++ - given] = place;
            } else if (served > given) {
                login_queue_give(&q, under_way[served - ++given]);
            }
        }
        while (login_queue_next(&q, &place))
            served++;
        assert_int_equal(put_in, served);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_is_served_in_order),
        cmocka_unit_test(a_flood_is_waited_for_once),
        cmocka_unit_test(many_addresses_take_turns),
        cmocka_unit_test(who_is_in_has_a_reserve),
        cmocka_unit_test(a_turn_is_no_end),
        cmocka_unit_test(a_network_of_ipv6_is_one),
        cmocka_unit_test(any_order_loses_nobody),
    };
    return cmocka_run_group_tests_name("login_queue", tests, NULL, NULL);
}
