#include "gateway/serve/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/process/randomness.h"
#include "gateway/serve/login_queue.h"
#include "gateway/serve/user_hashes.h"

enum { LINE_MAX_SIZE = 1024 };

struct job {
    uint64_t client;
    bool judged;
    enum server_verdict verdict;
    char name[PASSWORDS_TEXT_MAX];
    char password[PASSWORDS_TEXT_MAX];
};

struct passwords {
    const char *path;
    struct loop *loop;
    struct loop_watch watch; /* an eventfd: something is answered */
    passwords_answer *answer;
    void *context;
    struct siphash_key key; /* for user_hashes */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    bool ending;
    struct login_queue queue;
    struct job jobs[LOGIN_QUEUE_PLACES]; /* by place */
};

/* NULL after a report. A pipe without a writer must not stop us. */
static FILE *open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    FILE *file = NULL;
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        log_error("serve: %s: it is not a regular file", path);
    else if (fd < 0 || !(file = fdopen(fd, "r")))
        log_error("serve: %s: %s", path, strerror(errno));
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

/* --- In the thread ------------------------------------------------------- */

static bool find_hash(const char *path, struct user_hashes *h)
{
    char line[LINE_MAX_SIZE];
    FILE *file = open_file(path);
    if (!file)
        return false;
    while (fgets(line, sizeof line, file))
        user_hashes_take(h, bytes_of_text(line));
    bool good = !ferror(file);
    if (!good)
        log_error("serve: %s: %s", path, strerror(errno));
    fclose(file);
    secret_wipe(line, sizeof line);
    return good;
}

static bool is_right(const struct user_hashes *h, const char *password,
                     struct crypt_data *memory, bool *made)
{
    memset(memory, 0, sizeof *memory);
    const char *text = crypt_rn(password, h->hash, memory, (int)sizeof *memory);
    *made = text != NULL;
    bool right =
        text && secret_equal(bytes_of_text(text), bytes_of_text(h->hash));
    secret_wipe(memory, sizeof *memory);
    return right && h->known;
}

static enum server_verdict judge(const struct passwords *p,
                                 const struct job *job,
                                 struct crypt_data *memory)
{
    struct user_hashes h;
    bool made, right = false;
    user_hashes_start(&h, &p->key, job->name);
    bool readable = memory && find_hash(p->path, &h);
    if (readable) {
        right = is_right(&h, job->password, memory, &made);
        if (!made) { /* what is no hash costs as much */
            user_hashes_fall_back(&h);
            (void)is_right(&h, job->password, memory, &made);
        }
    }
    user_hashes_clear(&h);
    return !readable ? SERVER_BUSY : right ? SERVER_ADMIT : SERVER_REFUSE;
}

static void *work(void *context)
{
    struct passwords *p = context;
    struct crypt_data *memory = malloc(sizeof *memory);
    const uint64_t one = 1;
    size_t place;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        if (!login_queue_next(&p->queue, &place)) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        struct job job = p->jobs[place];
        pthread_mutex_unlock(&p->lock);
        enum server_verdict verdict = judge(p, &job, memory);
        secret_wipe(&job, sizeof job);
        pthread_mutex_lock(&p->lock);
        p->jobs[place].verdict = verdict;
        p->jobs[place].judged = true;
        if (write(p->watch.fd, &one, sizeof one) < 0)
            log_error("serve: %s", strerror(errno));
    }
    pthread_mutex_unlock(&p->lock);
    free(memory);
    return NULL;
}

/* --- In the loop --------------------------------------------------------- */

static bool take_answer(struct passwords *p, uint64_t *client,
                        enum server_verdict *verdict)
{
    bool any = false;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES && !any; i++) {
        struct job *job = &p->jobs[i];
        if (!job->judged)
            continue;
        any = true;
        *client = job->client;
        *verdict = job->verdict;
        secret_wipe(job, sizeof *job);
        login_queue_give(&p->queue, i);
    }
    pthread_mutex_unlock(&p->lock);
    return any;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct passwords *p = context;
    uint64_t count, client;
    enum server_verdict verdict;
    (void)events;
    if (read(p->watch.fd, &count, sizeof count) < 0)
        return;
    while (take_answer(p, &client, &verdict))
        p->answer(p->context, now, client, verdict);
}

/* The loop's thread alone is to get signals. */
static bool start_thread(struct passwords *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->started = pthread_create(&p->thread, NULL, work, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p->started;
}

enum server_verdict passwords_check(struct passwords *p,
                                    const struct server_login *login)
{
    struct job job = {.client = login->client};
    enum server_verdict verdict = SERVER_BUSY;
    size_t place;
    if (login->username.size == 0 ||
        !text_copy(job.name, sizeof job.name, login->username) ||
        !text_copy(job.password, sizeof job.password, login->password))
        return SERVER_REFUSE;
    if (!p->started && !start_thread(p)) {
        log_error("serve: passwords cannot be checked: %s", strerror(errno));
        return SERVER_BUSY;
    }
    pthread_mutex_lock(&p->lock);
    if (login_queue_put(&p->queue, &login->path->remote.address, login->again,
                        &place)) {
        p->jobs[place] = job;
        verdict = SERVER_LATER;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    secret_wipe(&job, sizeof job);
    return verdict;
}

struct passwords *passwords_open(const char *path, struct loop *loop,
                                 passwords_answer *answer, void *context)
{
    FILE *file = open_file(path);
    if (!file)
        return NULL;
    fclose(file);
    struct passwords *p = calloc(1, sizeof *p);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!p || fd < 0)
        goto failed;
    p->path = path;
    p->loop = loop;
    p->watch = (struct loop_watch){fd, ready, p};
    p->answer = answer;
    p->context = context;
    randomness_fill(NULL, (uint8_t *)&p->key, sizeof p->key);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (loop_add(loop, &p->watch, LOOP_READ) == OK)
        return p;
failed:
    log_error("serve: passwords cannot be checked: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    free(p);
    return NULL;
}

void passwords_close(struct passwords *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    loop_remove(p->loop, &p->watch);
    close(p->watch.fd);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    secret_wipe(p, sizeof *p);
    free(p);
}
