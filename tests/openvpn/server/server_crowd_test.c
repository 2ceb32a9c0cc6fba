/* Two hundred clients of one server, and a flood of strangers beside them: who
 * is in stays in and moves data, and nothing is kept of anybody else. */
#include <malloc.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/server/server_state.h"
#include "tests/openvpn/server/server_club.h"
#include "tests/unit.h"

enum { CROWD = 200, FLOOD = 100000, WEB = 0x0a636450, FIRST = 0x0a080002 };

static struct server_club club;

static void open_club(void)
{
    server_club_init(&club);
    club.config.duplicate_cn = true;
    club.config.common.reneg_seconds = 600;
    server_club_open(&club);
    for (unsigned i = 0; i < CROWD; i++)
        server_club_join(&club, NULL, NULL);
    server_club_run(&club, duration_seconds(40));
}

static uint32_t address_of(const struct server_club_member *m)
{
    return address_to_ipv4(&m->tunnel.ipv4.address);
}

static void everybody_moves_data(void)
{
    uint8_t bytes[2048];
    for (unsigned i = 0; i < CROWD; i++) {
        struct server_club_member *m = &club.members[i];
        size_t size = server_club_seal(&club, m, address_of(m), WEB, bytes);
        assert_true(size > 0);
        assert_int_equal(
            server_club_hear(&club, &m->path, bytes_of(bytes, size), NULL),
            DROP_NONE);
    }
}

static void all_come_in_with_an_address_each(void **state)
{
    (void)state;
    static bool taken[256];
    assert_int_equal(server_club_status(&club).up, CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        uint32_t number = address_of(&club.members[i]) - FIRST;
        assert_true(number < 253 && !taken[number]);
        taken[number] = true;
    }
    everybody_moves_data();
}

/* First packets, cookies that are none, data of clients who are there, and
 * rubbish, each from another address. */
static size_t stranger_says(unsigned i, uint8_t out[64])
{
    struct writer w = writer_of(out, 64);
    switch (i % 4) {
    case 0:
        write_u8(&w, OPCODE_CONTROL_HARD_RESET_CLIENT_V2 << 3);
        write_u64(&w, i + 1);
        write_u8(&w, 0);
        write_u32(&w, 0);
        break;
    case 1:
        write_u8(&w, OPCODE_ACK_V1 << 3);
        write_u64(&w, i + 1);
        write_u8(&w, 1);
        write_u32(&w, 0);
        write_u64(&w, i * 0x9e3779b97f4a7c15U);
        break;
    case 2:
        write_u32(&w, (uint32_t)OPCODE_DATA_V2 << 27 | i % CROWD);
        write_u64(&w, i);
        write_u64(&w, i);
        write_u64(&w, i);
        break;
    default:
        write_u64(&w, i * 0x9e3779b97f4a7c15U);
        break;
    }
    return w.size;
}

static void a_flood_leaves_nothing_behind(void **state)
{
    (void)state;
    struct server_path to;
    struct bytes datagram;
    uint8_t bytes[64];
    size_t memory = mallinfo2().uordblks;
    uint64_t answers = server_club_status(&club).answers;
    for (unsigned i = 0; i < FLOOD; i++) {
        const struct server_path from = {
            .remote = {address_ipv4(0xc6120000 + i / 7), (uint16_t)(i + 1)}};
        size_t size = stranger_says(i, bytes);
        (void)server_club_hear(&club, &from, bytes_of(bytes, size), NULL);
        while (server_transmit(club.server, &to, &datagram))
            continue;
        club.now = instant_after(club.now, (struct duration){50});
    }
    struct server_status status = server_club_status(&club);
    assert_int_equal(status.up, CROWD);
    assert_int_equal(status.negotiating, 0);
    assert_int_equal(club.server->table.count, CROWD);
    /* Five seconds of it: connect-freq-initial bounds what is answered. */
    assert_in_range(status.answers - answers, 1, 2000);
    /* Memory that is freed and taken again may lie in a larger piece. */
    assert_true(mallinfo2().uordblks < memory + FLOOD / 10);
    everybody_moves_data();
}

static void they_idle_and_get_new_keys(void **state)
{
    (void)state;
    server_club_run(&club, duration_seconds(700));
    struct server_status status = server_club_status(&club);
    assert_int_equal(status.up, CROWD);
    assert_int_equal(status.logins, CROWD);
    assert_true(status.negotiations >= 2 * CROWD);
    everybody_moves_data();
}

static void they_go(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        client_stop(club.members[i].client, club.now);
    server_club_run(&club, duration_seconds(1));
    assert_true(server_is_empty(club.server));
    assert_int_equal(club.server->routes.count, 0);
    assert_int_equal(server_club_status(&club).goodbyes, CROWD);
}

int main(void)
{
    /* One after the other: they are the same two hundred. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_in_with_an_address_each),
        cmocka_unit_test(a_flood_leaves_nothing_behind),
        cmocka_unit_test(they_idle_and_get_new_keys),
        cmocka_unit_test(they_go),
    };
    log_set_level(LOG_ERROR);
    open_club();
    int failed = cmocka_run_group_tests_name("server_crowd", tests, NULL, NULL);
    server_club_clear(&club);
    return failed;
}
