#include "firewall/conntrack.h"

enum {
    PORT_DNS = 53,
    /* An ACK may be this much older than what is known, at least; Linux'
     * MAXACKWINCONST. */
    ACK_WINDOW_MIN = 66000,
    WINDOW_SCALE_MAX = 14, /* RFC 7323 2.3 */
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_WINDOW_SCALE = 3,
};

/* Seconds. RFC 4787 REQ-5: 2 minutes at least, 5 recommended. RFC 5382
 * REQ-5: 2 h 4 min established, 4 min transitory. RFC 5508 REQ-2: 60 s. */
static const uint16_t timeouts[CONNTRACK_STATES] = {
    [CONNTRACK_UDP_ONE_WAY] = 120,  [CONNTRACK_UDP] = 300,
    [CONNTRACK_DNS] = 30,           [CONNTRACK_ICMP] = 60,
    [CONNTRACK_OTHER] = 600,        [CONNTRACK_TCP_OPENING] = 240,
    [CONNTRACK_TCP_ANSWERED] = 240, [CONNTRACK_TCP_ESTABLISHED] = 7440,
    [CONNTRACK_TCP_CLOSING] = 7440, /* one half may go on for long */
    [CONNTRACK_TCP_CLOSED] = 240,   [CONNTRACK_TCP_RESET] = 240,
};

uint32_t conntrack_timeout(const struct conntrack *track)
{
    return timeouts[track->state];
}

bool conntrack_is_half_open(const struct conntrack *track)
{
    return track->state == CONNTRACK_TCP_OPENING ||
           track->state == CONNTRACK_TCP_ANSWERED;
}

bool conntrack_is_transitory(const struct conntrack *track)
{
    switch ((enum conntrack_state)track->state) {
    case CONNTRACK_UDP:
    case CONNTRACK_TCP_ESTABLISHED:
    case CONNTRACK_TCP_CLOSING:
    case CONNTRACK_OTHER:
        return false;
    case CONNTRACK_UDP_ONE_WAY:
    case CONNTRACK_DNS:
    case CONNTRACK_ICMP:
    case CONNTRACK_TCP_OPENING:
    case CONNTRACK_TCP_ANSWERED:
    case CONNTRACK_TCP_CLOSED:
    case CONNTRACK_TCP_RESET:
    case CONNTRACK_STATES:
        break;
    }
    return true;
}

/* Sequence numbers go round (RFC 9293 3.4). */
static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static uint32_t later(uint32_t a, uint32_t b)
{
    return before(a, b) ? b : a;
}

/* The numbers of a TCP packet. */
struct segment_numbers {
    uint32_t sequence, end, acknowledgement, window;
    uint8_t flags;
};

static struct segment_numbers numbers_of(const struct ip_packet *ip)
{
    const uint8_t *t = ip_transport(ip);
    struct segment_numbers n = {
        .sequence = load_u32(t + TCP_SEQUENCE),
        .acknowledgement = load_u32(t + TCP_ACKNOWLEDGEMENT),
        .window = load_u16(t + TCP_WINDOW),
        .flags = ip->tcp_flags,
    };
    n.end = n.sequence + ip_payload_size(ip);
    if (n.flags & TCP_SYN)
        n.end++;
    if (n.flags & TCP_FIN)
        n.end++;
    return n;
}

static void learn_scale(struct conntrack_end *end, const struct ip_packet *ip)
{
    struct reader r = reader_of(
        bytes_of(ip_transport(ip) + TCP_HEADER_SIZE,
                 (size_t)(ip->payload - ip->transport - TCP_HEADER_SIZE)));
    end->scale_known = false;
    end->scale = 0;
    while (r.left > 0) {
        uint8_t kind = read_u8(&r);
        if (kind == OPTION_END)
            return;
        if (kind == OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r);
        if (length < 2)
            return;
        struct reader option = read_sub(&r, (size_t)length - 2);
        if (kind == OPTION_WINDOW_SCALE && length == 3) {
            uint8_t scale = read_u8(&option);
            end->scale_known = reader_ok(&option);
            end->scale = scale < WINDOW_SCALE_MAX ? scale : WINDOW_SCALE_MAX;
        }
    }
}

/* A SYN tells all there is to know of its sender. */
static void start_end(struct conntrack_end *end, const struct ip_packet *ip,
                      const struct segment_numbers *n)
{
    *end = (struct conntrack_end){
        .end = n->end,
        .limit = n->end,
        .window = n->window ? n->window : 1,
        .started = true,
    };
    learn_scale(end, ip);
}

enum drop conntrack_open(struct conntrack *track, const struct ip_packet *ip)
{
    *track = (struct conntrack){.state = CONNTRACK_OTHER};
    if (ip->protocol == IP_UDP)
        track->state = CONNTRACK_UDP_ONE_WAY;
    if (ip->protocol == IP_ICMP || ip->protocol == IP_ICMPV6)
        track->state = CONNTRACK_ICMP;
    if (ip->protocol != IP_TCP)
        return DROP_NONE;
    if ((ip->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
        return DROP_NO_FLOW;
    struct segment_numbers n = numbers_of(ip);
    track->state = CONNTRACK_TCP_OPENING;
    start_end(&track->ends[FLOW_SIDE_QUBE], ip, &n);
    return DROP_NONE;
}

bool conntrack_reopens(const struct conntrack *track,
                       const struct ip_packet *ip)
{
    return (track->state == CONNTRACK_TCP_CLOSED ||
            track->state == CONNTRACK_TCP_RESET) &&
           (ip->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Scaling counts only where both offered it, and never in a SYN. */
static uint32_t offered_window(const struct conntrack *track,
                               enum flow_side from,
                               const struct segment_numbers *n)
{
    const struct conntrack_end *a = &track->ends[from],
                               *b = &track->ends[!from];
    if ((n->flags & TCP_SYN) || !a->scale_known || !b->scale_known)
        return n->window;
    return n->window << a->scale;
}

/* Could the sender's peer take this packet seriously? The four conditions of
 * Linux' tcp_in_window(), after van Rooij's "Real Stateful TCP Packet
 * Filtering in IP Filter". */
static bool in_window(const struct conntrack_end *sender,
                      const struct conntrack_end *receiver,
                      const struct segment_numbers *n)
{
    if (!receiver->started)
        return true;
    uint32_t backward = receiver->window;
    uint32_t oldest_ack =
        sender->window > ACK_WINDOW_MIN ? sender->window : ACK_WINDOW_MIN;
    bool acknowledged =
        !(n->flags & TCP_ACK) ||
        (!before(receiver->end, n->acknowledgement) &&
         !before(n->acknowledgement, receiver->end - oldest_ack));
    return acknowledged && !before(sender->limit, n->sequence) &&
           !before(n->end, sender->end - backward - 1);
}

static void advance(struct conntrack *track, enum flow_side from,
                    const struct segment_numbers *n)
{
    struct conntrack_end *sender = &track->ends[from];
    struct conntrack_end *receiver = &track->ends[!from];
    uint32_t window = offered_window(track, from, n);
    sender->end = later(sender->end, n->end);
    if (sender->window < window)
        sender->window = window;
    if (n->flags & TCP_ACK)
        receiver->limit =
            later(receiver->limit, n->acknowledgement + (window ? window : 1));
}

/* Down to the shorter life; another RST does not prolong it. */
static void reset(struct conntrack *track, bool *refreshed)
{
    if (track->state == CONNTRACK_TCP_CLOSED ||
        track->state == CONNTRACK_TCP_RESET)
        return;
    track->state = CONNTRACK_TCP_RESET;
    *refreshed = true;
}

static void data_or_ack(struct conntrack *track, enum flow_side from,
                        const struct segment_numbers *n)
{
    struct conntrack_end *sender = &track->ends[from];
    if (n->flags & TCP_FIN)
        sender->finished = true;
    if (track->state == CONNTRACK_TCP_OPENING && from == FLOW_SIDE_TUNNEL &&
        (n->flags & TCP_SYN))
        track->state = CONNTRACK_TCP_ANSWERED;
    else if (track->state == CONNTRACK_TCP_ANSWERED && from == FLOW_SIDE_QUBE &&
             (n->flags & TCP_ACK))
        track->state = CONNTRACK_TCP_ESTABLISHED;
    else if (track->state == CONNTRACK_TCP_RESET && from == FLOW_SIDE_QUBE)
        track->state = CONNTRACK_TCP_ESTABLISHED;

    if (track->state == CONNTRACK_TCP_ESTABLISHED && sender->finished)
        track->state = CONNTRACK_TCP_CLOSING;
    if (track->ends[0].finished && track->ends[1].finished)
        track->state = CONNTRACK_TCP_CLOSED;
}

/* An answer that is no SYN: a refusal, which must name what it refuses, or
 * the ACK of an older connection, at which the qube will send a RST. */
static enum drop before_start(struct conntrack *track, enum flow_side from,
                              const struct segment_numbers *n, bool *refreshed)
{
    if (!(n->flags & TCP_RST))
        return DROP_NONE;
    if (n->acknowledgement != track->ends[!from].end)
        return DROP_FLOW_STATE;
    reset(track, refreshed);
    return DROP_NONE;
}

/* May that SYN be its sender's first? Unanswered, the qube may have given up
 * and begin again; and an answer that acknowledges may come behind one that
 * somebody forged. */
static bool may_start(const struct conntrack *track, enum flow_side from,
                      const struct segment_numbers *n)
{
    bool acknowledges = n->flags & TCP_ACK;
    if (!track->ends[from].started)
        return true;
    if (from == FLOW_SIDE_QUBE)
        return track->state == CONNTRACK_TCP_OPENING && !acknowledges;
    return conntrack_is_half_open(track) && acknowledges;
}

static enum drop pass_tcp(struct conntrack *track, const struct ip_packet *ip,
                          enum flow_side from, bool *refreshed)
{
    struct segment_numbers n = numbers_of(ip);
    struct conntrack_end *sender = &track->ends[from];
    uint8_t control = n.flags & (TCP_SYN | TCP_RST | TCP_FIN);
    *refreshed = false;
    /* At most one of the three, and each packet but the first SYN and RST
     * acknowledges. */
    if ((control & (control - 1)) != 0 ||
        (!(n.flags & TCP_ACK) && !(control & (TCP_SYN | TCP_RST))))
        return DROP_FLOW_STATE;
    if (control == TCP_SYN && may_start(track, from, &n)) {
        struct conntrack_end fresh;
        start_end(&fresh, ip, &n);
        if (!in_window(&fresh, &track->ends[!from], &n))
            return DROP_NONE;
        *sender = fresh;
    }
    if (!sender->started)
        return before_start(track, from, &n, refreshed);
    if (!in_window(sender, &track->ends[!from], &n))
        return control == TCP_RST ? DROP_FLOW_STATE : DROP_NONE;
    if (control == TCP_RST) {
        reset(track, refreshed);
        return DROP_NONE;
    }
    advance(track, from, &n);
    data_or_ack(track, from, &n);
    *refreshed = true;
    return DROP_NONE;
}

enum drop conntrack_pass(struct conntrack *track, const struct ip_packet *ip,
                         enum flow_side from, bool *refreshed)
{
    if (ip->protocol == IP_TCP)
        return pass_tcp(track, ip, from, refreshed);
    if (track->state == CONNTRACK_UDP_ONE_WAY && from == FLOW_SIDE_TUNNEL)
        track->state =
            ip->source_port == PORT_DNS ? CONNTRACK_DNS : CONNTRACK_UDP;
    *refreshed = true;
    return DROP_NONE;
}

bool conntrack_sent(const struct conntrack *track, enum flow_side from,
                    uint32_t sequence)
{
    const struct conntrack_end *sender = &track->ends[from];
    const struct conntrack_end *receiver = &track->ends[!from];
    uint32_t backward =
        receiver->window > ACK_WINDOW_MIN ? receiver->window : ACK_WINDOW_MIN;
    return sender->started && !before(sender->end, sequence) &&
           !before(sequence, sender->end - backward);
}
