#include "gateway/process/arguments.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/spelling.h"

enum { PROBLEM_SIZE = 256 };

void arguments_begin(void)
{
    optind = 1;
    opterr = 0;
}

int arguments_next(int argc, char **argv, const struct option *known,
                   bool verbose)
{
    return getopt_long(argc, argv, verbose ? ":v" : ":", known, NULL);
}

/* The name in --NAME or --NAME=VALUE; false for anything else. */
static bool long_name(const char *argument, char out[SPELLING_NAME_MAX + 1])
{
    if (strncmp(argument, "--", 2) != 0)
        return false;
    size_t size = strcspn(argument + 2, "=");
    if (size > SPELLING_NAME_MAX)
        return false;
    memcpy(out, argument + 2, size);
    out[size] = '\0';
    return true;
}

static bool is_known(const struct option *known, const char *name)
{
    for (; known->name; known++)
        if (strcmp(known->name, name) == 0)
            return true;
    return false;
}

static void describe_unknown(const char *argument, const struct option *known,
                             char out[PROBLEM_SIZE])
{
    char name[SPELLING_NAME_MAX + 1] = "";
    const char *shown = argument;
    bool is_long = long_name(argument, name);
    if (is_long && is_known(known, name)) {
        snprintf(out, PROBLEM_SIZE, "option `--%s' takes no value", name);
        return;
    }
    struct spelling spelling = spelling_of(name);
    for (; is_long && known->name; known++)
        spelling_offer(&spelling, known->name);
    if (spelling.nearest)
        snprintf(out, PROBLEM_SIZE,
                 "unknown option `%.100s'; did you mean `--%s'?", shown,
                 spelling.nearest);
    else
        snprintf(out, PROBLEM_SIZE, "unknown option `%.100s'", shown);
}

static char text[PROBLEM_SIZE];

const char *arguments_surplus(const char *argument)
{
    snprintf(text, sizeof text, "unexpected argument `%.100s'", argument);
    return text;
}

const char *arguments_problem(char **argv, int option,
                              const struct option *known)
{
    const char *argument = argv[optind - 1];
    char letter[] = {'-', (char)optopt, '\0'};
    if (option == ':')
        snprintf(text, sizeof text, "option `%.100s' lacks its value",
                 argument);
    else
        describe_unknown(strncmp(argument, "--", 2) == 0 ? argument : letter,
                         known, text);
    return text;
}

int arguments_refuse(const char *command, const char *problem)
{
    fprintf(stderr, "vpn-gateway: %s: %s; see `vpn-gateway %s --help'\n",
            command, problem, command);
    return ARGUMENTS_EXIT;
}
