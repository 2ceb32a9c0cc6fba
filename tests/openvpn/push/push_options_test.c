#include "gateway/openvpn/push/push_options.h"

#include "tests/unit.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { REPORTS_SIZE = 2048 };

struct fixture {
    struct config config;
    struct push_options o;
    size_t reports;
    char reported[REPORTS_SIZE];
    const char *why;
};

static void note(void *context, const char *text)
{
    struct fixture *f = context;
    size_t used = strlen(f->reported);
    snprintf(f->reported + used, sizeof f->reported - used, "%s\n", text);
    f->reports++;
}

static void start(struct fixture *f)
{
    f->reports = 0;
    f->reported[0] = '\0';
    push_options_init(&f->o, &f->config, note, f);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    config_init(&f->config);
    start(f);
}

static bool add(struct fixture *f, const char *message)
{
    uint8_t *copy = exact_copy(message, strlen(message));
    bool added = push_options_add(&f->o, bytes_of(copy, strlen(message)),
                                  &f->config, note, f);
    free(copy);
    return added;
}

static bool finish(struct fixture *f)
{
    return push_options_finish(&f->o, &f->why);
}

/* "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5," and these options, finished. */
static void reply(struct fixture *f, const char *options)
{
    char message[2048];
    begin(f);
    snprintf(message, sizeof message,
             "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5,%s", options);
    assert_true(add(f, message));
    assert_true(finish(f));
}

static void end(struct fixture *f)
{
    push_options_clear(&f->o);
    config_clear(&f->config);
}

static void is_address(const struct address *a, const char *text)
{
    char formatted[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_format(a, formatted), text);
}

static void is_prefix(const struct prefix *p, const char *text)
{
    char formatted[PREFIX_TEXT_SIZE];
    assert_string_equal(prefix_format(p, formatted), text);
}

/* --- Whole messages ------------------------------------------------------ */

static void a_typical_reply_makes_a_tunnel(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(
        add(&f, "PUSH_REPLY,route 10.8.0.1,topology subnet,redirect-gateway "
                "def1,dhcp-option DNS 10.8.0.1,ping 10,ping-restart 60,"
                "route-gateway 10.8.0.1,ifconfig 10.8.0.6 255.255.255.0,"
                "peer-id 3,cipher aes-256-gcm,protocol-flags cc-exit tls-ekm "
                "dyn-tls-crypt,tun-mtu 1400"));
    assert_true(finish(&f));
    const struct tunnel *t = &f.o.tunnel;
    is_prefix(&t->ipv4, "10.8.0.6/24");
    is_address(&t->ipv4_gateway, "10.8.0.1");
    assert_true(t->redirect_ipv4);
    assert_false(t->redirect_ipv6);
    assert_int_equal(t->resolver_count, 1);
    is_address(&t->resolvers[0], "10.8.0.1");
    assert_int_equal(t->route_count, 1);
    is_prefix(&t->routes[0].prefix, "10.8.0.1/32");
    assert_int_equal(t->mtu, 1400);
    assert_int_equal(t->mss_mtu, 1400);
    assert_int_equal(f.o.peer_id, 3);
    assert_string_equal(f.o.cipher, "AES-256-GCM");
    assert_true(f.o.tls_ekm && f.o.cc_exit && f.o.dyn_tls_crypt);
    assert_false(f.o.aead_epoch || f.o.rejected);
    assert_int_equal(f.o.ping, 10);
    assert_int_equal(f.o.ping_restart, 60);
    assert_int_equal(f.reports, 0);
    end(&f);
}

static void only_push_messages_are_taken(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const char *const others[] = {"",
                                         "PUSH_REQUEST",
                                         "PUSH_REPL",
                                         "PUSH_REPLYX",
                                         "PUSH_REPLY;",
                                         "AUTH_FAILED",
                                         "PUSH_UPDATES"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(add(&f, others[i]));
    assert_true(add(&f, "PUSH_REPLY"));
    assert_true(add(&f, "PUSH_REPLY,"));
    assert_true(add(&f, "PUSH_REPLY,,,"));
    assert_int_equal(f.reports, 0);
    assert_false(finish(&f));
    assert_string_equal(f.why, "the server assigned no address");
    end(&f);
}

static void a_series_of_messages_is_one_reply(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(add(&f, "PUSH_REPLY,route 10.1.0.0 255.255.0.0,"
                        "push-continuation 2"));
    assert_int_equal(f.o.continuation, 2);
    assert_true(add(&f, "PUSH_REPLY,route 10.2.0.0 255.255.0.0,ifconfig "
                        "10.8.0.6 10.8.0.5,push-continuation 1"));
    assert_int_equal(f.o.continuation, 1);
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 2);
    end(&f);
}

/* --- Addresses and routes ------------------------------------------------ */

static void topology_decides_what_ifconfig_means(void **state)
{
    (void)state;
    static const struct {
        const char *options, *address, *gateway;
    } cases[] = {
        {"ifconfig 10.8.0.6 10.8.0.5", "10.8.0.6/32", "10.8.0.5"},
        {"topology net30,ifconfig 10.8.0.6 10.8.0.5", "10.8.0.6/32",
         "10.8.0.5"},
        {"topology p2p,ifconfig 10.8.0.6 10.8.0.5", "10.8.0.6/32", "10.8.0.5"},
        {"ifconfig 10.8.0.6 255.255.255.0,topology subnet", "10.8.0.6/24",
         "none"},
        {"ifconfig 10.8.0.6 255.255.0.0,topology subnet,route-gateway "
         "10.8.0.1",
         "10.8.0.6/16", "10.8.0.1"},
        /* A mask without a word about the topology. */
        {"ifconfig 10.8.0.6 255.255.255.0", "10.8.0.6/24", "none"},
        {"ifconfig 10.8.0.6 255.255.255.255", "10.8.0.6/32", "none"},
        /* Not a mask, whatever the topology says. */
        {"topology subnet,ifconfig 10.8.0.6 10.8.0.5", "10.8.0.6/32",
         "10.8.0.5"},
        {"ifconfig 10.8.0.6 10.8.0.5,route-gateway dhcp", "10.8.0.6/32",
         "10.8.0.5"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        char message[256];
        begin(&f);
        snprintf(message, sizeof message, "PUSH_REPLY,%s", cases[i].options);
        assert_true(add(&f, message));
        assert_true(finish(&f));
        is_prefix(&f.o.tunnel.ipv4, cases[i].address);
        is_address(&f.o.tunnel.ipv4_gateway, cases[i].gateway);
        assert_int_equal(f.o.tunnel.ipv6.bits, 0);
        end(&f);
    }
}

static void ipv6_alone_is_a_tunnel(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(add(&f, "PUSH_REPLY,ifconfig-ipv6 fd00::1001/64 fd00::1,"
                        "route-ipv6 2000::/3,redirect-gateway ipv6 !ipv4,"
                        "route-ipv6 fd01::5/64 fd00::2 9,"
                        "route-ipv6 fe80::/10 net_gateway"));
    assert_true(finish(&f));
    const struct tunnel *t = &f.o.tunnel;
    is_prefix(&t->ipv6, "fd00::1001/64");
    assert_false(address_is_set(&t->ipv4.address));
    assert_true(t->redirect_ipv6);
    assert_false(t->redirect_ipv4);
    assert_int_equal(t->route_count, 3);
    is_prefix(&t->routes[0].prefix, "2000::/3");
    is_prefix(&t->routes[1].prefix, "fd01::/64");
    assert_int_equal(t->routes[1].metric, 9);
    assert_true(t->routes[2].excluded);
    end(&f);
}

static void routes_of_every_form_are_taken(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "route-metric 20,route 10.1.2.3,route 10.1.0.0 255.255.0.0,"
              "route 10.2.0.9 255.255.0.0 10.8.0.5 7,"
              "route 10.3.0.0 255.255.0.0 net_gateway,"
              "route 0.0.0.0 0.0.0.0 vpn_gateway,"
              "route vpn_gateway 255.255.255.255,route 1.2.3.4 default default "
              "default,route host.example,route net_gateway,"
              "route 10.4.0.0 255.255.0.0 remote_host");
    const struct tunnel *t = &f.o.tunnel;
    assert_int_equal(t->route_count, 8);
    is_prefix(&t->routes[0].prefix, "10.1.2.3/32");
    assert_int_equal(t->routes[0].metric, 20);
    is_prefix(&t->routes[2].prefix, "10.2.0.0/16");
    assert_int_equal(t->routes[2].metric, 7);
    assert_true(t->routes[3].excluded);
    assert_false(t->routes[2].excluded);
    is_prefix(&t->routes[4].prefix, "0.0.0.0/0");
    is_prefix(&t->routes[5].prefix, "10.8.0.5/32");
    is_prefix(&t->routes[6].prefix, "1.2.3.4/32");
    assert_int_equal(t->routes[6].metric, 20);
    assert_int_equal(f.reports, 3);
    end(&f);
}

static void more_routes_than_fit_are_dropped_and_counted(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "ping 1");
    for (int i = 0; i < TUNNEL_ROUTES_MAX + 10; i++)
        assert_true(add(&f, "PUSH_REPLY,route 10.0.0.0 255.0.0.0"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, TUNNEL_ROUTES_MAX);
    assert_true(TUNNEL_ROUTES_MAX >= 1024);
    /* A word about each would be noise: the client tells the number. */
    assert_int_equal(f.reports, 0);
    assert_int_equal(f.o.route.left, 10);
    end(&f);
}

static void flags_of_redirect_gateway_add_up(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool ipv4, ipv6;
    } cases[] = {
        {"ping 1", false, false},
        {"redirect-gateway", true, false},
        {"redirect-gateway local autolocal def1 bypass-dhcp bypass-dns "
         "block-local",
         true, false},
        {"redirect-gateway def1,redirect-gateway ipv6", true, true},
        {"redirect-gateway ipv6 !ipv4", false, true},
        {"redirect-private def1 ipv6", false, false},
        {"redirect-gateway,redirect-private def1", true, false},
        {"redirect-gateway def2", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        reply(&f, cases[i].options);
        assert_int_equal(f.o.tunnel.redirect_ipv4, cases[i].ipv4);
        assert_int_equal(f.o.tunnel.redirect_ipv6, cases[i].ipv6);
        end(&f);
    }
}

static void ipv6_may_be_blocked(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "block-ipv6");
    assert_true(f.o.tunnel.block_ipv6);
    end(&f);
}

/* --- DNS ----------------------------------------------------------------- */

static void resolvers_are(const struct fixture *f, const char *expected)
{
    char all[512] = "";
    for (size_t i = 0; i < f->o.tunnel.resolver_count; i++) {
        char one[ADDRESS_TEXT_SIZE];
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? " " : "",
                 address_format(&f->o.tunnel.resolvers[i], one));
    }
    assert_string_equal(all, expected);
}

static void resolvers_come_from_either_directive(void **state)
{
    (void)state;
    static const struct {
        const char *options, *resolvers, *domain;
    } cases[] = {
        {"dhcp-option DNS 10.8.0.1,dhcp-option DNS6 fd00::1,dhcp-option DNS "
         "fd00::2,dhcp-option DNS 10.8.0.1",
         "10.8.0.1 fd00::1 fd00::2", ""},
        {"dhcp-option DOMAIN a.example,dhcp-option DOMAIN-SEARCH b.example", "",
         "a.example"},
        {"dhcp-option ADAPTER_DOMAIN_SUFFIX a.example", "", "a.example"},
        {"dhcp-option DOMAIN ~.,dhcp-option DOMAIN .,dhcp-option DOMAIN "
         "~b.example,dhcp-option DOMAIN-ROUTE .,dhcp-option DOMAIN .a.example",
         "", "a.example"},
        {"dhcp-option DNS 1.1.1.1#dns.example", "1.1.1.1", ""},
        /* A resolver for every name is no split. */
        {"dns server 1 address 10.8.0.1,dns server 1 resolve-domains "
         "corp.example .,dns server 2 address 10.8.0.2",
         "10.8.0.1 10.8.0.2", ""},
        {"dns search-domains ~. .a.example", "", ""},
        {"dhcp-option NTP 1.2.3.4,dhcp-option WINS 1.2.3.4,dhcp-option "
         "DISABLE-NBT,dhcp-option PROXY_HTTP h 3128,dhcp-option DOMAIN-ROUTE "
         "x.example",
         "", ""},
        /* One usable `dns server` and dhcp-option no longer counts. */
        {"dhcp-option DNS 1.1.1.1,dns server 0 address 10.8.0.2,dhcp-option "
         "DOMAIN old.example",
         "10.8.0.2", ""},
        {"dns search-domains a.example b.example,dns server 5 address "
         "10.8.0.5 10.8.0.6,dns server 1 address fd00::1,dns server 5 dnssec "
         "yes",
         "fd00::1 10.8.0.5 10.8.0.6", "a.example"},
        {"dns server 1 address 10.8.0.1:53 [fd00::1]:53 [fd00::2]",
         "10.8.0.1 fd00::1 fd00::2", ""},
        /* Another port, or another transport, is not used. */
        {"dns server 1 address 10.8.0.1:5353,dhcp-option DNS 1.1.1.1",
         "1.1.1.1", ""},
        {"dns server 1 address 10.8.0.1,dns server 1 transport DoT,dns server "
         "1 sni dns.example,dhcp-option DNS 1.1.1.1",
         "1.1.1.1", ""},
        {"dns server 1 transport plain,dns server 1 address 10.8.0.1",
         "10.8.0.1", ""},
        /* A server without an address is none. */
        {"dns server 1 sni dns.example,dhcp-option DNS 1.1.1.1", "1.1.1.1", ""},
        /* Split DNS: the others are used, unless there are no others. */
        {"dns server 1 address 10.8.0.1,dns server 1 resolve-domains "
         "corp.example,dns server 2 address 10.8.0.2",
         "10.8.0.2", ""},
        {"dns server 1 address 10.8.0.1,dns server 1 resolve-domains "
         "corp.example",
         "10.8.0.1", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        reply(&f, cases[i].options);
        resolvers_are(&f, cases[i].resolvers);
        assert_string_equal(f.o.tunnel.search_domain, cases[i].domain);
        end(&f);
    }
}

static void malformed_dns_is_ignored_and_told(void **state)
{
    (void)state;
    static const char *const options[] = {
        "dhcp-option",
        "dhcp-option DNS",
        "dhcp-option DNS name",
        "dhcp-option DNS 10.8.0",
        "dhcp-option DOMAIN",
        "dhcp-option DOMAIN $(reboot)",
        "dhcp-option DOMAIN a..b",
        "dhcp-option DOMAIN ..a",
        "dhcp-option DOMAIN ~",
        "dhcp-option DNS #name",
        "dhcp-option DOMAIN \"a b\"",
        "dhcp-option DOMAIN 'a;b'",
        "dhcp-option DOMAIN b\xc3\xbc.example",
        "dns",
        "dns server",
        "dns server 1",
        "dns server 1 address",
        "dns server -1 address 10.8.0.1",
        "dns server 128 address 10.8.0.1",
        "dns server x address 10.8.0.1",
        "dns server 1 address 10.8.0.1:x",
        "dns server 1 address 10.8.0.1:0",
        "dns server 1 address [fd00::1",
        "dns server 1 address [10.8.0.1]:53",
        "dns server 1 address [fd00::1]x",
        "dns server 1 address 1::2:70000x",
        "dns server 1 resolve-domains a/b",
        "dns server 1 dnssec maybe",
        "dns server 1 transport smoke",
        "dns server 1 sni *",
        "dns server 1 colour red",
        "dns search-domains",
        "dns search-domains a|b",
        "dns everything 1",
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        struct fixture f;
        reply(&f, options[i]);
        if (f.reports != 1 || !strstr(f.reported, "malformed and ignored"))
            fail_msg("%s: %s", options[i], f.reported);
        assert_int_equal(f.o.tunnel.resolver_count, 0);
        assert_int_equal(f.o.dns.server_count, 0);
        assert_string_equal(f.o.tunnel.search_domain, "");
        end(&f);
    }
}

static void there_may_be_too_many_resolvers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(add(&f, "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5"));
    for (int i = 0; i < 20; i++) {
        char message[128];
        snprintf(message, sizeof message,
                 "PUSH_REPLY,dns server %d address 10.0.%d.1 10.0.%d.2", 20 - i,
                 i, i);
        assert_true(add(&f, message));
    }
    assert_true(finish(&f));
    assert_int_equal(f.o.dns.server_count, PUSH_DNS_SERVERS_MAX);
    assert_int_equal(f.o.tunnel.resolver_count, TUNNEL_RESOLVERS_MAX);
    is_address(&f.o.tunnel.resolvers[0], "10.0.7.1");
    end(&f);
}

/* --- What the data channel and the timers are told ----------------------- */

static void other_options_reach_their_fields(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "key-derivation tls-ekm,protocol-flags aead-epoch,ping-exit 3,"
              "inactive 4 5,session-timeout 6,explicit-exit-notify,compress "
              "stub-v2,auth-token SESS_ID_x+/=,auth-token-user YWxpY2U=,"
              "peer-id 16777215");
    assert_true(f.o.tls_ekm && f.o.aead_epoch && f.o.explicit_exit_notify);
    assert_int_equal(f.o.ping_restart, 3);
    assert_int_equal(f.o.inactive, 4);
    assert_int_equal(f.o.inactive_bytes, 5);
    assert_int_equal(f.o.session_timeout, 6);
    assert_true(f.o.compression_set);
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_STUB_V2);
    assert_string_equal(f.o.auth_token, "SESS_ID_x+/=");
    assert_string_equal(f.o.auth_token_user, "alice");
    assert_int_equal(f.o.peer_id, 0xffffff);
    assert_int_equal(f.reports, 0);
    end(&f);
}

static void the_framing_stays_the_profiles_until_pushed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.compression = CONFIG_COMPRESSION_LZO;
    f.config.compression_set = true;
    start(&f);
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_LZO);
    assert_true(add(&f, "PUSH_REPLY,comp-lzo no"));
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_LZO);
    assert_true(add(&f, "PUSH_REPLY,compress migrate"));
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_NONE);
    assert_true(add(&f, "PUSH_REPLY,compress lz4"));
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_STUB);
    assert_true(add(&f, "PUSH_REPLY,compress lz4-v2"));
    assert_int_equal(f.o.compression, CONFIG_COMPRESSION_STUB_V2);
    assert_int_equal(f.reports, 0);
    assert_false(f.o.rejected);
    end(&f);
}

static void compression_that_cannot_be_read_is_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        bool refused, rejected;
    } cases[] = {
        {"compress lz4", true, true},      {"compress lz4-v2", true, true},
        {"compress lzo", true, true},      {"comp-lzo", true, true},
        {"comp-lzo yes", true, true},      {"comp-lzo adaptive", true, true},
        {"comp-lzo no", true, false},      {"compress", true, false},
        {"compress stub", true, false},    {"compress stub-v2", true, false},
        {"compress migrate", true, false}, {"compress snappy", false, true},
        {"compress lzo", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        char message[64];
        begin(&f);
        f.config.compression_refused = cases[i].refused;
        start(&f);
        snprintf(message, sizeof message, "PUSH_REPLY,%s", cases[i].option);
        assert_true(add(&f, message));
        assert_int_equal(f.o.rejected, cases[i].rejected);
        assert_int_equal(f.reports, cases[i].rejected);
        end(&f);
    }
}

static void an_unknown_derivation_of_keys_is_told_alone(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "key-derivation other");
    assert_false(f.o.rejected);
    assert_false(f.o.tls_ekm);
    assert_int_equal(f.reports, 1);
    end(&f);
    reply(&f, "key-derivation other,protocol-flags tls-ekm");
    assert_true(f.o.tls_ekm);
    end(&f);
}

static void unknown_formats_of_data_are_rejected(void **state)
{
    (void)state;
    static const char *const options[] = {"protocol-flags cc-exit new-format"};
    for (size_t i = 0; i < COUNT(options); i++) {
        struct fixture f;
        reply(&f, options[i]);
        assert_true(f.o.rejected);
        assert_int_equal(f.reports, 1);
        end(&f);
    }
}

static void malformed_options_are_ignored_and_told(void **state)
{
    (void)state;
    static const char *const options[] = {
        "topology",
        "topology ring",
        "ifconfig 10.8.0.7",
        "ifconfig 10.8.0.7 10.8.0.5 10.8.0.4",
        "ifconfig x y",
        "ifconfig 0.0.0.0 10.8.0.5",
        "ifconfig fd00::2 fd00::1",
        "ifconfig-ipv6 10.8.0.6/24 10.8.0.1",
        "ifconfig-ipv6 fd00::2/129 ::1",
        "ifconfig-ipv6 fd00::2/0 ::1",
        "ifconfig-ipv6 fd00::2/64 10.8.0.1",
        "route",
        "route 10.0.0.0 255.0.255.0",
        "route 10.0.0.0 8",
        "route 10.0.0.0 255.0.0.0 gate",
        "route 10.0.0.0 255.0.0.0 fd00::1",
        "route 10.0.0.0 255.0.0.0 default x",
        "route 10.0.0.0/8",
        "route 1.2.3.4.5",
        "route fd00::1",
        "route ''",
        "route-ipv6 10.0.0.0/8",
        "route-ipv6 fd00::/x",
        "route-ipv6 fd00::/8 x",
        "route-gateway x",
        "route-gateway fd00::1",
        "route-metric x",
        "route-metric -1",
        "tun-mtu 99",
        "tun-mtu 1601",
        "tun-mtu x",
        "peer-id 16777216",
        "peer-id -1",
        "peer-id x",
        "ping x",
        "ping 86401",
        "ping -1",
        "ping-restart",
        "ping-exit 1 2",
        "inactive",
        "inactive 1 x",
        "session-timeout x",
        "explicit-exit-notify x",
        "comp-lzo x",
        "cipher",
        "auth-token",
        "auth-token-user !",
        "push-continuation 3",
        "block-ipv6 x",
        "redirect-gateway x",
        "cipher a-name-that-is-far-too-long-for-any-cipher",
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        struct fixture f;
        reply(&f, options[i]);
        if (f.reports != 1 || !strstr(f.reported, "malformed and ignored"))
            fail_msg("%s: %s", options[i], f.reported);
        is_prefix(&f.o.tunnel.ipv4, "10.8.0.6/32");
        assert_int_equal(f.o.tunnel.route_count, 0);
        assert_int_equal(f.o.tunnel.mtu, 1500);
        assert_int_equal(f.o.peer_id, 0xffffff);
        assert_false(f.o.rejected);
        end(&f);
    }
}

static void what_a_server_may_not_say_is_ignored(void **state)
{
    (void)state;
    static const char *const options[] = {
        "up /bin/sh",
        "route-up x",
        "plugin x",
        "setenv A b",
        "script-security 2",
        "mssfix 1300",
        "fragment 1300",
        "reneg-sec 1",
        "hand-window 1",
        "auth SHA1",
        "remote evil.example 1194",
        "proto tcp",
        "ca /x",
        "management 127.0.0.1 1",
        "tls-version-min 1.0",
        "link-mtu 1500",
        "an-option-of-the-future",
        "dhcp-pre-release",
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        struct fixture f;
        reply(&f, options[i]);
        /* The last of them is one that may be said, and does nothing. */
        assert_int_equal(f.reports, i + 1 < COUNT(options));
        assert_false(f.o.rejected);
        end(&f);
    }
}

static void harmless_options_make_no_noise(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "persist-tun,persist-key,sndbuf 393216,rcvbuf 393216,"
              "socket-flags TCP_NODELAY,route-delay 5,route-method exe,verb 3,"
              "echo x,setenv-safe a b,register-dns,tun-ipv6,ping-timer-rem,"
              "block-outside-dns,client-nat a b c,max-routes 100,txqueuelen 1,"
              "ip-win32 dynamic,lladdr 00:11:22:33:44:55,parameter a b,"
              "keepalive 10 60,shaper 1");
    assert_int_equal(f.reports, 0);
    end(&f);
}

static void secrets_are_not_reported(void **state)
{
    (void)state;
    struct fixture f;
    char message[1024];
    char token[600];
    memset(token, 's', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    begin(&f);
    snprintf(message, sizeof message,
             "PUSH_REPLY,auth-token %s,auth-token a hunter2,auth-token-user "
             "aHVudGVyMg=x,unknown hunter2,auth-token 'hunter2",
             token);
    assert_true(add(&f, message));
    assert_int_equal(f.reports, 5);
    assert_null(strstr(f.reported, "hunter2"));
    assert_null(strstr(f.reported, "sss"));
    assert_null(strstr(f.reported, "aHVu"));
    assert_string_equal(f.o.auth_token, "");
    assert_string_equal(f.o.auth_token_user, "");
    end(&f);
}

static void text_of_the_server_is_printable_in_reports(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(add(&f, "PUSH_REPLY,\x1b[31mred\n x"));
    assert_int_equal(f.reports, 1);
    for (const char *c = f.reported; *c; c++)
        assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
    end(&f);
}

/* --- The profile's part -------------------------------------------------- */

static void the_profiles_own_lines_come_first(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    char *lines[] = {
        (char[]){"ifconfig 10.9.0.2 10.9.0.1"},
        (char[]){"route 10.10.0.0 255.255.0.0"},
        (char[]){"dns server -5 address 9.9.9.9"},
        (char[]){"dns server 3 address 9.9.9.8"},
        (char[]){"dhcp-option DNS 1.1.1.1"},
        (char[]){"cipher NONE"}, /* not one of these lines */
    };
    struct config_remote remote;
    config_remote_init(&remote);
    remote.tun_mtu = 1300;
    f.config.remotes = &remote;
    f.config.remote_count = 1;
    f.config.options = lines;
    f.config.option_count = COUNT(lines);
    f.config.ping = 8;
    start(&f);
    assert_true(finish(&f));
    is_prefix(&f.o.tunnel.ipv4, "10.9.0.2/32");
    resolvers_are(&f, "9.9.9.9 9.9.9.8");
    assert_int_equal(f.o.tunnel.mtu, 1300);
    assert_int_equal(f.o.ping, 8);
    assert_string_equal(f.o.cipher, "");

    /* A pushed server takes the place of one of the same priority. */
    assert_true(add(&f, "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5,dns server 3 "
                        "address 10.8.0.1,route 10.11.0.0 255.255.0.0"));
    assert_true(finish(&f));
    is_prefix(&f.o.tunnel.ipv4, "10.8.0.6/32");
    resolvers_are(&f, "9.9.9.9 10.8.0.1");
    assert_int_equal(f.o.tunnel.route_count, 2);
    push_options_clear(&f.o);
}

static void route_nopull_leaves_routes_and_dns_out(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.route_nopull = true;
    char *lines[] = {(char[]){"route 10.10.0.0 255.255.0.0"}};
    f.config.options = lines;
    f.config.option_count = 1;
    start(&f);
    assert_true(add(&f, "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5,route 1.0.0.0 "
                        "255.0.0.0,redirect-gateway def1,dhcp-option DNS "
                        "10.8.0.1,dns server 1 address 10.8.0.1,block-ipv6,"
                        "route-ipv6 2000::/3,ping 10,peer-id 1"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 1);
    assert_int_equal(f.o.tunnel.resolver_count, 0);
    assert_false(f.o.tunnel.redirect_ipv4 || f.o.tunnel.block_ipv6);
    assert_int_equal(f.o.ping, 10);
    assert_int_equal(f.o.peer_id, 1);
    assert_int_equal(f.reports, 0);
    push_options_clear(&f.o);
}

static void the_first_pull_filter_that_fits_decides(void **state)
{
    (void)state;
    struct config_pull_filter filters[] = {
        {CONFIG_PULL_ACCEPT, (char[]){"route 10.1."}},
        {CONFIG_PULL_IGNORE, (char[]){"route "}},
        {CONFIG_PULL_REJECT, (char[]){"comp-lzo"}},
    };
    struct fixture f;
    begin(&f);
    f.config.pull_filters = filters;
    f.config.pull_filter_count = COUNT(filters);
    assert_true(add(&f, "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5,route 10.1.0.0 "
                        "255.255.0.0,route 10.2.0.0 255.255.0.0,route-metric "
                        "5,compress"));
    assert_false(f.o.rejected);
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 1);
    is_prefix(&f.o.tunnel.routes[0].prefix, "10.1.0.0/16");
    assert_int_equal(f.o.tunnel.routes[0].metric, 5);
    /* The marks of an update do not get past a filter. */
    assert_true(add(&f, "PUSH_UPDATE,?route 10.9.0.0 255.255.0.0"));
    assert_true(finish(&f));
    is_prefix(&f.o.tunnel.routes[0].prefix, "10.1.0.0/16");
    assert_true(add(&f, "PUSH_REPLY,comp-lzo no"));
    assert_true(f.o.rejected);
    push_options_clear(&f.o);
}

/* --- PUSH_UPDATE --------------------------------------------------------- */

static void an_update_replaces_what_it_names(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "route 10.1.0.0 255.255.0.0,route 10.2.0.0 255.255.0.0,"
              "route-ipv6 fd00::/8,dhcp-option DNS 1.1.1.1,redirect-gateway "
              "ipv6,ping 10");
    assert_true(add(&f, "PUSH_UPDATE,route 10.3.0.0 255.255.0.0,route 10.4.0.0 "
                        "255.255.0.0,dhcp-option DNS 2.2.2.2,ifconfig 10.8.0.7 "
                        "10.8.0.5,tun-mtu 1450"));
    assert_true(finish(&f));
    const struct tunnel *t = &f.o.tunnel;
    assert_int_equal(t->route_count, 3);
    is_prefix(&t->routes[0].prefix, "fd00::/8");
    is_prefix(&t->routes[1].prefix, "10.3.0.0/16");
    is_prefix(&t->routes[2].prefix, "10.4.0.0/16");
    resolvers_are(&f, "2.2.2.2");
    is_prefix(&t->ipv4, "10.8.0.7/32");
    assert_true(t->redirect_ipv4 && t->redirect_ipv6);
    assert_int_equal(t->mtu, 1450);
    assert_int_equal(f.o.ping, 10);
    assert_false(f.o.rejected);
    end(&f);
}

static void a_series_of_updates_replaces_only_once(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "route 10.1.0.0 255.255.0.0");
    assert_true(add(&f, "PUSH_UPDATE,route 10.2.0.0 255.255.0.0,"
                        "push-continuation 2"));
    assert_true(add(&f, "PUSH_UPDATE,route 10.3.0.0 255.255.0.0,"
                        "push-continuation 1"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 2);
    /* The next series starts afresh. */
    assert_true(add(&f, "PUSH_UPDATE,route 10.4.0.0 255.255.0.0"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 1);
    end(&f);
}

static void an_update_takes_away(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "route 10.1.0.0 255.255.0.0,block-ipv6,ifconfig-ipv6 fd00::2/64 "
              "fd00::1,dns server 1 address 10.8.0.1,redirect-gateway,"
              "route-gateway 10.8.0.9,tun-mtu 1400,route-metric 3,dhcp-option "
              "DNS 1.1.1.1");
    assert_true(add(&f, "PUSH_UPDATE,-route,-block-ipv6,-ifconfig-ipv6,-dns,"
                        "-redirect-gateway,-route-gateway,-tun-mtu,"
                        "-route-metric,-topology"));
    assert_true(finish(&f));
    const struct tunnel *t = &f.o.tunnel;
    assert_int_equal(t->route_count, 0);
    assert_false(t->block_ipv6 || t->redirect_ipv4);
    assert_int_equal(t->ipv6.bits, 0);
    assert_int_equal(t->mtu, 1500);
    is_address(&t->ipv4_gateway, "10.8.0.5");
    resolvers_are(&f, "1.1.1.1");
    assert_true(add(&f, "PUSH_UPDATE,-dhcp-option,-?route-ipv6"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.resolver_count, 0);
    assert_false(f.o.rejected);
    assert_true(add(&f, "PUSH_UPDATE,-ifconfig"));
    assert_false(finish(&f));
    end(&f);
}

/* As OpenVPN reads them (openvpn: test_push_update_msg.c). */
static void blanks_in_front_of_marks_do_not_count(void **state)
{
    (void)state;
    struct fixture f;
    reply(&f, "route 10.1.0.0 255.255.0.0,dns server 1 address 10.8.0.1,"
              "dhcp-option DNS 1.1.1.1");
    assert_true(add(&f, "PUSH_UPDATE, -?dns, route 10.2.0.0 255.255.0.0,\t"
                        "?dhcp-option DNS 2.2.2.2, ?unheard-of"));
    assert_true(finish(&f));
    assert_false(f.o.rejected);
    assert_int_equal(f.o.tunnel.route_count, 1);
    is_prefix(&f.o.tunnel.routes[0].prefix, "10.2.0.0/16");
    resolvers_are(&f, "2.2.2.2");
    assert_true(add(&f, "PUSH_UPDATE,,,"));
    assert_false(f.o.rejected);
    end(&f);
}

static void marks_in_another_order_are_malformed(void **state)
{
    (void)state;
    static const char *const said[] = {"?-dns",  " ?-dns", "--dns",
                                       "-?-dns", "??dns",  "-??dns"};
    for (size_t i = 0; i < COUNT(said); i++) {
        struct fixture f;
        char message[64];
        reply(&f, "route 10.1.0.0 255.255.0.0");
        snprintf(message, sizeof message, "PUSH_UPDATE,%s", said[i]);
        assert_true(add(&f, message));
        assert_true(f.o.rejected);
        end(&f);
    }
}

static void a_filter_sees_through_blanks(void **state)
{
    (void)state;
    struct fixture f;
    char prefix[] = "route ";
    struct config_pull_filter filter = {CONFIG_PULL_IGNORE, prefix};
    begin(&f);
    f.config.pull_filters = &filter;
    f.config.pull_filter_count = 1;
    assert_true(add(&f, "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5, route "
                        "10.1.0.0 255.255.0.0"));
    assert_true(finish(&f));
    assert_int_equal(f.o.tunnel.route_count, 0);
    f.config.pull_filters = NULL;
    f.config.pull_filter_count = 0;
    end(&f);
}

/* The filter applies to an option's meaning, however it is spelt. */
static void a_filter_sees_through_spelling(void **state)
{
    (void)state;
    static const char *const hidden[] = {
        "dhcp-option DNS 6.6.6.6",          "dhcp-option dns 6.6.6.6",
        "dhcp-option  DNS 6.6.6.6",         "\"dhcp-option\" DNS 6.6.6.6",
        "'dhcp-option' 'DNS' '6.6.6.6'",    "dhcp-\\option DNS 6.6.6.6",
        "dhcp-option \"Dns6\" 2001:db8::6", "dhcp-op\"tion\" DNS 6.6.6.6",
    };
    char dns[] = "dhcp-option DNS", route[] = "route 10.1.";
    struct config_pull_filter filters[] = {
        {CONFIG_PULL_ACCEPT, route},
        {CONFIG_PULL_IGNORE, dns},
        {CONFIG_PULL_IGNORE, (char[]){"route "}}};
    for (size_t i = 0; i < COUNT(hidden); i++) {
        struct fixture f;
        char message[256];
        begin(&f);
        f.config.pull_filters = filters;
        f.config.pull_filter_count = COUNT(filters);
        snprintf(message, sizeof message,
                 "PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5,%s,\"route\" "
                 "10.1.0.0 255.255.0.0,'route' 10.2.0.0 255.255.0.0",
                 hidden[i]);
        assert_true(add(&f, message));
        assert_true(finish(&f));
        if (f.o.tunnel.resolver_count != 0)
            fail_msg("%s: was taken", hidden[i]);
        assert_int_equal(f.o.tunnel.route_count, 1);
        is_prefix(&f.o.tunnel.routes[0].prefix, "10.1.0.0/16");
        push_options_clear(&f.o);
    }
}

static void an_update_of_what_cannot_change_needs_a_new_connection(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool rejected;
    } cases[] = {
        {"cipher AES-128-GCM", true},
        {"?cipher AES-128-GCM", false},
        {"-?cipher", false},
        {"-cipher", true},
        {"peer-id 4", true},
        {"unheard-of 1", true},
        {"?unheard-of 1", false},
        {"-?unheard-of", false},
        {"route-ipv6 fd00::/8", false},
        {"?route 10.0.0.0 255.0.0.0", false},
        {"keepalive 10 60", false},
        {"-", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        char message[128];
        reply(&f, "cipher AES-256-GCM,peer-id 3");
        snprintf(message, sizeof message, "PUSH_UPDATE,%s", cases[i].options);
        assert_true(add(&f, message));
        assert_int_equal(f.o.rejected, cases[i].rejected);
        assert_string_equal(f.o.cipher, "AES-256-GCM");
        assert_int_equal(f.o.peer_id, 3);
        end(&f);
    }
}

/* --- Hostile input ------------------------------------------------------- */

static const char everything[] =
    "PUSH_REPLY,route 10.8.0.1 255.255.255.0 vpn_gateway 5,topology subnet,"
    "redirect-gateway def1 ipv6,dhcp-option DNS 10.8.0.1,dns server 1 address "
    "[fd00::1]:53 10.8.0.1:53,dns search-domains a.b,ifconfig 10.8.0.6 "
    "255.255.255.0,ifconfig-ipv6 fd00::2/64 fd00::1,route-ipv6 ::/0,peer-id 3,"
    "cipher AES-256-GCM,protocol-flags cc-exit,auth-token \"a b\\\"c\","
    "auth-token-user YWxpY2U=,tun-mtu 1500,inactive 1 2,compress,"
    "push-continuation 1";

static void take(const char *text, size_t size)
{
    struct fixture f;
    begin(&f);
    uint8_t *copy = exact_copy(text, size);
    if (push_options_add(&f.o, bytes_of(copy, size), &f.config, note, &f) &&
        finish(&f)) {
        assert_true(f.o.tunnel.mtu >= 100 && f.o.tunnel.mtu <= 1600);
        assert_true(f.o.peer_id <= 0xffffff);
        assert_true(f.o.tunnel.ipv4.bits <= 32);
        assert_true(f.o.tunnel.ipv6.bits <= 128);
    }
    free(copy);
    end(&f);
}

static void every_truncation_is_survived(void **state)
{
    (void)state;
    for (size_t n = 0; n <= sizeof everything; n++)
        take(everything, n);
}

static void every_change_of_a_byte_is_survived(void **state)
{
    (void)state;
    uint32_t seed = 5;
    for (int i = 0; i < 5000; i++) {
        char changed[sizeof everything];
        memcpy(changed, everything, sizeof everything);
        for (int k = 0; k < 3; k++) {
            static const char marks[] = ",,, -?\"'\\\0\n/:.[]9";
            changed[11 + next_random(&seed) % (sizeof everything - 11)] =
                marks[next_random(&seed) % sizeof marks];
        }
        if (i % 2)
            memcpy(changed, "PUSH_UPDATE", 11);
        take(changed, sizeof changed - 1);
    }
}

static void a_very_long_option_does_no_harm(void **state)
{
    (void)state;
    static char message[20000];
    memset(message, 'a', sizeof message - 1);
    memcpy(message, "PUSH_REPLY,route 10.0.0.0 ", 26);
    struct fixture f;
    begin(&f);
    assert_true(add(&f, message));
    assert_int_equal(f.reports, 1);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typical_reply_makes_a_tunnel),
        cmocka_unit_test(only_push_messages_are_taken),
        cmocka_unit_test(a_series_of_messages_is_one_reply),
        cmocka_unit_test(topology_decides_what_ifconfig_means),
        cmocka_unit_test(ipv6_alone_is_a_tunnel),
        cmocka_unit_test(routes_of_every_form_are_taken),
        cmocka_unit_test(more_routes_than_fit_are_dropped_and_counted),
        cmocka_unit_test(flags_of_redirect_gateway_add_up),
        cmocka_unit_test(ipv6_may_be_blocked),
        cmocka_unit_test(resolvers_come_from_either_directive),
        cmocka_unit_test(malformed_dns_is_ignored_and_told),
        cmocka_unit_test(there_may_be_too_many_resolvers),
        cmocka_unit_test(other_options_reach_their_fields),
        cmocka_unit_test(the_framing_stays_the_profiles_until_pushed),
        cmocka_unit_test(compression_that_cannot_be_read_is_rejected),
        cmocka_unit_test(an_unknown_derivation_of_keys_is_told_alone),
        cmocka_unit_test(unknown_formats_of_data_are_rejected),
        cmocka_unit_test(malformed_options_are_ignored_and_told),
        cmocka_unit_test(what_a_server_may_not_say_is_ignored),
        cmocka_unit_test(harmless_options_make_no_noise),
        cmocka_unit_test(secrets_are_not_reported),
        cmocka_unit_test(text_of_the_server_is_printable_in_reports),
        cmocka_unit_test(the_profiles_own_lines_come_first),
        cmocka_unit_test(route_nopull_leaves_routes_and_dns_out),
        cmocka_unit_test(the_first_pull_filter_that_fits_decides),
        cmocka_unit_test(an_update_replaces_what_it_names),
        cmocka_unit_test(a_series_of_updates_replaces_only_once),
        cmocka_unit_test(an_update_takes_away),
        cmocka_unit_test(blanks_in_front_of_marks_do_not_count),
        cmocka_unit_test(marks_in_another_order_are_malformed),
        cmocka_unit_test(a_filter_sees_through_blanks),
        cmocka_unit_test(a_filter_sees_through_spelling),
        cmocka_unit_test(
            an_update_of_what_cannot_change_needs_a_new_connection),
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(every_change_of_a_byte_is_survived),
        cmocka_unit_test(a_very_long_option_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
