#include "gateway/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/event/acceptor.h"
#include "gateway/process/local_socket.h"

enum { GROUPS_MAX = 256 };

struct visitor {
    struct control *control;
    struct loop_watch watch; /* fd -1: free */
    struct instant deadline;
    size_t received;
    size_t answer_size;
    size_t answered;
    char *answer; /* NULL while the request is still coming */
    char request[CONTROL_REQUEST_MAX];
};

struct control {
    struct loop *loop;
    control_handler *handler;
    void *context;
    struct acceptor acceptor;
    struct loop_timer patience; /* ends visitors that stall */
    struct sockaddr_un address;
    struct visitor visitors[CONTROL_CLIENTS_MAX];
};

static void dismiss(struct visitor *v)
{
    loop_remove(v->control->loop, &v->watch);
    close(v->watch.fd);
    v->watch.fd = -1;
    /* A request may have held a password. */
    secret_wipe(v->request, sizeof v->request);
    free(v->answer);
    v->answer = NULL;
}

static void arm_patience(struct control *c)
{
    struct instant earliest = INSTANT_NEVER;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (c->visitors[i].watch.fd >= 0)
            earliest = instant_earlier(earliest, c->visitors[i].deadline);
    }
    loop_timer_set(&c->patience, earliest);
}

static void patience_over(void *context, struct instant now)
{
    struct control *c = context;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct visitor *v = &c->visitors[i];
        if (v->watch.fd >= 0 && instant_reached(now, v->deadline))
            dismiss(v);
    }
    arm_patience(c);
}

static void send_answer(struct visitor *v)
{
    ssize_t n = send(v->watch.fd, v->answer + v->answered,
                     v->answer_size - v->answered, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        dismiss(v);
        return;
    }
    v->answered += (size_t)n;
    if (v->answered == v->answer_size)
        dismiss(v);
}

/* The text of `answer` (taken) with a line feed. */
static char *line_of(json_t *answer)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (!text)
        return NULL;
    size_t size = strlen(text);
    char *line = realloc(text, size + 2);
    if (!line) {
        free(text);
        return NULL;
    }
    memcpy(line + size, "\n", 2);
    return line;
}

/* One of them may be a password; the library only frees. */
static void wipe_texts(json_t *request)
{
    const char *key;
    json_t *value;
    json_object_foreach(request, key, value)
    {
        if (json_is_string(value))
            secret_wipe((void *)(uintptr_t)json_string_value(value),
                        json_string_length(value));
    }
}

char *control_answer(control_handler *handler, void *context,
                     struct instant now, struct bytes request)
{
    json_t *object = json_loadb((const char *)request.data, request.size,
                                JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = NULL;
    if (json_is_object(object))
        answer = handler(context, now, object);
    wipe_texts(object);
    json_decref(object);
    if (!answer)
        answer = json_pack("{s:s}", "error", "request not understood");
    return line_of(answer);
}

static void answer_request(struct visitor *v, struct instant now, size_t size)
{
    const struct control *c = v->control;
    v->answer =
        control_answer(c->handler, c->context, now, bytes_of(v->request, size));
    v->answer_size = v->answer ? strlen(v->answer) : 0;
    v->answered = 0;
    if (!v->answer ||
        loop_change(v->control->loop, &v->watch, LOOP_WRITE) != OK)
        dismiss(v);
}

static void receive_request(struct visitor *v, struct instant now)
{
    ssize_t n = recv(v->watch.fd, v->request + v->received,
                     sizeof v->request - v->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        dismiss(v);
        return;
    }
    v->received += (size_t)n;
    const char *end = memchr(v->request, '\n', v->received);
    if (end)
        answer_request(v, now, (size_t)(end - v->request));
    else if (v->received == sizeof v->request)
        dismiss(v);
}

static void visitor_ready(void *context, struct instant now, unsigned events)
{
    struct visitor *v = context;
    if (v->answer)
        send_answer(v);
    else if (events & LOOP_READ)
        receive_request(v, now);
    else
        dismiss(v);
    arm_patience(v->control);
}

/* By a supplementary group. */
static bool is_in_group(int fd, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false; /* ERANGE, too: more than anybody has */
    for (size_t i = 0; i < size / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* Root, and the user that the gateway runs as. The file's mode lets the group
 * in too; who that is, is the service's decision. */
static bool may_visit(int fd, const struct control *c)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct stat file;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    return stat(c->address.sun_path, &file) == 0 &&
           (peer.gid == file.st_gid || is_in_group(fd, file.st_gid));
}

/* If all places are taken, the visitor that has been here longest makes room:
 * one that means it has been answered by then. */
static struct visitor *free_visitor(struct control *c)
{
    struct visitor *oldest = &c->visitors[0];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct visitor *v = &c->visitors[i];
        if (v->watch.fd < 0)
            return v;
        if (instant_before(v->deadline, oldest->deadline))
            oldest = v;
    }
    dismiss(oldest);
    return oldest;
}

static void came(void *context, struct instant now, int fd)
{
    struct control *c = context;
    if (!may_visit(fd, c)) {
        static const char refusal[] =
            "{\"error\": \"only root, and members of the socket's group, may "
            "ask this gateway: try sudo\"}\n";
        (void)!send(fd, refusal, sizeof refusal - 1, MSG_NOSIGNAL);
        close(fd);
        return;
    }
    struct visitor *v = free_visitor(c);
    v->watch = (struct loop_watch){fd, visitor_ready, v};
    v->received = 0;
    v->deadline = instant_after(now, duration_seconds(CONTROL_CLIENT_SECONDS));
    if (loop_add(c->loop, &v->watch, LOOP_READ) != OK) {
        close(fd);
        v->watch.fd = -1;
    }
    arm_patience(c);
}

static void starved(void *context, struct instant now, bool again)
{
    (void)context, (void)now;
    if (!again)
        log_warn("control: nobody can be answered: %s", strerror(errno));
}

/* A file left behind by a gateway that was killed answers nobody. */
static bool remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool in_use =
        connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    if (in_use) {
        errno = EADDRINUSE;
        return false;
    }
    struct stat file;
    if (lstat(address->sun_path, &file) != 0)
        return true;
    if (!S_ISSOCK(file.st_mode)) {
        errno = ENOTSOCK;
        return false;
    }
    unlink(address->sun_path);
    return true;
}

/* The last directory of the way, as a unit makes it (RuntimeDirectory=). */
static void make_directory(const struct sockaddr_un *address)
{
    struct sockaddr_un directory = *address;
    char *end = strrchr(directory.sun_path, '/');
    if (!end || end == directory.sun_path)
        return;
    *end = '\0';
    (void)!mkdir(directory.sun_path, 0755); /* bind() tells what is wrong */
}

static int listen_at(const struct sockaddr_un *address)
{
    make_directory(address);
    if (!remove_stale(address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    mode_t before = umask(0117); /* rw-rw---- */
    bool bound =
        bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    umask(before);
    if (!bound || listen(fd, CONTROL_CLIENTS_MAX) != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static const char *hint_of(int number)
{
    if (number == EADDRINUSE)
        return ": another gateway runs and answers there; stop that one, or "
               "give this one a socket of its own with --control";
    if (number == ENOTSOCK)
        return ": what lies there is left alone; give another place with "
               "--control";
    if (number == EACCES || number == EPERM)
        return ": run it as root, or give it a place of its own with --control";
    return "";
}

struct control *control_open(const char *path, struct loop *loop,
                             control_handler *handler, void *context)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c || !local_socket_name(path, &c->address)) {
        log_error("control: %s: %s", path, strerror(errno));
        free(c);
        return NULL;
    }
    c->loop = loop;
    c->handler = handler;
    c->context = context;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        c->visitors[i].control = c;
        c->visitors[i].watch.fd = -1;
    }

    /* One at a time: the next may push out whoever has not been heard yet. */
    const struct acceptor_owner owner = {c, came, starved};
    int fd = listen_at(&c->address);
    if (fd < 0 || acceptor_open(&c->acceptor, loop, fd, 1, &owner) != OK) {
        log_error("control: %s: %s%s", path, strerror(errno), hint_of(errno));
        if (fd >= 0)
            close(fd);
        free(c);
        return NULL;
    }
    c->patience = (struct loop_timer){
        .deadline = INSTANT_NEVER, .expired = patience_over, .context = c};
    loop_add_timer(loop, &c->patience);
    return c;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct visitor *v = &c->visitors[i];
        if (v->watch.fd < 0)
            continue;
        if (v->answer)
            send_answer(v); /* the answer to `stop`, most likely */
        if (v->watch.fd >= 0)
            dismiss(v);
    }
    loop_remove_timer(c->loop, &c->patience);
    acceptor_close(&c->acceptor);
    unlink(c->address.sun_path);
    free(c);
}
