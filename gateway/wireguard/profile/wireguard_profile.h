/*
 * A profile of WireGuard: what a wg-quick .conf says, as providers write them.
 * Hooks are never run, a kernel's settings mean nothing here, and whatever
 * else cannot be done is named with its line.
 */
#ifndef WIREGUARD_PROFILE_WIREGUARD_PROFILE_H
#define WIREGUARD_PROFILE_WIREGUARD_PROFILE_H

#include "gateway/vpn/protocol.h"
#include "gateway/wireguard/data/allowed_ips.h"
#include "gateway/wireguard/wire.h"

enum {
    WIREGUARD_PROFILE_PEERS_MAX = PROTOCOL_ENDPOINTS_MAX,
    WIREGUARD_PROFILE_NETWORKS_MAX = ALLOWED_IPS_MAX,
    WIREGUARD_PROFILE_SERVERS_MAX = PROTOCOL_SERVERS_MAX,
};

struct wireguard_profile_peer {
    unsigned line;    /* of its [Peer] */
    uint32_t refused; /* a bit per enum conf_name: the value cannot be read */
    bool has_key, has_preshared;
    uint8_t public_key[WIRE_KEY_SIZE], preshared[WIRE_KEY_SIZE];
    char host[PROTOCOL_HOST_SIZE]; /* "": it speaks first */
    uint16_t port, keepalive;
};

struct wireguard_profile_network {
    struct prefix prefix;
    uint16_t peer;
};

struct wireguard_profile {
    struct protocol_profile profile; /* its servers are the main peer's */
    uint32_t refused;                /* in [Interface], the same */
    bool has_key;
    uint8_t private_key[WIRE_KEY_SIZE];
    struct prefix ipv4, ipv6;  /* ours, with host bits; or family NONE */
    uint16_t mtu, listen_port; /* or 0 */
    uint16_t resolver_count, peer_count, network_count;
    uint16_t main; /* the peer that most goes to */
    struct address resolvers[TUNNEL_RESOLVERS_MAX];
    struct wireguard_profile_peer peers[WIREGUARD_PROFILE_PEERS_MAX];
    struct wireguard_profile_network networks[WIREGUARD_PROFILE_NETWORKS_MAX];
    /* The servers to connect to: the main peer's endpoint, or the settings'. */
    struct protocol_server servers[WIREGUARD_PROFILE_SERVERS_MAX];
    struct protocol_overlay overlay;
};

/* The functions of the door, of the same names (vpn/protocol.h). */
bool wireguard_profile_recognises(struct bytes text);
struct protocol_profile *
wireguard_profile_read(struct bytes text, const char *path,
                       const struct protocol_reader *reader, bool *usable);
void wireguard_profile_describe(const struct protocol_profile *profile,
                                void (*line)(void *context, const char *topic,
                                             const char *text),
                                void *context);
bool wireguard_profile_overlay(struct protocol_profile *profile,
                               const struct protocol_overlay *overlay,
                               const char **why);
void wireguard_profile_forget(struct protocol_profile *profile);

/* The whole family goes to the profile's peers: by /0, or by its halves. */
bool wireguard_profile_takes_all(const struct wireguard_profile *p,
                                 enum address_family family);
bool wireguard_profile_takes(const struct wireguard_profile *p,
                             const struct address *address);

#endif
