#include "qubesdb/conversation.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum {
    ANSWER_WITHIN = 10,     /* s without any of an answer */
    WORK_MAX = 1024,        /* more paths at once: read everything instead */
    OUTPUT_MAX = 256 << 10, /* bytes; a daemon that takes none is lost */
};

enum work_kind { WORK_WATCH, WORK_READ, WORK_WRITE };

struct conversation_work {
    struct conversation_work *next;
    enum work_kind kind;
    enum mirror_scope scope; /* of a READ */
    char path[MESSAGE_PATH_SIZE];
    size_t size;
    uint8_t value[];
};

static const struct bytes nothing = {NULL, 0};

static void fail(struct conversation *s, const char *why)
{
    if (!s->why_failed)
        s->why_failed = why;
}

/* --- Output -------------------------------------------------------------- */

static void put(struct conversation *s, enum message_type type,
                const char *path, struct bytes data)
{
    struct message m = {.type = type, .data = data};
    size_t path_size = strnlen(path, MESSAGE_PATH_SIZE - 1);
    memcpy(m.path, path, path_size);

    size_t needed = s->output_size + MESSAGE_HEADER_SIZE + data.size;
    if (needed > OUTPUT_MAX) {
        fail(s, "the daemon takes nothing");
        return;
    }
    if (needed > s->output_capacity) {
        uint8_t *larger = realloc(s->output, 2 * needed);
        if (!larger) {
            fail(s, "out of memory");
            return;
        }
        s->output = larger;
        s->output_capacity = 2 * needed;
    }
    struct writer w = writer_of(s->output + s->output_size,
                                s->output_capacity - s->output_size);
    if (!message_encode(&w, &m)) {
        fail(s, "a message that no daemon would take");
        return;
    }
    s->output_size += w.size;
}

struct bytes conversation_output(const struct conversation *s)
{
    return bytes_of(s->output, s->output_size);
}

void conversation_sent(struct conversation *s, size_t size)
{
    s->output_size -= size;
    memmove(s->output, s->output + size, s->output_size);
}

/* --- Work ---------------------------------------------------------------- */

static void append(struct conversation *s, struct conversation_work *work)
{
    work->next = NULL;
    if (s->last)
        s->last->next = work;
    else
        s->first = work;
    s->last = work;
    s->work_count++;
}

static bool add_work(struct conversation *s, enum work_kind kind,
                     enum mirror_scope scope, const char *path,
                     struct bytes value)
{
    struct conversation_work *work = calloc(1, sizeof *work + value.size);
    if (!work)
        return false;
    work->kind = kind;
    work->scope = scope;
    memcpy(work->path, path, strnlen(path, MESSAGE_PATH_SIZE - 1));
    work->size = value.size;
    if (value.size)
        memcpy(work->value, value.data, value.size);
    append(s, work);
    return true;
}

static struct conversation_work *take_work(struct conversation *s)
{
    struct conversation_work *work = s->first;
    if (work) {
        s->first = work->next;
        if (!s->first)
            s->last = NULL;
        s->work_count--;
    }
    return work;
}

static void send_next(struct conversation *s, struct instant now)
{
    if (s->under_way || !s->first || s->why_failed)
        return;
    struct conversation_work *work = s->under_way = take_work(s);
    s->answer_by = instant_after(now, duration_seconds(ANSWER_WITHIN));
    switch (work->kind) {
    case WORK_WATCH:
        put(s, MESSAGE_WATCH, work->path, nothing);
        break;
    case WORK_READ:
        put(s, work->scope == MIRROR_KEY ? MESSAGE_READ : MESSAGE_MULTIREAD,
            work->path, nothing);
        break;
    case WORK_WRITE:
        put(s, MESSAGE_WRITE, work->path, bytes_of(work->value, work->size));
        break;
    }
}

static void work_done(struct conversation *s)
{
    free(s->under_way);
    s->under_way = NULL;
    store_clear(&s->reading);
}

/* Whether a reading that is still to be sent will see this path too. */
static bool will_be_read(const struct conversation *s, enum mirror_scope scope,
                         const char *path)
{
    for (const struct conversation_work *w = s->first; w; w = w->next) {
        if (w->kind == WORK_READ &&
            (w->path[0] == '\0' ||
             (w->scope == scope && !strcmp(w->path, path))))
            return true;
    }
    return false;
}

/* A value of such a path that is read now is older than the mirror's. */
static bool will_be_written(const struct conversation *s, const char *path)
{
    for (const struct conversation_work *w = s->first; w; w = w->next) {
        if (w->kind == WORK_WRITE && !strcmp(w->path, path))
            return true;
    }
    return false;
}

static void forget_readings(struct conversation *s)
{
    struct conversation_work *work = s->first;
    s->first = s->last = NULL;
    s->work_count = 0;
    while (work) {
        struct conversation_work *next = work->next;
        if (work->kind == WORK_READ) {
            free(work);
        } else {
            append(s, work);
        }
        work = next;
    }
}

static void read_again(struct conversation *s, enum mirror_scope scope,
                       const char *path)
{
    if (will_be_read(s, scope, path))
        return;
    if (s->work_count >= WORK_MAX) {
        forget_readings(s);
        scope = MIRROR_PREFIX;
        path = "";
    }
    if (!add_work(s, WORK_READ, scope, path, nothing))
        fail(s, "out of memory");
}

/* --- What the database holds --------------------------------------------- */

static bool is_directory(const char *path)
{
    return path[strlen(path) - 1] == '/';
}

static bool covers_all_rules(const char *path)
{
    return mirror_covers(MIRROR_PREFIX, path, KEYS_RULES);
}

static void update(struct conversation *s, struct instant now,
                   enum mirror_scope scope, const char *path,
                   struct store *reading)
{
    if (!mirror_update(s->mirror, now, scope, path, reading))
        fail(s, "the database is larger than this program takes");
}

static void reading_done(struct conversation *s, struct instant now)
{
    const struct conversation_work *work = s->under_way;
    bool everything = work->path[0] == '\0';

    if (work->scope == MIRROR_KEY && will_be_written(s, work->path))
        return;
    update(s, now, work->scope, work->path, &s->reading);
    if (s->why_failed)
        return;
    bool first = everything && !s->synced;
    s->synced = s->synced || everything; /* rules() may write already */
    if (work->scope == MIRROR_RULES) {
        if (!store_has(&s->unsettled, work->path))
            mirror_tell_rules(s->mirror, now, work->path);
    } else if (work->scope == MIRROR_PREFIX && covers_all_rules(work->path)) {
        mirror_tell_all_rules(s->mirror, now, &s->unsettled);
    }
    if (first)
        s->mirror->owner->synced(s->mirror->owner->context, now);
}

/* --- Answers ------------------------------------------------------------- */

static void keep_entry(struct conversation *s, const struct message *m)
{
    const struct conversation_work *work = s->under_way;
    if (keys_wanted(m->path) &&
        mirror_covers(work->scope, work->path, m->path) &&
        !store_set(&s->reading, m->path, m->data))
        fail(s, "the database is larger than this program takes");
}

static void on_reading(struct conversation *s, struct instant now,
                       const struct message *m)
{
    bool of_key = s->under_way->scope == MIRROR_KEY;
    bool end = false;

    if (!of_key && m->type == MESSAGE_ENTRY) {
        end = m->path[0] == '\0';
        if (!end)
            keep_entry(s, m);
    } else if (of_key && m->type == MESSAGE_VALUE &&
               !strcmp(m->path, s->under_way->path)) {
        keep_entry(s, m);
        end = true;
    } else if (of_key && m->type == MESSAGE_ERROR_NOENT) {
        end = true;
    } else {
        fail(s, "an answer that does not fit the question");
    }
    if (end && !s->why_failed) {
        reading_done(s, now);
        work_done(s);
    }
}

static void on_answer(struct conversation *s, struct instant now,
                      const struct message *m)
{
    s->answer_by = instant_after(now, duration_seconds(ANSWER_WITHIN));
    switch (s->under_way->kind) {
    case WORK_WATCH:
        if (m->type == MESSAGE_OK)
            work_done(s);
        else
            fail(s, "the daemon refuses to watch");
        break;
    case WORK_READ:
        on_reading(s, now, m);
        break;
    case WORK_WRITE:
        if (m->type == MESSAGE_ERROR)
            log_warn("qubesdb: the daemon refuses to write %s",
                     s->under_way->path);
        else if (m->type != MESSAGE_OK)
            fail(s, "an answer that does not fit the question");
        work_done(s);
        break;
    }
}

/* --- What comes unasked -------------------------------------------------- */

static void on_event(struct conversation *s, const char *path)
{
    char base[MESSAGE_PATH_SIZE];

    if (!message_path_valid(path))
        return; /* nothing of ours, and nothing that could be read */
    switch (keys_rules_of(path, base)) {
    case KEYS_RULES_PART:
        if (!store_set(&s->unsettled, base, nothing))
            fail(s, "out of memory");
        return;
    case KEYS_RULES_BASE:
        store_remove(&s->unsettled, base);
        read_again(s, MIRROR_RULES, base);
        return;
    case KEYS_NO_RULES:
        break;
    }
    if (!is_directory(path)) {
        if (keys_wanted(path))
            read_again(s, MIRROR_KEY, path);
        return;
    }
    if (covers_all_rules(path))
        store_clear(&s->unsettled); /* they end here, complete or not */
    if (keys_wanted_below(path))
        read_again(s, MIRROR_PREFIX, path);
}

static void on_pushed_write(struct conversation *s, struct instant now,
                            const struct message *m)
{
    char base[MESSAGE_PATH_SIZE];
    struct store written = {0};

    if (!keys_wanted(m->path))
        return;
    if (!store_set(&written, m->path, m->data))
        fail(s, "out of memory");
    else
        update(s, now, MIRROR_KEY, m->path, &written);
    store_clear(&written);
    if (!s->why_failed && keys_rules_of(m->path, base) == KEYS_RULES_BASE)
        mirror_tell_rules(s->mirror, now, base);
}

static void on_pushed_removal(struct conversation *s, struct instant now,
                              const char *path)
{
    char base[MESSAGE_PATH_SIZE];
    struct store empty = {0};

    update(s, now, is_directory(path) ? MIRROR_PREFIX : MIRROR_KEY, path,
           &empty);
    if (s->why_failed)
        return;
    if (keys_rules_of(path, base) == KEYS_RULES_BASE)
        mirror_tell_rules(s->mirror, now, base);
    else if (is_directory(path) && covers_all_rules(path))
        mirror_tell_all_rules(s->mirror, now, &empty);
}

static void on_pushed(struct conversation *s, struct instant now,
                      const struct message *m)
{
    if (m->type == MESSAGE_OK)
        return; /* to a WRITE of ours */
    if (m->type == MESSAGE_ERROR) {
        log_warn("qubesdb: dom0 refuses a value of ours");
        return;
    }
    if ((m->type != MESSAGE_WRITE && m->type != MESSAGE_RM) ||
        !message_path_valid(m->path)) {
        fail(s, "dom0 sends what it never should");
        return;
    }
    put(s, MESSAGE_OK, m->path, nothing);
    if (m->type == MESSAGE_WRITE)
        on_pushed_write(s, now, m);
    else
        on_pushed_removal(s, now, m->path);
}

static void on_message(struct conversation *s, struct instant now,
                       const struct message *m)
{
    if (s->dialect == CONVERSATION_LOCAL && m->type == MESSAGE_EVENT)
        on_event(s, m->path);
    else if (s->under_way)
        on_answer(s, now, m);
    else if (s->dialect == CONVERSATION_DOM0)
        on_pushed(s, now, m);
    else
        fail(s, "an answer to no question");
    send_next(s, now);
}

/* --- Input --------------------------------------------------------------- */

static struct bytes take_front(struct bytes *stream, size_t size)
{
    struct bytes front = {stream->data, size};
    stream->data += size;
    stream->size -= size;
    return front;
}

/* Completes a message that came in pieces, or handles one that lies whole in
 * the stream without copying it. False when there is none. */
static bool take_message(struct conversation *s, struct instant now,
                         struct bytes *stream)
{
    struct message m;
    size_t size;
    enum message_result result = MESSAGE_PARTIAL;

    if (s->input_size == 0)
        result = message_decode(*stream, &m, &size);
    if (result == MESSAGE_WHOLE) {
        on_message(s, now, &m);
        take_front(stream, size);
        return true;
    }
    if (result == MESSAGE_PARTIAL) {
        size_t room = sizeof s->input - s->input_size, before = s->input_size;
        size_t taken = stream->size < room ? stream->size : room;
        if (taken)
            memcpy(s->input + before, stream->data, taken);
        result = message_decode(bytes_of(s->input, before + taken), &m, &size);
        if (result == MESSAGE_WHOLE) {
            on_message(s, now, &m);
            take_front(stream, size - before);
            s->input_size = 0;
            return true;
        }
        s->input_size += taken;
        take_front(stream, taken);
    }
    if (result == MESSAGE_MALFORMED)
        fail(s, "a message that is malformed");
    return false;
}

void conversation_receive(struct conversation *s, struct instant now,
                          struct bytes stream)
{
    while (stream.size && !s->why_failed) {
        if (!take_message(s, now, &stream))
            return;
    }
}

/* --- Beginning, time, writing, end --------------------------------------- */

void conversation_init(struct conversation *s, struct instant now,
                       enum conversation_dialect dialect, struct mirror *mirror)
{
    *s = (struct conversation){
        .dialect = dialect,
        .mirror = mirror,
        .answer_by = INSTANT_NEVER,
    };
    if ((dialect == CONVERSATION_LOCAL &&
         !add_work(s, WORK_WATCH, MIRROR_KEY, "/", nothing)) ||
        !add_work(s, WORK_READ, MIRROR_PREFIX, "", nothing))
        fail(s, "out of memory");
    send_next(s, now);
}

void conversation_clear(struct conversation *s)
{
    work_done(s);
    for (struct conversation_work *work; (work = take_work(s));)
        free(work);
    store_clear(&s->unsettled);
    free(s->output);
    *s = (struct conversation){0};
}

struct instant conversation_deadline(const struct conversation *s)
{
    return s->under_way ? s->answer_by : INSTANT_NEVER;
}

void conversation_expire(struct conversation *s, struct instant now)
{
    if (instant_reached(now, conversation_deadline(s)))
        fail(s, "the daemon does not answer");
}

bool conversation_write(struct conversation *s, struct instant now,
                        const char *path, struct bytes value)
{
    bool local = s->dialect == CONVERSATION_LOCAL;

    if (!s->synced || s->why_failed || !message_path_valid(path) ||
        is_directory(path) || !message_data_valid(value) ||
        s->work_count >= WORK_MAX)
        return false;
    if (keys_wanted(path) && !store_set(&s->mirror->store, path, value))
        return false;
    if (local && !add_work(s, WORK_WRITE, MIRROR_KEY, path, value))
        return false;
    if (!local)
        put(s, MESSAGE_WRITE, path, value);
    send_next(s, now);
    return true;
}
