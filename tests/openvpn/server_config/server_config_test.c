/* A server's configuration: what each directive sets, and what is wrong with
 * a file. */
#include "gateway/openvpn/server_config/server_config_parser.h"

#include <stdio.h>

#include "gateway/openvpn/push/push_options.h"
#include "tests/openvpn/config/config_trial.h"
#include "tests/unit.h"
#include "tests/vectors/openvpn_tls_crypt.h"
#include "tests/vectors/pki.h"

struct trial {
    struct server_config config;
    bool usable;
    unsigned errors, line; /* of the first error */
    char text[512];
    char all[8192]; /* each report, warnings as well */
};

static void note(void *context, enum config_severity severity, unsigned line,
                 const char *text)
{
    struct trial *t = context;
    size_t used = strlen(t->all);
    snprintf(t->all + used, sizeof t->all - used, "%u: %s\n", line, text);
    if (severity != CONFIG_ERROR)
        return;
    if (t->errors++ > 0)
        return;
    t->line = line;
    snprintf(t->text, sizeof t->text, "%s", text);
}

static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    (void)context;
    const char *path = reference->path;
    const char *content = !strcmp(path, "ca.crt")       ? pki_ca
                          : !strcmp(path, "server.crt") ? pki_server_crt
                          : !strcmp(path, "server.key") ? pki_server_key
                          : !strcmp(path, "v2.key")     ? vector_v2_server_key
                                                        : NULL;
    if (!content)
        return "there is no such file";
    return blob_set(out, bytes_of_text(content)) ? NULL : "no memory";
}

static void run(struct trial *t, struct bytes text)
{
    const struct config_parser_env env = {note, read_file, t,
                                          push_options_try_line};
    uint8_t *exact = exact_copy(text.data, text.size);
    t->errors = t->line = 0;
    t->text[0] = t->all[0] = 0;
    t->usable = server_config_parse(bytes_of(exact, text.size), "s.conf", &env,
                                    &t->config);
    assert_int_equal(t->usable, t->errors == 0);
    free(exact);
}

/* A whole configuration with `lines` behind it, from line 5 on. */
static void with(struct trial *t, const char *lines)
{
    char *all = NULL;
    assert_true(asprintf(&all,
                         "server 10.8.0.0 255.255.255.0\nca ca.crt\n"
                         "cert server.crt\nkey server.key\n%s",
                         lines) > 0);
    run(t, bytes_of_text(all));
    free(all);
}

static void usable(struct trial *t, const char *lines)
{
    with(t, lines);
    if (!t->usable)
        fail_msg("%s: line %u: %s", lines, t->line, t->text);
}

static void refused(const char *lines, unsigned line, const char *part)
{
    struct trial t;
    with(&t, lines);
    if (t.usable || t.line != line || !strstr(t.text, part))
        fail_msg("%s: line %u: %s", lines, t.line, t.text);
    server_config_clear(&t.config);
}

static void defaults_are_openvpns(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "");
    const struct server_config *c = &t.config;
    assert_int_equal(address_to_ipv4(&c->ipv4.address), 0x0a080001);
    assert_int_equal(c->ipv4.bits, 24);
    assert_int_equal(c->pool_first, 0x0a080002);
    assert_int_equal(c->pool_last, 0x0a0800fe);
    assert_true(c->sockets[CONFIG_UDP].open && !c->sockets[CONFIG_TCP].open);
    assert_int_equal(c->sockets[CONFIG_UDP].local.port, 1194);
    assert_int_equal(c->sockets[CONFIG_UDP].local.address.family, ADDRESS_NONE);
    assert_int_equal(c->max_clients, 1024);
    assert_string_equal(c->device, "tun0");
    assert_int_equal(c->certificate, SERVER_CERTIFICATE_REQUIRED);
    assert_false(c->client_to_client || c->duplicate_cn || c->exit_notify);
    server_config_clear(&t.config);
}

/* Without its block nothing of what it protects would be there. */
static void a_block_that_is_announced_is_there(void **state)
{
    (void)state;
    static const char *const names[] = {
        "tls-auth",   "tls-crypt",   "tls-crypt-v2",
        "crl-verify", "extra-certs", "auth-gen-token-secret"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s [inline]\n", names[i]);
        refused(line, 5, "there is no block <");
    }
    struct trial t;
    usable(&t, "tls-auth [inline] 0\n<tls-auth>\n" //
           CONFIG_TRIAL_STATIC_KEY "</tls-auth>\n");
    const struct config_remote *r = server_config_remote(&t.config);
    assert_int_equal(r->wrap, CONFIG_WRAP_TLS_AUTH);
    assert_int_equal(r->key_direction, 0);
    server_config_clear(&t.config);
}

static void every_directive_sets_what_it_says(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "port 443\nproto udp4\nlocal 192.0.2.1\ndev tun7\n"
               "topology subnet\nserver-ipv6 fd00:8::/64\n"
               "ifconfig-pool 10.8.0.10 10.8.0.20\nkeepalive 10 60\n"
               "push \"route 10.0.0.0 255.0.0.0\"\n"
               "push \"dhcp-option DNS 10.8.0.1\"\nroute 10.9.0.0 255.255.0.0\n"
               "route-ipv6 fd00:9::/48\nmax-clients 10\nclient-to-client\n"
               "duplicate-cn\nremote-cert-tls client\n"
               "connect-freq-initial 7 3\nexplicit-exit-notify 2\n"
               "data-ciphers AES-128-GCM\nauth SHA256\ntls-version-min 1.3\n"
               "reneg-sec 100\nhand-window 20\ntun-mtu 1400\nmssfix 1300\n"
               "verb 3\npersist-tun\ndh none\n");
    const struct server_config *c = &t.config;
    const struct endpoint *local = &c->sockets[CONFIG_UDP].local;
    assert_int_equal(local->port, 443);
    assert_int_equal(address_to_ipv4(&local->address), 0xc0000201);
    assert_string_equal(c->device, "tun7");
    assert_int_equal(c->ipv6.bits, 64);
    assert_int_equal(c->ipv6.address.bytes[15], 1);
    assert_int_equal(c->pool_first, 0x0a08000a);
    assert_int_equal(c->pool_last, 0x0a080014);
    assert_int_equal(c->ping, 10);
    assert_int_equal(c->ping_restart, 60);
    assert_int_equal(c->push_count, 2);
    assert_string_equal(c->pushes[1], "dhcp-option DNS 10.8.0.1");
    assert_int_equal(c->route_count, 2);
    assert_int_equal(c->max_clients, 10);
    assert_true(c->client_to_client && c->duplicate_cn && c->exit_notify &&
                c->exit_advance && c->common.remote_cert_tls_client);
    assert_int_equal(c->first_answers, 7);
    assert_int_equal(c->first_seconds, 3);
    assert_string_equal(c->common.data_ciphers, "AES-128-GCM");
    assert_string_equal(c->common.auth, "SHA256");
    assert_int_equal(c->common.tls_version_min, CONFIG_TLS_1_3);
    assert_int_equal(c->common.reneg_seconds, 100);
    assert_int_equal(server_config_remote(c)->tun_mtu, 1400);
    assert_false(c->clients_by_kernel);
    server_config_clear(&t.config);
    usable(&t, "client-to-client kernel\n");
    assert_true(c->client_to_client && c->clients_by_kernel);
    server_config_clear(&t.config);
}

static void clients_without_a_cookie_may_be_kept_out(void **state)
{
    (void)state;
    static const char *const more[] = {"", " allow-noncookie", " force-cookie"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct trial t;
        char line[64];
        snprintf(line, sizeof line, "tls-crypt-v2 v2.key%s\n", more[i]);
        usable(&t, line);
        assert_int_equal(t.config.cookie_only, i == 2);
        server_config_clear(&t.config);
    }
}

static void it_may_listen_on_both_protocols(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "proto tcp-server\nport 443\nconnect-freq 5 60\n");
    const struct server_config_socket *udp = &t.config.sockets[CONFIG_UDP];
    const struct server_config_socket *tcp = &t.config.sockets[CONFIG_TCP];
    assert_true(tcp->open && !udp->open);
    assert_int_equal(tcp->local.port, 443);
    assert_int_equal(t.config.logins, 5);
    assert_int_equal(t.config.logins_seconds, 60);
    server_config_clear(&t.config);
    usable(&t, "local * 1194 udp\nlocal 192.0.2.1 443 tcp4\n");
    assert_true(tcp->open && udp->open);
    assert_int_equal(udp->local.port, 1194);
    assert_int_equal(udp->local.address.family, ADDRESS_NONE);
    assert_int_equal(tcp->local.port, 443);
    assert_int_equal(address_to_ipv4(&tcp->local.address), 0xc0000201);
    server_config_clear(&t.config);
    /* Lines fill in what another leaves open, in any order. */
    usable(&t, "local 192.0.2.1\nlocal 192.0.2.2 80 tcp\nport 443\n");
    assert_int_equal(udp->local.port, 443);
    assert_int_equal(tcp->local.port, 80);
    server_config_clear(&t.config);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    (void)state;
    refused("nonsense 1\n", 5, "unknown option `nonsense'");
    refused("prot udp\n", 5, "did you mean `proto'");
    refused("\n\nport 0\n", 7, "a number from 1 to 65535");
    refused("port 70000\n", 5, "a number from 1 to 65535");
    refused("proto icmp\n", 5, "not a server's protocol");
    refused("dev tap0\n", 5, "Ethernet");
    refused("dev tun0;reboot\n", 5, "not a name of an interface");
    refused("dev a-name-that-is-too-long\n", 5, "too long");
    refused("server 10.8.0.1 255.255.255.0\n", 5, "bits of it over");
    refused("server 10.8.0.0 255.0.255.0\n", 5, "holes");
    refused("server 10.8.0.0 255.255.255.252\n", 5, "from /8 to /29");
    refused("server 10.8.0.0\n", 5, "wants at least 2 arguments");
    refused("server 10.8.0.0 255.255.255.255\n", 5, "from /8 to /29");
    refused("server 10.9.0.0 255.255.255.0\n", 5, "one `server' or");
    refused("ifconfig 10.9.0.1 255.255.255.0\n", 5, "one `server' or");
    refused("server 10.9.0.0 255.255.255.0 pool\n", 5, "not `nopool'");
    refused("server-ipv6 fd00::/32\n", 5, "from /64 to /112");
    refused("ifconfig-pool 10.8.0.9 10.8.0.8\n", 5, "ends before it begins");
    refused("ifconfig-pool 10.9.0.2 10.9.0.9\n", 0, "must lie inside");
    refused("ifconfig-pool 10.8.0.1 10.8.0.9\n", 0, "must lie inside");
    /* Rounded to whole /30s the pool would hold the server's. */
    refused("topology net30\nifconfig-pool 10.8.0.3 10.8.0.9\n", 0,
            "must lie inside");
    refused("topology net30\nifconfig-pool 10.8.0.8 10.8.0.253\n", 0,
            "must lie inside");
    refused("ifconfig-ipv6-pool fd00:8::1000/64\n", 0, "must lie inside");
    refused("server-ipv6 fd00:8::/64\nifconfig-ipv6-pool fd00:9::2/64\n", 0,
            "must lie inside");
    refused("server-ipv6 fd00:8::/64\nifconfig-ipv6-pool fd00:8::/64\n", 0,
            "must lie inside");
    refused("server-ipv6 fd00:8::/112\nifconfig-ipv6-pool fd00:8::ff80/64\n", 0,
            "must lie inside");
    refused("server-ipv6 fd00:8::/64\nifconfig-ipv6-pool "
            "fd00:8::ffff:ff80/64\n",
            0, "must lie inside");
    refused("server-ipv6 fd00:8::/64\nifconfig-ipv6 fd00:9::1/64\n", 6,
            "one `server-ipv6' or");
    refused("ifconfig-ipv6 fd00:9::1/129\n", 5, "with its bits");
    refused("ifconfig-ipv6 fd00:9::1/\n", 5, "with its bits");
    refused("local 192.0.2.1\nlocal 192.0.2.2 1195 udp\n", 6, "one `local'");
    refused("local ::1 1194 udp4\n", 5, "two families");
    refused("local 192.0.2.1 1194 sctp\n", 5, "not a server's protocol");
    refused("local 192.0.2.1 0\n", 5, "from 1 to 65535");
    refused("topology star\n", 5, "not `subnet', `net30' or `p2p'");
    refused("push \"a,b\"\n", 5, "without a comma");
    refused("push \"a\tb\"\n", 5, "printable");
    refused("push\n", 5, "wants 1 argument");
    refused("client-to-client router\n", 5, "not `kernel'");
    refused("keepalive 10 15\n", 5, "twice as long");
    refused("max-clients 0\n", 5, "from 1 to");
    refused("remote-cert-tls server\n", 5, "is client");
    refused("redirect-gateway def1\n", 5, "a client's option");
    refused("up /bin/true\n", 5, "runs no scripts");
    refused("management 127.0.0.1 7505\nplugin x\n", 6, "foreign code");
    refused("ca nowhere.crt\n", 5, "there is no such file");
    refused("verify-client-cert none\n", 0, "anybody could come in");
    refused("verify-client-cert optional\n", 0, "anybody could come in");
    refused("verify-client-cert maybe\n", 5, "not `require', `optional' or");
    refused("auth-gen-token\n", 0, "needs a `user-pass-file'");
    refused("auth-gen-token 3600 60 external-auth\n", 5, "no plugin");
    refused("auth-gen-token-secret ca.crt\n", 5, "holds no key");
    refused("user-pass-file a\nuser-pass-socket b\n", 0, "either");
    refused("username-as-common-name\n", 0, "needs a `user-pass-file'");
    refused("<tls-crypt-v2-metadata>\n \n</tls-crypt-v2-metadata>\n", 5,
            "lists nothing");
    refused("ccd-exclusive\n", 0, "needs a `client-config-dir'");
    refused("status-version 4\n", 5, "from 1 to 3");
    refused("client-connect /bin/true\n", 5, "no scripts");
    refused("tls-crypt-v2-verify /bin/true\n", 5, "no scripts");
    refused("auth-user-pass-verify /bin/true via-file\n", 5, "no scripts");
    refused("tls-crypt-v2 ca.crt\n", 5, "holds no server's key");
    refused("tls-crypt-v2 ca.crt some-cookie\n", 5, "force-cookie");
    refused("compat-mode 2.4.0.1\n", 5, "2.4.0");
    refused("compat-mode old\n", 5, "2.4.0");
    refused("iroute 10.0.0.0\n", 5, "said of one client");
    refused("port-share 127.0.0.1 443\n", 5, "a proxy in front");
    refused("<tls-crypt>\nabc\n", 5, "never closed");
    refused("push \"open\n", 5, "quote");
}

/* Keys and passwords in wrong places: none of their words is repeated. */
static void no_report_repeats_a_secret(void **state)
{
    (void)state;
#define BASE64 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsecretkeymatter"
#define HEX    "6acef03f62675b4b1bbd03e53b187727"
    static const char *const cases[] = {
        /* no tag around it, half a tag, half an armour, none */
        "-----BEGIN PRIVATE KEY-----\n" BASE64 "\n-----END PRIVATE KEY-----\n",
        "<key\n-----BEGIN PRIVATE KEY-----\n" BASE64
        "\n-----END PRIVATE KEY-----\n</key>\n",
        "-----BEGIN PRIVATE KEY-----\n" BASE64 "\n</key>\n",
        BASE64 "\nab+" BASE64 "==\n</key>\n",
        "<tls-auth\n-----BEGIN OpenVPN Static key V1-----\n" HEX "\n" HEX
        "\n</tls-auth>\n",
        "<tls-crypt>\n" HEX "\n",
        HEX "\n" HEX " " HEX "\n",
        "push \"auth-token " HEX "\n",
        /* where passwords were thought to belong */
        "anna\nhunter2\nHunter2 hunter2\n",
        "<auth-user-pass>\nanna\nhunter2\n</auth-user-pass>\n",
        "<logins>\nanna hunter2\n</logins>\n",
        "auth-user-pass anna hunter2\nkeepalive 10 60 hunter2\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        with(&t, cases[i]);
        assert_int_not_equal(t.errors, 0);
        if (strstr(t.all, "MIGH") || strstr(t.all, "secretkey") ||
            strstr(t.all, "6acef03f") || strcasestr(t.all, "hunter2"))
            fail_msg("%s\n%s", cases[i], t.all);
        server_config_clear(&t.config);
    }
}

/* Without `server': what that stands for, said one by one. */
static void addresses_may_be_said_one_by_one(void **state)
{
    (void)state;
    static const char head[] = "ca ca.crt\ncert server.crt\nkey server.key\n"
                               "mode server\ntls-server\n";
    static const char own[] = "ifconfig 10.8.1.5 255.255.0.0\n"
                              "ifconfig-ipv6 fd00:8::5/64 fd00:8::6\n";
    static const char pool[] = "ifconfig-pool 10.8.2.1 10.8.2.9 255.255.0.0\n"
                               "ifconfig-ipv6-pool fd00:8::2:1/64\n";
    struct trial t;
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", head, own, pool);
    run(&t, bytes_of_text(text));
    if (!t.usable)
        fail_msg("line %u: %s", t.line, t.text);
    const struct server_config *c = &t.config;
    assert_int_equal(address_to_ipv4(&c->ipv4.address), 0x0a080105);
    assert_int_equal(c->ipv4.bits, 16);
    assert_int_equal(c->pool_first, 0x0a080201);
    assert_int_equal(c->pool_last, 0x0a080209);
    assert_int_equal(c->ipv6.address.bytes[15], 5);
    assert_int_equal(c->ipv6.bits, 64);
    assert_int_equal(load_u32(c->ipv6_first.bytes + 12), 0x00020001);
    server_config_clear(&t.config);

    snprintf(text, sizeof text, "%s%s", head, own);
    run(&t, bytes_of_text(text));
    assert_non_null(strstr(t.text, "`ifconfig-pool' is missing"));
    server_config_clear(&t.config);
    snprintf(text, sizeof text, "%s%s%stopology p2p\n", head, own, pool);
    run(&t, bytes_of_text(text));
    assert_non_null(strstr(t.text, "for `topology subnet'"));
    server_config_clear(&t.config);
    snprintf(text, sizeof text, "%sifconfig 10.8.0.0 255.255.0.0\n", head);
    run(&t, bytes_of_text(text));
    assert_non_null(strstr(t.text, "an address of a host"));
    server_config_clear(&t.config);

    usable(&t, "server-ipv6 fd00:8::/64 nopool\n");
    assert_true(address_is_set(&c->ipv6.address));
    assert_false(address_is_set(&c->ipv6_first));
    server_config_clear(&t.config);
}

static void a_topology_says_where_the_pool_is(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "topology net30\nserver-ipv6 fd00:8::/112\n");
    assert_int_equal(t.config.topology, SERVER_CONFIG_NET30);
    assert_int_equal(t.config.pool_first, 0x0a080004);
    assert_int_equal(t.config.pool_last, 0x0a0800fb);
    assert_int_equal(t.config.ipv6_first.bytes[15], 2);
    server_config_clear(&t.config);
    usable(&t, "topology p2p\n");
    assert_int_equal(t.config.topology, SERVER_CONFIG_P2P);
    assert_int_equal(t.config.pool_first, 0x0a080004);
    server_config_clear(&t.config);
}

/* And one line more than there may be. */
static void two_thousand_options_are_pushed(void **state)
{
    (void)state;
    enum { LINE = 64 };
    struct trial t;
    char *lines = calloc(SERVER_CONFIG_PUSHES_MAX + 1, LINE), *end = lines;
    assert_non_null(lines);
    for (unsigned i = 0; i < SERVER_CONFIG_PUSHES_MAX; i++)
        end += snprintf(end, LINE, "push \"route 172.%u.%u.0 255.255.255.0\"\n",
                        16 + i / 256, i % 256);
    usable(&t, lines);
    assert_in_range(t.config.push_count, 1024, SERVER_CONFIG_PUSHES_MAX);
    server_config_clear(&t.config);
    snprintf(end, LINE, "push \"route 10.0.0.0 255.255.255.0\"\n");
    refused(lines, 5 + SERVER_CONFIG_PUSHES_MAX, "more than 2048 options");
    free(lines);
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    struct trial t;
    run(&t, bytes_of_text("server 10.8.0.0 255.255.255.0\n"));
    assert_int_equal(t.errors, 3); /* cert, key, ca */
    assert_int_equal(t.line, 0);
    server_config_clear(&t.config);
    run(&t, bytes_of_text("ca ca.crt\ncert server.crt\nkey server.key\n"));
    assert_int_equal(t.errors, 1);
    assert_non_null(strstr(t.text, "`server NETWORK NETMASK' is missing"));
    server_config_clear(&t.config);
}

static void every_truncation_is_survived(void **state)
{
    (void)state;
    static const char text[] =
        "server 10.8.0.0 255.255.255.0\nca ca.crt\ncert server.crt\n"
        "key server.key\npush \"route 10.0.0.0 255.0.0.0\"\n<tls-crypt>\n"
        "-----BEGIN OpenVPN Static key V1-----\n</tls-crypt>\n";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct trial t;
        run(&t, bytes_of(text, n));
        server_config_clear(&t.config);
    }
}

static void an_older_mode_offers_the_older_cipher(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "cipher AES-256-CBC\n");
    assert_null(strstr(t.config.common.data_ciphers, "AES-256-CBC"));
    server_config_clear(&t.config);
    usable(&t, "compat-mode 2.6.0\ncipher AES-256-CBC\n");
    assert_null(strstr(t.config.common.data_ciphers, "AES-256-CBC"));
    server_config_clear(&t.config);
    usable(&t, "compat-mode 2.4.0\ncipher AES-256-CBC\n");
    assert_non_null(strstr(t.config.common.data_ciphers, ":AES-256-CBC"));
    assert_string_equal(t.config.common.data_ciphers_fallback, "");
    server_config_clear(&t.config);
    usable(&t, "cipher AES-256-CBC\ncompat-mode 2.3.18\n");
    assert_non_null(strstr(t.config.common.data_ciphers, ":AES-256-CBC"));
    assert_string_equal(t.config.common.data_ciphers_fallback, "AES-256-CBC");
    server_config_clear(&t.config);
}

/* Installers write such lines so that older programs do not stumble. */
static void what_may_be_unknown_is_no_error(void **state)
{
    (void)state;
    struct trial t;
    usable(&t, "ignore-unknown-option newer newest\nnewer 1\n"
               "<newest>\nx\n</newest>\nsetenv opt newer-yet 1\n"
               "setenv NAME value\nsetenv opt max-clients 7\n"
               "--duplicate-cn\n");
    assert_int_equal(t.config.max_clients, 7);
    assert_true(t.config.duplicate_cn);
    server_config_clear(&t.config);
    refused("setenv opt max-clients x\n", 5, "number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_openvpns),
        cmocka_unit_test(a_block_that_is_announced_is_there),
        cmocka_unit_test(every_directive_sets_what_it_says),
        cmocka_unit_test(clients_without_a_cookie_may_be_kept_out),
        cmocka_unit_test(it_may_listen_on_both_protocols),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(no_report_repeats_a_secret),
        cmocka_unit_test(addresses_may_be_said_one_by_one),
        cmocka_unit_test(a_topology_says_where_the_pool_is),
        cmocka_unit_test(two_thousand_options_are_pushed),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(an_older_mode_offers_the_older_cipher),
        cmocka_unit_test(what_may_be_unknown_is_no_error),
        cmocka_unit_test(every_truncation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
