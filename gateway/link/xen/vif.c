#include "gateway/link/xen/vif.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STANDS_MS = 100, /* of a state that the toolstack waits for */
};

/* xen/include/public/io/xenbus.h */
enum xenbus {
    XENBUS_UNKNOWN,
    XENBUS_INITIALISING,
    XENBUS_INIT_WAIT,
    XENBUS_INITIALISED,
    XENBUS_CONNECTED,
    XENBUS_CLOSING,
    XENBUS_CLOSED,
    XENBUS_RECONFIGURING,
    XENBUS_RECONFIGURED,
};

/* Only what is implemented, and what older frontends ask for by name. */
static const struct xenstore_entry offer[] = {
    {"feature-rx-copy", "1"},
    {"feature-rx-flip", "0"},
    {"feature-sg", "1"},
    {"feature-gso-tcpv4", "1"},
    {"feature-gso-tcpv6", "1"},
    {"feature-ipv6-csum-offload", "1"},
    {"feature-split-event-channels", "0"},
    {"multi-queue-max-queues", "1"},
    {"hotplug-status", "connected"},
    {"state", "2"},
};

static const char *const state_names[VIF_STATE_COUNT] = {
    [VIF_NEW] = "new",
    [VIF_AWAIT_FRONTEND] = "waits for the qube",
    [VIF_CONNECTED] = "connected",
    [VIF_AWAIT_RETURN] = "closed",
    [VIF_LEAVING] = "leaves",
    [VIF_GONE] = "gone",
};

static void become(struct vif *vif, enum vif_state state)
{
    if (vif->state == state)
        return;
    vif->state = state;
    log_info("xen: %s %s", vif->name, state_names[state]);
}

static void tell(struct vif *vif, enum xenbus state)
{
    const char text[2] = {(char)('0' + (int)state), '\0'};
    if (vif->told == state)
        return;
    vif->told = state;
    /* If it fails the directory is gone, and its watch says so. */
    if (!xenstore_write(vif->host->xenstore, vif->backend,
                        &(struct xenstore_entry){"state", text}, 1))
        log_debug("xen: %s: cannot write its state", vif->name);
}

/* --- The description ----------------------------------------------------- */

/* "10.137.0.10" or "10.137.0.10 fd09::a". */
static bool parse_addresses(struct bytes text, struct address *ipv4,
                            struct address *ipv6)
{
    struct bytes word;
    while (text_cut(&text, ' ', &word)) {
        struct address a;
        if (word.size == 0)
            continue;
        if (!address_parse(word, &a))
            return false;
        struct address *to = a.family == ADDRESS_IPV4 ? ipv4 : ipv6;
        if (address_is_set(to))
            return false;
        *to = a;
    }
    return address_is_set(ipv4);
}

static bool read_key(struct vif *vif, const char *key,
                     char value[XENSTORE_VALUE_SIZE])
{
    return xenstore_read(vif->host->xenstore, vif->backend, key, value) ==
           XENSTORE_PRESENT;
}

static void set_headers(struct vif *vif, const uint8_t mac[6])
{
    for (size_t i = 0; i < 2; i++) {
        struct ethernet_header *header = &vif->to_qube[i];
        header->type = i == 0 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
        memcpy(header->destination, mac, 6);
        memcpy(header->source, ethernet_gateway_mac, 6);
    }
}

/* NULL, or what is wrong with what the toolstack wrote. */
static const char *read_description(struct vif *vif)
{
    char value[XENSTORE_VALUE_SIZE];
    char home[48];
    uint32_t domain;
    uint8_t mac[6];
    if (xenstore_read_number(vif->host->xenstore, vif->backend, "frontend-id",
                             vif->domain, &domain) != XENSTORE_PRESENT ||
        domain != vif->domain)
        return "its frontend-id is another domain's";
    snprintf(home, sizeof home, "/local/domain/%u/", vif->domain);
    if (!read_key(vif, "frontend", value) ||
        !text_starts_with(bytes_of_text(value), home) ||
        !text_copy(vif->frontend, sizeof vif->frontend, bytes_of_text(value)))
        return "its frontend is not in the qube's own directory";
    if (!read_key(vif, "mac", value) ||
        !address_parse_mac(bytes_of_text(value), mac) || (mac[0] & 1))
        return "it has no MAC address";
    if (!read_key(vif, "ip", value) ||
        !parse_addresses(bytes_of_text(value), &vif->ipv4, &vif->ipv6))
        return "it has no IPv4 address";
    set_headers(vif, mac);
    return NULL;
}

static bool watch_frontend(struct vif *vif)
{
    char path[XENSTORE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/state", vif->frontend);
    vif->watched = xenstore_watch(vif->host->xenstore, path, vif->name);
    return vif->watched;
}

static void unwatch_frontend(struct vif *vif)
{
    char path[XENSTORE_PATH_SIZE];
    if (!vif->watched)
        return;
    snprintf(path, sizeof path, "%s/state", vif->frontend);
    xenstore_unwatch(vif->host->xenstore, path, vif->name);
    vif->watched = false;
}

/* False: it cannot be served, now or ever. */
static bool describe(struct vif *vif)
{
    char value[XENSTORE_VALUE_SIZE];
    if (vif->watched)
        return true;
    /* The toolstack writes all of it at once; others may not. */
    if (vif->unusable || xenstore_read(vif->host->xenstore, vif->backend,
                                       "frontend", value) == XENSTORE_ABSENT)
        return false;
    const char *wrong = read_description(vif);
    if (!wrong && !watch_frontend(vif))
        wrong = "xenstore grants no watch on its frontend";
    if (!wrong)
        return true;
    log_error("xen: %s cannot be served: %s", vif->name, wrong);
    vif->unusable = true;
    tell(vif, XENBUS_CLOSED);
    return false;
}

/* --- The rings ----------------------------------------------------------- */

/* The frontend wrote this before it said it was ready. */
struct request {
    uint32_t transmit_reference;
    uint32_t receive_reference;
    uint32_t remote_port;
    uint32_t queues;
    bool copies;
    bool notifies;
    bool no_checksum_ipv4;
    struct netback_accepts accepts;
};

static const char *read_request(struct vif *vif, struct request *out)
{
    struct xenstore *x = vif->host->xenstore;
    const char *path = vif->frontend;
    struct request r = {.queues = 1};
    const struct {
        const char *key;
        uint32_t *value;
    } numbers[] = {
        {"tx-ring-ref", &r.transmit_reference},
        {"rx-ring-ref", &r.receive_reference},
        {"event-channel", &r.remote_port},
    };
    const struct {
        const char *key;
        bool *value;
    } flags[] = {
        {"request-rx-copy", &r.copies},
        {"feature-rx-notify", &r.notifies},
        {"feature-sg", &r.accepts.scatter},
        {"feature-gso-tcpv4", &r.accepts.gso_ipv4},
        {"feature-gso-tcpv6", &r.accepts.gso_ipv6},
        {"feature-no-csum-offload", &r.no_checksum_ipv4},
        {"feature-ipv6-csum-offload", &r.accepts.checksum_ipv6},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (xenstore_read_number(x, path, numbers[i].key, UINT32_MAX,
                                 numbers[i].value) != XENSTORE_PRESENT)
            return "a ring or its event channel is missing";
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (xenstore_read_flag(x, path, flags[i].key, flags[i].value) ==
            XENSTORE_WRONG)
            return "a feature is neither 0 nor 1";
    if (xenstore_read_number(x, path, "multi-queue-num-queues", UINT32_MAX,
                             &r.queues) == XENSTORE_WRONG ||
        r.queues != 1)
        return "it has more queues than were offered";
    if (!r.copies)
        return "it does not take copied packets";
    r.accepts.checksum_ipv4 = !r.no_checksum_ipv4;
    /* A super-packet has its checksum blank and several pages. */
    r.accepts.gso_ipv4 &= r.accepts.scatter && r.accepts.checksum_ipv4;
    r.accepts.gso_ipv6 &= r.accepts.scatter && r.accepts.checksum_ipv6;
    *out = r;
    return NULL;
}

static void copy(void *context, enum grant_direction direction,
                 struct grant_copy *copies, size_t count)
{
    struct vif *vif = context;
    grant_copy(vif->host->grant, vif->domain, direction, copies, count);
}

static void notify(void *context)
{
    struct vif *vif = context;
    event_channel_notify(vif->host->events, vif->event_port);
}

/* Gives back whatever of the rings is there. */
static void release(struct vif *vif)
{
    if (vif->bound)
        event_channel_unbind(vif->host->events, vif->event_port);
    vif->bound = false;
    netback_receive_clear(&vif->receive);
    for (size_t i = 0; i < 2; i++) {
        if (vif->pages[i])
            grant_unmap(vif->host->grant, vif->pages[i]);
        vif->pages[i] = NULL;
    }
}

static const char *attach(struct vif *vif, const struct request *r)
{
    const struct vif_host *host = vif->host;
    vif->pages[0] = grant_map(host->grant, vif->domain, r->receive_reference);
    vif->pages[1] = grant_map(host->grant, vif->domain, r->transmit_reference);
    if (!vif->pages[0] || !vif->pages[1])
        return "its rings cannot be mapped";
    if (!netback_ring_attach(&vif->transmit, vif->pages[1],
                             NETBACK_TRANSMIT_WORDS) ||
        !netback_receive_init(&vif->receive, vif->pages[0], &vif->peer,
                              &r->accepts, host->receive_batch))
        return "its rings' indices are impossible";
    if (!event_channel_bind(host->events, vif->domain, r->remote_port,
                            &vif->event_port))
        return "its event channel cannot be bound";
    vif->bound = true;
    return NULL;
}

static void connect(struct vif *vif)
{
    struct request r;
    const char *wrong = read_request(vif, &r);
    if (!wrong)
        wrong = attach(vif, &r);
    if (wrong) {
        vif_close(vif, wrong);
        return;
    }
    vif->wrong = NULL;
    vif->notifies = r.notifies;
    tell(vif, XENBUS_CONNECTED);
    become(vif, VIF_CONNECTED);
    vif->host->connected(vif->host->context, vif);
}

static void disconnect(struct vif *vif)
{
    if (vif->state == VIF_CONNECTED)
        vif->host->disconnected(vif->host->context, vif);
    release(vif);
}

/* --- The handshake ------------------------------------------------------- */

static void offer_features(struct vif *vif)
{
    disconnect(vif);
    if (!xenstore_write(vif->host->xenstore, vif->backend, offer,
                        sizeof offer / sizeof *offer)) {
        log_error("xen: %s: cannot write what it offers: %s", vif->name,
                  strerror(errno));
        return;
    }
    vif->told = XENBUS_INIT_WAIT;
    become(vif, VIF_AWAIT_FRONTEND);
}

static void close_with(struct vif *vif, enum xenbus state)
{
    disconnect(vif);
    tell(vif, state);
    become(vif, VIF_AWAIT_RETURN);
}

void vif_close(struct vif *vif, const char *why)
{
    log_warn("xen: %s is closed: %s", vif->name, why);
    close_with(vif, XENBUS_CLOSING);
}

static void leave(struct vif *vif)
{
    disconnect(vif);
    tell(vif, XENBUS_CLOSED);
    become(vif, VIF_LEAVING);
}

static void remove_directory(struct vif *vif)
{
    if (!xenstore_remove(vif->host->xenstore, vif->backend))
        log_warn("xen: %s: cannot remove its directory: %s", vif->name,
                 strerror(errno));
    become(vif, VIF_GONE);
}

/* Nothing was offered for this description: it may be another one. */
static void begin_anew(struct vif *vif)
{
    disconnect(vif);
    unwatch_frontend(vif);
    vif->ipv4 = vif->ipv6 = (struct address){0};
    vif->unusable = false;
    vif->stands_until = (struct instant){0};
    become(vif, VIF_NEW);
}

static void follow_frontend(struct vif *vif, uint32_t frontend)
{
    enum vif_state state = vif->state;
    switch (frontend) {
    case XENBUS_INITIALISING:
    case XENBUS_INIT_WAIT:
        if (state != VIF_AWAIT_FRONTEND)
            offer_features(vif);
        break;
    case XENBUS_INITIALISED:
    case XENBUS_CONNECTED:
        /* At our start: an earlier process got as far as that. */
        if (state == VIF_AWAIT_FRONTEND ||
            (state == VIF_NEW &&
             (vif->told == XENBUS_INIT_WAIT || vif->told == XENBUS_CONNECTED)))
            connect(vif);
        break;
    case XENBUS_CLOSING:
        close_with(vif, XENBUS_CLOSING);
        break;
    case XENBUS_CLOSED:
    case XENBUS_UNKNOWN:
        close_with(vif, XENBUS_CLOSED);
        break;
    default: /* it reconfigures, or writes what nobody knows */
        break;
    }
}

/* True if the toolstack wants the vif away: it has written Closing, unless the
 * card was Closed already; or there is nobody left to close it. */
static bool is_over(uint32_t backend, uint32_t frontend)
{
    return backend == XENBUS_CLOSING || backend == XENBUS_CLOSED ||
           frontend == XENBUS_CLOSED || frontend == XENBUS_UNKNOWN;
}

/* Nobody has been told of this description. */
static bool is_fresh(const struct vif *vif)
{
    return vif->state == VIF_NEW && vif->told == XENBUS_INITIALISING;
}

static struct instant let_stand(struct vif *vif, struct instant now)
{
    vif->stands_until = instant_after(now, duration_milliseconds(STANDS_MS));
    return vif->stands_until;
}

/* Does what both ends' words ask for. */
static struct instant follow(struct vif *vif, struct instant now)
{
    struct xenstore *x = vif->host->xenstore;
    uint32_t frontend = XENBUS_UNKNOWN;
    bool online = true;
    xenstore_read_flag(x, vif->backend, "online", &online);
    bool served = describe(vif);
    if (served)
        xenstore_read_number(x, vif->frontend, "state", XENBUS_RECONFIGURED,
                             &frontend);
    if (!online && is_over(vif->told, frontend)) {
        leave(vif);
        return let_stand(vif, now);
    }
    if (!served)
        return INSTANT_NEVER;
    if (is_fresh(vif)) {
        offer_features(vif);
        return let_stand(vif, now);
    }
    if (!instant_reached(now, vif->stands_until))
        return vif->stands_until;
    follow_frontend(vif, frontend);
    return INSTANT_NEVER;
}

struct instant vif_look(struct vif *vif, struct instant now)
{
    if (xenstore_read_number(vif->host->xenstore, vif->backend, "state",
                             XENBUS_RECONFIGURED,
                             &vif->told) == XENSTORE_ABSENT) {
        disconnect(vif);
        become(vif, VIF_GONE);
        return INSTANT_NEVER;
    }
    if (vif->told == XENBUS_INITIALISING)
        begin_anew(vif);
    if (vif->state != VIF_LEAVING)
        return follow(vif, now);
    if (!instant_reached(now, vif->stands_until))
        return vif->stands_until;
    remove_directory(vif);
    return INSTANT_NEVER;
}

/* ------------------------------------------------------------------------- */

struct vif *vif_new(const struct vif_host *host, const char *backend,
                    uint32_t domain, uint32_t handle)
{
    struct vif *vif = calloc(1, sizeof *vif);
    if (!vif)
        return NULL;
    vif->host = host;
    vif->domain = domain;
    vif->handle = handle;
    vif->peer = (struct netback_peer){vif, copy, notify};
    snprintf(vif->name, sizeof vif->name, "vif%u.%u", domain, handle);
    if (!text_copy(vif->backend, sizeof vif->backend, bytes_of_text(backend))) {
        free(vif);
        return NULL;
    }
    return vif;
}

void vif_free(struct vif *vif)
{
    disconnect(vif);
    unwatch_frontend(vif);
    free(vif);
}
