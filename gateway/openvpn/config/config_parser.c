#include "gateway/openvpn/config/config_parser.h"

#include <ctype.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/config/config_announcement.h"
#include "gateway/openvpn/config/config_file.h"
#include "gateway/openvpn/config/config_finish.h"
#include "gateway/openvpn/config/config_options.h"

enum { TAG_SIZE = 40 };

static void read_lines(struct config_builder *b, struct config_file *f);

/* --- Names that are not in the table ------------------------------------- */

static void warn_unknown(struct config_builder *b, const char *name,
                         size_t words)
{
    if (config_builder_is_silent(b))
        return;
    const char *nearest = config_options_nearest(name);
    char quoted[LOG_QUOTE_SIZE];
    if (nearest)
        config_builder_warn(b,
                            "unknown option `%s' is ignored; did you mean "
                            "`%s'?",
                            log_quote(quoted, bytes_of_text(name)), nearest);
    else if (config_file_is_option_like(name, words))
        config_builder_warn(b, "unknown option `%s' is ignored", name);
    else
        config_builder_warn(b, "this is not an option; the line is ignored");
}

/* --- One option ---------------------------------------------------------- */

/* Steps over a word that holds no quote, and the blanks behind it. */
static struct bytes behind_word(struct bytes text)
{
    while (text.size && !isspace(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text_trim(text);
}

static void apply_setenv(struct config_builder *b, struct bytes text,
                         const struct config_tokens *tokens);

static void apply_text(struct config_builder *b, struct bytes text,
                       bool unknown_is_fine)
{
    text = text_trim(text);
    if (text.size > 2 && text_starts_with(text, "--"))
        text = bytes_of(text.data + 2, text.size - 2);

    struct config_tokens tokens;
    const char *problem = config_file_cut(text, &tokens);
    if (problem) {
        config_builder_error(b, "%s", problem);
        return;
    }
    if (tokens.count == 0)
        return;
    const char *name = tokens.token[0];
    const struct config_option *option = config_options_find(name);
    struct config_line line = {.tokens = &tokens, .text = text};
    if (config_announcement_take(b, &tokens))
        return;
    if (option)
        config_options_apply(b, option, &line);
    else if (!strcmp(name, "setenv"))
        apply_setenv(b, text, &tokens);
    else if (!strcmp(name, "ignore-unknown-option"))
        config_builder_ignore(b, &tokens);
    else if (!unknown_is_fine && !config_builder_ignores(b, name))
        warn_unknown(b, name, tokens.count);
}

/* `setenv opt OPTION ...` is the option, and no matter if it is unknown;
 * other variables only tell the server something, or nothing at all. */
static void apply_setenv(struct config_builder *b, struct bytes text,
                         const struct config_tokens *tokens)
{
    if (tokens->count < 2) {
        config_builder_error(b, "`setenv' wants a name");
        return;
    }
    struct config *c = b->config;
    const char *name = tokens->token[1];
    const char *value = tokens->count > 2 ? tokens->token[2] : "";
    if (!strcmp(name, "opt")) {
        apply_text(b, behind_word(behind_word(text)), true);
    } else if (!strcmp(name, "CLIENT_CERT")) {
        b->no_client_certificate = !strcmp(value, "0");
    } else if (!strcmp(name, "PUSH_PEER_INFO")) {
        c->push_peer_info = true;
    } else if (!strncmp(name, "UV_", 3) || !strcmp(name, "IV_GUI_VER") ||
               !strcmp(name, "IV_SSO") || !strcmp(name, "IV_PLAT_VER")) {
        config_finish_peer_info(b, name, value);
    }
}

/* --- Blocks -------------------------------------------------------------- */

static void read_connection(struct config_builder *b, struct bytes content,
                            unsigned first_line)
{
    size_t index = b->draft_count;
    b->block = config_builder_add_draft(b);
    if (!b->block)
        return;
    struct config_file inner = {.rest = content, .line = first_line};
    read_lines(b, &inner);
    b->block = NULL;
    b->line = first_line;
    if (!b->drafts[index].has_host)
        config_builder_error(b, "this <connection> has no `remote'");
}

static void read_block(struct config_builder *b, struct config_file *f,
                       const char *tag)
{
    struct bytes content;
    unsigned first_line = f->line;
    if (b->block && !strcmp(tag, "connection")) {
        config_builder_error(b, "<connection> inside of <connection>");
        b->cut_short = true;
        f->rest.size = 0;
        return;
    }
    if (!config_file_block(f, tag, &content)) {
        config_builder_error(b, "this block is never closed");
        b->cut_short = true;
        return;
    }
    if (!strcmp(tag, "connection")) {
        read_connection(b, content, first_line);
        return;
    }
    config_announcement_kept(b, tag);
    const struct config_option *option = config_options_find(tag);
    struct config_tokens tokens = {.count = 1, .token = {tag}};
    struct config_line line = {
        .tokens = &tokens, .is_inline = true, .content = content};
    if (option)
        config_options_apply(b, option, &line);
    else if (!config_builder_ignores(b, tag))
        warn_unknown(b, tag, 2);
}

static void read_lines(struct config_builder *b, struct config_file *f)
{
    struct bytes line;
    while (config_file_line(f, &line)) {
        b->line = f->line;
        struct config_tokens tokens;
        char tag[TAG_SIZE];
        if (!config_file_cut(line, &tokens) &&
            config_file_tag(&tokens, tag, sizeof tag))
            read_block(b, f, tag);
        else if (config_file_skip_armour(f, line))
            config_builder_warn(b, "this text belongs to no block and is "
                                   "ignored");
        else
            apply_text(b, line, false);
    }
}

static bool is_utf16(struct bytes text)
{
    return text.size >= 2 && ((text.data[0] == 0xff && text.data[1] == 0xfe) ||
                              (text.data[0] == 0xfe && text.data[1] == 0xff));
}

bool config_parse(struct bytes text, const char *path,
                  const struct config_parser_env *env, struct config *out)
{
    config_init(out);
    struct config_builder b;
    config_builder_init(&b, out, env);
    if (config_builder_text(&b, &out->path, path)) {
        if (is_utf16(text)) {
            config_builder_error(&b, "the file is UTF-16 text; save it as "
                                     "UTF-8");
        } else {
            struct config_file f;
            config_file_init(&f, text);
            read_lines(&b, &f);
            config_announcement_finish(&b);
            config_finish(&b);
        }
    }
    bool usable = !b.failed;
    config_builder_clear(&b);
    return usable;
}
