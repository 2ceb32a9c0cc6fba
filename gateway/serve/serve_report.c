#include "gateway/serve/serve_report.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { TIME_SIZE = 32, NAME_SIZE = 256 };

struct report {
    const struct server *server;
    FILE *out;
    char separator;
    struct instant now;
    time_t wall;
};

static const char *time_text(time_t when, char out[TIME_SIZE])
{
    struct tm parts;
    if (!localtime_r(&when, &parts) ||
        strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        out[0] = 0;
    return out;
}

/* A name cannot be more than one field. */
static const char *name_text(const struct report *r, const char *name,
                             char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%s", name[0] ? name : "UNDEF");
    for (char *p = out; *p; p++)
        if (!isprint((unsigned char)*p) || *p == r->separator)
            *p = '_';
    return out;
}

static time_t since(const struct report *r, const struct server_client *c)
{
    return r->wall - (time_t)instant_to_seconds(
                         (struct instant){instant_since(r->now, c->since).us});
}

/* A line of fields; a comma in the format is the separator. */
__attribute__((format(printf, 2, 3))) static void line(const struct report *r,
                                                       const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *p = text; *p && r->separator != ','; p++)
        if (*p == ',')
            *p = r->separator;
    fprintf(r->out, "%s\n", text);
}

static void client_line(const struct report *r, const struct server_client *c,
                        bool old)
{
    char name[NAME_SIZE], user[NAME_SIZE], from[ENDPOINT_TEXT_SIZE],
        when[TIME_SIZE], ipv4[ADDRESS_TEXT_SIZE] = "",
                         ipv6[ADDRESS_TEXT_SIZE] = "";
    time_t start = since(r, c);
    name_text(r, c->common_name, name);
    name_text(r, c->username, user);
    endpoint_format(&c->path->remote, from);
    time_text(start, when);
    if (address_is_set(c->ipv4))
        address_format(c->ipv4, ipv4);
    if (address_is_set(c->ipv6))
        address_format(c->ipv6, ipv6);
    if (old)
        line(r, "%s,%s,%" PRIu64 ",%" PRIu64 ",%s", name, from, c->bytes_in,
             c->bytes_out, when);
    else
        line(r,
             "CLIENT_LIST,%s,%s,%s,%s,%" PRIu64 ",%" PRIu64
             ",%s,%lld,%s,%" PRIu64 ",%u,%s",
             name, from, ipv4, ipv6, c->bytes_in, c->bytes_out, when,
             (long long)start, user, c->client, c->peer_id, c->cipher);
}

static void route_lines(const struct report *r, const struct server_client *c,
                        bool old)
{
    char name[NAME_SIZE], from[ENDPOINT_TEXT_SIZE], to[ADDRESS_TEXT_SIZE + 5],
        when[TIME_SIZE];
    name_text(r, c->common_name, name);
    endpoint_format(&c->path->remote, from);
    time_text(r->wall, when);
    for (const struct server_route *route = c->routes; route;
         route = route->next_of_owner) {
        const struct address *a = &route->prefix.address;
        address_format(a, to);
        if (route->prefix.bits < 8 * address_size(a->family))
            snprintf(to + strlen(to), sizeof to - strlen(to), "/%u",
                     route->prefix.bits);
        if (old)
            line(r, "%s,%s,%s,%s", to, name, from, when);
        else
            line(r, "ROUTING_TABLE,%s,%s,%s,%s,%lld", to, name, from, when,
                 (long long)r->wall);
    }
}

static void clients(const struct report *r, bool old, bool routes)
{
    struct server_client c;
    uint32_t next = 0;
    while (server_next_client(r->server, &next, &c)) {
        if (routes)
            route_lines(r, &c, old);
        else if (c.up)
            client_line(r, &c, old);
    }
}

static void write_old(const struct report *r)
{
    char when[TIME_SIZE];
    line(r, "OpenVPN CLIENT LIST");
    line(r, "Updated,%s", time_text(r->wall, when));
    line(r, "Common Name,Real Address,Bytes Received,Bytes Sent,"
            "Connected Since");
    clients(r, true, false);
    line(r, "ROUTING TABLE");
    line(r, "Virtual Address,Common Name,Real Address,Last Ref");
    clients(r, true, true);
    line(r, "GLOBAL STATS");
    line(r, "Max bcast/mcast queue length,0");
    line(r, "END");
}

static void write_new(const struct report *r)
{
    char when[TIME_SIZE];
    line(r, "TITLE,vpn-gateway");
    line(r, "TIME,%s,%lld", time_text(r->wall, when), (long long)r->wall);
    line(r, "HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,"
            "Virtual IPv6 Address,Bytes Received,Bytes Sent,Connected Since,"
            "Connected Since (time_t),Username,Client ID,Peer ID,"
            "Data Channel Cipher");
    clients(r, false, false);
    line(r, "HEADER,ROUTING_TABLE,Virtual Address,Common Name,Real Address,"
            "Last Ref,Last Ref (time_t)");
    clients(r, false, true);
    line(r, "GLOBAL_STATS,Max bcast/mcast queue length,0");
    line(r, "END");
}

void serve_report_write(const struct server *server, uint32_t version,
                        struct instant now, FILE *out)
{
    const struct report r = {
        .server = server,
        .out = out,
        .separator = version == 3 ? '\t' : ',',
        .now = now,
        .wall = time(NULL),
    };
    if (version == 1)
        write_old(&r);
    else
        write_new(&r);
}
