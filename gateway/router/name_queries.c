#include "gateway/router/name_queries.h"

#include <assert.h>

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

enum { TTL = 64, HEADERS = IPV4_HEADER_SIZE + UDP_HEADER_SIZE };

void name_queries_init(struct name_queries *q, struct firewall *firewall)
{
    *q = (struct name_queries){.firewall = firewall};
}

static void forget(struct name_queries *q, struct instant now,
                   struct name_query *query)
{
    if (query->asked)
        firewall_return_port(q->firewall, now, &query->port);
    query->asked = false;
}

/* Rules may have changed since; another name may have its place. */
static bool still_wanted(const struct rule_names *names,
                         const struct name_query *query)
{
    const struct rule_name *name = &names->names[query->name];
    return name->uses > 0 && strcmp(name->text, query->text) == 0;
}

static void fail(struct name_queries *q, struct instant now,
                 struct name_query *query)
{
    struct rule_names *names = firewall_names(q->firewall);
    if (still_wanted(names, query))
        rule_names_failed(names, now, query->name, query->family,
                          (enum rule_name_state)query->why);
    forget(q, now, query);
}

void name_queries_restart(struct name_queries *q, struct instant now,
                          bool other_tunnel)
{
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        if (q->queries[i].asked)
            fail(q, now, &q->queries[i]);
    }
    rule_names_hurry(firewall_names(q->firewall), now, other_tunnel);
}

/* --- Asking -------------------------------------------------------------- */

static void write_packet(const struct name_query *query,
                         const struct address *source, struct packet *p)
{
    struct ip_packet ip = {
        .data = p->data,
        .total = (uint32_t)(HEADERS + query->size),
        .transport = IPV4_HEADER_SIZE,
        .family = ADDRESS_IPV4,
        .protocol = IP_UDP,
    };
    uint8_t *h = p->data, *udp = h + IPV4_HEADER_SIZE;
    uint16_t udp_size = (uint16_t)(UDP_HEADER_SIZE + query->size);
    memset(h, 0, HEADERS);
    h[0] = 0x45;
    store_u16(h + IPV4_TOTAL_LENGTH, (uint16_t)ip.total);
    store_u16(h + IPV4_FRAGMENT, IPV4_DONT_FRAGMENT);
    h[IPV4_TTL] = TTL;
    h[IPV4_PROTOCOL] = IP_UDP;
    memcpy(h + IPV4_SOURCE, source->bytes, 4);
    memcpy(h + IPV4_DESTINATION, query->resolver.bytes, 4);
    ip_write_checksum(&ip);
    store_u16(udp, query->port.number);
    store_u16(udp + 2, TUNNEL_DNS_PORT);
    store_u16(udp + UDP_LENGTH, udp_size);
    memcpy(udp + UDP_HEADER_SIZE, query->message, query->size);
    uint16_t checksum = checksum_finish(checksum_sum(udp, udp_size) +
                                        ip_pseudo_sum(&ip, udp_size));
    store_u16(udp + UDP_CHECKSUM, checksum ? checksum : 0xffff);
    p->size = ip.total;
    p->checksum = PACKET_CHECKSUM_VALID;
    enum drop drop = ip_packet_parse(p);
    assert(drop == DROP_NONE);
}

/* The first attempt goes to the first resolver, the next to the second. */
static void send(struct name_query *query, struct instant now,
                 const struct dns *dns, const struct address *source,
                 struct packet_batch *out)
{
    const struct address *resolver = &dns->resolvers[query->attempts % 2];
    struct packet *p = packet_batch_add(out);
    query->attempts++;
    query->resolver = *resolver;
    query->deadline =
        instant_after(now, duration_seconds(NAME_QUERIES_PATIENCE));
    if (p)
        write_packet(query, source, p);
}

static bool start(struct name_queries *q, struct instant now,
                  struct name_query *query)
{
    struct rule_names *names = firewall_names(q->firewall);
    struct instant again = instant_after(
        now, duration_seconds(NAME_QUERIES_ATTEMPTS * NAME_QUERIES_PATIENCE +
                              NAME_QUERIES_PATIENCE));
    *query = (struct name_query){.why = RULE_NAME_SILENT};
    if (!rule_names_next(names, now, again, &query->name, &query->family))
        return false;
    uint16_t id = (uint16_t)firewall_random(q->firewall);
    memcpy(query->text, names->names[query->name].text, sizeof query->text);
    query->size =
        dns_message_query(query->message, query->text, query->family, id);
    query->asked =
        query->size > 0 && firewall_lend_port(q->firewall, now, &query->port);
    if (!query->asked)
        rule_names_failed(names, now, query->name, query->family,
                          RULE_NAME_SILENT);
    return true;
}

void name_queries_ask(struct name_queries *q, struct instant now,
                      const struct dns *dns, const struct address *source,
                      struct packet_batch *out)
{
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        struct name_query *query = &q->queries[i];
        if (query->asked && !instant_reached(now, query->deadline))
            continue;
        if (query->asked && query->attempts >= NAME_QUERIES_ATTEMPTS)
            fail(q, now, query);
        if (!query->asked && !start(q, now, query))
            continue;
        if (query->asked)
            send(query, now, dns, source, out);
    }
}

struct instant name_queries_deadline(const struct name_queries *q)
{
    struct instant deadline = INSTANT_NEVER;
    size_t asked = 0;
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++)
        if (q->queries[i].asked) {
            deadline = instant_earlier(deadline, q->queries[i].deadline);
            asked++;
        }
    if (asked == NAME_QUERIES_MAX)
        return deadline; /* a name that is due has to wait */
    return instant_earlier(deadline,
                           rule_names_deadline(firewall_names(q->firewall)));
}

/* --- Answers ------------------------------------------------------------- */

static bool checksum_is_right(const struct packet *p,
                              const struct ip_packet *ip)
{
    uint32_t size = load_u16(ip_transport(ip) + UDP_LENGTH);
    return p->checksum == PACKET_CHECKSUM_VALID ||
           load_u16(ip_transport(ip) + UDP_CHECKSUM) == 0 ||
           checksum_fold(ip_pseudo_sum(ip, size) +
                         checksum_sum(ip_transport(ip), size)) == 0xffff;
}

static bool is_for(const struct name_query *query, const struct ip_packet *ip)
{
    return query->asked && ip->destination_port == query->port.number &&
           memcmp(ip_source(ip), query->resolver.bytes, 4) == 0;
}

bool name_queries_await(const struct name_queries *q,
                        const struct ip_packet *ip)
{
    bool later = ip->fragment_offset > 0;
    if (ip->family != ADDRESS_IPV4 || ip->protocol != IP_UDP)
        return false;
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        const struct name_query *query = &q->queries[i];
        bool from = query->asked &&
                    memcmp(ip_source(ip), query->resolver.bytes, 4) == 0;
        if (from && (later || is_for(query, ip)))
            return true;
    }
    return false;
}

static enum rule_name_state state_after(enum dns_message_outcome outcome)
{
    static const enum rule_name_state states[DNS_MESSAGE_OUTCOMES] = {
        [DNS_MESSAGE_ADDRESSES] = RULE_NAME_KNOWN,
        [DNS_MESSAGE_TRUNCATED] = RULE_NAME_TRUNCATED,
        [DNS_MESSAGE_TOO_MANY] = RULE_NAME_TOO_MANY,
        [DNS_MESSAGE_NO_NAME] = RULE_NAME_NO_NAME,
        [DNS_MESSAGE_NO_ADDRESS] = RULE_NAME_NO_ADDRESS,
        [DNS_MESSAGE_FAILURE] = RULE_NAME_FAILURE,
    };
    return states[outcome];
}

/* A resolver that cannot tell, or not in a datagram, is passed over for the
 * other one, at once. */
static void take(struct name_queries *q, struct instant now,
                 struct name_query *query, const struct dns_message_answer *a)
{
    struct rule_names *names = firewall_names(q->firewall);
    if (!still_wanted(names, query)) {
        forget(q, now, query);
        return;
    }
    if (a->outcome == DNS_MESSAGE_ADDRESSES) {
        rule_names_answer(names, now, query->name, query->family, a->addresses,
                          a->count, a->ttl);
        forget(q, now, query);
        return;
    }
    rule_names_learn(names, now, query->name, query->family, a->addresses,
                     a->count, a->ttl);
    query->why = (uint8_t)state_after(a->outcome);
    if (a->outcome == DNS_MESSAGE_FAILURE ||
        a->outcome == DNS_MESSAGE_TRUNCATED)
        query->deadline = now;
    else
        fail(q, now, query);
}

bool name_queries_receive(struct name_queries *q, struct instant now,
                          const struct packet *packet)
{
    const struct ip_packet *ip = &packet->ip;
    if (ip->family != ADDRESS_IPV4 || ip->protocol != IP_UDP ||
        ip->source_port != TUNNEL_DNS_PORT || packet->piece_count > 0)
        return false;
    struct bytes message = bytes_of(ip->data + ip->payload,
                                    load_u16(ip_transport(ip) + UDP_LENGTH) -
                                        (size_t)UDP_HEADER_SIZE);
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        struct name_query *query = &q->queries[i];
        struct dns_message_answer answer;
        if (!is_for(query, ip) || !checksum_is_right(packet, ip) ||
            !dns_message_parse(message, bytes_of(query->message, query->size),
                               query->family, &answer))
            continue;
        take(q, now, query, &answer);
        return true;
    }
    return false;
}
