#include "gateway/process/settings.h"

#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/process/arguments.h"

enum { DOMAIN_MAX = 32751 }; /* Xen's DOMID_FIRST_RESERVED - 1 */

static bool parse_address(struct bytes text, enum address_family family,
                          struct address *out)
{
    return address_parse(text, out) && out->family == family;
}

/* One `key=value` of a qube. */
static bool parse_qube_field(struct bytes field, struct downstream *out,
                             const char **why)
{
    struct bytes key, value = field;
    if (!text_cut(&value, '=', &key) || !value.data) {
        *why = "--downstream: each field behind the name is KEY=VALUE";
        return false;
    }
    if (text_equal(key, "ip")) {
        *why = "--downstream: ip= takes an IPv4 address";
        return parse_address(value, ADDRESS_IPV4, &out->ipv4);
    }
    if (text_equal(key, "ip6")) {
        *why = "--downstream: ip6= takes an IPv6 address";
        return parse_address(value, ADDRESS_IPV6, &out->ipv6);
    }
    if (text_equal(key, "gw")) {
        *why = "--downstream: gw= takes an IPv4 address";
        return parse_address(value, ADDRESS_IPV4, &out->gateway);
    }
    if (text_equal(key, "mac")) {
        *why = "--downstream: mac= takes six pairs of hexadecimal digits";
        return address_parse_mac(value, out->mac);
    }
    *why = "--downstream: the fields of a qube are ip, ip6, gw and mac";
    return false;
}

bool settings_parse_place(struct bytes text, uint32_t *domain,
                          char path[VCHAN_PATH_SIZE], const char **why)
{
    struct bytes number;
    *why = "DOMID:PATH is a domain's number and a short path in xenstore";
    return text_cut(&text, ':', &number) && text.data &&
           text_to_u32(number, DOMAIN_MAX, domain) && vchan_path_valid(text) &&
           text_copy(path, VCHAN_PATH_SIZE, text);
}

static bool parse_name(struct bytes kind, struct bytes name,
                       struct downstream *out, const char **why)
{
    if (text_equal(kind, "vchan")) {
        out->kind = DOWNSTREAM_VCHAN;
        return settings_parse_place(name, &out->domain, out->path, why);
    }
    if (!text_equal(kind, "tap"))
        return false;
    *why = "--downstream: the interface's name has 1 to 15 characters";
    return name.size > 0 &&
           text_copy(out->interface, sizeof out->interface, name);
}

bool settings_parse_downstream(const char *spec, struct downstream *out,
                               const char **why)
{
    struct downstream d = {.kind = DOWNSTREAM_TAP};
    struct bytes rest = bytes_of_text(spec), kind, part;

    if (text_equal(rest, "xen")) {
        *out = (struct downstream){.kind = DOWNSTREAM_XEN};
        return true;
    }
    *why = "--downstream: SPEC is xen, tap:IFNAME or vchan:DOMID:PATH, the "
           "last two with ,ip=ADDRESS[,ip6=ADDRESS][,gw=ADDRESS][,mac=MAC]";
    if (!text_cut(&rest, ':', &kind) || !text_cut(&rest, ',', &part) ||
        !parse_name(kind, part, &d, why))
        return false;
    while (text_cut(&rest, ',', &part)) {
        if (!parse_qube_field(part, &d, why))
            return false;
    }
    if (!address_is_set(&d.ipv4)) {
        *why = "--downstream: ip= is missing, the qube's address";
        return false;
    }
    if (address_equal(&d.ipv4, &d.gateway)) {
        *why = "--downstream: gw= is the gateway's address, not the qube's own";
        return false;
    }
    *out = d;
    return true;
}

static bool share_address(const struct address *a, const struct address *b)
{
    return address_is_set(a) && address_equal(a, b);
}

static bool add_downstream(struct settings *s, const char *spec,
                           const char **why)
{
    if (s->downstream_count == SETTINGS_DOWNSTREAMS_MAX) {
        *why = "--downstream: too many";
        return false;
    }
    struct downstream *d = &s->downstreams[s->downstream_count];
    if (!settings_parse_downstream(spec, d, why))
        return false;
    for (size_t i = 0; i < s->downstream_count; i++) {
        const struct downstream *other = &s->downstreams[i];
        if (d->kind == DOWNSTREAM_XEN && other->kind == DOWNSTREAM_XEN) {
            *why = "--downstream: xen stands for all vifs, once";
            return false;
        }
        if (share_address(&d->ipv4, &other->ipv4) ||
            share_address(&d->ipv6, &other->ipv6)) {
            *why = "--downstream: two qubes have the same address";
            return false;
        }
    }
    s->downstream_count++;
    return true;
}

static bool complete(struct settings *s, const char **why)
{
    if (!s->profile && !s->qubesdb) {
        *why = "no profile is given: add --profile FILE, since with --qubesdb "
               "none dom0 names none";
        return false;
    }
    if (s->downstream_count == 0 && access(SETTINGS_XEN_DEVICE, F_OK) == 0)
        s->downstreams[s->downstream_count++].kind = DOWNSTREAM_XEN;
    if (s->downstream_count == 0) {
        *why = "no qube is given: add --downstream tap:IFNAME,ip=ADDRESS for "
               "each (without it all vifs are served, but this is no Xen "
               "domain with " SETTINGS_XEN_DEVICE ")";
        return false;
    }
    return true;
}

/* False for an option that there is not, or with a value it cannot have. */
static bool take_option(struct settings *s, int option, const char **why)
{
    switch (option) {
    case 'p':
        s->profile = optarg;
        return true;
    case 'D':
        s->profiles = optarg;
        return true;
    case 'd':
        return add_downstream(s, optarg, why);
    case 'q':
        s->qubesdb = strcmp(optarg, "none") == 0 ? NULL : optarg;
        return true;
    case 'r':
        s->rules = optarg;
        return true;
    case 'c':
        s->control = optarg;
        return true;
    case 'a':
        s->announce = optarg;
        return true;
    case 'P':
        s->pcap = optarg;
        return true;
    case 'S':
        s->no_sandbox = true;
        return true;
    case 'w':
        s->require_wall = true;
        return true;
    case 'v':
        s->verbose = true;
        return true;
    default:
        return false;
    }
}

bool settings_parse(int argc, char **argv, struct settings *out,
                    const char **why)
{
    static const struct option options[] = {
        {"profile", required_argument, NULL, 'p'},
        {"profiles", required_argument, NULL, 'D'},
        {"downstream", required_argument, NULL, 'd'},
        {"qubesdb", required_argument, NULL, 'q'},
        {"rules", required_argument, NULL, 'r'},
        {"control", required_argument, NULL, 'c'},
        {"announce", required_argument, NULL, 'a'},
        {"pcap", required_argument, NULL, 'P'},
        {"no-sandbox", no_argument, NULL, 'S'},
        {"require-wall", no_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    struct settings s = {
        .profiles = SETTINGS_PROFILES_DEFAULT,
        .qubesdb = SETTINGS_QUBESDB_DEFAULT,
        .control = SETTINGS_CONTROL_DEFAULT,
    };

    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, options, true)) != -1;) {
        *why = arguments_problem(argv, c, options);
        if (!take_option(&s, c, why))
            return false;
    }
    if (optind != argc) {
        *why = arguments_surplus(argv[optind]);
        return false;
    }
    if (!complete(&s, why))
        return false;
    *out = s;
    return true;
}

bool settings_name_vchan(const struct settings *s)
{
    bool named = s->qubesdb && strcmp(s->qubesdb, "vchan") == 0;
    for (size_t i = 0; i < s->downstream_count; i++)
        named = named || s->downstreams[i].kind == DOWNSTREAM_VCHAN;
    return named;
}
