#include "gateway/openvpn/config/config_builder.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { REPORT_SIZE = 512 };

void config_builder_init(struct config_builder *b, struct config *config,
                         const struct config_parser_env *env)
{
    *b = (struct config_builder){.env = env, .config = config};
    config_remote_init(&b->common.remote);
}

void config_builder_clear(struct config_builder *b)
{
    config_remote_clear(&b->common.remote);
    for (size_t i = 0; i < b->draft_count; i++)
        config_remote_clear(&b->drafts[i].remote);
    free(b->drafts);
    for (size_t i = 0; i < b->ignorable_count; i++)
        free(b->ignorable[i]);
    *b = (struct config_builder){0};
}

static void report(struct config_builder *b, enum config_severity severity,
                   const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void report(struct config_builder *b, enum config_severity severity,
                   const char *format, va_list arguments)
{
    b->failed = b->failed || severity == CONFIG_ERROR ||
                b->reports + 1 >= CONFIG_REPORTS_MAX;
    if (config_builder_is_silent(b))
        return;
    char text[REPORT_SIZE];
    vsnprintf(text, sizeof text, format, arguments);
    b->env->report(b->env->context, severity, b->line, text);
    if (++b->reports == CONFIG_REPORTS_MAX)
        b->env->report(b->env->context, CONFIG_ERROR, b->line,
                       "this is too much; what follows is not told");
}

bool config_builder_is_silent(const struct config_builder *b)
{
    return b->reports >= CONFIG_REPORTS_MAX;
}

void config_builder_error(struct config_builder *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(b, CONFIG_ERROR, format, arguments);
    va_end(arguments);
}

void config_builder_warn(struct config_builder *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(b, CONFIG_WARNING, format, arguments);
    va_end(arguments);
}

static bool out_of_memory(struct config_builder *b)
{
    config_builder_error(b, "out of memory");
    return false;
}

struct config_draft *config_builder_draft(struct config_builder *b)
{
    return b->block ? b->block : &b->common;
}

struct config_draft *config_builder_add_draft(struct config_builder *b)
{
    if (b->draft_count == CONFIG_REMOTES_MAX) {
        config_builder_error(b, "more than %d places to connect to",
                             CONFIG_REMOTES_MAX);
        return NULL;
    }
    struct config_draft *grown =
        reallocarray(b->drafts, b->draft_count + 1, sizeof *grown);
    if (!grown) {
        (void)out_of_memory(b);
        return NULL;
    }
    b->drafts = grown;
    struct config_draft *draft = &grown[b->draft_count++];
    *draft = (struct config_draft){.line = b->line};
    config_remote_init(&draft->remote);
    return draft;
}

const char *config_builder_argument(const struct config_line *line,
                                    size_t number)
{
    return number < line->tokens->count ? line->tokens->token[number] : NULL;
}

bool config_builder_number(struct config_builder *b,
                           const struct config_line *line, size_t argument,
                           uint32_t least, uint32_t most, uint32_t *out)
{
    const char *text = config_builder_argument(line, argument);
    uint32_t value = 0;
    if (text && text_to_u32(bytes_of_text(text), most, &value) &&
        value >= least) {
        *out = value;
        return true;
    }
    config_builder_error(b, "`%s' wants a number from %u to %u", line->name,
                         least, most);
    return false;
}

/* False, and `most`, if it is more than that. */
static bool read_at_most(const char *digits, uint64_t most, uint64_t *out)
{
    *out = 0;
    for (; *digits; digits++) {
        uint64_t digit = (uint64_t)(*digits - '0');
        if (digit > most || *out > (most - digit) / 10) {
            *out = most;
            return false;
        }
        *out = *out * 10 + digit;
    }
    return true;
}

bool config_builder_limit(struct config_builder *b,
                          const struct config_line *line, size_t argument,
                          uint64_t least, uint64_t most, uint64_t *out)
{
    const char *text = config_builder_argument(line, argument);
    bool negative = text && *text == '-';
    const char *digits = text ? text + negative : "";
    bool number = *digits && digits[strspn(digits, "0123456789")] == '\0';
    uint64_t value = 0;
    bool exact = number && !negative && read_at_most(digits, most, &value);
    if (!number || value < least) {
        config_builder_warn(b,
                            "`%s' wants a number from %llu to %llu; what "
                            "stands there is ignored",
                            line->name, (unsigned long long)least,
                            (unsigned long long)most);
        return false;
    }
    if (!exact)
        config_builder_warn(b, "`%s' is read as %llu", line->name,
                            (unsigned long long)value);
    *out = value;
    return true;
}

bool config_builder_limit32(struct config_builder *b,
                            const struct config_line *line, size_t argument,
                            uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t value;
    if (!config_builder_limit(b, line, argument, least, most, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool config_builder_text(struct config_builder *b, char **field,
                         const char *text)
{
    return config_set_text(field, bytes_of_text(text)) || out_of_memory(b);
}

bool config_builder_append(struct config_builder *b, char ***list,
                           size_t *count, struct bytes text)
{
    char **grown = reallocarray(*list, *count + 1, sizeof *grown);
    if (!grown)
        return out_of_memory(b);
    *list = grown;
    grown[*count] = NULL;
    if (!config_set_text(&grown[*count], text))
        return out_of_memory(b);
    (*count)++;
    return true;
}

/* A password, or what a key is written in, may stand where a file's name
 * belongs, and then no report may repeat it. */
static bool looks_like_file(const char *path)
{
    enum { LONGEST_WORD = 31 };
    size_t run = 0;
    for (const char *c = path; *c && run <= LONGEST_WORD; c++)
        run = isalnum((unsigned char)*c) || *c == '+' ? run + 1 : 0;
    return run <= LONGEST_WORD && strpbrk(path, "./");
}

static void tell_unreadable(struct config_builder *b,
                            const struct config_reference *reference,
                            bool is_fine, const char *problem)
{
    char quoted[LOG_QUOTE_SIZE], file[LOG_QUOTE_SIZE + 32];
    if (looks_like_file(reference->path))
        snprintf(file, sizeof file, "`%s'",
                 log_quote(quoted, bytes_of_text(reference->path)));
    else
        snprintf(file, sizeof file, "the file that `%.100s' names",
                 reference->option);
    if (is_fine)
        config_builder_warn(b, "cannot read %s: %s; it will be asked for", file,
                            problem);
    else
        config_builder_error(b, "cannot read %s: %s", file, problem);
}

static bool read_content(struct config_builder *b,
                         const struct config_line *line,
                         bool unreadable_is_fine, struct blob *out)
{
    *out = (struct blob){0};
    if (line->is_inline)
        return blob_set(out, line->content) || out_of_memory(b);

    const char *path = config_builder_argument(line, 1);
    if (!path) {
        config_builder_error(b, "`%s' wants a file or a block <%s>", line->name,
                             line->name);
        return false;
    }
    struct blob read = {0};
    const struct config_reference reference = {path, line->name, b->line};
    const char *problem =
        b->env->read_file
            ? b->env->read_file(b->env->context, &reference, &read)
            : "files are not read";
    if (problem) {
        tell_unreadable(b, &reference, unreadable_is_fine, problem);
        return false;
    }
    /* Once more, for the NUL behind it. */
    bool stored = blob_set(out, bytes_of(read.data, read.size));
    blob_free(&read);
    return stored || out_of_memory(b);
}

bool config_builder_content(struct config_builder *b,
                            const struct config_line *line, struct blob *out)
{
    return read_content(b, line, false, out);
}

bool config_builder_secret(struct config_builder *b,
                           const struct config_line *line, struct blob *out)
{
    return read_content(b, line, true, out);
}

/* Without the end of the line; blanks belong to a password. */
static bool cut_credential(struct bytes *rest, struct bytes *line)
{
    if (rest->size == 0 || !text_cut(rest, '\n', line))
        return false;
    while (line->size && line->data[line->size - 1] == '\r')
        line->size--;
    return true;
}

bool config_builder_credentials(struct config_builder *b, struct bytes content,
                                char **username, char **password)
{
    struct bytes rest = content, name, secret = {0};
    if (!cut_credential(&rest, &name) || name.size == 0)
        return false;
    bool has_password = cut_credential(&rest, &secret) && secret.size;
    if (name.size >= CONFIG_CREDENTIAL_SIZE ||
        secret.size >= CONFIG_CREDENTIAL_SIZE ||
        memchr(content.data, '\0', content.size))
        return false;
    if (!config_set_text(username, name) ||
        (has_password && !config_set_text(password, secret)))
        return out_of_memory(b);
    return true;
}

void config_builder_ignore(struct config_builder *b,
                           const struct config_tokens *t)
{
    for (size_t i = 1; i < t->count; i++) {
        if (b->ignorable_count == CONFIG_IGNORABLE_MAX) {
            config_builder_warn(b, "too many names to ignore");
            return;
        }
        char **slot = &b->ignorable[b->ignorable_count];
        if (config_builder_text(b, slot, t->token[i]))
            b->ignorable_count++;
    }
}

bool config_builder_ignores(const struct config_builder *b, const char *name)
{
    for (size_t i = 0; i < b->ignorable_count; i++)
        if (!strcmp(b->ignorable[i], name))
            return true;
    return false;
}
