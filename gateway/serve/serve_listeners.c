#include "gateway/serve/serve_listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/base/log.h"
#include "gateway/control/status.h"
#include "gateway/uplink/tcp_listener.h"
#include "gateway/uplink/udp_listener.h"

enum {
    STRANGERS = 256,       /* connections of nobody known, at once */
    STRANGERS_OF_ONE = 32, /* address; a company may have one only */
    OTHER_DESCRIPTORS = 64,
};

struct serve_listeners {
    struct serve_listeners_owner owner;
    struct udp_listener *udp; /* or NULL */
    struct tcp_listener *tcp; /* or NULL */
};

static void from_udp(void *context, struct instant now,
                     const struct endpoint *from, struct burst *burst)
{
    struct serve_listeners *l = context;
    const struct server_path path = {.remote = *from};
    l->owner.received(l->owner.context, now, &path, burst);
}

static bool from_tcp(void *context, struct instant now, uint64_t stream,
                     const struct endpoint *from, struct burst *burst)
{
    struct serve_listeners *l = context;
    const struct server_path path = {*from, stream};
    return l->owner.received(l->owner.context, now, &path, burst);
}

static void tcp_ended(void *context, struct instant now, uint64_t stream,
                      const struct endpoint *from)
{
    struct serve_listeners *l = context;
    const struct server_path path = {*from, stream};
    l->owner.ended(l->owner.context, now, &path);
}

/* Each connection is a descriptor. */
static void raise_limit(rlim_t needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed)
        log_warn("serve: the limit of %llu open files (LimitNOFILE=) is less "
                 "than the %llu that max-clients may need",
                 (unsigned long long)limit.rlim_cur,
                 (unsigned long long)needed);
}

static bool open_tcp(struct serve_listeners *l, const struct server_config *c,
                     struct loop *loop)
{
    const struct tcp_listener_owner owner = {l, from_tcp, tcp_ended};
    const struct tcp_listener_limits limits = {
        .known = c->max_clients,
        .strangers = STRANGERS,
        .strangers_of_one = STRANGERS_OF_ONE,
        .patience = duration_seconds(c->common.hand_window),
    };
    enum error error;
    raise_limit((rlim_t)c->max_clients + STRANGERS + OTHER_DESCRIPTORS);
    l->tcp = tcp_listener_open(&c->sockets[CONFIG_TCP].local, loop, &limits,
                               &owner, &error);
    return l->tcp != NULL;
}

struct serve_listeners *
serve_listeners_open(const struct server_config *config, struct loop *loop,
                     const struct serve_listeners_owner *owner)
{
    struct serve_listeners *l = calloc(1, sizeof *l);
    enum error error;
    if (!l)
        return NULL;
    l->owner = *owner;
    bool good = true;
    if (config->sockets[CONFIG_UDP].open) {
        l->udp = udp_listener_open(&config->sockets[CONFIG_UDP].local, loop,
                                   from_udp, l, &error);
        good = l->udp != NULL;
    }
    if (good && config->sockets[CONFIG_TCP].open)
        good = open_tcp(l, config, loop);
    if (good)
        return l;
    serve_listeners_close(l);
    return NULL;
}

void serve_listeners_close(struct serve_listeners *l)
{
    if (!l)
        return;
    udp_listener_close(l->udp);
    tcp_listener_close(l->tcp);
    free(l);
}

void serve_listeners_send(struct serve_listeners *l,
                          const struct server_path *to, struct burst *burst)
{
    if (to->stream)
        tcp_listener_send(l->tcp, to->stream, burst);
    else
        udp_listener_send(l->udp, &to->remote, burst);
}

void serve_listeners_hang_up(struct serve_listeners *l,
                             const struct server_path *path)
{
    if (path->stream)
        tcp_listener_hang_up(l->tcp, path->stream);
}

uint16_t serve_listeners_overhead(const struct server_path *to)
{
    return to->stream ? tcp_listener_overhead(&to->remote)
                      : udp_listener_overhead(&to->remote);
}

void serve_listeners_describe(const struct server_config *config, char *out,
                              size_t size)
{
    static const char *const names[] = {"UDP", "TCP"};
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < SERVER_CONFIG_PROTOCOLS && used < size; i++) {
        const struct server_config_socket *s = &config->sockets[i];
        char text[ENDPOINT_TEXT_SIZE];
        if (!s->open)
            continue;
        if (address_is_set(&s->local.address))
            endpoint_format(&s->local, text);
        else
            snprintf(text, sizeof text, "port %u", s->local.port);
        int n = snprintf(out + used, size - used, "%s%s %s", used ? ", " : "",
                         names[i], text);
        used += n > 0 ? (size_t)n : 0;
    }
}

void serve_listeners_status(const struct serve_listeners *l, json_t *status,
                            json_t *drops)
{
    if (l->udp)
        status_add_drops(drops, udp_listener_drops(l->udp));
    if (!l->tcp)
        return;
    struct tcp_listener_counters c = tcp_listener_counters(l->tcp);
    status_add_drops(drops, tcp_listener_drops(l->tcp));
    json_object_set_new(
        status, "tcp",
        json_pack("{s:I,s:I,s:I,s:I,s:I}", "clients", (json_int_t)c.known,
                  "strangers", (json_int_t)c.strangers, "accepted",
                  (json_int_t)c.accepted, "timed_out", (json_int_t)c.timed_out,
                  "pushed_out", (json_int_t)c.pushed_out));
}
