/*
 * The first process of the nano template, and its only one beside the
 * program: mounts, imports the profiles, starts the program as nobody, gives
 * the network card what dom0 wants, and switches the domain off when dom0
 * says so.
 *
 * The kernel starts this file for everything that it wants started
 * (CONFIG_STATIC_USERMODEHELPER), by the name of what it wanted; that is
 * /sbin/poweroff and /sbin/reboot when dom0 shuts the domain down.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/event/loop.h"
#include "gateway/event/signals.h"
#include "gateway/nano/profile_volume.h"
#include "gateway/nano/service.h"
#include "gateway/nano/way_out.h"

enum { INIT_USER = 100, INIT_GROUP = 100, INIT_IMPORT_USER = 101 };

#define PROFILES "/rw/config/vpn-gateway"
#define CONTROL  "/run/vpn-gateway"

struct init {
    struct loop *loop;
    struct signals signals;
    struct service service;
    struct loop_watch cards; /* rtnetlink: one came or went */
    struct way_out wanted;   /* `address` unset: dom0 did not say */
    unsigned given;          /* the card that has it; 0: none */
    int end;                 /* for reboot(2) */
};

/* --- The system ---------------------------------------------------------- */

static const struct {
    const char *type, *target, *options;
    unsigned long flags;
} mounts[] = {
    {"proc", "/proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"sysfs", "/sys", "", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY},
    {"tmpfs", "/run", "size=64k,nr_inodes=32,mode=0755",
     MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"tmpfs", "/etc", "size=64k,nr_inodes=8,mode=0755",
     MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

/* The kernel has mounted /dev; the root is read-only. */
static void mount_all(void)
{
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        if (mount(mounts[i].type, mounts[i].target, mounts[i].type,
                  mounts[i].flags, mounts[i].options) != 0)
            log_error("init: %s: %s", mounts[i].target, strerror(errno));
}

/* The program's user serves network cards; nobody reads the disks. */
static void give_devices(void)
{
    static const char *const devices[] = {"/dev/xen/evtchn", "/dev/xen/gntdev",
                                          "/dev/xen/xenbus"};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (chown(devices[i], 0, INIT_GROUP) != 0 ||
            chmod(devices[i], 0660) != 0)
            log_error("init: %s: %s", devices[i], strerror(errno));
    if (mkdir(CONTROL, 0750) != 0 || chown(CONTROL, INIT_USER, INIT_GROUP) != 0)
        log_error("init: " CONTROL ": %s", strerror(errno));
}

/* A console that nobody reads holds up nobody: then lines are lost. */
static void open_console(void)
{
    int null = open("/dev/null", O_RDWR);
    int console = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    if (console >= 0) {
        dup2(console, STDOUT_FILENO);
        dup2(console, STDERR_FILENO);
    }
    if (null > STDERR_FILENO)
        close(null);
    if (console > STDERR_FILENO)
        close(console);
}

static void to_console(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    dprintf(STDERR_FILENO, "%s\n", line);
}

/* --- The way out --------------------------------------------------------- */

static void give_way_out(struct init *i)
{
    unsigned card = way_out_card();
    if (card == i->given || !address_is_set(&i->wanted.address))
        return;
    i->given = card && way_out_set(&i->wanted) ? card : 0;
}

static void on_uplink(void *context, struct instant now, struct bytes line)
{
    struct init *i = context;
    struct way_out wanted;
    char quoted[LOG_QUOTE_SIZE];
    log_info("init: %lld ms after the start: dom0 wants %s",
             (long long)(now.us / 1000), log_quote(quoted, line));
    if (!way_out_parse(line, &wanted)) {
        log_error("init: these are not an address, a gateway and resolvers");
        return;
    }
    i->wanted = wanted;
    i->given = 0;
    give_way_out(i);
}

/* It does not matter which one it was: the card is looked at. */
static void on_cards(void *context, struct instant now, unsigned events)
{
    struct init *i = context;
    char message[8192];
    (void)now;
    (void)events;
    while (recv(i->cards.fd, message, sizeof message, MSG_DONTWAIT) > 0)
        continue;
    give_way_out(i);
}

static bool watch_cards(struct init *i)
{
    const struct sockaddr_nl all = {.nl_family = AF_NETLINK,
                                    .nl_groups = RTMGRP_LINK};
    i->cards = (struct loop_watch){
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on_cards,
        i};
    return i->cards.fd >= 0 &&
           bind(i->cards.fd, (const struct sockaddr *)&all, sizeof all) == 0 &&
           loop_add(i->loop, &i->cards, LOOP_READ) == OK;
}

/* --- Life and end -------------------------------------------------------- */

static void log_memory(void)
{
    char line[128];
    long total = 0, free = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "MemTotal:", 9) == 0)
            total = strtol(line + 9, NULL, 10);
        else if (strncmp(line, "MemAvailable:", 13) == 0)
            free = strtol(line + 13, NULL, 10);
    }
    if (file)
        fclose(file);
    log_info("init: memory: %ld kB, available %ld kB", total, free);
}

static void on_ready(void *context, struct instant now)
{
    (void)context;
    log_info("init: %lld ms after the start: serving",
             (long long)(now.us / 1000));
    log_memory();
}

static void on_stopped(void *context)
{
    struct init *i = context;
    loop_quit(i->loop);
}

static void on_signal(void *context, struct instant now, int number)
{
    struct init *i = context;
    (void)now;
    if (number != SIGTERM && number != SIGINT)
        return;
    i->end = number == SIGINT ? RB_AUTOBOOT : RB_POWER_OFF;
    service_stop(&i->service);
}

static bool open_parts(struct init *i)
{
    static const char *const command[] = {
        "/bin/vpn-gateway",
        "run",
        "--downstream",
        "xen",
        "--qubesdb",
        "vchan",
        "--profiles",
        PROFILES,
        "--control",
        CONTROL "/control",
        NULL,
    };
    i->loop = loop_new();
    return i->loop && signals_open(&i->signals, i->loop, on_signal, i) == OK &&
           watch_cards(i) &&
           service_open(
               &i->service, i->loop, command, INIT_USER, INIT_GROUP,
               &(struct service_owner){i, on_ready, on_uplink, on_stopped});
}

/* We are the kernel's messenger, not the first process. */
static int tell_init(const char *name)
{
    if (strcmp(name, "/sbin/poweroff") == 0)
        return kill(1, SIGTERM) != 0;
    if (strcmp(name, "/sbin/reboot") == 0)
        return kill(1, SIGINT) != 0;
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct init init = {.end = RB_POWER_OFF};
    if (getpid() != 1)
        return tell_init(argc ? argv[0] : "");
    log_set_sink(to_console, NULL);
    umask(022);
    mount_all();
    open_console();
    give_devices();
    profile_volume_import(&(struct profile_volume){
        "/dev/xvdb", PROFILES, INIT_IMPORT_USER, INIT_GROUP});
    if (!open_parts(&init) || loop_run(init.loop) != OK)
        log_error("init: out of means: the domain ends");
    reboot(init.end);
    return EXIT_FAILURE;
}
