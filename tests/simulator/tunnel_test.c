/* A tunnel that stands: renegotiation, silence, restarts, refusals, goodbyes,
 * and packets of strangers. */
#include "gateway/openvpn/client/credentials.h"
#include "tests/simulator/quiet.h"
#include "tests/simulator/world.h"
#include "tests/unit.h"

static struct world *up(const struct world_options *o)
{
    struct world *w = world_new(o);
    assert_true(world_run_until(w, duration_seconds(200), CLIENT_UP));
    return w;
}

/* Traffic both ways for so long, a packet every 50 ms. */
static void talk(struct world *w, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 20; i++) {
        assert_true(world_client_sends(w));
        assert_true(world_server_sends(w));
        world_run(w, duration_milliseconds(50));
    }
}

/* Each packet came through once, but for those that the pipes lost. */
static void nothing_else_was_lost(struct world *w)
{
    world_run(w, duration_seconds(1));
    assert_int_equal(w->downs, 0);
    assert_int_equal(w->arrivals.count + w->down.data_lost, w->server_numbers);
    assert_int_equal(w->server.arrivals.count + w->up.data_lost,
                     w->client_numbers);
    assert_int_equal(w->arrivals.repeated + w->server.arrivals.repeated, 0);
    assert_int_equal(w->arrivals.garbled + w->server.arrivals.garbled, 0);
}

/* Renegotiation. */

static void client_renegotiates(struct config *c)
{
    c->reneg_seconds = 30;
}

static struct pipe_faults lossy(void)
{
    return (struct pipe_faults){.loss = 15,
                                .doubles = 5,
                                .delay = duration_milliseconds(30),
                                .jitter = duration_milliseconds(60)};
}

static void renegotiates(struct world_options *o)
{
    for (uint32_t seed = 1; seed <= 3; seed++) {
        o->seed = seed;
        struct world *w = up(o);
        talk(w, 150);
        nothing_else_was_lost(w);
        assert_in_range(world_status(w).negotiations, 4, 6);
        assert_int_equal(server_end_status(&w->server).negotiations,
                         world_status(w).negotiations);
        world_free(w);
    }
}

static void the_client_renegotiates_and_loses_nothing(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = client_renegotiates;
    renegotiates(&o);
    o.faults = lossy();
    renegotiates(&o);
}

static void the_server_renegotiates_and_nothing_is_lost(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.server.renegotiate_seconds = 30;
    renegotiates(&o);
    o.faults = lossy();
    renegotiates(&o);
}

static void both_renegotiate_at_once(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.server.renegotiate_seconds = 30;
    o.change_config = client_renegotiates;
    renegotiates(&o);
    o.faults = lossy();
    renegotiates(&o);
}

static void renegotiation_works_with_the_old_prf_and_tls_crypt(void **state)
{
    (void)state;
    struct static_key key;
    memset(key.bytes, 0x33, sizeof key.bytes);
    struct world_options o = world_usual(1);
    o.server.renegotiate_seconds = 30;
    o.server.exporter = o.server.dynamic_wrap = false;
    o.server.tls_crypt = &key;
    renegotiates(&o);
    o.server.exporter = o.server.dynamic_wrap = true;
    renegotiates(&o);
}

static void renegotiate_by_packets(struct config *c)
{
    c->reneg_seconds = 0;
    c->reneg_packets = 400; /* 10 s of talk */
    c->hand_window = 10;    /* and so long the old keys are used on */
}

/* A server that answers a soft reset without one of its own. */
static void openvpn_3_answers(struct world_options *o)
{
    o->server.dynamic_wrap = false;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        o->seed = seed;
        struct world *w = up(o);
        talk(w, 150);
        nothing_else_was_lost(w);
        assert_in_range(world_status(w).negotiations, 4, 6);
        assert_int_equal(server_end_status(&w->server).negotiations,
                         world_status(w).negotiations);
        assert_int_equal(w->client_mouth.answered + w->server_mouth.answered +
                             1,
                         world_status(w).negotiations);
        world_free(w);
    }
}

static void an_openvpn_3_client_renegotiates_with_our_server(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.server.renegotiate_seconds = 30;
    o.core3_client = true;
    openvpn_3_answers(&o);
    o.faults = lossy();
    openvpn_3_answers(&o);
}

static void an_openvpn_3_server_renegotiates_with_our_client(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = client_renegotiates;
    o.core3_server = true;
    openvpn_3_answers(&o);
    o.faults = lossy();
    openvpn_3_answers(&o);
}

static void so_many_packets_need_new_keys(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = renegotiate_by_packets;
    struct world *w = up(&o);
    talk(w, 65); /* 1300 packets each way */
    nothing_else_was_lost(w);
    assert_int_equal(world_status(w).negotiations, 4);
    world_free(w);
}

/* A path on which no negotiation gets through, for a while. */
static void the_old_keys_go_on_without(struct world *w, bool up_too)
{
    w->down.faults.no_new_keys = true;
    w->up.faults.no_new_keys = up_too;
    talk(w, 220);
    nothing_else_was_lost(w);
    assert_int_equal(world_status(w).negotiations, 1);
    w->down.faults.no_new_keys = w->up.faults.no_new_keys = false;
    talk(w, 160);
    nothing_else_was_lost(w);
    assert_in_range(world_status(w).negotiations, 3, 8);
    assert_int_equal(world_status(w).reconnects, 0);
    world_free(w);
}

static void the_old_keys_go_on_where_no_new_ones_can_be_had(void **state)
{
    (void)state;
    for (int up_too = 0; up_too <= 1; up_too++) {
        struct world_options o = world_usual(1);
        o.server.renegotiate_seconds = 30;
        the_old_keys_go_on_without(up(&o), up_too);
        o = world_usual(2);
        o.change_config = client_renegotiates;
        the_old_keys_go_on_without(up(&o), up_too);
        o.server.renegotiate_seconds = 30;
        the_old_keys_go_on_without(up(&o), up_too);
    }
}

static void short_transition(struct config *c)
{
    c->reneg_seconds = 30;
    c->hand_window = 20;
    c->tran_window = 100;
}

static void but_not_for_ever(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = short_transition;
    struct world *w = up(&o);
    w->down.faults.no_new_keys = true;
    talk(w, 125);
    assert_int_equal(w->downs, 0);
    world_run(w, duration_seconds(20));
    assert_int_equal(w->downs, 1);
    assert_non_null(strstr(w->text, "negotiation was not over"));
    /* A new connection is not what this path lacks. */
    assert_true(world_run_until(w, duration_seconds(20), CLIENT_UP));
    world_free(w);
}

/* Ten generations: key ids go round from 7 to 1. */
static void key_ids_go_round(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = client_renegotiates;
    struct world *w = up(&o);
    talk(w, 300);
    nothing_else_was_lost(w);
    assert_true(world_status(w).negotiations >= 10);
    world_free(w);
}

/* Packets that are cut inside of the tunnel: 40 bytes of 100 in each piece. */
static struct world *cut_up(const struct world_options *usual, uint32_t seed)
{
    struct world_options o = *usual;
    o.seed = seed;
    o.server.fragment = 24 + 4 + 40;
    o.server.renegotiate_seconds = 30;
    return up(&o);
}

static uint64_t drops_at(const struct drop_counters *drops)
{
    return drops->count[DROP_DATA_FRAGMENT] +
           drops->count[DROP_DATA_FRAGMENT_LOST];
}

static void pieces_that_are_mixed_up_are_packets_again(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.faults = (struct pipe_faults){.doubles = 10,
                                    .delay = duration_milliseconds(30),
                                    .jitter = duration_milliseconds(400)};
    for (uint32_t seed = 1; seed <= 5; seed++) {
        struct world *w = cut_up(&o, seed);
        talk(w, 70);
        nothing_else_was_lost(w);
        assert_true(w->up.sent > 3 * w->client_numbers);
        assert_true(w->down.sent > 3 * w->server_numbers);
        assert_int_equal(drops_at(world_status(w).drops), 0);
        assert_int_equal(drops_at(server_end_status(&w->server).drops), 0);
        world_free(w);
    }
}

/* A packet that lacks a piece is lost, and no other suffers. */
static void lost_pieces_cost_their_packet_only(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.faults = lossy();
    for (uint32_t seed = 1; seed <= 5; seed++) {
        struct world *w = cut_up(&o, seed);
        talk(w, 70);
        world_run(w, duration_seconds(1));
        assert_int_equal(w->arrivals.repeated + w->server.arrivals.repeated, 0);
        assert_int_equal(w->arrivals.garbled + w->server.arrivals.garbled, 0);
        assert_int_equal(w->downs, 0);
        assert_true(w->arrivals.count < w->server_numbers);
        assert_true(w->arrivals.count + w->down.data_lost >= w->server_numbers);
        assert_true(w->server.arrivals.count + w->up.data_lost >=
                    w->client_numbers);
        /* Their remains are counted, but for the last ones'. */
        assert_true(drops_at(world_status(w).drops) > 100);
        assert_true(drops_at(server_end_status(&w->server).drops) > 100);
        world_free(w);
    }
}

/* Keepalive. */

static void pings_keep_an_idle_tunnel_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    world_run(w, duration_seconds(1800));
    assert_int_equal(world_status(w).state, CLIENT_UP);
    assert_int_equal(w->downs, 0);
    assert_int_equal(w->arrivals.count + w->arrivals.garbled, 0);
    /* One ping each 10 s. */
    assert_in_range(w->up.sent, 180, 230);
    world_free(w);
}

static void a_silent_server_is_given_up_and_found_again(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    w->server.silent = true;
    world_run(w, duration_seconds(59));
    assert_int_equal(w->downs, 0);
    world_run(w, duration_seconds(3));
    assert_int_equal(w->downs, 1);
    assert_non_null(strstr(w->text, "silent for 60 s"));
    assert_true(world_client_refuses(w));
    world_run(w, duration_seconds(1000));
    assert_int_equal(w->ups, 1);
    /* However long it was away, it is found within a second. */
    w->server.silent = false;
    assert_true(world_run_until(w, duration_milliseconds(1500), CLIENT_UP));
    talk(w, 2);
    assert_int_equal(w->ups, 2);
    world_free(w);
}

/* Alone it takes the place of the two minutes that a client has by itself. */
static void a_ping_exit_counts_like_a_ping_restart(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.server.push = "ping-exit 4";
    struct world *w = world_new(&o);
    w->server.config.ping_restart = 0;
    w->server.config.ping = 1;
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_run(w, duration_seconds(30));
    assert_int_equal(w->downs, 0);
    w->server.silent = true;
    world_run(w, duration_milliseconds(5500));
    assert_int_equal(w->downs, 1);
    assert_non_null(strstr(w->text, "silent for 4 s"));
    w->server.silent = false;
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_free(w);
}

static void a_restarted_server_is_noticed(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    server_end_restart(&w->server, w->now);
    world_run(w, duration_seconds(62));
    assert_int_equal(w->downs, 1);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_run(w, duration_seconds(1));
    assert_int_equal(server_end_status(&w->server).logins, 2);
    assert_int_equal(w->ups, 2);
    world_free(w);
}

/* Messages of the server. */

static void say(struct world *w, const char *text)
{
    assert_true(server_end_say(&w->server, w->now, text));
    world_run(w, duration_milliseconds(100));
}

static void restart_means_connecting_again(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    say(w, "RESTART,be right back");
    assert_int_equal(w->downs, 1);
    assert_non_null(strstr(w->text, "be right back"));
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    say(w, "EXIT");
    assert_int_equal(w->downs, 2);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_free(w);
}

static void halt_means_the_end(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    say(w, "HALT,you are banned");
    world_run(w, duration_seconds(1000));
    assert_int_equal(world_status(w).state, CLIENT_STOPPED);
    assert_int_equal(w->stops, 1);
    assert_int_equal(w->connects, 1);
    assert_non_null(strstr(w->text, "you are banned"));
    world_free(w);
}

static void a_pushed_update_changes_the_tunnel(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    world_run(w, duration_seconds(1));
    say(w, "PUSH_UPDATE,ifconfig 10.8.0.99 255.255.255.0,tun-mtu 1400");
    assert_int_equal(w->ups, 2);
    assert_int_equal(w->downs, 0);
    assert_int_equal(address_to_ipv4(&w->tunnel.ipv4.address), 0x0a080063);
    assert_int_equal(w->tunnel.mtu, 1400);
    world_free(w);
}

static void a_narrower_path_makes_the_tunnel_s_packets_smaller(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    assert_int_equal(w->ups, 1);
    client_path_changed(w->client, w->now, 1500);
    world_run(w, duration_seconds(1));
    assert_int_equal(w->ups, 1);
    client_path_changed(w->client, w->now, 1400);
    world_run(w, duration_seconds(1));
    assert_int_equal(w->ups, 2);
    assert_int_equal(w->tunnel.mtu, 1500);
    assert_int_equal(w->tunnel.path_mtu, 1348);
    assert_int_equal(w->tunnel.mss_mtu, 1348);
    /* A later push does not widen it. */
    say(w, "PUSH_UPDATE,tun-mtu 1450");
    assert_int_equal(w->tunnel.mtu, 1450);
    assert_int_equal(w->tunnel.path_mtu, 1348);
    assert_int_equal(w->downs, 0);
    world_free(w);
}

static void with_a_password(struct config *c)
{
    c->auth_user_pass = true;
    assert_true(config_set_text(&c->username, bytes_of_text("anna")));
    assert_true(config_set_text(&c->password, bytes_of_text("wrong")));
    c->auth_retry = CONFIG_RETRY_NOINTERACT;
}

static void refusals_are_few_and_then_a_person_is_asked(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = with_a_password;
    o.server.refuse = "AUTH_FAILED,no such user";
    struct world *w = world_new(&o);
    assert_true(
        world_run_until(w, duration_seconds(3000), CLIENT_AWAIT_CREDENTIALS));
    world_run(w, duration_seconds(1000));
    assert_int_equal(w->connects, CREDENTIALS_REFUSALS_MAX);
    assert_int_equal(w->asks, 1);
    w->server.options.refuse = NULL;
    client_credentials(w->client, w->now, "anna", "right", NULL);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    assert_string_equal(w->server.client_password, "right");
    world_free(w);
}

static void a_challenge_is_answered(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = with_a_password;
    /* "bob" */
    o.server.refuse = "AUTH_FAILED,CRV1:R,E:state7:Ym9i:Your code?";
    struct world *w = world_new(&o);
    assert_true(
        world_run_until(w, duration_seconds(30), CLIENT_AWAIT_CREDENTIALS));
    world_run(w, duration_seconds(1));
    assert_string_equal(w->text, "Your code?");
    w->server.options.refuse = NULL;
    client_credentials(w->client, w->now, NULL, NULL, "123456");
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    assert_string_equal(w->server.client_name, "bob");
    assert_string_equal(w->server.client_password, "CRV1::state7::123456");
    world_free(w);
}

static void a_token_takes_the_passwords_place(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = with_a_password;
    o.server.push = "auth-token tok1";
    struct world *w = up(&o);
    assert_string_equal(w->server.client_password, "wrong");
    client_reconnect(w->client, w->now);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    assert_string_equal(w->server.client_password, "tok1");
    /* A token that is refused is dropped, and the password is tried again. */
    w->server.options.refuse = "AUTH_FAILED";
    client_reconnect(w->client, w->now);
    world_run(w, duration_milliseconds(900));
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(20), CLIENT_UP));
    assert_string_equal(w->server.client_password, "wrong");
    world_free(w);
}

static void with_a_persons_password(struct config *c)
{
    c->auth_user_pass = true;
}

/* Without flag P a password is forgotten, unless nothing is said at all. */
static void a_restart_may_cost_a_password(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.change_config = with_a_persons_password;
    struct world *w = world_new(&o);
    client_credentials(w->client, w->now, "anna", "typed", NULL);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    static const char *const harmless[] = {"RESTART", "RESTART,[P]soon",
                                           "RESTART,[N,P]"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        assert_true(server_end_say(&w->server, w->now, harmless[i]));
        world_run(w, duration_seconds(5));
        assert_true(world_run_until(w, duration_seconds(30), CLIENT_UP));
    }
    assert_int_equal(w->asks, 1);
    assert_true(server_end_say(&w->server, w->now, "RESTART,[N]"));
    assert_true(
        world_run_until(w, duration_seconds(30), CLIENT_AWAIT_CREDENTIALS));
    world_free(w);
}

static void hold_back(struct world *w, const char *text)
{
    w->server.options.refuse = text;
    assert_true(
        world_run_until(w, duration_seconds(5), CLIENT_AWAIT_PUSH_REPLY));
    world_run(w, duration_seconds(1));
}

static void a_question_before_the_push_is_answered(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = world_new(&o);
    hold_back(w, "INFO_PRE,CR_TEXT:R,E:Your code?");
    assert_string_equal(w->text, "Your code?");
    assert_true(world_status(w).wants_response);
    assert_true(world_status(w).response_shown);
    client_credentials(w->client, w->now, NULL, NULL, "123456");
    world_run(w, duration_milliseconds(200));
    assert_string_equal(w->server.response, "MTIzNDU2");
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    world_free(w);
}

/* Without flag R its text is only to be read. */
static void what_needs_no_answer_is_not_asked_for_one(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = world_new(&o);
    hold_back(w, "INFO_PRE,CR_TEXT::Touch your key");
    assert_string_equal(w->text, "Touch your key");
    assert_int_equal(w->asks, 1);
    assert_false(world_status(w).wants_response);
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    world_free(w);
}

static void a_browser_login_is_shown_and_waited_for(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = world_new(&o);
    hold_back(w, "INFO_PRE,WEB_AUTH::https://login.example/x?y=1");
    assert_string_equal(w->text,
                        "Log in with a browser: https://login.example/x?y=1");
    w->server.options.refuse = "AUTH_PENDING,timeout 300";
    world_run(w, duration_seconds(250));
    assert_int_equal(world_status(w).state, CLIENT_AWAIT_PUSH_REPLY);
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    assert_int_equal(w->connects, 1);
    world_free(w);
}

/* Goodbyes. */

static void stopping_says_goodbye(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    client_stop(w->client, w->now);
    world_run(w, duration_seconds(1));
    assert_int_equal(server_end_status(&w->server).goodbyes, 1);
    assert_int_equal(w->downs, 1);
    assert_int_equal(w->disconnects, 1);
    assert_int_equal(w->stops, 1);
    assert_true(world_client_refuses(w));
    world_free(w);
}

static void reconnecting_says_goodbye(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    client_reconnect(w->client, w->now);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_run(w, duration_seconds(1));
    assert_int_equal(w->downs, 1);
    assert_int_equal(w->ups, 2);
    assert_int_equal(w->connects, 2);
    world_free(w);
}

/* Strangers. */

static uint64_t dropped(const struct world *w, enum drop reason)
{
    return world_status(w).drops->count[reason];
}

static void garbage_is_dropped_and_counted(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = up(&o);
    uint8_t bytes[600];
    uint32_t random = 99;
    uint64_t sum = 0;
    for (int i = 0; i < 3000; i++) {
        size_t size = 1 + next_random(&random) % sizeof bytes;
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)(next_random(&random) >> 9);
        world_inject(w, bytes, size);
    }
    for (int reason = 1; reason < DROP_COUNT; reason++)
        sum += dropped(w, (enum drop)reason);
    assert_int_equal(sum, 3000);
    assert_true(dropped(w, DROP_OPCODE) > 0);
    assert_true(dropped(w, DROP_DATA_NO_KEY) > 0);
    assert_true(dropped(w, DROP_DATA_AUTH) > 0);
    assert_true(dropped(w, DROP_CONTROL_SESSION) > 0);
    talk(w, 2);
    nothing_else_was_lost(w);
    world_free(w);
}

static void replayed_packets_are_dropped_and_counted(void **state)
{
    (void)state;
    struct static_key key;
    memset(key.bytes, 0x11, sizeof key.bytes);
    struct world_options o = world_usual(1);
    o.server.tls_crypt = &key;
    o.faults.doubles = 100;
    struct world *w = up(&o);
    talk(w, 5);
    nothing_else_was_lost(w);
    assert_int_equal(dropped(w, DROP_DATA_REPLAY), w->server_numbers);
    assert_true(dropped(w, DROP_CONTROL_REPLAY) > 0);
    world_free(w);
}

static void altered_packets_are_dropped_and_counted(void **state)
{
    (void)state;
    struct static_key key;
    memset(key.bytes, 0x11, sizeof key.bytes);
    struct world_options o = world_usual(1);
    o.server.tls_crypt = &key;
    struct world *w = up(&o);
    struct bytes datagram;
    uint8_t copy[PIPE_DATAGRAM_MAX];
    assert_true(server_end_say(&w->server, w->now, "EXIT"));
    assert_true(server_end_transmit(&w->server, w->now, &datagram));
    for (size_t i = 0; i < datagram.size; i++) {
        memcpy(copy, datagram.data, datagram.size);
        copy[i] ^= 0x40;
        world_inject(w, copy, datagram.size);
        world_inject(w, copy, i);
    }
    assert_int_equal(w->downs, 0);
    assert_true(dropped(w, DROP_CONTROL_AUTH) > 100);
    assert_true(dropped(w, DROP_CONTROL_MALFORMED) > 20);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_renegotiates_and_loses_nothing),
        cmocka_unit_test(the_server_renegotiates_and_nothing_is_lost),
        cmocka_unit_test(both_renegotiate_at_once),
        cmocka_unit_test(renegotiation_works_with_the_old_prf_and_tls_crypt),
        cmocka_unit_test(an_openvpn_3_client_renegotiates_with_our_server),
        cmocka_unit_test(an_openvpn_3_server_renegotiates_with_our_client),
        cmocka_unit_test(so_many_packets_need_new_keys),
        cmocka_unit_test(the_old_keys_go_on_where_no_new_ones_can_be_had),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(key_ids_go_round),
        cmocka_unit_test(pings_keep_an_idle_tunnel_up),
        cmocka_unit_test(a_silent_server_is_given_up_and_found_again),
        cmocka_unit_test(a_ping_exit_counts_like_a_ping_restart),
        cmocka_unit_test(a_restart_may_cost_a_password),
        cmocka_unit_test(what_needs_no_answer_is_not_asked_for_one),
        cmocka_unit_test(a_restarted_server_is_noticed),
        cmocka_unit_test(restart_means_connecting_again),
        cmocka_unit_test(halt_means_the_end),
        cmocka_unit_test(a_pushed_update_changes_the_tunnel),
        cmocka_unit_test(a_narrower_path_makes_the_tunnel_s_packets_smaller),
        cmocka_unit_test(refusals_are_few_and_then_a_person_is_asked),
        cmocka_unit_test(a_challenge_is_answered),
        cmocka_unit_test(a_token_takes_the_passwords_place),
        cmocka_unit_test(a_question_before_the_push_is_answered),
        cmocka_unit_test(a_browser_login_is_shown_and_waited_for),
        cmocka_unit_test(pieces_that_are_mixed_up_are_packets_again),
        cmocka_unit_test(lost_pieces_cost_their_packet_only),
        cmocka_unit_test(stopping_says_goodbye),
        cmocka_unit_test(reconnecting_says_goodbye),
        cmocka_unit_test(garbage_is_dropped_and_counted),
        cmocka_unit_test(replayed_packets_are_dropped_and_counted),
        cmocka_unit_test(altered_packets_are_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
