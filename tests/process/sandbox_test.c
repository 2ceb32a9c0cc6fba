#include "gateway/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/process/sandbox_files.h"
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

static int make_unnamed_file(void)
{
    return open(profiles, O_RDWR | O_TMPFILE, 0600);
}

/* The kernel would signal the owner of a socket at its events. */
static int own_socket_for_parent(void)
{
    return fcntl(socket(AF_INET, SOCK_DGRAM, 0), F_SETOWN, getppid());
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
        make_unnamed_file,    own_socket_for_parent,
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
    if (fd < 0 || fchmod(fd, 0640) || rename(fresh, whole) ||
        ftruncate(fd, 0) || unlink(whole))
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

/* Its flags lie where no filter of calls can see them. */
static int open_another_way(void)
{
    const struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0600};
    return number_of(syscall(SYS_openat2, AT_FDCWD, inner, &how, sizeof how));
}

static void a_file_is_opened_in_one_way_only(void **state)
{
    (void)state;
    skip_with_sanitizers();
    assert_result(ENOSYS, open_another_way);
}

/* --- Ports, sockets, processes ------------------------------------------- */

static struct sandbox_scope scope_here(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    long mended = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 << 1);
    return version < 1 ? (struct sandbox_scope){0}
                       : sandbox_files_scope(version, mended < 0 ? 0 : mended);
}

/* Bits of linux/landlock.h of the version that has all of them. */
static void each_version_is_asked_for_what_it_knows(void **state)
{
    static const struct {
        long version, mended;
        struct sandbox_scope scope;
    } versions[] = {
        {1, 0, {0x1fff, 0, 0}},   {2, 0, {0x3fff, 0, 0}},
        {3, 0, {0x7fff, 0, 0}},   {4, 0, {0x7fff, 1, 0}},
        {5, 1, {0xffff, 1, 0}},   {6, 1, {0xffff, 1, 1}},
        {6, 3, {0xffff, 1, 3}},   {7, 7, {0xffff, 1, 3}},
        {999, 7, {0xffff, 1, 3}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct sandbox_scope scope =
            sandbox_files_scope(versions[i].version, versions[i].mended);
        assert_int_equal(scope.files, versions[i].scope.files);
        assert_int_equal(scope.net, versions[i].scope.net);
        assert_int_equal(scope.scoped, versions[i].scope.scoped);
    }
}

static int bind_tcp(void)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return number_of(bind(fd, (const struct sockaddr *)&any, sizeof any));
}

static void no_tcp_port_is_taken(void **state)
{
    (void)state;
    skip_with_sanitizers();
    if (!scope_here().net)
        skip(); /* Landlock before its version 4 */
    assert_result(EACCES, bind_tcp);
}

/* A datagram socket with a name without a file, and one with. */
static struct sockaddr_un service;
static socklen_t service_size;
static int service_at = -1, connected_before = -1;

static void open_service(const char *file)
{
    service = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (file)
        strcpy(service.sun_path, file);
    else
        snprintf(service.sun_path + 1, sizeof service.sun_path - 1,
                 "sandbox-test-%d", getpid());
    service_size = (socklen_t)sizeof service;
    service_at = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    connected_before = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *name = (const struct sockaddr *)&service;
    assert_int_equal(bind(service_at, name, service_size), 0);
    assert_int_equal(connect(connected_before, name, service_size), 0);
}

static void close_service(void)
{
    close(service_at);
    close(connected_before);
}

static int connect_service(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return number_of(
        connect(fd, (const struct sockaddr *)&service, service_size));
}

static int send_to_service(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return number_of(
        sendto(fd, "x", 1, 0, (const struct sockaddr *)&service, service_size));
}

static int notify_service(void)
{
    return number_of(send(connected_before, "READY=1", 7, MSG_NOSIGNAL));
}

/* As X11's and D-Bus's, to which no file's rights lead. */
static void sockets_without_a_file_are_out_of_reach(void **state)
{
    (void)state;
    skip_with_sanitizers();
    if (!scope_here().scoped)
        skip(); /* Landlock before its version 6 */
    open_service(NULL);
    assert_result(EPERM, connect_service);
    assert_result(EPERM, send_to_service);
    close_service();
}

/* sd_notify's is such a socket in the nano qube, and may be elsewhere. */
static void one_that_was_connected_before_still_takes_news(void **state)
{
    char message[16];
    (void)state;
    skip_with_sanitizers();
    open_service(NULL);
    assert_result(0, notify_service);
    assert_int_equal(recv(service_at, message, sizeof message, 0), 7);
    close_service();
}

/* QubesDB's, which is connected with anew. */
static void sockets_with_a_file_are_reached(void **state)
{
    char file[PATH_SIZE + 16];
    (void)state;
    skip_with_sanitizers();
    snprintf(file, sizeof file, "%s/service", outside);
    open_service(file);
    assert_result(0, connect_service);
    close_service();
    unlink(file);
}

/* Under Landlock alone: the list of calls has no kill(). */
static void no_other_process_is_signalled(void **state)
{
    enum { SIGNALS = 2 };
    (void)state;
    if (!(scope_here().scoped & SIGNALS))
        skip(); /* Landlock before its version 6, or with its mistake */
    pid_t child = fork();
    if (child == 0) {
        const char *const none[] = {NULL};
        bool done = sandbox_files_confine(
            &(struct sandbox_options){.read = none, .remove = none});
        _exit(done ? number_of(kill(getppid(), 0)) : NO_ANSWER);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), EPERM);
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
        cmocka_unit_test(a_file_is_opened_in_one_way_only),
        cmocka_unit_test(each_version_is_asked_for_what_it_knows),
        cmocka_unit_test(no_tcp_port_is_taken),
        cmocka_unit_test(sockets_without_a_file_are_out_of_reach),
        cmocka_unit_test(one_that_was_connected_before_still_takes_news),
        cmocka_unit_test(sockets_with_a_file_are_reached),
        cmocka_unit_test(no_other_process_is_signalled),
        cmocka_unit_test(privileges_are_gone),
        cmocka_unit_test(a_core_file_or_tracer_gets_nothing),
        cmocka_unit_test(a_thread_from_before_can_be_cancelled),
        cmocka_unit_test(a_thread_from_before_is_confined_as_well),
        cmocka_unit_test(switched_off_nothing_is_forbidden),
    };
    return cmocka_run_group_tests_name("sandbox", tests, set_up, tear_down);
}
