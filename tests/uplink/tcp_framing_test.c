#include "gateway/uplink/tcp_framing.h"
#include "tests/unit.h"

enum {
    CAPACITY = 65536,
    QUEUE = TCP_FRAMING_QUEUE_LEAST + 1000,
    STREAM_MAX = 256 * 1024,
};

struct fixture {
    struct tcp_framing_input in;
    struct tcp_framing_queue queue;
    struct burst burst;    /* owns memory */
    struct burst received; /* views */
    struct tcp_framing_parts parts;
    struct drop_counters drops;
    uint8_t stream[STREAM_MAX]; /* as it should be on the wire */
    size_t size;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(tcp_framing_input_init(&f->in, CAPACITY));
    assert_true(tcp_framing_queue_init(&f->queue, QUEUE, 3000));
    assert_true(burst_init(&f->burst, STREAM_MAX));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tcp_framing_input_clear(&f->in);
    tcp_framing_queue_clear(&f->queue);
    burst_clear(&f->burst);
    free(f);
    return 0;
}

/* --- In ------------------------------------------------------------------ */

static void feed(struct fixture *f, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t room;
        uint8_t *space = tcp_framing_space(&f->in, &room);
        size_t here = size < room ? size : room;
        memcpy(space, data, here);
        tcp_framing_received(&f->in, here);
        data += here;
        size -= here;
    }
}

static enum tcp_framing_result next(struct fixture *f)
{
    burst_reset(&f->received);
    return tcp_framing_next(&f->in, &f->received);
}

/* Appends a packet of that size, filled with its size's low byte. */
static void put_packet(struct fixture *f, uint16_t size)
{
    store_u16(f->stream + f->size, size);
    memset(f->stream + f->size + 2, (uint8_t)size, size);
    f->size += 2 + (size_t)size;
}

static void expect_packet(const struct datagram *d, uint16_t size)
{
    assert_int_equal(d->size, size);
    for (uint16_t i = 0; i < size; i++)
        assert_int_equal(d->data[i], (uint8_t)size);
}

static void packets_come_out_at_every_split_of_the_stream(void **state)
{
    struct fixture *f = *state;
    static const uint16_t sizes[] = {1, 40, 2, 300, 7};
    enum { COUNT = 5 };
    for (size_t i = 0; i < COUNT; i++)
        put_packet(f, sizes[i]);
    for (size_t split = 0; split <= f->size; split++) {
        size_t got = 0;
        feed(f, f->stream, split);
        for (int half = 0; half < 2; half++) {
            enum tcp_framing_result result;
            while ((result = next(f)) == TCP_FRAMING_PACKETS)
                for (uint16_t i = 0; i < f->received.count; i++)
                    expect_packet(&f->received.datagrams[i], sizes[got++]);
            assert_int_equal(result, TCP_FRAMING_NEED_MORE);
            if (half == 0)
                feed(f, f->stream + split, f->size - split);
        }
        assert_int_equal(got, COUNT);
    }
}

static void packets_come_out_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    size_t got = 0;
    for (uint16_t size = 1; size < 200; size = (uint16_t)(size + 13))
        put_packet(f, size);
    for (size_t at = 0; at < f->size; at++) {
        feed(f, f->stream + at, 1);
        enum tcp_framing_result result = next(f);
        if (result == TCP_FRAMING_NEED_MORE)
            continue;
        assert_int_equal(result, TCP_FRAMING_PACKETS);
        assert_int_equal(f->received.count, 1);
        expect_packet(&f->received.datagrams[0], (uint16_t)(1 + 13 * got));
        got++;
    }
    assert_int_equal(got, 16);
}

static void a_full_burst_is_continued_in_the_next(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < BURST_DATAGRAMS_MAX + 7; i++)
        put_packet(f, 20);
    feed(f, f->stream, f->size);
    assert_int_equal(next(f), TCP_FRAMING_PACKETS);
    assert_int_equal(f->received.count, BURST_DATAGRAMS_MAX);
    assert_int_equal(next(f), TCP_FRAMING_PACKETS);
    assert_int_equal(f->received.count, 7);
    assert_int_equal(next(f), TCP_FRAMING_NEED_MORE);
}

static void the_largest_packet_comes_through_again_and_again(void **state)
{
    struct fixture *f = *state;
    put_packet(f, TCP_FRAMING_PACKET_MAX);
    put_packet(f, 1);
    for (int i = 0; i < 20; i++) {
        /* In pieces that leave the residue at changing places. */
        feed(f, f->stream, 5000);
        assert_int_equal(next(f), TCP_FRAMING_NEED_MORE);
        feed(f, f->stream + 5000, f->size - 5000);
        assert_int_equal(next(f), TCP_FRAMING_PACKETS);
        assert_int_equal(f->received.count, 2);
        expect_packet(&f->received.datagrams[0], TCP_FRAMING_PACKET_MAX);
        expect_packet(&f->received.datagrams[1], 1);
    }
}

static void impossible_lengths_break_the_connection(void **state)
{
    struct fixture *f = *state;
    static const uint16_t lengths[] = {0, TCP_FRAMING_PACKET_MAX + 1,
                                       UINT16_MAX};
    for (size_t i = 0; i < 3; i++) {
        uint8_t length[2];
        store_u16(length, lengths[i]);
        f->size = 0;
        put_packet(f, 9);
        feed(f, f->stream, f->size);
        feed(f, length, 1);
        assert_int_equal(next(f), TCP_FRAMING_PACKETS);
        assert_int_equal(next(f), TCP_FRAMING_NEED_MORE);
        feed(f, f->stream, 0);
        feed(f, length + 1, 1);
        assert_int_equal(next(f), TCP_FRAMING_BROKEN);
        assert_int_equal(f->received.count, 0);
        assert_int_equal(next(f), TCP_FRAMING_BROKEN);
        tcp_framing_input_clear(&f->in);
        assert_true(tcp_framing_input_init(&f->in, CAPACITY));
    }
}

static void packets_in_front_of_a_break_are_given(void **state)
{
    struct fixture *f = *state;
    put_packet(f, 9);
    put_packet(f, 8);
    f->stream[f->size++] = 0;
    f->stream[f->size++] = 0;
    feed(f, f->stream, f->size);
    assert_int_equal(next(f), TCP_FRAMING_PACKETS);
    assert_int_equal(f->received.count, 2);
    assert_int_equal(next(f), TCP_FRAMING_BROKEN);
}

/* The first two bytes tell another protocol at a wrong port. */
static void text_is_no_packet(void **state)
{
    struct fixture *f = *state;
    static const char *const greetings[] = {"HTTP/1.1 400", "SSH-2.0-",
                                            "220 mail.example.org"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        feed(f, (const uint8_t *)greetings[i], 2);
        assert_int_equal(next(f), TCP_FRAMING_BROKEN);
        f->in.start = f->in.end = 0;
    }
    /* Digits are less than letters; a packet of 12850 bytes may be. */
    feed(f, (const uint8_t *)greetings[2], 20);
    assert_int_equal(next(f), TCP_FRAMING_NEED_MORE);
}

/* --- Out ----------------------------------------------------------------- */

static void add(struct fixture *f, uint16_t size, bool of_a_qube)
{
    static const struct burst_layout bare;
    struct datagram *d = burst_reserve(&f->burst, &bare, size);
    assert_non_null(d);
    memset(d->data, (uint8_t)size, size);
    if (!of_a_qube)
        d->inner_size = 0;
}

static size_t flatten(const struct tcp_framing_parts *parts, uint8_t *out)
{
    size_t size = 0;
    for (unsigned i = 0; i < parts->count; i++) {
        memcpy(out + size, parts->parts[i].iov_base, parts->parts[i].iov_len);
        size += parts->parts[i].iov_len;
    }
    return size;
}

static void a_burst_goes_out_as_packets_behind_their_lengths(void **state)
{
    struct fixture *f = *state;
    static uint8_t flat[STREAM_MAX];
    for (uint16_t i = 0; i < BURST_DATAGRAMS_MAX; i++) {
        add(f, (uint16_t)(i % 300 + 1), true);
        if (i % 5 == 3)
            f->burst.datagrams[i].drop = DROP_SEAL_LIMIT;
        else
            put_packet(f, (uint16_t)(i % 300 + 1));
    }
    tcp_framing_gather(&f->burst, &f->drops, &f->parts);
    assert_int_equal(f->parts.size, f->size);
    assert_int_equal(flatten(&f->parts, flat), f->size);
    assert_memory_equal(flat, f->stream, f->size);
}

static void an_empty_datagram_has_no_place_in_a_stream(void **state)
{
    struct fixture *f = *state;
    add(f, 5, true);
    add(f, 0, false);
    tcp_framing_gather(&f->burst, &f->drops, &f->parts);
    assert_int_equal(f->parts.size, 7);
    assert_int_equal(f->burst.datagrams[1].drop, DROP_UPLINK_ERROR);
    assert_int_equal(f->drops.count[DROP_UPLINK_ERROR], 1);
}

static void what_the_kernel_does_not_take_is_kept_whole(void **state)
{
    struct fixture *f = *state;
    static uint8_t wire[STREAM_MAX];
    static const uint16_t sizes[] = {1, 200, 33, 2, 500};
    for (size_t i = 0; i < 5; i++) {
        add(f, sizes[i], i != 3);
        put_packet(f, sizes[i]);
    }
    tcp_framing_gather(&f->burst, &f->drops, &f->parts);
    for (size_t sent = 0; sent <= f->size; sent++) {
        tcp_framing_keep(&f->queue, &f->burst, sent, &f->drops);
        struct bytes rest = tcp_framing_queued(&f->queue);
        assert_int_equal(sent + rest.size, f->size);
        flatten(&f->parts, wire);
        assert_memory_equal(wire, f->stream, sent);
        if (rest.size)
            assert_memory_equal(rest.data, f->stream + sent, rest.size);
        /* In two steps, so that the queue's start moves. */
        tcp_framing_sent(&f->queue, rest.size / 2);
        tcp_framing_sent(&f->queue, rest.size - rest.size / 2);
    }
    assert_int_equal(f->drops.count[DROP_UPLINK_BUSY], 0);
}

static void a_full_queue_drops_packets_whole_and_keeps_control(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        add(f, 1000, true); /* the limit is 3000 */
    add(f, 500, false);
    add(f, 100, true);
    tcp_framing_gather(&f->burst, &f->drops, &f->parts);
    tcp_framing_keep(&f->queue, &f->burst, 0, &f->drops);
    put_packet(f, 1000);
    put_packet(f, 1000);
    put_packet(f, 500);
    put_packet(f, 100); /* fits where 1000 did not */
    assert_int_equal(f->burst.datagrams[2].drop, DROP_UPLINK_BUSY);
    assert_int_equal(f->burst.datagrams[3].drop, DROP_UPLINK_BUSY);
    assert_int_equal(f->drops.count[DROP_UPLINK_BUSY], 2);
    assert_bytes_equal(tcp_framing_queued(&f->queue),
                       bytes_of(f->stream, f->size));

    /* Control beyond the limit too, as far as there is memory. */
    burst_reset(&f->burst);
    f->drops = (struct drop_counters){0};
    for (int i = 0; i < 8; i++)
        add(f, 10000, false);
    tcp_framing_keep(&f->queue, &f->burst, 0, &f->drops);
    assert_int_equal(f->drops.count[DROP_UPLINK_BUSY], 2);
    assert_true(f->queue.size <= f->queue.capacity);
}

/* However large it is and however little of it is gone. */
static void a_begun_packet_always_finds_room(void **state)
{
    struct fixture *f = *state;
    static const size_t taken[] = {1, 2, 3, 40000, UINT16_MAX + 1};
    add(f, UINT16_MAX, true);
    put_packet(f, UINT16_MAX);
    tcp_framing_gather(&f->burst, &f->drops, &f->parts);
    for (size_t i = 0; i < 5; i++) {
        tcp_framing_keep(&f->queue, &f->burst, taken[i], &f->drops);
        assert_bytes_equal(tcp_framing_queued(&f->queue),
                           bytes_of(f->stream + taken[i], f->size - taken[i]));
        tcp_framing_sent(&f->queue, f->size - taken[i]);
    }
    assert_int_equal(f->burst.datagrams[0].drop, DROP_NONE);
    tcp_framing_keep(&f->queue, &f->burst, 0, &f->drops);
    assert_int_equal(f->burst.datagrams[0].drop, DROP_UPLINK_BUSY);
}

/* Writer and reader against each other, with a kernel that takes anything. */
static void random_writes_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    static uint8_t wire[STREAM_MAX];
    uint32_t seed = 3;
    unsigned lived = 0, arrived = 0;
    for (int round = 0; round < 2000; round++) {
        size_t size = 0;
        burst_reset(&f->burst);
        for (uint32_t n = next_random(&seed) % 6; n; n--)
            add(f, (uint16_t)(1 + next_random(&seed) % 900), n % 3 != 0);
        size_t sent = 0;
        tcp_framing_gather(&f->burst, &f->drops, &f->parts);
        struct bytes queued = tcp_framing_queued(&f->queue);
        if (queued.size == 0) {
            flatten(&f->parts, wire);
            sent = f->parts.size ? next_random(&seed) % (f->parts.size + 1) : 0;
            size = sent;
        }
        tcp_framing_keep(&f->queue, &f->burst, sent, &f->drops);
        for (uint16_t i = 0; i < f->burst.count; i++)
            lived += f->burst.datagrams[i].drop == DROP_NONE;
        queued = tcp_framing_queued(&f->queue);
        size_t more = queued.size ? next_random(&seed) % (queued.size + 1) : 0;
        memcpy(wire + size, queued.data, more);
        tcp_framing_sent(&f->queue, more);
        feed(f, wire, size + more);
        while (next(f) == TCP_FRAMING_PACKETS)
            for (uint16_t i = 0; i < f->received.count; i++, arrived++)
                expect_packet(&f->received.datagrams[i],
                              f->received.datagrams[i].size);
    }
    struct bytes queued = tcp_framing_queued(&f->queue);
    feed(f, queued.data, queued.size);
    while (next(f) == TCP_FRAMING_PACKETS)
        arrived += f->received.count;
    assert_int_equal(arrived, lived);
    assert_true(f->drops.count[DROP_UPLINK_BUSY] > 0);
    assert_int_equal(f->in.end - f->in.start, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(packets_come_out_at_every_split_of_the_stream),
        TEST(packets_come_out_byte_by_byte),
        TEST(a_full_burst_is_continued_in_the_next),
        TEST(the_largest_packet_comes_through_again_and_again),
        TEST(impossible_lengths_break_the_connection),
        TEST(packets_in_front_of_a_break_are_given),
        TEST(text_is_no_packet),
        TEST(a_burst_goes_out_as_packets_behind_their_lengths),
        TEST(an_empty_datagram_has_no_place_in_a_stream),
        TEST(what_the_kernel_does_not_take_is_kept_whole),
        TEST(a_full_queue_drops_packets_whole_and_keeps_control),
        TEST(a_begun_packet_always_finds_room),
        TEST(random_writes_arrive_in_order),
    };
    return cmocka_run_group_tests_name("tcp_framing", tests, NULL, NULL);
}
