#include "gateway/router/rules_file.h"

#include <stdlib.h>

#include "gateway/base/text.h"

static const char prefix[] = "/qubes-firewall/";

/* A line's parts. Entries of one address are brought together by sorting. */
struct line {
    struct address source;
    struct rules_entry entry;
    size_t number;
};

struct rules_file {
    size_t source_count;
    struct rules_file_source *sources;
    struct rules_entry *entries;
    size_t *lines;
};

static bool parse_line(struct bytes text, struct line *out)
{
    struct bytes path, source;
    if (!text_cut(&text, ' ', &path) || !text.data ||
        !text_starts_with(path, prefix))
        return false;
    path = bytes_of(path.data + sizeof prefix - 1,
                    path.size - (sizeof prefix - 1));
    if (!text_cut(&path, '/', &source) || !path.data ||
        !address_parse(source, &out->source))
        return false;
    out->entry = (struct rules_entry){path, text};
    return path.size > 0;
}

static size_t count_lines(struct bytes text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* False at the first malformed line, whose number is in *number. */
static bool parse_lines(struct bytes text, struct line *lines, size_t *count,
                        size_t *number)
{
    struct bytes one;
    *count = *number = 0;
    while (text_cut(&text, '\n', &one)) {
        ++*number;
        one = text_trim(one);
        if (one.size == 0 || one.data[0] == '#')
            continue;
        lines[*count].number = *number;
        if (!parse_line(one, &lines[*count]))
            return false;
        ++*count;
    }
    return true;
}

static int by_source(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int order = memcmp(&a->source, &b->source, sizeof a->source);
    if (order == 0)
        order = a->number < b->number ? -1 : a->number > b->number;
    return order;
}

static bool group(struct rules_file *file, const struct line *lines,
                  size_t count)
{
    file->entries = calloc(count + 1, sizeof *file->entries);
    file->lines = calloc(count + 1, sizeof *file->lines);
    file->sources = calloc(count + 1, sizeof *file->sources);
    if (!file->entries || !file->lines || !file->sources)
        return false;
    for (size_t i = 0; i < count; i++) {
        file->entries[i] = lines[i].entry;
        file->lines[i] = lines[i].number;
        struct rules_file_source *s = &file->sources[file->source_count];
        if (i == 0 || !address_equal(&lines[i].source, &s[-1].source)) {
            *s = (struct rules_file_source){lines[i].source, &file->entries[i],
                                            &file->lines[i], 0};
            file->source_count++;
        }
        file->sources[file->source_count - 1].count++;
    }
    return true;
}

struct rules_file *rules_file_parse(struct bytes text, size_t *line)
{
    size_t count;
    struct line *lines = calloc(count_lines(text), sizeof *lines);
    struct rules_file *file = calloc(1, sizeof *file);
    bool good = lines && file && parse_lines(text, lines, &count, line);
    if (!lines || !file)
        *line = 0;
    if (good) {
        *line = 0;
        qsort(lines, count, sizeof *lines, by_source);
        good = group(file, lines, count);
    }
    free(lines);
    if (good)
        return file;
    rules_file_free(file);
    return NULL;
}

void rules_file_free(struct rules_file *file)
{
    if (!file)
        return;
    free(file->sources);
    free(file->entries);
    free(file->lines);
    free(file);
}

size_t rules_file_count(const struct rules_file *file)
{
    return file->source_count;
}

const struct rules_file_source *rules_file_source(const struct rules_file *file,
                                                  size_t index)
{
    return index < file->source_count ? &file->sources[index] : NULL;
}
