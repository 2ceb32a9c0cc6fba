/*
 * A differential test: the gateway's router and the kernel's nftables, with
 * the same rules and masquerading, get the same packets from a qube and from
 * outside, and what comes out of them is compared byte by byte.
 *
 * The kernel forwards between two TUN devices in a network namespace of this
 * process, which handles each packet before the write of it returns: the
 * devices have no queue, from which another CPU may send later, and no limit
 * of the kernel's swallows an ICMP error. (An ICMPv6 error of a type in
 * ratemask counts against a limit of all namespaces, whatever ratelimit is.)
 *
 * Known differences, each taken into account where it is named below:
 *   ttl      the kernel quotes a refused packet with its time to live already
 *            lowered, the router as the qube sent it
 *   id       packets without DF get another identification from the router,
 *            because several qubes share one address (RFC 6864)
 *   reset    TCP in the middle of an unknown connection is dropped by the
 *            kernel; the router sends the qube a RST as well
 *   outside  which ICMP messages a stranger can cause is the kernel's own
 *            business, so its input chain drops what is for itself, and of
 *            its errors only what a flow's own end may be told goes out
 *   low      a source port below 1024 is kept by the kernel and never by the
 *            router, so there is none here
 *   room     the kernel quotes as much as fits 576 bytes, and so does the
 *            router; only of IPv6 it quotes a little less than fits 1280
 */
#include "gateway/router/router.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "tests/packet/craft.h"

enum {
    MTU = 1400,
    CARD = 1500,
    OUTPUTS_MAX = 16,
    PACKET_MAX = 4096,
    FLOWS = 4096
};

static const char *const setup[] = {
    "ip link set lo up",
    "tc qdisc replace dev qube0 root noqueue",
    "tc qdisc replace dev out0 root noqueue",
    "ip link set qube0 up mtu 1500",
    "ip link set out0 up mtu 1400",
    "ip address add 10.137.0.1/32 dev qube0",
    "ip route add 10.137.0.5/32 dev qube0",
    "ip address add 10.8.0.2/24 dev out0",
    "ip route add default via 10.8.0.1 dev out0",
    "ip -6 address add fd09::1/128 dev qube0 nodad",
    "ip -6 route add fd09::5/128 dev qube0",
    "ip -6 address add fd08::2/64 dev out0 nodad",
    "ip -6 route add default via fd08::1 dev out0",
    "nft -f - <<'END'\n"
    "table inet twin {\n"
    "  chain rules { }\n"
    "  chain raw { type filter hook prerouting priority raw; policy accept;\n"
    "    iifname qube0 ip saddr != 10.137.0.5 drop\n"
    "    iifname qube0 ip6 saddr != fd09::5 drop\n  }\n"
    "  chain input { type filter hook input priority 0; policy drop;\n"
    "    iifname qube0 icmp type echo-request accept\n"
    "    iifname qube0 icmpv6 type echo-request accept\n  }\n"
    "  chain output { type filter hook output priority 0; policy drop;\n"
    "    oifname qube0 accept\n"
    "    icmp type destination-unreachable icmp code frag-needed accept\n"
    "    icmpv6 type packet-too-big accept\n  }\n"
    "  chain forward { type filter hook forward priority 0; policy drop;\n"
    "    ct state invalid drop\n"
    "    tcp flags syn tcp option maxseg size set rt mtu\n"
    "    ct state established,related accept\n"
    "    iifname qube0 oifname out0 jump rules\n  }\n"
    "  chain nat { type nat hook postrouting priority srcnat; policy accept;\n"
    "    oifname out0 masquerade\n  }\n"
    "}\nEND",
    "cd /proc/sys/net && echo 1 >ipv4/ip_forward &&"
    " echo 1 >ipv6/conf/all/forwarding && echo 0 >ipv4/conf/all/rp_filter &&"
    " echo 0 >ipv4/conf/qube0/rp_filter && echo 0 >ipv4/icmp_ratelimit &&"
    " echo 0 >ipv4/icmp_ratemask && echo 0 >ipv6/icmp/ratelimit &&"
    " echo >ipv6/icmp/ratemask &&"
    " echo 0 >netfilter/nf_conntrack_tcp_loose &&"
    " echo 1 >netfilter/nf_conntrack_checksum",
};

/* The same said twice: to dom0's firewall, and to nft. */
struct rule_pair {
    const char *qubes, *nft;
};

#define REJECT "reject with icmpx admin-prohibited"

static const struct rule_pair rules4[] = {
    {"action=accept dst4=198.51.100.0/25 proto=tcp dstports=80-443",
     "ip daddr 198.51.100.0/25 tcp dport 80-443 accept"},
    {"action=drop dst4=198.51.100.0/24 proto=udp dstports=100-200",
     "ip daddr 198.51.100.0/24 udp dport 100-200 " REJECT},
    {"action=accept proto=icmp icmptype=8", "icmp type 8 accept"},
    {"action=accept dst4=198.51.100.7", "ip daddr 198.51.100.7 accept"},
    {"action=accept dstports=5000-5010",
     "meta nfproto ipv4 meta l4proto { tcp, udp } th dport 5000-5010 accept"},
    {"action=drop dst4=203.0.113.0/24", "ip daddr 203.0.113.0/24 " REJECT},
    {"action=accept proto=udp dst4=0.0.0.0/1",
     "ip daddr 0.0.0.0/1 meta l4proto udp accept"},
};

static const struct rule_pair rules6[] = {
    {"action=accept dst6=2001:db8:1::/48 proto=tcp dstports=80-443",
     "ip6 daddr 2001:db8:1::/48 tcp dport 80-443 accept"},
    {"action=accept proto=icmp icmptype=128", "icmpv6 type 128 accept"},
    {"action=drop dst6=2001:db8:2::/48", "ip6 daddr 2001:db8:2::/48 " REJECT},
    {"action=accept proto=udp", "meta nfproto ipv6 meta l4proto udp accept"},
};

/* --- TAP ----------------------------------------------------------------- */

static int test_number;
static bool test_failed, all_failed;

static void fail(const char *what)
{
    test_failed = true;
    printf("# %s\n", what);
}

static void done(const char *name)
{
    printf("%sok %d - %s\n", test_failed ? "not " : "", ++test_number, name);
    all_failed = all_failed || test_failed;
    test_failed = false;
}

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    printf("Bail out! %s\n", what);
    exit(1);
}

/* --- The two ------------------------------------------------------------- */

/* The packets that one of them sent for one packet in. */
struct outcome {
    size_t forwarded, answered; /* packets to the other side, and back */
    size_t sizes[2][OUTPUTS_MAX];
    uint8_t packets[2][OUTPUTS_MAX][PACKET_MAX];
};

enum { FORWARDED, ANSWERED };

static void add(struct outcome *o, int kind, const uint8_t *data, size_t size)
{
    size_t *count = kind == FORWARDED ? &o->forwarded : &o->answered;
    must(*count < OUTPUTS_MAX && size <= PACKET_MAX, "too much came out");
    memcpy(o->packets[kind][*count], data, size);
    o->sizes[kind][(*count)++] = size;
}

static int qube_fd, out_fd;

static int open_tun(const char *name)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    must(fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0, "no TUN device");
    return fd;
}

/* The kernel's own reports and solicitations are not what is looked at. */
static bool is_noise(const uint8_t *p)
{
    return p[0] >> 4 == 6 && (p[8] == 0xfe || p[24] == 0xff ||
                              (p[6] == 58 && p[40] >= 130 && p[40] <= 143));
}

static void drain(int fd, struct outcome *o, int kind)
{
    static uint8_t packet[70000];
    ssize_t size;
    while ((size = read(fd, packet, sizeof packet)) > 0)
        if (o && !is_noise(packet))
            add(o, kind, packet, (size_t)size);
}

static void through_kernel(bool up, const uint8_t *data, size_t size,
                           struct outcome *o)
{
    *o = (struct outcome){0};
    drain(qube_fd, NULL, 0);
    drain(out_fd, NULL, 0);
    must(write(up ? qube_fd : out_fd, data, size) == (ssize_t)size,
         "the kernel refuses the packet");
    drain(qube_fd, o, up ? ANSWERED : FORWARDED);
    drain(out_fd, o, up ? FORWARDED : ANSWERED);
}

static struct router *twin;
static struct qube *twin_qube;
static struct instant now = {1000000};
static struct packet_batch replies;

static void through_router(bool up, const uint8_t *data, size_t size,
                           struct outcome *o)
{
    static const struct burst_layout layout = {.head = 8, .tail = 16};
    static struct burst burst;
    static uint8_t copy[70000];
    struct packet p = {.data = copy, .size = (uint32_t)size};
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    *o = (struct outcome){0};
    memcpy(copy, data, size);
    now.us += 20000; /* slow enough for every limit of ours */
    packet_batch_reset(&replies);
    p.qube = up ? twin_qube : NULL;
    if (up)
        router_from_qubes(twin, now, &batch, &replies);
    else if ((p.drop = (uint8_t)ip_packet_parse(&p)) == DROP_NONE)
        router_from_tunnel(twin, now, &batch, &replies);
    for (size_t i = 0; i < replies.count; i++)
        add(o, ANSWERED, replies.packets[i].data, replies.packets[i].size);
    if (p.drop != DROP_NONE)
        return;
    struct segment_cursor cursor = {0};
    must(burst.memory || burst_init(&burst, 100000), "out of memory");
    burst_reset(&burst);
    if (segment(&p, up ? MTU : CARD, &layout, &cursor, &burst) != SEGMENT_DONE)
        fail("what the router passed could not be cut");
    for (size_t i = 0; i < burst.count; i++)
        add(o, FORWARDED, burst.datagrams[i].data + layout.head,
            burst.datagrams[i].inner_size);
}

/* --- Comparison ---------------------------------------------------------- */

static void hide(uint8_t *p, size_t at, size_t size)
{
    memset(p + at, 0, size);
}

/* "id" */
static void hide_id(uint8_t *p)
{
    if (p[0] >> 4 == 4 && !(p[6] & 0x40)) {
        hide(p, 4, 2);
        hide(p, 10, 2);
    }
}

static void compare_forwarded(struct outcome *kernel, struct outcome *router)
{
    if (kernel->forwarded != router->forwarded) {
        printf("# the kernel forwards %zu, the router %zu\n", kernel->forwarded,
               router->forwarded);
        test_failed = true;
        return;
    }
    for (size_t i = 0; i < kernel->forwarded; i++) {
        uint8_t *k = kernel->packets[FORWARDED][i];
        uint8_t *r = router->packets[FORWARDED][i];
        size_t size = kernel->sizes[FORWARDED][i];
        if (!(r[6] & 0x3f) && !r[7] && !craft_checksums_right(r, size))
            fail("a checksum of the router's is wrong");
        hide_id(k);
        hide_id(r);
        if (size != router->sizes[FORWARDED][i] || memcmp(k, r, size) != 0)
            fail("what is forwarded differs");
    }
}

/* An error is compared by its own header and what it quotes: "ttl", "room",
 * and the IP header that is each one's own affair. */
static void compare_errors(uint8_t *k, size_t k_size, uint8_t *r, size_t r_size)
{
    bool v6 = k[0] >> 4 == 6;
    size_t header = v6 ? 40 : 20, quoted = header + 8;
    size_t size = k_size < r_size ? k_size : r_size;
    if (size < quoted + header || (!v6 && k_size != r_size)) {
        fail("an error's size differs");
        return;
    }
    if (memcmp(k + (v6 ? 8 : 12), r + (v6 ? 8 : 12), v6 ? 32 : 8) != 0)
        fail("an error's ends differ");
    if (!craft_checksums_right(r, r_size))
        fail("the checksum of an error of the router's is wrong");
    hide(k, header + 2, 2);
    hide(r, header + 2, 2);
    hide(k, quoted + (v6 ? 7 : 8), 1);
    hide(r, quoted + (v6 ? 7 : 8), 1);
    if (!v6) {
        hide(k, quoted + 10, 2);
        hide(r, quoted + 10, 2);
    }
    if (memcmp(k + header, r + header, size - header) != 0)
        fail("an error differs");
}

static bool is_reset(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? p[9] == 6 : p[6] == 6;
}

static void compare_answered(struct outcome *kernel, struct outcome *router)
{
    if (router->answered == 1 && is_reset(router->packets[ANSWERED][0]))
        router->answered = 0; /* "reset" */
    if (kernel->answered != router->answered) {
        printf("# the kernel answers %zu times, the router %zu\n",
               kernel->answered, router->answered);
        test_failed = true;
        return;
    }
    for (size_t i = 0; i < kernel->answered; i++)
        compare_errors(kernel->packets[ANSWERED][i], kernel->sizes[ANSWERED][i],
                       router->packets[ANSWERED][i],
                       router->sizes[ANSWERED][i]);
}

static struct outcome kernel_outcome, router_outcome;

/* True where both let it pass. */
static bool both(bool up, const struct craft *c)
{
    static uint8_t packet[CRAFT_SIZE_MAX + 100];
    bool failed_before = test_failed;
    size_t size = craft_write(c, packet);
    through_kernel(up, packet, size, &kernel_outcome);
    through_router(up, packet, size, &router_outcome);
    compare_forwarded(&kernel_outcome, &router_outcome);
    compare_answered(&kernel_outcome, &router_outcome);
    if (test_failed && !failed_before) {
        char from[ADDRESS_TEXT_SIZE], to[ADDRESS_TEXT_SIZE];
        printf("# first: %s, %s to %s, protocol %u, ports %u to %u, "
               "flags %#x, %zu bytes\n",
               up ? "up" : "down", address_format(&c->source, from),
               address_format(&c->destination, to), c->protocol, c->source_port,
               c->destination_port, c->flags, size);
    }
    return kernel_outcome.forwarded > 0 && router_outcome.forwarded > 0;
}

/* --- Packets ------------------------------------------------------------- */

static uint64_t seed = 20;
static uint8_t payload[4000];

static struct craft from_qube(bool v6, uint8_t protocol, const char *to,
                              uint16_t port)
{
    static uint16_t source_port = 2000;
    source_port++;
    return (struct craft){
        .source = craft_address(v6 ? "fd09::5" : "10.137.0.5"),
        .destination = craft_address(to),
        .protocol = protocol,
        .source_port = source_port,
        .destination_port = port,
        .dont_fragment = true,
        .id = source_port,
        .tos = 0x10,
        .sequence = 1000u * source_port,
        .flags = 2,
        .window = 64000,
        .icmp_type = v6 ? 128 : 8,
        .icmp_rest = (uint32_t)source_port << 16 | 1,
        .payload = {payload, 20},
    };
}

/* The other end of what was forwarded last. */
static struct craft answer_to(const struct craft *c)
{
    bool v6 = c->source.family == ADDRESS_IPV6;
    struct craft a = *c;
    a.source = c->destination;
    a.destination = craft_address(v6 ? "fd08::2" : "10.8.0.2");
    a.source_port = c->destination_port;
    a.destination_port = c->source_port;
    a.icmp_type = v6 ? 129 : 0;
    a.ttl = 50;
    return a;
}

static const char *const places4[] = {"198.51.100.7",   "198.51.100.77",
                                      "198.51.100.200", "203.0.113.4",
                                      "8.8.8.8",        "192.0.2.1"};
static const char *const places6[] = {"2001:db8:1::7", "2001:db8:2::1",
                                      "2001:db8:3::1"};
static const uint16_t ports[] = {22, 80, 150, 443, 444, 5000, 5010, 5011};

static void verdicts(bool v6)
{
    unsigned passed = 0, total = 0;
    for (size_t i = 0; i < (v6 ? 3 : 6); i++)
        for (size_t k = 0; k < sizeof ports / sizeof ports[0]; k++)
            for (int protocol = 0; protocol < 3; protocol++) {
                static const uint8_t numbers[2][3] = {{6, 17, 1}, {6, 17, 58}};
                struct craft c =
                    from_qube(v6, numbers[v6][protocol],
                              v6 ? places6[i] : places4[i], ports[k]);
                passed += both(true, &c);
                total++;
                struct craft back = answer_to(&c);
                if (protocol == 0) {
                    back.flags = 0x12;
                    back.acknowledgement = c.sequence + 21;
                }
                (void)both(false, &back);
            }
    printf("# %u of %u passed\n", passed, total);
    if (passed < total / 5 || passed > total * 4 / 5)
        fail("that says little about the rules");
    done(v6 ? "the same verdicts and errors on IPv6"
            : "the same verdicts and errors on IPv4");
}

static void connection(bool v6)
{
    static const uint8_t syn_options[] = {2, 4, 5, 0xb4, 1, 3, 3, 7};
    struct craft c = from_qube(v6, 6, v6 ? places6[0] : places4[0], 443);
    c.payload.size = 0;
    c.tcp_options = bytes_of(syn_options, sizeof syn_options);
    if (!both(true, &c))
        fail("no SYN");
    struct craft back = answer_to(&c);
    back.flags = 0x12;
    back.sequence = 5000;
    back.acknowledgement = c.sequence + 1;
    if (!both(false, &back))
        fail("no SYN and ACK");
    c.tcp_options.size = back.tcp_options.size = 0;
    c.sequence++;
    back.sequence++;
    c.flags = back.flags = 0x10;
    for (int i = 0; i < 40; i++) {
        bool up = craft_below(&seed, 2);
        struct craft *sender = up ? &c : &back, *other = up ? &back : &c;
        sender->payload.size = craft_below(&seed, 1300);
        sender->flags = (uint8_t)(i == 39 ? 0x11 : 0x10);
        sender->acknowledgement = other->sequence;
        if (!both(up, sender))
            fail("data did not pass");
        sender->sequence += (uint32_t)sender->payload.size + (i == 39);
    }
    /* Unknown ports of the same ends, and a connection in its middle. */
    struct craft stray = back;
    stray.destination_port ^= 0x4000;
    (void)both(false, &stray);
    stray = back;
    stray.source_port++;
    (void)both(false, &stray);
    struct craft middle = from_qube(v6, 6, v6 ? places6[0] : places4[0], 443);
    middle.flags = 0x10;
    (void)both(true, &middle);
    done(v6 ? "a TCP connection over IPv6" : "a TCP connection over IPv4");
}

/* Brings a connection to where both have acknowledged 1000 bytes. */
static void stand(bool v6, struct craft *c, struct craft *back)
{
    *c = from_qube(v6, 6, v6 ? places6[0] : places4[0], 443);
    c->payload.size = 0;
    if (!both(true, c))
        fail("no SYN");
    *back = answer_to(c);
    back->flags = 0x12;
    back->sequence = 0xffffff00; /* goes round soon */
    back->acknowledgement = ++c->sequence;
    if (!both(false, back))
        fail("no SYN and ACK");
    back->sequence++;
    for (int i = 0; i < 4; i++) {
        struct craft *sender = i % 2 ? back : c, *other = i % 2 ? c : back;
        sender->flags = 0x10;
        sender->acknowledgement = other->sequence;
        sender->payload.size = i < 2 ? 0 : 1000;
        if (!both(i % 2 == 0, sender))
            fail("data did not pass");
        sender->sequence += (uint32_t)sender->payload.size;
        sender->payload.size = 0;
    }
    c->acknowledgement = back->sequence;
    if (!both(true, c))
        fail("no acknowledgement");
}

/* Packets that end a connection, that do not, and that begin none. */
static void endings(bool v6)
{
    static const int offsets[] = {-1,     -1000, -60000, -200000,
                                  200000, 1,     1000,   60000};
    struct craft c, back, odd;
    stand(v6, &c, &back);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        odd = back;
        odd.flags = 4;
        odd.sequence += (uint32_t)offsets[i];
        bool inside = offsets[i] > 0 && offsets[i] < 64000;
        if (both(false, &odd) != inside)
            fail("a RST outside of the window passed, or one inside did not");
        odd.flags = 2;
        if (both(false, &odd))
            fail("a SYN from outside passed");
        /* The qube asks about it, and goes on. */
        if (!both(true, &c) || !both(false, &back))
            fail("the connection is gone");
    }
    odd = back;
    odd.flags = 4;
    if (!both(false, &odd))
        fail("a RST in its place did not pass");
    odd.flags = 2;
    for (int i = 0; i < 10; i++) {
        odd.sequence += 0x18000000;
        if (both(false, &odd))
            fail("a SYN from outside passed behind a RST");
    }
    /* The qube begins anew. */
    c.flags = 2;
    c.sequence += 0x10000;
    if (!both(true, &c))
        fail("no second SYN");
    done(v6 ? "RST and SYN over IPv6" : "RST and SYN over IPv4");
}

/* Errors of routers on the way, about each kind of packet. */
static void errors(bool v6)
{
    static const uint8_t types[2][4][2] = {{{3, 1}, {3, 4}, {11, 0}, {3, 3}},
                                           {{1, 0}, {2, 0}, {3, 0}, {1, 4}}};
    static const uint8_t numbers[2][3] = {{6, 17, 1}, {6, 17, 58}};
    for (int i = 0; i < 12; i++) {
        struct craft c =
            from_qube(v6, numbers[v6][i % 3], v6 ? places6[0] : places4[0],
                      i % 3 ? 5000 : 443);
        if (!both(true, &c))
            continue;
        static uint8_t quoted[PACKET_MAX];
        size_t size = router_outcome.sizes[FORWARDED][0];
        memcpy(quoted, router_outcome.packets[FORWARDED][0], size);
        struct craft e = {
            .source = craft_address(v6 ? "2001:db8:9::9" : "192.0.2.99"),
            .destination = craft_address(v6 ? "fd08::2" : "10.8.0.2"),
            .protocol = v6 ? 58 : 1,
            .icmp_type = types[v6][i / 3][0],
            .icmp_code = types[v6][i / 3][1],
            .icmp_rest =
                types[v6][i / 3][0] == (v6 ? 2 : 3) && i / 3 == 1 ? 1300 : 0,
            .dont_fragment = true,
            .payload = {quoted, size},
        };
        if (!both(false, &e))
            fail("the error did not pass");
        quoted[(v6 ? 40 : 20) + (i % 3 == 2 ? 4 : 0)] ^= 0x10;
        if (both(false, &e))
            fail("an error about nothing passed");
    }
    done(v6 ? "ICMPv6 errors, translated" : "ICMP errors, translated");
}

static void sizes_and_times(bool v6)
{
    unsigned passed = 0;
    for (int i = 0; i < 40; i++) {
        struct craft c = from_qube(v6, 17, v6 ? places6[0] : places4[0], 5000);
        c.payload.size = 1300 + craft_below(&seed, 2600);
        c.dont_fragment = i % 2;
        (void)both(true, &c);
        c = from_qube(v6, 17, v6 ? places6[0] : places4[0], 5000);
        c.ttl = (uint8_t)(1 + i % 3);
        (void)both(true, &c);
    }
    for (int i = 0; i < 40; i++) {
        struct craft c = from_qube(v6, 17, v6 ? places6[0] : places4[0], 5000);
        if (!both(true, &c))
            fail("no flow");
        struct craft back = answer_to(&c);
        back.payload.size = CARD - 160 + craft_below(&seed, 200);
        back.dont_fragment = i % 2;
        passed += both(false, &back);
    }
    if (passed < 10 || passed > 38)
        fail("that says little about sizes");
    struct craft spoofed =
        from_qube(v6, 17, v6 ? places6[0] : places4[0], 5000);
    spoofed.source.bytes[3]++;
    if (both(true, &spoofed))
        fail("a spoofed packet passed");
    done(v6 ? "IPv6: MTU and hop limit" : "IPv4: MTU, fragments, time to live");
}

/* --- Both sides of the comparison, made ---------------------------------- */

static void command(const char *text)
{
    if (system(text) != 0) {
        printf("# %s\n", text);
        must(false, "a command failed");
    }
}

static void set_rules(const char *source, const struct rule_pair *pairs,
                      size_t count)
{
    struct rules_entry entries[16] = {
        {bytes_of_text("policy"), bytes_of_text("drop")}};
    char keys[16][8], text[512];
    struct address a = craft_address(source);
    for (size_t i = 0; i < count; i++) {
        snprintf(keys[i], sizeof keys[i], "%04zu", i * 3);
        entries[i + 1] = (struct rules_entry){bytes_of_text(keys[i]),
                                              bytes_of_text(pairs[i].qubes)};
        snprintf(text, sizeof text, "nft 'add rule inet twin rules %s'",
                 pairs[i].nft);
        command(text);
    }
    router_set_rules(twin, now, &a, entries, count + 1);
    snprintf(text, sizeof text, "nft 'add rule inet twin rules %s " REJECT "'",
             a.family == ADDRESS_IPV4 ? "meta nfproto ipv4"
                                      : "meta nfproto ipv6");
    command(text);
}

static void make_kernel(void)
{
    must(unshare(CLONE_NEWNET) == 0, "no network namespace");
    if (system("nft list ruleset >/dev/null 2>&1") != 0) {
        printf("1..0 # SKIP this kernel has no nftables for us\n");
        exit(0);
    }
    qube_fd = open_tun("qube0");
    out_fd = open_tun("out0");
    for (size_t i = 0; i < sizeof setup / sizeof setup[0]; i++)
        command(setup[i]);
}

static void make_router(void)
{
    struct router_options options = {.flows = FLOWS};
    struct tunnel tunnel = {
        .ipv4 = {craft_address("10.8.0.2"), 24},
        .ipv6 = {craft_address("fd08::2"), 64},
        .mtu = MTU,
        .redirect_ipv4 = true,
        .redirect_ipv6 = true,
    };
    struct address qube4 = craft_address("10.137.0.5"),
                   qube6 = craft_address("fd09::5"),
                   gateway4 = craft_address("10.137.0.1"),
                   gateway6 = craft_address("fd09::1");
    twin = router_new(&options);
    must(twin && packet_batch_init(&replies, 8, 2048), "out of memory");
    router_set_gateway_address(twin, &gateway4);
    router_set_gateway_address(twin, &gateway6);
    twin_qube = router_add_qube(twin, now, "qube", &qube4, &qube6);
    must(twin_qube, "no qube");
    router_tunnel_up(twin, now, &tunnel);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    craft_fill(&seed, payload, sizeof payload);
    make_kernel();
    make_router();
    set_rules("10.137.0.5", rules4, sizeof rules4 / sizeof rules4[0]);
    set_rules("fd09::5", rules6, sizeof rules6 / sizeof rules6[0]);
    for (int v6 = 0; v6 < 2; v6++) {
        verdicts(v6);
        connection(v6);
        endings(v6);
        errors(v6);
        sizes_and_times(v6);
    }
    printf("1..%d\n", test_number);
    router_free(twin);
    packet_batch_clear(&replies);
    return all_failed;
}
