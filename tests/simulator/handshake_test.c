/* The way to the tunnel: over a bad path a thousand times, in every variant,
 * and what must never lead there. */
#include "tests/library.h"
#include "tests/simulator/quiet.h"
#include "tests/simulator/world.h"
#include "tests/unit.h"

/* Under the sanitizers each handshake takes many times longer. */
#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 300 };
#else
enum { SEEDS = 1000 };
#endif

enum { LONG_ENOUGH = 300 }; /* s of the simulated clock */

static void a_thousand_seeds_all_reach_the_tunnel(void **state)
{
    (void)state;
    int64_t longest = 0;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct world_options o = world_usual(seed);
        o.faults = world_bad_path();
        struct world *w = world_new(&o);
        if (!world_run_until(w, duration_seconds(LONG_ENOUGH), CLIENT_UP))
            fail_msg("seed %u: %s", seed,
                     client_state_name(world_status(w).state));
        if (w->now.us > longest)
            longest = w->now.us;
        world_free(w);
    }
    print_message("# %d seeds; the slowest took %lld s of their time\n", SEEDS,
                  (long long)(longest / 1000000));
}

/* Variants. Each goes up and moves packets both ways. */

static void exchange_packets(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(world_client_sends(w));
        assert_true(world_server_sends(w));
        world_run(w, duration_milliseconds(10));
    }
    world_run(w, duration_seconds(1));
}

static void goes_up_and_moves_packets(const struct world_options *o)
{
    struct world *w = world_new(o);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    exchange_packets(w, 20);
    assert_int_equal(w->ups, 1);
    assert_int_equal(w->arrivals.count, 20);
    assert_int_equal(w->server.arrivals.count, 20);
    assert_int_equal(w->arrivals.garbled + w->server.arrivals.garbled, 0);
    assert_string_equal(world_status(w).cipher, o->server.cipher);
    world_free(w);
}

static void a_plain_path_takes_no_second(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(1), CLIENT_UP));
    assert_int_equal(address_to_ipv4(&w->tunnel.ipv4.address), 0x0a080002);
    assert_int_equal(w->tunnel.mtu, 1500);
    assert_int_equal(w->tunnel.mss_mtu, 1440);
    assert_int_equal(w->tunnel.path_mtu, 1448);
    world_free(w);
}

static void keys_come_from_the_exporter_or_the_old_prf(void **state)
{
    (void)state;
    struct world_options o = world_usual(2);
    goes_up_and_moves_packets(&o);
    o.server.exporter = o.server.dynamic_wrap = false;
    goes_up_and_moves_packets(&o);
}

static void every_cipher_carries_packets(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"AES-128-GCM", "AES-192-GCM",
                                          "AES-256-GCM", "CHACHA20-POLY1305",
                                          "AES-256-CBC"};
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
        struct world_options o = world_usual(3);
        snprintf(o.server.cipher, sizeof o.server.cipher, "%s", ciphers[i]);
        goes_up_and_moves_packets(&o);
    }
}

static void the_epoch_format_carries_packets(void **state)
{
    (void)state;
    struct world_options o = world_usual(4);
    o.server.epoch = true;
    goes_up_and_moves_packets(&o);
}

static void strictly_in_order(struct config *c)
{
    c->replay_packets = c->replay_seconds = 0;
}

/* `replay-window 0 0' is a line that profiles may have. */
static void a_replay_window_of_nothing_is_a_small_one(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"AES-256-GCM", "AES-256-CBC"};
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
        struct world_options o = world_usual(1);
        snprintf(o.server.cipher, sizeof o.server.cipher, "%s", ciphers[i]);
        o.change_config = strictly_in_order;
        goes_up_and_moves_packets(&o);
    }
}

static void tls_1_2_only(struct config *c)
{
    c->tls_version_max = CONFIG_TLS_1_2;
}

static void tls_1_2_does_it_too(void **state)
{
    (void)state;
    struct world_options o = world_usual(5);
    o.change_config = tls_1_2_only;
    goes_up_and_moves_packets(&o);
    o.server.exporter = o.server.dynamic_wrap = false;
    goes_up_and_moves_packets(&o);
}

static void tls_crypt_wraps_the_control_channel(void **state)
{
    (void)state;
    struct static_key key;
    memset(key.bytes, 0x5a, sizeof key.bytes);
    struct world_options o = world_usual(6);
    o.server.tls_crypt = &key;
    goes_up_and_moves_packets(&o);
}

static void the_server_may_ask_for_our_certificate(void **state)
{
    (void)state;
    struct world_options o = world_usual(7);
    o.server.asks_certificate = true;
    goes_up_and_moves_packets(&o);
}

static void with_a_password(struct config *c)
{
    c->auth_user_pass = true;
    assert_true(config_set_text(&c->username, bytes_of_text("anna")));
    assert_true(config_set_text(&c->password, bytes_of_text("secret")));
}

static void the_server_reads_name_and_password(void **state)
{
    (void)state;
    struct world_options o = world_usual(8);
    o.change_config = with_a_password;
    struct world *w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    assert_string_equal(w->server.client_name, "anna");
    assert_string_equal(w->server.client_password, "secret");
    world_free(w);
}

/* Connections that never come about. */

static void never_goes_up(const struct world_options *o, const char *why)
{
    struct world *w = world_new(o);
    assert_false(world_run_until(w, duration_seconds(120), CLIENT_UP));
    struct client_status status = world_status(w);
    assert_int_equal(w->ups, 0);
    assert_true(world_client_refuses(w));
    assert_non_null(status.last_error);
    if (!strstr(status.last_error, why))
        fail_msg("says \"%s\" instead of \"%s\"", status.last_error, why);
    assert_true(w->connects >= 3); /* and goes on trying */
    assert_true(w->connects <= 40);
    world_free(w);
}

static void want_another_name(struct config *c)
{
    c->name_type = CONFIG_NAME_CN;
    assert_true(config_set_text(&c->name, bytes_of_text("other.example")));
}

static void a_wrong_authority_never_goes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(9);
    o.client_ca = pki_other_ca;
    never_goes_up(&o, "the server's certificate comes from an authority "
                      "that the profile does not trust: \"CN=Test CA\"");
}

static void a_wrong_name_never_goes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(10);
    o.change_config = want_another_name;
    never_goes_up(&o, "the server's name is \"vpn.example\", the profile "
                      "wants \"other.example\"");
}

static void an_expired_certificate_never_goes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(11);
    o.server_crt = pki_expired_crt;
    o.server_key = pki_expired_key;
    never_goes_up(&o, "the server's certificate expired on 2021-02-03");
}

static void a_certificate_for_nothing_never_goes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(12);
    o.server_crt = pki_bare_crt;
    o.server_key = pki_bare_key;
    never_goes_up(&o, "the server's certificate does not say what it may be "
                      "used for, remote-cert-tls server wants that");
}

/* mbedTLS refuses to serve with such a certificate of its own, and the alert
 * tells; OpenSSL serves, and the client tells. */
static void an_alert_is_told_in_words(void **state)
{
    (void)state;
    struct world_options o = world_usual(14);
    o.server_crt = pki_client_crt;
    o.server_key = pki_client_key;
    never_goes_up(&o,
                  library_is("openssl")
                      ? "the server's certificate is not one of a TLS server"
                      : "the server ended TLS: handshake failure");
}

static void only_cbc(struct config *c)
{
    snprintf(c->data_ciphers, sizeof c->data_ciphers, "AES-256-CBC");
}

static void no_cipher_in_common_never_goes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(13);
    o.change_config = only_cbc;
    never_goes_up(&o, "Data channel cipher negotiation failed (no shared "
                      "cipher)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_path_takes_no_second),
        cmocka_unit_test(keys_come_from_the_exporter_or_the_old_prf),
        cmocka_unit_test(every_cipher_carries_packets),
        cmocka_unit_test(the_epoch_format_carries_packets),
        cmocka_unit_test(a_replay_window_of_nothing_is_a_small_one),
        cmocka_unit_test(tls_1_2_does_it_too),
        cmocka_unit_test(tls_crypt_wraps_the_control_channel),
        cmocka_unit_test(the_server_may_ask_for_our_certificate),
        cmocka_unit_test(the_server_reads_name_and_password),
        cmocka_unit_test(a_wrong_authority_never_goes_up),
        cmocka_unit_test(a_wrong_name_never_goes_up),
        cmocka_unit_test(an_expired_certificate_never_goes_up),
        cmocka_unit_test(a_certificate_for_nothing_never_goes_up),
        cmocka_unit_test(an_alert_is_told_in_words),
        cmocka_unit_test(no_cipher_in_common_never_goes_up),
        cmocka_unit_test(a_thousand_seeds_all_reach_the_tunnel),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
