/*
 * Rules and settings as Qubes' core-admin writes them, in its order: what lies
 * below the base is removed, then come the policy and the rules, and last an
 * empty value at the base, which puts them into force. The daemon is a process
 * of its own: the tests' one, or with QUBESDB_DAEMON=PROGRAM Qubes' own, which
 * needs root and a /var/run/qubes and /var/log/qubes of its own.
 */
#include "gateway/dom0/dom0.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/qubesdb/daemon.h"
#include "tests/unit.h"

#define QUBE    "10.137.0.20"
#define BASE    "/qubes-firewall/" QUBE
#define HANDLED "/qubes-firewall-handled/" QUBE

enum { GIVE_UP = 60 /* s */, STEPS_MAX = 9, HEADER_SIZE = 72 };
/* QubesDB's messages. */
enum { READ = 0, WRITE = 1, RM = 4, RESP_OK = 7, RESP_READ = 10 };

struct world {
    char directory[32], socket[64];
    pid_t daemon;
    int writer;
    struct loop *loop;
    struct loop_timer look;
    struct router *router;
    struct qube *qube;
    struct dom0 *dom0;
    struct instant began;
    const char *awaited; /* of the qube's rules, the text */
    unsigned synced;
};

/* --- dom0's side --------------------------------------------------------- */

static void whole(int fd, void *data, size_t size, bool sent)
{
    for (size_t done = 0; done < size;) {
        char *at = (char *)data + done;
        ssize_t moved = sent ? send(fd, at, size - done, MSG_NOSIGNAL)
                             : read(fd, at, size - done);
        assert_true(moved > 0);
        done += (size_t)moved;
    }
}

/* The answer's type; its data, if there is any, is left in `value`. */
static unsigned ask(struct world *w, unsigned type, const char *path,
                    char *value, size_t value_size)
{
    unsigned char header[HEADER_SIZE] = {(unsigned char)type};
    uint32_t size = type == WRITE ? (uint32_t)strlen(value) : 0;
    assert_true(strlen(path) < 64);
    memcpy(header + 1, path, strlen(path));
    memcpy(header + 68, &size, sizeof size);
    whole(w->writer, header, sizeof header, true);
    whole(w->writer, value, size, true);
    whole(w->writer, header, sizeof header, false);
    memcpy(&size, header + 68, sizeof size);
    assert_true(size < value_size || size == 0);
    whole(w->writer, value, size, false);
    if (header[0] == RESP_READ)
        value[size] = '\0';
    return header[0];
}

static void dom0_writes(struct world *w, const char *path, const char *value)
{
    char data[3072];
    snprintf(data, sizeof data, "%s", value);
    assert_int_equal(ask(w, WRITE, path, data, sizeof data), RESP_OK);
}

static void dom0_removes(struct world *w, const char *path)
{
    char none[1] = "";
    ask(w, RM, path, none, sizeof none); /* absent or not */
}

static unsigned times_handled(struct world *w)
{
    char value[64];
    bool found = ask(w, READ, HANDLED, value, sizeof value) == RESP_READ;
    return found ? (unsigned)strtoul(value, NULL, 10) : 0;
}

static void serve_database(const char *socket)
{
    struct daemon *d = daemon_new();
    daemon_listen(d, socket);
    for (;;)
        daemon_turn(d, -1, -1);
}

static void daemon_start(struct world *w)
{
    const char *real = getenv("QUBESDB_DAEMON");
    char name[16];
    snprintf(name, sizeof name, "t%d", (int)getpid());
    if (real)
        snprintf(w->socket, sizeof w->socket, "/var/run/qubes/qubesdb.%s.sock",
                 name);
    else
        snprintf(w->socket, sizeof w->socket, "%s/socket", w->directory);
    w->daemon = fork();
    assert_true(w->daemon >= 0);
    if (w->daemon > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!real)
        serve_database(w->socket);
    setenv("NOTIFY_SOCKET", "/dev/null", 1); /* it stays in front */
    execl(real, real, "0", name, (char *)NULL);
    _exit(1);
}

static void writer_connect(struct world *w)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", w->socket);
    for (int tries = 0; tries < GIVE_UP * 100; tries++) {
        w->writer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (!connect(w->writer, (struct sockaddr *)&address, sizeof address))
            return;
        close(w->writer);
        usleep(10000);
    }
    fail_msg("%s: nobody answers", w->socket);
}

/* Qubes' daemon may have become another process, whose id its socket tells. */
static void daemon_end(struct world *w)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (!getsockopt(w->writer, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        kill(peer.pid, SIGKILL);
    close(w->writer);
    kill(w->daemon, SIGKILL);
    waitpid(w->daemon, NULL, 0);
}

/* --- The gateway's side -------------------------------------------------- */

static void be_quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void on_synced(void *context, struct instant now)
{
    struct world *w = context;
    (void)now;
    w->synced++;
}
static void on_change(void *context, struct instant now)
{
    (void)context;
    (void)now;
}
static void on_setting(void *context, struct instant now, enum vm_config_key k)
{
    (void)k;
    on_change(context, now);
}
static void on_own(void *context, struct instant now,
                   const struct keys_own *own)
{
    (void)own;
    on_change(context, now);
}

static void look(void *context, struct instant now)
{
    struct world *w = context;
    bool there = w->synced > 0 && strstr(w->qube->rules_text, w->awaited);
    if (there)
        loop_quit(w->loop);
    if (instant_since(now, w->began).us > GIVE_UP * 1000000LL)
        fail_msg("awaited \"%s\", have \"%s\"", w->awaited,
                 w->qube->rules_text);
    loop_timer_set(&w->look, instant_after(now, duration_milliseconds(2)));
}

static void run_until_rules(struct world *w, const char *text)
{
    w->awaited = text;
    w->began = loop_now(w->loop);
    loop_timer_set(&w->look, w->began);
    assert_int_equal(loop_run(w->loop), OK);
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    const struct router_options options = {.flows = 256};
    struct address qube = address_ipv4(0x0a890014); /* QUBE */
    log_set_sink(be_quiet, NULL);
    strcpy(w->directory, "/tmp/core-admin-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    daemon_start(w);
    writer_connect(w);
    w->loop = loop_new();
    w->look = (struct loop_timer){INSTANT_NEVER, look, w, NULL};
    loop_add_timer(w->loop, &w->look);
    w->router = router_new(&options);
    w->qube =
        router_add_qube(w->router, loop_now(w->loop), "qube", &qube, NULL);
    return w;
}

static void gateway_connects(struct world *w)
{
    const struct dom0_owner owner = {
        .context = w,
        .setting = on_setting,
        .rules = on_change,
        .own = on_own,
        .synced = on_synced,
    };
    w->dom0 = dom0_open(w->socket, w->loop, w->router, &owner);
    assert_non_null(w->dom0);
}

static void world_free(struct world *w)
{
    dom0_close(w->dom0);
    daemon_end(w);
    router_free(w->router);
    loop_remove_timer(w->loop, &w->look);
    loop_free(w->loop);
    unlink(w->socket);
    rmdir(w->directory);
    log_set_sink(NULL, NULL);
    free(w);
}

/* --- The table ----------------------------------------------------------- */

/* "- PATH" removes, "PATH VALUE" writes; below the base or whole. */
struct update {
    const char *what;
    const char *steps[STEPS_MAX];
    const char *rules; /* then */
};

static const struct update updates[] = {
    {"the first rules",
     {"- /", "/policy drop", "/0000 action=accept", " "},
     "1 rule, else drop"},
    {"more of them, in every form that core-admin has",
     {"- /", "/policy drop",
      "/0000 action=accept dst4=198.51.100.0/24 proto=tcp dstports=80-443",
      "/0001 action=drop dsthost=www.example.net proto=udp",
      "/0002 action=accept proto=icmp icmptype=8",
      "/0003 action=accept specialtarget=dns", "/0004 action=drop", " "},
     "5 rules, else drop"},
    {"fewer, and their numbers have gaps: one has expired, one is IPv6's",
     {"- /", "/policy drop", "/0000 action=accept specialtarget=dns",
      "/0003 action=drop", " "},
     "2 rules, else drop"},
    {"the last one expires",
     {"- /", "/policy drop", "/0003 action=drop", " "},
     "1 rule, else drop"},
    {"none, but a policy", {"- /", "/policy drop", " "}, "0 rules, else drop"},
    {"an empty base before the rules, as a full transfer may bring it",
     {"- /", " ", "/policy drop", "/0000 action=accept", "/0001 action=drop",
      " "},
     "2 rules, else drop"},
    {"a word that a newer dom0 may have",
     {"- /", "/policy drop", "/0000 action=forward", " "},
     "forward"},
    {"put right",
     {"- /", "/policy drop", "/0000 action=accept", " "},
     "1 rule, else drop"},
    {"removed altogether", {"- /", "- "}, "no rules yet"},
    {"and written again",
     {"/policy drop", "/0000 action=accept", " "},
     "1 rule, else drop"},
};

static void take_step(struct world *w, const char *step)
{
    char path[64];
    bool removes = step[0] == '-';
    const char *name = removes ? step + 2 : step;
    size_t size = removes ? strlen(name) : strcspn(name, " ");
    snprintf(path, sizeof path, BASE "%.*s", (int)size, name);
    if (removes)
        dom0_removes(w, path);
    else
        dom0_writes(w, path, name + size + 1);
}

static void each_update_is_in_force(void **state)
{
    (void)state;
    struct world *w = world_new();
    dom0_writes(w, "/connected-ips", QUBE);
    gateway_connects(w);
    run_until_rules(w, "no rules yet");
    for (size_t i = 0; i < sizeof updates / sizeof updates[0]; i++) {
        for (const char *const *step = updates[i].steps; *step; step++)
            take_step(w, *step);
        run_until_rules(w, updates[i].rules);
    }
    assert_true(times_handled(w) > 0);
    world_free(w);
}

static void write_rules(struct world *w, unsigned count)
{
    char path[64], rule[96];
    dom0_removes(w, BASE "/");
    dom0_writes(w, BASE "/policy", "drop");
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, BASE "/%04u", i);
        snprintf(rule, sizeof rule,
                 "action=accept dst4=198.51.%u.%u/32 proto=tcp dstports=%u-%u",
                 i / 256, i % 256, i + 1, i + 1);
        dom0_writes(w, path, rule);
    }
    dom0_writes(w, BASE, "");
}

static void a_thousand_and_one_rules(void **state)
{
    (void)state;
    struct world *w = world_new();
    write_rules(w, 1001);
    gateway_connects(w);
    run_until_rules(w, "1001 rules, else drop");
    write_rules(w, 1000);
    run_until_rules(w, "1000 rules, else drop");
    world_free(w);
}

/* While the gateway does not get its turn, too. */
static void two_hundred_updates_back_to_back(void **state)
{
    (void)state;
    struct world *w = world_new();
    gateway_connects(w);
    run_until_rules(w, "no rules yet");
    for (unsigned i = 1; i <= 200; i++)
        write_rules(w, i % 7);
    run_until_rules(w, "4 rules, else drop");
    unsigned handled = times_handled(w);
    write_rules(w, 9);
    run_until_rules(w, "9 rules, else drop");
    assert_true(times_handled(w) >= handled);
    world_free(w);
}

static void settings_are_written_removed_and_written(void **state)
{
    (void)state;
    struct world *w = world_new();
    dom0_writes(w, "/vm-config/vpn-mtu", "1300");
    dom0_writes(w, "/qubes-service/vpn-gateway", "1");
    gateway_connects(w);
    write_rules(w, 1);
    run_until_rules(w, "1 rule, else drop");
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1300);
    dom0_removes(w, "/vm-config/vpn-mtu");
    write_rules(w, 2);
    run_until_rules(w, "2 rules, else drop");
    assert_int_equal(dom0_config(w->dom0)->states[VM_CONFIG_MTU],
                     VM_CONFIG_UNSET);
    for (unsigned mtu = 1000; mtu < 1200; mtu++) {
        char value[8];
        snprintf(value, sizeof value, "%u", mtu);
        dom0_writes(w, "/vm-config/vpn-mtu", value);
    }
    write_rules(w, 3);
    run_until_rules(w, "3 rules, else drop");
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1199);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_update_is_in_force),
        cmocka_unit_test(a_thousand_and_one_rules),
        cmocka_unit_test(two_hundred_updates_back_to_back),
        cmocka_unit_test(settings_are_written_removed_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
