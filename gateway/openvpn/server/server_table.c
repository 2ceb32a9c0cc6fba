#include "gateway/openvpn/server/server_table.h"

#include <assert.h>
#include <stdlib.h>

bool server_table_init(struct server_table *t, uint32_t capacity,
                       const struct siphash_key *key)
{
    *t = (struct server_table){.key = *key, .capacity = capacity};
    t->bucket_count = 16;
    while (t->bucket_count < 2 * capacity)
        t->bucket_count *= 2;
    t->by_index = calloc(capacity, sizeof *t->by_index);
    t->free_indices = calloc(capacity, sizeof *t->free_indices);
    t->buckets = calloc(t->bucket_count, sizeof *t->buckets);
    t->heap = calloc(capacity, sizeof *t->heap);
    if (!t->by_index || !t->free_indices || !t->buckets || !t->heap) {
        server_table_clear(t);
        return false;
    }
    for (uint32_t i = 0; i < capacity; i++)
        t->free_indices[i] = capacity - 1 - i;
    return true;
}

void server_table_clear(struct server_table *t)
{
    free(t->by_index);
    free(t->free_indices);
    free(t->buckets);
    free(t->heap);
    *t = (struct server_table){0};
}

/* --- By path ------------------------------------------------------------- */

static struct server_entry **bucket_of(const struct server_table *t,
                                       const struct server_path *path)
{
    uint8_t key[8 + 1 + 16 + 2];
    struct writer w = writer_of(key, sizeof key);
    write_u64(&w, path->stream);
    write_u8(&w, (uint8_t)path->remote.address.family);
    write_bytes(&w, bytes_of(path->remote.address.bytes, 16));
    write_u16(&w, path->remote.port);
    return &t->buckets[siphash(&t->key, key, w.size) & (t->bucket_count - 1)];
}

static void link_path(struct server_table *t, struct server_entry *e)
{
    struct server_entry **bucket = bucket_of(t, &e->path);
    e->next_in_bucket = *bucket;
    *bucket = e;
}

static void unlink_path(struct server_table *t, struct server_entry *e)
{
    struct server_entry **link = bucket_of(t, &e->path);
    while (*link != e)
        link = &(*link)->next_in_bucket;
    *link = e->next_in_bucket;
}

struct server_entry *server_table_at_path(const struct server_table *t,
                                          const struct server_path *path,
                                          const struct server_entry *after)
{
    struct server_entry *e =
        after ? after->next_in_bucket : *bucket_of(t, path);
    while (e && !server_path_equal(&e->path, path))
        e = e->next_in_bucket;
    return e;
}

struct server_entry *server_table_find(const struct server_table *t,
                                       const struct server_path *path,
                                       const struct session_id *session)
{
    struct server_entry *e = server_table_at_path(t, path, NULL);
    while (e && path->stream == 0 && !session_id_equal(&e->session, session))
        e = server_table_at_path(t, path, e);
    return e;
}

void server_table_move(struct server_table *t, struct server_entry *e,
                       const struct server_path *path)
{
    unlink_path(t, e);
    e->path = *path;
    link_path(t, e);
}

/* --- By time ------------------------------------------------------------- */

static void place(struct server_table *t, struct server_entry *e, uint32_t at)
{
    t->heap[at] = e;
    e->heap_place = at;
}

static void sift_up(struct server_table *t, struct server_entry *e)
{
    uint32_t at = e->heap_place;
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!instant_before(e->wake, t->heap[parent]->wake))
            break;
        place(t, t->heap[parent], at);
        at = parent;
    }
    place(t, e, at);
}

static void sift_down(struct server_table *t, struct server_entry *e)
{
    uint32_t at = e->heap_place;
    while (true) {
        uint32_t child = 2 * at + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count &&
            instant_before(t->heap[child + 1]->wake, t->heap[child]->wake))
            child++;
        if (!instant_before(t->heap[child]->wake, e->wake))
            break;
        place(t, t->heap[child], at);
        at = child;
    }
    place(t, e, at);
}

void server_table_wake(struct server_table *t, struct server_entry *e,
                       struct instant when)
{
    if (!instant_before(when, e->wake))
        return;
    e->wake = when;
    sift_up(t, e);
}

struct server_entry *server_table_due(const struct server_table *t,
                                      struct instant now)
{
    return t->count > 0 && instant_reached(now, t->heap[0]->wake) ? t->heap[0]
                                                                  : NULL;
}

void server_table_rest(struct server_table *t, struct server_entry *e,
                       struct instant until)
{
    e->wake = until;
    sift_up(t, e);
    sift_down(t, e);
}

struct instant server_table_deadline(const struct server_table *t)
{
    return t->count > 0 ? t->heap[0]->wake : INSTANT_NEVER;
}

/* --- By number ----------------------------------------------------------- */

bool server_table_add(struct server_table *t, struct server_entry *e,
                      struct instant wake)
{
    if (t->count == t->capacity)
        return false;
    e->index = t->free_indices[t->capacity - t->count - 1];
    t->by_index[e->index] = e;
    link_path(t, e);
    e->wake = wake;
    e->queued = false;
    place(t, e, t->count++);
    sift_up(t, e);
    return true;
}

static void unqueue(struct server_table *t, const struct server_entry *e)
{
    struct server_entry *before = NULL, *at = t->queue_first;
    while (at && at != e) {
        before = at;
        at = at->next_queued;
    }
    if (!at)
        return;
    if (before)
        before->next_queued = e->next_queued;
    else
        t->queue_first = e->next_queued;
    if (t->queue_last == e)
        t->queue_last = before;
}

void server_table_remove(struct server_table *t, struct server_entry *e)
{
    assert(t->by_index[e->index] == e);
    if (e->queued)
        unqueue(t, e);
    unlink_path(t, e);
    t->by_index[e->index] = NULL;
    t->count--;
    struct server_entry *last = t->heap[t->count];
    if (last != e) {
        place(t, last, e->heap_place);
        server_table_rest(t, last, last->wake);
    }
    t->free_indices[t->capacity - t->count - 1] = e->index;
}

struct server_entry *server_table_at(const struct server_table *t,
                                     uint32_t index)
{
    return index < t->capacity ? t->by_index[index] : NULL;
}

void server_table_swap(struct server_table *t, struct server_entry *a,
                       struct server_entry *b)
{
    uint32_t index = a->index;
    a->index = b->index;
    b->index = index;
    t->by_index[a->index] = a;
    t->by_index[b->index] = b;
}

/* --- Those with something to say ----------------------------------------- */

void server_table_queue(struct server_table *t, struct server_entry *e)
{
    if (e->queued)
        return;
    e->queued = true;
    e->next_queued = NULL;
    if (t->queue_last)
        t->queue_last->next_queued = e;
    else
        t->queue_first = e;
    t->queue_last = e;
}

struct server_entry *server_table_queued(const struct server_table *t)
{
    return t->queue_first;
}

void server_table_dequeue(struct server_table *t)
{
    struct server_entry *e = t->queue_first;
    if (!e)
        return;
    t->queue_first = e->next_queued;
    if (!t->queue_first)
        t->queue_last = NULL;
    e->queued = false;
}
