/*
 * The progress of a flow: which packets may change it and how long it lives
 * without any (RFC 4787, 5382, 5508, 7857).
 *
 *   qube: SYN           tunnel: SYN [ACK]      qube: ACK
 *   ------> TCP_OPENING -------> TCP_ANSWERED -------> TCP_ESTABLISHED
 *                                                |  FIN of one side
 *                      TCP_CLOSED <-- both -- TCP_CLOSING
 *   RST with the very number that its receiver waits for: TCP_RESET; when
 *   the qube goes on regardless, the connection is back (RFC 7857 2.2).
 *
 * Sequence numbers decide whether SYN, FIN and RST are believed; data passes,
 * the qube's own TCP judges it. A RST elsewhere in the window changes nothing
 * here and passes: its receiver asks the sender, whose second RST has the
 * right number (RFC 5961 3.2). Outside of the window it is dropped. From the
 * tunnel, a SYN without ACK passes only as the other half of a simultaneous
 * open, and one with ACK only as the answer to the qube's SYN.
 *
 * A flow that has led to nothing yet, or is over, lives on by the qube's
 * packets alone: nobody outside can hold its place.
 */
#ifndef FIREWALL_CONNTRACK_H
#define FIREWALL_CONNTRACK_H

#include "gateway/packet/ip_header.h"

enum flow_side { FLOW_SIDE_QUBE, FLOW_SIDE_TUNNEL };

enum conntrack_state {
    CONNTRACK_UDP_ONE_WAY, /* nothing came back yet */
    CONNTRACK_UDP,
    CONNTRACK_DNS, /* answered; a resolver says no more */
    CONNTRACK_ICMP,
    CONNTRACK_OTHER,
    CONNTRACK_TCP_OPENING,
    CONNTRACK_TCP_ANSWERED,
    CONNTRACK_TCP_ESTABLISHED,
    CONNTRACK_TCP_CLOSING,
    CONNTRACK_TCP_CLOSED,
    CONNTRACK_TCP_RESET,
    CONNTRACK_STATES
};

/* One end of a TCP connection, as far as its sequence space is known. */
struct conntrack_end {
    uint32_t end;          /* behind the highest byte it sent */
    uint32_t limit;        /* behind the highest byte the peer would take */
    uint32_t window;       /* the largest it offered, scaled */
    uint32_t acknowledged; /* the next byte that the peer waits for, as the
                              peer has said; before that, its SYN */
};

/* The rest of it; apart, so that a flow stays two cache lines. */
struct conntrack_facts {
    uint8_t scale : 4;    /* of the windows it offers */
    bool scale_known : 1; /* its SYN was seen and had the option */
    bool started : 1;     /* its SYN was seen */
    bool heard : 1;       /* and acknowledged */
    bool finished : 1;    /* its FIN was seen, and no data behind it */
};

/* For a flow without ports, whose host others want. Seconds. */
struct conntrack_contest {
    bool wanted;
    uint32_t since, last; /* so they have said */
    uint32_t silent;      /* until then */
};

struct conntrack {
    union {
        struct conntrack_end ends[2]; /* TCP's, by enum flow_side */
        struct conntrack_contest contest;
    };
    struct conntrack_facts facts[2];
    uint8_t state; /* enum conntrack_state */
};

/* Begins with the first packet of the qube. Says no where that cannot be a
 * first packet: TCP in the middle of a connection. */
MUST_USE enum drop conntrack_open(struct conntrack *track,
                                  const struct ip_packet *ip);

/* Takes note of a packet; says no where it must not pass. *refreshed is false
 * where it does not prolong the flow's life. */
MUST_USE enum drop conntrack_pass(struct conntrack *track,
                                  const struct ip_packet *ip,
                                  enum flow_side from, bool *refreshed);

/* Is it a SYN of the qube that begins anew? It has no connection any more,
 * whatever was known. */
bool conntrack_reopens(const struct conntrack *track,
                       const struct ip_packet *ip);

/* An ICMP error quotes this sequence number of a packet that `from` sent:
 * is that still on its way (RFC 5927 4.1)? Blind attackers do not know it. */
bool conntrack_sent(const struct conntrack *track, enum flow_side from,
                    uint32_t sequence);

/* ESP, GRE and SCTP: another qube asks for the host, in that second. True
 * where the flow has had its time, and has to end. */
MUST_USE bool conntrack_contest(struct conntrack *track, uint32_t now);
/* Nothing passes before that second. */
void conntrack_silence(struct conntrack *track, uint32_t until);
bool conntrack_is_silent(const struct conntrack *track, uint32_t now);

/* Seconds it lives without a packet. */
uint32_t conntrack_timeout(const struct conntrack *track);

/* A TCP connection that does not stand yet. */
bool conntrack_is_half_open(const struct conntrack *track);

/* It has led to nothing yet: the first to go when room is needed. */
bool conntrack_is_transitory(const struct conntrack *track);

#endif
