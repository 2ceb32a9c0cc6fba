/* status_print(): the JSON object of status_json() for a person. */
#include <inttypes.h>
#include <string.h>

#include "gateway/control/status.h"

enum { ROUTES_SHOWN = 8 };

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_seconds(FILE *out, double seconds)
{
    int64_t s = (int64_t)seconds;
    if (s >= 86400)
        fprintf(out, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        fprintf(out, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        fprintf(out, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        fprintf(out, "%" PRId64 " s", s);
}

static void print_bytes(FILE *out, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1000;
    fprintf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
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

static void print_state(const json_t *status, FILE *out, bool colour)
{
    bool up = json_is_true(json_object_get(status, "up"));
    const char *start = !colour ? "" : up ? "\033[32m" : "\033[31m";
    const char *end = colour ? "\033[0m" : "";

    fprintf(out, "VPN       %s%s%s for ", start, text_of(status, "state"), end);
    print_seconds(out,
                  json_real_value(json_object_get(status, "since_seconds")));
    const json_t *retry = json_object_get(status, "retry_seconds");
    if (json_is_real(retry)) {
        fprintf(out, ", next attempt in ");
        print_seconds(out, json_real_value(retry));
    }
    fprintf(out, "%s\n", up ? "" : " (nothing leaves)");
    if (!up && text_of(status, "last_error"))
        fprintf(out, "reason    %s\n", text_of(status, "last_error"));
    if (text_of(status, "profile"))
        fprintf(out, "profile   %s\n", text_of(status, "profile"));
    print_problems(status, out);
    if (text_of(status, "question"))
        fprintf(out, "login     %s: answer with `vpn-gateway login`\n",
                text_of(status, "question"));
}

static void print_list(FILE *out, const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(item));
    if (json_array_size(list) == 0)
        fprintf(out, "none");
}

/* What goes through the tunnel. */
static void print_routes(const json_t *tunnel, FILE *out)
{
    size_t i, count = 0;
    const json_t *route;
    bool ipv4 = json_is_true(json_object_get(tunnel, "default_route_ipv4"));
    bool ipv6 = json_is_true(json_object_get(tunnel, "default_route_ipv6"));
    fprintf(out, "routes    %s%s%s", ipv4 ? "all IPv4" : "",
            ipv4 && ipv6 ? ", " : "", ipv6 ? "all IPv6" : "");
    count = (size_t)ipv4 + ipv6;
    json_array_foreach(json_object_get(tunnel, "routes"), i, route)
    {
        const char *but =
            json_is_true(json_object_get(route, "excluded")) ? "not " : "";
        if (count++ < ROUTES_SHOWN)
            fprintf(out, "%s%s%s", count > 1 ? ", " : "", but,
                    text_of(route, "to"));
    }
    if (count > ROUTES_SHOWN)
        fprintf(out, " and %zu more", count - ROUTES_SHOWN);
    fputs(count ? "\n" : "none\n", out);
}

/* What only this protocol knows: crypto_library as "crypto library". */
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

static void print_tunnel(const json_t *status, FILE *out)
{
    const json_t *server = json_object_get(status, "server");
    const json_t *tunnel = json_object_get(status, "tunnel");

    if (json_is_object(server)) {
        fprintf(out, "server    %s port %" PRId64 " %s",
                text_of(server, "host"), number_of(server, "port"),
                text_of(server, "protocol"));
        if (text_of(server, "proxy"))
            fprintf(out, " through %s proxy", text_of(server, "proxy"));
        if (text_of(server, "address"))
            fprintf(out, " (%s)", text_of(server, "address"));
        fputc('\n', out);
    }
    if (!json_is_object(tunnel))
        return;
    const char *ipv4 = text_of(tunnel, "ipv4"), *ipv6 = text_of(tunnel, "ipv6");
    fprintf(out, "address   %s%s%s, MTU %" PRId64 "\n", ipv4 ? ipv4 : "",
            ipv4 && ipv6 ? ", " : "", ipv6 ? ipv6 : "",
            number_of(tunnel, "mtu"));
    print_routes(tunnel, out);
    fprintf(out, "resolvers ");
    print_list(out, json_object_get(tunnel, "resolvers"));
    fputc('\n', out);
    print_facts(status, out);
}

static void print_drops(const json_t *drops, FILE *out, const char *indent)
{
    const char *name;
    json_t *count;
    json_object_foreach((json_t *)(uintptr_t)drops, name, count)
    {
        for (unsigned i = 0; i < DROP_COUNT; i++) {
            if (strcmp(drop_name((enum drop)i), name) == 0)
                fprintf(out, "%s%10" JSON_INTEGER_FORMAT "  %s\n", indent,
                        json_integer_value(count), drop_text((enum drop)i));
        }
    }
}

static void print_qube(const json_t *qube, FILE *out)
{
    fprintf(out, "\n%s  %s%s%s\n", text_of(qube, "name"), text_of(qube, "ipv4"),
            text_of(qube, "ipv6") ? ", " : "",
            text_of(qube, "ipv6") ? text_of(qube, "ipv6") : "");
    fprintf(out, "  rules   %s\n", text_of(qube, "rules"));
    if (text_of(qube, "rule_waits"))
        fprintf(out, "          %s\n", text_of(qube, "rule_waits"));
    fprintf(out, "  flows   %" PRId64 "\n", number_of(qube, "flows"));
    fprintf(out, "  up      ");
    print_bytes(out, number_of(qube, "bytes_up"));
    fprintf(out, "\n  down    ");
    print_bytes(out, number_of(qube, "bytes_down"));
    fputc('\n', out);
    print_drops(json_object_get(qube, "drops"), out, "  ");
}

static void print_rate(FILE *out, double bytes, double seconds)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
    double value = 8 * bytes / seconds;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1000;
    fprintf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Nothing where another profile has begun to count anew. */
static void print_rates(const json_t *status, const json_t *before, FILE *out)
{
    const json_t *now = json_object_get(status, "traffic");
    const json_t *then = json_object_get(before, "traffic");
    double seconds = json_real_value(json_object_get(status, "clock_seconds")) -
                     json_real_value(json_object_get(before, "clock_seconds"));
    int64_t up = number_of(now, "bytes_up") - number_of(then, "bytes_up");
    int64_t down = number_of(now, "bytes_down") - number_of(then, "bytes_down");
    if (!before || seconds <= 0 || up < 0 || down < 0)
        return;
    fprintf(out, "rate      ");
    print_rate(out, (double)up, seconds);
    fprintf(out, " up, ");
    print_rate(out, (double)down, seconds);
    fprintf(out, " down\n");
}

void status_print(const json_t *status, const json_t *before, FILE *out,
                  bool colour)
{
    size_t i;
    const json_t *qube;

    print_state(status, out, colour);
    print_tunnel(status, out);
    const json_t *traffic = json_object_get(status, "traffic");
    fprintf(out, "traffic   ");
    print_bytes(out, number_of(traffic, "bytes_up"));
    fprintf(out, " up, ");
    print_bytes(out, number_of(traffic, "bytes_down"));
    fprintf(out, " down, %" PRId64 " flows\n", number_of(status, "flows"));
    print_rates(status, before, out);

    json_array_foreach(json_object_get(status, "qubes"), i, qube)
        print_qube(qube, out);

    const json_t *drops = json_object_get(status, "drops");
    if (json_object_size(drops)) {
        fprintf(out, "\ndropped\n");
        print_drops(drops, out, "");
    }
}
