#include "gateway/openvpn/session/data_negotiation.h"

#include <stdio.h>

#include "tests/unit.h"

static struct config config_with(const char *ciphers, const char *fallback)
{
    struct config c;
    config_init(&c);
    snprintf(c.data_ciphers, sizeof c.data_ciphers, "%s", ciphers);
    snprintf(c.data_ciphers_fallback, sizeof c.data_ciphers_fallback, "%s",
             fallback);
    return c;
}

static void chosen(const char *ciphers, const char *fallback,
                   const char *pushed, const char *peer, const char *expected)
{
    struct config c = config_with(ciphers, fallback);
    char out[DATA_NEGOTIATION_CIPHER_SIZE];
    bool found = data_negotiation_cipher(&c, pushed, peer, out);
    assert_int_equal(found, expected != NULL);
    if (found)
        assert_string_equal(out, expected);
}

static void the_pushed_cipher_decides(void **state)
{
    (void)state;
    chosen("AES-256-GCM:AES-128-GCM", "", "AES-128-GCM", "", "AES-128-GCM");
    chosen("AES-256-GCM", "", "AES-256-GCM", "AES-128-GCM", "AES-256-GCM");
    chosen("AES-256-GCM", "", "AES-128-GCM", "AES-256-GCM", NULL);
    chosen("AES-256-GCM", "AES-128-GCM", "AES-128-GCM", "", "AES-128-GCM");
}

static void else_the_servers_options_string_does(void **state)
{
    (void)state;
    chosen("AES-256-GCM:AES-256-CBC", "", "", "AES-256-CBC", "AES-256-CBC");
    chosen("AES-256-GCM", "", "", "AES-256-CBC", NULL);
}

static void and_last_the_fallback(void **state)
{
    (void)state;
    chosen("AES-256-GCM", "AES-128-CBC", "", "", "AES-128-CBC");
    chosen("AES-256-GCM", "", "", "", NULL);
}

static void what_this_program_lacks_is_never_chosen(void **state)
{
    (void)state;
    chosen("BF-CBC", "", "BF-CBC", "", NULL);
    chosen("AES-256-GCM:none", "", "none", "", NULL);
    chosen("AES-256-GCM", "BF-CBC", "", "", NULL);
}

/* AES-256-GCM with a peer id, over UDP and IPv4. */
static const struct burst_layout gcm = {.head = 24};

static uint16_t mss_mtu(int32_t mssfix, bool with_outer, bool fixed,
                        uint16_t tun_mtu, uint16_t outer, uint16_t outer_mtu)
{
    struct config_remote r;
    config_remote_init(&r);
    r.mssfix = mssfix;
    r.mssfix_with_outer = with_outer;
    r.mssfix_fixed = fixed;
    return data_negotiation_mss_mtu(&r, &gcm, tun_mtu, outer, outer_mtu);
}

/* A segment's MSS is 40 less; openvpn 2.6 logs mss_fix:1400 for the first. */
static void segments_fit_the_path(void **state)
{
    (void)state;
    assert_int_equal(mss_mtu(-1, false, false, 1500, 28, 0), 1440);
    assert_int_equal(mss_mtu(-1, false, false, 1500, 48, 0), 1420);
    assert_int_equal(mss_mtu(-1, false, false, 1500, 28, 1500), 1440);
    assert_int_equal(mss_mtu(-1, false, false, 1500, 28, 1400), 1348);
    assert_int_equal(mss_mtu(-1, false, false, 1400, 28, 0), 1400);
    assert_int_equal(mss_mtu(0, false, false, 1500, 28, 1400), 1500);
    assert_int_equal(mss_mtu(1300, false, false, 1500, 28, 0), 1276);
    assert_int_equal(mss_mtu(1300, true, false, 1500, 28, 0), 1248);
    assert_int_equal(mss_mtu(1300, false, true, 1500, 28, 0), 1300);
    assert_int_equal(mss_mtu(9000, false, false, 1500, 28, 0), 1500);
}

static void packets_fit_the_path(void **state)
{
    (void)state;
    /* Head 24, so each of them is 52 less over IPv4 and UDP. */
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 1500), 1448);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 1400), 1348);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 48, 1280), 1208);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 0), 0);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 28), 0);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 29), 576);
    assert_int_equal(data_negotiation_path_mtu(&gcm, 28, 65535), 65483);
}

/* With `fragment' datagrams are of that size at most, whatever is in them. */
static void what_is_cut_needs_no_smaller_packets(void **state)
{
    (void)state;
    const struct burst_layout cut = {.head = 28, .cut = 1272};
    const struct burst_layout framed = {.head = 29, .cut = 1272, .extra = 1};
    assert_int_equal(data_negotiation_path_mtu(&cut, 28, 1500), 0);
    assert_int_equal(data_negotiation_path_mtu(&cut, 28, 1328), 0);
    assert_int_equal(data_negotiation_path_mtu(&cut, 28, 1327), 1271);
    assert_int_equal(data_negotiation_path_mtu(&framed, 28, 1328), 0);
    assert_int_equal(data_negotiation_path_mtu(&framed, 28, 1327), 1270);

    struct config_remote r;
    config_remote_init(&r);
    assert_int_equal(data_negotiation_mss_mtu(&r, &cut, 1500, 28, 0), 1272);
    assert_int_equal(data_negotiation_mss_mtu(&r, &framed, 1500, 28, 0), 1271);
    r.mssfix = 0;
    assert_int_equal(data_negotiation_mss_mtu(&r, &cut, 1500, 28, 0), 1500);
    r.mssfix = 1400;
    assert_int_equal(data_negotiation_mss_mtu(&r, &cut, 1500, 28, 0), 1372);
}

static void the_outer_headers_count_where_it_is_said(void **state)
{
    (void)state;
    struct config_remote r;
    config_remote_init(&r);
    assert_int_equal(data_negotiation_fragment(&r, 28), 0);
    r.fragment = 1300;
    assert_int_equal(data_negotiation_fragment(&r, 28), 1300);
    r.fragment_with_outer = true;
    assert_int_equal(data_negotiation_fragment(&r, 28), 1272);
    assert_int_equal(data_negotiation_fragment(&r, 1300), 1);
}

static void ipv6_has_its_least(void **state)
{
    (void)state;
    struct tunnel t = {.mtu = 1500};
    static const uint16_t sizes[][4] = {
        {1500, 0, 1500, 1500},    {1500, 1448, 1448, 1448},
        {1500, 1228, 1228, 1280}, {1400, 1448, 1400, 1400},
        {1200, 1000, 1000, 1200}, /* the server's word is another matter */
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        t.mtu = sizes[i][0];
        t.path_mtu = sizes[i][1];
        assert_int_equal(tunnel_mtu(&t, ADDRESS_IPV4), sizes[i][2]);
        assert_int_equal(tunnel_mtu(&t, ADDRESS_IPV6), sizes[i][3]);
    }
}

static void nonsense_leaves_something_to_work_with(void **state)
{
    (void)state;
    assert_int_equal(mss_mtu(1, true, false, 1500, 28, 0), 576);
    assert_int_equal(mss_mtu(20, false, false, 1500, 28, 0), 576);
    assert_int_equal(mss_mtu(-1, false, false, 1500, 28, 29), 576);
    assert_int_equal(mss_mtu(-1, false, false, 500, 28, 29), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pushed_cipher_decides),
        cmocka_unit_test(else_the_servers_options_string_does),
        cmocka_unit_test(and_last_the_fallback),
        cmocka_unit_test(what_this_program_lacks_is_never_chosen),
        cmocka_unit_test(segments_fit_the_path),
        cmocka_unit_test(packets_fit_the_path),
        cmocka_unit_test(what_is_cut_needs_no_smaller_packets),
        cmocka_unit_test(the_outer_headers_count_where_it_is_said),
        cmocka_unit_test(ipv6_has_its_least),
        cmocka_unit_test(nonsense_leaves_something_to_work_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
