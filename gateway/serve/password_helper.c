#include "gateway/serve/password_helper.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/process/local_socket.h"
#include "gateway/serve/helper_answer.h"
#include "gateway/serve/login_queue.h"

struct question {
    struct password_helper *helper;
    struct loop_watch watch; /* fd -1: this place is free */
    struct instant deadline;
    uint64_t client;
    size_t size;
    char answer[HELPER_ANSWER_MAX];
};

struct password_helper {
    const char *path;
    struct loop *loop;
    struct loop_timer timer;
    password_helper_answer *answer;
    void *context;
    struct login_queue queue;
    struct question questions[LOGIN_QUEUE_PLACES]; /* by place */
};

static void plan(struct password_helper *h)
{
    struct instant next = INSTANT_NEVER;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++)
        if (h->questions[i].watch.fd >= 0)
            next = instant_earlier(next, h->questions[i].deadline);
    loop_timer_set(&h->timer, next);
}

static void hang_up(struct question *q)
{
    loop_remove(q->helper->loop, &q->watch);
    close(q->watch.fd);
    q->watch.fd = -1;
    login_queue_give(&q->helper->queue, (size_t)(q - q->helper->questions));
    plan(q->helper);
}

/* --- The answer ---------------------------------------------------------- */

/* It ended, or was started anew, in the middle: no word about the password. */
static bool is_broken_off(const struct question *q)
{
    return q->size < sizeof q->answer && !memchr(q->answer, '\n', q->size);
}

static void judge(struct question *q, struct instant now)
{
    static const enum server_verdict verdicts[] = {
        [HELPER_ANSWER_NONE] = SERVER_REFUSE,
        [HELPER_ANSWER_GOOD] = SERVER_ADMIT,
        [HELPER_ANSWER_BAD] = SERVER_REFUSE,
        [HELPER_ANSWER_LATER] = SERVER_BUSY,
    };
    struct password_helper *h = q->helper;
    struct helper_answer answer;
    helper_answer_read(bytes_of(q->answer, q->size), &answer);
    if (answer.verdict == HELPER_ANSWER_NONE) {
        log_error("serve: %s: that is no answer about a password", h->path);
        if (is_broken_off(q))
            answer.verdict = HELPER_ANSWER_LATER;
    }
    hang_up(q);
    h->answer(h->context, now, q->client, verdicts[answer.verdict],
              answer.reason[0] ? answer.reason : NULL);
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct question *q = context;
    (void)events;
    ssize_t n = recv(q->watch.fd, q->answer + q->size,
                     sizeof q->answer - q->size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    q->size += n > 0 ? (size_t)n : 0;
    if (n <= 0 || q->size == sizeof q->answer ||
        memchr(q->answer, '\n', q->size))
        judge(q, now);
}

static void time_is_over(void *context, struct instant now)
{
    struct password_helper *h = context;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++) {
        struct question *q = &h->questions[i];
        if (q->watch.fd < 0 || !instant_reached(now, q->deadline))
            continue;
        log_error("serve: %s: no answer about a password in %d s", h->path,
                  PASSWORD_HELPER_SECONDS);
        hang_up(q);
        h->answer(h->context, now, q->client, SERVER_BUSY, NULL);
    }
    plan(h);
}

/* --- The question -------------------------------------------------------- */

static char *write_question(const struct server_login *login)
{
    char from[ENDPOINT_TEXT_SIZE];
    json_t *o = json_pack(
        "{s:s%,s:s%,s:s,s:s,s:b}", "name", login->username.data,
        login->username.size, "password", login->password.data,
        login->password.size, "common_name", login->common_name, "address",
        endpoint_format(&login->path->remote, from), "again", login->again);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL; /* not UTF-8: NULL */
    json_decref(o);
    return text;
}

static bool say(int fd, const char *text)
{
    size_t size = strlen(text);
    return send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size &&
           send(fd, "\n", 1, MSG_NOSIGNAL) == 1;
}

static bool begin(struct password_helper *h, struct question *q,
                  const char *text)
{
    int fd = local_socket_connect(h->path, SOCK_NONBLOCK);
    q->watch = (struct loop_watch){fd, ready, q};
    if (fd >= 0 && say(fd, text) &&
        loop_add(h->loop, &q->watch, LOOP_READ) == OK)
        return true;
    log_error("serve: %s: %s", h->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    q->watch.fd = -1;
    return false;
}

enum server_verdict password_helper_ask(struct password_helper *h,
                                        struct instant now,
                                        const struct server_login *login)
{
    size_t place;
    char *text = write_question(login);
    if (!text)
        return SERVER_REFUSE;
    bool asked = login_queue_put(&h->queue, &login->path->remote.address,
                                 login->again, &place);
    if (asked && !begin(h, &h->questions[place], text)) {
        login_queue_give(&h->queue, place);
        asked = false;
    }
    secret_wipe(text, strlen(text));
    free(text);
    if (!asked)
        return SERVER_BUSY;
    struct question *q = &h->questions[place];
    q->client = login->client;
    q->size = 0;
    q->deadline = instant_after(now, duration_seconds(PASSWORD_HELPER_SECONDS));
    plan(h);
    return SERVER_LATER;
}

/* --- Beginning and end --------------------------------------------------- */

struct password_helper *password_helper_new(const char *path, struct loop *loop,
                                            password_helper_answer *answer,
                                            void *context)
{
    struct password_helper *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->path = path;
    h->loop = loop;
    h->answer = answer;
    h->context = context;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++) {
        h->questions[i].helper = h;
        h->questions[i].watch.fd = -1;
    }
    h->timer = (struct loop_timer){INSTANT_NEVER, time_is_over, h, NULL};
    loop_add_timer(loop, &h->timer);
    return h;
}

void password_helper_free(struct password_helper *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++)
        if (h->questions[i].watch.fd >= 0)
            hang_up(&h->questions[i]);
    loop_remove_timer(h->loop, &h->timer);
    free(h);
}
