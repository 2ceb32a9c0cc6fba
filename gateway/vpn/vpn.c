#include "gateway/vpn/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/uplink/route_watch.h"
#include "gateway/vpn/vpn_retry.h"

enum {
    LOOK_AGAIN = 2, /* s; for a file that is wanted and cannot be used */
    REASON_SIZE = 640,
};

struct vpn {
    struct loop *loop;
    struct vpn_owner owner;
    struct vpn_tunnel_owner tunnel;
    struct vpn_options options;
    struct profiles profiles;
    struct vm_config settings;     /* as they were looked at last */
    struct vpn_client *client;     /* active, or NULL */
    struct vpn_client *next;       /* about to be */
    char path[PROFILES_PATH_SIZE]; /* of the active profile */
    struct vpn_retry retry;
    struct loop_timer attempt;  /* its time */
    struct loop_timer change;   /* settings changed in this turn */
    struct loop_timer look;     /* whether a file can be used now */
    struct route_watch *routes; /* or NULL: it has to do without */
    struct drop_counters drops; /* of clients gone by */
    int64_t stamp;        /* protocol_env's latest_stamp, of all profiles */
    struct instant since; /* of being blocked */
    char blocked[REASON_SIZE];
    bool started, stopping;
    bool overlay_changed; /* remote, proxy or user name */
};

static bool is_stopped(const struct vpn *v)
{
    struct protocol_status status;
    vpn_client_status(v->client, &status);
    return status.state == VPN_STATE_STOPPED;
}

/* Without the directory of profiles, as dom0 names it. */
static const char *name_of(const struct vpn *v, const char *path)
{
    size_t size = v->options.directory ? strlen(v->options.directory) : 0;
    bool inside = size > 0 && strncmp(path, v->options.directory, size) == 0 &&
                  path[size] == '/';
    return inside ? path + size + 1 : path;
}

/* --- The next attempt ---------------------------------------------------- */

static void follow_plan(struct vpn *v)
{
    if (v->client)
        vpn_client_hold(v->client, vpn_retry_holds(&v->retry));
    loop_timer_set(&v->attempt, vpn_retry_deadline(&v->retry));
}

/* --- What the client says ------------------------------------------------ */

static void client_connected(void *context, const struct endpoint *server)
{
    const struct vpn *v = context;
    if (v->routes)
        route_watch_follow(v->routes, &server->address);
}

static void client_changed(void *context, struct instant now,
                           const struct protocol_status *status)
{
    struct vpn *v = context;
    bool connected = status->state == VPN_STATE_CONNECTED;
    v->owner.state(v->owner.context, now, status->state,
                   connected ? NULL : status->last_error);
    vpn_retry_told(&v->retry, now, status, profiles_others(&v->profiles));
    follow_plan(v);
}

static void client_stopped(void *context, struct instant now, const char *why)
{
    struct vpn *v = context;
    if (v->stopping || !v->options.serves_on) {
        v->owner.stopped(v->owner.context, why);
        return;
    }
    vpn_retry_stopped(&v->retry, now, profiles_others(&v->profiles));
    follow_plan(v);
}

/* --- One profile instead of another -------------------------------------- */

/* Not from inside of the client. */
static void retire(struct vpn *v, struct instant now)
{
    if (v->client)
        vpn_client_retire(v->client, now);
    vpn_retry_reset(&v->retry);
    loop_timer_set(&v->attempt, INSTANT_NEVER);
    if (!v->client)
        return;
    struct protocol_status status;
    vpn_client_status(v->client, &status);
    drop_add(&v->drops, status.drops);
    vpn_client_add_drops(v->client, &v->drops);
    vpn_client_free(v->client);
    v->client = NULL;
}

static void block(struct vpn *v, struct instant now, const char *why)
{
    bool same = !v->client && strcmp(v->blocked, why) == 0;
    retire(v, now);
    v->overlay_changed = false;
    if (same)
        return;
    v->since = now;
    snprintf(v->blocked, sizeof v->blocked, "%s", why);
    log_warn("tunnel: %s: %s", vpn_state_name(VPN_STATE_BLOCKED), v->blocked);
    v->owner.state(v->owner.context, now, VPN_STATE_BLOCKED, v->blocked);
}

/* For profiles_pick(). */
static bool take(void *context, struct protocol_profile *profile,
                 char why[PROTOCOL_WHY_SIZE])
{
    struct vpn *v = context;
    const struct vpn_client_owner owner = {
        .context = v,
        .connected = client_connected,
        .state = client_changed,
        .stopped = client_stopped,
    };
    v->next =
        vpn_client_new(v->loop, profile, &v->stamp, &owner, &v->tunnel, why);
    return v->next != NULL;
}

static void put_in_force(struct vpn *v, struct instant now, const char *path)
{
    retire(v, now);
    v->client = v->next;
    v->next = NULL;
    v->blocked[0] = '\0';
    v->overlay_changed = false;
    memmove(v->path, path, strlen(path) + 1);
    log_info("tunnel: the active profile is %s", v->path);
    vpn_client_start(v->client, now);
}

/* The active profile once more, with the settings as they are now. */
static bool renew(struct vpn *v, struct instant now)
{
    struct profiles *once = v->client ? malloc(sizeof *once) : NULL;
    if (!once)
        return false;
    profiles_init(once, v->path, NULL);
    (void)profiles_want(once, &v->settings);
    bool taken =
        profiles_pick(once, &v->settings, 0, take, v) == PROFILES_TAKEN;
    free(once);
    if (taken)
        put_in_force(v, now, v->path);
    return taken;
}

/* No wanted profile can be used. */
static void keep(struct vpn *v, struct instant now)
{
    loop_timer_set(&v->look, instant_after(now, duration_seconds(LOOK_AGAIN)));
    if (v->client && !v->overlay_changed)
        log_warn("tunnel: %s stays active", name_of(v, v->path));
    else if (!renew(v, now))
        block(v, now, profiles_why(&v->profiles));
}

/* The settings of this moment, as far as the command line leaves them. */
static void read_settings(struct vpn *v)
{
    v->settings = *v->options.settings;
    if (v->options.profile)
        (void)vm_config_unset(&v->settings, VM_CONFIG_PROFILE);
    (void)profiles_want(&v->profiles, &v->settings);
}

static void choose(struct vpn *v, struct instant now, size_t from)
{
    const char *obstacle = vm_config_obstacle(&v->settings);
    loop_timer_set(&v->look, INSTANT_NEVER);
    if (obstacle) {
        block(v, now, obstacle);
        return;
    }
    switch (profiles_pick(&v->profiles, &v->settings, from, take, v)) {
    case PROFILES_TAKEN:
        put_in_force(v, now, v->profiles.entries[v->profiles.position].path);
        break;
    case PROFILES_UNUSABLE:
        keep(v, now);
        break;
    case PROFILES_NONE:
        block(v, now,
              "there is no profile: put one into the directory of profiles "
              "and name it in dom0, as vm-config.vpn-profile");
        break;
    }
}

static void look_again(void *context, struct instant now)
{
    struct vpn *v = context;
    if (profiles_changed(&v->profiles))
        choose(v, now, 0);
    else
        loop_timer_set(&v->look,
                       instant_after(now, duration_seconds(LOOK_AGAIN)));
}

static void next_profile(struct vpn *v, struct instant now)
{
    struct protocol_status status;
    vpn_client_status(v->client, &status);
    profiles_failed(&v->profiles, v->path,
                    status.last_error ? status.last_error : "it failed");
    const struct profiles_entry *next = profiles_next(&v->profiles);
    if (next)
        log_warn("tunnel: %s: all servers failed, trying %s",
                 name_of(v, v->path), name_of(v, next->path));
    choose(v, now, v->profiles.position + 1);
}

static void perform(struct vpn *v, struct instant now,
                    enum vpn_retry_action action)
{
    switch (action) {
    case VPN_RETRY_NOTHING:
        break;
    case VPN_RETRY_AGAIN:
        vpn_client_end_pause(v->client, now);
        break;
    case VPN_RETRY_WAY_CHANGED:
        vpn_client_way_changed(v->client, now);
        break;
    case VPN_RETRY_NEXT_PROFILE:
        next_profile(v, now);
        break;
    }
    follow_plan(v);
}

static void attempt_due(void *context, struct instant now)
{
    struct vpn *v = context;
    perform(v, now, vpn_retry_expire(&v->retry, now));
}

void vpn_wanted(struct vpn *v, struct instant now)
{
    if (!vpn_retry_wanted(&v->retry, now))
        return;
    log_info("tunnel: a qube wants to send: the next attempt comes sooner");
    follow_plan(v);
}

/* Another way is no help if something waits for a person or is over. */
static void way_changed(void *context, struct instant now)
{
    struct vpn *v = context;
    enum vpn_retry_action action = vpn_retry_way_changed(&v->retry, now);
    if (action == VPN_RETRY_WAY_CHANGED)
        log_info("tunnel: the route to the server changed: reconnecting");
    perform(v, now, action);
}

/* --- Packets ------------------------------------------------------------- */

struct burst_layout vpn_layout(const struct vpn *v)
{
    return v->client ? vpn_client_layout(v->client) : (struct burst_layout){0};
}

void vpn_send(struct vpn *v, struct instant now, struct burst *burst)
{
    if (v->client)
        vpn_client_send(v->client, now, burst);
    else
        burst_reset(burst);
}

/* --- Orders and settings ------------------------------------------------- */

void vpn_start(struct vpn *v, struct instant now)
{
    if (v->started)
        return;
    v->started = true;
    read_settings(v);
    choose(v, now, 0);
}

void vpn_setting_changed(struct vpn *v, struct instant now,
                         enum vm_config_key key)
{
    bool is_overlay = key == VM_CONFIG_REMOTE || key == VM_CONFIG_PROXY ||
                      key == VM_CONFIG_USERNAME;
    bool is_profile = key == VM_CONFIG_PROFILE && !v->options.profile;
    if (!v->started || (!is_overlay && !is_profile))
        return;
    v->overlay_changed = v->overlay_changed || is_overlay;
    loop_timer_set(&v->change, now);
}

static void change(void *context, struct instant now)
{
    struct vpn *v = context;
    read_settings(v);
    /* Only the list is longer or shorter: not worth a new connection. */
    if (v->client && !is_stopped(v) && !v->overlay_changed &&
        v->profiles.count > 0 &&
        strcmp(v->profiles.entries[0].path, v->path) == 0)
        loop_timer_set(&v->look, INSTANT_NEVER);
    else
        choose(v, now, 0);
}

void vpn_reconnect(struct vpn *v, struct instant now)
{
    if (!v->started)
        return;
    if (!v->client || is_stopped(v)) {
        vpn_reload(v, now);
        return;
    }
    vpn_client_reconnect(v->client, now);
}

void vpn_slept(struct vpn *v, struct instant now)
{
    if (!v->client || is_stopped(v))
        vpn_reconnect(v, now);
    else
        perform(v, now, vpn_retry_way_changed(&v->retry, now));
}

void vpn_reload(struct vpn *v, struct instant now)
{
    const struct vpn_client *before = v->client;
    if (!v->started)
        return;
    read_settings(v);
    profiles_forget(&v->profiles);
    choose(v, now, 0);
    if (before && v->client == before && !is_stopped(v))
        vpn_client_reconnect(v->client, now);
}

void vpn_stop(struct vpn *v, struct instant now)
{
    v->stopping = true;
    log_info("tunnel: %s on request", vpn_state_name(VPN_STATE_STOPPED));
    if (!v->client || is_stopped(v)) {
        v->owner.stopped(v->owner.context, NULL);
        return;
    }
    vpn_client_stop(v->client, now);
}

void vpn_log_in(struct vpn *v, struct instant now, const char *username,
                const char *password, const char *response)
{
    if (v->client)
        vpn_client_log_in(v->client, now, username, password, response);
}

struct vpn_view vpn_view(const struct vpn *v)
{
    return (struct vpn_view){
        .client = v->client,
        .blocked = v->client ? NULL : v->blocked,
        .since = v->since,
        .next_try = vpn_retry_deadline(&v->retry),
        .path = v->client ? v->path : NULL,
        .profiles = &v->profiles,
        .drops = &v->drops,
    };
}

/* --- Opening and closing ------------------------------------------------- */

struct vpn *vpn_new(struct loop *loop, const struct vpn_options *options,
                    const struct vpn_owner *owner,
                    const struct vpn_tunnel_owner *tunnel)
{
    struct vpn *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->loop = loop;
    v->owner = *owner;
    v->tunnel = *tunnel;
    v->options = *options;
    v->since = loop_now(loop);
    snprintf(v->blocked, sizeof v->blocked, "waiting for the settings of dom0");
    profiles_init(&v->profiles, options->profile, options->directory);
    vpn_retry_init(&v->retry);
    v->attempt = (struct loop_timer){INSTANT_NEVER, attempt_due, v, NULL};
    v->change = (struct loop_timer){INSTANT_NEVER, change, v, NULL};
    v->look = (struct loop_timer){INSTANT_NEVER, look_again, v, NULL};
    loop_add_timer(loop, &v->attempt);
    loop_add_timer(loop, &v->change);
    loop_add_timer(loop, &v->look);
    v->routes =
        route_watch_open(loop, &(struct route_watch_owner){v, way_changed});
    return v;
}

void vpn_free(struct vpn *v)
{
    if (!v)
        return;
    vpn_client_free(v->client);
    route_watch_close(v->routes);
    loop_remove_timer(v->loop, &v->attempt);
    loop_remove_timer(v->loop, &v->change);
    loop_remove_timer(v->loop, &v->look);
    free(v);
}
