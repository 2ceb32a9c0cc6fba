#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/control/control.h"
#include "gateway/control/control_request.h"
#include "gateway/control/settings_report.h"
#include "gateway/control/status.h"
#include "gateway/dom0/dom0.h"
#include "gateway/event/loop.h"
#include "gateway/event/notify.h"
#include "gateway/event/signals.h"
#include "gateway/link/pcap.h"
#include "gateway/link/tap.h"
#include "gateway/link/xen/netback.h"
#include "gateway/link/xen/vchan.h"
#include "gateway/process/desktop_notice.h"
#include "gateway/process/randomness.h"
#include "gateway/router/router.h"
#include "gateway/rules_option.h"
#include "gateway/traffic.h"
#include "gateway/vpn/vpn.h"

enum {
    DOM0_PATIENCE = 5, /* s; then a profile of the command line is used without
                          dom0's settings. Rules are waited for in any case */
    NO_LEVEL = -1,
};

struct gateway {
    const struct settings *settings;
    const struct sandbox *sandbox;
    struct loop *loop;
    struct signals signals;
    bool signals_open;
    struct control *control;
    struct notify notify;
    struct desktop_notice announce;
    bool notify_open; /* and announce */

    struct vpn *vpn;
    struct dom0 *dom0;          /* or NULL */
    struct loop_timer patience; /* with dom0 */
    int ordered_level;          /* of the log; or NO_LEVEL */
    struct router *router;
    struct rules_option rules;
    struct traffic *traffic;
    bool up;
    bool stop_asked;       /* by a person or the system, not by the server */
    struct tunnel granted; /* by the server */
    struct tunnel tunnel;  /* with dom0's limits on it */
    char told[TUNNEL_TEXT_SIZE]; /* of it, in the log */
    struct link *links[SETTINGS_DOWNSTREAMS_MAX];
    size_t link_count;
    struct pcap *pcap; /* or NULL */
};

/* --- The tunnel ---------------------------------------------------------- */

static const struct vm_config *dom0_settings(const struct gateway *g)
{
    static const struct vm_config none;
    return g->dom0 ? dom0_config(g->dom0) : &none;
}

static const char *fact_of(const struct protocol_status *status,
                           const char *name)
{
    for (size_t i = 0; i < status->fact_count; i++)
        if (strcmp(status->facts[i].name, name) == 0)
            return status->facts[i].value;
    return NULL;
}

/* Once, and when it changes. */
static void tell_tunnel(struct gateway *g)
{
    char text[sizeof g->told];
    struct protocol_status status;
    vpn_client_status(vpn_view(g->vpn).client, &status);
    const char *cipher = fact_of(&status, "cipher");
    tunnel_describe(&g->tunnel, text);
    if (strcmp(text, g->told) != 0)
        log_info("tunnel: %s, %s%s%s", vpn_state_name(VPN_STATE_CONNECTED),
                 text, cipher ? ", " : "", cipher ? cipher : "");
    memcpy(g->told, text, sizeof text);
}

static void limit_tunnel(struct gateway *g, struct instant now)
{
    g->tunnel = g->granted;
    vm_config_limit(dom0_settings(g), &g->tunnel);
    traffic_tunnel_up(g->traffic, now, &g->tunnel);
    tell_tunnel(g);
}

static void tunnel_up(void *context, struct instant now,
                      const struct tunnel *tunnel)
{
    struct gateway *g = context;
    g->up = true;
    g->granted = *tunnel;
    limit_tunnel(g, now);
}

static void tunnel_down(void *context, struct instant now)
{
    struct gateway *g = context;
    g->up = false;
    g->told[0] = '\0';
    traffic_tunnel_down(g->traffic, now);
}

static void tunnel_state(void *context, struct instant now,
                         enum vpn_state state, const char *why)
{
    struct gateway *g = context;
    char line[256];
    snprintf(line, sizeof line, "%s%s%s", vpn_state_name(state),
             why ? ": " : "", why ? why : "");
    notify_status(&g->notify, line);
    desktop_notice_state(&g->announce, now, state);
}

static void tunnel_stopped(void *context, const char *why)
{
    struct gateway *g = context;
    char line[256];
    snprintf(line, sizeof line, "%s%s%s", vpn_state_name(VPN_STATE_STOPPED),
             why ? ": " : " on request", why ? why : "");
    notify_stopping(&g->notify, line);
    loop_quit(g->loop);
}

/* --- Settings ------------------------------------------------------------ */

static void set_log_level(struct gateway *g)
{
    const struct vm_config *c = dom0_settings(g);
    enum log_level level = LOG_INFO;
    if (g->ordered_level != NO_LEVEL)
        level = (enum log_level)g->ordered_level;
    else if (g->settings->verbose)
        level = LOG_DEBUG;
    else if (vm_config_in_force(c, VM_CONFIG_LOG_LEVEL))
        level = c->values.log_level;
    log_set_level(level);
}

static void setting_changed(void *context, struct instant now,
                            enum vm_config_key key)
{
    struct gateway *g = context;
    switch (key) {
    case VM_CONFIG_DNS:
    case VM_CONFIG_MTU:
    case VM_CONFIG_IPV6:
        if (g->up)
            limit_tunnel(g, now);
        break;
    case VM_CONFIG_LOG_LEVEL:
        set_log_level(g);
        break;
    case VM_CONFIG_PROFILE:
    case VM_CONFIG_REMOTE:
    case VM_CONFIG_PROXY:
    case VM_CONFIG_USERNAME:
        vpn_setting_changed(g->vpn, now, key);
        break;
    case VM_CONFIG_KEY_COUNT:
        break;
    }
}

/* Our manager, if there is one, gives us our network card's address. */
static void tell_uplink(struct gateway *g, const struct keys_own *own)
{
    const struct address *const addresses[] = {&own->ip, &own->gateway,
                                               &own->dns[0], &own->dns[1]};
    char line[sizeof addresses / sizeof *addresses * ADDRESS_TEXT_SIZE];
    char text[ADDRESS_TEXT_SIZE];
    size_t size = 0;
    if (!address_is_set(&own->ip) || !address_is_set(&own->gateway))
        return;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (address_is_set(addresses[i]))
            size += (size_t)snprintf(line + size, sizeof line - size, "%s%s",
                                     size ? " " : "",
                                     address_format(addresses[i], text));
    notify_uplink(&g->notify, line);
}

static void own_changed(void *context, struct instant now,
                        const struct keys_own *own)
{
    struct gateway *g = context;
    (void)now;
    log_info("gateway: this is %s", own->name[0] ? own->name : "no named qube");
    tell_uplink(g, own);
}

static void rules_changed(void *context, struct instant now)
{
    struct gateway *g = context;
    (void)now;
    traffic_router_changed(g->traffic);
}

static void dom0_synced(void *context, struct instant now)
{
    struct gateway *g = context;
    loop_timer_set(&g->patience, INSTANT_NEVER);
    vpn_start(g->vpn, now);
}

static void patience_over(void *context, struct instant now)
{
    struct gateway *g = context;
    log_warn("gateway: QubesDB does not answer; without rules nothing passes");
    if (g->settings->profile)
        vpn_start(g->vpn, now);
}

/* --- Orders of the user -------------------------------------------------- */

static void reconnect(struct gateway *g, struct instant now)
{
    log_info("gateway: reconnecting on request");
    vpn_reconnect(g->vpn, now);
}

static void stop(struct gateway *g, struct instant now)
{
    g->stop_asked = true;
    vpn_stop(g->vpn, now);
}

static void slept(void *context, struct instant now, struct duration length)
{
    struct gateway *g = context;
    log_info("gateway: the machine slept for %lld s: reconnecting",
             (long long)(length.us / duration_seconds(1).us));
    vpn_slept(g->vpn, now);
}

/* The rules first: they are in force when the tunnel is back. */
static void reload(struct gateway *g, struct instant now)
{
    if (g->rules.path && rules_option_load(&g->rules, g->router, now)) {
        log_info("rules: %s was read again", g->rules.path);
        traffic_router_changed(g->traffic);
    } else if (g->rules.path) {
        log_warn("rules: those read before stay active");
    }
    vpn_reload(g->vpn, now);
}

static void signalled(void *context, struct instant now, int number)
{
    struct gateway *g = context;
    if (number == SIGUSR1)
        reconnect(g, now);
    else if (number == SIGHUP)
        reload(g, now);
    else
        stop(g, now);
}

static json_t *report(struct gateway *g, struct instant now)
{
    return status_json(&(struct status_source){
        .now = now,
        .sandbox = g->sandbox,
        .vpn = vpn_view(g->vpn),
        .tunnel = g->up ? &g->tunnel : NULL,
        .granted = &g->granted,
        .settings = dom0_settings(g),
        .dom0 = g->dom0,
        .qubesdb = !g->dom0                   ? "none"
                   : dom0_in_contact(g->dom0) ? "in contact"
                                              : "no answer",
        .router = g->router,
        .rules_problem = g->rules.problem,
        .links = g->links,
        .link_count = g->link_count,
    });
}

static json_t *report_settings(struct gateway *g)
{
    return settings_report_json(&(struct settings_report_source){
        .settings = g->settings,
        .dom0 = dom0_settings(g),
        .vpn = vpn_view(g->vpn),
        .granted = g->up ? &g->granted : NULL,
        .log_level_ordered = g->ordered_level != NO_LEVEL,
    });
}

static json_t *ordered(void *context, struct instant now, const json_t *request)
{
    struct gateway *g = context;
    struct control_request order;
    if (!control_request_known(request))
        return control_request_foreign(
            request, "a VPN client with qubes (vpn-gateway run)",
            "status, settings, reconnect, stop, login and log-level");
    if (!control_request_parse(request, &order))
        return NULL;
    switch (order.type) {
    case CONTROL_REQUEST_STATUS:
        return report(g, now);
    case CONTROL_REQUEST_SETTINGS:
        return report_settings(g);
    case CONTROL_REQUEST_RECONNECT:
        reconnect(g, now);
        break;
    case CONTROL_REQUEST_STOP:
        stop(g, now);
        break;
    case CONTROL_REQUEST_LOGIN:
        vpn_log_in(g->vpn, now, order.username, order.password, order.response);
        break;
    case CONTROL_REQUEST_LOG_LEVEL:
        g->ordered_level = order.log_level;
        set_log_level(g);
        break;
    }
    return json_object();
}

/* --- Opening and closing ------------------------------------------------- */

static struct link *open_tap(struct gateway *g, const struct downstream *d,
                             const struct link_owner *owner)
{
    struct tap_options options = {
        .interface = d->interface, .ipv4 = d->ipv4, .ipv6 = d->ipv6};
    enum error error;

    memcpy(options.mac, d->mac, sizeof options.mac);
    return tap_open(&options, g->loop, owner, &error);
}

static struct link *open_vchan(struct gateway *g, const struct downstream *d,
                               const struct link_owner *owner)
{
    struct vchan_options options = {
        .domain = d->domain,
        .path = d->path,
        .ipv4 = d->ipv4,
        .ipv6 = d->ipv6,
    };
    enum error error;

    memcpy(options.mac, d->mac, sizeof options.mac);
    return vchan_open(&options, g->loop, owner, &error);
}

static bool open_link(struct gateway *g, const struct downstream *d)
{
    const struct link_owner owner = traffic_owner(g->traffic);
    struct link *link = NULL;
    enum error error;

    if (address_is_set(&d->gateway))
        router_set_qube_gateway(g->router, &d->ipv4, &d->gateway);
    switch (d->kind) {
    case DOWNSTREAM_TAP:
        link = open_tap(g, d, &owner);
        break;
    case DOWNSTREAM_VCHAN:
        link = open_vchan(g, d, &owner);
        break;
    case DOWNSTREAM_XEN:
        link = netback_open(NETBACK_KERNEL_MODULE, g->loop, &owner, &error);
        break;
    }
    if (!link)
        return false;
    g->links[g->link_count++] = link;
    return true;
}

static bool open_links(struct gateway *g)
{
    const struct settings *s = g->settings;
    bool udp_gso = true;
    for (size_t i = 0; i < s->downstream_count; i++) {
        if (!open_link(g, &s->downstreams[i]))
            return false;
        udp_gso = udp_gso && g->links[i]->takes_udp_gso;
    }
    traffic_join_udp(g->traffic, udp_gso);
    return true;
}

static bool open_record(struct gateway *g)
{
    enum error error;
    if (!g->settings->pcap)
        return true;
    g->pcap = pcap_open(g->settings->pcap, 0, g->loop, &error);
    traffic_set_record(g->traffic, g->pcap);
    return g->pcap != NULL;
}

static bool open_dom0(struct gateway *g)
{
    const struct dom0_owner owner = {
        .context = g,
        .setting = setting_changed,
        .own = own_changed,
        .rules = rules_changed,
        .synced = dom0_synced,
    };
    if (!g->settings->qubesdb)
        return true;
    g->dom0 = dom0_open(g->settings->qubesdb, g->loop, g->router, &owner);
    return g->dom0 != NULL;
}

static bool open_vpn(struct gateway *g)
{
    const struct vpn_options options = {
        .profile = g->settings->profile,
        .directory = g->settings->profiles,
        .settings = dom0_settings(g),
        .serves_on = g->dom0 != NULL,
    };
    const struct vpn_owner owner = {
        .context = g,
        .state = tunnel_state,
        .stopped = tunnel_stopped,
    };
    const struct vpn_tunnel_owner tunnel = {
        .context = g,
        .up = tunnel_up,
        .down = tunnel_down,
        .packets = g->traffic,
        .received = traffic_from_tunnel,
    };
    g->vpn = vpn_new(g->loop, &options, &owner, &tunnel);
    traffic_set_vpn(g->traffic, g->vpn);
    return g->vpn != NULL;
}

static bool open_rules(struct gateway *g)
{
    g->rules.path = g->settings->rules;
    return !g->rules.path ||
           rules_option_load(&g->rules, g->router, loop_now(g->loop));
}

static bool open_parts(struct gateway *g)
{
    struct router_options options = {
        .flows = ROUTER_FLOWS_DEFAULT,
        .accept_unruled = !g->settings->qubesdb && !g->settings->rules,
    };
    randomness_fill(NULL, options.seed, sizeof options.seed);
    g->loop = loop_new();
    g->router = router_new(&options);
    secret_wipe(options.seed, sizeof options.seed);
    if (g->loop && g->router)
        g->traffic = traffic_new(g->loop, g->router);
    if (!g->traffic || !open_dom0(g) || !open_vpn(g)) {
        log_error("gateway: out of memory");
        return false;
    }
    loop_on_sleep(g->loop, slept, g);
    g->signals_open = signals_open(&g->signals, g->loop, signalled, g) == OK;
    return g->signals_open;
}

struct gateway *gateway_new(const struct settings *settings)
{
    struct gateway *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->settings = settings;
    g->patience = (struct loop_timer){INSTANT_NEVER, patience_over, g, NULL};
    g->ordered_level = NO_LEVEL;
    if (!open_parts(g))
        goto failed;
    loop_add_timer(g->loop, &g->patience);
    if (!open_rules(g) || !open_record(g) || !open_links(g))
        goto failed;
    g->control = control_open(settings->control, g->loop, ordered, g);
    if (!g->control)
        goto failed;
    notify_open(&g->notify, g->loop);
    desktop_notice_open(&g->announce, g->loop, settings->announce);
    g->notify_open = true;
    return g;
failed:
    gateway_free(g);
    return NULL;
}

enum error gateway_run(struct gateway *g, const struct sandbox *sandbox)
{
    struct instant now = loop_now(g->loop);
    g->sandbox = sandbox;
    log_info("gateway: serving %zu link%s; nothing leaves until a tunnel "
             "stands",
             g->link_count, g->link_count == 1 ? "" : "s");
    /* Ready before there is a tunnel: qubes may start, and are refused. */
    notify_ready(&g->notify, vpn_state_name(VPN_STATE_BLOCKED));
    if (g->dom0)
        loop_timer_set(&g->patience,
                       instant_after(now, duration_seconds(DOM0_PATIENCE)));
    else
        vpn_start(g->vpn, now);
    enum error error = loop_run(g->loop);
    /* A server that ends it for good is no success. */
    return error == OK && !g->stop_asked ? ERROR_UNREACHABLE : error;
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    if (g->notify_open) {
        desktop_notice_close(&g->announce);
        notify_close(&g->notify);
    }
    control_close(g->control);
    for (size_t i = 0; i < g->link_count; i++)
        g->links[i]->kind->close(g->links[i]);
    vpn_free(g->vpn);
    dom0_close(g->dom0);
    if (g->signals_open)
        signals_close(&g->signals);
    traffic_free(g->traffic);
    router_free(g->router);
    pcap_close(g->pcap);
    loop_free(g->loop);
    free(g);
}
