#include "gateway/wireguard/profile/conf_line.h"

#include "gateway/base/text.h"

struct conf_line_reader conf_line_reader_of(struct bytes text)
{
    struct conf_line_reader r = {.rest = text};
    r.byte_order_mark = text_starts_with(text, "\xef\xbb\xbf");
    if (r.byte_order_mark)
        r.rest = bytes_of(text.data + 3, text.size - 3);
    return r;
}

/* The part up to the first of these characters; what is behind it in *behind,
 * empty where there is none. */
static struct bytes before(struct bytes text, char end, struct bytes *behind)
{
    const uint8_t *at = text.size ? memchr(text.data, end, text.size) : NULL;
    if (!at) {
        *behind = bytes_of(NULL, 0);
        return text;
    }
    size_t size = (size_t)(at - text.data);
    *behind = bytes_of(at + 1, text.size - size - 1);
    return bytes_of(text.data, size);
}

static bool is_section(struct bytes text)
{
    return text.size >= 2 && text.data[0] == '[' &&
           text.data[text.size - 1] == ']';
}

bool conf_line_next(struct conf_line_reader *r, struct conf_line *out)
{
    struct bytes line, behind;
    if (!text_cut(&r->rest, '\n', &line))
        return false;
    *out = (struct conf_line){.number = ++r->number};
    struct bytes content = text_trim(before(line, '#', &behind));
    out->comment = text_trim(behind);
    if (content.size > 0 && content.data[0] == ';') {
        out->semicolon = true;
        content.size = 0;
    }
    if (content.size == 0)
        return true;
    if (is_section(content)) {
        out->kind = CONF_LINE_SECTION;
        out->name = text_trim(bytes_of(content.data + 1, content.size - 2));
        return true;
    }
    bool has_value = memchr(content.data, '=', content.size) != NULL;
    out->kind = has_value ? CONF_LINE_VALUE : CONF_LINE_OTHER;
    out->name = text_trim(before(content, '=', &behind));
    out->value = text_trim(behind);
    (void)before(line, '=', &behind);
    out->whole = text_trim(behind);
    return true;
}

static bool separates(uint8_t c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r';
}

bool conf_line_item(struct bytes *rest, struct bytes *item)
{
    size_t start = 0, end;
    while (start < rest->size && separates(rest->data[start]))
        start++;
    for (end = start; end < rest->size && !separates(rest->data[end]);)
        end++;
    if (start == end)
        return false;
    *item = bytes_of(rest->data + start, end - start);
    *rest = bytes_of(rest->data + end, rest->size - end);
    return true;
}

struct bytes conf_line_without_blanks(struct bytes text, char *memory,
                                      size_t capacity)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != ' ' && text.data[i] != '\t' && size < capacity)
            memory[size++] = (char)text.data[i];
    return bytes_of(memory, size);
}
