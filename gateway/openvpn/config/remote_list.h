/*
 * Decides which server to try next, and how long to wait before (openvpn:
 * init.c, next_connection_entry, socket_restart_pause).
 *
 *   a remote's addresses one after another, then the next remote, round and
 *   round; but after a success, or where the server says so, the same again.
 *
 * After four full rounds without success the pause doubles with each further
 * one, up to the profile's maximum.
 */
#ifndef OPENVPN_CONFIG_REMOTE_LIST_H
#define OPENVPN_CONFIG_REMOTE_LIST_H

#include "gateway/base/instant.h"
#include "gateway/openvpn/config/config.h"

enum { REMOTE_LIST_ADDRESSES_MAX = 16 };

/* Cryptographic randomness; cannot fail. */
typedef void remote_list_random(void *context, uint8_t *out, size_t size);

/* How the last attempt, or the tunnel that came of it, ended. */
enum remote_list_end {
    REMOTE_LIST_FAILED,      /* refused, broken, no handshake */
    REMOTE_LIST_TIMED_OUT,   /* not one packet: the next without a pause */
    REMOTE_LIST_LOST,        /* was up */
    REMOTE_LIST_AUTH_FAILED, /* the server refuses us: it would again */
};

/* The server's word about it, if anything. */
enum remote_list_advance {
    REMOTE_LIST_BY_RULE,
    REMOTE_LIST_STAY,         /* the same address */
    REMOTE_LIST_NEXT_ADDRESS, /* of this remote, then the next remote */
    REMOTE_LIST_NEXT_REMOTE,
};

struct remote_list_advice {
    enum remote_list_advance advance;
    uint32_t backoff; /* s to wait at least */
    bool keep;        /* the pause, whatever a qube wants meanwhile */
};

/* When the next attempt is made. NEVER: the profile wants no more. */
struct remote_list_plan {
    struct instant next;
    struct instant wanted; /* when a qube's wish may bring it forward to; NEVER:
                              it may not */
    struct instant asked;  /* not before, says the server */
};

struct remote_list {
    const struct config *config;
    remote_list_random *random;
    void *context;
    uint16_t *order; /* owned: indices of config->remotes */
    size_t position; /* in `order` */
    struct address addresses[REMOTE_LIST_ADDRESSES_MAX];
    size_t address_count, address;
    struct address last;        /* tried last, to stay on it */
    struct config_remote shown; /* a shallow copy with its random host name */
    bool stay;                  /* the next step does not advance */
    uint64_t failures;          /* of whole remotes, since the last success */
};

/* Borrows `config`, which has at least one remote. Shuffles if it says so.
 * False when memory is short. */
MUST_USE bool remote_list_init(struct remote_list *l,
                               const struct config *config,
                               remote_list_random *random, void *context);
void remote_list_clear(struct remote_list *l);

/* The remote to try now, borrowed until the next step. With
 * `remote-random-hostname` its host has a fresh random label in front. */
const struct config_remote *remote_list_current(const struct remote_list *l);

/* Takes the addresses of the current remote's name; those of the wrong family
 * are left out. If the list stays on a remote, it stays on its address too, if
 * the name still has it. */
void remote_list_resolved(struct remote_list *l,
                          const struct address *addresses, size_t count);
/* The address to try now. False if none is known: the name is to be resolved,
 * for the first time or because the list stays. */
MUST_USE bool remote_list_address(const struct remote_list *l,
                                  struct address *out);

/* The same remote once more, but its name is resolved again: the server or we
 * may have moved. */
void remote_list_stay(struct remote_list *l);

/* The tunnel stands: the next attempt will be made here again. */
void remote_list_succeeded(struct remote_list *l);

/* Steps on. `advice` may be NULL. */
struct remote_list_plan
remote_list_next(struct remote_list *l, struct instant now,
                 enum remote_list_end end,
                 const struct remote_list_advice *advice);

#endif
