/* The client that a destination lies behind. */
#include "gateway/openvpn/server/server_routes.h"

#include "tests/unit.h"

static const struct siphash_key key = {1, 2};

static struct prefix prefix(const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(bytes_of_text(text), &p));
    return p;
}

static bool add(struct server_routes *r, const char *text, void *owner,
                struct server_route **list)
{
    struct prefix p = prefix(text);
    return server_routes_add(r, &p, owner, list);
}

static void *find(const struct server_routes *r, const char *text)
{
    struct address a;
    assert_true(address_parse(bytes_of_text(text), &a));
    return server_routes_find(r, &a);
}

static void the_longest_prefix_decides(void **state)
{
    (void)state;
    struct server_routes r;
    struct server_route *one = NULL, *two = NULL, *six = NULL;
    int a, b, c;
    assert_true(server_routes_init(&r, 8, &key));
    assert_null(find(&r, "10.8.0.2"));
    assert_true(add(&r, "10.8.0.2/32", &a, &one));
    assert_true(add(&r, "10.0.0.0/8", &a, &one));
    assert_true(add(&r, "10.9.0.0/16", &b, &two));
    assert_true(add(&r, "0.0.0.0/0", &b, &two));
    assert_true(add(&r, "fd00:8::/64", &c, &six));
    assert_true(add(&r, "fd00:8::7/128", &a, &one));
    assert_ptr_equal(find(&r, "10.8.0.2"), &a);
    assert_ptr_equal(find(&r, "10.9.255.255"), &b);
    assert_ptr_equal(find(&r, "10.10.0.0"), &a);
    assert_ptr_equal(find(&r, "11.0.0.0"), &b);
    assert_ptr_equal(find(&r, "fd00:8::8"), &c);
    assert_ptr_equal(find(&r, "fd00:8::7"), &a);
    assert_null(find(&r, "fd00:9::"));
    assert_int_equal(r.wide, 4);
    server_routes_remove(&r, &one);
    assert_null(one);
    assert_ptr_equal(find(&r, "10.8.0.2"), &b);
    assert_ptr_equal(find(&r, "fd00:8::7"), &c);
    server_routes_remove(&r, &two);
    server_routes_remove(&r, &six);
    assert_null(find(&r, "10.9.0.0"));
    assert_int_equal(r.count, 0);
    assert_int_equal(r.length_count[0] + r.length_count[1], 0);
    server_routes_clear(&r);
}

static void a_prefix_has_one_owner(void **state)
{
    (void)state;
    struct server_routes r;
    struct server_route *one = NULL, *two = NULL;
    int a, b;
    assert_true(server_routes_init(&r, 8, &key));
    assert_true(add(&r, "10.9.0.0/16", &a, &one));
    assert_false(add(&r, "10.9.0.0/16", &b, &two));
    assert_null(two);
    assert_true(add(&r, "10.9.0.0/17", &b, &two));
    server_routes_remove(&r, &one);
    assert_true(add(&r, "10.9.0.0/16", &b, &two));
    server_routes_remove(&r, &two);
    server_routes_clear(&r);
}

/* Against a search through all of them. */
static void it_finds_what_a_search_finds(void **state)
{
    (void)state;
    enum { OWNERS = 20, EACH = 20 };
    struct server_routes r;
    struct server_route *lists[OWNERS] = {NULL};
    uint32_t random = 1;
    assert_true(server_routes_init(&r, 4, &key));
    for (unsigned i = 0; i < OWNERS * EACH; i++) {
        struct prefix p = {
            address_ipv4(0x0a000000 | next_random(&random) >> 20),
            (uint8_t)(8 + next_random(&random) % 25)};
        (void)!server_routes_add(&r, &p, &lists[i % OWNERS],
                                 &lists[i % OWNERS]);
    }
    for (unsigned round = 0; round < OWNERS; round++) {
        for (unsigned i = 0; i < 500; i++) {
            struct address a =
                address_ipv4(0x0a000000 | next_random(&random) >> 20);
            const struct server_route *best = NULL;
            for (unsigned o = 0; o < OWNERS; o++)
                for (struct server_route *s = lists[o]; s; s = s->next_of_owner)
                    if (prefix_contains(&s->prefix, &a) &&
                        (!best || s->prefix.bits > best->prefix.bits))
                        best = s;
            assert_ptr_equal(server_routes_find(&r, &a),
                             best ? best->owner : NULL);
        }
        server_routes_remove(&r, &lists[round]);
    }
    assert_int_equal(r.count, 0);
    server_routes_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_decides),
        cmocka_unit_test(a_prefix_has_one_owner),
        cmocka_unit_test(it_finds_what_a_search_finds),
    };
    return cmocka_run_group_tests_name("server_routes", tests, NULL, NULL);
}
