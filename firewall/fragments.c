#include "firewall/fragments.h"

#include <assert.h>
#include <stdlib.h>

enum {
    NONE = UINT16_MAX,
    IPV6_WITH_FRAGMENT = IPV6_HEADER_SIZE + IPV6_FRAGMENT_SIZE,
    /* In front of the first payload byte: the links' room, and the header. */
    FRONT = PACKET_HEADROOM + IPV6_WITH_FRAGMENT,
};

/* A run of payload in one chunk; the index is the chunk's. */
struct run {
    uint16_t offset, size;
    uint16_t next; /* with a higher offset; or in the list of free chunks */
};

struct held {
    bool present;
    bool dead; /* its fragments overlapped: what still comes is refused */
    uint16_t source;
    uint8_t family, protocol;
    uint32_t id;
    uint8_t ends[32]; /* source and destination address */
    struct instant deadline;
    uint16_t first;     /* run */
    uint16_t chunks;    /* runs */
    uint16_t fragments; /* those that came */
    uint16_t largest;   /* of them, as IP packets */
    uint32_t bytes;     /* payload so far */
    uint32_t end;       /* payload of the whole, or 0 if not known yet */
    uint8_t header[IPV6_WITH_FRAGMENT]; /* the first one's */
    uint8_t header_size;                /* 0: it did not come yet */
};

struct fragments {
    uint8_t *memory;
    uint16_t free; /* chunk */
    uint16_t free_count;
    uint16_t lent; /* chunks of whole packets */
    uint16_t lent_pieces;
    uint16_t count;
    struct run runs[FRAGMENTS_CHUNKS];
    struct bytes pieces[FRAGMENTS_CHUNKS];
    struct held held[FRAGMENTS_PACKETS];
};

struct fragments *fragments_new(void)
{
    struct fragments *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->memory = malloc((size_t)FRAGMENTS_CHUNKS * FRAGMENTS_CHUNK_SIZE);
    if (!f->memory) {
        free(f);
        return NULL;
    }
    for (uint16_t i = 0; i < FRAGMENTS_CHUNKS; i++)
        f->runs[i].next = i + 1 < FRAGMENTS_CHUNKS ? (uint16_t)(i + 1) : NONE;
    f->free_count = FRAGMENTS_CHUNKS;
    f->lent = NONE;
    return f;
}

void fragments_free(struct fragments *f)
{
    if (!f)
        return;
    free(f->memory);
    free(f);
}

/* --- Chunks --------------------------------------------------------------- */

/* Payload in a chunk begins behind what may have to come before it. */
static uint16_t front_of(uint32_t offset)
{
    return offset == 0 ? FRONT : 0;
}

static uint8_t *payload_of(const struct fragments *f, uint16_t run)
{
    return f->memory + (size_t)run * FRAGMENTS_CHUNK_SIZE +
           front_of(f->runs[run].offset);
}

static void give_back(struct fragments *f, uint16_t first)
{
    while (first != NONE) {
        uint16_t next = f->runs[first].next;
        f->runs[first].next = f->free;
        f->free = first;
        f->free_count++;
        first = next;
    }
}

static void end(struct fragments *f, struct held *h)
{
    give_back(f, h->first);
    h->present = false;
    f->count--;
}

void fragments_release(struct fragments *f)
{
    give_back(f, f->lent);
    f->lent = NONE;
    f->lent_pieces = 0;
}

/* --- Shares --------------------------------------------------------------- */

struct share {
    uint32_t packets, chunks;
};

static struct share share_of(const struct fragments *f, uint16_t source)
{
    struct share s = {0};
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++)
        if (f->held[i].present && f->held[i].source == source) {
            s.packets++;
            s.chunks += f->held[i].chunks;
        }
    return s;
}

/* The source that holds most. */
static uint16_t heaviest(const struct fragments *f)
{
    uint16_t source = 0;
    uint32_t most = 0;
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++) {
        if (!f->held[i].present)
            continue;
        struct share s = share_of(f, f->held[i].source);
        if (s.chunks + s.packets > most) {
            most = s.chunks + s.packets;
            source = f->held[i].source;
        }
    }
    return source;
}

/* Of a source, the one that has waited longest; never `except`. */
static bool end_oldest(struct fragments *f, uint16_t source,
                       const struct held *except)
{
    struct held *oldest = NULL;
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++) {
        struct held *h = &f->held[i];
        if (h->present && h != except && h->source == source &&
            (!oldest || instant_before(h->deadline, oldest->deadline)))
            oldest = h;
    }
    if (oldest)
        end(f, oldest);
    return oldest != NULL;
}

/* --- One fragment --------------------------------------------------------- */

/* What a fragment carries, and where it belongs. */
struct fragment {
    const struct ip_packet *ip;
    const uint8_t *data;
    uint32_t offset, size;
    bool last;
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
           (part.last || part.size % 8 == 0) && part.offset + part.size <= most;
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
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++) {
        struct held *h = &f->held[i];
        /* In IPv6 only the first one's next header means anything. */
        if (h->present && h->source == source && h->id == ip->fragment_id &&
            h->family == ip->family &&
            (h->protocol == ip->protocol || h->family == ADDRESS_IPV6) &&
            memcmp(h->ends, ends, sizeof ends) == 0)
            return h;
    }
    return NULL;
}

static struct held *begin(struct fragments *f, struct instant now,
                          uint16_t source, const struct ip_packet *ip)
{
    if (share_of(f, source).packets >= FRAGMENTS_SOURCE_PACKETS)
        end_oldest(f, source, NULL);
    if (f->count == FRAGMENTS_PACKETS)
        end_oldest(f, heaviest(f), NULL);
    struct held *h = f->held;
    while (h->present)
        h++;
    int64_t seconds = ip->family == ADDRESS_IPV4 ? FRAGMENTS_IPV4_TIMEOUT
                                                 : FRAGMENTS_IPV6_TIMEOUT;
    *h = (struct held){
        .present = true,
        .source = source,
        .family = ip->family,
        .protocol = ip->protocol,
        .id = ip->fragment_id,
        .deadline = instant_after(now, duration_seconds(seconds)),
        .first = NONE,
    };
    write_ends(ip, h->ends);
    f->count++;
    return h;
}

static void kill(struct fragments *f, struct held *h)
{
    give_back(f, h->first);
    h->first = NONE;
    h->chunks = 0;
    h->dead = true;
}

/* Bytes of the fragment that are there already, and whether they are the
 * same ones. */
static uint32_t overlap(const struct fragments *f, const struct held *h,
                        const struct fragment *part, bool *same)
{
    uint32_t common = 0, part_end = part->offset + part->size;
    *same = true;
    for (uint16_t i = h->first; i != NONE; i = f->runs[i].next) {
        const struct run *r = &f->runs[i];
        uint32_t run_end = (uint32_t)r->offset + r->size;
        uint32_t low = part->offset > r->offset ? part->offset : r->offset;
        uint32_t high = part_end < run_end ? part_end : run_end;
        if (low >= high)
            continue;
        common += high - low;
        *same =
            *same && memcmp(payload_of(f, i) + (low - r->offset),
                            part->data + (low - part->offset), high - low) == 0;
    }
    return common;
}

/* The end that it claims and what is there must fit each other. */
static bool end_fits(const struct fragments *f, const struct held *h,
                     const struct fragment *part)
{
    uint32_t part_end = part->offset + part->size;
    if (h->end)
        return part->last ? part_end == h->end : part_end < h->end;
    if (!part->last)
        return true;
    for (uint16_t i = h->first; i != NONE; i = f->runs[i].next)
        if ((uint32_t)f->runs[i].offset + f->runs[i].size > part_end)
            return false;
    return true;
}

static uint32_t chunks_for(const struct fragment *part)
{
    return (part->size + front_of(part->offset) + FRAGMENTS_CHUNK_SIZE - 1) /
           FRAGMENTS_CHUNK_SIZE;
}

static bool make_room(struct fragments *f, const struct held *h,
                      uint32_t chunks)
{
    while (share_of(f, h->source).chunks + chunks > FRAGMENTS_SOURCE_CHUNKS)
        if (!end_oldest(f, h->source, h))
            return false;
    while (f->free_count < chunks)
        if (!end_oldest(f, heaviest(f), h))
            return false;
    return h->chunks + chunks <= PACKET_PIECES_MAX + 1;
}

/* Copies it into runs, between those before and those behind it. */
static void store(struct fragments *f, struct held *h,
                  const struct fragment *part)
{
    uint16_t *link = &h->first;
    while (*link != NONE && f->runs[*link].offset < part->offset)
        link = &f->runs[*link].next;
    uint32_t done = 0;
    while (done < part->size) {
        uint16_t run = f->free;
        uint32_t offset = part->offset + done;
        uint32_t size = FRAGMENTS_CHUNK_SIZE - (uint32_t)front_of(offset);
        if (size > part->size - done)
            size = part->size - done;
        f->free = f->runs[run].next;
        f->free_count--;
        f->runs[run] = (struct run){(uint16_t)offset, (uint16_t)size, *link};
        memcpy(payload_of(f, run), part->data + done, size);
        *link = run;
        link = &f->runs[run].next;
        h->chunks++;
        done += size;
    }
    h->bytes += part->size;
    if (part->last)
        h->end = part->offset + part->size;
    if (part->offset == 0) {
        h->header_size = (uint8_t)part->ip->transport;
        memcpy(h->header, part->ip->data, h->header_size);
    }
}

/* --- The whole ------------------------------------------------------------ */

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
    uint16_t first = h->first, last = first;
    *p = (struct packet){
        .data = payload_of(f, first) - h->header_size,
        .size = (uint32_t)h->header_size + f->runs[first].size,
        .pieces = &f->pieces[f->lent_pieces],
        .headroom = (uint16_t)(FRONT - h->header_size),
        .qube = p->qube,
        .fragment_size = h->largest,
    };
    write_header(h, p->data);
    for (uint16_t i = f->runs[first].next; i != NONE; i = f->runs[i].next) {
        f->pieces[f->lent_pieces++] =
            bytes_of(payload_of(f, i), f->runs[i].size);
        p->piece_count++;
        p->piece_bytes += f->runs[i].size;
        last = i;
    }
    f->runs[last].next = f->lent;
    f->lent = first;
    h->first = NONE;
    end(f, h);
}

enum fragments_result fragments_take(struct fragments *f, struct instant now,
                                     uint16_t source, struct packet *packet,
                                     const struct ip_packet *ip)
{
    struct fragment part;
    bool same;
    if (!take_apart(packet, ip, &part))
        return FRAGMENTS_REFUSED;
    struct held *h = find(f, source, ip);
    if (!h)
        h = begin(f, now, source, ip);
    if (h->dead)
        return FRAGMENTS_REFUSED;
    uint32_t common = overlap(f, h, &part, &same);
    if (common == part.size && same && end_fits(f, h, &part))
        return FRAGMENTS_REFUSED; /* a copy */
    h->fragments++;
    if (common > 0 || h->fragments > FRAGMENTS_PER_PACKET ||
        !end_fits(f, h, &part) || !make_room(f, h, chunks_for(&part))) {
        kill(f, h);
        return FRAGMENTS_REFUSED;
    }
    store(f, h, &part);
    if (ip->total > h->largest)
        h->largest = (uint16_t)ip->total;
    if (h->end == 0 || h->bytes < h->end)
        return FRAGMENTS_HELD;
    assert(h->header_size > 0);
    hand_out(f, h, packet);
    return FRAGMENTS_WHOLE;
}

bool fragments_expired(struct fragments *f, struct instant now,
                       uint16_t *source, uint16_t *lost)
{
    for (size_t i = 0; f->count > 0 && i < FRAGMENTS_PACKETS; i++) {
        struct held *h = &f->held[i];
        if (!h->present || !instant_reached(now, h->deadline))
            continue;
        *source = h->source;
        *lost = h->fragments;
        end(f, h);
        return true;
    }
    return false;
}

struct instant fragments_deadline(const struct fragments *f)
{
    struct instant deadline = INSTANT_NEVER;
    for (size_t i = 0; f->count > 0 && i < FRAGMENTS_PACKETS; i++)
        if (f->held[i].present)
            deadline = instant_earlier(deadline, f->held[i].deadline);
    return deadline;
}

void fragments_forget(struct fragments *f, uint16_t source)
{
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++)
        if (f->held[i].present && f->held[i].source == source)
            end(f, &f->held[i]);
}
