#include "gateway/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { LINE_MAX_SIZE = 1024 };

/* Compared with where there is no such name, so that it takes as long. */
static const char nobodys_hash[] =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

struct job {
    uint64_t number;
    bool good;
    char name[PASSWORDS_TEXT_MAX];
    char password[PASSWORDS_TEXT_MAX];
};

struct passwords {
    const char *path;
    struct loop *loop;
    struct loop_watch watch; /* an eventfd: something is answered */
    passwords_answer *answer;
    void *context;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    bool ending;
    /* A ring: answered ones first, then those that wait. */
    size_t first, answered, waiting;
    struct job jobs[PASSWORDS_WAITING_MAX];
};

static struct job *job_at(struct passwords *p, size_t number)
{
    return &p->jobs[(p->first + number) % PASSWORDS_WAITING_MAX];
}

/* --- In the thread ---------------------------------------------------------
 */

static bool find_hash(const char *path, const char *name,
                      char hash[LINE_MAX_SIZE])
{
    bool found = false;
    FILE *file = fopen(path, "re");
    if (!file) {
        log_error("serve: %s: %s", path, strerror(errno));
        return false;
    }
    while (!found && fgets(hash, LINE_MAX_SIZE, file)) {
        struct bytes line = text_trim(bytes_of_text(hash)), word;
        found = line.size > 0 && line.data[0] != '#' &&
                text_cut(&line, ':', &word) && text_equal(word, name) &&
                line.size > 0;
        if (found) {
            memmove(hash, line.data, line.size);
            hash[line.size] = 0;
        }
    }
    fclose(file);
    return found;
}

static bool is_good(const char *path, const struct job *job,
                    struct crypt_data *memory)
{
    char hash[LINE_MAX_SIZE];
    bool known = find_hash(path, job->name, hash);
    const char *expected = known ? hash : nobodys_hash;
    memset(memory, 0, sizeof *memory);
    const char *made =
        crypt_rn(job->password, expected, memory, (int)sizeof *memory);
    bool good = known && made &&
                secret_equal(bytes_of_text(made), bytes_of_text(expected));
    secret_wipe(memory, sizeof *memory);
    secret_wipe(hash, sizeof hash);
    return good;
}

static void *work(void *context)
{
    struct passwords *p = context;
    struct crypt_data *memory = malloc(sizeof *memory);
    const uint64_t one = 1;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        if (p->waiting == 0) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        struct job job = *job_at(p, p->answered);
        pthread_mutex_unlock(&p->lock);
        bool good = memory && is_good(p->path, &job, memory);
        secret_wipe(&job, sizeof job);
        pthread_mutex_lock(&p->lock);
        job_at(p, p->answered)->good = good;
        p->answered++;
        p->waiting--;
        if (write(p->watch.fd, &one, sizeof one) < 0)
            log_error("serve: %s", strerror(errno));
    }
    pthread_mutex_unlock(&p->lock);
    free(memory);
    return NULL;
}

/* --- In the loop ------------------------------------------------------------
 */

static bool take_answer(struct passwords *p, uint64_t *number, bool *good)
{
    pthread_mutex_lock(&p->lock);
    bool any = p->answered > 0;
    if (any) {
        struct job *job = job_at(p, 0);
        *number = job->number;
        *good = job->good;
        secret_wipe(job, sizeof *job);
        p->first = (p->first + 1) % PASSWORDS_WAITING_MAX;
        p->answered--;
    }
    pthread_mutex_unlock(&p->lock);
    return any;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct passwords *p = context;
    uint64_t count, number;
    bool good;
    (void)events;
    if (read(p->watch.fd, &count, sizeof count) < 0)
        return;
    while (take_answer(p, &number, &good))
        p->answer(p->context, now, number, good);
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

bool passwords_check(struct passwords *p, uint64_t number, struct bytes name,
                     struct bytes password)
{
    bool taken = false;
    if (!p->started && !start_thread(p)) {
        log_error("serve: passwords cannot be checked: %s", strerror(errno));
        return false;
    }
    pthread_mutex_lock(&p->lock);
    size_t used = p->answered + p->waiting;
    if (used < PASSWORDS_WAITING_MAX) {
        struct job *job = job_at(p, used);
        job->number = number;
        taken = name.size > 0 && text_copy(job->name, sizeof job->name, name) &&
                text_copy(job->password, sizeof job->password, password);
        p->waiting += taken;
    }
    if (taken)
        pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    return taken;
}

struct passwords *passwords_open(const char *path, struct loop *loop,
                                 passwords_answer *answer, void *context)
{
    struct passwords *p = calloc(1, sizeof *p);
    if (access(path, R_OK) != 0) {
        log_error("serve: %s: %s", path, strerror(errno));
        free(p);
        return NULL;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!p || fd < 0)
        goto failed;
    p->path = path;
    p->loop = loop;
    p->watch = (struct loop_watch){fd, ready, p};
    p->answer = answer;
    p->context = context;
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
