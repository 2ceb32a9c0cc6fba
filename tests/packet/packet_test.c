#include "gateway/packet/packet.h"

#include "tests/unit.h"

static void each_packet_has_its_own_buffer_and_headroom(void **state)
{
    (void)state;
    enum { COUNT = 5, BUFFER = PACKET_HEADROOM + 100 };
    struct packet_batch batch;
    assert_true(packet_batch_init(&batch, COUNT, BUFFER));
    for (int i = 0; i < COUNT; i++) {
        struct packet *p = packet_batch_add(&batch);
        assert_non_null(p);
        assert_ptr_equal(p, &batch.packets[i]);
        assert_ptr_equal(p->data - PACKET_HEADROOM, batch.memory + i * BUFFER);
        assert_int_equal(p->headroom, PACKET_HEADROOM);
        assert_int_equal(packet_total(p), 0);
        memset(p->data - p->headroom, i, BUFFER);
        p->size = 100;
    }
    assert_null(packet_batch_add(&batch));
    for (int i = 0; i < COUNT; i++) {
        uint8_t expected[BUFFER];
        memset(expected, i, sizeof expected);
        assert_memory_equal(batch.packets[i].data - PACKET_HEADROOM, expected,
                            sizeof expected);
    }
    packet_batch_clear(&batch);
}

static void a_reused_packet_is_empty_again(void **state)
{
    (void)state;
    static const struct bytes piece = {(const uint8_t *)"abc", 3};
    struct packet_batch batch;
    assert_true(packet_batch_init(&batch, 1, PACKET_HEADROOM + 100));
    struct packet *p = packet_batch_add(&batch);
    uint8_t *data = p->data;
    p->data += 10;
    p->size = 20;
    p->pieces = &piece;
    p->piece_count = 1;
    p->piece_bytes = 3;
    p->gso = PACKET_GSO_TCP;
    p->gso_size = 1400;
    p->drop = DROP_RULE;
    p->checksum = PACKET_CHECKSUM_PARTIAL;
    assert_int_equal(packet_total(p), 23);

    packet_batch_reset(&batch);
    p = packet_batch_add(&batch);
    assert_ptr_equal(p->data, data);
    assert_int_equal(p->headroom, PACKET_HEADROOM);
    assert_int_equal(packet_total(p), 0);
    assert_null(p->pieces);
    assert_int_equal(p->piece_count, 0);
    assert_int_equal(p->gso, PACKET_GSO_NONE);
    assert_int_equal(p->gso_size, 0);
    assert_int_equal(p->drop, DROP_NONE);
    assert_int_equal(p->checksum, PACKET_CHECKSUM_NONE);
    packet_batch_clear(&batch);
}

static void a_batch_of_views_owns_no_memory(void **state)
{
    (void)state;
    struct packet_batch batch;
    assert_true(packet_batch_init(&batch, 3, 0));
    assert_null(batch.memory);
    struct packet *p = packet_batch_add(&batch);
    assert_non_null(p);
    assert_null(p->data);
    assert_int_equal(p->headroom, 0);
    packet_batch_clear(&batch);
    assert_int_equal(batch.capacity, 0);
}

static void a_whole_packet_and_its_headers_fit_a_full_buffer(void **state)
{
    (void)state;
    assert_true(PACKET_BUFFER_SIZE - PACKET_HEADROOM >= PACKET_SIZE_MAX);
    assert_true(PACKET_HEADROOM >= 10 + 14); /* virtio_net and Ethernet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_packet_has_its_own_buffer_and_headroom),
        cmocka_unit_test(a_reused_packet_is_empty_again),
        cmocka_unit_test(a_batch_of_views_owns_no_memory),
        cmocka_unit_test(a_whole_packet_and_its_headers_fit_a_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
