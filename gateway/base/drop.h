/*
 * Why a packet was dropped: every drop in the program has one of these names
 * and is counted under it; `vpn-gateway status` prints those above zero.
 * Names are grouped by who drops; the text says what a user should know.
 */
#ifndef BASE_DROP_H
#define BASE_DROP_H

#include <stdbool.h>
#include <stdint.h>

#define DROP_REASONS(X)                                                        \
    /* links */                                                                \
    X(LINK_MALFORMED, "link: frame or its offload data malformed")             \
    X(LINK_NOT_IP, "link: neither IP nor ARP")                                 \
    X(LINK_NO_MAC, "link: the qube has not shown its MAC address yet")         \
    X(LINK_QUEUE_FULL, "link: the qube does not take its packets")             \
    X(LINK_ERROR, "link: the system refused the frame")                        \
    /* router */                                                               \
    X(SPOOFED, "router: source is not the qube's own address")                 \
    X(LINK_LOCAL, "router: meant for the qube's own link only")                \
    X(MARTIAN, "router: source or destination cannot be routed")               \
    X(QUBE_TO_QUBE, "router: from qube to qube")                               \
    X(NO_ROUTE, "router: the tunnel does not carry the destination")           \
    X(TUNNEL_DOWN, "router: the VPN is not connected")                         \
    X(UNKNOWN_QUBE, "router: no such qube")                                    \
    X(GATEWAY_SERVICE, "router: the gateway offers no such service")           \
    X(NO_RESOLVER, "router: the tunnel has no DNS resolver")                   \
    X(NO_IPV6, "router: the tunnel carries no IPv6")                           \
    X(ANSWERED, "router: answered by the gateway itself")                      \
    /* firewall */                                                             \
    X(IP_MALFORMED, "firewall: malformed IP packet")                           \
    X(IP_CHECKSUM, "firewall: wrong IP header checksum")                       \
    X(IP_OPTIONS, "firewall: IP options or extension headers not passed")      \
    X(PORT_ZERO, "firewall: to or from port 0")                                \
    X(TRANSPORT_MALFORMED, "firewall: malformed TCP, UDP or ICMP header")      \
    X(TRANSPORT_CHECKSUM, "firewall: wrong TCP, UDP or ICMP checksum")         \
    X(PROTOCOL, "firewall: protocol not supported")                            \
    X(TTL, "firewall: time to live exceeded")                                  \
    X(TOO_BIG, "firewall: larger than the tunnel's MTU")                       \
    X(FRAGMENT, "firewall: fragment refused")                                  \
    X(HELD, "firewall: fragment kept until its packet is whole")               \
    X(FRAGMENT_TIMEOUT, "firewall: fragments that never became whole")         \
    X(FRAGMENT_CROWDED, "firewall: fragments that gave way to others")         \
    X(RULE, "firewall: a rule says drop")                                      \
    X(NAME_UNKNOWN, "firewall: a rule says drop, its host name is unknown")    \
    X(NO_RULES, "firewall: no rules for the qube yet")                         \
    X(BAD_RULES, "firewall: the qube's rules do not parse")                    \
    X(NO_FLOW, "firewall: belongs to no known flow")                           \
    X(FLOW_STATE, "firewall: does not fit the state of its flow")              \
    X(FLOWS_FULL, "firewall: the qube has its share of flows")                 \
    X(FLOW_RATE, "firewall: new flows come too fast")                          \
    X(PORTS_FULL, "firewall: the qube has its share of external ports")        \
    X(HOST_TAKEN, "firewall: another qube has that protocol with that host")   \
    X(ICMP_TYPE, "firewall: ICMP type not passed")                             \
    X(ICMP_EMBEDDED, "firewall: ICMP error about a packet we never sent")      \
    X(HAIRPIN, "firewall: to the tunnel's own address")                        \
    X(UNCUTTABLE, "firewall: cannot be cut to the size its way allows")        \
    /* tunnel, received */                                                     \
    X(NOT_FROM_SERVER, "tunnel: not from the server's address")                \
    X(OPCODE, "tunnel: unknown opcode")                                        \
    X(CONTROL_MALFORMED, "tunnel: malformed control packet")                   \
    X(CONTROL_AUTH, "tunnel: control packet fails authentication")             \
    X(CONTROL_REPLAY, "tunnel: control packet replayed")                       \
    X(CONTROL_SESSION, "tunnel: control packet of another session")            \
    X(CONTROL_WINDOW, "tunnel: control packet outside the window")             \
    X(HANDSHAKE_STRANGER, "tunnel: handshake of a key that is nobody's here")  \
    X(HANDSHAKE_RATE, "tunnel: handshakes come too fast")                      \
    X(HANDSHAKE_COOKIE,                                                        \
      "tunnel: handshake answered with a cookie, under load")                  \
    X(HANDSHAKE_PRESHARED, "tunnel: answer by another preshared key")          \
    X(HANDSHAKE_QUEUE, "tunnel: handshake message that found the queue full")  \
    X(DATA_MALFORMED, "tunnel: malformed data packet")                         \
    X(DATA_NO_KEY, "tunnel: data packet without a key")                        \
    X(DATA_AUTH, "tunnel: data packet fails authentication")                   \
    X(DATA_REPLAY, "tunnel: data packet replayed or too old")                  \
    X(DATA_COMPRESSED, "tunnel: compressed data packet")                       \
    X(DATA_FRAGMENT, "tunnel: malformed piece of a data packet")               \
    X(DATA_FRAGMENT_LOST, "tunnel: pieces of packets that never became whole") \
    /* server */                                                               \
    X(SERVER_COOKIE, "server: session cookie wrong or too old")                \
    X(SERVER_IN_USE, "server: first packet from where a session is in use")    \
    X(SERVER_RATE, "server: first packets come too fast")                      \
    X(SERVER_FULL, "server: no room for another client")                       \
    X(CLIENT_SPOOFED, "server: source is not the client's own address")        \
    X(CLIENT_TO_CLIENT, "server: from client to client")                       \
    X(NO_CLIENT, "server: no client has the destination")                      \
    /* tunnel, sent */                                                         \
    X(SEAL_NO_KEY, "tunnel: no key to send with")                              \
    X(SEAL_LIMIT, "tunnel: the key's packet numbers are used up")              \
    X(SEAL_HELD, "tunnel: kept until there is a key")                          \
    X(SEAL_HELD_FULL, "tunnel: too many are kept until there is a key")        \
    X(SEAL_NO_PEER, "tunnel: no peer has the destination")                     \
    X(SEAL_NO_ENDPOINT, "tunnel: the peer's address is not known yet")         \
    X(DATA_SPOOFED, "tunnel: the peer may not use the packet's source")        \
    /* uplink */                                                               \
    X(UPLINK_BUSY, "uplink: the system's send buffer is full")                 \
    X(UPLINK_ERROR, "uplink: the system refused the datagram")                 \
    X(UPLINK_TOO_BIG, "uplink: larger than the outer path's MTU")              \
    X(UPLINK_NOWHERE, "uplink: no address of the server is known")

enum drop {
    DROP_NONE = 0,
#define X(name, text) DROP_##name,
    DROP_REASONS(X)
#undef X
        DROP_COUNT
};

struct drop_counters {
    uint64_t count[DROP_COUNT];
};

/* The text above; "" for DROP_NONE. */
const char *drop_text(enum drop reason);
enum { DROP_WORDS_SIZE = 32 };
/* The same in two or three words, for a table: "rule", "no IPv6". */
const char *drop_words(enum drop reason, char out[DROP_WORDS_SIZE]);
/* The name above, for JSON. */
const char *drop_name(enum drop reason);

static inline void drop_count(struct drop_counters *counters, enum drop reason)
{
    counters->count[reason]++;
}

static inline void drop_add(struct drop_counters *sum,
                            const struct drop_counters *more)
{
    for (unsigned i = 0; i < DROP_COUNT; i++)
        sum->count[i] += more->count[i];
}

#endif
