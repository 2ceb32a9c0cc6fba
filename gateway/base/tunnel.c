#include "gateway/base/tunnel.h"

#include "gateway/base/text.h"

static void write_address(struct writer *w, const struct prefix *p)
{
    char text[PREFIX_TEXT_SIZE];
    if (address_is_set(&p->address))
        text_write(w, "%s, ", prefix_format(p, text));
}

static void write_resolvers(struct writer *w, const struct tunnel *t)
{
    char text[ADDRESS_TEXT_SIZE];
    text_write(w, t->resolver_count ? "DNS " : "no DNS");
    for (size_t i = 0; i < t->resolver_count; i++)
        text_write(w, "%s%s", i ? " and " : "",
                   address_format(&t->resolvers[i], text));
}

static size_t count_routes(const struct tunnel *t, bool excluded)
{
    size_t count = 0;
    for (size_t i = 0; i < t->route_count; i++)
        count += t->routes[i].excluded == excluded;
    return count;
}

/* If the server gives no IPv6, IPv4 is all that there is. */
static void write_routes(struct writer *w, const struct tunnel *t)
{
    bool all = t->redirect_ipv4 || t->redirect_ipv6;
    bool ipv6 = address_is_set(&t->ipv6.address);
    size_t more = count_routes(t, false), not = count_routes(t, true);
    if (t->redirect_ipv4 && (t->redirect_ipv6 || !ipv6))
        text_write(w, "all traffic");
    else if (all)
        text_write(w, "all IPv%d", t->redirect_ipv4 ? 4 : 6);
    else
        text_write(w, more ? "only" : "no routes");
    if (more && !(t->redirect_ipv4 && t->redirect_ipv6))
        text_write(w, "%s %zu route%s", all ? " and" : "", more,
                   more == 1 ? "" : "s");
    if (not )
        text_write(w, " but %zu network%s", not, not == 1 ? "" : "s");
}

const char *tunnel_describe(const struct tunnel *t, char out[TUNNEL_TEXT_SIZE])
{
    struct writer w = writer_of(out, TUNNEL_TEXT_SIZE - 1);
    write_address(&w, &t->ipv4);
    write_address(&w, &t->ipv6);
    write_resolvers(&w, t);
    text_write(&w, ", ");
    write_routes(&w, t);
    out[writer_bytes(&w).size] = '\0';
    return out;
}
