/*
 * The VPN side of the gateway: the active profile, the protocol at work that
 * is made of it, the connection that it asks for, and the questions that it
 * has for a person. Packets of qubes go in through vpn_send() and come out
 * through received(); there is no other way to an uplink.
 *
 *   vpn_send -> seal -> uplink
 *   uplink -> open -> received
 *
 * Profile and settings may become others while it runs. Then a new client is
 * made first; if that works the old one says goodbye and the new one
 * connects. Where no wanted profile can be used the active one stays; but
 * where the settings do not go with any, or none is wanted, nothing is
 * connected to: to go on would be against what the user said.
 *
 * The next of several profiles has its turn when no server of the active one
 * could be reached, each having been tried once since it was last up.
 */
#ifndef VPN_VPN_H
#define VPN_VPN_H

#include "gateway/event/loop.h"
#include "gateway/vpn/profiles.h"
#include "gateway/vpn/vpn_client.h"

struct vpn; /* heap */

/* Called from the loop and from inside the functions below. None of these may
 * free it. */
struct vpn_owner {
    void *context;
    /* The state is another, or the same once more for another reason; `why',
     * which may be NULL, is for a person. */
    void (*state)(void *context, struct instant now, enum vpn_state state,
                  const char *why);
    /* There will be no tunnel any more; `why' is NULL where that was wanted. */
    void (*stopped)(void *context, const char *why);
};

struct vpn_options {
    const char *profile;   /* of the command line, or NULL */
    const char *directory; /* where dom0's profiles are */
    const struct vm_config *settings;
    /* Stay when the client has stopped for good: another profile may come. */
    bool serves_on;
};

/* Borrows the loop and all of the options for its life; The owners are copied.
 * NULL when memory is short. */
struct vpn *vpn_new(struct loop *loop, const struct vpn_options *options,
                    const struct vpn_owner *owner,
                    const struct vpn_tunnel_owner *tunnel);
void vpn_free(struct vpn *v);

/* Settings are known: looks for a profile and connects. Nothing below does
 * anything before. */
void vpn_start(struct vpn *v, struct instant now);
/* A setting is another: takes effect with others of the same turn. */
void vpn_setting_changed(struct vpn *v, struct instant now,
                         enum vm_config_key key);
/* Connects anew, or looks for a profile if none is active. */
void vpn_reconnect(struct vpn *v, struct instant now);
/* The machine slept: ends a pause and connects anew. */
void vpn_slept(struct vpn *v, struct instant now);
/* A packet of a qube was refused because there is no tunnel: the next attempt
 * may come sooner (vpn_retry.h). */
void vpn_wanted(struct vpn *v, struct instant now);
/* The same as vpn_reconnect(), after reading the profiles again from the first
 * on. */
void vpn_reload(struct vpn *v, struct instant now);
/* Says goodbye; stopped() follows, perhaps from inside. */
void vpn_stop(struct vpn *v, struct instant now);
/* Answers the question. */
void vpn_log_in(struct vpn *v, struct instant now, const char *username,
                const char *password, const char *response);

/* The place for packets of vpn_send(). */
struct burst_layout vpn_layout(const struct vpn *v);
/* Seals and sends what is in the burst, if the tunnel is up, and empties it
 * in any case. */
void vpn_send(struct vpn *v, struct instant now, struct burst *burst);

/* For `status`; borrowed until the next call. */
struct vpn_view {
    const struct vpn_client *client; /* or NULL: nothing is connected to */
    const char *blocked;             /* why not, or NULL */
    struct instant since;            /* that it is so */
    struct instant next_try;         /* other than the client's; or NEVER */
    const char *path;                /* of the active profile, or NULL */
    const struct profiles *profiles;
    const struct drop_counters *drops; /* of clients gone by */
};
struct vpn_view vpn_view(const struct vpn *v);

#endif
