#include "gateway/openvpn/config/config_parser.h"

#include "tests/unit.h"

#include <stdio.h>

#include "gateway/openvpn/config/config_options.h"
#include "tests/openvpn/config/config_trial.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The profile of config_trial_with() has these lines before its own. */
enum { FIRST_LINE = 4 };

#define STATIC_KEY  CONFIG_TRIAL_STATIC_KEY
#define CERTIFICATE CONFIG_TRIAL_CERTIFICATE
#define PRIVATE_KEY                                                            \
    "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"

static void accept(struct config_trial *t, const char *lines)
{
    config_trial_with(t, lines);
    if (!t->usable || t->count) {
        config_trial_print(t);
        fail_msg("not taken without a word: %s", lines);
    }
}

static void a_minimal_profile_is_usable(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "");
    assert_int_equal(t.config.remote_count, 1);
    assert_string_equal(t.config.remotes[0].host, "vpn.example.org");
    assert_int_equal(t.config.remotes[0].port, 1194);
    assert_true(t.config.pull);
    assert_true(t.config.auth_user_pass);
    assert_null(t.config.username);
    assert_string_equal(t.config.path, "t.ovpn");
    config_trial_clear(&t);
}

/* --- The classes of options ---------------------------------------------- */

static void every_supported_option_is_taken_without_a_word(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "client",
        "pull",
        "tls-client",
        "dev tun",
        "dev tun7",
        "dev-type tun",
        "proto udp",
        "proto tcp-client",
        "port 1194",
        "rport 1194",
        "nobind",
        "lport 0",
        "<connection>\nremote b.example 1 tcp4\n</connection>",
        "remote-random",
        "remote-random-hostname",
        "resolv-retry infinite",
        "resolv-retry 60",
        "connect-retry 5",
        "connect-retry 5 60",
        "connect-retry-max infinite",
        "connect-retry-max 3",
        "connect-timeout 20",
        "server-poll-timeout 4",
        "float",
        "extra-certs f.pem",
        "<tls-auth>\n" STATIC_KEY "</tls-auth>",
        "<tls-crypt>\n" STATIC_KEY "</tls-crypt>",
        "key-direction 1",
        "key-direction bidirectional",
        "auth SHA256",
        "auth sha-512",
        "cipher AES-128-CBC",
        "data-ciphers AES-256-GCM:aes-128-cbc",
        "ncp-ciphers AES-256-GCM",
        "data-ciphers DEFAULT:AES-192-CBC",
        "data-ciphers-fallback AES-256-CBC",
        "tls-version-min 1.2",
        "tls-version-min 1.0 or-highest",
        "tls-version-min 1.4 or-highest",
        "tls-version-max 1.3",
        "tls-cipher TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
        "tls-ciphersuites TLS_AES_256_GCM_SHA384",
        "tls-groups X25519:P-256",
        "ecdh-curve secp384r1",
        "tls-cert-profile preferred",
        "remote-cert-tls server",
        "remote-cert-ku",
        "remote-cert-ku a0 88",
        "remote-cert-eku \"TLS Web Server Authentication\"",
        "ns-cert-type server",
        "verify-x509-name CN=server",
        "verify-x509-name server name",
        "verify-x509-name s name-prefix",
        "verify-x509-name 'C=DE, CN=s' subject",
        "<crl-verify>\n" CONFIG_TRIAL_CRL "</crl-verify>",
        "auth-user-pass",
        "auth-user-pass stdin",
        "auth-nocache",
        "auth-retry nointeract",
        "auth-retry interact",
        "auth-retry none",
        "static-challenge \"Enter code\" 1",
        "static-challenge Code 0 concat",
        "ifconfig 10.8.0.2 10.8.0.1",
        "ifconfig-ipv6 fd00::2/64 fd00::1",
        "topology subnet",
        "topology net30",
        "topology p2p",
        "route 10.0.0.0 255.0.0.0",
        "route 10.0.0.0 255.0.0.0 default 7",
        "route 10.1.1.1 default net_gateway",
        "route vpn_gateway",
        "route-ipv6 fd00::/8",
        "route-ipv6 ::/0 default 3",
        "route-gateway 10.8.0.1",
        "route-metric 50",
        "route-nopull",
        "redirect-gateway",
        "redirect-gateway def1 bypass-dhcp ipv6 !ipv4",
        "redirect-private def1",
        "block-ipv6",
        "dhcp-option DNS 10.8.0.1",
        "dhcp-option DNS6 fd00::1",
        "dhcp-option DOMAIN example.org",
        "dhcp-option WINS 10.0.0.1",
        "dhcp-option DISABLE-NBT",
        "dns search-domains a.example b.example",
        "dns server -3 address 10.8.0.1 [fd00::1]:53",
        "pull-filter ignore \"route \"",
        "tun-mtu 1400",
        "mssfix",
        "mssfix 0",
        "mssfix 1300 mtu",
        "mssfix 1300 fixed",
        "ping 10",
        "ping-restart 0",
        "ping-exit 60",
        "keepalive 10 60",
        "inactive 3600",
        "inactive 3600 1000",
        "session-timeout 86400",
        "explicit-exit-notify",
        "explicit-exit-notify 2",
        "reneg-sec 0",
        "reneg-sec 3600 3000",
        "reneg-bytes 0",
        "reneg-pkts 100000000000",
        "hand-window 180",
        "tran-window 3600",
        "tls-timeout 5",
        "replay-window 256",
        "replay-window 0 0",
        "comp-lzo",
        "comp-lzo no",
        "comp-lzo adaptive",
        "comp-lzo yes",
        "compress",
        "compress lzo",
        "compress stub-v2",
        "compress lz4-v2",
        "compress migrate",
        "allow-compression no",
        "allow-compression asym",
        "persist-tun",
        "socks-proxy 127.0.0.1",
        "socks-proxy proxy.example 1080 f.pem",
        "ignore-unknown-option a b",
        "setenv opt block-outside-dns",
        "setenv CLIENT_CERT 0",
        "setenv FORWARD_COMPATIBLE 1",
        "setenv UV_X y",
        "setenv PUSH_PEER_INFO",
        "push-peer-info",
        "compat-mode 2.4.0",
        "max-packet-size 1400",
        "sndbuf 0",
        "rcvbuf 393216",
        "verb 3",
        "disable-occ",
        "askpass",
        "proto-force udp",
        "http-proxy-option VERSION 1.1",
        "fragment 0",
        "ca [inline]",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct config_trial t = {.file_name = "f.pem",
                                 .file_content = CERTIFICATE};
        accept(&t, lines[i]);
        config_trial_clear(&t);
    }
}

static void what_does_no_harm_is_ignored(void **state)
{
    (void)state;
    static const char *const names[] = {
        "persist-key",
        "persist-remote-ip",
        "persist-local-ip",
        "mute 20",
        "mute-replay-warnings",
        "fast-io",
        "route-delay 5 30",
        "route-method exe",
        "ip-win32 dynamic 0 3600",
        "register-dns",
        "dhcp-renew",
        "dhcp-release",
        "tap-sleep 5",
        "win-sys env",
        "service ev",
        "pause-exit",
        "show-net-up",
        "block-outside-dns",
        "windows-driver wintun",
        "disable-dco",
        "tun-mtu-extra 32",
        "tun-ipv6",
        "link-mtu 1500",
        "udp-mtu 1500",
        "mtu-disc yes",
        "mtu-test",
        "passtos",
        "txqueuelen 1000",
        "nice -5",
        "mlock",
        "tls-exit",
        "comp-noadapt",
        "keysize 256",
        "key-method 2",
        "ncp-disable",
        "prng SHA1 16",
        "ping-timer-rem",
        "status s.log 10",
        "log l.log",
        "log-append l.log",
        "syslog",
        "daemon",
        "writepid p",
        "user nobody",
        "group nogroup",
        "chroot /x",
        "cd /x",
        "setcon x",
        "script-security 2",
        "up-delay",
        "up-restart",
        "down-pre",
        "suppress-timestamps",
        "echo x",
        "parameter x",
        "setenv-safe a b",
        "setenv A b",
        "max-routes 100",
        "allow-recursive-routing",
        "multihome",
        "mark 5",
        "bind-dev vrf",
        "resolve-in-advance",
        "preresolve",
        "remap-usr1 SIGTERM",
        "machine-readable-output",
        "http-proxy-retry",
        "http-proxy-timeout 5",
        "single-session",
        "gremlin 1",
        "shaper 10000",
        "route-noexec",
        "ifconfig-noexec",
        "ifconfig-nowarn",
        "socket-flags TCP_NODELAY",
        "management 127.0.0.1 7505",
        "management-query-passwords",
        "management-hold",
        "bind",
        "local 192.0.2.1",
        "lport 1194",
        "dh dh.pem",
        "push \"route 10.0.0.0\"",
        "client-to-client",
        "allow-pull-fqdn",
        "client-nat snat 10.0.0.0 255.0.0.0 10.1.0.0",
        "up /etc/openvpn/update-resolv-conf",
        "down \"/usr/bin/update-systemd-resolved x\"",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct config_trial t = {0};
        config_trial_with(&t, names[i]);
        if (!t.usable || t.errors || t.warnings > 1)
            fail_msg("not ignored: %s", names[i]);
        /* Each is known: to be told that it is unknown would be wrong. */
        assert_false(config_trial_leaked(&t, "unknown"));
        config_trial_clear(&t);
    }
}

static void what_runs_code_or_weakens_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "up",
        "down",
        "route-up",
        "route-pre-down",
        "ipchange",
        "tls-verify",
        "client-connect",
        "client-disconnect",
        "client-crresponse",
        "learn-address",
        "auth-user-pass-verify",
        "tls-crypt-v2-verify",
        "dns-updown",
        "plugin",
        "pkcs11-providers",
        "pkcs11-id",
        "cryptoapicert",
        "iproute",
        "config",
        "server",
        "server-ipv6",
        "server-bridge",
        "tls-server",
        "no-replay",
        "no-iv",
        "tls-remote",
        "capath",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct config_trial t = {0};
        char line[64], quoted[64];
        snprintf(line, sizeof line, "%s x y", names[i]);
        snprintf(quoted, sizeof quoted, "`%s' is refused: ", names[i]);
        config_trial_with(&t, line);
        assert_false(t.usable);
        if (!config_trial_said(&t, CONFIG_ERROR, FIRST_LINE, quoted))
            fail_msg("not refused: %s", names[i]);
        config_trial_clear(&t);
    }
}

/* Each of these ends MirageVPN (0.x, config.ml) with "unknown option". */
static void what_others_stumble_over_works(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(
        &t, "auth-user-pass\r\ncompress\ncomp-lzo adaptive\n"
            "allow-compression no\ndata-ciphers-fallback AES-128-CBC\n"
            "ncp-ciphers AES-256-GCM:AES-256-CBC\nncp-disable\n"
            "cipher BF-CBC\nmute 10\ndown-pre\nroute-delay 2\n"
            "route-ipv6 2000::/3\nroute 10.0.0.0 255.0.0.0\n"
            "route 11.0.0.0 255.0.0.0\nroute-metric 3\nmssfix\n"
            "mssfix 1300 mtu\ntun-mtu-extra 32\nping-timer-rem\n"
            "remote-random-hostname\nremote b.example 443 tcp-client\n"
            "connect-retry 1\nreneg-sec 0 0\nstatic-challenge x 1\n"
            "push-peer-info\npersist-local-ip\nfast-io\ntls-groups P-256\n"
            "verify-x509-name s name-prefix\nextra-certs f.pem\naskpass\n"
            "socks-proxy 127.0.0.1 1080\nmultihome\ndisable-dco\n"
            "some-future-option x\nverb 3\nverb 4\nping 5\nping 6\n"
            "tls-cipher DEFAULT:!aNULL\n"
            "<connection>\nremote c.example\nproto tcp\nconnect-timeout 5\n"
            "http-proxy p.example 8080\n</connection>");
    /* The one file that is named is missing; all else was understood. */
    assert_int_equal(t.errors, 1);
    assert_true(config_trial_said(&t, CONFIG_ERROR, 33, "f.pem"));
    assert_int_equal(t.config.remote_count, 3);
    assert_int_equal(t.config.option_count, 4);
    assert_int_equal(t.config.ping, 6);
    config_trial_clear(&t);
}

/* --- The table ----------------------------------------------------------- */

static void no_option_stands_twice_in_the_table(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *table = config_options_table(&count);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(table[i].apply);
        assert_true(table[i].least <= table[i].most);
        assert_ptr_equal(config_options_find(table[i].name), &table[i]);
    }
}

/* For any option, too few arguments or senseless ones never crash it, and never
 * pass silently as a number. */
static void every_option_survives_any_number_of_arguments(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *table = config_options_table(&count);
    static const char *const arguments[] = {
        "",
        " ''",
        " x",
        " x x",
        " 1 1 1",
        " x x x x x x x x x x x x x x x x",
        " 99999999999999999999",
        " -1",
        " \"\xff\x01\x80\" \xc3",
        " %s%n%s",
    };
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < COUNT(arguments); k++) {
            struct config_trial t = {0};
            char line[128];
            snprintf(line, sizeof line, "%s%s", table[i].name, arguments[k]);
            config_trial_with(&t, line);
            if (k == 0 && table[i].least > 0)
                assert_false(t.usable);
            config_trial_clear(&t);
        }
        struct config_trial t = {0};
        char block[128];
        snprintf(block, sizeof block, "<%s>\n</%s>", table[i].name,
                 table[i].name);
        config_trial_with(&t, block);
        config_trial_clear(&t);
    }
}

static void a_mistyped_option_is_recognised(void **state)
{
    (void)state;
    assert_string_equal(config_options_nearest("remote-cert-tsl"),
                        "remote-cert-tls");
    assert_string_equal(config_options_nearest("data-ciphers-fallbacks"),
                        "data-ciphers-fallback");
    assert_string_equal(config_options_nearest("cypher"), "cipher");
    assert_string_equal(config_options_nearest("atuh-user-pass"),
                        "auth-user-pass");
    assert_null(config_options_nearest("x"));
    assert_null(config_options_nearest(""));
    assert_null(config_options_nearest("entirely-different"));
    static char long_name[200];
    memset(long_name, 'a', sizeof long_name - 1);
    assert_null(config_options_nearest(long_name));
}

/* --- Syntax -------------------------------------------------------------- */

static void windows_files_are_read(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_parse(&t, "\xef\xbb\xbf"
                           "client\r\n\r\n  --dev tun \r\n"
                           "--remote a.example 443 TCP\r\n"
                           "cipher AES-256-CBC\r\nremote-cert-tls server\r\n"
                           "<auth-user-pass>\r\nme\r\nmine \r\n"
                           "</auth-user-pass>\r\n"
                           "<ca>\r\n" CERTIFICATE " </ca>\r\n");
    assert_true(t.usable);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.config.remotes[0].protocol, CONFIG_TCP);
    assert_string_equal(t.config.username, "me");
    assert_string_equal(t.config.password, "mine ");
    config_trial_clear(&t);
}

static void text_outside_of_blocks_is_passed_over(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "-----BEGIN RSA SIGNATURE-----\n"
                          "DIGEST:sha256\nc2VjcmV0\n"
                          "-----END RSA SIGNATURE-----\n"
                          "verb 3\n"
                          "<unknown-block>\nremote evil.example\n"
                          "</unknown-block>");
    assert_true(t.usable);
    assert_int_equal(t.warnings, 2);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 4, "no block"));
    assert_true(config_trial_said(&t, CONFIG_WARNING, 9, "unknown-block"));
    assert_int_equal(t.config.remote_count, 1);
    config_trial_clear(&t);
}

static void unknown_options_are_told_but_never_secrets(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "remote-cert-tsl hunter2\n"
                          "some-new-option hunter2\n"
                          "hunter2\n"
                          "correcthorse\n"
                          "0123456789abcdef0123456789abcdef\n"
                          "MIIBvTCCAWOgAwIBAgIUcHVyZXNlY3JldA==\n"
                          "</auth-user-pass>\n"
                          ">>>>>>> theirs\n");
    assert_true(t.usable);
    assert_int_equal(t.warnings, 8);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 4,
                                  "did you mean `remote-cert-tls'"));
    assert_true(config_trial_said(&t, CONFIG_WARNING, 5, "`some-new-option'"));
    assert_false(config_trial_leaked(&t, "hunter2"));
    assert_false(config_trial_leaked(&t, "correcthorse"));
    assert_false(config_trial_leaked(&t, "0123456789abcdef"));
    assert_false(config_trial_leaked(&t, "MIIB"));
    config_trial_clear(&t);
}

/* In the place of a file's name, of a host, or alone on a line. */
static void no_report_repeats_a_secret(void **state)
{
    (void)state;
#define BASE64 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsecretkeymatter"
#define HEX    "6acef03f62675b4b1bbd03e53b187727"
    static const char *const cases[] = {
        "askpass hunter-two",
        "auth-user-pass hunter-two",
        "auth-user-pass anna hunter-two",
        "http-proxy-user-pass hunter-two",
        "http-proxy 192.0.2.1 3128 hunter-two basic",
        "http-proxy http://anna:hunter-two@192.0.2.1 3128",
        "http-proxy 192.0.2.1 hunter-two",
        "socks-proxy anna:hunter-two@proxy.example.org 1080",
        "socks-proxy proxy.example.org 1080 hunter-two",
        "remote anna:hunter-two@vpn.example.org",
        "setenv UV_PASSWORD \"hunter-two\x01\"",
        "static-challenge hunter-two",
        "key-direction hunter-two",
        "hunter-two",
        "anna\nhunter-two",
        "<auth-user-pass\nanna\nhunter-two\n</auth-user-pass>",
        "<auth-user-pas>\nanna\nhunter-two\n</auth-user-pas>",
        "key " BASE64,
        "tls-auth " HEX " 1",
        "tls-crypt " HEX,
        "-----BEGIN PRIVATE KEY-----\n" BASE64 "\n" BASE64,
        "<key\n-----BEGIN PRIVATE KEY-----\n" BASE64
        "\n-----END PRIVATE KEY-----\n</key>",
        "<tls-auth\n" HEX "\n" HEX "\n</tls-auth>",
        "<tls-crypt>\n-----BEGIN OpenVPN Static key V1-----\n" HEX,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_trial t = {0};
        config_trial_with(&t, cases[i]);
        assert_int_not_equal(t.count, 0);
        if (config_trial_leaked(&t, "hunter-two") ||
            config_trial_leaked(&t, "MIGH") ||
            config_trial_leaked(&t, "secretkey") ||
            config_trial_leaked(&t, "6acef03f")) {
            config_trial_print(&t);
            fail_msg("%s", cases[i]);
        }
        config_trial_clear(&t);
    }
}

static void reports_are_printable(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "cip\x1bher x\nremote \"a\x07\"\ncipher \x01\n"
                          "auth \x7f\nca \x1b[31m\n<c\x02>\n</c\x02>\n"
                          "cip\xc3her x\nremote \xc3\xa4\nauth \xff\n");
    assert_int_equal(t.count, 10);
    for (size_t i = 0; i < t.count; i++)
        for (const char *c = t.reports[i].text; *c; c++)
            assert_true(*c >= 0x20 && *c < 0x7f);
    config_trial_clear(&t);
}

static void unknown_options_may_be_allowed(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "ignore-unknown-option one two\none a b\ntwo\n<two>\nx\n</two>\n"
               "setenv opt three \"a b\"");
    config_trial_clear(&t);
    /* The option behind `setenv opt` counts if it is known. */
    accept(&t, "setenv  opt  --ping 7\nsetenv opt route 10.0.0.0 255.0.0.0");
    assert_int_equal(t.config.ping, 7);
    assert_string_equal(t.config.options[0], "route 10.0.0.0 255.0.0.0");
    config_trial_clear(&t);
    config_trial_with(&t, "setenv opt up x\nsetenv opt\nsetenv opt setenv opt");
    assert_int_equal(t.errors, 1);
    config_trial_clear(&t);
}

/* --- Remotes ------------------------------------------------------------- */

static void every_spelling_of_a_protocol_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum config_protocol protocol;
        enum address_family family;
    } cases[] = {
        {"udp", CONFIG_UDP, ADDRESS_NONE},
        {"UDP4", CONFIG_UDP, ADDRESS_IPV4},
        {"udp6", CONFIG_UDP, ADDRESS_IPV6},
        {"UDPv4", CONFIG_UDP, ADDRESS_IPV4},
        {"tcp", CONFIG_TCP, ADDRESS_NONE},
        {"tcp-client", CONFIG_TCP, ADDRESS_NONE},
        {"tcp4", CONFIG_TCP, ADDRESS_IPV4},
        {"tcp6-client", CONFIG_TCP, ADDRESS_IPV6},
        {"TCPv4_CLIENT", CONFIG_TCP, ADDRESS_IPV4},
        {"TCPv6_CLIENT", CONFIG_TCP, ADDRESS_IPV6},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_trial t = {0};
        char line[64];
        snprintf(line, sizeof line, "remote b.example 5 %s", cases[i].name);
        accept(&t, line);
        assert_int_equal(t.config.remotes[1].protocol, cases[i].protocol);
        assert_int_equal(t.config.remotes[1].family, cases[i].family);
        config_trial_clear(&t);
    }
}

static void what_stands_after_a_remote_still_counts_for_it(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "remote b.example\n"
               "<connection>\nremote c.example 7 tcp\ntun-mtu 1300\n"
               "mssfix 1200 fixed\nkey-direction 0\n</connection>\n"
               "<connection>\nremote d.example\n"
               "<tls-crypt>\n" STATIC_KEY "</tls-crypt>\n</connection>\n"
               "proto tcp6\nport 99\ntun-mtu 1400\nconnect-timeout 9\n"
               "mssfix 1100\nkey-direction 1\nsocks-proxy p.example 1081\n"
               "<tls-auth>\n" STATIC_KEY "</tls-auth>");
    const struct config_remote *r = t.config.remotes;
    assert_int_equal(t.config.remote_count, 4);
    assert_int_equal(r[0].port, 1194);
    assert_int_equal(r[0].protocol, CONFIG_UDP);
    assert_int_equal(r[1].port, 99);
    assert_int_equal(r[1].protocol, CONFIG_TCP);
    assert_int_equal(r[1].family, ADDRESS_IPV6);
    assert_int_equal(r[1].tun_mtu, 1400);
    assert_int_equal(r[1].connect_timeout, 9);
    assert_int_equal(r[1].mssfix, 1100);
    assert_false(r[1].mssfix_fixed);
    assert_int_equal(r[1].wrap, CONFIG_WRAP_TLS_AUTH);
    assert_int_equal(r[1].key_direction, 1);
    assert_int_equal(r[1].proxy.kind, CONFIG_PROXY_SOCKS);
    assert_int_equal(r[1].proxy.port, 1081);
    assert_int_equal(r[2].port, 7);
    assert_int_equal(r[2].tun_mtu, 1300);
    assert_int_equal(r[2].mssfix, 1200);
    assert_true(r[2].mssfix_fixed);
    assert_int_equal(r[2].key_direction, 0);
    assert_int_equal(r[3].wrap, CONFIG_WRAP_TLS_CRYPT);
    assert_int_equal(r[3].key_direction, -1);
    assert_string_equal(r[3].host, "d.example");
    config_trial_clear(&t);
}

static void a_literal_address_decides_its_family(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "remote 192.0.2.1 1\nremote [2001:db8::1] 1\n"
               "remote 2001:db8::2 1 tcp");
    assert_int_equal(t.config.remotes[0].family, ADDRESS_NONE);
    assert_int_equal(t.config.remotes[1].family, ADDRESS_IPV4);
    assert_int_equal(t.config.remotes[2].family, ADDRESS_IPV6);
    assert_string_equal(t.config.remotes[2].host, "2001:db8::1");
    assert_int_equal(t.config.remotes[3].family, ADDRESS_IPV6);
    config_trial_clear(&t);
    config_trial_with(&t, "remote 192.0.2.1 1 udp6");
    assert_true(t.usable);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 4, "family"));
    assert_int_equal(t.config.remotes[1].family, ADDRESS_IPV4);
    config_trial_clear(&t);
}

static void one_protocol_may_be_forced(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "remote b.example 443 tcp\nproto-force tcp");
    assert_int_equal(t.config.remote_count, 1);
    assert_string_equal(t.config.remotes[0].host, "b.example");
    config_trial_clear(&t);
}

static void remotes_are_many_but_not_too_many(void **state)
{
    (void)state;
    struct config_trial t = {0};
    static char text[CONFIG_REMOTES_MAX * 16];
    size_t used = 0;
    for (int i = 1; i < CONFIG_REMOTES_MAX; i++) {
        memcpy(text + used, "remote a.b 1\n", 13);
        used += 13;
    }
    accept(&t, text);
    assert_int_equal(t.config.remote_count, CONFIG_REMOTES_MAX);
    config_trial_clear(&t);
    memcpy(text + used, "remote a.b 1\n", 14);
    config_trial_with(&t, text);
    assert_true(config_trial_said(
        &t, CONFIG_ERROR, FIRST_LINE + CONFIG_REMOTES_MAX - 1, "more than"));
    config_trial_clear(&t);
}

static void fragment_is_of_udp_remotes(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_parse(&t, "client\ndev tun\nremote a.example 443 tcp\n"
                           "fragment 1300\nexplicit-exit-notify\n"
                           "remote b.example 1194 udp\n"
                           "<connection>\nremote c.example 1194 udp\n"
                           "fragment 1400 mtu\n</connection>\n"
                           "remote-cert-tls server\nauth-user-pass\n"
                           "<ca>\n" CERTIFICATE "</ca>\n");
    assert_true(t.usable);
    const struct config_remote *r = t.config.remotes;
    assert_int_equal(t.config.remote_count, 3);
    assert_false(r[0].explicit_exit_notify);
    assert_int_equal(r[0].fragment, 0);
    assert_int_equal(r[1].fragment, 1300);
    assert_false(r[1].fragment_with_outer);
    assert_int_equal(r[2].fragment, 1400);
    assert_true(r[2].fragment_with_outer);
    config_trial_clear(&t);
}

/* openvpn 2.6.14: "--fragment needs to be at least 68". */
static void a_fragment_has_room_for_something(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint16_t size; /* 0: an error */
    } lines[] = {
        {"fragment 68", 68},         {"fragment 65535", 65535},
        {"fragment 1300 mtu", 1300}, {"fragment 67", 0},
        {"fragment 1", 0},           {"fragment 65536", 0},
        {"fragment -1", 0},          {"fragment x", 0},
        {"fragment 1300 fixed", 0},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct config_trial t = {0};
        config_trial_with(&t, lines[i].line);
        assert_int_equal(t.usable, lines[i].size > 0);
        if (t.usable)
            assert_int_equal(t.config.remotes[0].fragment, lines[i].size);
        config_trial_clear(&t);
    }
}

/* --- Keys and identity --------------------------------------------------- */

static void keys_come_from_files_too(void **state)
{
    (void)state;
    struct config_trial t = {.file_name = "ta.key",
                             .file_content = "# text\n" STATIC_KEY};
    accept(&t, "tls-auth ta.key 1");
    assert_int_equal(t.config.remotes[0].wrap, CONFIG_WRAP_TLS_AUTH);
    assert_int_equal(t.config.remotes[0].key_direction, 1);
    /* A NUL stands behind the text, as mbedTLS wants it. */
    assert_int_equal(
        t.config.remotes[0].wrap_key.data[t.config.remotes[0].wrap_key.size],
        0);
    assert_int_equal(t.config.ca.data[t.config.ca.size], 0);
    config_trial_clear(&t);
}

static void a_certificate_may_stand_in_for_a_password(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "<cert>\n" CERTIFICATE "</cert>\n<key>\n" PRIVATE_KEY "</key>\n"
               "<askpass>\n secret word \n</askpass>");
    assert_non_null(t.config.cert.data);
    assert_bytes_equal(
        bytes_of(t.config.key_password.data, t.config.key_password.size),
        bytes_of_text(" secret word "));
    config_trial_clear(&t);
}

static void a_container_is_looked_into(void **state)
{
    (void)state;
    static const char *const contents[] = {"MIIB\r\n  AgME\nBQ==\n", "MII\n",
                                           "", "****\n"};
    for (size_t i = 0; i < COUNT(contents); i++) {
        struct config_trial t = {0};
        char text[128];
        snprintf(text, sizeof text, "<pkcs12>\n%s</pkcs12>", contents[i]);
        config_trial_with(&t, text);
        assert_true(config_trial_said(&t, CONFIG_ERROR, 4, "not a PKCS#12"));
        assert_null(t.config.pkcs12.data);
        config_trial_clear(&t);
    }
}

static void without_a_check_of_the_server_there_is_a_warning(void **state)
{
    (void)state;
    static const char head[] = "client\ndev tun\nremote a.example\n"
                               "auth-user-pass\n<ca>\n" CERTIFICATE "</ca>\n";
    static const char *const checks[] = {
        "remote-cert-tls server",
        "ns-cert-type server",
        "verify-x509-name a",
        "remote-cert-eku serverAuth",
        ("peer-fingerprint "
         "0000000000000000000000000000000000000000000000000000000000000000"),
    };
    struct config_trial t = {0};
    config_trial_parse(&t, head);
    assert_true(t.usable);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 0, "remote-cert-tls"));
    config_trial_clear(&t);
    for (size_t i = 0; i < COUNT(checks); i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s\n", head, checks[i]);
        config_trial_parse(&t, text);
        assert_true(t.usable);
        assert_int_equal(t.count, 0);
        config_trial_clear(&t);
    }
}

static void fingerprints_replace_the_authority(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_parse(
        &t,
        "client\ndev tun\nremote a.example\nauth-user-pass\n"
        "<peer-fingerprint>\n"
        "# a comment\n"
        "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:"
        "17:18:19:1A:1B:1C:1D:1E:1F\n\n"
        "</peer-fingerprint>\n");
    assert_true(t.usable);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.config.fingerprint_count, 1);
    assert_int_equal(t.config.fingerprints[0].size, 32);
    for (uint8_t i = 0; i < 32; i++)
        assert_int_equal(t.config.fingerprints[0].data[i], i);
    config_trial_clear(&t);
}

/* A question or a name of a hostile profile ends up on a terminal. */
static void no_line_holds_control_characters(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "static-challenge \"\033[2Jpassword:\" 1",
        "verify-x509-name vpn\033]0;title\007 name",
        "remote-cert-eku \"a\rb\"",
        "setenv UV_X a\177b",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct config_trial t = {0};
        config_trial_with(&t, lines[i]);
        assert_false(t.usable);
        assert_true(
            config_trial_said(&t, CONFIG_ERROR, 4, "a control character"));
        config_trial_clear(&t);
    }
    struct config_trial t = {0};
    accept(&t, "static-challenge \"Gr\303\266\303\237e\t?\" 1");
    config_trial_clear(&t);
}

static void a_list_without_an_authority_is_told(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_parse(&t, "client\ndev tun\nremote a.example\nauth-user-pass\n"
                           "peer-fingerprint 000102030405060708090a0b0c0d0e0f"
                           "101112131415161718191A1B1C1D1E1F\n"
                           "<crl-verify>\n" CONFIG_TRIAL_CRL "</crl-verify>\n");
    assert_true(t.usable);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 0, "`crl-verify'"));
    config_trial_clear(&t);
}

static void certificates_and_lists_are_looked_into(void **state)
{
    (void)state;
    static const char cut[] =
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n"
        "-----END CERTIFICATE-----\n";
    struct config_trial t = {.file_name = "c.pem", .file_content = cut};
    config_trial_with(&t, "ca c.pem");
    assert_true(config_trial_said(&t, CONFIG_ERROR, 4, "`ca' cannot be read"));
    config_trial_clear(&t);

    t.file_name = "c.pem";
    t.file_content = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n";
    config_trial_with(&t, "crl-verify c.pem");
    assert_true(config_trial_said(&t, CONFIG_ERROR, 4, "cannot be read"));
    config_trial_clear(&t);

    /* An empty list of revoked certificates is a list all the same. */
    t.file_name = "c.pem";
    t.file_content = "\n";
    config_trial_with(&t, "crl-verify c.pem");
    assert_true(config_trial_said(&t, CONFIG_ERROR, 4, "holds no list"));
    config_trial_clear(&t);

    char *both = NULL;
    assert_true(asprintf(&both, "%s%s", CERTIFICATE, cut) > 0);
    t.file_name = "c.pem";
    t.file_content = both;
    config_trial_with(&t, "extra-certs c.pem");
    assert_true(t.usable);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 4, "1 of the"));
    config_trial_clear(&t);
    free(both);
}

static void identity_checks_are_kept(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "remote-cert-ku a0 8\nremote-cert-eku 1.3.6.1.5.5.7.3.1\n"
               "verify-x509-name 'C=DE, CN=a'\ntls-cert-profile suiteb\n"
               "tls-version-max 1.2");
    assert_int_equal(t.config.remote_cert_ku_count, 2);
    assert_int_equal(t.config.remote_cert_ku[0], 0xa0);
    assert_int_equal(t.config.remote_cert_ku[1], 8);
    assert_string_equal(t.config.remote_cert_eku, "1.3.6.1.5.5.7.3.1");
    assert_int_equal(t.config.name_type, CONFIG_NAME_SUBJECT);
    assert_string_equal(t.config.name, "C=DE, CN=a");
    assert_int_equal(t.config.cert_profile, CONFIG_PROFILE_SUITEB);
    assert_int_equal(t.config.tls_version_max, CONFIG_TLS_1_2);
    config_trial_clear(&t);
    accept(&t, "remote-cert-ku");
    assert_int_equal(t.config.remote_cert_ku_count, 1);
    assert_int_equal(t.config.remote_cert_ku[0], CONFIG_KU_REQUIRED);
    assert_int_equal(t.config.cert_profile, CONFIG_PROFILE_LEGACY);
    config_trial_clear(&t);
}

static void openssls_words_leave_the_librarys_defaults(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "tls-cipher \"DEFAULT:@SECLEVEL=0\"");
    assert_true(t.usable);
    assert_int_equal(t.warnings, 1);
    assert_string_equal(t.config.tls_cipher, "DEFAULT");
    config_trial_clear(&t);
    config_trial_with(&t, "tls-cipher A-1:!aNULL:B-2::C-3");
    assert_true(t.usable);
    assert_string_equal(t.config.tls_cipher, "A-1:B-2:C-3");
    config_trial_clear(&t);
    static const char *const groups[] = {
        "DEFAULT@SECLEVEL=0",
        "ECDHE",
        "AESGCM",
        "PSK",
        "EECDH+AESGCM:EDH+AESGCM:AES256+EECDH",
        "TLSv1.2:!aNULL",
        "ECDHE,DHE",
        "\"HIGH !aNULL\"",
    };
    for (size_t i = 0; i < COUNT(groups); i++) {
        char line[96];
        snprintf(line, sizeof line, "tls-cipher %s", groups[i]);
        config_trial_with(&t, line);
        assert_true(t.usable);
        assert_true(config_trial_said(&t, CONFIG_WARNING, FIRST_LINE,
                                      "OpenSSL's words"));
        assert_string_equal(t.config.tls_cipher, "DEFAULT");
        config_trial_clear(&t);
    }
    accept(&t, "tls-ciphersuites TLS_AES_256_GCM_SHA384");
    config_trial_clear(&t);
    accept(&t, "tls-groups X25519:secp256r1");
    config_trial_clear(&t);
}

/* --- Ciphers ------------------------------------------------------------- */

static void the_profiles_cipher_is_offered_unless_it_is_weak(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *ciphers, *cipher;
        size_t warnings;
    } cases[] = {
        {"", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", "", 0},
        {"cipher aes-256-cbc",
         "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC", "AES-256-CBC",
         0},
        {"cipher AES-256-GCM", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
         "AES-256-GCM", 0},
        {"cipher id-aes192-GCM",
         "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-192-GCM", "AES-192-GCM",
         0},
        {"cipher BF-CBC", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", "BF-CBC",
         1},
        {"cipher des-ede3-cbc", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
         "DES-EDE3-CBC", 1},
        {"data-ciphers chacha20-poly1305\ncipher AES-128-CBC",
         "CHACHA20-POLY1305:AES-128-CBC", "AES-128-CBC", 0},
        {"data-ciphers AES-256-GCM:BF-CBC:?NEW:AES-256-GCM", "AES-256-GCM", "",
         1},
        {"auth none", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_trial t = {0};
        config_trial_with(&t, cases[i].lines);
        assert_true(t.usable);
        assert_int_equal(t.warnings, cases[i].warnings);
        assert_string_equal(t.config.data_ciphers, cases[i].ciphers);
        assert_string_equal(t.config.cipher, cases[i].cipher);
        config_trial_clear(&t);
    }
}

static void compression_is_only_a_framing(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum config_compression framing;
    } cases[] = {
        {"comp-lzo", CONFIG_COMPRESSION_LZO},
        {"comp-lzo no", CONFIG_COMPRESSION_LZO},
        {"compress", CONFIG_COMPRESSION_STUB},
        {"compress stub", CONFIG_COMPRESSION_STUB},
        {"compress stub-v2", CONFIG_COMPRESSION_STUB_V2},
        {"compress lzo", CONFIG_COMPRESSION_LZO},
        {"compress lz4", CONFIG_COMPRESSION_STUB},
        {"compress lz4-v2", CONFIG_COMPRESSION_STUB_V2},
        {"compress migrate", CONFIG_COMPRESSION_NONE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_trial t = {0};
        accept(&t, cases[i].line);
        assert_true(t.config.compression_set);
        assert_int_equal(t.config.compression, cases[i].framing);
        assert_false(t.config.compression_refused);
        config_trial_clear(&t);
    }
    struct config_trial t = {0};
    accept(&t, "allow-compression no");
    assert_true(t.config.compression_refused);
    config_trial_clear(&t);
}

/* --- Numbers ------------------------------------------------------------- */

static void numbers_reach_their_fields(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t,
           "connect-retry 7 3\nconnect-retry-max 4\nreplay-window 128 30\n"
           "reneg-sec 100\nreneg-bytes 5000000000\nreneg-pkts 6\n"
           "hand-window 61\ntran-window 62\ntls-timeout 3\nkeepalive 10 60\n"
           "ping-exit 63\ninactive 64 65\nsession-timeout 66\n"
           "max-packet-size 1000\nfloat\nauth-nocache");
    const struct config *c = &t.config;
    assert_int_equal(c->connect_retry, 7);
    assert_int_equal(c->connect_retry_max, 7);
    assert_int_equal(c->connect_cycles_max, 4);
    assert_int_equal(c->replay_packets, 128);
    assert_int_equal(c->replay_seconds, 30);
    assert_int_equal(c->reneg_seconds, 100);
    assert_int_equal(c->reneg_bytes, 5000000000);
    assert_int_equal(c->reneg_packets, 6);
    assert_int_equal(c->hand_window, 61);
    assert_int_equal(c->tran_window, 62);
    assert_int_equal(c->tls_timeout, 3);
    assert_int_equal(c->ping, 10);
    assert_int_equal(c->ping_restart, 63); /* the one said last */
    assert_true(c->ping_restart_set);
    assert_int_equal(c->inactive, 64);
    assert_int_equal(c->inactive_bytes, 65);
    assert_int_equal(c->session_timeout, 66);
    assert_int_equal(c->max_packet_size, 1000);
    assert_true(c->floating && c->auth_nocache);
    config_trial_clear(&t);
}

static void defaults_are_openvpns(void **state)
{
    (void)state;
    struct config_trial t = {0};
    accept(&t, "");
    const struct config *c = &t.config;
    assert_int_equal(c->connect_retry, 1);
    assert_int_equal(c->connect_retry_max, 0);
    assert_int_equal(c->connect_cycles_max, 0);
    assert_int_equal(c->reneg_seconds, 3600);
    assert_int_equal(c->hand_window, 60);
    assert_int_equal(c->tls_timeout, 2);
    assert_int_equal(c->replay_packets, 64);
    assert_int_equal(c->replay_seconds, 15);
    assert_int_equal(c->ping_restart, 120);
    assert_false(c->ping_restart_set);
    assert_string_equal(c->auth, "SHA1");
    assert_int_equal(c->remotes[0].connect_timeout, 120);
    assert_int_equal(c->remotes[0].tun_mtu, 1500);
    assert_int_equal(c->remotes[0].mssfix, -1);
    assert_int_equal(c->remotes[0].key_direction, -1);
    config_trial_clear(&t);
}

static void more_arguments_than_wanted_are_a_warning(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "ping 10 secret");
    assert_true(t.usable);
    assert_true(config_trial_said(&t, CONFIG_WARNING, 4, "more than `ping'"));
    assert_false(config_trial_leaked(&t, "secret"));
    assert_int_equal(t.config.ping, 10);
    config_trial_clear(&t);
}

/* --- Hostile input ------------------------------------------------------- */

static const char everything[] =
    "\xef\xbb\xbf# comment\r\nclient\r\n--dev tun\nproto udp\n"
    "remote a.example 1194 udp # comment\nremote [2001:db8::1] 443 tcp\n"
    "<connection>\nremote b.example 1 tcp\nhttp-proxy p.example 3128 auto\n"
    "http-proxy-option AGENT \"a b\"\n<tls-crypt>\n" STATIC_KEY
    " </tls-crypt>\n</connection>\n"
    "<tls-auth>\n" STATIC_KEY "</tls-auth>\nkey-direction 1\n"
    "verify-x509-name 'a \"b' name\ndata-ciphers DEFAULT:?X:AES-256-CBC\n"
    "tls-cipher \"A:@SECLEVEL=0\"\nsetenv opt route 10.0.0.0 255.0.0.0\n"
    "setenv UV_A b\ndns server 1 address [fd00::1]:53\n"
    "dhcp-option DOMAIN a.b\nredirect-gateway def1 ipv6\n"
    "pull-filter reject \"x\"\nstatic-challenge \"x\\\"y\" 1\n"
    "auth-user-pass f\n<pkcs12>\nMIIB\n</pkcs12>\n<peer-fingerprint>\n"
    "0000000000000000000000000000000000000000000000000000000000000000\n"
    "</peer-fingerprint>\nremote-cert-ku a0 88\n<ca>\n" CERTIFICATE
    "</ca>\n<askpass>\nx\n</askpass>\nignore-unknown-option q\nq\n"
    "-----BEGIN X-----\n-----END X-----\nconnect-retry 1 2\nreneg-bytes 1\n";

static void a_file_of_rubbish_is_not_told_line_by_line(void **state)
{
    (void)state;
    enum { LINES = 400000 };
    char *text = malloc(LINES * 2);
    assert_non_null(text);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + 2 * i, "x\n", 2);
    struct config_trial t = {0};
    config_trial_run(&t, bytes_of(text, LINES * 2));
    assert_false(t.usable);
    assert_int_equal(t.warnings, CONFIG_REPORTS_MAX);
    assert_int_equal(t.errors, 1);
    config_trial_clear(&t);
    free(text);
}

static void every_truncation_is_survived(void **state)
{
    (void)state;
    struct config_trial t = {.file_name = "f", .file_content = "u\np\n"};
    for (size_t n = 0; n < sizeof everything; n++) {
        config_trial_run(&t, bytes_of(everything, n));
        config_clear(&t.config);
    }
}

static void every_change_of_a_byte_is_survived(void **state)
{
    (void)state;
    struct config_trial t = {.file_name = "f", .file_content = "u\np\n"};
    static char changed[sizeof everything];
    uint32_t seed = 11;
    for (int i = 0; i < 3000; i++) {
        memcpy(changed, everything, sizeof everything);
        for (int k = 0; k < 3; k++) {
            uint32_t where = next_random(&seed) % sizeof everything;
            static const char marks[] = "\n\"'\\<>/ #\0\xff:0";
            changed[where] = next_random(&seed) % 2
                                 ? marks[next_random(&seed) % sizeof marks]
                                 : (char)next_random(&seed);
        }
        config_trial_run(&t, bytes_of(changed, sizeof everything));
        config_clear(&t.config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_profile_is_usable),
        cmocka_unit_test(every_supported_option_is_taken_without_a_word),
        cmocka_unit_test(what_does_no_harm_is_ignored),
        cmocka_unit_test(what_runs_code_or_weakens_is_refused_by_name),
        cmocka_unit_test(what_others_stumble_over_works),
        cmocka_unit_test(no_option_stands_twice_in_the_table),
        cmocka_unit_test(every_option_survives_any_number_of_arguments),
        cmocka_unit_test(a_mistyped_option_is_recognised),
        cmocka_unit_test(windows_files_are_read),
        cmocka_unit_test(text_outside_of_blocks_is_passed_over),
        cmocka_unit_test(unknown_options_are_told_but_never_secrets),
        cmocka_unit_test(no_report_repeats_a_secret),
        cmocka_unit_test(reports_are_printable),
        cmocka_unit_test(unknown_options_may_be_allowed),
        cmocka_unit_test(every_spelling_of_a_protocol_is_known),
        cmocka_unit_test(what_stands_after_a_remote_still_counts_for_it),
        cmocka_unit_test(a_literal_address_decides_its_family),
        cmocka_unit_test(one_protocol_may_be_forced),
        cmocka_unit_test(remotes_are_many_but_not_too_many),
        cmocka_unit_test(fragment_is_of_udp_remotes),
        cmocka_unit_test(a_fragment_has_room_for_something),
        cmocka_unit_test(keys_come_from_files_too),
        cmocka_unit_test(a_certificate_may_stand_in_for_a_password),
        cmocka_unit_test(a_container_is_looked_into),
        cmocka_unit_test(without_a_check_of_the_server_there_is_a_warning),
        cmocka_unit_test(fingerprints_replace_the_authority),
        cmocka_unit_test(no_line_holds_control_characters),
        cmocka_unit_test(a_list_without_an_authority_is_told),
        cmocka_unit_test(certificates_and_lists_are_looked_into),
        cmocka_unit_test(identity_checks_are_kept),
        cmocka_unit_test(openssls_words_leave_the_librarys_defaults),
        cmocka_unit_test(the_profiles_cipher_is_offered_unless_it_is_weak),
        cmocka_unit_test(compression_is_only_a_framing),
        cmocka_unit_test(numbers_reach_their_fields),
        cmocka_unit_test(defaults_are_openvpns),
        cmocka_unit_test(more_arguments_than_wanted_are_a_warning),
        cmocka_unit_test(a_file_of_rubbish_is_not_told_line_by_line),
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(every_change_of_a_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
