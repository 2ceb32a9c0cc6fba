#include "gateway/wireguard/cookie.h"

#include "tests/unit.h"
#include "tests/wireguard/known_handshake.h"

static struct known_handshake k;
static const struct instant start = {1000000000};

static struct instant after(int64_t milliseconds)
{
    return instant_after(start, duration_milliseconds(milliseconds));
}

static struct endpoint source(uint8_t last, uint16_t port)
{
    return (struct endpoint){
        .address = {.family = ADDRESS_IPV4, .bytes = {192, 0, 2, last}},
        .port = port,
    };
}

static struct cookie_checker checker(void)
{
    struct cookie_checker c;
    cookie_checker_init(&c, k.public_r);
    cookie_checker_renew(&c, start, k.cookie_secret);
    return c;
}

static struct wire_cookie_reply reply_of(const uint8_t *bytes)
{
    struct wire_cookie_reply reply;
    assert_true(wire_read_cookie_reply(bytes_of(bytes, WIRE_COOKIE_REPLY_SIZE),
                                       &reply));
    return reply;
}

static void the_known_reply_is_made(void **state)
{
    (void)state;
    struct cookie_checker c = checker();
    struct endpoint from = source(2, 51820);
    struct wire_cookie_reply reply = reply_of(k.cookie_reply);
    uint8_t out[WIRE_COOKIE_REPLY_SIZE];
    cookie_checker_reply(&c, bytes_of(k.initiation, sizeof k.initiation),
                         KNOWN_INITIATOR_INDEX, &from, reply.nonce, out);
    assert_memory_equal(out, k.cookie_reply, sizeof out);
}

static void the_known_reply_is_taken_and_makes_the_known_mac2(void **state)
{
    (void)state;
    struct cookie_holder h;
    struct wire_cookie_reply reply = reply_of(k.cookie_reply);
    uint8_t message[WIRE_INITIATION_SIZE];
    cookie_holder_init(&h, k.public_r);
    memcpy(message, k.initiation, sizeof message);
    cookie_holder_stamp(&h, start, message, sizeof message);
    assert_memory_equal(message, k.initiation, sizeof message);
    assert_true(cookie_holder_take(&h, start, &reply));
    assert_memory_equal(h.cookie, k.cookie, sizeof k.cookie);
    memcpy(message, k.initiation_with_mac2, sizeof message);
    memset(message + sizeof message - 32, 9, 32);
    cookie_holder_stamp(&h, start, message, sizeof message);
    assert_memory_equal(message, k.initiation_with_mac2, sizeof message);
}

static void mac1_is_of_all_bytes_before_it(void **state)
{
    (void)state;
    struct cookie_checker c = checker();
    uint8_t copy[WIRE_INITIATION_SIZE];
    memcpy(copy, k.initiation, sizeof copy);
    struct bytes message = bytes_of(copy, sizeof copy);
    assert_true(cookie_checker_mac1(&c, message));
    for (size_t bit = 0; bit < 8 * sizeof copy; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* mac2 is not its concern */
        assert_int_equal(cookie_checker_mac1(&c, message),
                         bit >= 8 * (sizeof copy - WIRE_MAC_SIZE));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* an answer has the initiator's key */
    assert_false(
        cookie_checker_mac1(&c, bytes_of(k.response, sizeof k.response)));
    cookie_checker_init(&c, k.public_i);
    assert_true(
        cookie_checker_mac1(&c, bytes_of(k.response, sizeof k.response)));
}

static void a_cookie_is_of_an_address_and_a_port(void **state)
{
    (void)state;
    struct cookie_checker c = checker();
    struct bytes message =
        bytes_of(k.initiation_with_mac2, sizeof k.initiation_with_mac2);
    struct endpoint from = source(2, 51820);
    assert_true(cookie_checker_mac2(&c, start, message, &from));
    from = source(2, 51821);
    assert_false(cookie_checker_mac2(&c, start, message, &from));
    from = source(3, 51820);
    assert_false(cookie_checker_mac2(&c, start, message, &from));
    from = source(2, 51820);
    from.address.family = ADDRESS_IPV6;
    assert_false(cookie_checker_mac2(&c, start, message, &from));
    from = source(2, 51820);
    assert_false(cookie_checker_mac2(
        &c, start, bytes_of(k.initiation, sizeof k.initiation), &from));
}

static void a_secret_lasts_two_minutes(void **state)
{
    (void)state;
    struct cookie_checker c = checker();
    struct bytes message =
        bytes_of(k.initiation_with_mac2, sizeof k.initiation_with_mac2);
    struct endpoint from = source(2, 51820);
    assert_false(cookie_checker_stale(&c, after(119999)));
    assert_true(cookie_checker_mac2(&c, after(119999), message, &from));
    assert_true(cookie_checker_stale(&c, after(120000)));
    assert_false(cookie_checker_mac2(&c, after(120000), message, &from));
    cookie_checker_renew(&c, after(120000), k.psk);
    assert_false(cookie_checker_mac2(&c, after(120000), message, &from));
    cookie_checker_init(&c, k.public_r);
    assert_true(cookie_checker_stale(&c, start));
}

static void a_cookie_is_used_for_two_minutes(void **state)
{
    (void)state;
    static const uint8_t none[WIRE_MAC_SIZE];
    struct cookie_holder h;
    struct wire_cookie_reply reply = reply_of(k.cookie_reply);
    uint8_t message[WIRE_INITIATION_SIZE];
    const uint8_t *mac2 = message + sizeof message - WIRE_MAC_SIZE;
    memcpy(message, k.initiation, sizeof message);
    cookie_holder_init(&h, k.public_r);
    cookie_holder_stamp(&h, start, message, sizeof message);
    assert_true(cookie_holder_take(&h, start, &reply));
    cookie_holder_stamp(&h, after(119999), message, sizeof message);
    assert_memory_not_equal(mac2, none, sizeof none);
    cookie_holder_stamp(&h, after(120000), message, sizeof message);
    assert_memory_equal(mac2, none, sizeof none);
}

static void what_answers_no_message_is_no_cookie(void **state)
{
    (void)state;
    struct cookie_holder h;
    struct wire_cookie_reply reply = reply_of(k.cookie_reply);
    uint8_t message[WIRE_INITIATION_SIZE];
    cookie_holder_init(&h, k.public_r);
    assert_false(cookie_holder_take(&h, start, &reply)); /* unsolicited */
    memcpy(message, k.initiation, sizeof message);
    message[4] ^= 1; /* another message than the one answered */
    cookie_holder_stamp(&h, start, message, sizeof message);
    assert_false(cookie_holder_take(&h, start, &reply));
    message[4] ^= 1;
    cookie_holder_stamp(&h, start, message, sizeof message);
    reply.sealed_cookie[0] ^= 1;
    assert_false(cookie_holder_take(&h, start, &reply));
    reply.sealed_cookie[0] ^= 1;
    assert_true(cookie_holder_take(&h, start, &reply));
    assert_false(cookie_holder_take(&h, start, &reply)); /* once */
}

static int prepare(void **state)
{
    (void)state;
    known_handshake_read(&k);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_reply_is_made),
        cmocka_unit_test(the_known_reply_is_taken_and_makes_the_known_mac2),
        cmocka_unit_test(mac1_is_of_all_bytes_before_it),
        cmocka_unit_test(a_cookie_is_of_an_address_and_a_port),
        cmocka_unit_test(a_secret_lasts_two_minutes),
        cmocka_unit_test(a_cookie_is_used_for_two_minutes),
        cmocka_unit_test(what_answers_no_message_is_no_cookie),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
