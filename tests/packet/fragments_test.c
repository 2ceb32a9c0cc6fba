#include "gateway/packet/fragments.h"

#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"
#include "tests/unit.h"

static const struct burst_layout layout = {.head = 24, .tail = 16};

enum { SHARES = 514 }; /* as the router has */

struct fixture {
    struct fragments *fragments;
    struct burst burst;
    struct instant now;
    uint64_t seed;
    uint8_t payload[65536];
    struct packet whole;  /* before it was cut */
    struct packet result; /* the last packet handed out */
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->fragments = fragments_new(SHARES);
    assert_true(burst_init(&f->burst, 1 << 20));
    f->now = (struct instant){1000000};
    f->seed = 42;
    craft_fill(&f->seed, f->payload, sizeof f->payload);
    return f;
}

static void fixture_free(struct fixture *f)
{
    fragments_free(f->fragments);
    burst_clear(&f->burst);
    free(f->whole.data);
    free(f);
}

/* Leaves the fragments of a UDP packet in the burst. */
static void cut(struct fixture *f, bool v6, uint16_t id, size_t size,
                uint16_t mtu)
{
    struct craft c = {
        .source = craft_address(v6 ? "2001:db8::1" : "192.0.2.1"),
        .destination = craft_address(v6 ? "2001:db8::2" : "192.0.2.2"),
        .protocol = 17,
        .source_port = 1000,
        .destination_port = 2000,
        .id = id,
        .payload = bytes_of(f->payload, size),
    };
    free(f->whole.data);
    f->whole = craft_packet(&c);
    if (v6) {
        struct packet plain = f->whole;
        f->whole = craft_fragmentable(&plain, id);
        free(plain.data);
    }
    struct segment_cursor cursor = {0};
    burst_reset(&f->burst);
    assert_int_equal(
        parsed_segment(&f->whole, mtu, &layout, &cursor, &f->burst),
        SEGMENT_DONE);
}

/* A fragment, copied to the heap at its size, which is freed at once: it must
 * have been copied. */
static enum fragments_result take_for(struct fixture *f,
                                      const struct fragments_owner *owner,
                                      const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    f->result = (struct packet){.data = copy, .size = (uint32_t)size};
    assert_int_equal(ip_packet_parse(&f->result), DROP_NONE);
    assert_true(ip_is_fragment(&f->result.ip));
    enum fragments_result result =
        fragments_take(f->fragments, f->now, owner, &f->result);
    free(copy);
    return result;
}

static enum fragments_result take(struct fixture *f, uint16_t source,
                                  const uint8_t *data, size_t size)
{
    return take_for(f, &(struct fragments_owner){source, source}, data, size);
}

static enum fragments_result take_nth(struct fixture *f, size_t i)
{
    const struct datagram *d = &f->burst.datagrams[i];
    return take(f, 0, d->data + d->inner_offset, d->inner_size);
}

static void expect_whole(const struct fixture *f)
{
    const struct packet *p = &f->result;
    uint8_t *flat = malloc(packet_total(p));
    size_t at = p->size;
    memcpy(flat, p->data, p->size);
    for (size_t i = 0; i < p->piece_count; i++) {
        memcpy(flat + at, p->pieces[i].data, p->pieces[i].size);
        at += p->pieces[i].size;
    }
    assert_int_equal(at, f->whole.size);
    assert_memory_equal(flat, f->whole.data, at);
    assert_true(p->headroom >= PACKET_HEADROOM);
    memset(p->data - p->headroom, 0xee, p->headroom); /* is nobody else's */
    assert_true(p->piece_count <= PACKET_PIECES_MAX);
    free(flat);
}

static void shuffle(struct fixture *f, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t k = craft_below(&f->seed, (uint32_t)i), swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

static void any_order_makes_the_packet_whole(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    size_t order[BURST_DATAGRAMS_MAX];
    for (uint16_t i = 0; i < 400; i++) {
        size_t size = 1500 + craft_below(&f->seed, i % 8 ? 8000 : 63000);
        uint16_t mtu =
            (uint16_t)(size > 20000 ? 1500 : 500 + craft_below(&f->seed, 5000));
        cut(f, i % 2, i, size, mtu);
        if (f->burst.count < 2)
            continue;
        shuffle(f, order, f->burst.count);
        for (size_t k = 0; k + 1 < f->burst.count; k++)
            assert_int_equal(take_nth(f, order[k]), FRAGMENTS_HELD);
        assert_int_equal(take_nth(f, order[f->burst.count - 1]),
                         FRAGMENTS_WHOLE);
        expect_whole(f);
        fragments_release(f->fragments);
    }
    assert_true(instant_is_never(fragments_deadline(f->fragments)));
    fixture_free(f);
}

/* Room in front of one whole packet is not another's payload. */
static void whole_packets_do_not_touch_each_other(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct packet results[20], wholes[20];
    for (uint16_t i = 0; i < 20; i++) {
        cut(f, i % 2, i, 3000, 1500);
        for (size_t k = 0; k + 1 < f->burst.count; k++)
            assert_int_equal(take_nth(f, k), FRAGMENTS_HELD);
        assert_int_equal(take_nth(f, f->burst.count - 1u), FRAGMENTS_WHOLE);
        results[i] = f->result;
        wholes[i] = f->whole;
        f->whole.data = NULL;
    }
    for (size_t i = 0; i < 20; i++)
        memset(results[i].data - results[i].headroom, 0xee,
               results[i].headroom);
    for (size_t i = 0; i < 20; i++) {
        f->result = results[i];
        f->whole = wholes[i];
        expect_whole(f);
        free(f->whole.data);
        f->whole.data = NULL;
    }
    fixture_free(f);
}

/* Cuts once more what is in the burst, as the next router on the way. */
static void cut_again(struct fixture *f, uint16_t mtu)
{
    struct burst once = f->burst;
    assert_true(burst_init(&f->burst, 1 << 20));
    for (size_t i = 0; i < once.count; i++) {
        struct datagram *d = &once.datagrams[i];
        struct packet p = {.data = d->data + d->inner_offset,
                           .size = d->inner_size};
        struct segment_cursor cursor = {0};
        assert_int_equal(parsed_segment(&p, mtu, &layout, &cursor, &f->burst),
                         SEGMENT_DONE);
    }
    burst_clear(&once);
}

static void a_packet_that_was_cut_twice_becomes_whole(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    static const struct {
        uint16_t size, first, second, count;
    } cases[] = {{48000, 1500, 1400, 65},
                 {65507, 1500, 1280, 89},
                 {65507, 1500, 576, 133},
                 {65507, 296, 276, 481}};
    size_t order[BURST_DATAGRAMS_MAX];
    for (uint16_t i = 0; i < 32; i++) {
        bool fits = cases[i % 4].count <= FRAGMENTS_PER_PACKET;
        cut(f, false, i, cases[i % 4].size, cases[i % 4].first);
        cut_again(f, cases[i % 4].second);
        assert_int_equal(f->burst.count, cases[i % 4].count);
        shuffle(f, order, f->burst.count);
        enum fragments_result result = FRAGMENTS_HELD;
        for (size_t k = 0; k < f->burst.count; k++) {
            assert_int_not_equal(result, FRAGMENTS_WHOLE);
            result = take_nth(f, order[k]);
        }
        assert_int_equal(result, fits ? FRAGMENTS_WHOLE : FRAGMENTS_REFUSED);
        if (fits)
            expect_whole(f);
        fragments_release(f->fragments);
    }
    fixture_free(f);
}

static void exact_copies_are_ignored(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    cut(f, false, 1, 4000, 1500);
    assert_int_equal(take_nth(f, 2), FRAGMENTS_HELD);
    assert_int_equal(take_nth(f, 2), FRAGMENTS_REFUSED);
    assert_int_equal(take_nth(f, 0), FRAGMENTS_HELD);
    assert_int_equal(take_nth(f, 0), FRAGMENTS_REFUSED);
    assert_int_equal(take_nth(f, 1), FRAGMENTS_WHOLE);
    expect_whole(f);
    fixture_free(f);
}

static uint8_t *nth(struct fixture *f, size_t i)
{
    return f->burst.datagrams[i].data + f->burst.datagrams[i].inner_offset;
}

static void rewrite_ipv4_checksum(uint8_t *h)
{
    ip_write_checksum(&(struct ip_packet){
        .data = h, .family = ADDRESS_IPV4, .transport = 20});
}

static void overlaps_end_the_packet(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (int v6 = 0; v6 < 2; v6++) {
        /* The same place with another content. */
        cut(f, v6, 1, 4000, 1500);
        assert_int_equal(take_nth(f, 0), FRAGMENTS_HELD);
        nth(f, 0)[100] ^= 1;
        assert_int_equal(take_nth(f, 0), FRAGMENTS_REFUSED);
        assert_int_equal(take_nth(f, 1), FRAGMENTS_REFUSED);
        assert_int_equal(take_nth(f, 2), FRAGMENTS_REFUSED);
        /* Eight bytes into the next one. */
        cut(f, v6, 2, 4000, 1500);
        uint8_t *field = nth(f, 1) + (v6 ? 42 : 6);
        store_u16(field, (uint16_t)(load_u16(field) - (v6 ? 8 : 1)));
        if (!v6)
            rewrite_ipv4_checksum(nth(f, 1));
        assert_int_equal(take_nth(f, 0), FRAGMENTS_HELD);
        assert_int_equal(take_nth(f, 1), FRAGMENTS_REFUSED);
        assert_int_equal(take_nth(f, 2), FRAGMENTS_REFUSED);
    }
    fixture_free(f);
}

static void ends_must_agree(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    /* A second last fragment, before and behind the first. */
    for (int i = 0; i < 2; i++) {
        cut(f, false, (uint16_t)i, 4000, 1500);
        store_u16(nth(f, 1) + 6, load_u16(nth(f, 1) + 6) & 0x1fff);
        rewrite_ipv4_checksum(nth(f, 1));
        assert_int_equal(take_nth(f, i ? 2 : 1), FRAGMENTS_HELD);
        assert_int_equal(take_nth(f, i ? 1 : 2), FRAGMENTS_REFUSED);
        assert_int_equal(take_nth(f, 0), FRAGMENTS_REFUSED);
    }
    fixture_free(f);
}

static void malformed_fragments_are_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint8_t data[1500];
    cut(f, false, 1, 4000, 1500);
    /* Not a multiple of eight, and more to come. */
    memcpy(data, nth(f, 1), 1500);
    store_u16(data + 2, 1499);
    rewrite_ipv4_checksum(data);
    assert_int_equal(take(f, 0, data, 1499), FRAGMENTS_REFUSED);
    /* Beyond 65535 bytes: the ping of death. */
    memcpy(data, nth(f, 1), 1500);
    store_u16(data + 6, 0x1fff);
    rewrite_ipv4_checksum(data);
    assert_int_equal(take(f, 0, data, 1500), FRAGMENTS_REFUSED);
    /* Nothing in it. */
    memcpy(data, nth(f, 1), 20);
    store_u16(data + 2, 20);
    rewrite_ipv4_checksum(data);
    assert_int_equal(take(f, 0, data, 20), FRAGMENTS_REFUSED);
    assert_true(instant_is_never(fragments_deadline(f->fragments)));
    fixture_free(f);
}

static void different_packets_are_kept_apart(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint8_t first[1500];
    cut(f, false, 1, 2000, 1500);
    assert_int_equal(f->burst.count, 2);
    memcpy(first, nth(f, 0), 1500);
    assert_int_equal(take(f, 0, first, 1500), FRAGMENTS_HELD);
    assert_int_equal(take(f, 1, nth(f, 1), f->burst.datagrams[1].inner_size),
                     FRAGMENTS_HELD);              /* another source */
    static const size_t fields[] = {5, 12, 16, 9}; /* id, ends, protocol */
    for (size_t i = 0; i < 4; i++) {
        cut(f, false, 1, 2000, 1500);
        nth(f, 1)[fields[i]] ^= 0x10;
        rewrite_ipv4_checksum(nth(f, 1));
        assert_int_equal(take_nth(f, 1), FRAGMENTS_HELD);
    }
    cut(f, false, 1, 2000, 1500);
    assert_int_equal(take_nth(f, 1), FRAGMENTS_WHOLE);
    expect_whole(f);
    fixture_free(f);
}

static void time_ends_them(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct fragments_loss loss;
    cut(f, false, 1, 4000, 1500);
    assert_int_equal(take_nth(f, 0), FRAGMENTS_HELD);
    assert_int_equal(take_nth(f, 1), FRAGMENTS_HELD);
    assert_int_equal(fragments_deadline(f->fragments).us, f->now.us + 15000000);
    f->now.us += 14999999;
    assert_false(fragments_lost(f->fragments, f->now, &loss));
    f->now.us++;
    assert_true(fragments_lost(f->fragments, f->now, &loss));
    assert_int_equal(loss.share, 0);
    assert_int_equal(loss.count, 2);
    assert_int_equal(loss.reason, DROP_FRAGMENT_TIMEOUT);
    assert_false(fragments_lost(f->fragments, f->now, &loss));
    assert_int_equal(take_nth(f, 2), FRAGMENTS_HELD);
    fragments_forget(f->fragments, 0);
    assert_true(instant_is_never(fragments_deadline(f->fragments)));
    fixture_free(f);
}

static void a_flood_takes_only_its_own_share(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    cut(f, false, 7, 4000, 1500);
    assert_int_equal(take(f, 9, nth(f, 0), 1500), FRAGMENTS_HELD);
    uint8_t kept[2][1500];
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        sizes[i] = f->burst.datagrams[i + 1].inner_size;
        memcpy(kept[i], nth(f, i + 1), sizes[i]);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        f->now.us += 10;
        cut(f, i % 2, (uint16_t)i, 4000, 1500);
        assert_int_equal(take(f, (uint16_t)(i % 3), nth(f, i % 2),
                              f->burst.datagrams[i % 2].inner_size),
                         FRAGMENTS_HELD);
    }
    assert_int_equal(take(f, 9, kept[0], sizes[0]), FRAGMENTS_HELD);
    assert_int_equal(take(f, 9, kept[1], sizes[1]), FRAGMENTS_WHOLE);
    fixture_free(f);
}

/* Fragments of somebody else in the same share: `first` says which. */
static void flood(struct fixture *f, const struct fragments_owner *owner,
                  uint32_t count, size_t which)
{
    for (uint32_t i = 0; i < count; i++) {
        f->now.us += 10;
        cut(f, i % 2, (uint16_t)i, 4000, 1500);
        nth(f, which)[i % 2 ? 9 : 13] ^= 1; /* another sender */
        if (i % 2 == 0)
            rewrite_ipv4_checksum(nth(f, which));
        assert_int_equal(take_for(f, owner, nth(f, which),
                                  f->burst.datagrams[which].inner_size),
                         FRAGMENTS_HELD);
    }
}

/* Eight bytes here and there have a chunk each. */
static void spread(struct fixture *f, const struct fragments_owner *owner,
                   uint32_t packets)
{
    for (uint32_t i = 0; i < packets * 33; i++) {
        uint8_t data[28] = {0x45, 0, 0, 28};
        f->now.us += 10;
        data[8] = 64;
        data[9] = 99;
        store_u16(data + 4, (uint16_t)(i / 33));
        store_u16(data + 6,
                  (uint16_t)(0x2000 | (i % 33 * 2048 + 8) / 8 % 8100));
        rewrite_ipv4_checksum(data);
        (void)take_for(f, owner, data, sizeof data);
    }
}

static uint32_t lost_of(struct fixture *f, uint16_t share, enum drop reason)
{
    struct fragments_loss loss;
    uint32_t count = 0;
    while (fragments_lost(f->fragments, f->now, &loss))
        if (loss.share == share && loss.reason == reason)
            count += loss.count;
    return count;
}

static void who_floods_a_share_pushes_out_his_own(void **state)
{
    (void)state;
    const struct fragments_owner owner = {1, 4};
    uint8_t kept[3][1500];
    size_t sizes[3];
    for (int what = 0; what < 3; what++) {
        struct fixture *f = fixture_new();
        cut(f, false, 7, 4000, 1500);
        struct packet wanted = f->whole;
        f->whole.data = NULL;
        for (size_t i = 0; i < 3; i++) {
            sizes[i] = f->burst.datagrams[i].inner_size;
            memcpy(kept[i], nth(f, i), sizes[i]);
        }
        assert_int_equal(take_for(f, &owner, kept[0], sizes[0]),
                         FRAGMENTS_HELD);
        if (what < 2)
            flood(f, &owner, 1000, (size_t)what);
        else
            spread(f, &owner, 100);
        uint32_t held = what < 2 ? FRAGMENTS_SHARE_PACKETS - 1 : 260;
        assert_true(lost_of(f, 4, DROP_FRAGMENT_CROWDED) >= 1000 - held);
        free(f->whole.data);
        f->whole = wanted;
        assert_int_equal(take_for(f, &owner, kept[2], sizes[2]),
                         FRAGMENTS_HELD);
        assert_int_equal(take_for(f, &owner, kept[1], sizes[1]),
                         FRAGMENTS_WHOLE);
        expect_whole(f);
        fixture_free(f);
    }
}

static void the_first_fragment_says_whose_the_packet_is(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct fragments_owner unknown = {1, 3}, known = {1, 4};
    cut(f, false, 7, 4000, 1500);
    uint8_t kept[3][1500];
    size_t sizes[3];
    for (size_t i = 0; i < 3; i++) {
        sizes[i] = f->burst.datagrams[i].inner_size;
        memcpy(kept[i], nth(f, i), sizes[i]);
    }
    assert_int_equal(take_for(f, &unknown, kept[2], sizes[2]), FRAGMENTS_HELD);
    assert_int_equal(take_for(f, &known, kept[0], sizes[0]), FRAGMENTS_HELD);
    fragments_forget(f->fragments, 3);
    assert_false(instant_is_never(fragments_deadline(f->fragments)));
    assert_int_equal(take_for(f, &unknown, kept[1], sizes[1]), FRAGMENTS_WHOLE);
    expect_whole(f);
    /* And once more, with its last share gone. */
    fragments_release(f->fragments);
    assert_int_equal(take_for(f, &unknown, kept[2], sizes[2]), FRAGMENTS_HELD);
    assert_int_equal(take_for(f, &known, kept[0], sizes[0]), FRAGMENTS_HELD);
    fragments_forget(f->fragments, 4);
    assert_true(instant_is_never(fragments_deadline(f->fragments)));
    fixture_free(f);
}

/* All memory at once, by as many shares as there are. */
static void all_shares_together_stay_within_the_memory(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (uint16_t share = 0; share < SHARES; share++) {
        const struct fragments_owner owner = {share, share};
        spread(f, &owner, 9);
    }
    cut(f, false, 7, 48000, 1500);
    for (size_t k = 0; k + 1 < f->burst.count; k++)
        assert_int_equal(take_nth(f, k), FRAGMENTS_HELD);
    assert_int_equal(take_nth(f, f->burst.count - 1u), FRAGMENTS_WHOLE);
    expect_whole(f);
    fixture_free(f);
}

static void random_fragments_never_break_anything(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint32_t whole = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        static uint8_t data[20 + 4000];
        uint32_t size = 8 * craft_below(&f->seed, i % 7 ? 4 : 480) + 8;
        uint32_t offset = craft_below(&f->seed, i % 5 ? 12 : 8191);
        bool more = craft_below(&f->seed, 4) > 0;
        if (i % 4) { /* most of them fit each other */
            size = 32;
            offset = 4 * craft_below(&f->seed, 3);
            more = offset < 8;
        }
        memset(data, 0, 20);
        memcpy(data + 20, f->payload + offset % 500 * 8, size);
        data[0] = 0x45;
        data[8] = 64;
        data[9] = 99;
        data[5] = (uint8_t)craft_below(&f->seed, 50);
        store_u16(data + 2, (uint16_t)(20 + size));
        store_u16(data + 6, (uint16_t)((more ? 0x2000 : 0) | offset));
        rewrite_ipv4_checksum(data);
        if (!more && offset == 0)
            continue;
        if (take(f, (uint16_t)(i % 4), data, 20 + size) == FRAGMENTS_WHOLE)
            whole++;
        if (i % 16 == 0)
            fragments_release(f->fragments);
    }
    assert_true(whole > 10);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_makes_the_packet_whole),
        cmocka_unit_test(whole_packets_do_not_touch_each_other),
        cmocka_unit_test(a_packet_that_was_cut_twice_becomes_whole),
        cmocka_unit_test(exact_copies_are_ignored),
        cmocka_unit_test(overlaps_end_the_packet),
        cmocka_unit_test(ends_must_agree),
        cmocka_unit_test(malformed_fragments_are_refused),
        cmocka_unit_test(different_packets_are_kept_apart),
        cmocka_unit_test(time_ends_them),
        cmocka_unit_test(a_flood_takes_only_its_own_share),
        cmocka_unit_test(who_floods_a_share_pushes_out_his_own),
        cmocka_unit_test(the_first_fragment_says_whose_the_packet_is),
        cmocka_unit_test(all_shares_together_stay_within_the_memory),
        cmocka_unit_test(random_fragments_never_break_anything),
    };
    return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
