/* Decides who comes in, and with what. The judge may be unable to tell: a
 * client is not refused for that, but told to come again in a while. */
#include "gateway/openvpn/server/server_state.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/session/peer_info.h"
#include "tests/openvpn/server/server_club.h"
#include "tests/unit.h"

static unsigned asked, busy; /* so many times, from now on */

static enum server_verdict judge(void *context,
                                 const struct server_login *login)
{
    (void)context;
    assert_true(text_equal(login->username, "anna"));
    asked++;
    if (busy == 0)
        return SERVER_ADMIT;
    busy--;
    return SERVER_BUSY;
}

static enum server_verdict later(void *context,
                                 const struct server_login *login)
{
    (void)context, (void)login;
    return asked++ == 0 ? SERVER_LATER : SERVER_ADMIT;
}

static int set_up(void **state)
{
    static struct server_club club;
    server_club_init(&club);
    asked = busy = 0;
    club.env.admit = judge;
    club.username = "anna";
    club.password = "correct-horse";
    *state = &club;
    return 0;
}

static int tear_down(void **state)
{
    server_club_clear(*state);
    return 0;
}

/* It is told so, waits as long as it is told to, and comes in then. */
static void who_is_put_off_comes_again_later(void **state)
{
    struct server_club *c = *state;
    busy = 1;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_milliseconds(4500));
    assert_false(m->up);
    assert_int_equal(asked, 1);
    assert_int_equal(server_club_status(c).put_off, 1);
    assert_non_null(strstr(m->text, "logins cannot be checked now"));
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
    assert_int_equal(asked, 2);
}

/* A client from before 2.6 would take it for the last word. */
static void an_old_client_that_is_put_off_starts_anew(void **state)
{
    struct server_club *c = *state;
    busy = 1;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_AUTH_FAILED_TEMPORARY;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_milliseconds(500));
    assert_false(m->up);
    assert_null(strstr(m->text, "logins cannot be checked now"));
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
    assert_int_equal(asked, 2);
}

/* It is in, and cannot be judged when it negotiates new keys. */
static void who_is_in_can_be_put_off_as_well(void **state)
{
    struct server_club *c = *state;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_true(m->up);
    busy = 1;
    server_renegotiate(c->server, c->now, 1);
    server_club_run(c, duration_seconds(3));
    assert_int_equal(server_club_status(c).put_off, 1);
    assert_false(m->up);
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
}

/* The judge cannot tell either. */
static void a_late_verdict_may_be_none(void **state)
{
    struct server_club *c = *state;
    c->env.admit = later;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(m->up);
    server_put_off(c->server, c->now, 99); /* nobody */
    server_put_off(c->server, c->now, 1);
    server_put_off(c->server, c->now, 1);
    assert_int_equal(server_club_status(c).put_off, 1);
    server_club_run(c, duration_seconds(14));
    assert_true(m->up);
}

/* The reason is long enough for a challenge. */
static void a_challenge_is_told_whole(void **state)
{
    struct server_club *c = *state;
    char reason[200];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    c->env.admit = later;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    server_admit(c->server, c->now, 1, false, reason);
    server_club_run(c, duration_milliseconds(100));
    assert_non_null(strstr(m->text, reason));
}

/* --- What a client can --------------------------------------------------- */

static struct server_club_member *one_up(struct server_club *c)
{
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    return m;
}

static bool hears(struct server_club *c, struct server_club_member *m)
{
    uint8_t bytes[2048];
    struct datagram d;
    size_t size = server_club_seal(
        c, m, address_to_ipv4(&m->tunnel.ipv4.address), 0x0a080001, bytes);
    return size > 0 && server_club_hear(c, &m->path, bytes_of(bytes, size),
                                        &d) == DROP_NONE;
}

/* It announces compression's framing: it is told to do without, and packets
 * pass. */
static void a_client_made_for_compression_is_told_to_do_without(void **state)
{
    struct server_club *c = *state;
    static const enum config_compression kinds[] = {
        CONFIG_COMPRESSION_NONE, CONFIG_COMPRESSION_LZO,
        CONFIG_COMPRESSION_STUB, CONFIG_COMPRESSION_STUB_V2};
    server_club_open(c);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        c->compression = kinds[i];
        struct server_club_member *m = server_club_join(c, NULL, NULL);
        server_club_run(c, duration_seconds(1));
        assert_true(m->up);
        assert_true(hears(c, m));
    }
}

static struct server_peer learned(struct server_club *c, const char *options,
                                  const char *info)
{
    const struct key_exchange theirs = {.options = bytes_of_text(options),
                                        .peer_info = bytes_of_text(info)};
    struct server_peer p = {.entry.path.remote = {{.family = ADDRESS_IPV4}, 1}};
    server_admission_learn(c->server, &p, &theirs);
    return p;
}

static void framing_is_what_a_client_knows(void **state)
{
    struct server_club *c = *state;
    static const char with[] = "V4,dev-type tun,comp-lzo,cipher AES-256-GCM";
    static const char without[] = "V4,dev-type tun,cipher AES-256-GCM";
    server_club_open(c);
    assert_int_equal(learned(c, without, "IV_COMP_STUBv2=1\n").framing,
                     CONFIG_COMPRESSION_NONE);
    assert_int_equal(learned(c, with, "IV_LZO=1\nIV_COMP_STUBv2=1\n").framing,
                     CONFIG_COMPRESSION_STUB_V2);
    assert_int_equal(learned(c, with, "IV_LZO=1\nIV_COMP_STUB=1\n").framing,
                     CONFIG_COMPRESSION_LZO);
    assert_int_equal(learned(c, with, "").framing, CONFIG_COMPRESSION_LZO);
    assert_int_equal(learned(c, "V4,comp-lzoo", "").framing,
                     CONFIG_COMPRESSION_NONE);
}

/* Both ends put `fragment's header in front of packets, or neither. */
static void fragment_is_as_the_client_has_it(void **state)
{
    struct server_club *c = *state;
    static const char with[] = "V4,dev-type tun,mtu-dynamic,auth SHA1";
    static const char without[] = "V4,dev-type tun,auth SHA1";
    struct config_remote *remote = &c->config.common.remotes[0];
    log_set_level(LOG_ERROR);
    server_club_open(c);
    assert_int_equal(learned(c, without, "").fragment, 0);
    assert_int_equal(learned(c, "V0 UNDEF", "").fragment, 0);
    assert_int_equal(learned(c, with, "").fragment, UINT16_MAX);
    remote->fragment = 1300;
    assert_int_equal(learned(c, with, "").fragment, 1300);
    assert_int_equal(learned(c, "V0 UNDEF", "").fragment, 1300);
    assert_int_equal(learned(c, without, "").fragment, 0);
    remote->fragment_with_outer = true;
    assert_int_equal(learned(c, with, "").fragment, 1300 - 28);
    log_set_level(LOG_INFO);
}

/* A client that negotiates nothing has what its options say, or what the
 * fallback says. */
static void the_fallback_is_for_who_negotiates_nothing(void **state)
{
    struct server_club *c = *state;
    struct config *config = &c->config.common;
    snprintf(config->data_ciphers_fallback,
             sizeof config->data_ciphers_fallback, "AES-256-CBC");
    server_club_open(c);
    assert_string_equal(learned(c, "V4,cipher AES-256-GCM", "").cipher,
                        "AES-256-GCM");
    assert_string_equal(learned(c, "V4,cipher AES-256-CBC", "").cipher,
                        "AES-256-CBC");
    assert_string_equal(learned(c, "V4", "").cipher, "AES-256-CBC");
    assert_string_equal(learned(c, "V4,cipher BF-CBC", "").cipher, "");
    assert_string_equal(
        learned(c, "V4,cipher AES-256-CBC", "IV_CIPHERS=BF-CBC\n").cipher, "");
    assert_string_equal(
        learned(c, "V4,cipher AES-256-CBC", "IV_NCP=2\n").cipher,
        "AES-256-GCM");
}

static void who_cannot_export_keys_may_be_kept_out(void **state)
{
    struct server_club *c = *state;
    c->config.exporter_only = true;
    assert_true(one_up(c)->up);
}

static void who_cannot_export_keys_is_kept_out(void **state)
{
    struct server_club *c = *state;
    c->config.exporter_only = true;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_TLS_KEY_EXPORT;
    struct server_club_member *m = one_up(c);
    assert_false(m->up);
    assert_non_null(strstr(m->text, "Keying Material"));
}

static const char *cipher_for(const char *ours, const char *fallback,
                              const char *peer_info, const char *options)
{
    static struct server_peer p;
    struct server_config config;
    struct server s = {.config = &config};
    const struct key_exchange theirs = {.options = bytes_of_text(options),
                                        .peer_info = bytes_of_text(peer_info)};
    server_config_init(&config);
    snprintf(config.common.data_ciphers, sizeof config.common.data_ciphers,
             "%s", ours);
    snprintf(config.common.data_ciphers_fallback,
             sizeof config.common.data_ciphers_fallback, "%s", fallback);
    memset(&p, 0, sizeof p);
    p.entry.path.stream = 1;
    server_admission_learn(&s, &p, &theirs);
    server_config_clear(&config);
    return p.cipher;
}

/* By what clients of 2.6, 2.4, 2.4 with ncp-disable and 2.3 say. */
static void the_cipher_is_one_that_both_have(void **state)
{
    (void)state;
    static const char both[] = "AES-256-GCM:AES-128-GCM:AES-256-CBC";
    static const char cbc[] = "V4,dev-type tun,cipher AES-256-CBC,auth SHA1";
    static const char blowfish[] = "V4,dev-type tun,cipher BF-CBC,auth SHA1";
    static const struct {
        const char *ours, *fallback, *peer_info, *options, *cipher;
    } cases[] = {
        {both, "", "IV_PROTO=746\nIV_CIPHERS=AES-128-GCM\n", cbc,
         "AES-128-GCM"},
        {"AES-256-CBC", "", "IV_PROTO=746\nIV_CIPHERS=AES-128-GCM\n", cbc, ""},
        {both, "", "IV_PROTO=2\nIV_NCP=2\n", cbc, "AES-256-GCM"},
        {"AES-256-CBC", "", "IV_PROTO=2\nIV_NCP=2\n", cbc, "AES-256-CBC"},
        {"AES-256-CBC", "AES-256-CBC", "IV_PROTO=2\nIV_NCP=2\n", blowfish, ""},
        {both, "", "IV_PROTO=2\n", cbc, "AES-256-CBC"},
        {both, "AES-256-CBC", "", cbc, "AES-256-CBC"},
        {both, "AES-256-CBC", "", "V4,dev-type tun", "AES-256-CBC"},
        {both, "", "", blowfish, ""},
        {both, "AES-256-CBC", "", blowfish, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(cipher_for(cases[i].ours, cases[i].fallback,
                                       cases[i].peer_info, cases[i].options),
                            cases[i].cipher);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_put_off_comes_again_later),
        TEST(an_old_client_that_is_put_off_starts_anew),
        TEST(who_is_in_can_be_put_off_as_well),
        TEST(a_late_verdict_may_be_none),
        TEST(a_challenge_is_told_whole),
        TEST(a_client_made_for_compression_is_told_to_do_without),
        TEST(framing_is_what_a_client_knows),
        TEST(fragment_is_as_the_client_has_it),
        TEST(the_fallback_is_for_who_negotiates_nothing),
        TEST(the_cipher_is_one_that_both_have),
        TEST(who_cannot_export_keys_may_be_kept_out),
        TEST(who_cannot_export_keys_is_kept_out),
    };
    return cmocka_run_group_tests_name("server_admission", tests, NULL, NULL);
}
