#include "gateway/serve/serve.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/control/control.h"
#include "gateway/control/control_request.h"
#include "gateway/event/loop.h"
#include "gateway/event/notify.h"
#include "gateway/event/signals.h"
#include "gateway/link/tun.h"
#include "gateway/openvpn/server/server.h"
#include "gateway/openvpn/session/data_negotiation.h"
#include "gateway/packet/coalesce.h"
#include "gateway/packet/ip_packet.h"
#include "gateway/packet/mss.h"
#include "gateway/packet/segment.h"
#include "gateway/process/arguments.h"
#include "gateway/process/randomness.h"
#include "gateway/process/sandbox.h"
#include "gateway/process/settings.h"
#include "gateway/serve/serve_config.h"
#include "gateway/serve/serve_files.h"
#include "gateway/serve/serve_listeners.h"
#include "gateway/serve/serve_logins.h"
#include "gateway/serve/serve_status.h"

enum {
    OUT_BYTES = 128 * 1024, /* stays in the second-level cache */
    INBOUND_PACKETS = 128,
    UPDATE_OPTIONS_MAX = 32,
};

struct serve_options {
    const char *config, *control;
    bool no_sandbox, verbose;
};

struct serve {
    const struct server_config *config;
    struct loop *loop;
    struct signals signals;
    bool signals_open, notify_open, stopping;
    struct control *control;
    struct notify notify;
    struct server *server;
    struct serve_logins *logins;
    struct serve_files *files;
    struct loop_timer timer;
    struct serve_listeners *listeners;
    struct link *tun;
    struct coalesce *coalesce;
    struct burst out;         /* to one client */
    struct server_peer *to;   /* whose that is, or NULL */
    struct burst control_out; /* one control datagram */
    struct packet_batch inbound;
    struct drop_counters drops;
};

static uint32_t unix_time(void *context)
{
    (void)context;
    return (uint32_t)time(NULL);
}

/* --- To clients ---------------------------------------------------------- */

static void flush(struct serve *s, struct instant now)
{
    if (s->to && s->out.count > 0 &&
        server_seal(s->server, now, s->to, &s->out))
        serve_listeners_send(s->listeners, server_path_of(s->to), &s->out);
    burst_reset(&s->out);
}

/* The client that a parsed packet is for, or NULL. */
static struct server_peer *receiver_of(const struct serve *s,
                                       const struct packet *p)
{
    struct address to =
        address_from_bytes(p->ip.family, ip_destination(&p->ip));
    return server_find(s->server, &to);
}

/* mssfix, in both directions, so that it is enough if one end does it. */
static void clamp(const struct serve *s, const struct server_peer *p,
                  const struct packet *packet)
{
    const struct config_remote *remote = server_config_remote(s->config);
    if (packet->gso != PACKET_GSO_NONE || packet->ip.protocol != IP_TCP)
        return;
    struct burst_layout layout = server_layout(p);
    mss_clamp(packet, data_negotiation_mss_mtu(
                          remote, &layout, remote->tun_mtu,
                          serve_listeners_overhead(server_path_of(p)), 0));
}

static void to_client(struct serve *s, struct instant now,
                      struct server_peer *p, const struct packet *packet)
{
    struct segment_cursor cursor = {0};
    struct burst_layout layout = server_layout(p);
    uint16_t mtu = server_config_remote(s->config)->tun_mtu;
    enum segment_result result;
    if (s->to != p)
        flush(s, now);
    s->to = p;
    clamp(s, p, packet);
    while ((result = segment(packet, mtu, &layout, &cursor, &s->out)) ==
           SEGMENT_FULL)
        flush(s, now);
    if (result == SEGMENT_REFUSED)
        drop_count(&s->drops, DROP_TOO_BIG);
}

static void end_of_burst(struct serve *s, struct instant now)
{
    flush(s, now);
    s->to = NULL;
}

static void from_tun(void *context, struct instant now,
                     struct packet_batch *batch)
{
    struct serve *s = context;
    for (size_t i = 0; i < batch->count; i++) {
        struct packet *packet = &batch->packets[i];
        struct server_peer *p = NULL;
        enum drop drop = ip_packet_parse(packet);
        if (drop == DROP_NONE && !(p = receiver_of(s, packet)))
            drop = DROP_NO_CLIENT;
        if (drop == DROP_NONE)
            to_client(s, now, p, packet);
        else
            drop_count(&s->drops, drop);
    }
    end_of_burst(s, now);
    loop_timer_set(&s->timer, server_deadline(s->server));
}

/* --- From clients -------------------------------------------------------- */

static void send_control(struct serve *s, const struct server_path *to,
                         struct bytes datagram)
{
    static const struct burst_layout bare = {.block = 1};
    burst_reset(&s->control_out);
    struct datagram *d =
        burst_reserve(&s->control_out, &bare, (uint32_t)datagram.size);
    if (!d)
        return;
    memcpy(d->data, datagram.data, datagram.size);
    serve_listeners_send(s->listeners, to, &s->control_out);
}

static void pump(struct serve *s)
{
    struct server_path to;
    struct bytes datagram;
    while (server_transmit(s->server, &to, &datagram))
        if (datagram.size > 0)
            send_control(s, &to, datagram);
        else
            serve_listeners_hang_up(s->listeners, &to);
    loop_timer_set(&s->timer, server_deadline(s->server));
    if (s->stopping && server_is_empty(s->server))
        loop_quit(s->loop);
}

/* From one client to another it goes here and not through the kernel, unless
 * that is wanted. */
static struct server_peer *other_client(struct serve *s,
                                        const struct packet *packet)
{
    const struct server_config *c = s->config;
    return c->client_to_client && !c->clients_by_kernel ? receiver_of(s, packet)
                                                        : NULL;
}

/* To other clients, or to the device. */
static void deliver(struct serve *s, struct instant now)
{
    struct packet *rest[INBOUND_PACKETS];
    size_t count = 0;
    for (size_t i = 0; i < s->inbound.count; i++) {
        struct packet *packet = &s->inbound.packets[i];
        struct server_peer *p = NULL;
        if (packet->drop)
            drop_count(&s->drops, packet->drop);
        else if ((p = other_client(s, packet)))
            to_client(s, now, p, packet);
        else
            rest[count++] = packet;
    }
    end_of_burst(s, now);
    s->tun->kind->send(&s->tun->port, now, rest, count);
}

static bool from_listener(void *context, struct instant now,
                          const struct server_path *from, struct burst *burst)
{
    struct serve *s = context;
    uint16_t next = 0;
    bool done;
    server_open(s->server, now, from, burst);
    do {
        packet_batch_reset(&s->inbound);
        done = coalesce(s->coalesce, burst, &next, &s->inbound);
        deliver(s, now);
    } while (!done);
    pump(s);
    return server_knows(s->server, from);
}

static void ended(void *context, struct instant now,
                  const struct server_path *from)
{
    struct serve *s = context;
    server_disconnected(s->server, now, from);
    pump(s);
}

static void due(void *context, struct instant now)
{
    struct serve *s = context;
    server_expire(s->server, now);
    pump(s);
}

static bool client_config(void *context, const char *common_name,
                          struct server_client_config *out)
{
    struct serve *s = context;
    return serve_files_client(s->config, common_name, out);
}

/* --- Names and passwords ------------------------------------------------- */

static enum server_verdict admit(void *context,
                                 const struct server_login *login)
{
    struct serve *s = context;
    return serve_logins_judge(s->logins, loop_now(s->loop), login);
}

static void judged(void *context, struct instant now, uint64_t client,
                   enum server_verdict verdict, const char *reason)
{
    struct serve *s = context;
    if (verdict == SERVER_BUSY)
        server_put_off(s->server, now, client);
    else
        server_admit(s->server, now, client, verdict == SERVER_ADMIT, reason);
    pump(s);
}

/* --- Orders -------------------------------------------------------------- */

static void stop(struct serve *s, struct instant now)
{
    if (s->stopping) { /* a second time: without waiting for anybody */
        loop_quit(s->loop);
        return;
    }
    log_info("serve: stopped on request, saying goodbye to clients");
    s->stopping = true;
    notify_stopping(&s->notify, "saying goodbye to clients");
    server_stop(s->server, now);
    pump(s);
}

static void signalled(void *context, struct instant now, int number)
{
    struct serve *s = context;
    if (number == SIGHUP)
        serve_files_reload(s->files);
    if (number == SIGTERM || number == SIGINT)
        stop(s, now);
}

/* By its number or by its name, and then all of that name. */
static bool is_named(const struct server_client *c, const char *name)
{
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)c->client);
    return strcmp(c->common_name, name) == 0 || strcmp(number, name) == 0;
}

static json_t *no_such_client(const char *name)
{
    char quoted[LOG_QUOTE_SIZE];
    return json_pack("{s:o}", "error",
                     json_sprintf("no client has the name or number `%s'; "
                                  "`vpn-gateway status' lists them",
                                  log_quote(quoted, bytes_of_text(name))));
}

static json_t *kick(struct serve *s, struct instant now, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    bool halt = json_is_true(json_object_get(request, "halt"));
    struct server_client c;
    uint32_t next = 0;
    json_int_t kicked = 0;
    if (!name)
        return NULL;
    while (server_next_client(s->server, &next, &c))
        if (is_named(&c, name))
            kicked += server_kick(s->server, now, c.client, halt);
    pump(s);
    return kicked > 0 ? json_pack("{s:I}", "kicked", kicked)
                      : no_such_client(name);
}

/* Other options for clients that are up. */
static json_t *update(struct serve *s, struct instant now,
                      const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    const json_t *list = json_object_get(request, "options");
    const char *options[UPDATE_OPTIONS_MAX], *problem = NULL;
    size_t count = json_array_size(list);
    struct server_client c;
    uint32_t next = 0;
    json_int_t updated = 0;
    if (!name || count == 0 || count > UPDATE_OPTIONS_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        options[i] = json_string_value(json_array_get(list, i));
        if (!options[i])
            return NULL;
    }
    while (!problem && server_next_client(s->server, &next, &c)) {
        if (!is_named(&c, name))
            continue;
        problem = server_update(s->server, now, c.client, options, count);
        updated++;
    }
    pump(s);
    if (problem)
        return json_pack("{s:s}", "error", problem);
    return updated > 0 ? json_pack("{s:I}", "updated", updated)
                       : no_such_client(name);
}

static json_t *ordered(void *context, struct instant now, const json_t *request)
{
    struct serve *s = context;
    const char *command =
        json_string_value(json_object_get(request, "command"));
    if (!command)
        return NULL;
    if (strcmp(command, "status") == 0)
        return serve_status_json(&(struct serve_status_source){
            .now = now,
            .server = s->server,
            .listeners = s->listeners,
            .drops = {&s->drops, &s->tun->drops},
        });
    if (strcmp(command, "kick") == 0)
        return kick(s, now, request);
    if (strcmp(command, "update") == 0)
        return update(s, now, request);
    if (strcmp(command, "stop") != 0)
        return control_request_foreign(request,
                                       "a VPN server (vpn-gateway serve)",
                                       "status, kick, update and stop");
    stop(s, now);
    return json_object();
}

/* --- Opening and closing ------------------------------------------------- */

static bool open_outside(struct serve *s)
{
    const struct server_config *c = s->config;
    const struct link_owner owner = {.context = s, .received = from_tun};
    const struct serve_listeners_owner clients = {s, from_listener, ended};
    const struct tun_options tun = {
        .interface = c->device,
        .ipv4 = c->ipv4,
        .ipv6 = c->ipv6,
        .mtu = server_config_remote(c)->tun_mtu,
        .configured = c->keeps_device,
        .routes = c->routes,
        .route_count = c->keeps_routes ? 0 : c->route_count,
    };
    enum error error;
    s->listeners = serve_listeners_open(c, s->loop, &clients);
    if (!s->listeners)
        return false;
    s->tun = tun_open(&tun, s->loop, &owner, &error);
    if (!s->tun)
        return false;
    coalesce_join_udp(s->coalesce, s->tun->takes_udp_gso);
    return true;
}

static bool open_parts(struct serve *s, const char *control)
{
    const struct server_env env = {.context = s,
                                   .random = randomness_fill,
                                   .unix_time = unix_time,
                                   .admit = admit,
                                   .client_config = client_config};
    s->loop = loop_new();
    s->coalesce = coalesce_new();
    if (!s->loop || !s->coalesce || !burst_init(&s->out, OUT_BYTES) ||
        !burst_init(&s->control_out, UINT16_MAX) ||
        !packet_batch_init(&s->inbound, INBOUND_PACKETS, 0)) {
        log_error("serve: out of memory");
        return false;
    }
    s->signals_open = signals_open(&s->signals, s->loop, signalled, s) == OK;
    s->server = server_new(s->config, &env, loop_now(s->loop));
    if (!s->signals_open || !s->server || !open_outside(s))
        return false;
    s->files = serve_files_open(s->config, s->loop, s->server);
    s->logins = serve_logins_open(s->config, s->loop, judged, s);
    if (!s->files || !s->logins)
        return false;
    s->timer = (struct loop_timer){INSTANT_NEVER, due, s, NULL};
    loop_add_timer(s->loop, &s->timer);
    s->control = control_open(control, s->loop, ordered, s);
    if (!s->control)
        return false;
    notify_open(&s->notify, s->loop);
    s->notify_open = true;
    return true;
}

static void close_parts(struct serve *s)
{
    if (s->notify_open)
        notify_close(&s->notify);
    control_close(s->control);
    if (s->tun)
        s->tun->kind->close(s->tun);
    serve_listeners_close(s->listeners);
    serve_logins_close(s->logins);
    serve_files_close(s->files);
    server_free(s->server);
    if (s->signals_open)
        signals_close(&s->signals);
    coalesce_free(s->coalesce);
    burst_clear(&s->out);
    burst_clear(&s->control_out);
    packet_batch_clear(&s->inbound);
    loop_free(s->loop);
}

/* From here on no more than serving needs: what it reads again, and the place
 * of its control socket. */
static bool enter_sandbox(const struct serve *s, const struct serve_options *o)
{
    const struct server_config *c = s->config;
    const char *read[5], *beside = o->config;
    size_t count = 0;
    struct sandbox sandbox;
    char *replace = serve_files_replaces_in(s->files);
    read[count++] = beside;
    if (c->clients_directory)
        read[count++] = c->clients_directory;
    if (c->users)
        read[count++] = c->users;
    if (c->revoked_file)
        read[count++] = c->revoked_file;
    read[count] = NULL;
    bool entered = sandbox_enter(
        &(struct sandbox_options){
            .off = o->no_sandbox,
            .read = read,
            .remove = (const char *const[]){o->control, NULL},
            .replace = (const char *const[]){replace, NULL},
        },
        &sandbox);
    free(replace);
    return entered;
}

static int run(const struct server_config *config,
               const struct serve_options *options)
{
    char local[2 * ENDPOINT_TEXT_SIZE + 32];
    int result = EXIT_FAILURE;
    struct serve *s = calloc(1, sizeof *s);
    if (!s)
        return EXIT_FAILURE;
    s->config = config;
    if (open_parts(s, options->control) && enter_sandbox(s, options)) {
        serve_listeners_describe(config, local, sizeof local);
        log_info("serve: %s, device %s", local, config->device);
        notify_ready(&s->notify, "serving");
        if (loop_run(s->loop) == OK)
            result = EXIT_SUCCESS;
    }
    close_parts(s);
    free(s);
    return result;
}

static bool parse_options(int argc, char **argv, struct serve_options *o,
                          const char **why)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'f'},
        {"control", required_argument, NULL, 'c'},
        {"no-sandbox", no_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    *o = (struct serve_options){.control = SETTINGS_CONTROL_DEFAULT};
    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, known, true)) != -1;) {
        *why = arguments_problem(argv, c, known);
        if (c == '?' || c == ':')
            return false;
        if (c == 'f')
            o->config = optarg;
        else if (c == 'c')
            o->control = optarg;
        else if (c == 's')
            o->no_sandbox = true;
        else
            o->verbose = true;
    }
    *why = optind < argc ? arguments_surplus(argv[optind])
                         : "--config FILE is missing";
    return o->config && optind == argc;
}

int serve(int argc, char **argv)
{
    struct serve_options options;
    struct server_config config;
    const char *why;
    if (!parse_options(argc, argv, &options, &why))
        return arguments_refuse(argv[0], why);
    log_set_level(options.verbose ? LOG_DEBUG : LOG_INFO);
    sandbox_guard_secrets();
    int result = serve_config_load(options.config, &config)
                     ? run(&config, &options)
                     : ARGUMENTS_EXIT;
    server_config_clear(&config);
    return result;
}
