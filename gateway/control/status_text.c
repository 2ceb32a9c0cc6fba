/*
 * status_print(): the JSON object of status_json() for a person. The head says
 * at a glance whether it works, and if not why; what is normal is left out.
 *
 *   VPN       connected for 3 min        (last packet 2 s ago)
 *   server    vpn.example.org 192.0.2.1:1194/udp, "server.lab", profile a.ovpn
 *   routes    all IPv4; IPv6 blocked     DNS 10.8.0.1     MTU 1448
 *   QUBE      ADDRESS       RULES   UP      DOWN    REFUSED
 *   work      10.137.0.10   3       1.2 MB  40 MB   12 (rule), 1 (no IPv6)
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/control/status.h"

enum {
    ROUTES_SHOWN = 8,
    LINE_SIZE = 1024,
    SHORT_SIZE = 64,
    /* Columns. */
    SECOND = 27,
    THIRD = 15,
    NAME_LEAST = 8,
    ADDRESS_LEAST = 12,
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static double seconds_of(const json_t *object, const char *key)
{
    return json_real_value(json_object_get(object, key));
}

static struct writer line_of(char line[LINE_SIZE])
{
    return writer_of(line, LINE_SIZE - 1);
}

/* The written text, as a C string. */
static const char *end_of(const struct writer *w, char line[LINE_SIZE])
{
    line[writer_bytes(w).size] = '\0';
    return line;
}

static const char *format_seconds(double seconds, char out[SHORT_SIZE])
{
    int64_t s = (int64_t)seconds;
    if (s >= 86400)
        snprintf(out, SHORT_SIZE, "%" PRId64 " d %" PRId64 " h", s / 86400,
                 s / 3600 % 24);
    else if (s >= 3600)
        snprintf(out, SHORT_SIZE, "%" PRId64 " h %" PRId64 " min", s / 3600,
                 s / 60 % 60);
    else if (s >= 60)
        snprintf(out, SHORT_SIZE, "%" PRId64 " min", s / 60);
    else
        snprintf(out, SHORT_SIZE, "%" PRId64 " s", s);
    return out;
}

/* Two digits at least; `units` rise by 1000. */
static const char *format_amount(double value, const char *const units[],
                                 size_t count, char out[SHORT_SIZE])
{
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < count; unit++)
        value /= 1000;
    snprintf(out, SHORT_SIZE, unit && value < 10 ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
    return out;
}

static const char *format_bytes(int64_t bytes, char out[SHORT_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    return format_amount((double)bytes, units, sizeof units / sizeof *units,
                         out);
}

static const char *format_rate(double bytes, double seconds,
                               char out[SHORT_SIZE])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
    return format_amount(8 * bytes / seconds, units,
                         sizeof units / sizeof *units, out);
}

/* --- The VPN ------------------------------------------------------------- */

static void print_state(const json_t *status, FILE *out,
                        const struct status_style *style)
{
    char line[LINE_SIZE], text[SHORT_SIZE];
    struct writer w = line_of(line);
    bool up = json_is_true(json_object_get(status, "up"));
    const char *state = text_of(status, "state");
    const json_t *retry = json_object_get(status, "retry_seconds");
    const json_t *packet = json_object_get(status, "last_packet_seconds");

    text_write(&w, " for %s",
               format_seconds(seconds_of(status, "since_seconds"), text));
    if (json_is_real(retry))
        text_write(&w, ", next attempt in %s",
                   format_seconds(json_real_value(retry), text));
    if (!up)
        text_write(&w, " (nothing %s)",
                   json_is_object(json_object_get(status, "tunnel"))
                       ? "has come back"
                       : "leaves");
    const char *colour = up ? "\033[32m" : "\033[31m";
    fprintf(out, "VPN       %s%s%s", style->colour ? colour : "", state,
            style->colour ? "\033[0m" : "");
    if (!json_is_real(packet)) {
        fprintf(out, "%s\n", end_of(&w, line));
        return;
    }
    int room = SECOND - (int)(state ? strlen(state) : 0);
    fprintf(out, "%-*s(last packet %s ago)\n", room > 0 ? room : 0,
            end_of(&w, line), format_seconds(json_real_value(packet), text));
}

static void print_problems(const json_t *status, FILE *out)
{
    size_t i;
    const json_t *problem;
    const char *qubesdb = text_of(status, "qubesdb");
    if (qubesdb && strcmp(qubesdb, "no answer") == 0)
        fprintf(out, "problem   QubesDB does not answer\n");
    const json_t *reason = json_object_get(status, "last_error");
    json_array_foreach(json_object_get(status, "problems"), i, problem)
    {
        if (!json_equal(problem, reason)) /* once is enough */
            fprintf(out, "problem   %s\n", json_string_value(problem));
    }
}

static void print_reasons(const json_t *status, FILE *out)
{
    bool up = json_is_true(json_object_get(status, "up"));
    if (!up && text_of(status, "last_error"))
        fprintf(out, "reason    %s\n", text_of(status, "last_error"));
    print_problems(status, out);
    if (text_of(status, "question"))
        fprintf(out, "login     %s: answer with `vpn-gateway login`\n",
                text_of(status, "question"));
}

/* HOST, and its address where that is another. */
static void write_place(struct writer *w, const json_t *server)
{
    const char *host = text_of(server, "host");
    const char *address = text_of(server, "address");
    const char *proxy = text_of(server, "proxy");
    size_t size = host ? strlen(host) : 0;
    bool literal = address && host &&
                   strncmp(address + (*address == '['), host, size) == 0;
    if (address && !proxy)
        text_write(w, "%s%s%s/%s", literal ? "" : host, literal ? "" : " ",
                   address, text_of(server, "protocol"));
    else
        text_write(w, "%s:%" PRId64 "/%s", host, number_of(server, "port"),
                   text_of(server, "protocol"));
    if (proxy)
        text_write(w, " through the %s proxy%s%s", proxy, address ? " " : "",
                   address ? address : "");
}

static const char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_server(const json_t *status, FILE *out)
{
    char line[LINE_SIZE];
    struct writer w = line_of(line);
    const json_t *server = json_object_get(status, "server");
    const char *profile = text_of(status, "profile");
    bool known = json_is_object(server);
    if (known)
        write_place(&w, server);
    if (known && text_of(server, "name"))
        text_write(&w, ", \"%s\"", text_of(server, "name"));
    if (profile)
        text_write(&w, "%s%s", known ? ", profile " : "profile   ",
                   name_of_file(profile));
    if (known || profile)
        fprintf(out, "%s%s\n", known ? "server    " : "", end_of(&w, line));
}

/* --- What goes through the tunnel ---------------------------------------- */

static bool is_ipv6(const json_t *route)
{
    const char *to = text_of(route, "to");
    return to && strchr(to, ':');
}

static void write_route(struct writer *w, const json_t *route, bool first)
{
    bool excluded = json_is_true(json_object_get(route, "excluded"));
    text_write(w, "%s%s%s", first ? "" : ", ", excluded ? "not " : "",
               text_of(route, "to"));
}

static void write_routes(struct writer *w, const json_t *tunnel)
{
    size_t i, count = 0;
    const json_t *route;
    bool ipv4 = json_is_true(json_object_get(tunnel, "default_route_ipv4"));
    bool ipv6 = json_is_true(json_object_get(tunnel, "default_route_ipv6"));
    bool carries_ipv6 = ipv6;
    text_write(w, "%s%s%s", ipv4 ? "all IPv4" : "", ipv4 && ipv6 ? ", " : "",
               ipv6 ? "all IPv6" : "");
    count = (size_t)ipv4 + ipv6;
    json_array_foreach(json_object_get(tunnel, "routes"), i, route)
    {
        carries_ipv6 = carries_ipv6 || is_ipv6(route);
        if (count++ < ROUTES_SHOWN)
            write_route(w, route, count == 1);
    }
    if (count > ROUTES_SHOWN)
        text_write(w, " and %zu more", count - ROUTES_SHOWN);
    text_write(w, "%s%s", count ? "" : "none",
               carries_ipv6 ? "" : "; IPv6 blocked");
}

static void write_resolvers(struct writer *w, const json_t *tunnel)
{
    size_t i;
    const json_t *item;
    const json_t *list = json_object_get(tunnel, "resolvers");
    text_write(w, "DNS %s", json_array_size(list) ? "" : "none");
    json_array_foreach(list, i, item)
        text_write(w, "%s%s", i ? ", " : "", json_string_value(item));
}

/* In use, and where that is less than what the server says, why. */
static void write_mtu(struct writer *w, const json_t *tunnel)
{
    int64_t mtu = number_of(tunnel, "mtu");
    int64_t server = number_of(tunnel, "mtu_server");
    text_write(w, "MTU %" PRId64, mtu);
    if (server <= mtu)
        return;
    bool by_setting = number_of(tunnel, "mtu_setting") == mtu;
    text_write(w, " (%s; the server allows %" PRId64 ")",
               by_setting ? "vm-config.vpn-mtu" : "all the path carries",
               server);
}

static void print_tunnel(const json_t *status, FILE *out)
{
    char routes[LINE_SIZE], resolvers[LINE_SIZE], mtu[LINE_SIZE];
    struct writer r = line_of(routes), d = line_of(resolvers), m = line_of(mtu);
    const json_t *tunnel = json_object_get(status, "tunnel");
    if (!json_is_object(tunnel))
        return;
    write_routes(&r, tunnel);
    write_resolvers(&d, tunnel);
    write_mtu(&m, tunnel);
    fprintf(out, "routes    %-*s%s%-*s  %s\n", SECOND, end_of(&r, routes),
            writer_bytes(&r).size < SECOND ? "" : "  ", THIRD,
            end_of(&d, resolvers), end_of(&m, mtu));
}

/* --- Qubes --------------------------------------------------------------- */

static bool is_normal(enum drop reason)
{
    return reason == DROP_LINK_LOCAL; /* multicast of a healthy start */
}

static enum drop drop_of(const char *name)
{
    for (enum drop i = DROP_NONE + 1; i < DROP_COUNT; i++)
        if (strcmp(drop_name(i), name) == 0)
            return i;
    return DROP_NONE;
}

static void write_refused(struct writer *w, const json_t *drops, bool all)
{
    const char *name;
    json_t *count;
    char words[DROP_WORDS_SIZE];
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)drops, name, count)
    {
        enum drop reason = drop_of(name);
        if (reason == DROP_NONE || (is_normal(reason) && !all))
            continue;
        text_write(w, "%s%" JSON_INTEGER_FORMAT " (%s)", first ? "" : ", ",
                   json_integer_value(count), drop_words(reason, words));
        first = false;
    }
    text_write(w, first ? "-" : "");
}

/* The number of rules, or what is done without any. */
static const char *summary_of(const char *rules, char out[SHORT_SIZE])
{
    snprintf(out, SHORT_SIZE, "%.*s", (int)strcspn(rules, " "), rules);
    return out;
}

/* "3 rules, else drop" says no more than the number does. */
static bool is_plain(const char *rules)
{
    const char *end = strstr(rules, ", else drop");
    return isdigit((unsigned char)*rules) && end &&
           end[strlen(", else drop")] == '\0';
}

struct widths {
    int name, address;
};

static int wider(int width, const char *text)
{
    int size = text ? (int)strlen(text) : 0;
    return size > width ? size : width;
}

static void print_row(const json_t *qube, struct widths widths, bool all,
                      FILE *out)
{
    char refused[LINE_SIZE], up[SHORT_SIZE], down[SHORT_SIZE],
        rules[SHORT_SIZE];
    struct writer w = line_of(refused);
    const char *text = text_of(qube, "rules");
    write_refused(&w, json_object_get(qube, "drops"), all);
    fprintf(out, "%-*s  %-*s  %-6s  %-6s  %-6s  %s\n", widths.name,
            text_of(qube, "name"), widths.address, text_of(qube, "ipv4"),
            summary_of(text ? text : "-", rules),
            format_bytes(number_of(qube, "bytes_up"), up),
            format_bytes(number_of(qube, "bytes_down"), down),
            end_of(&w, refused));
}

/* Facts that do not fit into a qube's row. */
static void print_notes(const json_t *qube, bool all, FILE *out)
{
    const char *name = text_of(qube, "name"), *rules = text_of(qube, "rules");
    const char *ipv6 = text_of(qube, "ipv6");
    if (rules && (all || !is_plain(rules)))
        fprintf(out, "rules     %s: %s\n", name, rules);
    if (text_of(qube, "rule_waits"))
        fprintf(out, "rules     %s: %s\n", name, text_of(qube, "rule_waits"));
    if (all && ipv6)
        fprintf(out, "address   %s: %s\n", name, ipv6);
    if (all)
        fprintf(out, "flows     %s: %" PRId64 "\n", name,
                number_of(qube, "flows"));
}

static void print_qubes(const json_t *status, bool all, FILE *out)
{
    size_t i;
    const json_t *qube, *qubes = json_object_get(status, "qubes");
    struct widths widths = {NAME_LEAST, ADDRESS_LEAST};
    json_array_foreach(qubes, i, qube)
    {
        widths.name = wider(widths.name, text_of(qube, "name"));
        widths.address = wider(widths.address, text_of(qube, "ipv4"));
    }
    if (json_array_size(qubes) == 0)
        return;
    fprintf(out, "%-*s  %-*s  RULES   UP      DOWN    REFUSED\n", widths.name,
            "QUBE", widths.address, "ADDRESS");
    json_array_foreach(qubes, i, qube) print_row(qube, widths, all, out);
    json_array_foreach(qubes, i, qube) print_notes(qube, all, out);
}

/* --- Below the head ------------------------------------------------------ */

/* Nothing where another profile has begun to count anew. */
static void print_rates(const json_t *status, const json_t *before, FILE *out)
{
    char up_text[SHORT_SIZE], down_text[SHORT_SIZE];
    const json_t *now = json_object_get(status, "traffic");
    const json_t *then = json_object_get(before, "traffic");
    double seconds = seconds_of(status, "clock_seconds") -
                     seconds_of(before, "clock_seconds");
    int64_t up = number_of(now, "bytes_up") - number_of(then, "bytes_up");
    int64_t down = number_of(now, "bytes_down") - number_of(then, "bytes_down");
    if (!json_is_true(json_object_get(status, "up")) || !before ||
        seconds <= 0 || up < 0 || down < 0)
        return;
    fprintf(out, "rate      %s up, %s down\n",
            format_rate((double)up, seconds, up_text),
            format_rate((double)down, seconds, down_text));
}

static void print_traffic(const json_t *status, const json_t *before, FILE *out)
{
    char up[SHORT_SIZE], down[SHORT_SIZE];
    const json_t *traffic = json_object_get(status, "traffic");
    fprintf(out, "traffic   %s up, %s down, %" PRId64 " flows\n",
            format_bytes(number_of(traffic, "bytes_up"), up),
            format_bytes(number_of(traffic, "bytes_down"), down),
            number_of(status, "flows"));
    print_rates(status, before, out);
}

/* Prints the facts that only this protocol knows: crypto_library as "crypto
 * library". */
static void print_facts(const json_t *status, FILE *out)
{
    size_t i;
    const json_t *name;
    json_array_foreach(json_object_get(status, "facts"), i, name)
    {
        const char *key = json_string_value(name);
        const char *value = text_of(status, key);
        if (!value)
            continue;
        for (const char *c = key; *c; c++)
            fputc(*c == '_' ? ' ' : *c, out);
        fprintf(out, "%*s %s\n", strlen(key) < 9 ? 9 - (int)strlen(key) : 0, "",
                value);
    }
}

static void print_session(const json_t *status, FILE *out)
{
    const json_t *tunnel = json_object_get(status, "tunnel");
    const char *ipv4 = text_of(tunnel, "ipv4"), *ipv6 = text_of(tunnel, "ipv6");
    if (!json_is_object(tunnel))
        return;
    fprintf(out, "address   %s%s%s\n", ipv4 ? ipv4 : "",
            ipv4 && ipv6 ? ", " : "", ipv6 ? ipv6 : "");
    print_facts(status, out);
}

/* How many of them no row has. */
static int64_t without_qubes(const json_t *status, const char *name,
                             int64_t count)
{
    size_t i;
    const json_t *qube;
    json_array_foreach(json_object_get(status, "qubes"), i, qube) count -=
        number_of(json_object_get(qube, "drops"), name);
    return count;
}

/* The drops of all packets, or those that no row has. */
static void print_drops(const json_t *status, bool all, FILE *out)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(status, "drops"), name, value)
    {
        enum drop reason = drop_of(name);
        int64_t count = json_integer_value(value);
        if (!all)
            count = without_qubes(status, name, count);
        if (reason != DROP_NONE && count > 0 && (all || !is_normal(reason)))
            fprintf(out, "dropped   %-8" PRId64 "  %s\n", count,
                    drop_text(reason));
    }
}

void status_print(const json_t *status, FILE *out,
                  const struct status_style *style)
{
    print_state(status, out, style);
    print_reasons(status, out);
    print_server(status, out);
    print_tunnel(status, out);
    print_qubes(status, style->all, out);
    print_session(status, out);
    print_traffic(status, style->before, out);
    print_drops(status, style->all, out);
}
