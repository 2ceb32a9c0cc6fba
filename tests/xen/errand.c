/*
 * How dom0 has a command done in a domain and hears what it printed, several
 * at a time. Both ends are this program: of what shell scripts call, a process
 * is what costs most on emulated Xen. They meet in the domain's own directory
 * of xenstore:
 *
 *   data/errands/NUMBER     the command
 *   data/answers/NUMBER     its status; from the next line on what it printed
 *
 *   errand obey LIBRARY                  in a domain: does what comes, in a
 *                                        shell that has sourced LIBRARY
 *   errand give DOMAIN COMMAND           prints the errand's number
 *   errand take DOMAIN NUMBER SECONDS    prints what was printed, exits with
 *                                        its status; 124: it is not done yet
 *   errand do DOMAIN SECONDS COMMAND     gives and takes
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

enum {
    PATH = 128,
    PRINTED_MAX = 3000, /* its end; a value of xenstore has 4096 bytes */
    NOT_DONE = 124,
};

#define ERRANDS "data/errands"
#define ANSWERS "data/answers"

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "errand: %s: %s\n", what, strerror(errno));
    exit(125);
}

static struct xs_handle *open_store(void)
{
    struct xs_handle *store = xs_open(0);
    if (!store)
        give_up("xenstore");
    return store;
}

static void put(struct xs_handle *store, const char *path, const char *value)
{
    if (!xs_write(store, XBT_NULL, path, value, (unsigned)strlen(value)))
        give_up(path);
}

static char *get(struct xs_handle *store, const char *path)
{
    unsigned size;
    return xs_read(store, XBT_NULL, path, &size);
}

/* --- In the domain ------------------------------------------------------- */

static int run_shell(const char *library, const char *command, int printed)
{
    int status = 0;
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, 0);
        dup2(printed, 1);
        dup2(printed, 2);
        execlp("sh", "sh", "-c", ". \"$0\" && eval \"$1\"", library, command,
               NULL);
        _exit(127);
    }
    if (waitpid(child, &status, 0) < 0)
        give_up("wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void answer(const char *number, int status, int printed)
{
    char path[PATH], text[PRINTED_MAX + 16];
    int size = snprintf(text, sizeof text, "%d\n", status);
    off_t end = lseek(printed, 0, SEEK_END);
    ssize_t more = pread(printed, text + size, PRINTED_MAX,
                         end > PRINTED_MAX ? end - PRINTED_MAX : 0);
    text[size + (more > 0 ? more : 0)] = '\0';
    snprintf(path, sizeof path, ANSWERS "/%s", number);
    put(open_store(), path, text);
}

/* In a process of its own, with a connection of its own to xenstore. */
static void do_errand(const char *library, const char *number,
                      const char *command)
{
    FILE *printed = tmpfile();
    if (!printed)
        give_up("a file");
    signal(SIGCHLD, SIG_DFL);
    answer(number, run_shell(library, command, fileno(printed)),
           fileno(printed));
    exit(0);
}

/* Takes the errand out of xenstore, so that it is done once. */
static void take_errand(struct xs_handle *store, const char *library,
                        const char *path)
{
    char *command = get(store, path);
    if (!command)
        return;
    xs_rm(store, XBT_NULL, path);
    if (fork() == 0)
        do_errand(library, strrchr(path, '/') + 1, command);
    free(command);
}

static void take_all(struct xs_handle *store, const char *library)
{
    unsigned count = 0;
    char **names = xs_directory(store, XBT_NULL, ERRANDS, &count);
    for (unsigned i = 0; names && i < count; i++) {
        char path[PATH];
        snprintf(path, sizeof path, ERRANDS "/%s", names[i]);
        take_errand(store, library, path);
    }
    free(names);
}

static _Noreturn void obey(const char *library)
{
    struct xs_handle *store = open_store();
    signal(SIGCHLD, SIG_IGN);
    if (!xs_watch(store, ERRANDS, "errands"))
        give_up("a watch");
    for (;;) {
        unsigned count;
        char **event = xs_read_watch(store, &count);
        if (!event)
            give_up("the watch");
        /* The first one comes at once; some may wait since before. */
        if (strcmp(event[XS_WATCH_PATH], ERRANDS) == 0)
            take_all(store, library);
        else
            take_errand(store, library, event[XS_WATCH_PATH]);
        free(event);
    }
}

/* --- In dom0 ------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void path_of(char path[PATH], const char *domain, const char *directory,
                    const char *number)
{
    snprintf(path, PATH, "/local/domain/%s/%s/%s", domain, directory, number);
}

static void give(struct xs_handle *store, const char *domain,
                 const char *command, char number[32])
{
    char path[PATH];
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    snprintf(number, 32, "%lld%09ld", (long long)t.tv_sec, t.tv_nsec);
    path_of(path, domain, ERRANDS, number);
    put(store, path, command);
}

static int tell(struct xs_handle *store, const char *path, const char *said)
{
    const char *printed = strchr(said, '\n');
    size_t size = printed ? strlen(printed + 1) : 0;
    if (size) {
        fputs(printed + 1, stdout);
        if (printed[size] != '\n')
            putchar('\n');
    }
    xs_rm(store, XBT_NULL, path);
    return atoi(said);
}

static int take(struct xs_handle *store, const char *domain, const char *number,
                int seconds)
{
    char path[PATH];
    int64_t deadline = now_ms() + (int64_t)seconds * 1000, left;
    unsigned count;
    path_of(path, domain, ANSWERS, number);
    char *said = get(store, path);
    if (!said && !xs_watch(store, path, "answer"))
        give_up("a watch");
    struct pollfd ready = {.fd = said ? -1 : xs_fileno(store),
                           .events = POLLIN};
    while (!said && (left = deadline - now_ms()) >= 0) {
        if (poll(&ready, 1, (int)left) > 0)
            free(xs_read_watch(store, &count));
        said = get(store, path);
    }
    if (said)
        return tell(store, path, said);
    if (seconds)
        printf("domain %s gives no answer\n", domain);
    return NOT_DONE;
}

int main(int argc, char **argv)
{
    char number[32];
    if (argc == 3 && strcmp(argv[1], "obey") == 0)
        obey(argv[2]);
    if (argc < 4)
        return 2;
    struct xs_handle *store = open_store();
    if (argc == 4 && strcmp(argv[1], "give") == 0) {
        give(store, argv[2], argv[3], number);
        puts(number);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "take") == 0)
        return take(store, argv[2], argv[3], atoi(argv[4]));
    if (argc == 5 && strcmp(argv[1], "do") == 0) {
        give(store, argv[2], argv[4], number);
        return take(store, argv[2], number, atoi(argv[3]));
    }
    return 2;
}
