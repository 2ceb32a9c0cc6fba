#include "gateway/openvpn/config/config_announcement.h"

#include <string.h>

#include "gateway/openvpn/config/config_options.h"

/* NULL where there is no place left, or the name is longer than any option's.
 */
static struct config_announcement *entry_of(struct config_builder *b,
                                            const char *name)
{
    for (size_t i = 0; i < b->announced_count; i++)
        if (!strcmp(b->announced[i].name, name))
            return &b->announced[i];
    if (b->announced_count == CONFIG_ANNOUNCED_MAX ||
        strlen(name) >= sizeof b->announced[0].name)
        return NULL;
    struct config_announcement *a = &b->announced[b->announced_count++];
    *a = (struct config_announcement){.line = 0};
    memcpy(a->name, name, strlen(name) + 1);
    return a;
}

static void take_direction(struct config_builder *b,
                           const struct config_tokens *tokens)
{
    static const char name[] = "key-direction";
    struct config_tokens words = {.count = 2,
                                  .token = {name, tokens->token[2]}};
    struct config_line line = {.tokens = &words};
    if (!strcmp(tokens->token[0], "tls-auth") ||
        !strcmp(tokens->token[0], "secret"))
        config_options_apply(b, config_options_find(name), &line);
}

bool config_announcement_take(struct config_builder *b,
                              const struct config_tokens *tokens)
{
    if (tokens->count < 2 || strcmp(tokens->token[1], "[inline]") != 0)
        return false;
    struct config_announcement *a = entry_of(b, tokens->token[0]);
    if (!a)
        config_builder_error(
            b, "too many names with [inline], or one that is no option's");
    else if (!a->line)
        a->line = b->line;
    if (tokens->count > 2)
        take_direction(b, tokens);
    return true;
}

void config_announcement_kept(struct config_builder *b, const char *tag)
{
    struct config_announcement *a = entry_of(b, tag);
    if (a)
        a->kept = true;
}

void config_announcement_finish(struct config_builder *b)
{
    for (size_t i = 0; i < b->announced_count; i++) {
        const struct config_announcement *a = &b->announced[i];
        if (!a->line || a->kept || config_builder_ignores(b, a->name))
            continue;
        b->line = a->line;
        config_builder_error(b, "`%s [inline]', but there is no block <%s>",
                             a->name, a->name);
    }
    b->line = 0;
}
