#include "gateway/nano/way_out.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

/* How every backend of Qubes, and Linux', calls itself. */
static const uint8_t gateway_mac[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

#define RESOLV_CONF "/etc/resolv.conf"

/* --- The line ------------------------------------------------------------ */

/* True for an address that a card or another machine can have. */
static bool parse_address(struct bytes *rest, struct address *out)
{
    struct bytes word;
    if (!text_cut(rest, ' ', &word) || !address_parse(word, out) ||
        out->family != ADDRESS_IPV4)
        return false;
    uint8_t first = out->bytes[0];
    return first != 0 && first != IN_LOOPBACKNET && first < 224;
}

bool way_out_parse(struct bytes line, struct way_out *out)
{
    struct way_out w = {.resolver_count = 0};
    if (!parse_address(&line, &w.address) || !parse_address(&line, &w.gateway))
        return false;
    while (line.data) {
        if (w.resolver_count == WAY_OUT_RESOLVERS_MAX ||
            !parse_address(&line, &w.resolvers[w.resolver_count++]))
            return false;
    }
    *out = w;
    return true;
}

/* --- The card ------------------------------------------------------------ */

unsigned way_out_card(void)
{
    return if_nametoindex(WAY_OUT_CARD);
}

static struct sockaddr socket_address(const struct address *a)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr out;
    memcpy(&in.sin_addr, a->bytes, sizeof in.sin_addr);
    static_assert(sizeof in == sizeof out, "of the same size for IPv4");
    memcpy(&out, &in, sizeof out);
    return out;
}

/* The flags' low half is all that ioctl() knows. */
static bool bring_up(int s)
{
    struct ifreq r = {.ifr_name = WAY_OUT_CARD};
    if (ioctl(s, SIOCGIFFLAGS, &r) != 0)
        return false;
    r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
    return ioctl(s, SIOCSIFFLAGS, &r) == 0;
}

/* Without an address first: with the one before go all its routes. */
static bool set_address(int s, const struct address *a)
{
    const struct address none = address_ipv4(0),
                         whole = address_ipv4(UINT32_MAX);
    struct ifreq r = {.ifr_name = WAY_OUT_CARD};
    r.ifr_addr = socket_address(&none);
    if (ioctl(s, SIOCSIFADDR, &r) != 0)
        return false;
    r.ifr_addr = socket_address(a);
    if (ioctl(s, SIOCSIFADDR, &r) != 0)
        return false;
    r.ifr_netmask = socket_address(&whole);
    return ioctl(s, SIOCSIFNETMASK, &r) == 0;
}

static bool set_neighbour(int s, const struct address *gateway)
{
    struct arpreq r = {
        .arp_pa = socket_address(gateway),
        .arp_ha = {.sa_family = ARPHRD_ETHER},
        .arp_flags = ATF_PERM | ATF_COM,
        .arp_dev = WAY_OUT_CARD,
    };
    memcpy(r.arp_ha.sa_data, gateway_mac, sizeof gateway_mac);
    return ioctl(s, SIOCSARP, &r) == 0;
}

static bool add_route(int s, const struct rtentry *route)
{
    return ioctl(s, SIOCADDRT, route) == 0 || errno == EEXIST;
}

static bool add_routes(int s, const struct address *gateway)
{
    static char card[] = WAY_OUT_CARD;
    const struct address any = address_ipv4(0),
                         whole = address_ipv4(UINT32_MAX);
    const struct rtentry to_gateway = {
        .rt_dst = socket_address(gateway),
        .rt_genmask = socket_address(&whole),
        .rt_flags = RTF_UP | RTF_HOST,
        .rt_dev = card,
    };
    const struct rtentry to_all = {
        .rt_dst = socket_address(&any),
        .rt_genmask = socket_address(&any),
        .rt_gateway = socket_address(gateway),
        .rt_flags = RTF_UP | RTF_GATEWAY,
        .rt_dev = card,
    };
    return add_route(s, &to_gateway) && add_route(s, &to_all);
}

static bool write_resolvers(const struct way_out *w)
{
    char text[ADDRESS_TEXT_SIZE];
    FILE *file = fopen(RESOLV_CONF, "we");
    if (!file)
        return false;
    for (size_t i = 0; i < w->resolver_count; i++)
        fprintf(file, "nameserver %s\n",
                address_format(&w->resolvers[i], text));
    return fclose(file) == 0;
}

bool way_out_set(const struct way_out *w)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = s >= 0 && set_address(s, &w->address) && bring_up(s) &&
                add_routes(s, &w->gateway) && set_neighbour(s, &w->gateway) &&
                write_resolvers(w);
    if (!done)
        log_error("way out: %s", strerror(errno));
    if (s >= 0)
        close(s);
    return done;
}
