/*
 * How a server finds its clients: by the number in their data packets, by where
 * they come from, by the session id in their control packets, by who has to
 * wake up next, and by who may have something to say. Everything is allocated
 * at the start, for as many clients as there may be.
 */
#ifndef OPENVPN_SERVER_SERVER_TABLE_H
#define OPENVPN_SERVER_SERVER_TABLE_H

#include "gateway/base/instant.h"
#include "gateway/base/siphash.h"
#include "gateway/openvpn/control/control_packet.h"
#include "gateway/openvpn/server/server.h"

/* First member of a client. */
struct server_entry {
    uint32_t index; /* its peer id */
    struct server_path path;
    struct session_id session;
    struct server_entry *next_in_bucket;
    uint32_t heap_place;
    struct instant wake; /* at the latest */
    bool queued;
    struct server_entry *next_queued;
};

struct server_table {
    struct siphash_key key;
    uint32_t capacity, count;
    struct server_entry **by_index;
    uint32_t *free_indices; /* the last one is given away next */
    struct server_entry **buckets;
    uint32_t bucket_count; /* a power of two */
    struct server_entry **heap;
    struct server_entry *queue_first, *queue_last;
};

static inline bool server_path_equal(const struct server_path *a,
                                     const struct server_path *b)
{
    return a->stream == b->stream && endpoint_equal(&a->remote, &b->remote);
}

MUST_USE bool server_table_init(struct server_table *t, uint32_t capacity,
                                const struct siphash_key *key);
void server_table_clear(struct server_table *t);

/* Gives the entry, whose path and session are set, an index; to wake at
 * `wake`. False if the table is full. */
MUST_USE bool server_table_add(struct server_table *t, struct server_entry *e,
                               struct instant wake);
void server_table_remove(struct server_table *t, struct server_entry *e);

struct server_entry *server_table_at(const struct server_table *t,
                                     uint32_t index);
/* A connection has one session, so that there the path alone decides. */
struct server_entry *server_table_find(const struct server_table *t,
                                       const struct server_path *path,
                                       const struct session_id *session);
/* Those at one path: the first one after NULL, then the next; NULL at the
 * end. */
struct server_entry *server_table_at_path(const struct server_table *t,
                                          const struct server_path *path,
                                          const struct server_entry *after);
/* Each takes the other's index. */
void server_table_swap(struct server_table *t, struct server_entry *a,
                       struct server_entry *b);
/* It comes from elsewhere now. */
void server_table_move(struct server_table *t, struct server_entry *e,
                       const struct server_path *path);

/* It has to wake no later than that. */
void server_table_wake(struct server_table *t, struct server_entry *e,
                       struct instant when);
/* The entry whose time has come, or NULL; tell when it wakes again with
 * server_table_rest(). */
struct server_entry *server_table_due(const struct server_table *t,
                                      struct instant now);
void server_table_rest(struct server_table *t, struct server_entry *e,
                       struct instant until);
struct instant server_table_deadline(const struct server_table *t);

/* Those that may have something to say, each once. */
void server_table_queue(struct server_table *t, struct server_entry *e);
struct server_entry *server_table_queued(const struct server_table *t);
void server_table_dequeue(struct server_table *t);

#endif
