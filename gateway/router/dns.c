#include "gateway/router/dns.h"

enum {
    /* /qubes-primary-dns and /qubes-secondary-dns of every qube. */
    VIRTUAL_FIRST = 10 << 24 | 139 << 16 | 1 << 8 | 1,
    VIRTUAL_SECOND = VIRTUAL_FIRST + 1,
};

void dns_init(struct dns *d)
{
    *d = (struct dns){
        .virtual = {address_ipv4(VIRTUAL_FIRST), address_ipv4(VIRTUAL_SECOND)}};
}

/* A resolver that is us, or no single host, would be a loop or a leak. */
static bool is_usable(const struct dns *d, const struct tunnel *tunnel,
                      const struct address *a)
{
    return a->family == ADDRESS_IPV4 && a->bytes[0] != 0 &&
           a->bytes[0] != 127 && a->bytes[0] < 224 && !dns_is_virtual(d, a) &&
           !address_equal(a, &tunnel->ipv4.address);
}

void dns_set_tunnel(struct dns *d, const struct tunnel *tunnel)
{
    size_t found = 0;
    d->resolvers[0] = d->resolvers[1] = (struct address){0};
    for (size_t i = 0; i < tunnel->resolver_count && found < 2; i++)
        if (is_usable(d, tunnel, &tunnel->resolvers[i]))
            d->resolvers[found++] = tunnel->resolvers[i];
    if (found == 1)
        d->resolvers[1] = d->resolvers[0];
    memset(d->health, 0, sizeof d->health);
}

bool dns_is_virtual(const struct dns *d, const struct address *address)
{
    return address_equal(address, &d->virtual[0]) ||
           address_equal(address, &d->virtual[1]);
}

static bool is_silent(const struct dns_health *h, struct instant now)
{
    return h->unanswered >= DNS_SILENT_QUESTIONS &&
           instant_reached(
               now,
               instant_after(h->since, duration_seconds(DNS_SILENT_AFTER))) &&
           instant_before(now, instant_after(h->since, duration_seconds(
                                                           DNS_SILENT_UNTIL)));
}

const struct address *dns_resolver(const struct dns *d, struct instant now,
                                   const struct address *address)
{
    size_t wanted = address_equal(address, &d->virtual[0]) ? 0 : 1;
    if (!dns_is_virtual(d, address) ||
        d->resolvers[wanted].family == ADDRESS_NONE)
        return NULL;
    if (is_silent(&d->health[wanted], now) &&
        !is_silent(&d->health[!wanted], now))
        wanted = !wanted;
    return &d->resolvers[wanted];
}

void dns_asked(struct dns *d, struct instant now,
               const struct address *resolver)
{
    struct dns_health *h = &d->health[!address_equal(resolver, d->resolvers)];
    struct instant over =
        instant_after(h->since, duration_seconds(DNS_SILENT_UNTIL));
    if (h->unanswered == 0 || instant_reached(now, over))
        *h = (struct dns_health){.since = now};
    h->unanswered++;
}

void dns_answered(struct dns *d, const struct address *resolver)
{
    for (size_t i = 0; i < 2; i++)
        if (address_equal(&d->resolvers[i], resolver))
            d->health[i].unanswered = 0;
}
