#include "gateway/link/xen/netback_transmit.h"

#include "tests/link/xen/fake_frontend.h"
#include "tests/unit.h"

enum { ENOUGH = 1 << 30 };

/* Near the wrap of the indices, so that every test crosses it. */
static const uint32_t start = UINT32_MAX - 5;

static struct fake_frontend *qube;
static struct netback_ring ring;
static struct netback_peer peer;
static struct netback_transmit_batch batch;
static uint64_t malformed;
static uint8_t content[70000];

static int set_up(void **state)
{
    (void)state;
    qube = fake_frontend_new(start);
    peer = fake_frontend_peer(qube);
    malformed = 0;
    assert_true(netback_transmit_batch_init(&batch));
    assert_true(netback_ring_attach(&ring, qube->transmit.page,
                                    NETBACK_TRANSMIT_WORDS));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    netback_transmit_batch_clear(&batch);
    fake_frontend_free(qube);
    return 0;
}

/* For tests that close the vif several times. */
static void again(void **state)
{
    (void)state;
    fake_frontend_reset(qube, start);
    malformed = 0;
    assert_true(netback_ring_attach(&ring, qube->transmit.page,
                                    NETBACK_TRANSMIT_WORDS));
}

static const char *transmit(uint32_t budget)
{
    return netback_transmit(&ring, &peer, &batch, budget, &malformed);
}

static void assert_served(uint16_t frames)
{
    (void)fake_publish(&qube->transmit);
    assert_null(transmit(ENOUGH));
    assert_int_equal(batch.frame_count, frames);
}

/* The vif is to be closed, and nothing of what it sent has had an effect. */
static void assert_fatal(void)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    (void)fake_publish(&qube->transmit);
    assert_non_null(transmit(ENOUGH));
    assert_int_equal(batch.frame_count, 0);
    assert_int_equal(qube->copy_calls, 0);
    assert_false(fake_take(&qube->transmit, words));
}

static void assert_answer(int id, int status)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    assert_true(fake_take(&qube->transmit, words));
    if (id >= 0)
        assert_int_equal(words[0] & 0xffff, id);
    assert_int_equal((int16_t)(words[0] >> 16), status);
    /* The rest of the slot has nothing that is ours to tell (XSA-216). */
    assert_int_equal(words[1], 0);
    assert_int_equal(words[2], 0);
}

static void assert_no_answer(void)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    assert_false(fake_take(&qube->transmit, words));
}

static void assert_frame(uint16_t i, const uint8_t *bytes, uint32_t size)
{
    const struct netback_frame *f = &batch.frames[i];
    assert_true(i < batch.frame_count);
    assert_false(f->failed);
    assert_bytes_equal(bytes_of(f->data, f->size), bytes_of(bytes, size));
    uint8_t *start_of_headroom = f->data + 14 - PACKET_HEADROOM;
    assert_true(start_of_headroom >= batch.memory);
    if (i > 0)
        assert_true(start_of_headroom >=
                    batch.frames[i - 1].data + batch.frames[i - 1].size);
}

/* --- What honest frontends do -------------------------------------------- */

static void a_frame_in_one_slot_is_copied_and_answered(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 7, 1234, 0);
    assert_served(1);
    assert_frame(0, content, 60);
    assert_false(batch.frames[0].checksum_blank);
    assert_int_equal(batch.frames[0].gso, OFFLOAD_GSO_NONE);
    assert_answer(1234, NETBACK_STATUS_OKAY);
    assert_no_answer();
    assert_int_equal(malformed, 0);
    assert_served(0);
}

static void a_blank_checksum_is_told(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 0,
                   NETBACK_CHECKSUM_BLANK | NETBACK_DATA_VALIDATED);
    fake_put_frame(qube, content, 60, 4096, 0, 0, NETBACK_DATA_VALIDATED);
    assert_served(2);
    assert_true(batch.frames[0].checksum_blank);
    assert_false(batch.frames[1].checksum_blank);
}

/* XSA-423, XSA-432: however small they are, and the headers' too. */
static void pieces_become_one_frame(void **state)
{
    (void)state;
    static const uint32_t pieces[] = {1, 13, 14, 100, 1000, 4096};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        uint32_t size = pieces[i] * 18 + 1; /* 19 slots */
        if (size > UINT16_MAX)
            size = UINT16_MAX;
        uint32_t slots =
            fake_put_frame(qube, content, size, pieces[i], 0, 500, 0);
        assert_served(1);
        assert_frame(0, content, size);
        for (uint32_t s = 0; s < slots; s++)
            assert_answer((int)(500 + s), NETBACK_STATUS_OKAY);
        assert_no_answer();
    }
}

static void a_super_packet_says_how_it_is_to_be_cut(void **state)
{
    (void)state;
    qube->gso_size = 1448;
    for (qube->gso_type = 1; qube->gso_type <= 2; qube->gso_type++) {
        uint32_t slots =
            fake_put_frame(qube, content, 65535, 4096, 0, 300,
                           NETBACK_EXTRA_INFO | NETBACK_CHECKSUM_BLANK);
        assert_int_equal(slots, 16);
        assert_served(1);
        assert_frame(0, content, 65535);
        assert_true(batch.frames[0].checksum_blank);
        assert_int_equal(batch.frames[0].gso, qube->gso_type == 1
                                                  ? OFFLOAD_GSO_TCP_IPV4
                                                  : OFFLOAD_GSO_TCP_IPV6);
        assert_int_equal(batch.frames[0].gso_size, 1448);
        assert_answer(300, NETBACK_STATUS_OKAY);
        assert_answer(-1, NETBACK_STATUS_NULL); /* the extra's slot */
        for (uint32_t s = 1; s < slots; s++)
            assert_answer((int)(300 + s), NETBACK_STATUS_OKAY);
        assert_no_answer();
    }
}

static uint32_t crossings;

static void count_crossings(struct fake_frontend *f)
{
    (void)f;
    for (uint16_t i = 0; i < batch.copy_count; i++) {
        uintptr_t at = (uintptr_t)batch.copies[i].local;
        crossings += at / 4096 != (at + batch.copies[i].size - 1) / 4096;
    }
}

/* A small packet's header lies on a cache line. Behind a piece with headers
 * a buffer of the qube's, cut at its pages' borders, is cut at ours. */
static void frames_lie_where_it_costs_least(void **state)
{
    (void)state;
    crossings = 0;
    qube->before_copy = count_crossings;
    fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
    for (uint16_t offset = 0; offset <= 4000; offset += 1000) {
        uint16_t second = 4096 - offset;
        fake_put_request(qube, 0, 100, NETBACK_MORE_DATA, 1,
                         (uint16_t)(66 + second + 2 * 4096 + 77));
        fake_put_request(qube, 1, offset, NETBACK_MORE_DATA, 2, second);
        fake_put_request(qube, 1, 0, NETBACK_MORE_DATA, 2, 4096);
        fake_put_request(qube, 1, 0, NETBACK_MORE_DATA, 2, 4096);
        fake_put_request(qube, 1, 0, 0, 2, 77);
    }
    assert_served(6);
    assert_int_equal((uintptr_t)(batch.frames[0].data + 14) % 64, 0);
    assert_int_equal(qube->copies, 26);
    /* The headers' piece may. */
    assert_true(crossings <= 5);
    for (uint16_t i = 1; i < 6; i++)
        assert_int_equal((uintptr_t)(batch.frames[i].data + 66) % 4096,
                         (i - 1) * 1000);

    crossings = 0;
    for (uint16_t i = 0; i < 64; i++)
        fake_put_frame(qube, content, 1514, 4096, i, i, 0);
    assert_served(64);
    assert_int_equal(crossings, 0);
    for (uint16_t i = 0; i < 64; i++)
        assert_int_equal((uintptr_t)(batch.frames[i].data + 14) % 64, 0);
}

static void extras_of_other_kinds_are_stepped_over(void **state)
{
    (void)state;
    memcpy(fake_frontend_page(qube, 3), content, 100);
    fake_put_request(qube, 3, 0, NETBACK_EXTRA_INFO, 1, 100);
    fake_put_extra(qube, NETBACK_EXTRA_HASH, NETBACK_EXTRA_MORE, 0x0201, 9);
    fake_put_extra(qube, NETBACK_EXTRA_XDP, NETBACK_EXTRA_MORE, 0, 0);
    fake_put_extra(qube, NETBACK_EXTRA_GSO, 0, 700, NETBACK_GSO_TCP_IPV4);
    assert_served(1);
    assert_frame(0, content, 100);
    assert_int_equal(batch.frames[0].gso_size, 700);
    assert_answer(1, NETBACK_STATUS_OKAY);
    for (int i = 0; i < 3; i++)
        assert_answer(-1, NETBACK_STATUS_NULL);
    assert_no_answer();
}

static void a_wish_about_multicast_is_no_frame(void **state)
{
    (void)state;
    for (uint8_t type = NETBACK_EXTRA_MULTICAST_ADD;
         type <= NETBACK_EXTRA_MULTICAST_DELETE; type++) {
        fake_put_request(qube, 3, 0, NETBACK_EXTRA_INFO, 77, 100);
        fake_put_extra(qube, type, 0, 0x0133, 0x33);
        fake_put_frame(qube, content, 60, 4096, 7, 78, 0);
        assert_served(1);
        assert_frame(0, content, 60);
        assert_answer(77, NETBACK_STATUS_ERROR);
        assert_answer(-1, NETBACK_STATUS_NULL);
        assert_answer(78, NETBACK_STATUS_OKAY);
    }
}

/* --- Where the backend stops --------------------------------------------- */

static void a_batch_is_bounded_by_frames(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 256; i++)
        fake_put_frame(qube, content + i, 60, 4096, i, i, 0);
    for (uint16_t round = 0; round < 4; round++) {
        assert_served(64);
        for (uint16_t i = 0; i < 64; i++) {
            assert_frame(i, content + round * 64 + i, 60);
            assert_answer(round * 64 + i, NETBACK_STATUS_OKAY);
        }
        assert_no_answer();
    }
    assert_served(0);
    assert_int_equal(qube->copy_calls, 4);
}

static void a_batch_is_bounded_by_memory(void **state)
{
    (void)state;
    uint16_t served = 0;
    for (uint16_t i = 0; i < 15; i++)
        fake_put_frame(qube, content + i, 65535, 4096, 0, (uint16_t)(16 * i),
                       0);
    (void)fake_publish(&qube->transmit);
    while (served < 15) {
        assert_null(transmit(ENOUGH));
        assert_true(batch.frame_count > 0 && batch.frame_count <= 8);
        for (uint16_t i = 0; i < batch.frame_count; i++)
            assert_int_equal(batch.frames[i].size, 65535);
        served += batch.frame_count;
    }
    assert_int_equal(served, 15);
}

static void a_batch_is_bounded_by_its_budget(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 20; i++)
        fake_put_frame(qube, content, 1514, 4096, i, i, 0);
    (void)fake_publish(&qube->transmit);
    assert_null(transmit(1));
    assert_int_equal(batch.frame_count, 1); /* one always */
    assert_null(transmit(10000));
    assert_int_equal(batch.frame_count, 5);
    assert_true(batch.cost >= 10000 && batch.cost < 10000 + 1514 + 512 + 512);
}

/* One frame that becomes thousands of packets costs as much as they would. */
static void small_segments_cost_their_packets(void **state)
{
    (void)state;
    qube->gso_type = NETBACK_GSO_TCP_IPV4;
    qube->gso_size = 48;
    fake_put_frame(qube, content, 65535, 4096, 0, 0, NETBACK_EXTRA_INFO);
    assert_served(1);
    assert_true(batch.cost > 65535 / 48 * 512);
}

static void requests_that_come_during_a_batch_wait(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
    assert_served(1);
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    assert_true(fake_publish(&qube->transmit) || true);
    assert_false(netback_ring_sleep(&ring, 1));
    assert_null(transmit(ENOUGH));
    assert_int_equal(batch.frame_count, 1);
    assert_true(netback_ring_sleep(&ring, 1));
}

/* --- What is an error of a frame ----------------------------------------- */

static void a_frame_of_too_many_slots_is_refused_or_fatal(void **state)
{
    for (uint32_t slots = 1; slots <= 30; slots++) {
        again(state);
        fake_put_frame(qube, content, slots * 20, 20, 0, 900, 0);
        fake_put_frame(qube, content, 60, 4096, 40, 5, 0);
        if (slots > 21) { /* more than 20 behind the first */
            assert_fatal();
        } else {
            bool refused = slots > 19;
            assert_served(refused ? 1 : 2);
            for (uint32_t i = 0; i < slots; i++)
                assert_answer((int)(900 + i), refused ? NETBACK_STATUS_ERROR
                                                      : NETBACK_STATUS_OKAY);
            assert_answer(5, NETBACK_STATUS_OKAY);
            assert_int_equal(malformed, refused);
            assert_frame(refused ? 0 : 1, content, 60);
        }
    }
}

static void a_refused_frame_answers_its_extra_with_none(void **state)
{
    (void)state;
    qube->gso_type = NETBACK_GSO_TCP_IPV4;
    qube->gso_size = 10;
    fake_put_frame(qube, content, 20 * 20, 20, 0, 10, NETBACK_EXTRA_INFO);
    assert_served(0);
    assert_answer(10, NETBACK_STATUS_ERROR);
    assert_answer(-1, NETBACK_STATUS_NULL);
    for (int i = 1; i < 20; i++)
        assert_answer(10 + i, NETBACK_STATUS_ERROR);
    assert_no_answer();
}

static void less_than_an_ethernet_header_is_refused(void **state)
{
    (void)state;
    for (uint16_t size = 0; size < 20; size++) {
        fake_put_request(qube, 0, 0, 0, size, size);
        assert_served(size >= 14);
        assert_answer(size,
                      size >= 14 ? NETBACK_STATUS_OKAY : NETBACK_STATUS_ERROR);
    }
    assert_int_equal(malformed, 14);
}

/* A frame whose size overflowed its field, as old frontends made them. */
static void pieces_larger_than_their_frame_are_refused(void **state)
{
    (void)state;
    fake_put_request(qube, 0, 0, NETBACK_MORE_DATA, 1, 100);
    fake_put_request(qube, 1, 0, NETBACK_MORE_DATA, 2, 4096);
    fake_put_request(qube, 2, 0, 0, 3, 20);
    assert_served(0);
    for (int i = 1; i <= 3; i++)
        assert_answer(i, NETBACK_STATUS_ERROR);
    assert_int_equal(malformed, 1);
    assert_int_equal(qube->copies, 0);
}

/* XSA-448: pieces without bytes are legal, and nothing is copied for them. */
static void pieces_without_bytes_are_served(void **state)
{
    (void)state;
    memcpy(fake_frontend_page(qube, 1), content, 60);
    fake_put_request(qube, 0, 4096, NETBACK_MORE_DATA, 1, 60);
    fake_put_request(qube, 1, 0, NETBACK_MORE_DATA, 2, 60);
    fake_put_request(qube, 2, 4096, 0, 3, 0);
    assert_served(1);
    assert_frame(0, content, 60);
    for (int i = 1; i <= 3; i++)
        assert_answer(i, NETBACK_STATUS_OKAY);
    assert_int_equal(qube->copies, 1);

    qube->refused[5] = true; /* not even looked at */
    fake_put_frame(qube, content, 60, 4096, 1, 1, NETBACK_MORE_DATA);
    for (uint16_t i = 2; i <= 19; i++)
        fake_put_request(qube, 5, 0, i < 19 ? NETBACK_MORE_DATA : 0, i, 0);
    assert_served(1);
    assert_frame(0, content, 60);
}

static void what_cannot_be_copied_fails_its_frame_only(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    fake_put_frame(qube, content, 300, 100, 10, 2, 0);
    fake_put_frame(qube, content, 60, 4096, FAKE_PAGES - 1, 5, 0);
    fake_put_frame(qube, content, 60, 4096, 20, 6, 0);
    qube->refused[11] = true;
    qube->refused[FAKE_PAGES - 1] = true;
    assert_served(4);
    assert_false(batch.frames[0].failed);
    assert_true(batch.frames[1].failed);
    assert_true(batch.frames[2].failed);
    assert_false(batch.frames[3].failed);
    assert_answer(1, NETBACK_STATUS_OKAY);
    assert_answer(2, NETBACK_STATUS_OKAY);
    assert_answer(3, NETBACK_STATUS_ERROR);
    assert_answer(4, NETBACK_STATUS_OKAY);
    assert_answer(5, NETBACK_STATUS_ERROR);
    assert_answer(6, NETBACK_STATUS_OKAY);
}

static void a_failed_call_fails_all_it_was_for(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    fake_put_frame(qube, content, 60, 4096, 0, 2, 0);
    qube->copying_fails = true;
    assert_served(2);
    assert_true(batch.frames[0].failed && batch.frames[1].failed);
    assert_answer(1, NETBACK_STATUS_ERROR);
    assert_answer(2, NETBACK_STATUS_ERROR);
}

/* --- What is fatal ------------------------------------------------------- */

static void a_chain_that_ends_nowhere_is_fatal(void **state)
{
    (void)state;
    /* A good frame before it is not served either. */
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    fake_put_request(qube, 0, 0, NETBACK_MORE_DATA, 2, 100);
    fake_put_request(qube, 0, 0, NETBACK_MORE_DATA, 3, 50);
    assert_fatal();
}

/* Behind what was published lies what would be one. */
static void extras_that_end_nowhere_are_fatal(void **state)
{
    (void)state;
    for (int extras = 0; extras < 3; extras++) {
        again(state);
        fake_put_request(qube, 0, 0, NETBACK_EXTRA_INFO, 2, 100);
        for (int i = 0; i < extras; i++)
            fake_put_extra(qube, NETBACK_EXTRA_HASH, NETBACK_EXTRA_MORE, 0, 0);
        fake_put_extra(qube, NETBACK_EXTRA_HASH, 0, 0, 0);
        qube->transmit.produced--;
        assert_fatal();
    }
}

static void extras_for_the_whole_ring_are_fatal_or_end(void **state)
{
    (void)state;
    fake_put_request(qube, 0, 0, NETBACK_EXTRA_INFO, 2, 100);
    for (int i = 0; i < 255; i++)
        fake_put_extra(qube, NETBACK_EXTRA_HASH, NETBACK_EXTRA_MORE, 0, 0);
    assert_fatal();
    qube->transmit.produced--;
    fake_put_extra(qube, NETBACK_EXTRA_HASH, 0, 0, 0);
    assert_served(1);
    assert_int_equal(batch.answer_count, 256);
}

static void an_unknown_extra_is_fatal(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= 255; type++) {
        if (type >= NETBACK_EXTRA_GSO && type <= NETBACK_EXTRA_XDP)
            continue;
        again(state);
        fake_put_request(qube, 0, 0, NETBACK_EXTRA_INFO, 2, 100);
        fake_put_extra(qube, (uint8_t)type, 0, 1000, NETBACK_GSO_TCP_IPV4);
        assert_fatal();
    }
}

static void segments_of_no_size_or_kind_are_fatal(void **state)
{
    (void)state;
    static const struct {
        uint16_t size;
        uint8_t type;
    } wrong[] = {{0, 1}, {0, 2}, {1000, 0}, {1000, 3}, {1000, 255}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        again(state);
        qube->gso_size = wrong[i].size;
        qube->gso_type = wrong[i].type;
        fake_put_frame(qube, content, 3000, 4096, 0, 0, NETBACK_EXTRA_INFO);
        assert_fatal();
    }
}

static void a_piece_beyond_its_page_is_fatal(void **state)
{
    (void)state;
    static const struct {
        uint16_t offset, size;
    } wrong[] = {{4096, 1}, {1, 4096}, {65535, 65535}, {65535, 1}, {4090, 60}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (int behind = 0; behind < 2; behind++) {
            again(state);
            if (behind)
                fake_put_request(qube, 0, 0, NETBACK_MORE_DATA, 1, 65535);
            else if (wrong[i].size < 14)
                fake_put_request(qube, 0, 4096, NETBACK_MORE_DATA, 1, 60);
            fake_put_request(qube, 0, wrong[i].offset, 0, 2, wrong[i].size);
            assert_fatal();
        }
    }
}

/* XSA-39, as the chains above. */
static void impossible_indices_are_fatal(void **state)
{
    static const uint32_t jumps[] = {257,      258,        1U << 16,
                                     1U << 31, UINT32_MAX, UINT32_MAX - 4};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        again(state);
        qube->transmit.produced += jumps[i];
        assert_fatal();
    }
    again(state);
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    assert_served(1);
    /* Takes back what was taken. */
    qube->transmit.produced--;
    (void)fake_publish(&qube->transmit);
    assert_non_null(transmit(ENOUGH));
}

/* --- The page is never trusted twice ------------------------------------- */

static void overwrite_everything(struct fake_frontend *f)
{
    for (size_t i = 0; i < NETBACK_PAGE_WORDS; i++)
        if (i != NETBACK_RSP_PROD)
            f->transmit.page->word[i] = UINT32_MAX;
}

/* XSA-155: what was checked is what is used. */
static void a_scribbling_frontend_changes_nothing(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 300, 100, 0, 40, 0);
    fake_put_frame(qube, content + 1, 60, 4096, 9, 43, 0);
    qube->before_copy = overwrite_everything;
    assert_served(2);
    assert_frame(0, content, 300);
    assert_frame(1, content + 1, 60);
    for (int id = 40; id <= 43; id++)
        assert_answer(id, NETBACK_STATUS_OKAY);
    /* The lie about its index comes out at the next look. */
    assert_non_null(transmit(ENOUGH));
}

static void a_lie_about_our_own_index_is_ignored(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 700; i++) {
        qube->transmit.page->word[NETBACK_RSP_PROD] = i * 12345U;
        fake_put_frame(qube, content, 60, 4096, 0, i, 0);
        assert_served(1);
        assert_answer(i, NETBACK_STATUS_OKAY);
    }
}

/* XSA-391: who did not ask is not notified. */
static void only_who_asked_is_notified(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
    assert_served(1);
    assert_int_equal(qube->notified, 1); /* event was at the first */
    fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
    assert_served(1);
    assert_int_equal(qube->notified, 1);

    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    while (fake_take(&qube->transmit, words))
        ;
    /* After the third from now. */
    qube->transmit.page->word[NETBACK_RSP_EVENT] = qube->transmit.consumed + 3;
    for (int i = 0; i < 2; i++) {
        fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
        assert_served(1);
    }
    assert_int_equal(qube->notified, 1);
    fake_put_frame(qube, content, 60, 4096, 0, 0, 0);
    assert_served(1);
    assert_int_equal(qube->notified, 2);
    assert_served(0);
    assert_int_equal(qube->notified, 2);
}

/* Another process takes over a ring in use: what was not answered is there
 * again, what was answered is not. */
static void a_ring_in_use_is_taken_over(void **state)
{
    (void)state;
    fake_put_frame(qube, content, 60, 4096, 0, 1, 0);
    assert_served(1);
    fake_put_frame(qube, content + 1, 300, 100, 1, 2, 0);
    (void)fake_publish(&qube->transmit);
    assert_true(netback_ring_attach(&ring, qube->transmit.page,
                                    NETBACK_TRANSMIT_WORDS));
    assert_null(transmit(ENOUGH));
    assert_int_equal(batch.frame_count, 1);
    assert_frame(0, content + 1, 300);
    for (int id = 1; id <= 4; id++)
        assert_answer(id, NETBACK_STATUS_OKAY);
    assert_no_answer();

    qube->transmit.produced += 257;
    (void)fake_publish(&qube->transmit);
    assert_false(netback_ring_attach(&ring, qube->transmit.page,
                                     NETBACK_TRANSMIT_WORDS));
}

/* --- Everything at random ------------------------------------------------ */

/* Frames of all shapes by an honest frontend: each arrives once, whole, in
 * order, and every slot is answered. */
static void frames_of_all_shapes_arrive(void **state)
{
    (void)state;
    uint32_t random = 31337;
    static struct sent {
        uint32_t at, size;
    } sent[NETBACK_RING_SLOTS];
    uint32_t total = 0, bytes = 0;
    for (int round = 0; round < 400; round++) {
        uint32_t words[NETBACK_SLOT_WORDS_MAX];
        uint32_t frames = 0, page = 0;
        while (page < 200 && next_random(&random) >> 8 & 7) {
            uint32_t piece = 1 + (next_random(&random) >> 8) % 4096;
            uint32_t most = piece * 19 > 65535 ? 65535 : piece * 19;
            struct sent *s = &sent[frames];
            s->size = 14 + (next_random(&random) >> 4) % most;
            if (s->size > most)
                s->size = most;
            if (s->size < 14)
                continue;
            s->at = (next_random(&random) >> 8) % 4000;
            if (s->at + s->size > sizeof content)
                s->at = sizeof content - s->size;
            page += fake_put_frame(qube, content + s->at, s->size, piece, page,
                                   (uint16_t)page, 0);
            frames++;
        }
        (void)fake_publish(&qube->transmit);
        for (uint32_t done = 0; done < frames; done += batch.frame_count) {
            assert_null(transmit(1 + (next_random(&random) >> 4) % 500000));
            assert_true(batch.frame_count > 0);
            for (uint16_t i = 0; i < batch.frame_count; i++)
                assert_frame(i, content + sent[done + i].at,
                             sent[done + i].size);
        }
        for (uint32_t id = 0; id < page; id++)
            assert_answer((int)id, NETBACK_STATUS_OKAY);
        assert_true(fake_take(&qube->transmit, words) == false);
        total += frames;
        for (uint32_t i = 0; i < frames; i++)
            bytes += sent[i].size;
    }
    assert_true(total > 1500 && bytes > 10000000);
    assert_int_equal(malformed, 0);
}

/* Slots at random: the vif is closed, or every slot is answered once with a
 * status that exists. */
static void slots_at_random_are_answered_or_fatal(void **state)
{
    uint32_t random = 1;
    unsigned fatal = 0, served = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        if (!ring.page)
            again(state);
        uint32_t slots = 1 + (next_random(&random) >> 8) % 24;
        for (uint32_t i = 0; i < slots; i++) {
            uint32_t r = next_random(&random);
            uint16_t flags = r & 0x100 ? NETBACK_MORE_DATA : 0;
            if (!(r & 0x7000))
                flags |= NETBACK_EXTRA_INFO;
            if (r & 0x70000)
                fake_put_request(qube, r >> 20, (uint16_t)(r & 0x7f), flags,
                                 (uint16_t)i, (uint16_t)(r >> 24));
            else
                fake_put_extra(qube, (uint8_t)(r >> 20 & 7), r & 1,
                               (uint16_t)(r >> 8), (uint8_t)(r >> 24 & 3));
        }
        (void)fake_publish(&qube->transmit);
        const char *wrong = transmit(ENOUGH);
        if (wrong) {
            fatal++;
            ring.page = NULL;
            continue;
        }
        assert_int_equal(batch.answer_count, slots);
        uint32_t words[NETBACK_SLOT_WORDS_MAX];
        for (uint32_t i = 0; i < slots; i++) {
            assert_true(fake_take(&qube->transmit, words));
            int16_t status = (int16_t)(words[0] >> 16);
            assert_in_range(status + 1, 0, 2);
            refused += status == NETBACK_STATUS_ERROR;
        }
        assert_no_answer();
        served += batch.frame_count;
    }
    assert_true(fatal > 1000 && served > 1000 && refused > 1000);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_frame_in_one_slot_is_copied_and_answered),
        UNIT(a_blank_checksum_is_told),
        UNIT(pieces_become_one_frame),
        UNIT(a_super_packet_says_how_it_is_to_be_cut),
        UNIT(frames_lie_where_it_costs_least),
        UNIT(extras_of_other_kinds_are_stepped_over),
        UNIT(a_wish_about_multicast_is_no_frame),
        UNIT(a_batch_is_bounded_by_frames),
        UNIT(a_batch_is_bounded_by_memory),
        UNIT(a_batch_is_bounded_by_its_budget),
        UNIT(small_segments_cost_their_packets),
        UNIT(requests_that_come_during_a_batch_wait),
        UNIT(a_frame_of_too_many_slots_is_refused_or_fatal),
        UNIT(a_refused_frame_answers_its_extra_with_none),
        UNIT(less_than_an_ethernet_header_is_refused),
        UNIT(pieces_larger_than_their_frame_are_refused),
        UNIT(pieces_without_bytes_are_served),
        UNIT(what_cannot_be_copied_fails_its_frame_only),
        UNIT(a_failed_call_fails_all_it_was_for),
        UNIT(a_chain_that_ends_nowhere_is_fatal),
        UNIT(extras_that_end_nowhere_are_fatal),
        UNIT(extras_for_the_whole_ring_are_fatal_or_end),
        UNIT(an_unknown_extra_is_fatal),
        UNIT(segments_of_no_size_or_kind_are_fatal),
        UNIT(a_piece_beyond_its_page_is_fatal),
        UNIT(impossible_indices_are_fatal),
        UNIT(a_scribbling_frontend_changes_nothing),
        UNIT(a_lie_about_our_own_index_is_ignored),
        UNIT(only_who_asked_is_notified),
        UNIT(a_ring_in_use_is_taken_over),
        UNIT(frames_of_all_shapes_arrive),
        UNIT(slots_at_random_are_answered_or_fatal),
    };
    uint32_t random = 99;
    random_bytes(&random, content, sizeof content);
    return cmocka_run_group_tests_name("netback_transmit", tests, NULL, NULL);
}
