/*
 * The keys that dom0 writes into the QubesDB of a qube that gives others their
 * network, and their typed reading. A value that is not what it should be
 * counts as absent, and the log names it.
 *
 *   /name /type /qubes-vm-type              who we are
 *   /qubes-ip /qubes-gateway, ...6          our own way out
 *   /qubes-primary-dns /qubes-secondary-dns its resolvers
 *   /qubes-netvm-*                          what the qubes behind us are told
 *   /connected-ips /connected-ips6          whose they may be, blank between
 *   /mapped-ip/IP/visible-{ip,gateway}      what a qube believes its IP is
 *   /qubes-firewall/IP/{policy,NNNN}        its rules; written last: the base
 *   /qubes-firewall-handled/IP              written by us: how often applied
 *   /vm-config/NAME                         free text
 *
 * Source: qubes-core-admin, qubes/vm/mix/net.py, qubes/vm/qubesvm.py,
 * qubes/ext/vm_config.py.
 */
#ifndef QUBESDB_KEYS_H
#define QUBESDB_KEYS_H

#include "gateway/base/address.h"
#include "qubesdb/store.h"

/* Whether a path is worth keeping, and whether one below `prefix` may be. */
bool keys_wanted(const char *path);
bool keys_wanted_below(const char *prefix);

/* A path within the rules: a whole tree's base, whose writing says that the
 * tree is complete, or a part of it. */
enum keys_rules { KEYS_NO_RULES, KEYS_RULES_BASE, KEYS_RULES_PART };

/* For a base or a part `base` becomes "/qubes-firewall/SOURCE". */
enum keys_rules keys_rules_of(const char *path, char base[MESSAGE_PATH_SIZE]);

#define KEYS_RULES "/qubes-firewall/"

/* The source address of a base; false unless it is written as Qubes does, so
 * that no two trees are of one address. */
MUST_USE bool keys_rules_source(const char *base, struct address *source);

enum keys_vm_type {
    KEYS_VM_UNKNOWN,
    KEYS_VM_APP,
    KEYS_VM_DISPOSABLE,
    KEYS_VM_STANDALONE,
    KEYS_VM_TEMPLATE,
};

enum { KEYS_NAME_SIZE = 64, KEYS_DNS_COUNT = 2 };

/* Addresses that are absent are unset. */
struct keys_own {
    char name[KEYS_NAME_SIZE]; /* or empty */
    enum keys_vm_type type;
    struct address ip, ip6;
    struct address gateway, gateway6;
    struct address dns[KEYS_DNS_COUNT];
    bool provides_network;
    struct address netvm_gateway, netvm_gateway6; /* the qubes' gateway: us */
    struct address netvm_dns[KEYS_DNS_COUNT];     /* the qubes' resolvers */
};

void keys_own(const struct store *s, struct keys_own *out);
/* Whether the key at this path is part of that. */
bool keys_is_own(const char *path);

/* Whether dom0 counts a qube with this visible address among ours, halted ones
 * as well. While it has not said whose they are, each may be. */
bool keys_is_connected(const struct store *s, const struct address *visible);

/* The addresses that the qube with the address `real` sees instead; unset where
 * it sees the real ones. */
struct keys_mapped {
    struct address visible_ip;
    struct address visible_gateway;
};
/* Whether a key at this path says it, and of which real address. */
MUST_USE bool keys_mapped_source(const char *path, struct address *real);
void keys_mapped(const struct store *s, const struct address *real,
                 struct keys_mapped *out);

/* False if it is absent; an empty value is a value. */
MUST_USE bool keys_vm_config(const struct store *s, const char *name,
                             struct bytes *value);

/* NAME of a path "/vm-config/NAME", else NULL. */
const char *keys_vm_config_name(const char *path);

/* "/qubes-firewall-handled/SOURCE" and the number that stands there; 0 if
 * there is none. */
void keys_handled_path(const struct address *source,
                       char path[MESSAGE_PATH_SIZE]);
uint32_t keys_handled(const struct store *s, const struct address *source);

#endif
