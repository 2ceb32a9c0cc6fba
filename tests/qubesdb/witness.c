#include "tests/qubesdb/witness.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/qubesdb/vchan_double.h"

static char directory[] = "/tmp/qubesdb-test-XXXXXX";
static char socket_path[sizeof directory + 8];

const char *witness_socket(void)
{
    if (!socket_path[0]) {
        char *made = mkdtemp(directory);
        assert(made);
        snprintf(socket_path, sizeof socket_path, "%s/socket", made);
    }
    return socket_path;
}

void witness_remove_socket(void)
{
    if (socket_path[0]) {
        unlink(socket_path);
        rmdir(directory);
    }
}

static void on_wait(void *context, int fd, unsigned events)
{
    struct witness *w = context;
    /* One descriptor ends before the next begins, and while it is open. */
    assert(w->fd < 0 || fd < 0 || w->fd == fd);
    assert(w->fd < 0 || fcntl(w->fd, F_GETFD) >= 0);
    w->fd = fd;
    w->events = events;
}

static struct witness_rules *find(const struct witness *w, const char *source)
{
    for (size_t i = 0; i < w->rules_count; i++) {
        if (!strcmp(w->rules[i].source, source))
            return (struct witness_rules *)(uintptr_t)&w->rules[i];
    }
    return NULL;
}

static void on_rules(void *context, struct instant now,
                     const struct rule_tree *tree)
{
    struct witness *w = context;
    char source[ADDRESS_TEXT_SIZE];
    address_format(&tree->source, source);

    struct witness_rules *r = find(w, source);
    if (!r) {
        assert(w->rules_count < WITNESS_SOURCES_MAX);
        r = &w->rules[w->rules_count++];
        snprintf(r->source, sizeof r->source, "%s", source);
    }
    r->present = tree->present;
    r->times++;
    int size = 0;
    r->lines[0] = '\0';
    for (size_t i = 0; i < tree->count; i++) {
        size += snprintf(r->lines + size, sizeof r->lines - (size_t)size,
                         "%s=%.*s;", tree->lines[i].name,
                         (int)tree->lines[i].value.size,
                         (const char *)tree->lines[i].value.data);
        assert((size_t)size < sizeof r->lines);
    }
    if (w->counts_handled && tree->present)
        qubesdb_rules_handled(w->client, now, &tree->source);
}

static void on_changed(void *context, struct instant now, const char *path)
{
    (void)now;
    struct witness *w = context;
    snprintf(w->changes[w->change_count++ % WITNESS_CHANGES_MAX],
             MESSAGE_PATH_SIZE, "%s", path);
}

static void on_synced(void *context, struct instant now)
{
    (void)now;
    struct witness *w = context;
    w->synced++;
}

static void on_lost(void *context, struct instant now)
{
    (void)now;
    struct witness *w = context;
    w->lost++;
}

void witness_init(struct witness *w, struct daemon *s, const char *where)
{
    memset(w, 0, sizeof *w);
    w->daemon = s;
    w->fd = -1;
    w->now = (struct instant){1000000};
    struct qubesdb_owner owner = {
        .context = w,
        .wait = on_wait,
        .rules = on_rules,
        .changed = on_changed,
        .synced = on_synced,
        .lost = on_lost,
    };
    w->client = qubesdb_open(where, &owner);
    assert(w->client);
}

void witness_clear(struct witness *w)
{
    qubesdb_close(w->client);
    assert(w->fd == -1);
}

bool witness_turn(struct witness *w)
{
    if (instant_reached(w->now, qubesdb_deadline(w->client))) {
        qubesdb_expire(w->client, w->now);
        return true;
    }
    if (w->fd < 0)
        return false;
    struct pollfd polled = {
        .fd = w->fd,
        .events = (short)((w->events & QUBESDB_READ ? POLLIN : 0) |
                          (w->events & QUBESDB_WRITE ? POLLOUT : 0)),
    };
    if (poll(&polled, 1, 0) <= 0)
        return false;
    qubesdb_ready(w->client, w->now);
    return true;
}

void witness_settle(struct witness *w)
{
    for (bool worked = true; worked;) {
        worked = daemon_turn(w->daemon, 0, -1);
        vchan_double_turn();
        worked = witness_turn(w) || worked;
    }
}

bool witness_wait(struct witness *w)
{
    struct instant deadline = qubesdb_deadline(w->client);
    if (instant_is_never(deadline))
        return false;
    if (instant_before(w->now, deadline))
        w->now = deadline;
    witness_settle(w);
    return true;
}

const char *witness_rules_of(const struct witness *w, const char *source)
{
    const struct witness_rules *r = find(w, source);
    if (!r)
        return NULL;
    return r->present ? r->lines : "absent";
}

unsigned witness_times(const struct witness *w, const char *source)
{
    const struct witness_rules *r = find(w, source);
    return r ? r->times : 0;
}

bool witness_saw_change(const struct witness *w, const char *path)
{
    for (size_t i = 0; i < w->change_count && i < WITNESS_CHANGES_MAX; i++) {
        if (!strcmp(w->changes[i], path))
            return true;
    }
    return false;
}

void witness_forget_changes(struct witness *w)
{
    w->change_count = 0;
}
