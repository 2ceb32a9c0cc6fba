#include "gateway/serve/serve_status.h"

#include <inttypes.h>

#include "gateway/base/log.h"
#include "gateway/base/vpn_state.h"
#include "gateway/control/status.h"

static json_t *client_json(const struct server_client *c, struct instant now)
{
    char from[ENDPOINT_TEXT_SIZE], name[LOG_QUOTE_SIZE], user[LOG_QUOTE_SIZE];
    double seconds = (double)instant_since(now, c->since).us / 1e6;
    return json_pack(
        "{s:I,s:i,s:b,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:f,s:I,s:I,s:I,s:I}",
        "client", (json_int_t)c->client, "peer_id", (int)c->peer_id, "up",
        c->up, "name", log_quote(name, bytes_of_text(c->common_name)), "user",
        log_quote(user, bytes_of_text(c->username)), "address",
        endpoint_format(&c->path->remote, from), "protocol",
        c->path->stream ? "tcp" : "udp", "cipher", c->cipher, "ipv4",
        status_address(c->ipv4), "ipv6", status_address(c->ipv6),
        "since_seconds", seconds, "packets_in", (json_int_t)c->packets_in,
        "packets_out", (json_int_t)c->packets_out, "bytes_in",
        (json_int_t)c->bytes_in, "bytes_out", (json_int_t)c->bytes_out);
}

json_t *serve_status_json(const struct serve_status_source *source)
{
    struct server_status status;
    struct server_client client;
    uint32_t next = 0;
    json_t *clients = json_array(), *drops = json_object();
    server_status(source->server, &status);
    while (server_next_client(source->server, &next, &client))
        json_array_append_new(clients, client_json(&client, source->now));
    status_add_drops(drops, status.drops);
    for (size_t i = 0; i < sizeof source->drops / sizeof *source->drops; i++)
        status_add_drops(drops, source->drops[i]);
    json_t *out = json_pack(
        "{s:i,s:i,s:I,s:I,s:I,s:I,s:o,s:o}", "clients_up", (int)status.up,
        "clients_negotiating", (int)status.negotiating, "logins",
        (json_int_t)status.logins, "put_off", (json_int_t)status.put_off,
        "negotiations", (json_int_t)status.negotiations, "first_answers",
        (json_int_t)status.answers, "clients", clients, "drops", drops);
    if (out)
        serve_listeners_status(source->listeners, out, drops);
    return out;
}

bool serve_status_is(const json_t *status)
{
    return json_is_array(json_object_get(status, "clients"));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? text : "-";
}

const char *serve_status_head(const json_t *status,
                              char out[SERVE_STATUS_HEAD_SIZE])
{
    snprintf(
        out, SERVE_STATUS_HEAD_SIZE,
        "clients   %" PRId64 " %s, %" PRId64 " %s, %" PRId64 " logins so far",
        number_of(status, "clients_up"), vpn_state_name(VPN_STATE_CONNECTED),
        number_of(status, "clients_negotiating"),
        vpn_state_name(VPN_STATE_CONNECTING), number_of(status, "logins"));
    return out;
}

void serve_status_print(const json_t *status, FILE *out)
{
    size_t i;
    json_t *c, *count;
    const char *name;
    char head[SERVE_STATUS_HEAD_SIZE];
    fprintf(out, "%s\n", serve_status_head(status, head));
    json_array_foreach(json_object_get(status, "clients"), i, c)
    {
        fprintf(out,
                "%-10s %-20s %-15s %-24s in %" PRId64 " B, out %" PRId64
                " B, %s\n",
                vpn_state_name(json_is_true(json_object_get(c, "up"))
                                   ? VPN_STATE_CONNECTED
                                   : VPN_STATE_CONNECTING),
                text_of(c, "name"), text_of(c, "ipv4"), text_of(c, "address"),
                number_of(c, "bytes_in"), number_of(c, "bytes_out"),
                text_of(c, "cipher"));
    }
    json_object_foreach(json_object_get(status, "drops"), name, count)
    {
        enum drop reason = DROP_NONE;
        while (reason + 1 < DROP_COUNT && strcmp(drop_name(reason), name) != 0)
            reason++;
        fprintf(out, "dropped   %" JSON_INTEGER_FORMAT "  %s\n",
                json_integer_value(count), drop_text(reason));
    }
}
