/* Strangers in every wrapping: how much they are answered, and how much memory
 * those can take who do return a cookie and then go on as they please. */
#include <malloc.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/server/server_state.h"
#include "tests/openvpn/server/server_club.h"
#include "tests/unit.h"
#include "tests/vectors/openvpn_control.h"
#include "tests/vectors/openvpn_tls_crypt.h"

enum {
    QUESTIONS = 5000,
    HALF_OPEN = 200,
    HALF_OPEN_KIB = 96,  /* each at most: two of TLS' records, and the rest */
    PACKETS = 300,       /* of each, 1200 bytes long */
    RECORD_PACKETS = 13, /* that one record of TLS goes into without its end */
};

static struct server_path path_of(unsigned i)
{
    return (struct server_path){
        .remote = {address_ipv4(0xc6120000 + i), (uint16_t)(1024 + i)}};
}

static size_t memory_used(void)
{
    struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

static void give_key(struct config *c, enum config_wrap wrap, const char *text)
{
    c->remotes[0].wrap = wrap;
    if (text)
        assert_true(blob_set(&c->remotes[0].wrap_key, bytes_of_text(text)));
}

/* The first packet of a client of ours. */
static size_t first_packet(struct server_club *c, uint8_t out[2048])
{
    struct client_action a;
    size_t size = 0;
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    while (client_poll(m->client, &a)) {
        if (a.type == CLIENT_ACTION_CONNECT)
            client_connected(m->client, c->now, 28, 1500);
        if (a.type != CLIENT_ACTION_SEND)
            continue;
        assert_true(a.bytes.size <= 2048);
        memcpy(out, a.bytes.data, a.bytes.size);
        size = a.bytes.size;
    }
    return size;
}

static void no_answer_is_longer_than_three_questions(void **state)
{
    (void)state;
    static const struct {
        enum config_wrap wrap;
        const char *servers, *clients;
    } wrappings[] = {
        {CONFIG_WRAP_NONE, NULL, NULL},
        {CONFIG_WRAP_TLS_AUTH, vector_static_key, vector_static_key},
        {CONFIG_WRAP_TLS_CRYPT, vector_static_key, vector_static_key},
        {CONFIG_WRAP_TLS_CRYPT_V2, vector_v2_server_key, vector_v2_client_key},
    };
    for (size_t w = 0; w < sizeof wrappings / sizeof *wrappings; w++) {
        static struct server_club club;
        struct server_path to;
        struct bytes answer;
        uint8_t question[2048];
        server_club_init(&club);
        give_key(&club.config.common, wrappings[w].wrap, wrappings[w].servers);
        club.config.first_answers = 2 * QUESTIONS;
        server_club_open(&club);
        club.wrap_key = wrappings[w].clients;
        size_t size = first_packet(&club, question);
        assert_true(size >= 14);
        size_t memory = 0;
        for (unsigned i = 0; i < QUESTIONS; i++) {
            /* By then the C library has what it keeps for itself. */
            if (i == 100)
                memory = memory_used();
            const struct server_path from = path_of(i);
            assert_int_equal(
                server_club_hear(&club, &from, bytes_of(question, size), NULL),
                DROP_NONE);
            assert_true(server_transmit(club.server, &to, &answer));
            assert_true(answer.size <= 3 * size);
            assert_true(server_path_equal(&to, &from));
            /* One to each, and nothing more later. */
            assert_false(server_transmit(club.server, &to, &answer));
        }
        assert_true(server_is_empty(club.server));
        assert_true(instant_is_never(server_deadline(club.server)));
        assert_true(memory_used() <= memory);
        server_club_clear(&club);
    }
}

/* --- Those who return the cookie ----------------------------------------- */

static void say(struct server_club *c, unsigned i, struct control_packet *p)
{
    static struct control_wrap none;
    const struct server_path from = path_of(i);
    uint8_t bytes[2048];
    struct writer w = writer_of(bytes, sizeof bytes);
    p->session = (struct session_id){{1, (uint8_t)i, (uint8_t)(i >> 8)}};
    assert_true(control_wrap_init_none(&none));
    assert_true(control_wrap_seal(&none, p, &w));
    (void)server_club_hear(c, &from, writer_bytes(&w), NULL);
    control_wrap_clear(&none);
}

static void ignore_all(struct server_club *c)
{
    struct server_path to;
    struct bytes datagram;
    while (server_transmit(c->server, &to, &datagram))
        continue;
}

static void come_in_halfway(struct server_club *c, unsigned i)
{
    struct control_packet p = {.opcode = OPCODE_CONTROL_HARD_RESET_CLIENT_V2};
    struct server_path to;
    struct bytes answer;
    say(c, i, &p);
    assert_true(server_transmit(c->server, &to, &answer));
    p = (struct control_packet){.opcode = OPCODE_ACK_V1, .ack_count = 1};
    memcpy(p.peer.bytes, answer.data + 1, sizeof p.peer.bytes);
    say(c, i, &p);
}

/* A record as large as there may be, with a hello as large; then more of the
 * same without end. With `gap` one packet is missing, so that the others wait
 * for it. */
static void drip(struct server_club *c, unsigned i, unsigned n, bool gap)
{
    static const uint8_t start[] = {0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc};
    uint8_t payload[1200];
    memset(payload, n == 0 ? 0 : (int)n, sizeof payload);
    if (n % RECORD_PACKETS == 0)
        memcpy(payload, start, sizeof start);
    struct control_packet p = {
        .opcode = OPCODE_CONTROL_V1,
        .message_id = 1 + n + gap,
        .payload = bytes_of(payload, sizeof payload),
    };
    say(c, i, &p);
}

/* The most that each had of it at a time. */
static size_t stay_halfway(struct server_club *c)
{
    size_t before = memory_used(), most = 0;
    for (unsigned i = 0; i < HALF_OPEN; i++)
        come_in_halfway(c, i);
    assert_int_equal(server_club_status(c).negotiating, HALF_OPEN);
    for (unsigned n = 0; n < PACKETS; n++) {
        for (unsigned i = 0; i < HALF_OPEN; i++)
            drip(c, i, n, i % 2);
        ignore_all(c);
        if (n == RECORD_PACKETS - 1)
            assert_int_equal(server_club_status(c).negotiating, HALF_OPEN);
        size_t now = memory_used();
        most = now > most ? now : most;
    }
    /* They had their time. */
    server_club_run(c, duration_seconds(61));
    assert_true(server_is_empty(c->server));
    return (most - before) / HALF_OPEN;
}

static void half_open_clients_take_bounded_memory(void **state)
{
    (void)state;
    static struct server_club club;
    server_club_init(&club);
    server_club_open(&club);
    size_t each = stay_halfway(&club);
    print_message("# half open: at most %zu KiB each\n", each / 1024);
    assert_in_range(each, 0, (size_t)HALF_OPEN_KIB * 1024);
    /* The C library keeps some for itself; a leak would be of each. */
    size_t before = memory_used();
    stay_halfway(&club);
    assert_in_range(memory_used(), 0, before + HALF_OPEN * 8);
    server_club_clear(&club);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_answer_is_longer_than_three_questions),
        cmocka_unit_test(half_open_clients_take_bounded_memory),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests_name("server_stranger", tests, NULL, NULL);
}
