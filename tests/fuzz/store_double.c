#include "tests/fuzz/store_double.h"

#include "tests/fuzz/target.h"
#include "tests/link/xen/fake_card.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

enum {
    NODES_MAX = 256,
    WATCHES_MAX = 16,
    EVENTS_MAX = 4096,
    WRITES_MAX = 16,
    PATH_SIZE = 96,
    VALUE_SIZE = 320,
};

struct node {
    char path[PATH_SIZE];
    uint8_t value[VALUE_SIZE];
    size_t size;
};

struct watch {
    char path[PATH_SIZE], token[32];
};

struct xs_handle {
    int fd; /* never readable: the target takes the events */
};

static struct {
    struct node nodes[NODES_MAX];
    size_t node_count;
    struct watch watches[WATCHES_MAX];
    size_t watch_count;
    struct watch events[EVENTS_MAX]; /* a queue */
    size_t first_event, event_count;
    struct node writes[WRITES_MAX]; /* of the transaction under way */
    size_t write_count;
    unsigned disturbances;
    char denied[PATH_SIZE];
    char read[VALUE_SIZE + 1];
} store;

/* --- The store ----------------------------------------------------------- */

static bool is_below(const char *path, const char *parent)
{
    size_t size = strlen(parent);
    return strncmp(path, parent, size) == 0 &&
           (path[size] == '\0' || path[size] == '/');
}

static struct node *find(const char *path)
{
    for (size_t i = 0; i < store.node_count; i++)
        if (strcmp(store.nodes[i].path, path) == 0)
            return &store.nodes[i];
    return NULL;
}

static void tell(const char *path, const char *token)
{
    check(store.event_count < EVENTS_MAX);
    struct watch *event =
        &store.events[(store.first_event + store.event_count++) % EVENTS_MAX];
    snprintf(event->path, sizeof event->path, "%s", path);
    snprintf(event->token, sizeof event->token, "%s", token);
}

static void changed(const char *path, bool removed)
{
    for (size_t i = 0; i < store.watch_count; i++) {
        struct watch *w = &store.watches[i];
        if (is_below(path, w->path))
            tell(path, w->token);
        else if (removed && is_below(w->path, path))
            tell(w->path, w->token);
    }
}

static void set(struct node *node, const char *path, struct bytes value)
{
    check(strlen(path) < PATH_SIZE && value.size <= VALUE_SIZE);
    snprintf(node->path, sizeof node->path, "%s", path);
    if (value.size)
        memcpy(node->value, value.data, value.size);
    node->size = value.size;
}

void store_double_write(const char *path, struct bytes value)
{
    struct node *node = find(path);
    if (!node) {
        check(store.node_count < NODES_MAX);
        node = &store.nodes[store.node_count++];
    }
    set(node, path, value);
    changed(path, false);
}

static bool remove_all(const char *path)
{
    bool found = false;
    for (size_t i = 0; i < store.node_count;) {
        if (is_below(store.nodes[i].path, path)) {
            store.nodes[i] = store.nodes[--store.node_count];
            found = true;
        } else {
            i++;
        }
    }
    if (found)
        changed(path, true);
    return found;
}

void store_double_reset(void)
{
    store.node_count = store.event_count = store.write_count = 0;
    store.disturbances = 0;
    store.denied[0] = '\0';
    store_double_write("/local/domain/1/domid", bytes_of_text("1"));
    store.event_count = 0;
}

bool store_double_take_event(const char **path, const char **token)
{
    static struct watch event;
    if (store.event_count == 0)
        return false;
    event = store.events[store.first_event++ % EVENTS_MAX];
    store.event_count--;
    *path = event.path;
    *token = event.token;
    return true;
}

/* --- For the rest of the world ------------------------------------------- */

void fake_xenstored_lock(struct fake_xenstored *x)
{
    (void)x;
}

void fake_xenstored_unlock(struct fake_xenstored *x)
{
    (void)x;
}

void fake_xenstored_write(struct fake_xenstored *x, const char *path,
                          const char *value)
{
    (void)x;
    store_double_write(path, bytes_of_text(value));
}

void fake_xenstored_remove(struct fake_xenstored *x, const char *path)
{
    (void)x;
    remove_all(path);
}

const char *fake_xenstored_read(struct fake_xenstored *x, const char *path)
{
    const struct node *node = find(path);
    (void)x;
    if (!node)
        return NULL;
    memcpy(store.read, node->value, node->size);
    store.read[node->size] = '\0';
    return store.read;
}

void fake_xenstored_deny(struct fake_xenstored *x, const char *path)
{
    (void)x;
    snprintf(store.denied, sizeof store.denied, "%s", path);
}

void fake_xenstored_disturb(struct fake_xenstored *x, unsigned count)
{
    (void)x;
    store.disturbances = count;
}

unsigned fake_xenstored_watches(struct fake_xenstored *x)
{
    (void)x;
    return (unsigned)store.watch_count;
}

/* --- libxenstore --------------------------------------------------------- */

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h = calloc(1, sizeof *h);
    (void)flags;
    check(h != NULL);
    h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return h;
}

void xs_close(struct xs_handle *h)
{
    close(h->fd);
    free(h);
}

int xs_fileno(struct xs_handle *h)
{
    return h->fd;
}

char **xs_check_watch(struct xs_handle *h)
{
    (void)h;
    return NULL;
}

static bool refuse(int reason)
{
    errno = reason;
    return false;
}

static bool is_ours(const char *path)
{
    return is_below(path, "/local/domain/1");
}

static bool may_read(const char *path)
{
    return !store.denied[0] || !is_below(path, store.denied);
}

char *xs_get_domain_path(struct xs_handle *h, unsigned domid)
{
    char path[64];
    (void)h;
    snprintf(path, sizeof path, "/local/domain/%u", domid);
    return strdup(path);
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned *size)
{
    (void)h, (void)t;
    const struct node *node =
        find(strcmp(path, "domid") == 0 ? "/local/domain/1/domid" : path);
    if (!node || !may_read(path)) {
        errno = node ? EACCES : ENOENT;
        return NULL;
    }
    /* A piece of exactly that size, and the library's own zero. */
    char *value = malloc(node->size + 1);
    check(value != NULL);
    memcpy(value, node->value, node->size);
    value[node->size] = '\0';
    *size = (unsigned)node->size;
    return value;
}

/* The names and what points to them, in one piece. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned *count)
{
    size_t depth = strlen(path) + 1;
    (void)h, (void)t;
    char **list = malloc(NODES_MAX * (sizeof *list + PATH_SIZE));
    check(list != NULL);
    char *at = (char *)(list + NODES_MAX);
    *count = 0;
    for (size_t i = 0; i < store.node_count; i++) {
        const char *node = store.nodes[i].path;
        if (!is_below(node, path) || strlen(node) < depth)
            continue;
        size_t size = strcspn(node + depth, "/");
        bool known = false;
        for (unsigned n = 0; n < *count; n++)
            known |= strlen(list[n]) == size &&
                     strncmp(list[n], node + depth, size) == 0;
        if (known)
            continue;
        list[(*count)++] = at;
        memcpy(at, node + depth, size);
        at[size] = '\0';
        at += size + 1;
    }
    return list;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned size)
{
    (void)h;
    if (!is_ours(path))
        return refuse(EACCES);
    if (!t) {
        store_double_write(path, bytes_of(data, size));
        return true;
    }
    check(store.write_count < WRITES_MAX);
    set(&store.writes[store.write_count++], path, bytes_of(data, size));
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    (void)h, (void)t;
    if (!is_ours(path))
        return refuse(EACCES);
    return remove_all(path) || refuse(ENOENT);
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    (void)h;
    store.write_count = 0;
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abandon)
{
    (void)h, (void)t;
    if (abandon)
        return true;
    if (store.disturbances > 0) {
        store.disturbances--;
        return refuse(EAGAIN);
    }
    for (size_t i = 0; i < store.write_count; i++)
        store_double_write(
            store.writes[i].path,
            bytes_of(store.writes[i].value, store.writes[i].size));
    return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)h;
    check(store.watch_count < WATCHES_MAX);
    struct watch *w = &store.watches[store.watch_count++];
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->token, sizeof w->token, "%s", token);
    tell(path, token);
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    (void)h;
    for (size_t i = 0; i < store.watch_count; i++) {
        struct watch *w = &store.watches[i];
        if (strcmp(w->path, path) != 0 || strcmp(w->token, token) != 0)
            continue;
        *w = store.watches[--store.watch_count];
        return true;
    }
    return refuse(ENOENT);
}
