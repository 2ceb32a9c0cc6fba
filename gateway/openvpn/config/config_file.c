#include "gateway/openvpn/config/config_file.h"

#include <ctype.h>
#include <string.h>

#include "gateway/base/text.h"

void config_file_init(struct config_file *f, struct bytes text)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (text_starts_with(text, byte_order_mark)) {
        text.data += 3;
        text.size -= 3;
    }
    *f = (struct config_file){.rest = text};
}

bool config_file_line(struct config_file *f, struct bytes *line)
{
    /* The rest behind the last line feed is a line only if it is not empty. */
    if (f->rest.size == 0 || !text_cut(&f->rest, '\n', line))
        return false;
    f->line++;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_with_after_blanks(struct bytes line, const char *start)
{
    return text_starts_with(text_trim(line), start);
}

bool config_file_block(struct config_file *f, const char *tag,
                       struct bytes *content)
{
    char closing[64] = "</";
    size_t n = strlen(tag);
    if (n + 4 > sizeof closing)
        return false;
    memcpy(closing + 2, tag, n);
    memcpy(closing + 2 + n, ">", 2);

    const uint8_t *start = f->rest.data;
    struct bytes line;
    while (config_file_line(f, &line)) {
        if (starts_with_after_blanks(line, closing)) {
            *content = (struct bytes){start, (size_t)(line.data - start)};
            return true;
        }
    }
    return false;
}

bool config_file_skip_past(struct config_file *f, const char *start)
{
    struct config_file ahead = *f;
    struct bytes line;
    while (config_file_line(&ahead, &line)) {
        if (starts_with_after_blanks(line, start)) {
            *f = ahead;
            return true;
        }
    }
    return false;
}

bool config_file_skip_armour(struct config_file *f, struct bytes line)
{
    if (!starts_with_after_blanks(line, "-----BEGIN "))
        return false;
    (void)config_file_skip_past(f, "-----END ");
    return true;
}

bool config_file_is_option_like(const char *word, size_t words)
{
    size_t size = strlen(word), digits = 0;
    if (size > 40 || !islower((unsigned char)word[0]))
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)word[i];
        if (!islower(c) && !isdigit(c) && c != '-')
            return false;
        digits += isdigit(c) != 0;
    }
    return digits <= 2 && words > 1;
}

/* A word that is being read; `out` points into the tokens' memory. */
struct cutter {
    struct reader in;
    char *out, *end;
    const char *problem;
};

/* Bytes that are put may be shown to a person. */
static void put(struct cutter *c, uint8_t byte)
{
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
        c->problem = "a control character in the line";
    else if (c->out == c->end)
        c->problem = "the line is too long";
    else
        *c->out++ = (char)byte;
}

/* A backslash may stand before itself, a double quote, or a blank. */
static void put_escaped(struct cutter *c)
{
    uint8_t byte = read_u8(&c->in);
    if (!reader_ok(&c->in))
        c->problem = "a backslash at the end of the line";
    else if (byte != '\\' && byte != '"' && !is_blank(byte))
        c->problem = "a backslash before an ordinary character; write \\\\ for "
                     "one backslash";
    else
        put(c, byte);
}

static void cut_quoted(struct cutter *c, uint8_t quote)
{
    while (!c->problem) {
        uint8_t byte = read_u8(&c->in);
        if (!reader_ok(&c->in))
            c->problem = "a quote is not closed";
        else if (byte == quote)
            return;
        else if (byte == '\\' && quote == '"')
            put_escaped(c);
        else
            put(c, byte);
    }
}

static void cut_plain(struct cutter *c, uint8_t byte)
{
    for (;;) {
        if (byte == '\\')
            put_escaped(c);
        else
            put(c, byte);
        if (c->problem || c->in.left == 0 || is_blank(*c->in.next))
            return;
        byte = read_u8(&c->in);
    }
}

const char *config_file_cut(struct bytes line, struct config_tokens *out)
{
    out->count = 0;
    if (line.size && memchr(line.data, '\0', line.size))
        return "a zero byte in the line";

    struct cutter c = {
        .in = reader_of(line),
        .out = out->memory,
        .end = out->memory + CONFIG_LINE_MAX,
    };
    while (c.in.left) {
        uint8_t byte = read_u8(&c.in);
        if (is_blank(byte))
            continue;
        if (byte == '#' || byte == ';')
            break;
        if (out->count == CONFIG_TOKENS_MAX)
            return "more words in the line than any option has";
        out->token[out->count++] = c.out;
        if (byte == '"' || byte == '\'')
            cut_quoted(&c, byte);
        else
            cut_plain(&c, byte);
        if (c.problem)
            return c.problem;
        /* `end` leaves room for one NUL per word. */
        *c.out++ = '\0';
        c.end++;
    }
    return NULL;
}

bool config_tokenize(struct bytes line, struct config_tokens *out)
{
    return !config_file_cut(line, out);
}

bool config_file_tag(const struct config_tokens *t, char *tag, size_t tag_size)
{
    if (t->count != 1)
        return false;
    struct bytes word = bytes_of_text(t->token[0]);
    if (word.size < 3 || word.data[0] != '<' || word.data[1] == '/' ||
        word.data[word.size - 1] != '>')
        return false;
    return text_copy(tag, tag_size, bytes_of(word.data + 1, word.size - 2));
}
