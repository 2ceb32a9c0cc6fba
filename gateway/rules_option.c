#include "gateway/rules_option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"

/* The whole of it, from the heap; NULL after saying why not. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(RULES_OPTION_FILE_MAX) : NULL;
    if (!text) {
        log_error("rules: %s: %s", path, strerror(errno));
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
    log_error("rules: %s: %s", path, why);
    free(text);
    return NULL;
}

bool rules_option_load(const char *path, struct router *router,
                       struct instant now)
{
    size_t size = 0, line = 0;
    char *text = read_file(path, &size);
    if (!text)
        return false;
    bool loaded = router_load_rules(router, now, bytes_of(text, size), &line);
    if (!loaded && line == 0)
        log_error("rules: out of memory");
    else if (!loaded)
        log_error("%s:%zu: error: a line is /qubes-firewall/ADDRESS/KEY VALUE",
                  path, line);
    free(text);
    return loaded;
}
