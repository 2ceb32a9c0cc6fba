/* The server's door: strangers, cookies, clients and what they may not do. Its
 * talk with a client over a bad path is tests/simulator. */
#include "gateway/openvpn/server/server_state.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/session/peer_info.h"
#include "tests/openvpn/server/server_club.h"
#include "tests/unit.h"
#include "tests/vectors/pki.h"

static void no_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static int set_up(void **state)
{
    log_set_sink(no_log, NULL);
    *state = calloc(1, sizeof(struct server_club));
    assert_non_null(*state);
    server_club_init(*state);
    return 0;
}

static int tear_down(void **state)
{
    server_club_clear(*state);
    free(*state);
    return 0;
}

static uint64_t dropped(const struct server_club *c, enum drop reason)
{
    return server_club_status(c).drops->count[reason];
}

static const struct server_path stranger = {
    .remote = {{.family = ADDRESS_IPV4, .bytes = {198, 51, 100, 7}}, 5000}};

/* --- Strangers ----------------------------------------------------------- */

static size_t write_packet(uint8_t out[256], const struct control_packet *p)
{
    struct writer w = writer_of(out, 256);
    control_packet_write_header(&w, p);
    control_packet_write_body(&w, p);
    assert_true(writer_ok(&w));
    return w.size;
}

static enum drop hear_packet(struct server_club *c,
                             const struct server_path *from,
                             const struct control_packet *p)
{
    uint8_t bytes[256];
    size_t size = write_packet(bytes, p);
    return server_club_hear(c, from, bytes_of(bytes, size), NULL);
}

static const struct control_packet first = {
    .opcode = OPCODE_CONTROL_HARD_RESET_CLIENT_V2,
    .session = {{1, 2, 3, 4, 5, 6, 7, 8}}};

/* The answer to a first packet, parsed. */
static size_t ask(struct server_club *c, struct control_packet *answer)
{
    static uint8_t memory[256];
    struct server_path to;
    struct bytes datagram;
    assert_int_equal(hear_packet(c, &stranger, &first), DROP_NONE);
    assert_true(server_transmit(c->server, &to, &datagram));
    assert_true(endpoint_equal(&to.remote, &stranger.remote));
    memcpy(memory, datagram.data, datagram.size);
    size_t size = datagram.size;
    assert_true(control_packet_parse(bytes_of(memory, 9),
                                     bytes_of(memory + 9, size - 9), answer));
    assert_false(server_transmit(c->server, &to, &datagram));
    return size;
}

static void a_first_packet_is_answered_and_forgotten(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    server_club_open(c);
    size_t size = ask(c, &answer);
    assert_int_equal(answer.opcode, OPCODE_CONTROL_HARD_RESET_SERVER_V2);
    assert_int_equal(answer.message_id, 0);
    assert_int_equal(answer.ack_count, 1);
    assert_int_equal(answer.acks[0], 0);
    assert_true(session_id_equal(&answer.peer, &first.session));
    assert_true(size <= 3 * 14);
    assert_true(server_is_empty(c->server));
    assert_true(instant_is_never(server_deadline(c->server)));
}

static struct control_packet second(const struct session_id *cookie)
{
    return (struct control_packet){.opcode = OPCODE_ACK_V1,
                                   .session = first.session,
                                   .ack_count = 1,
                                   .peer = *cookie};
}

static void the_cookie_makes_a_client(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    server_club_open(c);
    ask(c, &answer);
    struct control_packet p = second(&answer.session);
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_NONE);
    assert_int_equal(server_club_status(c).negotiating, 1);
    /* Its first packet again is its own affair now. */
    assert_int_equal(hear_packet(c, &stranger, &first), DROP_NONE);
    assert_int_equal(server_club_status(c).answers, 1);
    assert_int_equal(server_club_status(c).negotiating, 1);
    /* A client that says nothing more is forgotten. */
    server_club_run(c, duration_seconds(61));
    assert_true(server_is_empty(c->server));
}

static void every_other_cookie_is_refused(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    server_club_open(c);
    ask(c, &answer);
    for (size_t bit = 0; bit < 64; bit++) {
        struct control_packet p = second(&answer.session);
        p.peer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(hear_packet(c, &stranger, &p), DROP_SERVER_COOKIE);
    }
    struct control_packet p = second(&answer.session);
    struct server_path elsewhere = stranger;
    elsewhere.remote.port++;
    assert_int_equal(hear_packet(c, &elsewhere, &p), DROP_SERVER_COOKIE);
    elsewhere = stranger;
    elsewhere.remote.address.bytes[3]++;
    assert_int_equal(hear_packet(c, &elsewhere, &p), DROP_SERVER_COOKIE);
    p.session.bytes[0]++;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_SERVER_COOKIE);
    assert_true(server_is_empty(c->server));
}

/* Valid in its half hand window and the two that follow. */
static void a_cookie_gets_too_old(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    server_club_open(c);
    ask(c, &answer);
    struct control_packet p = second(&answer.session);
    c->now = instant_after(c->now, duration_seconds(91));
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_SERVER_COOKIE);
    c->now = (struct instant){(int64_t)89 * 1000000};
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_NONE);
}

static void what_cannot_follow_the_answer_makes_no_client(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    server_club_open(c);
    ask(c, &answer);
    struct control_packet p = second(&answer.session);
    p.acks[0] = 2;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_CONTROL_SESSION);
    p = second(&answer.session);
    p.ack_count = 0;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_CONTROL_SESSION);
    p = second(&answer.session);
    p.key_id = 1;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_CONTROL_SESSION);
    p = second(&answer.session);
    p.opcode = OPCODE_CONTROL_V1;
    p.message_id = 2;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_CONTROL_SESSION);
    p.opcode = OPCODE_CONTROL_SOFT_RESET_V1;
    assert_int_equal(hear_packet(c, &stranger, &p), DROP_CONTROL_SESSION);
    assert_true(server_is_empty(c->server));
}

static void a_malformed_first_packet_is_not_answered(void **state)
{
    struct server_club *c = *state;
    struct server_path to;
    struct bytes datagram;
    uint8_t bytes[256];
    server_club_open(c);
    size_t size = write_packet(bytes, &first);
    for (size_t n = 0; n < size; n++)
        assert_int_not_equal(
            server_club_hear(c, &stranger, bytes_of(bytes, n), NULL),
            DROP_NONE);
    struct control_packet p = first;
    p.message_id = 1;
    assert_int_not_equal(hear_packet(c, &stranger, &p), DROP_NONE);
    p = first;
    p.key_id = 3;
    assert_int_not_equal(hear_packet(c, &stranger, &p), DROP_NONE);
    p = first;
    memset(&p.session, 0, sizeof p.session);
    assert_int_not_equal(hear_packet(c, &stranger, &p), DROP_NONE);
    assert_false(server_transmit(c->server, &to, &datagram));
}

static void first_answers_are_limited(void **state)
{
    struct server_club *c = *state;
    struct server_path to = stranger;
    struct bytes datagram;
    c->config.first_answers = 20;
    server_club_open(c);
    for (unsigned i = 0; i < 1000; i++) {
        to.remote.port = (uint16_t)(1000 + i);
        (void)hear_packet(c, &to, &first);
        while (server_transmit(c->server, &to, &datagram))
            continue;
    }
    assert_int_equal(server_club_status(c).answers, 20);
    assert_int_equal(dropped(c, DROP_SERVER_RATE), 980);
    c->now = instant_after(c->now, duration_seconds(10));
    assert_int_equal(hear_packet(c, &stranger, &first), DROP_NONE);
}

/* A client that can receive at its address may fill one place, and all clients
 * no more than there are. */
static void a_full_server_takes_no_more(void **state)
{
    struct server_club *c = *state;
    struct server_path from = stranger, to;
    struct bytes datagram;
    struct control_packet answer;
    c->config.max_clients = 8;
    server_club_open(c);
    for (unsigned i = 0; i < 20; i++) {
        from.remote.port = (uint16_t)(1000 + i);
        assert_int_equal(hear_packet(c, &from, &first), DROP_NONE);
        assert_true(server_transmit(c->server, &to, &datagram));
        assert_true(control_packet_parse(
            bytes_of(datagram.data, 9),
            bytes_of(datagram.data + 9, datagram.size - 9), &answer));
        struct control_packet p = second(&answer.session);
        assert_int_equal(hear_packet(c, &from, &p),
                         i < 8 ? DROP_NONE : DROP_SERVER_FULL);
    }
    assert_int_equal(server_club_status(c).negotiating, 8);
}

static void new_sessions_are_limited(void **state)
{
    struct server_club *c = *state;
    c->config.logins = 2;
    c->config.logins_seconds = 10;
    server_club_open(c);
    for (unsigned i = 0; i < 4; i++)
        server_club_join(c, NULL, NULL);
    c->config.duplicate_cn = true;
    server_club_run(c, duration_seconds(1));
    assert_int_equal(server_club_status(c).up, 2);
    assert_true(dropped(c, DROP_SERVER_RATE) > 0);
    server_club_run(c, duration_seconds(40));
    assert_int_equal(server_club_status(c).up, 4);
}

static void garbage_is_dropped_and_counted(void **state)
{
    struct server_club *c = *state;
    uint8_t bytes[300];
    uint64_t sum = 0;
    server_club_open(c);
    for (int i = 0; i < 5000; i++) {
        size_t size = 1 + next_random(&c->random) % sizeof bytes;
        random_bytes(&c->random, bytes, size);
        /* No first packet by chance. */
        if (bytes[0] >> 3 == OPCODE_CONTROL_HARD_RESET_CLIENT_V2)
            bytes[0] ^= 0x80;
        (void)server_club_hear(c, &stranger, bytes_of(bytes, size), NULL);
    }
    for (int reason = 1; reason < DROP_COUNT; reason++)
        sum += dropped(c, (enum drop)reason);
    assert_int_equal(sum, 5000);
    assert_true(server_is_empty(c->server));
}

/* --- Clients ------------------------------------------------------------- */

static void fifty_clients_get_an_address_each(void **state)
{
    struct server_club *c = *state;
    bool seen[256] = {false};
    c->config.duplicate_cn = true;
    server_club_open(c);
    for (unsigned i = 0; i < 50; i++)
        server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(5));
    assert_int_equal(server_club_status(c).up, 50);
    assert_int_equal(server_club_status(c).negotiating, 0);
    for (unsigned i = 0; i < 50; i++) {
        uint32_t a = address_to_ipv4(&c->members[i].tunnel.ipv4.address);
        assert_true(c->members[i].up);
        assert_int_equal(a >> 8, 0x0a0800);
        assert_false(seen[a & 0xff]);
        seen[a & 0xff] = true;
    }
    /* And stay up by pings alone. */
    server_club_run(c, duration_seconds(600));
    assert_int_equal(server_club_status(c).logins, 50);
    assert_int_equal(server_club_status(c).up, 50);
}

static void the_same_name_again_takes_the_place(void **state)
{
    struct server_club *c = *state;
    server_club_open(c);
    struct server_club_member *old = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    struct server_club_member *new = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_true(new->up);
    assert_int_equal(server_club_status(c).up, 1);
    assert_true(
        address_equal(&old->tunnel.ipv4.address, &new->tunnel.ipv4.address));
}

static uint32_t peer_id_of_the_one(struct server_club *c)
{
    struct server_client client;
    uint32_t next = 0;
    assert_true(server_next_client(c->server, &next, &client));
    assert_true(client.up);
    return client.peer_id;
}

/* OpenVPN 2 opens a second session within the first one where a server seems to
 * have begun anew, and keeps the peer id of the first. */
static void from_the_same_place_it_keeps_its_peer_id(void **state)
{
    struct server_club *c = *state;
    server_club_open(c);
    struct server_club_member *old = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(5));
    uint32_t peer_id = peer_id_of_the_one(c);
    struct server_club_member *new = server_club_join(c, NULL, NULL);
    new->path = old->path;
    server_club_run(c, duration_seconds(5));
    assert_true(new->up);
    assert_int_equal(server_club_status(c).up, 1);
    assert_int_equal(server_club_status(c).logins, 2);
    assert_int_equal(peer_id_of_the_one(c), peer_id);
    uint8_t bytes[2048];
    size_t size = server_club_seal(c, new, 0x0a080002, 0x0a636450, bytes);
    assert_int_equal(load_u32(bytes) & 0xffffff, peer_id);
    const struct server_entry *e = server_table_at(&c->server->table, peer_id);
    assert_int_equal(((const struct server_peer *)e)->session.data.peer_id,
                     peer_id);
    assert_int_equal(
        server_club_hear(c, &new->path, bytes_of(bytes, size), NULL),
        DROP_NONE);
}

static void a_certificate_that_is_none_stays_out(void **state)
{
    struct server_club *c = *state;
    assert_true(blob_set(&c->config.common.crl, bytes_of_text(pki_crl)));
    server_club_open(c);
    server_club_join(c, pki_alone_crt, pki_alone_key);
    server_club_join(c, pki_revoked_crt, pki_revoked_key);
    server_club_run(c, duration_seconds(3));
    assert_int_equal(server_club_status(c).logins, 0);
    assert_int_equal(server_club_status(c).up, 0);
}

/* The clients that it shuts out are in tests/system/serve.t, with a real one.
 * */
static void another_list_of_revoked_certificates_drops_nobody(void **state)
{
    struct server_club *c = *state;
    struct blob list = {0};
    assert_true(blob_set(&list, bytes_of_text("no list")));
    server_club_open(c);
    server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(server_revoke(c->server, &list));
    assert_true(blob_set(&list, bytes_of_text(pki_crl)));
    assert_true(server_revoke(c->server, &list));
    server_renegotiate(c->server, c->now, 1);
    server_club_run(c, duration_seconds(10));
    assert_int_equal(server_club_status(c).up, 1);
    assert_int_equal(server_club_status(c).logins, 1);
    assert_int_equal(server_club_status(c).negotiations, 2);
    free(list.data);
}

static void a_pool_that_is_empty_says_so(void **state)
{
    struct server_club *c = *state;
    c->config.duplicate_cn = true;
    c->config.pool_last = c->config.pool_first + 1;
    server_club_open(c);
    for (unsigned i = 0; i < 3; i++)
        server_club_join(c, NULL, NULL);
    server_club_run(c, duration_milliseconds(500));
    assert_int_equal(server_club_status(c).up, 2);
    assert_false(c->members[2].up);
}

static struct server_club_member *one_up(struct server_club *c)
{
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_true(m->up);
    return m;
}

static enum drop says(struct server_club *c, struct server_club_member *m,
                      const struct server_path *from, uint32_t source,
                      uint32_t destination)
{
    uint8_t bytes[2048];
    size_t size = server_club_seal(c, m, source, destination, bytes);
    assert_true(size > 0);
    return server_club_hear(c, from, bytes_of(bytes, size), NULL);
}

enum { SERVER_IP = 0x0a080001, OWN = 0x0a080002, WEB = 0x0a636450 };

static void only_its_own_address_is_let_through(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);
    assert_int_equal(says(c, m, &m->path, OWN, SERVER_IP), DROP_NONE);
    assert_int_equal(says(c, m, &m->path, OWN + 1, WEB), DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, SERVER_IP, WEB), DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, 0, WEB), DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, OWN, OWN + 1), DROP_CLIENT_TO_CLIENT);
}

/* Anybody can send a first packet in its name, or its own once more. */
static void while_it_is_heard_nobody_begins_in_its_place(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    struct server_path to;
    struct bytes datagram;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);
        c->now = instant_after(c->now, duration_seconds(i % 2));
        assert_int_equal(hear_packet(c, &m->path, &first), DROP_SERVER_IN_USE);
        assert_false(server_transmit(c->server, &to, &datagram));
    }
    /* Forged data is no sign of life. */
    uint8_t bytes[2048];
    size_t size = server_club_seal(c, m, OWN, WEB, bytes);
    bytes[size - 1] ^= 1;
    c->now = instant_after(c->now, duration_seconds(2));
    assert_int_equal(server_club_hear(c, &m->path, bytes_of(bytes, size), NULL),
                     DROP_DATA_AUTH);
    assert_int_equal(hear_packet(c, &m->path, &first), DROP_NONE);
    assert_true(server_transmit(c->server, &to, &datagram));
    /* Elsewhere it is nobody's place. */
    assert_int_equal(hear_packet(c, &stranger, &first), DROP_NONE);
}

static void clients_may_meet_where_that_is_wanted(void **state)
{
    struct server_club *c = *state;
    c->config.client_to_client = true;
    struct server_club_member *m = one_up(c);
    assert_int_equal(says(c, m, &m->path, OWN, OWN + 1), DROP_NONE);
    assert_int_equal(says(c, m, &m->path, OWN + 1, OWN), DROP_CLIENT_SPOOFED);
}

static void without_a_subnet_each_has_another_end(void **state)
{
    struct server_club *c = *state;
    enum { NET30_OWN = 0x0a080006, P2P_OWN = 0x0a080004 };
    for (int p2p = 0; p2p <= 1; p2p++) {
        c->config.topology = p2p ? SERVER_CONFIG_P2P : SERVER_CONFIG_NET30;
        c->config.pool_first = 0x0a080004;
        c->config.pool_last = 0x0a08000b;
        struct server_club_member *m = one_up(c);
        uint32_t own = p2p ? P2P_OWN : NET30_OWN;
        assert_int_equal(address_to_ipv4(&m->tunnel.ipv4.address), own);
        assert_int_equal(m->tunnel.ipv4.bits, 32);
        assert_int_equal(address_to_ipv4(&m->tunnel.ipv4_gateway),
                         p2p ? SERVER_IP : NET30_OWN - 1);
        assert_int_equal(m->tunnel.route_count, p2p ? 0 : 1);
        assert_int_equal(says(c, m, &m->path, own, WEB), DROP_NONE);
        assert_int_equal(says(c, m, &m->path, own, SERVER_IP), DROP_NONE);
        assert_int_equal(says(c, m, &m->path, own - 1, WEB),
                         DROP_CLIENT_SPOOFED);
        /* Eight addresses make two /30s. */
        for (int i = 0; !p2p && i < 2; i++) {
            c->config.duplicate_cn = true;
            m = server_club_join(c, NULL, NULL);
            server_club_run(c, duration_seconds(1));
            assert_int_equal(m->up, i == 0);
        }
        server_club_clear(c);
        server_club_init(c);
    }
}

static void the_pool_of_ipv6_is_its_own(void **state)
{
    struct server_club *c = *state;
    assert_true(prefix_parse(bytes_of_text("fd00:8::/64"), &c->config.ipv6));
    c->config.ipv6.address.bytes[15] = 1;
    c->config.ipv6_first = c->config.ipv6.address;
    c->config.ipv6_first.bytes[13] = 2;
    struct server_club_member *m = one_up(c);
    assert_int_equal(m->tunnel.ipv6.bits, 64);
    assert_int_equal(load_u32(m->tunnel.ipv6.address.bytes + 12), 0x00020001);
}

/* --- What is said of one client ------------------------------------------ */

static const char *said_of_clients; /* to all of them */
static bool says_nothing(void *context, const char *common_name,
                         struct server_client_config *out)
{
    (void)context, (void)common_name, (void)out;
    return false;
}

static void report_none(void *context, enum config_severity severity,
                        unsigned line, const char *text)
{
    (void)context, (void)severity;
    fail_msg("line %u: %s", line, text);
}

static bool says_it(void *context, const char *common_name,
                    struct server_client_config *out)
{
    const struct server_club *c = context;
    const struct config_parser_env env = {report_none, NULL, NULL, NULL};
    assert_string_equal(common_name, "qube");
    return server_client_config_parse(bytes_of_text(said_of_clients),
                                      &c->config, &env, out);
}

static void its_own_configuration_counts(void **state)
{
    struct server_club *c = *state;
    said_of_clients = "ifconfig-push 10.8.0.77 255.255.255.0\n"
                      "iroute 192.168.7.0 255.255.255.0\n"
                      "push \"route 10.1.0.0 255.255.0.0\"\npush-reset\n";
    c->env.client_config = says_it;
    c->config.pushes = calloc(1, sizeof *c->config.pushes);
    c->config.pushes[c->config.push_count++] =
        strdup("route 10.2.0.0 255.255.0.0");
    struct server_club_member *m = one_up(c);
    const uint32_t own = 0x0a08004d, behind = 0xc0a80705;
    assert_int_equal(address_to_ipv4(&m->tunnel.ipv4.address), own);
    assert_int_equal(m->tunnel.route_count, 1);
    assert_int_equal(address_to_ipv4(&m->tunnel.routes[0].prefix.address),
                     0x0a010000);
    assert_int_equal(says(c, m, &m->path, own, WEB), DROP_NONE);
    assert_int_equal(says(c, m, &m->path, behind, WEB), DROP_NONE);
    assert_int_equal(says(c, m, &m->path, behind + 0x100, WEB),
                     DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, own, behind), DROP_CLIENT_TO_CLIENT);
    struct address to = address_ipv4(behind);
    assert_non_null(server_find(c->server, &to));
    to = address_ipv4(OWN);
    assert_null(server_find(c->server, &to));
    client_stop(m->client, c->now);
    server_club_run(c, duration_milliseconds(10));
    to = address_ipv4(behind);
    assert_null(server_find(c->server, &to));
}

static void what_is_behind_one_is_not_anothers(void **state)
{
    struct server_club *c = *state;
    said_of_clients = "iroute 192.168.7.0 255.255.255.0\n"
                      "iroute 0.0.0.0 0.0.0.0\n";
    c->env.client_config = says_it;
    c->config.duplicate_cn = true;
    struct server_club_member *m = one_up(c);
    struct address behind = address_ipv4(0xc0a80705);
    struct server_peer *first_peer = server_find(c->server, &behind);
    server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_int_equal(server_club_status(c).up, 2);
    assert_ptr_equal(server_find(c->server, &behind), first_peer);
    /* The server itself is not behind it, whatever else is. */
    assert_int_equal(says(c, m, &m->path, SERVER_IP, WEB), DROP_CLIENT_SPOOFED);
    assert_int_equal(says(c, m, &m->path, OWN + 1, WEB), DROP_CLIENT_SPOOFED);
}

static void an_address_of_its_own_is_nobody_elses(void **state)
{
    struct server_club *c = *state;
    said_of_clients = "ifconfig-push 10.8.0.2 255.255.255.0\n";
    c->env.client_config = says_it;
    c->config.duplicate_cn = true;
    one_up(c);
    server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_int_equal(server_club_status(c).up, 1);
}

static void who_is_disabled_or_unknown_stays_out(void **state)
{
    struct server_club *c = *state;
    said_of_clients = "disable\n";
    c->env.client_config = says_it;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(m->up);
    assert_int_equal(server_club_status(c).logins, 0);
}

static void without_a_configuration_nobody_comes_in(void **state)
{
    struct server_club *c = *state;
    c->env.client_config = says_nothing;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(m->up);
}

static void who_had_an_address_has_it_again(void **state)
{
    struct server_club *c = *state;
    struct server_lease lease;
    uint32_t number = 0;
    server_club_open(c);
    struct address a = address_ipv4(OWN + 40), none = address_ipv4(WEB);
    server_remember(c->server, "qube", &a);
    server_remember(c->server, "other", &none);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_int_equal(address_to_ipv4(&m->tunnel.ipv4.address), OWN + 40);
    assert_true(server_next_lease(c->server, &number, &lease));
    assert_string_equal(lease.common_name, "qube");
    assert_true(address_equal(&lease.ipv4, &a));
    assert_false(server_next_lease(c->server, &number, &lease));
}

/* --- Names, tokens, certificates that may be missing --------------------- */

static unsigned asked; /* for a password */
static enum server_verdict knows_anna(void *context,
                                      const struct server_login *login)
{
    (void)context;
    asked++;
    return text_equal(login->username, "anna") &&
                   text_equal(login->password, "correct-horse")
               ? SERVER_ADMIT
               : SERVER_REFUSE;
}

static void as_anna(struct server_club *c, const char *password)
{
    asked = 0;
    c->env.admit = knows_anna;
    c->username = "anna";
    c->password = password;
}

static void a_name_may_take_the_certificates_place(void **state)
{
    struct server_club *c = *state;
    as_anna(c, "correct-horse");
    c->config.username_as_common_name = true;
    one_up(c);
    struct server_client client;
    uint32_t next = 0;
    assert_true(server_next_client(c->server, &next, &client));
    assert_string_equal(client.common_name, "anna");
    server_renegotiate(c->server, c->now, client.client);
    server_club_run(c, duration_seconds(2));
    assert_int_equal(server_club_status(c).negotiations, 2);
    assert_int_equal(server_club_status(c).up, 1);
}

static void a_token_takes_the_passwords_place(void **state)
{
    struct server_club *c = *state;
    as_anna(c, "correct-horse");
    c->config.tokens = true;
    c->config.token_renewal = 100;
    c->config.token_lifetime = 1000;
    c->config.common.reneg_seconds = 150;
    struct server_club_member *m = one_up(c);
    assert_int_equal(asked, 1);
    /* Renewed in time, it is good for later negotiations, */
    server_club_run(c, duration_seconds(700));
    assert_true(server_club_status(c).negotiations >= 4);
    assert_int_equal(asked, 1);
    /* and for another session. */
    assert_true(server_kick(c->server, c->now, 1, false));
    server_club_run(c, duration_seconds(10));
    assert_true(m->up && m->ups == 2);
    assert_int_equal(asked, 1);
    /* At the end of its life the password is asked for again. */
    server_club_run(c, duration_seconds(900));
    assert_true(m->up);
    assert_true(asked >= 2);
}

static void a_wrong_token_is_no_password(void **state)
{
    struct server_club *c = *state;
    as_anna(c, "SESS_ID_AT_0123456789abcdefAAAAAAAAAAAAAAAAAAAAAE5JsQJOVfo8jnI3"
               "RL3tBaR5NkE4yPfcylFUHmHSc5Bu");
    c->config.tokens = true;
    c->config.token_renewal = 100;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(m->up);
    assert_int_equal(asked, 0);
}

static void a_certificate_may_be_missing_but_not_bad(void **state)
{
    struct server_club *c = *state;
    as_anna(c, "correct-horse");
    c->config.certificate = SERVER_CERTIFICATE_OPTIONAL;
    c->config.duplicate_cn = true;
    server_club_open(c);
    server_club_join(c, NULL, NULL);
    c->without_certificate = true;
    server_club_join(c, NULL, NULL);
    c->without_certificate = false;
    server_club_join(c, pki_alone_crt, pki_alone_key);
    server_club_join(c, pki_expired_crt, pki_expired_key);
    server_club_run(c, duration_seconds(1));
    assert_true(c->members[0].up);
    assert_true(c->members[1].up);
    assert_false(c->members[2].up);
    assert_false(c->members[3].up);
}

static const char *update(struct server_club *c, const char *option)
{
    const char *problem = server_update(c->server, c->now, 1, &option, 1);
    server_club_run(c, duration_milliseconds(100));
    return problem;
}

/* Both ends are ours: keys in epochs, dynamic tls-crypt, and options that
 * change while the tunnel stands. */
static void two_of_ours_use_all_that_there_is(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    const struct session *s =
        &server_peer_of(server_table_at(&c->server->table, 0))->session;
    assert_true(s->data.epoch && s->data.exporter && s->data.dynamic_wrap);
    assert_false(s->primary->key_id > 0);
    server_renegotiate(c->server, c->now, 1);
    server_club_run(c, duration_seconds(2));
    assert_true(s->has_dynamic_wrap && s->primary->key_id == 1);
    assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);

    assert_null(update(c, "route 10.77.0.0 255.255.0.0"));
    assert_int_equal(m->ups, 2);
    assert_int_equal(m->tunnel.route_count, 1);
    assert_null(update(c, "-route"));
    assert_int_equal(m->tunnel.route_count, 0);
    assert_true(m->up);
}

static void what_both_agreed_on_cannot_be_updated(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    static const char *const options[] = {"ifconfig 10.8.0.9 255.255.255.0",
                                          "cipher AES-128-GCM",
                                          "peer-id 7",
                                          "routes",
                                          "",
                                          "-",
                                          "route 1.2.3.4,cipher none",
                                          "route\t1.2.3.4"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        assert_non_null(update(c, options[i]));
    assert_non_null(server_update(c->server, c->now, 2, options, 1));
    assert_int_equal(m->ups, 1);
}

static void an_old_client_gets_no_update(void **state)
{
    struct server_club *c = *state;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_PUSH_UPDATE;
    one_up(c);
    assert_non_null(update(c, "route 10.77.0.0 255.255.0.0"));
}

static void who_moves_nothing_is_sent_away(void **state)
{
    struct server_club *c = *state;
    c->config.common.inactive = 30;
    c->config.common.inactive_bytes = 150;
    struct server_club_member *m = one_up(c);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);
        server_club_run(c, duration_seconds(10));
    }
    assert_true(m->up);
    assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);
    server_club_run(c, duration_seconds(61));
    assert_false(m->up);
    assert_true(server_is_empty(c->server));
}

static bool is_at(struct server_club *c, const struct server_path *path)
{
    struct server_client client;
    uint32_t next = 0;
    assert_true(server_next_client(c->server, &next, &client));
    return endpoint_equal(&client.path->remote, &path->remote);
}

/* A client at the end of a connection. */
static struct server_club_member *one_connected(struct server_club *c)
{
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    m->path.stream = 7;
    assert_false(server_knows(c->server, &m->path));
    server_club_run(c, duration_seconds(1));
    assert_true(m->up && server_knows(c->server, &m->path));
    return m;
}

static void a_connection_has_one_session(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_connected(c);
    uint64_t answers = server_club_status(c).answers;
    struct control_packet p = first;
    assert_int_not_equal(hear_packet(c, &m->path, &p), DROP_NONE);
    assert_int_equal(server_club_status(c).answers, answers);
    /* The other connections' strangers are strangers. */
    struct server_path other = m->path;
    other.stream++;
    assert_false(server_knows(c->server, &other));
    assert_int_equal(hear_packet(c, &other, &first), DROP_NONE);
    assert_int_equal(server_club_status(c).answers, answers + 1);
    assert_false(server_knows(c->server, &other));
}

static void a_cookie_is_good_for_its_connection_only(void **state)
{
    struct server_club *c = *state;
    struct control_packet answer;
    struct server_path connected = stranger;
    connected.stream = 3;
    server_club_open(c);
    ask(c, &answer);
    struct control_packet p = second(&answer.session);
    assert_int_equal(hear_packet(c, &connected, &p), DROP_SERVER_COOKIE);
    assert_false(server_knows(c->server, &connected));
}

static void a_connection_moves_nowhere(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_connected(c);
    struct server_path datagrams = m->path, other = m->path;
    datagrams.stream = 0;
    other.stream++;
    assert_int_equal(says(c, m, &datagrams, OWN, WEB), DROP_DATA_NO_KEY);
    assert_int_equal(says(c, m, &other, OWN, WEB), DROP_DATA_NO_KEY);
    assert_int_equal(says(c, m, &m->path, OWN, WEB), DROP_NONE);
}

static void with_its_connection_a_client_is_gone(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_connected(c);
    struct server_path other = m->path;
    other.stream++;
    server_disconnected(c->server, c->now, &other);
    assert_int_equal(server_club_status(c).up, 1);
    server_disconnected(c->server, c->now, &m->path);
    assert_int_equal(server_club_status(c).up, 0);
    server_club_run(c, duration_milliseconds(1));
    assert_true(server_is_empty(c->server));
    server_disconnected(c->server, c->now, &m->path);
}

static void with_its_client_a_connection_is_hung_up(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_connected(c);
    assert_true(server_kick(c->server, c->now, 1, true));
    assert_false(m->hung_up);
    server_club_run(c, duration_seconds(1));
    assert_true(server_is_empty(c->server));
    assert_true(m->hung_up && !m->up);
}

static void an_address_moves_only_after_authentication(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    uint8_t bytes[2048];
    size_t size = server_club_seal(c, m, OWN, WEB, bytes);
    struct server_path before = m->path;
    bytes[size - 1] ^= 1;
    assert_int_equal(
        server_club_hear(c, &stranger, bytes_of(bytes, size), NULL),
        DROP_DATA_AUTH);
    assert_true(is_at(c, &before));
    bytes[size - 1] ^= 1;
    assert_int_equal(server_club_hear(c, &before, bytes_of(bytes, size), NULL),
                     DROP_NONE);
    /* A copy of what was seen moves nothing. */
    assert_int_equal(
        server_club_hear(c, &stranger, bytes_of(bytes, size), NULL),
        DROP_DATA_REPLAY);
    assert_true(is_at(c, &before));
    assert_int_equal(says(c, m, &stranger, OWN, WEB), DROP_NONE);
    assert_true(is_at(c, &stranger));
    /* The control channel moves with it. */
    m->path = stranger;
    server_renegotiate(c->server, c->now, 1);
    server_club_run(c, duration_seconds(2));
    assert_int_equal(server_club_status(c).negotiations, 2);
    assert_true(m->up);
}

static void who_is_kicked_comes_again_or_not(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    assert_true(server_kick(c->server, c->now, 1, false));
    server_club_run(c, duration_seconds(5));
    assert_int_equal(server_club_status(c).logins, 2);
    assert_true(m->up);
    assert_false(server_kick(c->server, c->now, 1, true));
    assert_true(server_kick(c->server, c->now, 2, true));
    server_club_run(c, duration_seconds(100));
    assert_false(m->up);
    assert_int_equal(server_club_status(c).logins, 2);
}

static void a_stopping_server_says_goodbye(void **state)
{
    struct server_club *c = *state;
    c->config.exit_notify = true;
    struct server_club_member *m = one_up(c);
    server_stop(c->server, c->now);
    assert_false(server_is_empty(c->server));
    server_club_run(c, duration_milliseconds(200));
    assert_true(server_is_empty(c->server));
    assert_false(m->up);
    assert_non_null(strstr(m->text, "asks for a new connection"));
}

static void a_client_that_stops_is_forgotten_at_once(void **state)
{
    struct server_club *c = *state;
    struct server_club_member *m = one_up(c);
    client_stop(m->client, c->now);
    server_club_run(c, duration_milliseconds(10));
    assert_true(server_is_empty(c->server));
    assert_int_equal(server_club_status(c).goodbyes, 1);
}

static void a_silent_client_is_forgotten(void **state)
{
    struct server_club *c = *state;
    one_up(c);
    c->members[0].path.remote.port++; /* nothing reaches it any more */
    client_stop(c->members[0].client, c->now);
    server_club_run(c, duration_seconds(115));
    assert_int_equal(server_club_status(c).up, 1);
    server_club_run(c, duration_seconds(6));
    assert_true(server_is_empty(c->server));
}

static void wide_pushes_go_in_several_messages(void **state)
{
    struct server_club *c = *state;
    enum { ROUTES = 100 };
    c->config.pushes = calloc(ROUTES, sizeof *c->config.pushes);
    assert_non_null(c->config.pushes);
    for (unsigned i = 0; i < ROUTES; i++) {
        char text[64];
        snprintf(text, sizeof text, "route 10.%u.0.0 255.255.0.0", 50 + i);
        c->config.pushes[c->config.push_count++] = strdup(text);
    }
    struct server_club_member *m = one_up(c);
    assert_int_equal(m->tunnel.route_count, ROUTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_packet_is_answered_and_forgotten),
        TEST(the_cookie_makes_a_client),
        TEST(every_other_cookie_is_refused),
        TEST(a_cookie_gets_too_old),
        TEST(what_cannot_follow_the_answer_makes_no_client),
        TEST(a_malformed_first_packet_is_not_answered),
        TEST(first_answers_are_limited),
        TEST(a_full_server_takes_no_more),
        TEST(new_sessions_are_limited),
        TEST(garbage_is_dropped_and_counted),
        TEST(fifty_clients_get_an_address_each),
        TEST(the_same_name_again_takes_the_place),
        TEST(from_the_same_place_it_keeps_its_peer_id),
        TEST(while_it_is_heard_nobody_begins_in_its_place),
        TEST(a_certificate_that_is_none_stays_out),
        TEST(another_list_of_revoked_certificates_drops_nobody),
        TEST(a_pool_that_is_empty_says_so),
        TEST(only_its_own_address_is_let_through),
        TEST(clients_may_meet_where_that_is_wanted),
        TEST(without_a_subnet_each_has_another_end),
        TEST(the_pool_of_ipv6_is_its_own),
        TEST(its_own_configuration_counts),
        TEST(what_is_behind_one_is_not_anothers),
        TEST(an_address_of_its_own_is_nobody_elses),
        TEST(who_is_disabled_or_unknown_stays_out),
        TEST(without_a_configuration_nobody_comes_in),
        TEST(who_had_an_address_has_it_again),
        TEST(a_name_may_take_the_certificates_place),
        TEST(a_token_takes_the_passwords_place),
        TEST(a_wrong_token_is_no_password),
        TEST(a_certificate_may_be_missing_but_not_bad),
        TEST(two_of_ours_use_all_that_there_is),
        TEST(what_both_agreed_on_cannot_be_updated),
        TEST(an_old_client_gets_no_update),
        TEST(who_moves_nothing_is_sent_away),
        TEST(a_connection_has_one_session),
        TEST(a_cookie_is_good_for_its_connection_only),
        TEST(a_connection_moves_nowhere),
        TEST(with_its_connection_a_client_is_gone),
        TEST(with_its_client_a_connection_is_hung_up),
        TEST(an_address_moves_only_after_authentication),
        TEST(who_is_kicked_comes_again_or_not),
        TEST(a_stopping_server_says_goodbye),
        TEST(a_client_that_stops_is_forgotten_at_once),
        TEST(a_silent_client_is_forgotten),
        TEST(wide_pushes_go_in_several_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
