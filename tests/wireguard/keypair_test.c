#include "gateway/wireguard/keypair.h"

#include "tests/unit.h"
#include "tests/wireguard/known_handshake.h"

static struct known_handshake k;
static const struct instant start = {1000000000};

static struct keypair *known_keypair(bool initiator)
{
    struct handshake h = {.initiator = initiator};
    h.local_index = initiator ? KNOWN_INITIATOR_INDEX : KNOWN_RESPONDER_INDEX;
    h.remote_index = initiator ? KNOWN_RESPONDER_INDEX : KNOWN_INITIATOR_INDEX;
    memcpy(h.chaining_key, k.c[7], sizeof h.chaining_key);
    struct keypair *keypair = keypair_new(AEAD_PORTABLE, &h, start);
    assert_non_null(keypair);
    return keypair;
}

static const struct burst_layout layout = {
    .head = WIRE_DATA_HEADER_SIZE,
    .block = WIRE_PADDING,
    .tail = WIRE_TAG_SIZE,
    .limit = 1420,
};

/* The next datagram of these keys. */
static struct bytes seal(struct keypair *keypair, struct burst *burst,
                         const struct burst_layout *as, struct bytes inner)
{
    struct aead_job job;
    burst_reset(burst);
    struct datagram *d = burst_reserve(burst, as, (uint32_t)inner.size);
    assert_non_null(d);
    memset(d->data, 0xaa, d->size);
    if (inner.size)
        memcpy(d->data + d->inner_offset, inner.data, inner.size);
    keypair_seal_job(keypair, d, &job);
    aead_seal(keypair->sealing, &job, 1);
    return bytes_of(d->data, d->size);
}

static void the_known_datagrams_of_the_initiator(void **state)
{
    (void)state;
    struct keypair *i = known_keypair(true);
    struct burst burst;
    assert_true(burst_init(&burst, 2000));
    assert_bytes_equal(seal(i, &burst, &layout, bytes_of(NULL, 0)),
                       bytes_of(k.keepalive, sizeof k.keepalive));
    assert_bytes_equal(
        seal(i, &burst, &layout, bytes_of(k.inner, sizeof k.inner)),
        bytes_of(k.data, sizeof k.data));
    burst_clear(&burst);
    keypair_free(i);
}

static void open_known(struct keypair *keypair, struct bytes datagram,
                       uint64_t expected, bool echo)
{
    uint8_t copy[128];
    uint32_t receiver;
    uint64_t counter;
    struct aead_job job;
    memcpy(copy, datagram.data, datagram.size);
    struct datagram d = {.data = copy, .size = (uint16_t)datagram.size};
    assert_true(wire_read_data(datagram, &receiver, &counter));
    assert_int_equal(receiver, keypair->local_index);
    assert_int_equal(counter, expected);
    keypair_open_job(&d, counter, &job);
    aead_open(keypair->opening, &job, 1);
    assert_true(job.ok);
    assert_int_equal(job.size, datagram.size - WIRE_DATA_OVERHEAD);
    if (job.size && !echo)
        assert_memory_equal(job.data, k.inner, sizeof k.inner);
    for (size_t at = sizeof k.inner; at < job.size; at++)
        assert_int_equal(job.data[at], 0);
}

static void the_known_datagrams_are_opened(void **state)
{
    (void)state;
    struct keypair *i = known_keypair(true), *r = known_keypair(false);
    open_known(r, bytes_of(k.keepalive, sizeof k.keepalive), 0, false);
    open_known(r, bytes_of(k.data, sizeof k.data), 1, false);
    open_known(i, bytes_of(k.data_back, sizeof k.data_back), 0, true);
    keypair_free(i);
    keypair_free(r);
}

/* Zeroes to a multiple of 16, but never beyond the MTU. */
static void padding_of_each_size_and_mtu(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {1280, 1420, 1500};
    struct keypair *i = known_keypair(true), *r = known_keypair(false);
    struct burst burst;
    uint8_t inner[1500];
    memset(inner, 0x55, sizeof inner);
    assert_true(burst_init(&burst, 2000));
    for (size_t m = 0; m < 3; m++)
        for (uint32_t size = 0; size <= 1500; size++) {
            struct burst_layout as = layout;
            as.limit = mtus[m];
            uint32_t padded = (size + 15) / 16 * 16;
            if (padded > mtus[m])
                padded = mtus[m];
            if (padded < size)
                padded = size;
            struct bytes out = seal(i, &burst, &as, bytes_of(inner, size));
            assert_int_equal(out.size, padded + WIRE_DATA_OVERHEAD);
            struct aead_job job;
            keypair_open_job(&burst.datagrams[0], i->next_counter - 1, &job);
            aead_open(r->opening, &job, 1);
            assert_true(job.ok);
            assert_memory_equal(job.data, inner, size);
            for (uint32_t at = size; at < padded; at++)
                assert_int_equal(job.data[at], 0);
        }
    burst_clear(&burst);
    keypair_free(i);
    keypair_free(r);
}

static void freshness(void **state)
{
    (void)state;
    struct keypair *i = known_keypair(true);
    assert_true(keypair_fresh(i, start));
    assert_true(
        keypair_fresh(i, instant_after(start, duration_milliseconds(179999))));
    assert_false(keypair_fresh(i, instant_after(start, duration_seconds(180))));
    i->next_counter = COUNTER_WINDOW_LIMIT - 1;
    assert_true(keypair_fresh(i, start));
    i->next_counter++;
    assert_false(keypair_fresh(i, start));
    assert_false(keypair_fresh(NULL, start));
    keypair_free(i);
    keypair_free(NULL);
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
        cmocka_unit_test(the_known_datagrams_of_the_initiator),
        cmocka_unit_test(the_known_datagrams_are_opened),
        cmocka_unit_test(padding_of_each_size_and_mtu),
        cmocka_unit_test(freshness),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
