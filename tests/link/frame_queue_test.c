#include "gateway/link/frame_queue.h"

#include "tests/unit.h"

enum { CAPACITY = 4096 };

static struct frame_queue queue;

static int set_up(void **state)
{
    (void)state;
    assert_true(frame_queue_init(&queue, CAPACITY));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    frame_queue_clear(&queue);
    return 0;
}

/* Every byte of a frame says which one it is. */
static bool add(uint32_t number, uint32_t size)
{
    struct queued_frame frame = {
        .since = {(int64_t)number},
        .size = size,
        .gso_size = (uint16_t)number,
        .gso = (uint8_t)(number >> 1),
        .flags = (uint8_t)(number >> 2),
    };
    uint8_t *bytes = frame_queue_add(&queue, &frame);
    if (!bytes)
        return false;
    assert_true(bytes >= queue.memory &&
                bytes + size <= queue.memory + CAPACITY);
    memset(bytes, (int)(number & 0xff), size);
    return true;
}

static void assert_first(uint32_t number, uint32_t size)
{
    struct queued_frame frame;
    uint8_t *bytes;
    assert_true(frame_queue_first(&queue, &frame, &bytes));
    assert_int_equal(frame.since.us, number);
    assert_int_equal(frame.size, size);
    assert_int_equal(frame.gso_size, (uint16_t)number);
    assert_int_equal(frame.gso, (uint8_t)(number >> 1));
    assert_int_equal(frame.flags, (uint8_t)(number >> 2));
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], number & 0xff);
}

static void what_came_first_leaves_first(void **state)
{
    (void)state;
    struct queued_frame frame;
    uint8_t *bytes;
    assert_false(frame_queue_first(&queue, &frame, &bytes));
    assert_true(add(1, 100) && add(2, 1) && add(3, 1000));
    assert_int_equal(queue.count, 3);
    assert_first(1, 100);
    frame_queue_remove(&queue);
    assert_first(2, 1);
    frame_queue_remove(&queue);
    assert_first(3, 1000);
    frame_queue_remove(&queue);
    assert_int_equal(queue.count, 0);
    assert_false(frame_queue_first(&queue, &frame, &bytes));
}

static void no_frame_is_larger_than_the_memory(void **state)
{
    (void)state;
    assert_false(add(1, CAPACITY));
    assert_false(add(1, UINT32_MAX));
    assert_true(add(1, CAPACITY - 64)); /* and its header */
    assert_false(add(2, 1));
    frame_queue_remove(&queue);
    assert_true(add(2, 1));
}

/* Each takes a header of 64 bytes, and its size up to a multiple of 64. */
static void the_last_byte_is_used(void **state)
{
    (void)state;
    assert_true(add(1, 1024) && add(2, CAPACITY - 1024 - 2 * 64));
    assert_false(add(3, 1));
    frame_queue_remove(&queue);
    assert_false(add(3, 1025));
    assert_true(add(3, 1024));
    assert_false(add(4, 1));
    assert_first(2, CAPACITY - 1024 - 2 * 64);
    frame_queue_remove(&queue);
    assert_first(3, 1024);
}

/* Against a list of what must be in it, through many turns of the circle. */
static void frames_of_all_sizes_come_out_whole(void **state)
{
    (void)state;
    uint32_t random = 4711, first = 0, next = 0, full = 0;
    static uint32_t sizes[200000];
    while (next < 200000) {
        if (next_random(&random) >> 16 & 1) {
            sizes[next] = 1 + (next_random(&random) >> 8) % 1500;
            if (add(next, sizes[next]))
                next++;
            else
                full++;
        } else if (first < next) {
            assert_first(first, sizes[first]);
            frame_queue_remove(&queue);
            first++;
        }
        assert_int_equal(queue.count, next - first);
    }
    assert_true(full > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_came_first_leaves_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_frame_is_larger_than_the_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_byte_is_used, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(frames_of_all_sizes_come_out_whole,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("frame_queue", tests, NULL, NULL);
}
