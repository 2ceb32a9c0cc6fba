#include "qubesdb/conversation.h"

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/target.h"

/* An honest daemon, whose database changes as the input says: as core-admin
 * rewrites rules, or key by key in any order, while answers and events are
 * under way, and across losses of contact. The mirror then holds what the
 * database holds, each change of a key is told once, and of rules only what was
 * complete. */

enum {
    SOURCES = 4,
    STATES_MAX = 512,  /* of a source's rules, that may be told */
    WHAT_FLOODS = 248, /* seldom, for it is slow */
    HOW_FLOODS = 240,
    FLOODS_MAX = 2,
    FLOOD = 1100, /* keys: more than the conversation reads one by one */
    WORK_BOUND = 2048,
    OUTPUT_BOUND = 256 << 10,
};

/* The first begins the second, and the last is none of Qubes' writing. */
static const char *const sources[SOURCES] = {"10.137.0.5", "10.137.0.50",
                                             "fd09::a89:5", "10.137.0.05"};

static const char *const lines[] = {"", "/policy", "/0000", "/0001", "/x/y"};

static const char *const keys[] = {
    "/qubes-ip",       "/connected-ips",
    "/vm-config/a",    "/vm-config/b",
    "/qubes-database", "/mapped-ip/10.137.0.5/visible-ip",
    "/vm-config0",     "/qubes-firewall-handled/10.137.0.5"};

static const char *const directories[] = {"/", "/qubes-firewall/",
                                          "/vm-config/", "/mapped-ip/",
                                          "/qubes-firewall-handled/"};

static const char *const values[] = {"", "1", "2", "action=accept"};

enum {
    LINES = sizeof lines / sizeof *lines,
    KEYS = sizeof keys / sizeof *keys,
    DIRECTORIES = sizeof directories / sizeof *directories,
    VALUES = sizeof values / sizeof *values,
};

static struct conversation talk;
static struct mirror mirror;
static enum conversation_dialect dialect;
static const struct instant now = {1000000};

static struct {
    struct store store;
    bool watched; /* or dom0's client, which had its reading */
    uint8_t *stream;
    size_t stream_begin, stream_size, stream_capacity;
    unsigned floods;
} database;

static struct {
    bool rewritten;              /* its rules are not complete */
    uint64_t states[STATES_MAX]; /* those that were complete */
    unsigned state_count;
    uint64_t told;
} rules[SOURCES];

static struct store told_keys; /* with a hash of each value */

/* --- Rules as one number ------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return (hash ^ 256) * 1099511628211u;
}

static uint64_t mix_line(uint64_t hash, const char *name, struct bytes value)
{
    return mix(mix(hash, name, strlen(name)), value.data, value.size);
}

static void base_of(int source, char base[MESSAGE_PATH_SIZE])
{
    snprintf(base, MESSAGE_PATH_SIZE, KEYS_RULES "%s", sources[source]);
}

static uint64_t state_of(int source)
{
    char base[MESSAGE_PATH_SIZE];
    uint64_t hash = 1;
    base_of(source, base);
    size_t size = strlen(base);
    if (!store_has(&database.store, base))
        return 0;
    for (size_t i = 0; i < database.store.count; i++) {
        const struct store_entry *e = database.store.entries[i];
        if (!strncmp(e->path, base, size) && e->path[size] == '/')
            hash = mix_line(hash, e->path + size + 1, store_value(e));
    }
    return hash;
}

static void complete(int source)
{
    rules[source].rewritten = false;
    if (rules[source].state_count < STATES_MAX)
        rules[source].states[rules[source].state_count++] = state_of(source);
}

/* --- The daemon ---------------------------------------------------------- */

static void say(enum message_type type, const char *path, struct bytes data)
{
    size_t size = MESSAGE_HEADER_SIZE + data.size;
    if (database.stream_size + size > database.stream_capacity) {
        database.stream_capacity = 2 * (database.stream_size + size);
        database.stream = realloc(database.stream, database.stream_capacity);
        check(database.stream != NULL);
    }
    uint8_t *at = database.stream + database.stream_size;
    memset(at, 0, MESSAGE_HEADER_SIZE);
    at[0] = (uint8_t)type;
    memcpy(at + 1, path, strlen(path));
    at[68] = (uint8_t)data.size;
    at[69] = (uint8_t)(data.size >> 8);
    if (data.size)
        memcpy(at + MESSAGE_HEADER_SIZE, data.data, data.size);
    database.stream_size += size;
}

static bool is_directory(const char *path)
{
    return path[strlen(path) - 1] == '/';
}

static bool is_in(const char *path, const char *directory)
{
    return !strncmp(path, directory, strlen(directory));
}

static void note_rules(const char *path)
{
    char base[MESSAGE_PATH_SIZE];
    for (int i = 0; i < SOURCES; i++) {
        base_of(i, base);
        size_t size = strlen(base);
        if (!strcmp(path, base) || (is_directory(path) && is_in(base, path)))
            complete(i);
        else if (is_in(path, base) && path[size] == '/')
            rules[i].rewritten = true;
    }
}

static void tell(enum message_type type, const char *path, struct bytes value)
{
    note_rules(path);
    if (!database.watched)
        return;
    if (dialect == CONVERSATION_DOM0)
        say(type, path, value);
    else
        say(MESSAGE_EVENT, path, bytes_of(NULL, 0));
}

static void put(const char *path, struct bytes value)
{
    if (store_set(&database.store, path, value))
        tell(MESSAGE_WRITE, path, value);
}

static void take_away(const char *path)
{
    bool any = false;
    for (size_t i = store_find(&database.store, path);
         i < database.store.count;) {
        char found[MESSAGE_PATH_SIZE];
        memcpy(found, database.store.entries[i]->path, sizeof found);
        if (is_directory(path) ? !is_in(found, path) : strcmp(found, path) != 0)
            break;
        any = store_remove(&database.store, found);
    }
    if (any)
        tell(MESSAGE_RM, path, bytes_of(NULL, 0));
}

static void begin_watch(void)
{
    database.watched = true;
    for (int i = 0; i < SOURCES; i++)
        complete(i); /* it is taken as it is */
}

static void answer_everything(const char *prefix)
{
    if (dialect == CONVERSATION_DOM0)
        begin_watch();
    for (size_t i = database.store.count; i-- > 0;) {
        const struct store_entry *e = database.store.entries[i];
        if (is_in(e->path, prefix))
            say(MESSAGE_ENTRY, e->path, store_value(e));
    }
    say(MESSAGE_ENTRY, "", bytes_of(NULL, 0));
}

static void answer_write(const struct message *m)
{
    check(is_in(m->path, "/qubes-firewall-handled/"));
    bool stored = store_set(&database.store, m->path, m->data);
    say(stored ? MESSAGE_OK : MESSAGE_ERROR, m->path, bytes_of(NULL, 0));
    if (stored && dialect == CONVERSATION_LOCAL)
        tell(MESSAGE_WRITE, m->path, m->data);
}

/* False if there is no request. */
static bool answer(void)
{
    struct message m;
    struct bytes value, output = conversation_output(&talk);
    size_t size;
    if (output.size == 0)
        return false;
    check(message_decode(output, &m, &size) == MESSAGE_WHOLE);
    if (m.type == MESSAGE_WATCH) {
        begin_watch();
        say(MESSAGE_OK, m.path, bytes_of(NULL, 0));
    } else if (m.type == MESSAGE_MULTIREAD) {
        answer_everything(m.path);
    } else if (m.type == MESSAGE_READ) {
        bool there = store_get(&database.store, m.path, &value);
        say(there ? MESSAGE_VALUE : MESSAGE_ERROR_NOENT, m.path,
            there ? value : bytes_of(NULL, 0));
    } else if (m.type == MESSAGE_WRITE) {
        answer_write(&m);
    } else {
        check(dialect == CONVERSATION_DOM0 && m.type == MESSAGE_OK);
    }
    conversation_sent(&talk, size);
    return true;
}

/* --- The owner ----------------------------------------------------------- */

static bool is_told(const char *path)
{
    struct bytes value, told;
    bool there = store_get(&mirror.store, path, &value);
    if (!store_get(&told_keys, path, &told))
        return !there;
    uint64_t hash = there ? mix(0, value.data, value.size) : 0;
    return there && bytes_equal(told, bytes_of((uint8_t *)&hash, sizeof hash));
}

static void note_told(const char *path)
{
    struct bytes value;
    if (!store_get(&mirror.store, path, &value)) {
        store_remove(&told_keys, path);
        return;
    }
    uint64_t hash = mix(0, value.data, value.size);
    check(store_set(&told_keys, path, bytes_of((uint8_t *)&hash, sizeof hash)));
}

static void on_rules(void *context, struct instant when,
                     const struct rule_tree *tree)
{
    char text[ADDRESS_TEXT_SIZE], path[MESSAGE_PATH_SIZE], count[16];
    uint64_t hash = tree->present;
    int source = 0;
    bool was_complete = false;
    (void)context;

    address_format(&tree->source, text);
    while (source < SOURCES && strcmp(sources[source], text) != 0)
        source++;
    check(source < SOURCES);
    check(tree->present || tree->count == 0);
    for (size_t i = 0; i < tree->count; i++)
        hash = mix_line(hash, tree->lines[i].name, tree->lines[i].value);
    for (unsigned i = 0; i < rules[source].state_count; i++)
        was_complete = was_complete || rules[source].states[i] == hash;
    check(was_complete || rules[source].state_count == STATES_MAX);
    rules[source].told = hash;

    keys_handled_path(&tree->source, path);
    snprintf(count, sizeof count, "%u",
             keys_handled(&mirror.store, &tree->source) + 1);
    if (conversation_write(&talk, when, path, bytes_of_text(count)))
        note_told(path);
}

static bool equal_in(const struct store *a, const struct store *b,
                     const char *path)
{
    struct bytes value, other;
    bool there = store_get(a, path, &value);
    return store_get(b, path, &other) == there &&
           (!there || bytes_equal(value, other));
}

static void on_changed(void *context, struct instant when, const char *path)
{
    (void)context, (void)when;
    check(keys_wanted(path));
    check(!is_told(path));
    note_told(path);
}

static void on_synced(void *context, struct instant when)
{
    (void)context, (void)when;
    check(talk.synced);
}

/* --- Contact ------------------------------------------------------------- */

static void begin(void)
{
    conversation_clear(&talk);
    conversation_init(&talk, now, dialect, &mirror);
    database.stream_begin = database.stream_size = 0;
    database.watched = false;
}

/* Up to so many bytes; false if there were none. */
static bool deliver(size_t size)
{
    static uint8_t part[1 << 16];
    if (size > database.stream_size - database.stream_begin)
        size = database.stream_size - database.stream_begin;
    if (size > sizeof part)
        size = sizeof part;
    if (size == 0)
        return false;
    memcpy(part, database.stream + database.stream_begin, size);
    database.stream_begin += size;
    conversation_receive(&talk, now, bytes_of(part, size));
    check(talk.work_count <= WORK_BOUND);
    check(conversation_output(&talk).size <= OUTPUT_BOUND);
    check(mirror.store.cost <= STORE_COST_MAX);
    if (talk.why_failed) {
        check(database.store.cost > STORE_COST_MAX / 2 ||
              conversation_output(&talk).size > OUTPUT_BOUND / 2);
        begin();
    }
    return true;
}

/* Whether the mirror may differ: a set of rules that is not complete is not
 * read, and dom0's daemon and ours may write one key at one time. */
static bool may_differ(const char *path)
{
    char base[MESSAGE_PATH_SIZE], own[MESSAGE_PATH_SIZE];
    if (dialect == CONVERSATION_DOM0)
        return is_in(path, "/qubes-firewall-handled/");
    if (keys_rules_of(path, base) != KEYS_RULES_PART)
        return false;
    for (int i = 0; i < SOURCES; i++) {
        base_of(i, own);
        if (!strcmp(base, own))
            return rules[i].rewritten;
    }
    return false;
}

static void compare(const struct store *a, const struct store *b)
{
    char base[MESSAGE_PATH_SIZE];
    for (size_t i = 0; i < a->count; i++) {
        const char *path = a->entries[i]->path;
        if (!keys_wanted(path))
            continue;
        check(may_differ(path) || equal_in(a, b, path));
        check(keys_rules_of(path, base) != KEYS_NO_RULES || is_told(path));
    }
}

static void settle(void)
{
    struct address address;
    char base[MESSAGE_PATH_SIZE];
    while (answer() || deliver(SIZE_MAX))
        ;
    check(talk.synced && !talk.under_way && !talk.first);
    compare(&database.store, &mirror.store);
    compare(&mirror.store, &database.store);
    for (size_t i = 0; i < told_keys.count; i++)
        check(is_told(told_keys.entries[i]->path));
    for (int i = 0; i < SOURCES; i++) {
        base_of(i, base);
        if (!rules[i].rewritten)
            check(rules[i].told ==
                  (keys_rules_source(base, &address) ? state_of(i) : 0));
    }
}

/* --- The input ----------------------------------------------------------- */

static void rewrite_rules(uint8_t what)
{
    char base[MESSAGE_PATH_SIZE], path[MESSAGE_PATH_SIZE + 8];
    base_of(what % SOURCES, base);
    snprintf(path, sizeof path, "%s/", base);
    take_away(path);
    for (unsigned i = 1; i < LINES && (what >> 2 & 1 << i); i++) {
        snprintf(path, sizeof path, "%s%s", base, lines[i]);
        put(path, bytes_of_text(values[(what >> 6) % VALUES]));
    }
    put(base, bytes_of_text(""));
}

static void any_path(uint8_t what, char path[MESSAGE_PATH_SIZE])
{
    unsigned of_rules = SOURCES * LINES;
    what %= SOURCES * LINES + KEYS;
    if (what < of_rules)
        snprintf(path, MESSAGE_PATH_SIZE, KEYS_RULES "%s%s",
                 sources[what / LINES], lines[what % LINES]);
    else
        snprintf(path, MESSAGE_PATH_SIZE, "%s", keys[what - of_rules]);
}

static void remove_directory(uint8_t what)
{
    char path[MESSAGE_PATH_SIZE];
    what %= SOURCES + DIRECTORIES;
    if (what < SOURCES)
        snprintf(path, sizeof path, KEYS_RULES "%s/", sources[what]);
    else
        snprintf(path, sizeof path, "%s", directories[what - SOURCES]);
    take_away(path);
}

static void flood(uint8_t what)
{
    static uint8_t value[MESSAGE_DATA_MAX];
    char path[MESSAGE_PATH_SIZE];
    if (database.floods++ >= FLOODS_MAX)
        return;
    memset(value, 'a' + what % 16, sizeof value);
    for (unsigned i = 0; i < FLOOD; i++) {
        snprintf(path, sizeof path, "/vm-config/%04u", i);
        put(path, bytes_of(value, sizeof value * (what % 16) / 15));
    }
}

static void act(uint8_t what, uint8_t how)
{
    char path[MESSAGE_PATH_SIZE];
    any_path(how, path);
    switch (what % 10) {
    case 0:
    case 1:
        put(path, bytes_of_text(values[what / 10 % VALUES]));
        break;
    case 2:
        take_away(path);
        break;
    case 3:
        remove_directory(how);
        break;
    case 4:
        rewrite_rules(how);
        break;
    case 5:
        answer();
        break;
    case 6:
        deliver(1 + how);
        break;
    case 7:
        deliver(64 * (size_t)how);
        break;
    case 8:
        if (what == WHAT_FLOODS && how >= HOW_FLOODS)
            flood(how);
        else if (how % 4 == 0)
            begin();
        break;
    case 9:
        settle();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mirror_owner owner = {NULL, on_rules, on_changed, on_synced};
    if (size == 0)
        return 0;
    be_quiet();
    memset(rules, 0, sizeof rules);
    dialect = data[0] % 2 ? CONVERSATION_DOM0 : CONVERSATION_LOCAL;
    mirror_init(&mirror, &owner);
    begin();
    for (size_t i = 1; i + 1 < size && i < 1024; i += 2)
        act(data[i], data[i + 1]);
    take_away("/vm-config/");
    settle();
    conversation_clear(&talk);
    mirror_clear(&mirror);
    store_clear(&told_keys);
    store_clear(&database.store);
    free(database.stream);
    memset(&database, 0, sizeof database);
    return 0;
}
