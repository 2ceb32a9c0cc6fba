#include "gateway/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/uplink/route_watch.h"

enum {
    LOOK_AGAIN = 2,     /* s; for a file that is wanted and cannot be used */
    PATIENT_ROUNDS = 4, /* through all profiles, before pauses grow */
    SHIFT_MOST = 8,     /* 256 s */
    STOPPED_PAUSE = 5,  /* s; after a client that stopped for good */
    REASON_SIZE = 640,
};

struct vpn {
    struct loop *loop;
    struct vpn_owner owner;
    struct vpn_options options;
    struct profiles profiles;
    struct vm_config settings;     /* as they were looked at last */
    struct vpn_client *client;     /* in force, or NULL */
    struct vpn_client *next;       /* about to be */
    char path[PROFILES_PATH_SIZE]; /* of the profile in force */
    struct loop_timer turn;        /* of the next profile */
    struct loop_timer change;      /* settings changed in this turn */
    struct loop_timer look;        /* whether a file can be used now */
    struct route_watch *routes;    /* or NULL: it has to do without */
    uint64_t fruitless;            /* profiles since the tunnel was up */
    struct drop_counters drops;    /* of clients gone by */
    struct instant since;          /* of being blocked */
    char blocked[REASON_SIZE];
    bool started, stopping;
    bool overlay_changed; /* remote, proxy or user name */
};

static bool is_stopped(const struct vpn *v)
{
    struct client_status status;
    vpn_client_status(v->client, &status);
    return status.state == CLIENT_STOPPED;
}

/* --- Of several profiles the next ---------------------------------------- */

/* As for the servers of one profile: patient at first. */
static struct duration pause_between_profiles(const struct vpn *v)
{
    uint64_t rounds = v->fruitless / (v->profiles.count + 1);
    if (rounds < PATIENT_ROUNDS)
        return duration_seconds(0);
    uint64_t shift = rounds - PATIENT_ROUNDS;
    return duration_seconds((int64_t)1
                            << (shift < SHIFT_MOST ? shift : SHIFT_MOST));
}

/* The client's own pause is kept in any case. */
static void await_turn(struct vpn *v, struct instant now,
                       struct instant next_try)
{
    struct instant turn = instant_after(now, pause_between_profiles(v));
    vpn_client_hold(v->client, true);
    loop_timer_set(&v->turn, instant_before(turn, next_try) ? next_try : turn);
}

/* --- What the client says ------------------------------------------------ */

static void client_up(void *context, struct instant now,
                      const struct tunnel *tunnel)
{
    struct vpn *v = context;
    v->fruitless = 0;
    v->owner.up(v->owner.context, now, tunnel);
}

static void client_down(void *context, struct instant now)
{
    struct vpn *v = context;
    v->owner.down(v->owner.context, now);
}

static void client_received(void *context, struct instant now,
                            struct burst *burst)
{
    struct vpn *v = context;
    v->owner.received(v->owner.context, now, burst);
}

static void client_asks(void *context)
{
    struct vpn *v = context;
    v->owner.asks(v->owner.context);
}

static void client_changed(void *context, struct instant now,
                           const struct client_status *status)
{
    struct vpn *v = context;
    char line[256];
    const char *why = status->state == CLIENT_UP ? NULL : status->last_error;
    snprintf(line, sizeof line, "tunnel %s%s%s",
             client_state_name(status->state), why ? ": " : "", why ? why : "");
    v->owner.state(v->owner.context, line);
    const struct uplink *uplink =
        v->client ? vpn_client_uplink(v->client) : NULL;
    if (v->routes && uplink && status->state == CLIENT_NEGOTIATING)
        route_watch_follow(v->routes, &uplink->server.address);
    if (status->state == CLIENT_PAUSING && status->rounds > 0 &&
        profiles_has_other(&v->profiles))
        await_turn(v, now, status->next_try);
}

static void client_stopped(void *context, struct instant now, const char *why)
{
    struct vpn *v = context;
    if (v->stopping || !v->options.serves_on)
        v->owner.stopped(v->owner.context, why);
    else if (profiles_has_other(&v->profiles))
        await_turn(v, now, instant_after(now, duration_seconds(STOPPED_PAUSE)));
}

/* --- One profile instead of another -------------------------------------- */

/* Not from inside of the client. */
static void retire(struct vpn *v, struct instant now)
{
    loop_timer_set(&v->turn, INSTANT_NEVER);
    if (!v->client)
        return;
    vpn_client_retire(v->client, now);
    struct client_status status;
    vpn_client_status(v->client, &status);
    for (unsigned i = 0; i < DROP_COUNT; i++)
        v->drops.count[i] += status.drops->count[i];
    vpn_client_add_drops(v->client, &v->drops);
    vpn_client_free(v->client);
    v->client = NULL;
}

static void block(struct vpn *v, struct instant now, const char *why)
{
    char line[256];
    bool same = !v->client && strcmp(v->blocked, why) == 0;
    retire(v, now);
    v->overlay_changed = false;
    if (same)
        return;
    v->since = now;
    snprintf(v->blocked, sizeof v->blocked, "%s", why);
    log_warn("vpn: nothing is connected to: %s", v->blocked);
    snprintf(line, sizeof line, "blocked: %.200s", v->blocked);
    v->owner.state(v->owner.context, line);
}

/* For profiles_pick(). */
static bool take(void *context, struct config *profile)
{
    struct vpn *v = context;
    const struct vpn_client_owner owner = {
        .context = v,
        .up = client_up,
        .down = client_down,
        .received = client_received,
        .asks = client_asks,
        .state = client_changed,
        .stopped = client_stopped,
    };
    v->next = vpn_client_new(v->loop, profile, &owner);
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
    log_info("vpn: the profile is %s", v->path);
    vpn_client_start(v->client, now);
}

/* The profile in force once more, with the settings as they are now. */
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
        log_warn("vpn: %s stays in force", v->path);
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

static void turn_came(void *context, struct instant now)
{
    struct vpn *v = context;
    struct client_status status;
    vpn_client_status(v->client, &status);
    v->fruitless++;
    profiles_failed(&v->profiles, v->path,
                    status.last_error ? status.last_error : "it failed");
    log_warn("vpn: no way with this profile, the next one is tried");
    choose(v, now, v->profiles.position + 1);
    if (v->client)
        vpn_client_hold(v->client, false);
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
    loop_timer_set(&v->turn, INSTANT_NEVER);
    vpn_client_hold(v->client, false);
    vpn_client_reconnect(v->client, now);
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
    static const char why[] = "told to stop";
    v->stopping = true;
    if (!v->client || is_stopped(v)) {
        v->owner.stopped(v->owner.context, why);
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

/* Where something waits for a person or is over, another way is no help. */
static void way_changed(void *context, struct instant now)
{
    struct vpn *v = context;
    struct client_status status;
    if (!v->client)
        return;
    vpn_client_status(v->client, &status);
    if (status.state == CLIENT_IDLE || status.state == CLIENT_STOPPED ||
        status.state == CLIENT_AWAIT_CREDENTIALS)
        return;
    log_info("vpn: there is another way to the server: reconnecting");
    vpn_reconnect(v, now);
}

struct vpn_view vpn_view(const struct vpn *v)
{
    return (struct vpn_view){
        .client = v->client,
        .blocked = v->client ? NULL : v->blocked,
        .since = v->since,
        .path = v->client ? v->path : NULL,
        .profiles = &v->profiles,
        .drops = &v->drops,
    };
}

/* --- Opening and closing ------------------------------------------------- */

struct vpn *vpn_new(struct loop *loop, const struct vpn_options *options,
                    const struct vpn_owner *owner)
{
    struct vpn *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->loop = loop;
    v->owner = *owner;
    v->options = *options;
    v->since = loop_now(loop);
    snprintf(v->blocked, sizeof v->blocked, "waiting for the settings of dom0");
    profiles_init(&v->profiles, options->profile, options->directory);
    v->turn = (struct loop_timer){INSTANT_NEVER, turn_came, v, NULL};
    v->change = (struct loop_timer){INSTANT_NEVER, change, v, NULL};
    v->look = (struct loop_timer){INSTANT_NEVER, look_again, v, NULL};
    loop_add_timer(loop, &v->turn);
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
    loop_remove_timer(v->loop, &v->turn);
    loop_remove_timer(v->loop, &v->change);
    loop_remove_timer(v->loop, &v->look);
    free(v);
}
