#include "gateway/openvpn/push/push_options.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "tests/fuzz/target.h"

static void report(void *context, const char *text)
{
    (void)context;
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            abort();
}

static void check_tunnel(const struct tunnel *t)
{
    if (t->ipv4.bits > 32 || t->ipv6.bits > 128 || t->mtu < 100 ||
        t->mtu > 1600 || t->mss_mtu > t->mtu ||
        t->route_count > TUNNEL_ROUTES_MAX ||
        t->resolver_count > TUNNEL_RESOLVERS_MAX)
        abort();
    for (size_t i = 0; i < t->route_count; i++) {
        const struct prefix *p = &t->routes[i].prefix;
        struct prefix cut = prefix_of(&p->address, p->bits);
        if (p->bits > 8 * address_size(p->address.family) ||
            !address_equal(&cut.address, &p->address))
            abort();
    }
}

/* A message a line, after one that makes a tunnel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct push_options o;
    const char *why;
    config_init(&config);
    push_options_init(&o, &config, report, NULL);
    if (!push_options_add(
            &o, bytes_of_text("PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5"), &config,
            report, NULL))
        abort();
    struct bytes rest = bytes_of(data, size), message;
    while (text_cut(&rest, '\n', &message)) {
        if (!push_options_add(&o, message, &config, report, NULL))
            continue;
        if (push_options_finish(&o, &why))
            check_tunnel(&o.tunnel);
    }
    push_options_clear(&o);
    config_clear(&config);
    return 0;
}
