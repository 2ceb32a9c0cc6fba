#include "gateway/base/log.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"
#include "tests/wireguard/client/client_world.h"

static struct client_world w;

/* As the caller does: input, then what follows. */
static void input(void (*function)(struct protocol *p, struct instant now))
{
    function(w.client, w.now);
    client_world_settle(&w);
}

#define INPUT(function) input(w.client->kind->function)

static void narrow(uint16_t mtu)
{
    w.client->kind->path_changed(w.client, w.now, 28, mtu);
    client_world_settle(&w);
}

static void refuse(void)
{
    w.client->kind->refused(w.client, w.now, PROTOCOL_REFUSED_PORT);
    client_world_settle(&w);
}

static void assert_state(enum vpn_state expected)
{
    enum vpn_state state = client_world_status(&w).state;
    if (state != expected)
        fail_msg("%s, and not %s", vpn_state_name(state),
                 vpn_state_name(expected));
}

static void assert_waits_for(const char *expected)
{
    const char *text = client_world_waiting(&w);
    if (!strstr(text, expected))
        fail_msg("it waits for: %s", text);
}

static void connect_it(void)
{
    INPUT(start);
    assert_true(w.up);
    assert_state(VPN_STATE_CONNECTED);
}

static void from_start_to_connected(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    assert_state(VPN_STATE_CONNECTING);
    assert_true(instant_is_never(client_world_status(&w).last_received));
    INPUT(start);
    assert_int_equal(w.connects, 1);
    assert_int_equal(w.resolves, 0);
    assert_int_equal(w.ups, 1);
    assert_int_equal(w.sent[0].type, WIRE_INITIATION);
    assert_int_equal(w.sent[0].tos, 0x88);
    /* the tunnel is the profile's, cut to the way */
    assert_int_equal(address_to_ipv4(&w.tunnel.ipv4.address), 0x0a400009);
    assert_int_equal(w.tunnel.mtu, 1500 - 28 - 32);
    assert_true(w.tunnel.redirect_ipv4);
    assert_false(w.tunnel.redirect_ipv6);
    assert_int_equal(w.tunnel.resolver_count, 1);
    /* the question of its own was answered, and the answer kept */
    assert_int_equal(w.questions, 1);
    assert_int_equal(w.handed_on, 0);
    assert_state(VPN_STATE_CONNECTED);
    client_world_wait(&w, 60000);
    assert_int_equal(w.questions, 1);
    assert_string_equal(client_world_waiting(&w), "");
    assert_true(client_world_status(&w).last_received.us < w.now.us);
    client_world_answer(&w, "192.0.2.99");
    assert_int_equal(w.handed_on, 1);
    assert_int_equal(client_world_status(&w).last_received.us, w.now.us);
    client_world_close(&w);
}

static void shaken_hands_are_no_connection_yet(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    w.dead_inside = true;
    INPUT(start);
    assert_true(w.up);
    assert_state(VPN_STATE_CONNECTING);
    client_world_wait(&w, 4000);
    assert_waits_for("nothing has come back");
    enum drop drop;
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    assert_int_equal(drop, DROP_NONE);
    client_world_wait(&w, 8000);
    assert_int_equal(w.questions, 3); /* every five seconds */
    assert_true(w.up);
    w.dead_inside = false;
    client_world_wait(&w, 3500);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void nothing_is_sealed_unless_it_is_up(void **state)
{
    (void)state;
    enum drop drop;
    client_world_open(&w, NULL, NULL);
    assert_false(client_world_send(&w, "192.0.2.99", &drop));
    w.mute = true;
    INPUT(start);
    for (int i = 0; i < 300; i++) {
        client_world_wait(&w, 1000);
        assert_false(client_world_send(&w, "192.0.2.99", &drop));
    }
    assert_int_equal(w.ups, 0);
    w.mute = false;
    client_world_wait(&w, 6000);
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    INPUT(stop);
    assert_false(client_world_send(&w, "192.0.2.99", &drop));
    client_world_close(&w);
}

#define NAMED                                                                  \
    "[Interface]\nPrivateKey = %C\nAddress = 10.64.0.9/32\n"                   \
    "DNS = 10.64.0.1\n[Peer]\nPublicKey = %S\nAllowedIPs = 0.0.0.0/0\n"        \
    "Endpoint = vpn.example.org:51820\n"

static void set_names(const char *one, const char *other)
{
    w.name_count = 0;
    w.names[w.name_count++] = craft_address(one);
    if (other)
        w.names[w.name_count++] = craft_address(other);
}

static void a_name_is_looked_up_for_ever(void **state)
{
    (void)state;
    client_world_open(&w, NAMED, NULL);
    INPUT(start);
    assert_int_equal(w.resolves, 1);
    assert_string_equal(w.last_name, "vpn.example.org");
    assert_state(VPN_STATE_WAITING_TO_RETRY);
    assert_non_null(strstr(client_world_status(&w).last_error,
                           "vpn.example.org: the name is not known"));
    client_world_wait(&w, 600000);
    assert_int_equal(w.resolves, 22);
    assert_int_equal(client_world_status(&w).rounds, 22);
    set_names("192.0.2.2", NULL);
    client_world_wait(&w, 30000);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void addresses_are_tried_in_turn_and_asked_for_again(void **state)
{
    (void)state;
    client_world_open(&w, NAMED, NULL);
    set_names("203.0.113.1", "203.0.113.2");
    struct instant start = w.now;
    INPUT(start);
    client_world_wait(&w, 14000);
    assert_int_equal(client_world_initiations(&w, 0), 3);
    assert_int_equal(w.aim_count, 0);
    client_world_wait(&w, 2100); /* the fourth goes to the other */
    assert_int_equal(w.aim_count, 1);
    assert_int_equal(address_to_ipv4(&w.aims[0].address), 0xcb007102);
    assert_true(client_world_initiation(&w, 0, 3, start) >= 15000);
    client_world_wait(&w, 13000);
    assert_int_equal(w.resolves, 1);
    assert_int_equal(client_world_status(&w).rounds, 0);
    set_names("192.0.2.2", NULL);
    client_world_wait(&w, 4000);
    assert_int_equal(w.resolves, 2);
    assert_int_equal(client_world_status(&w).rounds, 1);
    assert_state(VPN_STATE_CONNECTED);
    assert_int_equal(w.connects, 1);
    client_world_close(&w);
}

static void another_family_needs_another_uplink(void **state)
{
    (void)state;
    client_world_open(&w, NAMED, NULL);
    set_names("2001:db8::1", "192.0.2.2");
    INPUT(start);
    assert_int_equal(w.connects, 1);
    client_world_wait(&w, 17000);
    assert_int_equal(w.connects, 2);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void silence_takes_it_down_and_an_answer_up_again(void **state)
{
    (void)state;
    enum drop drop;
    client_world_open(&w, NULL, NULL);
    connect_it();
    client_world_wait(&w, 20000);
    w.mute = true;
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    client_world_wait(&w, 15400);
    assert_true(w.up);
    unsigned first = w.sent_count;
    client_world_wait(&w, 4500);
    assert_true(w.up);
    client_world_wait(&w, 1000);
    assert_false(w.up);
    assert_int_equal(w.downs, 1);
    assert_non_null(strstr(w.last_down, "has not answered for 15 s"));
    assert_state(VPN_STATE_CONNECTING);
    assert_false(client_world_send(&w, "192.0.2.99", &drop));
    client_world_wait(&w, 300000);
    assert_true(client_world_initiations(&w, first) > 40);
    assert_int_equal(w.disconnects, 0);
    w.mute = false;
    client_world_wait(&w, 6000);
    assert_true(w.up);
    assert_int_equal(w.connects, 1);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void keys_that_expire_in_idle_time_leave_it_up(void **state)
{
    (void)state;
    enum drop drop;
    client_world_open(&w, NULL, NULL);
    connect_it();
    client_world_wait(&w, 3600000);
    assert_true(w.up);
    assert_state(VPN_STATE_CONNECTED);
    unsigned first = w.sent_count;
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    assert_int_equal(drop, DROP_SEAL_HELD);
    assert_int_equal(client_world_initiations(&w, first), 1);
    assert_int_equal(w.sent[w.sent_count - 1].type, WIRE_DATA);
    assert_int_equal(w.downs, 0);

    /* and where nobody answers, it is down after fifteen seconds */
    client_world_wait(&w, 3600000);
    w.mute = true;
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    client_world_wait(&w, 14900);
    assert_true(w.up);
    client_world_wait(&w, 1200);
    assert_false(w.up);
    client_world_close(&w);
}

static void a_changed_way_is_a_new_handshake_at_once(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    client_world_wait(&w, 1000);
    unsigned first = w.sent_count;
    INPUT(way_changed);
    assert_int_equal(w.connects, 2);
    assert_int_equal(w.downs, 0);
    assert_int_equal(client_world_initiations(&w, first), 1);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void an_uplink_that_breaks_is_opened_again(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    w.no_uplink = true;
    w.uplink_open = false;
    w.client->kind->failed(w.client, w.now, "it broke");
    client_world_settle(&w);
    assert_false(w.up);
    assert_state(VPN_STATE_WAITING_TO_RETRY);
    assert_non_null(strstr(client_world_status(&w).last_error,
                           "192.0.2.2:51820/udp: it "
                           "broke"));
    client_world_wait(&w, 60000);
    assert_int_equal(w.connects, 4);
    w.no_uplink = false;
    INPUT(end_pause);
    assert_true(w.up);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

/* The tries go on meanwhile, and none can leave. */
static void what_has_no_uplink_is_counted(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    w.mute = true;
    for (int i = 0; i < 20; i++) {
        enum drop drop;
        (void)client_world_send(&w, "198.51.100.1", &drop);
        client_world_wait(&w, 1000);
    }
    unsigned sent = w.sent_count;
    w.no_uplink = true;
    w.client->kind->failed(w.client, w.now, "no network");
    client_world_wait(&w, 60000);
    assert_int_equal(w.sent_count, sent);
    assert_true(client_world_status(&w).drops->count[DROP_UPLINK_NOWHERE] > 0);
    client_world_close(&w);
}

static void a_person_reconnects_and_stops(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    client_world_wait(&w, 1000);
    INPUT(reconnect);
    assert_int_equal(w.downs, 1);
    assert_string_equal(w.last_down, "an order");
    assert_int_equal(w.ups, 2);
    assert_int_equal(w.connects, 2);
    assert_state(VPN_STATE_CONNECTED);
    INPUT(stop);
    assert_int_equal(w.stops, 1);
    assert_string_equal(w.last_stop, "an order");
    assert_state(VPN_STATE_STOPPED);
    unsigned sent = w.sent_count;
    client_world_wait(&w, 600000);
    INPUT(reconnect);
    INPUT(way_changed);
    assert_int_equal(w.sent_count, sent);
    client_world_close(&w);
}

/* The name is not looked up: nothing is sent for it. */
static void a_stop_asks_nothing_more(void **state)
{
    (void)state;
    client_world_open(&w, NAMED, NULL);
    w.client->kind->start(w.client, w.now);
    INPUT(stop);
    assert_int_equal(w.stops, 1);
    assert_int_equal(w.resolves, 0);
    assert_int_equal(w.connects, 0);
    client_world_close(&w);
}

static void the_way_narrows(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    narrow(1400);
    assert_int_equal(w.ups, 2);
    assert_int_equal(tunnel_mtu(&w.tunnel, ADDRESS_IPV4), 1400 - 60);
    narrow(1400);
    assert_int_equal(w.ups, 2);
    client_world_close(&w);
}

static void a_server_that_moves_is_followed(void **state)
{
    (void)state;
    enum drop drop;
    client_world_open(&w, NULL, NULL);
    connect_it();
    w.server_place.port = 443;
    client_world_answer(&w, "192.0.2.99");
    assert_int_equal(w.aim_count, 1);
    assert_int_equal(w.aims[0].port, 443);
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    assert_int_equal(device_peer(w.server, 0)->packets_opened, 2);
    client_world_close(&w);
}

static void icmp_is_a_hint_alone(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    client_world_wait(&w, 10000);
    unsigned first = w.sent_count;
    for (int i = 0; i < 100; i++)
        refuse();
    assert_int_equal(client_world_initiations(&w, first), 1);
    assert_true(w.up);
    client_world_close(&w);

    client_world_open(&w, NULL, NULL);
    w.mute = true;
    INPUT(start);
    refuse();
    client_world_wait(&w, 3000);
    assert_waits_for("nobody listens there");
    client_world_close(&w);
}

static void silence_is_diagnosed(void **state)
{
    (void)state;
    static const uint8_t psk[WIRE_KEY_SIZE] = {1};
    client_world_open(&w, NULL, NULL);
    w.mute = true;
    INPUT(start);
    client_world_wait(&w, 3000);
    assert_waits_for("no answer yet from 192.0.2.2:51820/udp (3 s)");
    assert_waits_for("does not know our key");
    /* the clock comes first where it is to blame */
    assert_null(strstr(client_world_waiting(&w), "clock"));
    w.wall -= 3600 * INT64_C(1000000000);
    assert_waits_for("the clock of this machine was set back");
    w.wall = 0;
    assert_waits_for("the clock of this machine is wrong");
    client_world_close(&w);

    client_world_open(&w, NULL, psk);
    INPUT(start);
    assert_false(w.up);
    client_world_wait(&w, 3000);
    assert_waits_for("its preshared key is another");
    client_world_close(&w);
}

static void peers_that_are_elsewhere(void **state)
{
    (void)state;
    enum drop drop;
    client_world_open(
        &w,
        "[Interface]\nPrivateKey = %C\nAddress = 10.64.0.9/32\n"
        "DNS = 10.64.0.1\n"
        "[Peer]\nPublicKey = ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1Q=\n"
        "AllowedIPs = 10.9.0.0/16\nEndpoint = office.example.org:7000\n"
        "[Peer]\nPublicKey = %S\nAllowedIPs = 0.0.0.0/0\n"
        "Endpoint = 192.0.2.2:51820\n",
        NULL);
    set_names("203.0.113.5", NULL);
    connect_it();
    assert_int_equal(w.resolves, 1);
    assert_string_equal(w.last_name, "office.example.org");
    assert_int_equal(w.aims[0].port, 7000);
    assert_int_equal(w.aims[1].port, 51820);
    unsigned first = w.sent_count;
    assert_true(client_world_send(&w, "10.9.1.1", &drop));
    assert_int_equal(drop, DROP_SEAL_HELD);
    assert_int_equal(w.sent[first].type, WIRE_INITIATION);
    assert_int_equal(w.sent[first].to.port, 7000);
    assert_true(client_world_send(&w, "192.0.2.99", &drop));
    assert_int_equal(drop, DROP_NONE);
    /* that one of them is silent does not take the tunnel down */
    client_world_wait(&w, 60000);
    assert_true(w.up);
    assert_true(w.resolves > 1);
    client_world_close(&w);
}

static void timestamps_outlive_a_client(void **state)
{
    (void)state;
    client_world_open(&w, NULL, NULL);
    connect_it();
    int64_t stamp = w.stamps[0];
    w.wall -= 3600 * INT64_C(1000000000);
    client_world_wait(&w, 6000);
    INPUT(reconnect);
    assert_true(w.stamps[0] > stamp && w.stamps[0] < stamp + 1000000000);
    assert_state(VPN_STATE_CONNECTED);
    client_world_close(&w);
}

static void say_nothing(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

int main(void)
{
    log_set_sink(say_nothing, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_start_to_connected),
        cmocka_unit_test(shaken_hands_are_no_connection_yet),
        cmocka_unit_test(nothing_is_sealed_unless_it_is_up),
        cmocka_unit_test(a_name_is_looked_up_for_ever),
        cmocka_unit_test(addresses_are_tried_in_turn_and_asked_for_again),
        cmocka_unit_test(another_family_needs_another_uplink),
        cmocka_unit_test(silence_takes_it_down_and_an_answer_up_again),
        cmocka_unit_test(keys_that_expire_in_idle_time_leave_it_up),
        cmocka_unit_test(a_changed_way_is_a_new_handshake_at_once),
        cmocka_unit_test(an_uplink_that_breaks_is_opened_again),
        cmocka_unit_test(what_has_no_uplink_is_counted),
        cmocka_unit_test(a_person_reconnects_and_stops),
        cmocka_unit_test(a_stop_asks_nothing_more),
        cmocka_unit_test(the_way_narrows),
        cmocka_unit_test(a_server_that_moves_is_followed),
        cmocka_unit_test(icmp_is_a_hint_alone),
        cmocka_unit_test(silence_is_diagnosed),
        cmocka_unit_test(peers_that_are_elsewhere),
        cmocka_unit_test(timestamps_outlive_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
