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
#include "gateway/command/usage.h"
#include "gateway/gateway.h"
#include "gateway/process/arguments.h"
#include "gateway/process/kernel_rules.h"
#include "gateway/process/sandbox.h"
#include "gateway/process/settings.h"
#include "gateway/serve/serve.h"
#include "gateway/vpn/profile.h"

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

    if (!settings_parse(argc, argv, &settings, &why))
        return arguments_refuse("run", why);
    if (settings.verbose)
        log_set_level(LOG_DEBUG);
    sandbox_guard_secrets();
    if (settings.profile && !profile_usable(settings.profile))
        return ARGUMENTS_EXIT;
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

static int unknown_command(const char *name)
{
    const char *nearest = usage_nearest(name);
    fprintf(stderr, "vpn-gateway: unknown command `%s'", name);
    if (nearest)
        fprintf(stderr, "; did you mean `%s'", nearest);
    fputs(nearest ? "?" : ".", stderr);
    fputs(name[0] == '-' ? " The command comes first: `vpn-gateway help'\n"
                         : " `vpn-gateway help' lists all commands\n",
          stderr);
    return ARGUMENTS_EXIT;
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        usage_print(stdout);
    else if (!usage_print_command(argv[1], stdout))
        return unknown_command(argv[1]);
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

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* Anywhere among the arguments; with a command it means help for that. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage_print(stderr);
        return ARGUMENTS_EXIT;
    }
    if (wants_help(argc, argv) && usage_print_command(argv[1], stdout))
        return EXIT_SUCCESS;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (wants_help(argc, argv))
        return help(1, argv);
    return unknown_command(argv[1]);
}
