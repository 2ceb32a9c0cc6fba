/*
 * vpn-gateway: a network VM's VPN client, firewall and network card backend
 * in one process. This file is the table of contents: the commands, and the
 * course of `run`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/libxenvchan.h"
#include "gateway/base/log.h"
#include "gateway/command/attach.h"
#include "gateway/command/check.h"
#include "gateway/command/control_client.h"
#include "gateway/command/genkey.h"
#include "gateway/gateway.h"
#include "gateway/process/kernel_rules.h"
#include "gateway/process/sandbox.h"
#include "gateway/process/settings.h"
#include "gateway/serve/serve.h"
#include "gateway/vpn/profile.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: vpn-gateway COMMAND [OPTIONS]\n"
    "\n"
    "  run [--profile FILE | --profiles DIR] [--downstream SPEC]...\n"
    "      [--qubesdb SOCKET|vchan|none] [--rules FILE] [--control SOCKET]\n"
    "      [--announce SOCKET] [--pcap FILE] [--no-sandbox] [--require-wall]\n"
    "      [-v]\n"
    "          serve qubes through the VPN of the profile, or of that in DIR\n"
    "          which dom0 names; SPEC is xen, or for one qube\n"
    "          tap:IFNAME or vchan:DOMID:PATH, and\n"
    "          ,ip=ADDRESS[,ip6=ADDRESS][,gw=ADDRESS][,mac=MAC]\n"
    "  attach DOMID:PATH IFNAME [--no-sandbox] [-v]\n"
    "          in a qube: its network card over a vchan to that gateway\n"
    "  serve --config FILE [--control SOCKET] [--no-sandbox] [-v]\n"
    "          be an OpenVPN server for many clients\n"
    "  check FILE\n"
    "          say what is wrong with a profile, and what it asks for\n"
    "  status [--json] [--watch] [--control SOCKET]\n"
    "          what the gateway does, and what it dropped and why\n"
    "  settings [--json] [--control SOCKET]\n"
    "          what is set, by whom, and what is wrong with it\n"
    "  reconnect | stop | login [--control SOCKET]\n"
    "          tear down and connect anew; end; answer for credentials\n"
    "  log-level error|warn|info|debug|default [--control SOCKET]\n"
    "          how much the gateway says from now on\n"
    "  kick NAME [--halt] [--control SOCKET]\n"
    "          end a client's session; with --halt it is told to stay away\n"
    "  update NAME OPTION... [--control SOCKET]\n"
    "          push other options to a client that is up\n"
    "  genkey KIND [--server-key FILE] [--metadata TEXT] OUT\n"
    "          make a key file for tls-auth, tls-crypt or tls-crypt-v2\n"
    "  help | version\n"
    "\n"
    "exit: 0 done, 1 failed while running, 2 usage or profile unusable\n";

/* From here on no more than serving needs. */
static bool enter_sandbox(const struct settings *s, struct sandbox *out)
{
    const char *profiles = s->profile ? s->profile : s->profiles;
    return sandbox_enter(
        &(struct sandbox_options){
            .off = s->no_sandbox,
            .read = (const char *const[]){profiles, s->rules, NULL},
            .remove = (const char *const[]){s->control, NULL},
        },
        out);
}

static int run(int argc, char **argv)
{
    struct settings settings;
    struct sandbox sandbox;
    const char *why;

    if (!settings_parse(argc, argv, &settings, &why)) {
        fprintf(stderr, "vpn-gateway: %s\n", why);
        return EXIT_USAGE;
    }
    if (settings.verbose)
        log_set_level(LOG_DEBUG);
    sandbox_guard_secrets();
    if (settings.profile && !profile_usable(settings.profile))
        return EXIT_USAGE;
    if (settings.require_wall && !kernel_rules_stands())
        return EXIT_FAILURE;
    if (settings_name_vchan(&settings) && !libxenvchan_load())
        return EXIT_FAILURE;

    int result = EXIT_FAILURE;
    struct gateway *gateway = gateway_new(&settings);
    if (gateway && enter_sandbox(&settings, &sandbox) &&
        gateway_run(gateway, &sandbox) == OK)
        result = EXIT_SUCCESS;
    gateway_free(gateway);
    return result;
}

static int help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs(usage, stdout);
    return EXIT_SUCCESS;
}

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("vpn-gateway " VERSION);
    return EXIT_SUCCESS;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", run},
    {"attach", attach},
    {"serve", serve},
    {"check", check},
    {"status", control_client},
    {"reconnect", control_client},
    {"stop", control_client},
    {"login", control_client},
    {"kick", control_client},
    {"update", control_client},
    {"settings", control_client},
    {"log-level", control_client},
    {"genkey", genkey},
    {"help", help},
    {"--help", help},
    {"-h", help},
    {"version", version},
    {"--version", version},
};

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (argc == 3 && strcmp(argv[2], "--help") == 0)
        return help(argc, argv);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "vpn-gateway: unknown command '%s'\n%s", argv[1], usage);
    return EXIT_USAGE;
}
