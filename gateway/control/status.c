#include "gateway/control/status.h"

#include "gateway/control/json_text.h"

static double seconds_between(struct instant later, struct instant earlier)
{
    return (double)instant_since(later, earlier).us / 1e6;
}

json_t *status_address(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];
    return address_is_set(a) ? json_string(address_format(a, text))
                             : json_null();
}

static json_t *prefix_json(const struct prefix *p)
{
    char text[PREFIX_TEXT_SIZE];
    return address_is_set(&p->address) ? json_string(prefix_format(p, text))
                                       : json_null();
}

void status_add_drops(json_t *object, const struct drop_counters *drops)
{
    for (unsigned i = DROP_NONE + 1; drops && i < DROP_COUNT; i++) {
        if (drops->count[i] == 0)
            continue;
        const char *name = drop_name((enum drop)i);
        json_int_t before = json_integer_value(json_object_get(object, name));
        json_object_set_new(object, name,
                            json_integer(before + (json_int_t)drops->count[i]));
    }
}

static json_t *mtu_json(uint16_t mtu, bool limits)
{
    return limits ? json_integer(mtu) : json_null();
}

static json_t *tunnel_json(const struct status_source *s)
{
    const struct tunnel *t = s->tunnel;
    if (!t)
        return json_null();
    json_t *resolvers = json_array(), *routes = json_array();
    for (size_t i = 0; i < t->resolver_count; i++)
        json_array_append_new(resolvers, status_address(&t->resolvers[i]));
    for (size_t i = 0; i < t->route_count; i++) {
        const struct tunnel_route *route = &t->routes[i];
        json_array_append_new(routes, json_pack("{s:o,s:b}", "to",
                                                prefix_json(&route->prefix),
                                                "excluded", route->excluded));
    }
    return json_pack("{s:o,s:o,s:i,s:i,s:o,s:o,s:o,s:o,s:b,s:b}", "ipv4",
                     prefix_json(&t->ipv4), "ipv6", prefix_json(&t->ipv6),
                     "mtu", tunnel_mtu(t, ADDRESS_IPV4), "mtu_server",
                     s->granted->mtu, "mtu_setting",
                     mtu_json(t->mtu, t->mtu < s->granted->mtu), "mtu_path",
                     mtu_json(t->path_mtu, t->path_mtu > 0), "resolvers",
                     resolvers, "routes", routes, "default_route_ipv4",
                     t->redirect_ipv4, "default_route_ipv6", t->redirect_ipv6);
}

static json_t *server_json(const struct status_source *s,
                           const struct protocol_status *c)
{
    if (!c->server.host)
        return json_null();
    static const char *const proxies[] = {
        [PROTOCOL_PROXY_NONE] = NULL,
        [PROTOCOL_PROXY_HTTP] = "HTTP",
        [PROTOCOL_PROXY_SOCKS] = "SOCKS",
    };
    char text[ENDPOINT_TEXT_SIZE] = "";
    const struct uplink *uplink = vpn_client_uplink(s->vpn.client);
    if (uplink)
        endpoint_format(&uplink->server, text);
    /* The address is the proxy's if there is one. */
    return json_pack("{s:o,s:i,s:s,s:s?,s:s?,s:o}", "host",
                     json_text(c->server.host), "port", c->server.port,
                     "protocol",
                     c->server.transport == PROTOCOL_TCP ? "tcp" : "udp",
                     "proxy", proxies[c->server.proxy.kind], "address",
                     *text ? text : NULL, "name", json_text(c->server_name));
}

static json_t *qubes_json(const struct router *router)
{
    json_t *qubes = json_array();
    const struct qube *q = NULL;
    while ((q = router_next_qube(router, q))) {
        json_t *drops = json_object();
        status_add_drops(drops, &q->drops);
        json_array_append_new(
            qubes,
            json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o}",
                      "name", json_text(q->name), "ipv4",
                      status_address(&q->ipv4), "ipv6",
                      status_address(&q->ipv6), "visible_ipv4",
                      status_address(&q->visible), "rules",
                      json_text(q->rules_text), "rule_waits",
                      q->wait_text[0] ? json_text(q->wait_text) : json_null(),
                      "flows", (json_int_t)q->flows[QUBE_FLOWS].count,
                      "packets_up", (json_int_t)q->packets_up, "packets_down",
                      (json_int_t)q->packets_down, "bytes_up",
                      (json_int_t)q->bytes_up, "bytes_down",
                      (json_int_t)q->bytes_down, "drops", drops));
    }
    return qubes;
}

static json_t *all_drops(const struct status_source *s,
                         const struct protocol_status *c)
{
    json_t *drops = json_object();
    const struct qube *q = NULL;
    struct drop_counters vpn = *s->vpn.drops;
    if (s->vpn.client)
        vpn_client_add_drops(s->vpn.client, &vpn);
    status_add_drops(drops, &vpn);
    status_add_drops(drops, c->drops);
    status_add_drops(drops, router_drops(s->router));
    for (size_t i = 0; i < s->link_count; i++)
        status_add_drops(drops, &s->links[i]->drops);
    while ((q = router_next_qube(s->router, q)))
        status_add_drops(drops, &q->drops);
    return drops;
}

static json_t *traffic_json(const struct protocol_status *c)
{
    return json_pack(
        "{s:I,s:I,s:I,s:I}", "packets_up", (json_int_t)c->packets_sealed,
        "packets_down", (json_int_t)c->packets_opened, "bytes_up",
        (json_int_t)c->bytes_sealed, "bytes_down", (json_int_t)c->bytes_opened);
}

/* Another NetVM's qube on one of our network cards. */
static void add_stranger(json_t *problems, const struct status_source *s,
                         const struct qube *q, const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];
    if (address_is_set(a) && !dom0_expects(s->dom0, a))
        json_array_append_new(
            problems, json_sprintf("%s: dom0 does not count %s among the "
                                   "qubes behind this one (/connected-ips)",
                                   q->name, address_format(a, text)));
}

static void add_strangers(json_t *problems, const struct status_source *s)
{
    const struct qube *q = NULL;
    while ((q = router_next_qube(s->router, q))) {
        add_stranger(problems, s, q, &q->ipv4);
        add_stranger(problems, s, q, &q->ipv6);
    }
}

static void add_connection(json_t *problems, const struct status_source *s,
                           const struct protocol_status *c)
{
    char text[VPN_CLIENT_NO_ROUTE_SIZE];
    if (s->tunnel && s->vpn.client && !tunnel_has_route(s->tunnel))
        json_array_append_new(
            problems, json_string(vpn_client_no_route(s->vpn.client, text)));
    if (c->state != VPN_STATE_CONNECTED && c->last_error)
        json_array_append_new(problems, json_text(c->last_error));
    if (c->warning)
        json_array_append_new(problems, json_text(c->warning));
}

/* The problems that a user should put right. */
static json_t *problems_json(const struct status_source *s,
                             const struct protocol_status *c)
{
    json_t *problems = json_array();
    if (s->rules_problem && s->rules_problem[0])
        json_array_append_new(problems, json_text(s->rules_problem));
    add_connection(problems, s, c);
    if (s->dom0)
        add_strangers(problems, s);
    for (unsigned key = 0; key < VM_CONFIG_KEY_COUNT; key++) {
        if (s->settings->why[key][0])
            json_array_append_new(problems, json_text(s->settings->why[key]));
    }
    for (size_t i = 0; i < s->vpn.profiles->count; i++) {
        if (s->vpn.profiles->entries[i].why[0])
            json_array_append_new(problems,
                                  json_text(s->vpn.profiles->entries[i].why));
    }
    return problems;
}

static const char *question_of(const struct status_source *s)
{
    return s->vpn.client ? vpn_client_question(s->vpn.client) : NULL;
}

static json_t *sandbox_json(const struct sandbox *s)
{
    return json_pack("{s:b,s:b,s:b}", "calls", s->calls, "files", s->files,
                     "memory", s->memory);
}

/* The parts of a login. */
static json_t *wanted_json(const struct protocol_status *c)
{
    json_t *wanted = json_array();
    if (c->wants_username)
        json_array_append_new(wanted, json_string("username"));
    if (c->wants_password)
        json_array_append_new(wanted, json_string("password"));
    if (c->wants_response)
        json_array_append_new(wanted, json_string("response"));
    return wanted;
}

/* Adds the facts that only the protocol in force knows: their order, and beside
 * all the rest. */
static void add_facts(json_t *status, const struct protocol_status *c)
{
    json_t *names = json_array();
    for (size_t i = 0; i < c->fact_count; i++) {
        json_array_append_new(names, json_string(c->facts[i].name));
        json_object_set_new(status, c->facts[i].name,
                            json_text(c->facts[i].value));
    }
    json_object_set_new(status, "facts", names);
}

json_t *status_json(const struct status_source *s)
{
    struct protocol_status c = {
        .state = VPN_STATE_BLOCKED,
        .since = s->vpn.since,
        .last_error = s->vpn.blocked,
    };
    char waiting[PROTOCOL_WAITING_SIZE];
    if (s->vpn.client)
        vpn_client_status(s->vpn.client, &c);
    if (s->vpn.client && vpn_client_waiting(s->vpn.client, s->now, waiting))
        c.last_error = waiting;
    if (!instant_is_never(s->vpn.next_try))
        c.next_try = s->vpn.next_try;
    json_t *o = json_object();

    json_object_set_new(o, "clock_seconds", json_real((double)s->now.us / 1e6));
    json_object_set_new(o, "state", json_string(vpn_state_name(c.state)));
    json_object_set_new(o, "up", json_boolean(c.state == VPN_STATE_CONNECTED));
    json_object_set_new(o, "since_seconds",
                        json_real(seconds_between(s->now, c.since)));
    json_object_set_new(o, "retry_seconds",
                        c.state == VPN_STATE_WAITING_TO_RETRY
                            ? json_real(seconds_between(c.next_try, s->now))
                            : json_null());
    json_object_set_new(
        o, "last_packet_seconds",
        c.state == VPN_STATE_CONNECTED && !instant_is_never(c.last_received)
            ? json_real(seconds_between(s->now, c.last_received))
            : json_null());
    json_object_set_new(o, "last_error", json_text(c.last_error));
    json_object_set_new(o, "question", json_text(question_of(s)));
    json_object_set_new(o, "wanted", wanted_json(&c));
    json_object_set_new(o, "response_shown", json_boolean(c.response_shown));
    json_object_set_new(o, "profile", json_text(s->vpn.path));
    json_object_set_new(o, "problems", problems_json(s, &c));
    json_object_set_new(o, "qubesdb", json_string(s->qubesdb));
    json_object_set_new(o, "server", server_json(s, &c));
    add_facts(o, &c);
    json_object_set_new(o, "tunnel", tunnel_json(s));
    json_object_set_new(o, "traffic", traffic_json(&c));
    json_object_set_new(o, "negotiations",
                        json_integer((json_int_t)c.handshakes));
    json_object_set_new(o, "reconnects",
                        json_integer((json_int_t)c.reconnects));
    json_object_set_new(o, "flows", json_integer(router_flow_count(s->router)));
    json_object_set_new(o, "qubes", qubes_json(s->router));
    json_object_set_new(o, "sandbox", sandbox_json(s->sandbox));
    json_object_set_new(o, "drops", all_drops(s, &c));
    return o;
}
