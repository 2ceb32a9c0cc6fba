/*
 * Settings that a user makes in dom0, for one qube and while it runs:
 *
 *   qvm-features sys-vpn vm-config.vpn-mtu 1300      a key /vm-config/vpn-mtu
 *   qvm-features --unset sys-vpn vm-config.vpn-mtu
 *
 * They stand above the profile and below the command line. A wrong value is
 * named and changes nothing: the good one before it stays in force. Where
 * there was none before it, what the user wanted is unknown, and the setting
 * takes the meaning that opens least: without a profile, server or proxy
 * nothing is connected to, without resolvers no name is resolved, IPv6 is
 * off. An empty value is as good as none, but for vpn-ipv6, where it is off,
 * as Qubes' tools write it.
 */
#ifndef DOM0_VM_CONFIG_H
#define DOM0_VM_CONFIG_H

#include "gateway/base/log.h"
#include "gateway/base/tunnel.h"
#include "gateway/vpn/protocol.h"

enum vm_config_key {
    VM_CONFIG_PROFILE,
    VM_CONFIG_REMOTE,
    VM_CONFIG_PROXY,
    VM_CONFIG_USERNAME,
    VM_CONFIG_DNS,
    VM_CONFIG_MTU,
    VM_CONFIG_IPV6,
    VM_CONFIG_LOG_LEVEL,
    VM_CONFIG_KEY_COUNT /* also: no such key */
};

enum vm_config_state {
    VM_CONFIG_UNSET,
    VM_CONFIG_SET,
    VM_CONFIG_KEPT,  /* the last value was wrong; one before is in force */
    VM_CONFIG_WRONG, /* the last value was wrong, and there is none before */
};

enum {
    VM_CONFIG_TEXT_SIZE = 1024,
    VM_CONFIG_WHY_SIZE = 160,
    VM_CONFIG_PROFILES_MAX = 8,
    VM_CONFIG_FILE_SIZE = 256,
    VM_CONFIG_MTU_MIN = 576, /* RFC 791: what every IPv4 host takes */
    VM_CONFIG_MTU_MAX = 9000,
};

/* The values in force, meaningful where the key's state is SET or KEPT. */
struct vm_config_values {
    size_t profile_count;
    char profiles[VM_CONFIG_PROFILES_MAX][VM_CONFIG_FILE_SIZE];
    struct protocol_overlay overlay; /* vpn-remote, vpn-proxy, vpn-username */
    bool resolvers_pushed; /* those of the server, as without the setting */
    size_t resolver_count;
    struct address resolvers[TUNNEL_RESOLVERS_MAX];
    uint16_t mtu;
    bool ipv6;
    enum log_level log_level;
};

struct vm_config {
    enum vm_config_state states[VM_CONFIG_KEY_COUNT];
    char why[VM_CONFIG_KEY_COUNT][VM_CONFIG_WHY_SIZE];    /* KEPT, WRONG */
    char texts[VM_CONFIG_KEY_COUNT][VM_CONFIG_TEXT_SIZE]; /* in force */
    struct vm_config_values values;
};

/* "vpn-mtu"; and what a value looks like, for people. */
const char *vm_config_name(enum vm_config_key key);
const char *vm_config_form(enum vm_config_key key);
enum vm_config_key vm_config_key_of(const char *name);

/* Nothing is set in a struct that is all zero. Both are true if what is in
 * force changed, be it from or to nothing. */
bool vm_config_set(struct vm_config *c, enum vm_config_key key,
                   struct bytes value);
bool vm_config_unset(struct vm_config *c, enum vm_config_key key);

bool vm_config_in_force(const struct vm_config *c, enum vm_config_key key);

/* Why nothing may be connected to, or NULL. */
const char *vm_config_obstacle(const struct vm_config *c);

/* The part that is put over a profile: servers, proxy and user name. */
struct protocol_overlay vm_config_overlay(const struct vm_config *c);

/* Puts the rest over what a server granted: resolvers, a smaller MTU, no IPv6.
 */
void vm_config_limit(const struct vm_config *c, struct tunnel *tunnel);

#endif
