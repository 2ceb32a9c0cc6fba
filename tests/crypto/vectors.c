#include "tests/crypto/vectors.h"

#include "tests/unit.h"

#include <ctype.h>
#include <stdio.h>

void vectors_open(struct vectors *v, const char *path)
{
    *v = (struct vectors){.file = fopen(path, "r")};
    if (!v->file)
        fail_msg("%s cannot be read", path);
}

void vectors_close(struct vectors *v)
{
    fclose(v->file);
    v->file = NULL;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = 0;
    return text;
}

static void add(struct vectors *v, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals || v->count == VECTORS_LINES_MAX)
        fail_msg("vectors: a line that is none: %s", line);
    *equals = 0;
    v->name[v->count] = trim(line);
    v->value[v->count] = trim(equals + 1);
    v->count++;
}

bool vectors_next(struct vectors *v)
{
    size_t used = 0;
    v->count = 0;
    for (;;) {
        char *line = v->memory + used;
        if (!fgets(line, (int)(sizeof v->memory - used), v->file))
            return v->count > 0;
        used += strlen(line) + 1;
        if (line[0] == '#')
            continue;
        line = trim(line);
        if (*line)
            add(v, line);
        else if (v->count > 0)
            return true;
    }
}

const char *vectors_text(const struct vectors *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++)
        if (!strcmp(v->name[i], name))
            return v->value[i];
    return NULL;
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a' + 10);
    fail_msg("vectors: not a hexadecimal digit: %c", c);
    return 0;
}

size_t vectors_bytes(const struct vectors *v, const char *name, uint8_t *out,
                     size_t capacity)
{
    const char *text = vectors_text(v, name);
    if (!text) {
        fail_msg("vectors: no %s in the block", name);
        return 0;
    }
    size_t size = 0;
    for (; *text; text++) {
        if (isspace((unsigned char)*text))
            continue;
        if (size == capacity || !text[1])
            fail_msg("vectors: %s is too long or has an odd digit", name);
        out[size++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
        text++;
    }
    return size;
}
