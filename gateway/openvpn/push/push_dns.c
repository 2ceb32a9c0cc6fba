#include "gateway/openvpn/push/push_dns.h"

#include "gateway/base/text.h"

static bool is_word(const char *text, const char *word)
{
    return text_equal_ignoring_case(bytes_of_text(text), word);
}

/* A domain ends up in files and on other programs' lines: letters, digits,
 * dots, hyphens and underscores, and nothing else (CVE-2025-10680). */
static bool is_domain(const char *text)
{
    size_t size = strlen(text), label = 0;
    if (size == 0 || size >= PUSH_DNS_DOMAIN_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' && label > 0)
            label = 0;
        else if (plain && label < 63)
            label++;
        else
            return false;
    }
    return true;
}

/* As helpers write one: "~corp" only says what a resolver is asked for, ".corp"
 * is corp and all below it, "." or "~." is everything. */
struct domain {
    const char *name;
    bool everything;
    bool searched; /* names without a dot are looked for in it */
};

static bool parse_domain(const char *text, struct domain *out)
{
    bool only_asked = text[0] == '~';
    text += only_asked;
    bool everything = !strcmp(text, ".");
    if (text[0] == '.' && !everything)
        text++;
    *out = (struct domain){
        .name = text,
        .everything = everything,
        .searched = !only_asked && !everything,
    };
    return everything || is_domain(text);
}

static bool parse_address(const char *text, struct address *out)
{
    return address_parse(bytes_of_text(text), out);
}

/* "ADDRESS", "IPV4:PORT" or "[IPV6]:PORT". */
static bool parse_server_address(const char *text, struct address *address,
                                 uint32_t *port)
{
    *port = TUNNEL_DNS_PORT;
    if (parse_address(text, address))
        return true;

    struct bytes rest = bytes_of_text(text), host, port_text;
    bool bracketed = text[0] == '[';
    if (bracketed)
        rest = bytes_of(text + 1, rest.size - 1);
    if (!text_cut(&rest, bracketed ? ']' : ':', &host) ||
        !address_parse(host, address) ||
        (address->family == ADDRESS_IPV6) != bracketed || !rest.data)
        return false;
    if (bracketed && rest.size == 0)
        return true;
    if (bracketed && (!text_cut(&rest, ':', &port_text) || port_text.size != 0))
        return false;
    return text_to_u32(rest, 65535, port) && *port != 0;
}

/* --- dns ----------------------------------------------------------------- */

static bool parse_priority(const char *text, bool pushed, int *out)
{
    bool negative = !pushed && text[0] == '-';
    uint32_t value;
    if (!text_to_u32(bytes_of_text(text + negative), negative ? 128 : 127,
                     &value))
        return false;
    *out = negative ? -(int)value : (int)value;
    return true;
}

/* The server of that priority, made where it is missing; NULL if full. A
 * pushed one starts afresh where the profile has one. */
static struct push_dns_server *server_of(struct push_dns *d, int priority,
                                         bool pushed)
{
    size_t i = 0;
    while (i < d->server_count && d->servers[i].priority < priority)
        i++;
    struct push_dns_server *server = &d->servers[i];
    if (i < d->server_count && server->priority == priority) {
        if (pushed && server->from_profile)
            *server = (struct push_dns_server){.priority = priority};
        return server;
    }
    if (d->server_count == PUSH_DNS_SERVERS_MAX)
        return NULL;
    memmove(server + 1, server, (d->server_count - i) * sizeof *server);
    d->server_count++;
    *server =
        (struct push_dns_server){.priority = priority, .from_profile = !pushed};
    return server;
}

static bool add_addresses(struct push_dns_server *server,
                          const struct config_tokens *t, const char **note)
{
    struct push_dns_server changed = *server;
    changed.address_count = 0;
    for (size_t i = 4; i < t->count; i++) {
        struct address address;
        uint32_t port;
        if (!parse_server_address(t->token[i], &address, &port))
            return false;
        if (port != TUNNEL_DNS_PORT)
            *note = "a resolver on another port than 53 is not used";
        else if (changed.address_count < PUSH_DNS_ADDRESSES_MAX)
            changed.addresses[changed.address_count++] = address;
    }
    *server = changed;
    return true;
}

static bool all_domains(const struct config_tokens *t, size_t first)
{
    struct domain domain;
    for (size_t i = first; i < t->count; i++)
        if (!parse_domain(t->token[i], &domain))
            return false;
    return t->count > first;
}

static bool set_split(struct push_dns_server *server,
                      const struct config_tokens *t)
{
    struct domain domain = {0};
    bool everything = false;
    for (size_t i = 4; i < t->count; i++) {
        if (!parse_domain(t->token[i], &domain))
            return false;
        everything = everything || domain.everything;
    }
    server->split = !everything;
    return t->count > 4;
}

static bool set_transport(struct push_dns_server *server, const char *name,
                          const char **note)
{
    bool plain = is_word(name, "plain");
    if (!plain && !is_word(name, "DoT") && !is_word(name, "DoH"))
        return false;
    server->unusable = !plain;
    if (!plain)
        *note = "a resolver that is asked over TLS or HTTPS is not used";
    return true;
}

/* dns server PRIORITY WHAT VALUE... */
static bool add_server(struct push_dns *d, const struct config_tokens *t,
                       bool pushed, const char **note)
{
    int priority;
    if (t->count < 5 || !parse_priority(t->token[2], pushed, &priority))
        return false;
    const char *what = t->token[3], *value = t->token[4];
    struct push_dns changed = *d;
    struct push_dns_server *server = server_of(&changed, priority, pushed);
    if (!server) {
        *note = "more resolvers than are used";
        return true;
    }
    bool good;
    if (is_word(what, "address")) {
        good = add_addresses(server, t, note);
    } else if (is_word(what, "resolve-domains")) {
        good = set_split(server, t);
    } else if (is_word(what, "dnssec")) {
        good = is_word(value, "yes") || is_word(value, "no") ||
               is_word(value, "optional");
    } else if (is_word(what, "transport")) {
        good = set_transport(server, value, note);
    } else {
        good = is_word(what, "sni") && is_domain(value);
    }
    if (good)
        *d = changed;
    return good;
}

static bool set_domain(char domain[PUSH_DNS_DOMAIN_SIZE], const char *text)
{
    struct domain d;
    if (!parse_domain(text, &d))
        return false;
    /* The first one said is the one that is used. */
    return domain[0] || !d.searched ||
           text_copy(domain, PUSH_DNS_DOMAIN_SIZE, bytes_of_text(d.name));
}

bool push_dns_add(struct push_dns *d, const struct config_tokens *t,
                  bool pushed, const char **note)
{
    if (t->count >= 3 && is_word(t->token[1], "search-domains"))
        return all_domains(t, 2) && set_domain(d->search_domain, t->token[2]);
    return t->count >= 3 && is_word(t->token[1], "server") &&
           add_server(d, t, pushed, note);
}

void push_dns_clear_servers(struct push_dns *d)
{
    d->server_count = 0;
    d->search_domain[0] = '\0';
}

/* --- dhcp-option --------------------------------------------------------- */

/* "ADDRESS", or "ADDRESS#NAME", where the name is for TLS. */
static bool add_resolver(struct push_dns *d, const char *text,
                         const char **note)
{
    struct address address;
    struct bytes rest = bytes_of_text(text), host;
    if (!text_cut(&rest, '#', &host) || !address_parse(host, &address))
        return false;
    if (rest.data)
        *note = "a resolver with a name for TLS is asked without TLS";
    for (size_t i = 0; i < d->resolver_count; i++)
        if (address_equal(&d->resolvers[i], &address))
            return true;
    if (d->resolver_count == TUNNEL_RESOLVERS_MAX)
        *note = "more resolvers than are used";
    else
        d->resolvers[d->resolver_count++] = address;
    return true;
}

bool push_dns_add_dhcp(struct push_dns *d, const struct config_tokens *t,
                       const char **note)
{
    const char *type = t->token[1];
    const char *value = t->count > 2 ? t->token[2] : "";
    if (is_word(type, "DNS") || is_word(type, "DNS6"))
        return add_resolver(d, value, note);
    if (is_word(type, "DOMAIN") || is_word(type, "ADAPTER_DOMAIN_SUFFIX") ||
        is_word(type, "DOMAIN-SEARCH"))
        return set_domain(d->dhcp_domain, value);
    if (is_word(type, "DOMAIN-ROUTE"))
        return parse_domain(value, &(struct domain){0});
    /* WINS, NTP, proxies: nothing here would use them. */
    return true;
}

void push_dns_clear_dhcp(struct push_dns *d)
{
    d->resolver_count = 0;
    d->dhcp_domain[0] = '\0';
}

/* --- What comes of it ---------------------------------------------------- */

static bool add_to_tunnel(struct tunnel *tunnel, const struct address *a)
{
    if (tunnel->resolver_count == TUNNEL_RESOLVERS_MAX)
        return false;
    tunnel->resolvers[tunnel->resolver_count++] = *a;
    return true;
}

static void use_servers(const struct push_dns *d, struct tunnel *tunnel,
                        bool split)
{
    for (size_t i = 0; i < d->server_count; i++) {
        const struct push_dns_server *server = &d->servers[i];
        if (server->unusable || server->split != split)
            continue;
        for (size_t k = 0; k < server->address_count; k++)
            if (!add_to_tunnel(tunnel, &server->addresses[k]))
                return;
    }
}

void push_dns_finish(const struct push_dns *d, struct tunnel *tunnel)
{
    tunnel->resolver_count = 0;
    use_servers(d, tunnel, false);
    /* A resolver for some domains is better than none at all. */
    if (tunnel->resolver_count == 0)
        use_servers(d, tunnel, true);
    bool by_dns = tunnel->resolver_count > 0;
    for (size_t i = 0; i < d->resolver_count && !by_dns; i++)
        (void)!add_to_tunnel(tunnel, &d->resolvers[i]);

    const char *domain = d->search_domain[0] ? d->search_domain
                         : by_dns            ? ""
                                             : d->dhcp_domain;
    (void)!text_copy(tunnel->search_domain, sizeof tunnel->search_domain,
                     bytes_of_text(domain));
}
