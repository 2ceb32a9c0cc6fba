#include "firewall/conntrack.h"

#include "gateway/base/tunnel.h"

enum {
    /* An ACK may be this much older than what is known, at least; Linux'
     * MAXACKWINCONST. */
    ACK_WINDOW_MIN = 66000,
    WINDOW_SCALE_MAX = 14, /* RFC 7323 2.3 */
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_WINDOW_SCALE = 3,
    /* Seconds. A qube that has a host to itself keeps it for so long after
     * another wants it, and goes on asking so often. */
    CONTEST_TERM = 600,
    CONTEST_PATIENCE = 120,
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

static void learn_scale(struct conntrack_facts *facts,
                        const struct ip_packet *ip)
{
    struct reader r = reader_of(
        bytes_of(ip_transport(ip) + TCP_HEADER_SIZE,
                 (size_t)(ip->payload - ip->transport - TCP_HEADER_SIZE)));
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
            if (scale > WINDOW_SCALE_MAX)
                scale = WINDOW_SCALE_MAX;
            facts->scale_known = reader_ok(&option);
            facts->scale = scale & 0xfu;
        }
    }
}

/* A SYN tells all there is to know of its sender; the other's window, if there
 * was a SYN of it, is never scaled there. */
static void start(struct conntrack *track, enum flow_side from,
                  const struct ip_packet *ip, const struct segment_numbers *n)
{
    track->ends[from] = (struct conntrack_end){
        .end = n->end,
        .limit = n->end + track->ends[!from].window,
        .window = n->window ? n->window : 1,
        .acknowledged = n->sequence,
    };
    track->facts[from] = (struct conntrack_facts){.started = true};
    learn_scale(&track->facts[from], ip);
}

static bool is_pure_syn(const struct ip_packet *ip)
{
    return (ip->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

bool conntrack_contest(struct conntrack *track, uint32_t now)
{
    struct conntrack_contest *c = &track->contest;
    if (!c->wanted || now - c->last > CONTEST_PATIENCE)
        c->since = now;
    c->wanted = true;
    c->last = now;
    return now - c->since >= CONTEST_TERM;
}

void conntrack_silence(struct conntrack *track, uint32_t until)
{
    track->contest.silent = until;
}

bool conntrack_is_silent(const struct conntrack *track, uint32_t now)
{
    return track->state == CONNTRACK_OTHER && now < track->contest.silent;
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
    if (!is_pure_syn(ip))
        return DROP_NO_FLOW;
    struct segment_numbers n = numbers_of(ip);
    track->state = CONNTRACK_TCP_OPENING;
    start(track, FLOW_SIDE_QUBE, ip, &n);
    return DROP_NONE;
}

/* Unanswered it may begin again as well, but that is no other connection; and
 * while it is being answered its SYN may come once more. */
bool conntrack_reopens(const struct conntrack *track,
                       const struct ip_packet *ip)
{
    if (!is_pure_syn(ip) || track->state == CONNTRACK_TCP_OPENING)
        return false;
    return track->state != CONNTRACK_TCP_ANSWERED ||
           numbers_of(ip).end != track->ends[FLOW_SIDE_QUBE].end;
}

/* Scaling counts only where both offered it, and never in a SYN. */
static uint32_t offered_window(const struct conntrack *track,
                               enum flow_side from,
                               const struct segment_numbers *n)
{
    const struct conntrack_facts *a = &track->facts[from],
                                 *b = &track->facts[!from];
    if ((n->flags & TCP_SYN) || !a->scale_known || !b->scale_known)
        return n->window;
    return n->window << a->scale;
}

/* Could the sender's peer take this packet seriously? The four conditions of
 * Linux' tcp_in_window(), after van Rooij's "Real Stateful TCP Packet
 * Filtering in IP Filter". */
static bool in_window(const struct conntrack *track, enum flow_side from,
                      const struct segment_numbers *n)
{
    const struct conntrack_end *sender = &track->ends[from],
                               *receiver = &track->ends[!from];
    if (!track->facts[!from].started)
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
    struct conntrack_facts *facts = &track->facts[from];
    uint32_t window = offered_window(track, from, n);
    /* A sender that goes on behind its FIN has not sent it. */
    if (before(sender->end, n->end))
        facts->finished = false;
    sender->end = later(sender->end, n->end);
    if (n->flags & TCP_FIN && n->end == sender->end)
        facts->finished = true;
    if (sender->window < window)
        sender->window = window;
    if (!(n->flags & TCP_ACK) || !track->facts[!from].started)
        return;
    receiver->limit =
        later(receiver->limit, n->acknowledgement + (window ? window : 1));
    if (before(receiver->acknowledged, n->acknowledgement)) {
        receiver->acknowledged = n->acknowledgement;
        track->facts[!from].heard = true;
    }
}

static bool stands(const struct conntrack *track)
{
    return track->facts[FLOW_SIDE_QUBE].heard &&
           track->facts[FLOW_SIDE_TUNNEL].heard;
}

/* Closed by the qube's word: it has the other end's FIN, which nobody can
 * have forged then, and has sent its own. */
static bool is_closed(const struct conntrack *track)
{
    const struct conntrack_end *other = &track->ends[FLOW_SIDE_TUNNEL];
    return track->facts[FLOW_SIDE_QUBE].finished &&
           track->facts[FLOW_SIDE_TUNNEL].finished &&
           other->acknowledged == other->end;
}

/* The state that what is known amounts to. After a RST only the qube brings
 * the connection back. */
static enum conntrack_state state_of(const struct conntrack *track,
                                     enum flow_side from)
{
    if (track->state == CONNTRACK_TCP_RESET &&
        (from == FLOW_SIDE_TUNNEL || !stands(track)))
        return CONNTRACK_TCP_RESET;
    if (!track->facts[FLOW_SIDE_TUNNEL].started)
        return CONNTRACK_TCP_OPENING;
    if (!stands(track))
        return CONNTRACK_TCP_ANSWERED;
    if (is_closed(track))
        return CONNTRACK_TCP_CLOSED;
    return track->facts[0].finished || track->facts[1].finished
               ? CONNTRACK_TCP_CLOSING
               : CONNTRACK_TCP_ESTABLISHED;
}

/* Nothing but a new SYN opens again what is closed. */
static enum drop pass_numbers(struct conntrack *track, enum flow_side from,
                              const struct segment_numbers *n, bool *counts)
{
    *counts = track->facts[from].started && in_window(track, from, n);
    if (*counts && track->state != CONNTRACK_TCP_CLOSED) {
        advance(track, from, n);
        track->state = (uint8_t)state_of(track, from);
    }
    return DROP_NONE;
}

/* Down to the shorter life; another RST does not prolong it. */
static enum drop reset(struct conntrack *track)
{
    if (track->state != CONNTRACK_TCP_CLOSED)
        track->state = CONNTRACK_TCP_RESET;
    return DROP_NONE;
}

/* Before the tunnel's side has begun. A refusal must name what it refuses
 * (RFC 9293 3.10.7.3); the qube may end an older connection of the other end,
 * which is not known here, or give up its own. */
static enum drop pass_early_reset(struct conntrack *track, enum flow_side from,
                                  const struct segment_numbers *n)
{
    const struct conntrack_end *qube = &track->ends[FLOW_SIDE_QUBE];
    if (from == FLOW_SIDE_QUBE)
        return n->sequence == qube->end ? reset(track) : DROP_NONE;
    if (!(n->flags & TCP_ACK) ||
        !before(qube->acknowledged, n->acknowledgement) ||
        before(qube->end, n->acknowledgement))
        return DROP_FLOW_STATE;
    return reset(track);
}

/* RFC 5961 3.2. The receiver waits for what it has acknowledged last, or has
 * everything that passed here already. Some send a RST with the number of a
 * FIN that the receiver has. */
static enum drop pass_reset(struct conntrack *track, enum flow_side from,
                            const struct segment_numbers *n)
{
    const struct conntrack_end *sender = &track->ends[from];
    if (!track->facts[FLOW_SIDE_TUNNEL].started)
        return pass_early_reset(track, from, n);
    uint32_t next = sender->acknowledged + !track->facts[from].heard;
    if (n->sequence == next || n->sequence == sender->end)
        return reset(track);
    if (before(n->sequence, next - track->facts[from].finished) ||
        before(sender->limit, n->sequence))
        return DROP_FLOW_STATE;
    return DROP_NONE;
}

/* May that SYN be its sender's first? Unanswered, the qube may have given up
 * and begin again; and an answer that acknowledges may come behind one that
 * somebody forged. */
static bool may_start(const struct conntrack *track, enum flow_side from,
                      const struct segment_numbers *n)
{
    bool acknowledges = n->flags & TCP_ACK;
    if (from == FLOW_SIDE_QUBE)
        return track->state == CONNTRACK_TCP_OPENING && !acknowledges;
    if (!conntrack_is_half_open(track))
        return false;
    return acknowledges || !track->facts[from].started;
}

/* Has its sender said that before? So it does where the answer was lost. */
static bool is_repeated(const struct conntrack *track, enum flow_side from,
                        const struct segment_numbers *n)
{
    uint32_t end = track->ends[from].end;
    bool known =
        conntrack_is_half_open(track) ? n->end == end : !before(end, n->end);
    return track->facts[from].started && known && in_window(track, from, n);
}

/* From the tunnel a SYN that opens nothing does not pass, because a program
 * of the qube may listen at the port; the qube's own SYN hurts nobody. */
static enum drop pass_syn(struct conntrack *track, const struct ip_packet *ip,
                          enum flow_side from, const struct segment_numbers *n,
                          bool *counts)
{
    bool half_open = conntrack_is_half_open(track);
    bool repeated = is_repeated(track, from, n);
    if (repeated && half_open)
        return pass_numbers(track, from, n, counts);
    if (may_start(track, from, n)) {
        struct conntrack fresh = *track;
        start(&fresh, from, ip, n);
        if (!in_window(&fresh, from, n))
            return DROP_NONE;
        *track = fresh;
        return pass_numbers(track, from, n, counts);
    }
    if (from == FLOW_SIDE_QUBE || (repeated && (n->flags & TCP_ACK)))
        return DROP_NONE;
    return DROP_FLOW_STATE;
}

static enum drop pass_tcp(struct conntrack *track, const struct ip_packet *ip,
                          enum flow_side from, bool *counts)
{
    struct segment_numbers n = numbers_of(ip);
    uint8_t control = n.flags & (TCP_SYN | TCP_RST | TCP_FIN);
    /* At most one of the three, and each packet but the first SYN and RST
     * acknowledges. */
    if ((control & (control - 1)) != 0 ||
        (!(n.flags & TCP_ACK) && !(control & (TCP_SYN | TCP_RST))))
        return DROP_FLOW_STATE;
    if (control == TCP_RST)
        return pass_reset(track, from, &n);
    if (control == TCP_SYN)
        return pass_syn(track, ip, from, &n, counts);
    return pass_numbers(track, from, &n, counts);
}

enum drop conntrack_pass(struct conntrack *track, const struct ip_packet *ip,
                         enum flow_side from, bool *refreshed)
{
    uint8_t state = track->state;
    bool counts = ip->protocol != IP_TCP;
    enum drop drop = DROP_NONE;
    if (ip->protocol == IP_TCP)
        drop = pass_tcp(track, ip, from, &counts);
    else if (state == CONNTRACK_UDP_ONE_WAY && from == FLOW_SIDE_TUNNEL)
        track->state =
            ip->source_port == TUNNEL_DNS_PORT ? CONNTRACK_DNS : CONNTRACK_UDP;
    *refreshed =
        track->state != state ||
        (counts && (from == FLOW_SIDE_QUBE || !conntrack_is_transitory(track)));
    return drop;
}

bool conntrack_sent(const struct conntrack *track, enum flow_side from,
                    uint32_t sequence)
{
    const struct conntrack_end *sender = &track->ends[from];
    return track->facts[from].started && !before(sender->end, sequence) &&
           !before(sequence, sender->acknowledged);
}
