#include "qubesdb/qubesdb.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "qubesdb/transport.h"

enum {
    RETRY_FIRST = 100, /* ms */
    RETRY_LAST = 5000, /* ms */
    READ_SIZE = 4096,  /* a vchan's ring */
    READS_A_TURN = 16, /* then others have theirs */
};

struct qubesdb {
    struct qubesdb_owner owner;
    const struct transport_kind *kind;
    char *where;

    struct transport *transport; /* NULL while away */
    bool open; /* the transport is, so there is a conversation */
    struct conversation talk;
    struct mirror mirror;
    struct mirror_owner told; /* by the mirror: this, which tells the owner */

    struct instant again; /* when to go on though no event says so */
    struct duration retry;
    bool complained; /* of this loss; the next attempts are no news */
    int fd;          /* that the owner waits for, or -1 */
    unsigned events;
};

static void on_rules(void *context, struct instant now,
                     const struct rule_tree *tree)
{
    struct qubesdb *q = context;
    q->owner.rules(q->owner.context, now, tree);
}

static void on_changed(void *context, struct instant now, const char *path)
{
    struct qubesdb *q = context;
    q->owner.changed(q->owner.context, now, path);
}

static void on_synced(void *context, struct instant now)
{
    struct qubesdb *q = context;
    q->retry = duration_milliseconds(RETRY_FIRST);
    q->complained = false;
    log_info("qubesdb: in contact through %s", q->where);
    q->owner.synced(q->owner.context, now);
}

struct qubesdb *qubesdb_open(const char *where,
                             const struct qubesdb_owner *owner)
{
    struct qubesdb *q = calloc(1, sizeof *q);
    char *copy = strdup(where);
    if (!q || !copy) {
        free(q);
        free(copy);
        return NULL;
    }
    q->where = copy;
    q->owner = *owner;
    q->kind = strcmp(where, "vchan") ? &transport_socket : &transport_vchan;
    q->retry = duration_milliseconds(RETRY_FIRST);
    q->fd = -1;
    q->told = (struct mirror_owner){
        .context = q,
        .rules = on_rules,
        .changed = on_changed,
        .synced = on_synced,
    };
    mirror_init(&q->mirror, &q->told);
    return q;
}

static void wait_for(struct qubesdb *q, int fd, unsigned events)
{
    if (fd == q->fd && events == q->events)
        return;
    if (q->fd >= 0 && fd >= 0 && fd != q->fd)
        q->owner.wait(q->owner.context, -1, 0);
    q->fd = fd;
    q->events = events;
    q->owner.wait(q->owner.context, fd, events);
}

static void disconnect(struct qubesdb *q)
{
    wait_for(q, -1, 0);
    if (q->transport)
        q->kind->close(q->transport);
    q->transport = NULL;
    if (q->open)
        conversation_clear(&q->talk);
    q->open = false;
}

void qubesdb_close(struct qubesdb *q)
{
    if (!q)
        return;
    disconnect(q);
    mirror_clear(&q->mirror);
    free(q->where);
    free(q);
}

static void lose(struct qubesdb *q, struct instant now, const char *why)
{
    bool was_in_contact = qubesdb_in_contact(q);

    log_line(q->complained ? LOG_DEBUG : LOG_WARN,
             "qubesdb: no contact through %s: %s", q->where, why);
    q->complained = true;
    disconnect(q);
    q->again = instant_after(now, q->retry);
    q->retry.us *= 2;
    if (q->retry.us > duration_milliseconds(RETRY_LAST).us)
        q->retry = duration_milliseconds(RETRY_LAST);
    if (was_in_contact)
        q->owner.lost(q->owner.context, now);
}

/* Sends what there is to send, and says what is waited for. */
static void flush(struct qubesdb *q, struct instant now)
{
    struct bytes output = conversation_output(&q->talk);
    while (output.size) {
        ptrdiff_t size = q->kind->write(q->transport, output);
        if (size < 0) {
            lose(q, now, "the daemon is gone");
            return;
        }
        if (size == 0)
            break;
        conversation_sent(&q->talk, (size_t)size);
        output = conversation_output(&q->talk);
    }
    wait_for(q, q->kind->descriptor(q->transport),
             output.size && q->kind->waits_for_room
                 ? QUBESDB_READ | QUBESDB_WRITE
                 : QUBESDB_READ);
}

/* Reads until there is nothing more: a vchan tells of new data once. */
static void pump(struct qubesdb *q, struct instant now)
{
    uint8_t data[READ_SIZE];
    int reads = 0;
    ptrdiff_t size = 1;

    while (size > 0 && reads++ < READS_A_TURN && !q->talk.why_failed) {
        size = q->kind->read(q->transport, data, sizeof data);
        if (size > 0)
            conversation_receive(&q->talk, now, bytes_of(data, (size_t)size));
    }
    q->again = size > 0 ? now : INSTANT_NEVER;
    if (q->talk.why_failed)
        lose(q, now, q->talk.why_failed);
    else if (size < 0)
        lose(q, now, "the daemon is gone");
    else
        flush(q, now);
}

static void go_on(struct qubesdb *q, struct instant now,
                  enum transport_state state)
{
    switch (state) {
    case TRANSPORT_CONNECTING:
        wait_for(q, q->kind->descriptor(q->transport), QUBESDB_READ);
        break;
    case TRANSPORT_OPEN:
        if (!q->open) {
            conversation_init(&q->talk, now, q->kind->dialect, &q->mirror);
            q->open = true;
        }
        pump(q, now);
        break;
    case TRANSPORT_GONE:
        lose(q, now, "the daemon is gone");
        break;
    }
}

static void connect_again(struct qubesdb *q, struct instant now)
{
    const char *why = "unknown";
    q->transport = q->kind->open(q->where, &why);
    if (!q->transport) {
        lose(q, now, why);
        return;
    }
    q->again = INSTANT_NEVER;
    go_on(q, now, q->kind->progress(q->transport));
}

void qubesdb_ready(struct qubesdb *q, struct instant now)
{
    if (q->transport)
        go_on(q, now, q->kind->progress(q->transport));
}

void qubesdb_expire(struct qubesdb *q, struct instant now)
{
    if (!q->transport) {
        if (instant_reached(now, q->again))
            connect_again(q, now);
        return;
    }
    if (!q->open)
        return;
    conversation_expire(&q->talk, now);
    if (q->talk.why_failed)
        lose(q, now, q->talk.why_failed);
    else if (instant_reached(now, q->again))
        pump(q, now);
}

struct instant qubesdb_deadline(const struct qubesdb *q)
{
    if (!q->open)
        return q->again;
    return instant_earlier(q->again, conversation_deadline(&q->talk));
}

bool qubesdb_in_contact(const struct qubesdb *q)
{
    return q->open && q->talk.synced;
}

const struct store *qubesdb_store(const struct qubesdb *q)
{
    return &q->mirror.store;
}

bool qubesdb_write(struct qubesdb *q, struct instant now, const char *path,
                   struct bytes value)
{
    if (!qubesdb_in_contact(q) ||
        !conversation_write(&q->talk, now, path, value))
        return false;
    /* Sent by the next call: this may be inside a callback of the conversation.
     */
    q->again = now;
    return true;
}

void qubesdb_rules_handled(struct qubesdb *q, struct instant now,
                           const struct address *source)
{
    char path[MESSAGE_PATH_SIZE], count[16];
    keys_handled_path(source, path);
    snprintf(count, sizeof count, "%u",
             keys_handled(&q->mirror.store, source) + 1);
    if (!qubesdb_write(q, now, path, bytes_of_text(count)))
        log_debug("qubesdb: %s is not counted", path);
}
