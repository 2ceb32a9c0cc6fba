#include "gateway/wireguard/profile/wireguard_profile.h"

#include <stdio.h>

#include "tests/unit.h"

/* Keys of nobody. */
#define PRIVATE "ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1Q="
#define PUBLIC  "ruUNwEXTX/EeDrgrfeLQsWATf6aAiFOHXcOcZnWumC4="
#define PSK     "UZwwYXLx/0mbaZMMvAM3LaTcvjAJ6pNhlRvCk4q8MYI="

/* All that was said, a line each: "3 error: text". */
struct told {
    char text[65536];
    size_t size;
    unsigned errors;
};

static void report(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    static const char *const names[] = {"error", "warning", "note"};
    struct told *t = context;
    t->errors += severity == PROTOCOL_ERROR;
    assert_null(strchr(text, '\n'));
    int n = snprintf(t->text + t->size, sizeof t->text - t->size, "%u %s: %s\n",
                     line, names[severity], text);
    t->size += (size_t)n;
    assert_true(t->size < sizeof t->text);
}

static const char *no_file(void *context,
                           const struct protocol_reference *reference,
                           struct blob *out)
{
    (void)context, (void)reference, (void)out;
    fail_msg("a profile of WireGuard names no file");
    return NULL;
}

static struct told told;

static struct wireguard_profile *read_text(struct bytes text, bool *usable)
{
    struct protocol_reader reader = {&told, report, no_file};
    told = (struct told){0};
    uint8_t *copy = exact_copy(text.data, text.size);
    struct protocol_profile *p = wireguard_profile_read(
        bytes_of(copy, text.size), "x.conf", &reader, usable);
    free(copy);
    assert_non_null(p);
    assert_int_equal(*usable, told.errors == 0);
    /* nothing secret is told */
    assert_null(strstr(told.text, PRIVATE));
    assert_null(strstr(told.text, PSK));
    return (struct wireguard_profile *)p;
}

static void forget(struct wireguard_profile *p)
{
    wireguard_profile_forget(&p->profile);
}

static struct wireguard_profile *usable(const char *text)
{
    bool good;
    struct wireguard_profile *p = read_text(bytes_of_text(text), &good);
    if (!good)
        fail_msg("%s", told.text);
    assert_true(wireguard_profile_recognises(bytes_of_text(text)));
    return p;
}

/* This is said of it, and it is an error. */
static void refused(const char *text, const char *expected)
{
    bool good;
    forget(read_text(bytes_of_text(text), &good));
    if (good || !strstr(told.text, expected))
        fail_msg("expected: %s\nsaid: %s", expected, told.text);
}

static void said(const char *expected)
{
    if (!strstr(told.text, expected))
        fail_msg("expected: %s\nsaid: %s", expected, told.text);
}

static const char *text_of(const struct address *a)
{
    static char out[ADDRESS_TEXT_SIZE];
    return address_format(a, out);
}

/* --- Files of providers -------------------------------------------------- */

static void a_usual_file(void **state)
{
    (void)state;
    struct wireguard_profile *p =
        usable("[Interface]\n"
               "PrivateKey = " PRIVATE "\n"
               "Address = 10.64.0.9/32,fc00:bbbb:bbbb:bb01::9/128\n"
               "DNS = 10.64.0.1\n"
               "\n"
               "[Peer]\n"
               "PublicKey = " PUBLIC "\n"
               "AllowedIPs = 0.0.0.0/0,::0/0\n"
               "Endpoint = 192.0.2.7:51820\n");
    assert_string_equal(told.text, "");
    assert_string_equal(text_of(&p->ipv4.address), "10.64.0.9");
    assert_string_equal(text_of(&p->ipv6.address), "fc00:bbbb:bbbb:bb01::9");
    assert_int_equal(p->resolver_count, 1);
    assert_int_equal(p->peer_count, 1);
    assert_int_equal(p->network_count, 2);
    assert_true(wireguard_profile_takes_all(p, ADDRESS_IPV4));
    assert_true(wireguard_profile_takes_all(p, ADDRESS_IPV6));
    assert_int_equal(p->profile.server_count, 1);
    assert_string_equal(p->profile.servers[0].host, "192.0.2.7");
    assert_int_equal(p->profile.servers[0].port, 51820);
    assert_true(p->profile.servers[0].moves);
    assert_int_equal(p->private_key[0], 0x10);
    assert_int_equal(p->peers[0].public_key[0], 0xae);
    assert_false(p->peers[0].has_preshared);
    forget(p);
}

static void a_file_with_all_that_providers_put_in(void **state)
{
    (void)state;
    struct wireguard_profile *p =
        usable("\xef\xbb\xbf[INTERFACE]\r\n"
               "# Key for laptop\r\n"
               "# NAT-PMP (Port Forwarding) = on\r\n"
               "Address = 10.128.1.2\r\n"
               "Address = fd7d:76ee:e68f:a993::2\r\n"
               "PrivateKey = " PRIVATE "\r\n"
               "MTU = 1320\r\n"
               "DNS = 10.128.0.1 fd7d:76ee:e68f:a993::1\r\n"
               "  Table=off\r\n"
               "\r\n"
               "[ Peer ]\r\n"
               "# US-NY#25\r\n"
               "PublicKey = " PUBLIC "\r\n"
               "PreSharedKey = " PSK "\r\n"
               "Endpoint = us.vpn.example.org:1637\r\n"
               "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\r\n"
               "AllowedIPs = ::/1, 8000::/1,\r\n"
               "PersistentKeepalive = 15");
    said("3 note: the server forwards a port");
    said("9 note: Table means nothing here");
    assert_null(strstr(told.text, "warning"));
    assert_string_equal(text_of(&p->ipv4.address), "10.128.1.2");
    assert_int_equal(p->ipv4.bits, 32);
    assert_int_equal(p->mtu, 1320);
    assert_int_equal(p->resolver_count, 2);
    assert_true(wireguard_profile_takes_all(p, ADDRESS_IPV4));
    assert_true(wireguard_profile_takes_all(p, ADDRESS_IPV6));
    assert_true(p->peers[0].has_preshared);
    assert_int_equal(p->peers[0].keepalive, 15);
    assert_string_equal(p->peers[0].host, "us.vpn.example.org");
    forget(p);
}

#define INTERFACE                                                              \
    "[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.0.0.2/24\n"           \
    "DNS = 10.0.0.1\n"
#define PEER                                                                   \
    "[Peer]\nPublicKey = " PUBLIC "\nEndpoint = 192.0.2.1:51820\n"             \
    "AllowedIPs = 0.0.0.0/0\n"

static void hooks_are_never_run_and_said_to_be_needless(void **state)
{
    (void)state;
    static const struct {
        const char *command, *expected;
    } hooks[] = {
        {"iptables -I OUTPUT ! -o %i -m mark ! --mark $(wg show %i fwmark) -j "
         "REJECT && ip6tables -I OUTPUT ! -o %i -j REJECT",
         "closes by itself"},
        {"resolvectl dns %i 10.0.0.1#53", "`DNS' says which resolvers"},
        {"iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
         "a server's or a router's file"},
        {"echo hello", "has to be done by hand"},
    };
    static const char *const keys[] = {"PreUp", "PostUp", "PreDown",
                                       "postdown"};
    char text[2000];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(text, sizeof text, INTERFACE "%s = %s\n" PEER, keys[i],
                 hooks[i].command);
        forget(usable(text));
        said("5 note: ");
        said(hooks[i].expected);
    }
}

static void several_peers_and_split_tunnels(void **state)
{
    (void)state;
    struct wireguard_profile *p =
        usable(INTERFACE
               "[Peer]\nPublicKey = " PSK "\nAllowedIPs = 10.0.0.0/8\n"
               "[Peer]\nPublicKey = " PUBLIC "\nEndpoint = [2001:db8::1]:53\n"
               "AllowedIPs = 192.168.1.77/24, 172.16.0.0/12\n");
    said("5 note: this peer has no Endpoint");
    said("192.168.1.77/24 has bits behind its prefix");
    assert_int_equal(p->peer_count, 2);
    assert_int_equal(p->main, 1);
    assert_string_equal(p->profile.servers[0].host, "2001:db8::1");
    assert_false(wireguard_profile_takes_all(p, ADDRESS_IPV4));
    struct address a;
    assert_true(address_parse(bytes_of_text("192.168.1.5"), &a));
    assert_true(wireguard_profile_takes(p, &a));
    assert_true(address_parse(bytes_of_text("192.168.2.5"), &a));
    assert_false(wireguard_profile_takes(p, &a));
    forget(p);

    p = usable("[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.0.0.2\n"
               "DNS = 9.9.9.9\n[Peer]\nPublicKey = " PUBLIC
               "\nEndpoint = 2001:db8::1:53\nAllowedIPs = 10.0.0.0/8\n");
    said("0 warning: the resolver 9.9.9.9 is in no AllowedIPs");
    assert_string_equal(p->peers[0].host, "2001:db8::1");
    assert_int_equal(p->peers[0].port, 53);
    forget(p);
}

static void what_is_odd_but_means_something(void **state)
{
    (void)state;
    struct wireguard_profile *p =
        usable("[Peer]\nPublicKey = " PUBLIC "\nEndpoint = 192.0.2.1 : 51820\n"
               "AllowedIPs = 0.0.0.0/0\nPresharedKey =\n"
               "; old style\n"
               "[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.0.0.2/24\n"
               "DNS = example.org, 10.0.0.1, lan\nMTU =\nSaveConfig = true\n"
               "FwMark = 0xca6c\nListenPort = 51820\nSomethingNew = 5\n"
               "Adress = 10.0.0.3\n");
    said("5 note: PresharedKey is empty");
    said("6 note: a line that begins with `;'");
    said("10 note: search domains");
    said("11 note: MTU is empty");
    said("12 note: SaveConfig means nothing here");
    said("14 note: ListenPort is not used");
    said("15 warning: SomethingNew is not known");
    said("16 warning: Adress is not known: is Address meant?");
    assert_string_equal(p->peers[0].host, "192.0.2.1");
    assert_int_equal(p->resolver_count, 1);
    forget(p);

    /* 43 A and = are no preshared key */
    p = usable(INTERFACE PEER
               "PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    assert_false(p->peers[0].has_preshared);
    forget(p);

    /* the key of our own that people note */
    forget(usable("[Interface]\nPublicKey = GXUuQ9lx0LTLZYdmXwKinAH99"
                  "M1XxuL5iXSvU8kyugU=\nPrivateKey = " PRIVATE
                  "\nAddress = 10.0.0.2\nDNS = 10.0.0.1\n" PEER));
    refused("[Interface]\nPublicKey = " PUBLIC "\nPrivateKey = " PRIVATE
            "\nAddress = 10.0.0.2\nDNS = 10.0.0.1\n" PEER,
            "the PublicKey in [Interface] (line 2)");
}

/* --- What cannot be used ------------------------------------------------- */

static void keys_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *key, *why;
    } bad[] = {
        {"ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1Q", "`=' at its end"},
        {"10230792d298c542299de555c77f70fb355625991fc6b6a2d579dd8234189354",
         "hexadecimal"},
        {"ECMHktKYxUIpneVVx39w-zVWJZkfxrai1XndgjQYk1Q=", "alphabet of URLs"},
        {"ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1R=", "no base64"},
        {"ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQY!1Q=", "no base64"},
        {"ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQY*1Q=", "no base64"},
        {"ECMHktKY", "too short"},
        {"ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1QECMHktKY=", "too long"},
        {"<private key>", "placeholder"},
        {"YOUR_PRIVATE_KEY", "placeholder"},
        {"${PRIVATE_KEY}", "placeholder"},
        {"[REDACTED]", "placeholder"},
        {"*", "placeholder"},
        {"********************************************", "placeholder"},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "all zero"},
        {"", "empty"},
    };
    char text[1000];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text,
                 "[Interface]\nPrivateKey = %s\nAddress = 10.0.0.2\n"
                 "DNS = 10.0.0.1\n" PEER,
                 bad[i].key);
        refused(text, bad[i].why);
        said("2 error: PrivateKey cannot be used");
        if (bad[i].key[0])
            assert_null(strstr(told.text, bad[i].key));
    }
}

static void a_key_in_a_wrong_place_is_not_told(void **state)
{
    (void)state;
    static const char key[] = "ECMHktKYxUIpneVVx39w+zVWJZkfxrai1XndgjQYk1Q=";
    static const char *const lines[] = {
        "PrivateKey %s",
        "PrivateKey %.43s",
        "PrivateKey =\n%s",
        "%s",
        "PrivateKey =\n%.43s",
        "%s = 1",
        "Address = %s",
        "DNS = %s",
        "MTU = %s",
    };
    char line[200], text[1000];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, lines[i], key);
#pragma GCC diagnostic pop
        snprintf(text, sizeof text, "[Interface]\n%s\n" PEER, line);
        bool good;
        forget(read_text(bytes_of_text(text), &good));
        assert_null(strstr(told.text, "ECMHktKYxUIpneVV"));
        assert_false(good);
    }
}

static void what_is_missing(void **state)
{
    (void)state;
    refused("[Interface]\nAddress = 10.0.0.2\nDNS = 10.0.0.1\n" PEER,
            "[Interface] has no PrivateKey");
    refused("[Interface]\nPrivateKey = " PRIVATE "\n" PEER, "has no Address");
    refused(INTERFACE, "there is no [Peer]");
    refused(INTERFACE "[Peer]\nEndpoint = 192.0.2.1:5\nAllowedIPs = ::/0\n",
            "5 error: this [Peer] has no PublicKey");
    refused(INTERFACE "ListenPort = 51820\n[Peer]\nPublicKey = " PUBLIC
                      "\nAllowedIPs = 10.0.0.3/32\n",
            "looks like a server's file");
    refused(INTERFACE "[Peer]\nPublicKey = "
                      "GXUuQ9lx0LTLZYdmXwKinAH99M1XxuL5iXSvU8kyugU=\n"
                      "Endpoint = 192.0.2.1:5\nAllowedIPs = 0.0.0.0/0\n",
            "belongs to our PrivateKey");
    refused(INTERFACE PEER PEER, "has the PublicKey of the one in line 5");
}

/* Points of small order: no private key gives them. */
static void a_public_key_of_nobody(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
    };
    char text[1000];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(text, sizeof text,
                 INTERFACE "[Peer]\nEndpoint = 192.0.2.1:5\nPublicKey = %s\n"
                           "AllowedIPs = 0.0.0.0/0\n",
                 keys[i]);
        refused(text, "7 error: PublicKey cannot be used");
        said("no private key gives it");
        assert_int_equal(told.errors, 1);
    }
}

/* A value that cannot be read is one problem, and not another one, too. */
static void what_was_refused_is_not_missed(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[Interface]\nPrivateKey = no\nAddress = 10.0.0.2\nDNS = "
        "10.0.0.1\n" PEER,
        "[Interface]\nPrivateKey = " PRIVATE
        "\nAddress = no\nDNS = 10.0.0.1\n" PEER,
        "[Interface]\nPrivateKey = " PRIVATE
        "\nAddress = 10.0.0.2\nDNS = 1.2.3\n" PEER,
        INTERFACE "ListenPort = 51820\n[Peer]\nPublicKey = " PUBLIC
                  "\nEndpoint = 192.0.2.1\nAllowedIPs = 0.0.0.0/0\n",
        INTERFACE "[Peer]\nPublicKey = no\nEndpoint = 192.0.2.1:5\n"
                  "AllowedIPs = 0.0.0.0/0\n",
        INTERFACE "[Peer]\nPublicKey = " PUBLIC
                  "\nEndpoint = 192.0.2.1:5\nAllowedIPs = 0.0.0.0/33\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bool good;
        forget(read_text(bytes_of_text(files[i]), &good));
        assert_false(good);
        if (told.errors != 1 || strstr(told.text, "warning"))
            fail_msg("%s", told.text);
    }
}

static void values_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
        bool in_peer;
    } bad[] = {
        {"Endpoint = 192.0.2.1", "the port is missing", true},
        {"Endpoint = 192.0.2.1:70000", "from 1 to 65535", true},
        {"Endpoint = 192.0.2.1:0", "from 1 to 65535", true},
        {"Endpoint = host:ntp", "from 1 to 65535", true},
        {"Endpoint = [2001:db8::1]", "behind the `]'", true},
        {"Endpoint = [2001:db8:x]:5", "no IPv6 address", true},
        {"Endpoint = :51820", "host is missing", true},
        {"AllowedIPs = 10.0.0.0/33", "from 0 to 32", true},
        {"AllowedIPs = fd00::/129", "from 0 to 128", true},
        {"AllowedIPs = 10.0.0.0/255.0.0.0", "no netmask", true},
        {"AllowedIPs = example.org", "no IPv4 or IPv6", true},
        {"AllowedIPs = +10.0.0.0/8", "running interface", true},
        {"AllowedIPs = 10.0.0.0/", "is missing", true},
        {"PersistentKeepalive = 65536", "without a unit", true},
        {"PersistentKeepalive = 25s", "without a unit", true},
        {"MTU = large", "from 576", false},
        {"MTU = 100", "from 576", false},
        {"Address = 10.0.0.300", "no IPv4 or IPv6", false},
        {"DNS = 10.0.0.300", "no IPv4 or IPv6", false},
        {"ListenPort = 65536", "from 0 to 65535", false},
        {"Address = 10.0.0.9", "belongs into [Interface]", true},
        {"AllowedIPs = 10.0.0.9", "belongs into [Peer]", false},
        {"no sense at all", "no line of WireGuard", false},
    };
    char text[1000];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, INTERFACE "%s\n" PEER "%s\n",
                 bad[i].in_peer ? "" : bad[i].line,
                 bad[i].in_peer ? bad[i].line : "");
        refused(text, bad[i].why);
        said(bad[i].in_peer ? "10 error: " : "5 error: ");
    }
    refused("PrivateKey = " PRIVATE "\n" INTERFACE PEER,
            "1 error: PrivateKey stands in no section");
}

static void files_of_other_programs(void **state)
{
    (void)state;
    refused(INTERFACE PEER "[Socks5]\nBindAddress = 127.0.0.1:25344\n",
            "9 error: [Socks5]: it is wireproxy's");
    refused("[connection]\nid=wg\n[wireguard]\nprivate-key=x\n",
            "NetworkManager's");
    refused(INTERFACE "Jc = 4\nJmin = 40\nS1 = 20\nH1 = 12345\n" PEER,
            "7 error: S1: this server speaks AmneziaWG");
    refused(INTERFACE "H1 = 5-10\n" PEER, "AmneziaWG");
    refused(INTERFACE "HeaderProtectionKey = x\n" PEER, "AmneziaWG");
    forget(usable(INTERFACE "Jc = 120\nJmin = 23\nJmax = 911\nS1 = 0\nS2 = 0\n"
                            "H1 = 1\nH2 = 2\nH3 = 3\nH4 = 4\n" PEER));
    said("5 warning: AmneziaWG's junk before handshakes is not sent");
}

static void large_files_take_no_time(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    int n = snprintf(text, SIZE,
                     INTERFACE "[Peer]\nPublicKey = " PUBLIC
                               "\nEndpoint = 192.0.2.1:5\n"
                               "AllowedIPs = ");
    size_t size = (size_t)n;
    for (unsigned i = 0; i < 1024; i++)
        size += (size_t)snprintf(text + size, SIZE - size, "10.%u.%u.0/24, ",
                                 i / 256, i % 256);
    bool good;
    struct wireguard_profile *p = read_text(bytes_of(text, size), &good);
    assert_true(good);
    assert_int_equal(p->network_count, 1024);
    forget(p);
    for (unsigned i = 0; i < 30000; i++)
        size += (size_t)snprintf(text + size, SIZE - size, "172.16.%u.%u, ",
                                 i / 256 % 256, i % 256);
    p = read_text(bytes_of(text, size), &good);
    assert_false(good);
    said("8 error: AllowedIPs has more than 1024 networks");
    assert_int_equal(told.errors, 1);
    forget(p);
    free(text);
}

static void every_truncation_is_read_without_harm(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbf" INTERFACE "PostUp = x # y\n" PEER "PresharedKey = " PSK;
    bool good;
    for (size_t size = 0; size <= sizeof text - 1; size++)
        forget(read_text(bytes_of(text, size), &good));
    assert_true(good);
}

/* --- The rest of the door ------------------------------------------------ */

static void what_is_a_profile_is_told_by_its_content(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "\n\n",
        "client\nremote vpn.example.org 1194\nproto udp\n",
        "{\"PrivateKey\": 1}\n",
        "<html>\n",
        "[connection]\nid=x\n",
        "# [Interface]\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(wireguard_profile_recognises(bytes_of_text(others[i])));
    assert_true(wireguard_profile_recognises(bytes_of_text("[ INTER face ]")));
    assert_true(wireguard_profile_recognises(
        bytes_of_text("# damaged\nPrivate Key = x\n")));
}

static void settings_stand_above_the_file(void **state)
{
    (void)state;
    struct protocol_overlay o = {.server_count = 2};
    const char *why = NULL;
    struct wireguard_profile *p = usable(INTERFACE PEER);
    strcpy(o.servers[0].host, "other.example.org");
    strcpy(o.servers[1].host, "198.51.100.1");
    o.servers[1].port = 443;
    assert_true(wireguard_profile_overlay(&p->profile, &o, &why));
    assert_int_equal(p->profile.server_count, 2);
    assert_string_equal(p->profile.servers[0].host, "other.example.org");
    assert_int_equal(p->profile.servers[0].port, 51820);
    assert_int_equal(p->profile.servers[1].port, 443);
    o.servers[1].transport = PROTOCOL_TCP;
    assert_false(wireguard_profile_overlay(&p->profile, &o, &why));
    assert_non_null(strstr(why, "UDP alone"));
    o = (struct protocol_overlay){.proxy = PROTOCOL_PROXY_SOCKS};
    assert_false(wireguard_profile_overlay(&p->profile, &o, &why));
    assert_non_null(strstr(why, "proxy"));
    o = (struct protocol_overlay){0};
    assert_true(wireguard_profile_overlay(&p->profile, &o, &why));
    assert_string_equal(p->profile.servers[0].host, "192.0.2.1");
    forget(p);
}

static void add_line(void *context, const char *topic, const char *text)
{
    char *all = context;
    strcat(strcat(strcat(strcat(all, topic), ": "), text), "\n");
}

static void a_profile_in_a_few_lines(void **state)
{
    (void)state;
    char all[2000] = "";
    struct wireguard_profile *p = usable(INTERFACE PEER);
    wireguard_profile_describe(&p->profile, add_line, all);
    assert_string_equal(
        all, "server: 192.0.2.1:51820/udp\n"
             "address: 10.0.0.2\n"
             "through the tunnel: all of IPv4\n"
             "resolvers: 10.0.0.1\n"
             "our public key: GXUuQ9lx0LTLZYdmXwKinAH99M1XxuL5iXSvU8kyugU=\n"
             "preshared key: no\n");
    forget(p);

    /* IPv6 is refused for want of an address */
    all[0] = 0;
    p = usable(INTERFACE PEER "AllowedIPs = ::/0\n");
    said("AllowedIPs has networks of IPv6, and Address has none");
    wireguard_profile_describe(&p->profile, add_line, all);
    assert_non_null(strstr(all, "through the tunnel: all of IPv4\n"));
    forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_file),
        cmocka_unit_test(a_file_with_all_that_providers_put_in),
        cmocka_unit_test(hooks_are_never_run_and_said_to_be_needless),
        cmocka_unit_test(several_peers_and_split_tunnels),
        cmocka_unit_test(what_is_odd_but_means_something),
        cmocka_unit_test(keys_that_are_none),
        cmocka_unit_test(a_key_in_a_wrong_place_is_not_told),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(a_public_key_of_nobody),
        cmocka_unit_test(what_was_refused_is_not_missed),
        cmocka_unit_test(values_that_are_wrong),
        cmocka_unit_test(files_of_other_programs),
        cmocka_unit_test(large_files_take_no_time),
        cmocka_unit_test(every_truncation_is_read_without_harm),
        cmocka_unit_test(what_is_a_profile_is_told_by_its_content),
        cmocka_unit_test(settings_stand_above_the_file),
        cmocka_unit_test(a_profile_in_a_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
