#include "gateway/rules_option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"

static void complain(struct rules_option *o, size_t line, const char *why)
{
    if (line > 0)
        snprintf(o->problem, sizeof o->problem, "%s:%zu: error: %s", o->path,
                 line, why);
    else
        snprintf(o->problem, sizeof o->problem, "%s: error: %s", o->path, why);
    log_error("rules: %s", o->problem);
}

/* The whole of it, from the heap; NULL after saying why not. */
static char *read_file(struct rules_option *o, size_t *size)
{
    FILE *file = fopen(o->path, "re");
    char *text = file ? malloc(RULES_OPTION_FILE_MAX) : NULL;
    if (!text) {
        complain(o, 0, strerror(errno));
        if (file)
            fclose(file);
        return NULL;
    }
    *size = fread(text, 1, RULES_OPTION_FILE_MAX, file);
    const char *why = ferror(file) ? "it cannot be read"
                      : *size == RULES_OPTION_FILE_MAX
                          ? "it is larger than 4 MiB"
                          : NULL;
    fclose(file);
    if (!why)
        return text;
    complain(o, 0, why);
    free(text);
    return NULL;
}

bool rules_option_load(struct rules_option *option, struct router *router,
                       struct instant now)
{
    size_t size = 0;
    struct router_rules_problem problem;
    char *text = read_file(option, &size);
    if (!text)
        return false;
    bool loaded =
        router_load_rules(router, now, bytes_of(text, size), &problem);
    if (loaded)
        option->problem[0] = 0;
    else
        complain(option, problem.line, problem.text);
    free(text);
    return loaded;
}
