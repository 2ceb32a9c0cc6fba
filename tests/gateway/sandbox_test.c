#include "gateway/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "tests/unit.h"

enum { PATH_SIZE = 128, NO_ANSWER = 99 };

/* A profile's directory, a control socket's, and one that is neither. */
static char profiles[PATH_SIZE], control[PATH_SIZE], outside[PATH_SIZE];
static char profile[PATH_SIZE], inner[PATH_SIZE], socket_file[PATH_SIZE];
static char secret[PATH_SIZE];

static bool enter(struct sandbox *out)
{
    const struct sandbox_options options = {
        .read = (const char *const[]){profile, NULL},
        .remove = (const char *const[]){socket_file, NULL},
    };
    log_set_level(LOG_ERROR);
    return sandbox_enter(&options, out);
}

/* Runs it in a process of its own, inside; the status of wait(). */
static int inside(int (*deed)(void))
{
    pid_t child = fork();
    if (child == 0) {
        struct sandbox sandbox;
        _exit(enter(&sandbox) ? deed() : NO_ANSWER);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_killed(int (*deed)(void))
{
    int status = inside(deed);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_result(int expected, int (*deed)(void))
{
    int status = inside(deed);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

/* The sanitizers' own calls at the end of a process are not on the list. */
static void skip_with_sanitizers(void)
{
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
}

/* 0, or errno. */
static int number_of(long result)
{
    return result < 0 ? errno : 0;
}

/* --- What ends the process ----------------------------------------------- */

static int start_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static int make_process(void)
{
    return fork() == 0;
}

static int open_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int open_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int ask_netfilter(void)
{
    enum { NETFILTER = 12 }; /* linux/netlink.h */
    return socket(AF_NETLINK, SOCK_RAW, NETFILTER);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == MAP_FAILED;
}

static int turn_data_into_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int make_file(void)
{
    return open("new", O_WRONLY | O_CREAT, 0600);
}

static int write_file(void)
{
    return open(profile, O_WRONLY);
}

static int kill_parent(void)
{
    return kill(getppid(), 0);
}

static int signal_parent_thread(void)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int trace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int become_root(void)
{
    return setuid(0);
}

static int leave_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int push_into_terminal(void)
{
    return ioctl(0, TIOCSTI, "x");
}

static int load_another_filter(void)
{
    return prctl(PR_SET_SECCOMP, 2, NULL);
}

static void another_call_ends_the_process(void **state)
{
    static int (*const deeds[])(void) = {
        start_program,        make_process,
        open_packet_socket,   open_raw_socket,
        ask_netfilter,        map_code,
        turn_data_into_code,  make_file,
        write_file,           kill_parent,
        signal_parent_thread, trace,
        become_root,          leave_namespace,
        push_into_terminal,   load_another_filter,
    };
    (void)state;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        assert_killed(deeds[i]);
}

/* --- What serving needs -------------------------------------------------- */

static int open_sockets(void)
{
    static const struct {
        int family, type;
    } wanted[] = {
        {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK},
        {AF_INET, SOCK_STREAM | SOCK_CLOEXEC},
        {AF_INET6, SOCK_DGRAM},
        {AF_INET6, SOCK_STREAM},
        {AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK},
        {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int fd = socket(wanted[i].family, wanted[i].type, 0);
        if (fd < 0 && errno != EAFNOSUPPORT)
            return errno;
        close(fd);
    }
    return 0;
}

static int allocate(void)
{
    enum { MUCH = 32 << 20 };
    char *data = malloc(MUCH);
    if (!data)
        return ENOMEM;
    memset(data, 1, MUCH);
    free(data);
    return 0;
}

static void *nothing(void *argument)
{
    return argument;
}

/* As libxenstore does, whose connections come and go with QubesDB's. */
static int start_thread(void)
{
    pthread_t made;
    int ends[2], older[2];
    if (pipe2(ends, O_CLOEXEC) || syscall(SYS_pipe, older))
        return errno;
    int failed = pthread_create(&made, NULL, nothing, NULL);
    return failed ? failed : pthread_join(made, NULL);
}

/* As it does where QubesDB is waited for. */
static int make_pipe(void)
{
    int ends[2];
    return number_of(pipe2(ends, O_CLOEXEC) | pipe(ends));
}

static int read_configuration(void)
{
    FILE *file = fopen("/etc/passwd", "re");
    char line[80];
    return file && fgets(line, sizeof line, file) ? fclose(file) : errno;
}

static int read_profile(void)
{
    return number_of(open(profile, O_RDONLY));
}

static int read_beside_profile(void)
{
    return number_of(open(inner, O_RDONLY));
}

static int remove_socket(void)
{
    return number_of(unlink(socket_file));
}

static void what_serving_needs_is_there(void **state)
{
    (void)state;
    skip_with_sanitizers();
    assert_result(0, open_sockets);
    assert_result(0, allocate);
    assert_result(0, start_thread);
    assert_result(0, make_pipe);
    assert_result(0, read_configuration);
    assert_result(0, read_profile);
    assert_result(0, read_beside_profile);
    assert_result(0, remove_socket);
}

/* --- Files --------------------------------------------------------------- */

static int read_outside(void)
{
    return number_of(open(secret, O_RDONLY));
}

static int write_profile(void)
{
    return number_of(open(profile, O_RDWR));
}

static int remove_profile(void)
{
    return number_of(unlink(profile));
}

static void other_files_are_out_of_reach(void **state)
{
    struct sandbox sandbox = {0};
    (void)state;
    skip_with_sanitizers();
    pid_t child = fork();
    if (child == 0)
        _exit(enter(&sandbox) && sandbox.files ? 0 : NO_ANSWER);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == NO_ANSWER)
        skip(); /* a kernel without Landlock */
    assert_result(EACCES, read_outside);
    assert_result(EACCES, write_profile);
    assert_result(EACCES, remove_profile);
}

/* A server's status, in a directory where files may be replaced: here the
 * control socket's. */
static int replace_a_file(void)
{
    struct sandbox sandbox;
    char fresh[PATH_SIZE + 8], whole[PATH_SIZE + 8], beside[PATH_SIZE + 8];
    snprintf(fresh, sizeof fresh, "%s/new", control);
    snprintf(whole, sizeof whole, "%s/status", control);
    snprintf(beside, sizeof beside, "%s/new", profiles);
    log_set_level(LOG_ERROR);
    if (!sandbox_enter(
            &(struct sandbox_options){
                .read = (const char *const[]){profile, NULL},
                .remove = (const char *const[]){NULL},
                .replace = (const char *const[]){control, NULL},
            },
            &sandbox))
        return NO_ANSWER;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || fchmod(fd, 0640) || rename(fresh, whole) || unlink(whole))
        return errno;
    if (!sandbox.files)
        return 0; /* a kernel without Landlock */
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL, 0600);
    return fd < 0 && errno == EACCES ? 0 : NO_ANSWER;
}

static void files_are_replaced_where_that_is_said(void **state)
{
    (void)state;
    skip_with_sanitizers();
    pid_t child = fork();
    if (child == 0)
        _exit(replace_a_file());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- Privileges and secrets ---------------------------------------------- */

/* One line of /proc/PID/status. */
static void proc_line(pid_t pid, const char *name, char *value, size_t size)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    *value = '\0';
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            snprintf(value, size, "%s", line + strlen(name));
    }
    fclose(file);
    assert_true(*value != '\0');
    value[strcspn(value, "\n")] = '\0';
}

static void privileges_are_gone(void **state)
{
    int ready[2], end[2];
    char value[PATH_SIZE], byte = 0;
    (void)state;
    skip_with_sanitizers();
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sandbox sandbox;
        close(end[1]);
        if (enter(&sandbox))
            (void)!write(ready[1], &byte, 1);
        _exit((int)read(end[0], &byte, 1));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"CapEff:\t", "CapPrm:\t",
                                            "CapInh:\t"};
        proc_line(child, names[i], value, sizeof value);
        assert_string_equal(value, "0000000000000000");
    }
    proc_line(child, "NoNewPrivs:\t", value, sizeof value);
    assert_string_equal(value, "1");
    proc_line(child, "Seccomp:\t", value, sizeof value);
    assert_string_equal(value, "2");
    struct rlimit core;
    assert_int_equal(prlimit(child, RLIMIT_CORE, NULL, &core), 0);
    assert_int_equal(core.rlim_max, 0);
    int status;
    close(end[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    for (size_t i = 0; i < 2; i++)
        close(ready[i]);
    close(end[0]);
}

static void a_core_file_or_tracer_gets_nothing(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        sandbox_guard_secrets();
        _exit(prctl(PR_GET_DUMPABLE));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- Threads ------------------------------------------------------------- */

static pthread_t thread;

static void *read_for_ever(void *context)
{
    char byte;
    while (read(*(int *)context, &byte, 1) >= 0)
        ;
    return NULL;
}

static int thread_program(void *(*work)(void *), bool cancel)
{
    int pipes[2];
    struct sandbox sandbox;
    if (pipe(pipes) || pthread_create(&thread, NULL, work, &pipes[0]) ||
        !enter(&sandbox))
        return NO_ANSWER;
    if (cancel)
        pthread_cancel(thread);
    return pthread_join(thread, NULL);
}

/* As xs_close() does with the thread of libxenstore. */
static void a_thread_from_before_can_be_cancelled(void **state)
{
    (void)state;
    skip_with_sanitizers();
    pid_t child = fork();
    if (child == 0)
        _exit(thread_program(read_for_ever, true));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Until the other thread has made this forbidden. */
static void *keep_asking(void *context)
{
    while (context)
        prctl(PR_GET_DUMPABLE);
    return NULL;
}

static void a_thread_from_before_is_confined_as_well(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(thread_program(keep_asking, false));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* --- Switched off -------------------------------------------------------- */

static void switched_off_nothing_is_forbidden(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct sandbox sandbox;
        log_set_level(LOG_ERROR);
        bool entered =
            sandbox_enter(&(struct sandbox_options){.off = true}, &sandbox);
        _exit(entered && !sandbox.calls && fork() >= 0 ? 0 : NO_ANSWER);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- Files of the test --------------------------------------------------- */

static void make(char out[PATH_SIZE], const char *directory, const char *name)
{
    snprintf(out, PATH_SIZE, "%s/%s", directory, name);
    int fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(profiles, "/tmp/sandbox-profiles.XXXXXX");
    strcpy(control, "/tmp/sandbox-control.XXXXXX");
    strcpy(outside, "/tmp/sandbox-outside.XXXXXX");
    if (!mkdtemp(profiles) || !mkdtemp(control) || !mkdtemp(outside))
        return -1;
    make(profile, profiles, "work.ovpn");
    make(inner, profiles, "ca.crt");
    make(socket_file, control, "socket");
    make(secret, outside, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(profile);
    unlink(inner);
    unlink(socket_file);
    unlink(secret);
    rmdir(profiles);
    rmdir(control);
    rmdir(outside);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_call_ends_the_process),
        cmocka_unit_test(what_serving_needs_is_there),
        cmocka_unit_test(other_files_are_out_of_reach),
        cmocka_unit_test(files_are_replaced_where_that_is_said),
        cmocka_unit_test(privileges_are_gone),
        cmocka_unit_test(a_core_file_or_tracer_gets_nothing),
        cmocka_unit_test(a_thread_from_before_can_be_cancelled),
        cmocka_unit_test(a_thread_from_before_is_confined_as_well),
        cmocka_unit_test(switched_off_nothing_is_forbidden),
    };
    return cmocka_run_group_tests_name("sandbox", tests, set_up, tear_down);
}
