#include "gateway/packet/fragments.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/packet/fragments_state.h"
#include "gateway/packet/ip_packet.h"

struct fragments *fragments_new(uint16_t shares)
{
    struct fragments *f = calloc(1, sizeof *f + shares * sizeof *f->shares);
    if (!f)
        return NULL;
    f->memory = malloc((size_t)FRAGMENTS_CHUNKS * FRAGMENTS_CHUNK_SIZE);
    if (!f->memory) {
        free(f);
        return NULL;
    }
    for (uint16_t i = 0; i < FRAGMENTS_CHUNKS; i++)
        f->chunks[i].next =
            i + 1 < FRAGMENTS_CHUNKS ? (uint16_t)(i + 1) : FRAGMENTS_NONE;
    f->share_count = shares;
    for (uint16_t i = 0; i < shares; i++)
        f->shares[i] = (struct share){FRAGMENTS_NONE, FRAGMENTS_NONE, 0, 0, 0};
    for (uint16_t i = 0; i < FRAGMENTS_PACKETS; i++)
        f->held[i].next = (uint16_t)(i + 1);
    f->free_count = FRAGMENTS_CHUNKS;
    f->lent = FRAGMENTS_NONE;
    return f;
}

void fragments_free(struct fragments *f)
{
    if (!f)
        return;
    free(f->memory);
    free(f);
}

void fragments_release(struct fragments *f)
{
    while (f->lent != FRAGMENTS_NONE) {
        uint16_t next = f->chunks[f->lent].next;
        fragments_state_give_back(f, f->lent);
        f->lent = next;
    }
    f->lent_pieces = 0;
}

/* --- One fragment -------------------------------------------------------- */

/* A fragment's payload, and where it belongs. */
struct fragment {
    const struct ip_packet *ip;
    const uint8_t *data;
    uint32_t offset, size;
    bool last;
};

/* As much of it as lies in one chunk. */
struct span {
    uint16_t index; /* of the packet's chunks */
    uint32_t at;    /* into it */
    uint32_t from;  /* into the fragment */
    uint32_t size;
};

static bool take_apart(const struct packet *p, const struct ip_packet *ip,
                       struct fragment *out)
{
    bool v4 = ip->family == ADDRESS_IPV4;
    uint16_t header = v4 ? IPV4_HEADER_SIZE : IPV6_WITH_FRAGMENT;
    struct fragment part = {
        .ip = ip,
        .data = ip->data + ip->transport,
        .offset = ip->fragment_offset,
        .size = ip->total - ip->transport,
        .last = !ip->more_fragments,
    };
    *out = part;
    /* An IPv6 payload length does not count the fixed header. */
    uint32_t most = PACKET_SIZE_MAX - (v4 ? header : IPV6_FRAGMENT_SIZE);
    return ip->transport == header && p->piece_count == 0 && part.size > 0 &&
           (part.last || part.size % UNIT == 0) &&
           part.offset + part.size <= most;
}

/* The span behind the last one, which starts zeroed, of `size` bytes at
 * `offset`. */
static bool next_span(uint32_t offset, uint32_t size, struct span *s)
{
    uint32_t from = s->from + s->size, at = FRONT + offset + from;
    *s = (struct span){
        .index = (uint16_t)(at / FRAGMENTS_CHUNK_SIZE),
        .at = at % FRAGMENTS_CHUNK_SIZE,
        .from = from,
        .size = FRAGMENTS_CHUNK_SIZE - at % FRAGMENTS_CHUNK_SIZE,
    };
    if (s->size > size - from)
        s->size = size - from;
    return s->size > 0;
}

/* The units of a span, as bits of one of its chunk's words. */
static uint64_t bits(const struct span *s, uint32_t word)
{
    uint32_t first = s->at / UNIT, behind = first + (s->size + UNIT - 1) / UNIT;
    uint32_t low = word * WORD_UNITS, high = low + WORD_UNITS;
    first = first > low ? first : low;
    behind = behind < high ? behind : high;
    if (first >= behind)
        return 0;
    return ~0ULL >> (WORD_UNITS - (behind - first)) << (first - low);
}

static void write_ends(const struct ip_packet *ip, uint8_t out[32])
{
    memset(out, 0, 32);
    memcpy(out, ip_source(ip), 2 * ip_address_size(ip));
}

static struct held *find(struct fragments *f, uint16_t source,
                         const struct ip_packet *ip)
{
    uint8_t ends[32];
    write_ends(ip, ends);
    for (size_t i = 0; f->count > 0 && i < FRAGMENTS_PACKETS; i++) {
        struct held *h = &f->held[i];
        if (f->ids[i] != ip->fragment_id)
            continue;
        /* In IPv6 only the first one's next header means anything. */
        if (h->present && h->source == source && h->family == ip->family &&
            (h->protocol == ip->protocol || h->family == ADDRESS_IPV6) &&
            memcmp(h->ends, ends, sizeof ends) == 0)
            return h;
    }
    return NULL;
}

static struct held *begin(struct fragments *f, struct instant now,
                          const struct fragments_owner *owner,
                          const struct ip_packet *ip)
{
    fragments_state_make_room_for_packet(f, owner->share);
    bool first = f->count == 0;
    struct held *h = fragments_state_add(f, owner->share);
    int64_t seconds = ip->family == ADDRESS_IPV4 ? FRAGMENTS_IPV4_TIMEOUT
                                                 : FRAGMENTS_IPV6_TIMEOUT;
    f->ids[h - f->held] = ip->fragment_id;
    h->source = owner->source;
    h->family = ip->family;
    h->protocol = ip->protocol;
    h->deadline = instant_after(now, duration_seconds(seconds));
    write_ends(ip, h->ends);
    f->earliest =
        first ? h->deadline : instant_earlier(f->earliest, h->deadline);
    return h;
}

static void kill(struct fragments *f, struct held *h)
{
    fragments_state_clear(f, h);
    h->dead = true;
}

/* Units of a span that are there already, and whether they are the same. */
static uint32_t overlap_in(const struct fragments *f, uint16_t chunk,
                           const struct span *s, const uint8_t *data,
                           bool *same)
{
    const uint8_t *there = fragments_state_memory_of(f, chunk);
    uint32_t common = 0;
    for (uint32_t word = 0; word < CHUNK_WORDS; word++) {
        uint64_t both = f->chunks[chunk].there[word] & bits(s, word);
        for (; both; both &= both - 1, common++) {
            uint32_t at =
                (word * WORD_UNITS + (uint32_t)__builtin_ctzll(both)) * UNIT;
            uint32_t from = at - s->at, size = s->size - from;
            if (size > UNIT)
                size = UNIT;
            *same = *same && memcmp(there + at, data + from, size) == 0;
        }
    }
    return common;
}

static uint32_t overlap(const struct fragments *f, const struct held *h,
                        const struct fragment *part, bool *same)
{
    struct span s = {0};
    uint32_t common = 0;
    *same = true;
    while (next_span(part->offset, part->size, &s))
        if (h->chunks[s.index] != FRAGMENTS_NONE)
            common += overlap_in(f, h->chunks[s.index], &s, part->data + s.from,
                                 same);
    return common;
}

/* The end that it claims and what is there must fit each other. */
static bool end_fits(const struct held *h, const struct fragment *part)
{
    uint32_t part_end = part->offset + part->size;
    if (h->end)
        return part->last ? part_end == h->end : part_end < h->end;
    return !part->last || h->reach <= part_end;
}

static uint32_t chunks_for(const struct held *h, const struct fragment *part)
{
    struct span s = {0};
    uint32_t count = 0;
    while (next_span(part->offset, part->size, &s))
        count += h->chunks[s.index] == FRAGMENTS_NONE;
    return count;
}

static uint32_t units_of(uint32_t size)
{
    return (size + UNIT - 1) / UNIT;
}

static void store(struct fragments *f, struct held *h,
                  const struct fragment *part)
{
    struct span s = {0};
    uint32_t part_end = part->offset + part->size;
    while (next_span(part->offset, part->size, &s)) {
        if (h->chunks[s.index] == FRAGMENTS_NONE)
            h->chunks[s.index] = fragments_state_take_chunk(f, h);
        uint16_t chunk = h->chunks[s.index];
        memcpy(fragments_state_memory_of(f, chunk) + s.at, part->data + s.from,
               s.size);
        for (uint32_t word = 0; word < CHUNK_WORDS; word++)
            f->chunks[chunk].there[word] |= bits(&s, word);
    }
    h->fragments++;
    h->units += units_of(part->size);
    if (part_end > h->reach)
        h->reach = part_end;
    if (part->last)
        h->end = part_end;
    if (part->ip->total > h->largest)
        h->largest = (uint16_t)part->ip->total;
    if (part->offset == 0) {
        h->header_size = (uint8_t)part->ip->transport;
        memcpy(h->header, part->ip->data, h->header_size);
    }
}

/* --- The whole ----------------------------------------------------------- */

static void write_header(const struct held *h, uint8_t *out)
{
    memcpy(out, h->header, h->header_size);
    if (h->family == ADDRESS_IPV4) {
        store_u16(out + IPV4_TOTAL_LENGTH, (uint16_t)(h->header_size + h->end));
        store_u16(out + IPV4_FRAGMENT, 0);
        ip_write_checksum(&(struct ip_packet){
            .data = out, .family = ADDRESS_IPV4, .transport = h->header_size});
    } else {
        store_u16(out + IPV6_PAYLOAD_LENGTH,
                  (uint16_t)(IPV6_FRAGMENT_SIZE + h->end));
        store_u16(out + IPV6_HEADER_SIZE + 2, 0); /* offset, more */
    }
}

static void hand_out(struct fragments *f, struct held *h, struct packet *p)
{
    struct bytes *pieces = &f->pieces[f->lent_pieces];
    struct span s = {0};
    *p = (struct packet){
        .pieces = pieces,
        .headroom = (uint16_t)(FRONT - h->header_size),
        .qube = p->qube,
        .fragment_size = h->largest,
    };
    while (next_span(0, h->end, &s)) {
        uint16_t chunk = h->chunks[s.index];
        uint8_t *there = fragments_state_memory_of(f, chunk) + s.at;
        if (s.index == 0) {
            p->data = there - h->header_size;
            p->size = h->header_size + s.size;
        } else {
            pieces[p->piece_count++] = bytes_of(there, s.size);
            p->piece_bytes += s.size;
        }
        f->chunks[chunk].next = f->lent;
        f->lent = chunk;
    }
    f->lent_pieces = (uint16_t)(f->lent_pieces + p->piece_count);
    write_header(h, p->data);
    fragments_state_let_go(f, h);
    fragments_state_end(f, h);
}

enum fragments_result fragments_take(struct fragments *f, struct instant now,
                                     const struct fragments_owner *owner,
                                     struct packet *packet)
{
    const struct ip_packet *ip = &packet->ip;
    struct fragment part;
    bool same;
    assert(owner->share < f->share_count);
    if (!take_apart(packet, ip, &part))
        return FRAGMENTS_REFUSED;
    struct held *h = find(f, owner->source, ip);
    if (!h)
        h = begin(f, now, owner, ip);
    if (h->dead)
        return FRAGMENTS_REFUSED;
    if (part.offset == 0 && h->share != owner->share)
        fragments_state_move(f, h, owner->share);
    uint32_t common = overlap(f, h, &part, &same);
    if (common == units_of(part.size) && same && end_fits(h, &part))
        return FRAGMENTS_REFUSED; /* a copy */
    if (common > 0 || h->fragments == FRAGMENTS_PER_PACKET ||
        !end_fits(h, &part) ||
        !fragments_state_make_room(f, h, chunks_for(h, &part))) {
        kill(f, h);
        return FRAGMENTS_REFUSED;
    }
    store(f, h, &part);
    if (h->end == 0 || h->units < units_of(h->end))
        return FRAGMENTS_HELD;
    assert(h->header_size > 0);
    hand_out(f, h, packet);
    return FRAGMENTS_WHOLE;
}

/* --- What was in vain ---------------------------------------------------- */

static bool gave_way(struct fragments *f, struct fragments_loss *out)
{
    for (uint16_t i = 0; f->some_gave_way && i < f->share_count; i++) {
        struct share *s = &f->shares[i];
        if (s->gave_way == 0)
            continue;
        *out = (struct fragments_loss){i, s->gave_way, DROP_FRAGMENT_CROWDED};
        s->gave_way = 0;
        return true;
    }
    f->some_gave_way = false;
    return false;
}

bool fragments_lost(struct fragments *f, struct instant now,
                    struct fragments_loss *out)
{
    struct instant earliest = INSTANT_NEVER;
    if (gave_way(f, out))
        return true;
    if (f->count == 0 || !instant_reached(now, f->earliest))
        return false;
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++) {
        struct held *h = &f->held[i];
        if (!h->present)
            continue;
        if (instant_reached(now, h->deadline)) {
            *out = (struct fragments_loss){h->share, h->fragments,
                                           DROP_FRAGMENT_TIMEOUT};
            fragments_state_end(f, h);
            return true;
        }
        earliest = instant_earlier(earliest, h->deadline);
    }
    f->earliest = earliest;
    return false;
}

struct instant fragments_deadline(const struct fragments *f)
{
    return f->count > 0 ? f->earliest : INSTANT_NEVER;
}

void fragments_forget(struct fragments *f, uint16_t share)
{
    while (f->shares[share].first != FRAGMENTS_NONE)
        fragments_state_end(f, &f->held[f->shares[share].first]);
    f->shares[share].gave_way = 0;
}
