#include "gateway/wireguard/timestamp.h"

#include "tests/unit.h"
#include "tests/wireguard/known_handshake.h"

#define SECOND INT64_C(1000000000)
#define CLOCK  (INT64_C(1767225600) * SECOND) /* 2026-01-01 */

static void the_known_timestamp(void **state)
{
    (void)state;
    struct known_handshake k;
    int64_t last = 0;
    uint8_t out[WIRE_TIMESTAMP_SIZE];
    known_handshake_read(&k);
    timestamp_next(&last, CLOCK + 553648128, out);
    assert_memory_equal(out, k.timestamp, sizeof out);
    /* and all within the same 2^24 ns */
    last = 0;
    timestamp_next(&last, CLOCK + 553648128 + 16777215, out);
    assert_memory_equal(out, k.timestamp, sizeof out);
}

/* The time of a timestamp, in nanoseconds since 1970. */
static int64_t told(const uint8_t t[WIRE_TIMESTAMP_SIZE])
{
    return (int64_t)(load_u64(t) - UINT64_C(0x400000000000000a)) * SECOND +
           load_u32(t + 8);
}

static void they_rise_whatever_the_clock_does(void **state)
{
    (void)state;
    uint32_t s = 7;
    int64_t last = 0;
    uint8_t before[WIRE_TIMESTAMP_SIZE] = {0}, t[WIRE_TIMESTAMP_SIZE];
    int64_t clock = CLOCK;
    for (int i = 0; i < 100000; i++) {
        switch (next_random(&s) % 4) {
        case 0:
            clock += next_random(&s) % SECOND;
            break;
        case 1:
            clock -= next_random(&s) % (3600 * SECOND);
            break;
        default:
            break;
        }
        timestamp_next(&last, clock, t);
        assert_true(timestamp_later(t, before));
        assert_false(timestamp_later(before, t));
        assert_true(load_u32(t + 8) < 1000000000);
        memcpy(before, t, sizeof t);
    }
    assert_false(timestamp_later(t, t));
}

static void a_clock_set_back_leaves_them_where_they_are(void **state)
{
    (void)state;
    int64_t last = 0;
    uint8_t t[WIRE_TIMESTAMP_SIZE];
    timestamp_next(&last, CLOCK, t);
    int64_t first = told(t);
    for (int i = 0; i < 60; i++)
        timestamp_next(&last, CLOCK - 3600 * SECOND, t);
    /* sixty more take a second, and not an hour */
    assert_int_equal(told(t), first + SECOND);
    timestamp_next(&last, CLOCK + 2 * SECOND, t);
    assert_int_equal(told(t), CLOCK + 2 * SECOND);
}

static void a_clock_before_1970_is_1970(void **state)
{
    (void)state;
    int64_t last = 0;
    uint8_t t[WIRE_TIMESTAMP_SIZE];
    timestamp_next(&last, -5, t);
    assert_true(told(t) >= 0 && told(t) < SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_timestamp),
        cmocka_unit_test(they_rise_whatever_the_clock_does),
        cmocka_unit_test(a_clock_set_back_leaves_them_where_they_are),
        cmocka_unit_test(a_clock_before_1970_is_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
