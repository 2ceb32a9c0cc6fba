#include "tests/link/xen/fake_xenstored.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

enum { NODES_MAX = 4096, WATCHES_MAX = 256, WRITES_MAX = 32, PATH_SIZE = 256 };

struct node {
    char path[PATH_SIZE];
    char value[FAKE_XENSTORED_VALUE_SIZE];
};

struct watch {
    char path[PATH_SIZE];
    char token[64];
};

struct fake_xenstored {
    pthread_mutex_t mutex;
    pthread_t thread;
    char home[64];
    char name[64]; /* of the socket */
    int listener, client;
    int stop[2];
    size_t node_count, watch_count, write_count;
    struct node nodes[NODES_MAX];
    struct watch watches[WATCHES_MAX];
    struct node writes[WRITES_MAX]; /* of the transaction under way */
    uint32_t transaction;
    unsigned disturbances, requests;
    char denied[PATH_SIZE];
    char read[FAKE_XENSTORED_VALUE_SIZE];
};

/* --- Talking to the client ----------------------------------------------- */

static void say(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                uint32_t type, const void *data, size_t size)
{
    struct xsd_sockmsg header = {type, to ? to->req_id : 0, to ? to->tx_id : 0,
                                 (uint32_t)size};
    if (x->client < 0)
        return;
    /* A client that went is no matter of ours. */
    if (send(x->client, &header, sizeof header, MSG_NOSIGNAL) < 0 ||
        (size && send(x->client, data, size, MSG_NOSIGNAL) < 0))
        return;
}

static void say_text(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                     uint32_t type, const char *text)
{
    say(x, to, type, text, strlen(text) + 1);
}

static void refuse(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                   int number)
{
    for (size_t i = 0; i < sizeof xsd_errors / sizeof *xsd_errors; i++)
        if (xsd_errors[i].errnum == number)
            say_text(x, to, XS_ERROR, xsd_errors[i].errstring);
}

static void tell_watch(struct fake_xenstored *x, const char *path,
                       const char *token)
{
    char event[PATH_SIZE + 64];
    size_t first = strlen(path) + 1, second = strlen(token) + 1;
    memcpy(event, path, first);
    memcpy(event + first, token, second);
    say(x, NULL, XS_WATCH_EVENT, event, first + second);
}

/* --- The store ----------------------------------------------------------- */

static bool is_below(const char *path, const char *parent)
{
    size_t size = strlen(parent);
    return strncmp(path, parent, size) == 0 &&
           (path[size] == '\0' || path[size] == '/');
}

static struct node *find(struct fake_xenstored *x, const char *path)
{
    for (size_t i = 0; i < x->node_count; i++)
        if (strcmp(x->nodes[i].path, path) == 0)
            return &x->nodes[i];
    return NULL;
}

static void changed(struct fake_xenstored *x, const char *path, bool removed)
{
    for (size_t i = 0; i < x->watch_count; i++) {
        struct watch *w = &x->watches[i];
        if (is_below(path, w->path))
            tell_watch(x, path, w->token);
        else if (removed && is_below(w->path, path))
            tell_watch(x, w->path, w->token);
    }
}

static void put(struct fake_xenstored *x, const char *path, const char *value)
{
    struct node *node = find(x, path);
    if (!node) {
        assert(x->node_count < NODES_MAX);
        node = &x->nodes[x->node_count++];
        snprintf(node->path, sizeof node->path, "%s", path);
    }
    snprintf(node->value, sizeof node->value, "%s", value);
    changed(x, path, false);
}

static bool remove_all(struct fake_xenstored *x, const char *path)
{
    bool found = false;
    for (size_t i = 0; i < x->node_count;) {
        if (is_below(x->nodes[i].path, path)) {
            x->nodes[i] = x->nodes[--x->node_count];
            found = true;
        } else {
            i++;
        }
    }
    if (found)
        changed(x, path, true);
    return found;
}

/* --- Requests ------------------------------------------------------------ */

static void absolute(struct fake_xenstored *x, const char *path,
                     char out[PATH_SIZE])
{
    bool relative = path[0] != '/';
    int size = snprintf(out, PATH_SIZE, "%s%s%s", relative ? x->home : "",
                        relative ? "/" : "", path);
    assert(size < PATH_SIZE);
}

static void list(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                 const char *path)
{
    char names[4096];
    size_t used = 0, depth = strlen(path) + 1;
    bool exists = false;
    for (size_t i = 0; i < x->node_count; i++) {
        const char *node = x->nodes[i].path;
        if (!is_below(node, path))
            continue;
        exists = true;
        if (strlen(node) < depth)
            continue;
        const char *name = node + depth;
        size_t size = strcspn(name, "/");
        bool known = false;
        for (size_t at = 0; at < used; at += strlen(names + at) + 1)
            known |= strlen(names + at) == size &&
                     strncmp(names + at, name, size) == 0;
        if (known)
            continue;
        assert(used + size + 1 < sizeof names);
        memcpy(names + used, name, size);
        names[used + size] = '\0';
        used += size + 1;
    }
    if (exists)
        say(x, to, XS_DIRECTORY, names, used);
    else
        refuse(x, to, ENOENT);
}

static void read_node(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                      const char *path)
{
    struct node *node = find(x, path);
    if (x->denied[0] && is_below(path, x->denied))
        refuse(x, to, EACCES);
    else if (!node)
        refuse(x, to, ENOENT);
    else
        say(x, to, XS_READ, node->value, strlen(node->value));
}

static void write_node(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                       const char *path, const char *value, size_t size)
{
    char text[FAKE_XENSTORED_VALUE_SIZE];
    assert(size < sizeof text);
    memcpy(text, value, size);
    text[size] = '\0';
    if (!is_below(path, x->home)) {
        refuse(x, to, EACCES);
        return;
    }
    if (to->tx_id) {
        assert(to->tx_id == x->transaction && x->write_count < WRITES_MAX);
        struct node *w = &x->writes[x->write_count++];
        snprintf(w->path, sizeof w->path, "%s", path);
        snprintf(w->value, sizeof w->value, "%s", text);
    }
    /* The answer comes before the event. */
    say_text(x, to, XS_WRITE, "OK");
    if (!to->tx_id)
        put(x, path, text);
}

static void end_transaction(struct fake_xenstored *x,
                            const struct xsd_sockmsg *to, bool commit)
{
    size_t count = commit ? x->write_count : 0;
    assert(to->tx_id == x->transaction);
    x->write_count = 0;
    if (commit && x->disturbances > 0) {
        x->disturbances--;
        refuse(x, to, EAGAIN);
        return;
    }
    say_text(x, to, XS_TRANSACTION_END, "OK");
    for (size_t i = 0; i < count; i++)
        put(x, x->writes[i].path, x->writes[i].value);
}

static void add_watch(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                      const char *path, const char *token)
{
    assert(x->watch_count < WATCHES_MAX);
    struct watch *w = &x->watches[x->watch_count++];
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->token, sizeof w->token, "%s", token);
    say_text(x, to, XS_WATCH, "OK");
    tell_watch(x, w->path, w->token);
}

static void remove_watch(struct fake_xenstored *x, const struct xsd_sockmsg *to,
                         const char *path, const char *token)
{
    for (size_t i = 0; i < x->watch_count; i++) {
        struct watch *w = &x->watches[i];
        if (strcmp(w->path, path) != 0 || strcmp(w->token, token) != 0)
            continue;
        *w = x->watches[--x->watch_count];
        say_text(x, to, XS_UNWATCH, "OK");
        return;
    }
    refuse(x, to, ENOENT);
}

static void obey(struct fake_xenstored *x, const struct xsd_sockmsg *request,
                 const char *body)
{
    char path[PATH_SIZE];
    char text[128];
    const char *second = body + strlen(body) + 1;
    absolute(x, body, path);
    x->requests++;
    switch (request->type) {
    case XS_DIRECTORY:
        list(x, request, path);
        break;
    case XS_READ:
        read_node(x, request, path);
        break;
    case XS_WRITE:
        write_node(x, request, path, second,
                   request->len - (size_t)(second - body));
        break;
    case XS_RM:
        if (!is_below(path, x->home)) {
            refuse(x, request, EACCES);
            break;
        }
        say_text(x, request, XS_RM, "OK");
        remove_all(x, path);
        break;
    case XS_WATCH:
        add_watch(x, request, path, second);
        break;
    case XS_UNWATCH:
        remove_watch(x, request, path, second);
        break;
    case XS_TRANSACTION_START:
        x->write_count = 0;
        snprintf(text, sizeof text, "%u", ++x->transaction);
        say_text(x, request, XS_TRANSACTION_START, text);
        break;
    case XS_TRANSACTION_END:
        end_transaction(x, request, body[0] == 'T');
        break;
    case XS_GET_DOMAIN_PATH:
        snprintf(text, sizeof text, "/local/domain/%.100s", body);
        say_text(x, request, XS_GET_DOMAIN_PATH, text);
        break;
    default:
        refuse(x, request, ENOSYS);
        break;
    }
}

static bool receive(int fd, void *data, size_t size)
{
    return size == 0 || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void hang_up(struct fake_xenstored *x)
{
    close(x->client);
    x->client = -1;
    x->watch_count = 0;
}

static void serve_client(struct fake_xenstored *x)
{
    struct xsd_sockmsg request;
    char body[XENSTORE_PAYLOAD_MAX + 2] = {0};
    if (!receive(x->client, &request, sizeof request) ||
        request.len > XENSTORE_PAYLOAD_MAX ||
        !receive(x->client, body, request.len)) {
        fake_xenstored_lock(x);
        hang_up(x);
        fake_xenstored_unlock(x);
        return;
    }
    fake_xenstored_lock(x);
    obey(x, &request, body);
    fake_xenstored_unlock(x);
}

static void *run(void *context)
{
    struct fake_xenstored *x = context;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = x->stop[0], .events = POLLIN},
            {.fd = x->client < 0 ? x->listener : x->client, .events = POLLIN},
        };
        int ready = poll(fds, 2, -1);
        assert(ready > 0 || errno == EINTR);
        if (fds[0].revents)
            return NULL;
        if (!fds[1].revents)
            continue;
        if (x->client >= 0) {
            serve_client(x);
            continue;
        }
        fake_xenstored_lock(x);
        x->client = accept(x->listener, NULL, NULL);
        fake_xenstored_unlock(x);
    }
}

/* --- For the test -------------------------------------------------------- */

struct fake_xenstored *fake_xenstored_new(uint32_t domain)
{
    struct fake_xenstored *x = calloc(1, sizeof *x);
    assert(x);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&x->mutex, &attributes);
    x->client = -1;
    snprintf(x->home, sizeof x->home, "/local/domain/%u", domain);
    snprintf(x->name, sizeof x->name, "/tmp/fake-xenstored-%d", getpid());
    unlink(x->name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, x->name, strlen(x->name) + 1);
    x->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed =
        bind(x->listener, (const struct sockaddr *)&address, sizeof address) ||
        listen(x->listener, 1) || pipe(x->stop) ||
        setenv("XENSTORED_PATH", x->name, 1);
    assert(!failed);
    char path[PATH_SIZE], value[16];
    snprintf(path, sizeof path, "%s/domid", x->home);
    snprintf(value, sizeof value, "%u", domain);
    put(x, path, value);
    failed = pthread_create(&x->thread, NULL, run, x);
    assert(!failed);
    return x;
}

void fake_xenstored_free(struct fake_xenstored *x)
{
    ssize_t told = write(x->stop[1], "", 1);
    assert(told == 1);
    pthread_join(x->thread, NULL);
    if (x->client >= 0)
        close(x->client);
    close(x->listener);
    close(x->stop[0]);
    close(x->stop[1]);
    unlink(x->name);
    unsetenv("XENSTORED_PATH");
    pthread_mutex_destroy(&x->mutex);
    free(x);
}

void fake_xenstored_lock(struct fake_xenstored *x)
{
    pthread_mutex_lock(&x->mutex);
}

void fake_xenstored_unlock(struct fake_xenstored *x)
{
    pthread_mutex_unlock(&x->mutex);
}

void fake_xenstored_write(struct fake_xenstored *x, const char *path,
                          const char *value)
{
    fake_xenstored_lock(x);
    put(x, path, value);
    fake_xenstored_unlock(x);
}

void fake_xenstored_remove(struct fake_xenstored *x, const char *path)
{
    fake_xenstored_lock(x);
    remove_all(x, path);
    fake_xenstored_unlock(x);
}

const char *fake_xenstored_read(struct fake_xenstored *x, const char *path)
{
    fake_xenstored_lock(x);
    struct node *node = find(x, path);
    if (node)
        memcpy(x->read, node->value, sizeof x->read);
    fake_xenstored_unlock(x);
    return node ? x->read : NULL;
}

void fake_xenstored_deny(struct fake_xenstored *x, const char *path)
{
    fake_xenstored_lock(x);
    snprintf(x->denied, sizeof x->denied, "%s", path);
    fake_xenstored_unlock(x);
}

void fake_xenstored_disturb(struct fake_xenstored *x, unsigned count)
{
    fake_xenstored_lock(x);
    x->disturbances = count;
    fake_xenstored_unlock(x);
}

bool fake_xenstored_unread(struct fake_xenstored *x)
{
    int bytes = 0;
    fake_xenstored_lock(x);
    bool known = x->client >= 0 && ioctl(x->client, SIOCOUTQ, &bytes) == 0;
    fake_xenstored_unlock(x);
    return known && bytes > 0;
}

unsigned fake_xenstored_watches(struct fake_xenstored *x)
{
    fake_xenstored_lock(x);
    unsigned count = (unsigned)x->watch_count;
    fake_xenstored_unlock(x);
    return count;
}

unsigned fake_xenstored_requests(struct fake_xenstored *x)
{
    fake_xenstored_lock(x);
    unsigned count = x->requests;
    fake_xenstored_unlock(x);
    return count;
}
