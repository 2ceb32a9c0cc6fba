#include "gateway/nano/archive.h"

#include <assert.h>

#include "gateway/base/text.h"

/* POSIX.1-2017, pax, "ustar Header Block". */
enum {
    NAME_SIZE = 100,
    MODE_AND_OWNERS_SIZE = 8 + 8 + 8,
    NUMBER_SIZE = 12,
    CHECKSUM_AT = 148,
    CHECKSUM_SIZE = 8,
    LINK_NAME_SIZE = 100,
    MAGIC_AT = 257,
    MAGIC_SIZE = 6,
    VERSION_SIZE = 2,
    NAMES_AND_DEVICE_SIZE = 32 + 32 + 8 + 8,
    PREFIX_SIZE = 155,
};

enum type {
    TYPE_OLD_FILE = '\0',
    TYPE_FILE = '0',
    TYPE_DIRECTORY = '5',
    TYPE_EXTENSION = 'x',
    TYPE_GLOBAL_EXTENSION = 'g',
    /* GNU's: the next member's name is this one's content. */
    TYPE_LONG_NAME = 'L',
    TYPE_LONG_LINK = 'K',
};

struct header {
    struct bytes name, prefix;
    uint64_t size;
    uint8_t type;
};

const char *archive_result_text(enum archive_result result)
{
    static const char *const texts[] = {
        [ARCHIVE_MEMBER] = "a member",
        [ARCHIVE_END] = "the end",
        [ARCHIVE_TRUNCATED] = "the archive is cut off",
        [ARCHIVE_BAD_HEADER] = "a header is damaged",
        [ARCHIVE_BAD_NAME] = "this name is not allowed",
        [ARCHIVE_LONG_NAME] = "this name is too long, or the file is sparse",
        [ARCHIVE_BAD_TYPE] = "this is neither a file nor a directory",
        [ARCHIVE_TOO_MUCH] = "this is too large for profiles",
    };
    static_assert(sizeof texts / sizeof *texts == ARCHIVE_RESULT_COUNT,
                  "every result has its text");
    return texts[result];
}

static bool all_zero(struct bytes block)
{
    uint8_t any = 0;
    for (size_t i = 0; i < block.size; i++)
        any |= block.data[i];
    return any == 0;
}

/* Both "ustar\0" and GNU's "ustar ". */
static bool has_magic(struct bytes block)
{
    return memcmp(block.data + MAGIC_AT, "ustar", MAGIC_SIZE - 1) == 0;
}

enum archive_kind archive_kind(struct bytes volume)
{
    if (volume.size < ARCHIVE_BLOCK)
        return all_zero(volume) ? ARCHIVE_NOTHING : ARCHIVE_UNKNOWN;
    struct bytes first = bytes_of(volume.data, ARCHIVE_BLOCK);
    if (all_zero(first))
        return ARCHIVE_NOTHING;
    return has_magic(first) ? ARCHIVE_TAR : ARCHIVE_UNKNOWN;
}

struct archive archive_of(struct bytes volume)
{
    return (struct archive){.rest = reader_of(volume)};
}

/* Octal digits, blanks before and a blank or NUL behind them. */
static bool parse_number(struct bytes field, uint64_t *out)
{
    size_t i = 0, digits = 0;
    uint64_t value = 0;
    while (i < field.size && field.data[i] == ' ')
        i++;
    for (; i < field.size && field.data[i] >= '0' && field.data[i] <= '7';
         i++, digits++)
        value = value << 3 | (uint64_t)(field.data[i] - '0');
    for (; i < field.size; i++)
        if (field.data[i] != ' ' && field.data[i] != '\0')
            return false;
    *out = value;
    return digits > 0;
}

/* The sum of all bytes, its own field taken as blanks. */
static bool checksum_is_right(struct bytes block)
{
    uint64_t said, sum = 0;
    for (size_t i = 0; i < block.size; i++)
        sum += i - CHECKSUM_AT < CHECKSUM_SIZE ? ' ' : block.data[i];
    return parse_number(bytes_of(block.data + CHECKSUM_AT, CHECKSUM_SIZE),
                        &said) &&
           said == sum;
}

/* Up to its NUL, if it has one. */
static struct bytes read_text(struct reader *r, size_t size)
{
    struct bytes field = read_bytes(r, size);
    const uint8_t *end = memchr(field.data, '\0', field.size);
    return bytes_of(field.data, end ? (size_t)(end - field.data) : field.size);
}

static bool parse_header(struct bytes block, struct header *out)
{
    struct header h;
    struct reader r = reader_of(block);
    h.name = read_text(&r, NAME_SIZE);
    read_bytes(&r, MODE_AND_OWNERS_SIZE);
    struct bytes size = read_bytes(&r, NUMBER_SIZE);
    read_bytes(&r, NUMBER_SIZE); /* mtime */
    read_bytes(&r, CHECKSUM_SIZE);
    h.type = read_u8(&r);
    read_bytes(&r, LINK_NAME_SIZE);
    struct bytes magic = read_bytes(&r, MAGIC_SIZE);
    read_bytes(&r, VERSION_SIZE + NAMES_AND_DEVICE_SIZE);
    h.prefix = read_text(&r, PREFIX_SIZE);
    if (!reader_ok(&r) || !has_magic(block) || !checksum_is_right(block) ||
        !parse_number(size, &h.size))
        return false;
    /* GNU's format has times in the place of the prefix. */
    if (magic.data[MAGIC_SIZE - 1] != '\0')
        h.prefix.size = 0;
    *out = h;
    return true;
}

/* --- Names --------------------------------------------------------------- */

static bool name_is_plain(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < ' ' || name.data[i] > '~' || name.data[i] == '\\')
            return false;
    return true;
}

static void append(struct writer *w, struct bytes part)
{
    if (w->size)
        write_u8(w, '/');
    write_bytes(w, part);
}

/* "./a//b/" becomes "a/b", and "." nothing. */
static bool append_parts(struct writer *w, struct bytes path, size_t *count)
{
    struct bytes part;
    if (path.size && path.data[0] == '/')
        return false;
    while (text_cut(&path, '/', &part)) {
        if (part.size == 0 || text_equal(part, "."))
            continue;
        if (text_equal(part, "..") || !name_is_plain(part) ||
            ++*count > ARCHIVE_DEPTH_MAX + 1)
            return false;
        append(w, part);
    }
    return true;
}

static bool parse_name(const struct header *h, char out[ARCHIVE_NAME_SIZE])
{
    size_t count = 0;
    struct writer w = writer_of(out, ARCHIVE_NAME_SIZE - 1);
    bool good = append_parts(&w, h->prefix, &count) &&
                append_parts(&w, h->name, &count) && writer_ok(&w);
    out[good ? w.size : 0] = '\0';
    return good;
}

/* --- Extensions ---------------------------------------------------------- */

/* Records "LENGTH KEY=VALUE\n". Times and attributes are not wanted; a key that
 * changes a name or a size would have to be understood. */
static bool extension_is_harmless(struct bytes records)
{
    struct bytes line, key;
    while (text_cut(&records, '\n', &line)) {
        if (line.size == 0) /* behind the last one */
            continue;
        if (!text_cut(&line, ' ', &key) || !text_cut(&line, '=', &key))
            return false;
        if (text_equal(key, "path") || text_equal(key, "size") ||
            text_equal(key, "linkpath") || text_starts_with(key, "GNU.sparse"))
            return false;
    }
    return true;
}

static enum archive_result pass_extension(const struct header *h,
                                          struct bytes content)
{
    if (h->type != TYPE_EXTENSION && h->type != TYPE_GLOBAL_EXTENSION)
        return ARCHIVE_LONG_NAME;
    return extension_is_harmless(content) ? ARCHIVE_MEMBER : ARCHIVE_LONG_NAME;
}

static bool is_extension(const struct header *h)
{
    return h->type == TYPE_EXTENSION || h->type == TYPE_GLOBAL_EXTENSION ||
           h->type == TYPE_LONG_NAME || h->type == TYPE_LONG_LINK;
}

/* --- Members ------------------------------------------------------------- */

static enum archive_result
read_content(struct archive *a, const struct header *h, struct bytes *out)
{
    if (h->size > ARCHIVE_FILE_MAX ||
        h->size > ARCHIVE_CONTENT_MAX - a->content)
        return ARCHIVE_TOO_MUCH;
    size_t size = (size_t)h->size;
    size_t padding = (ARCHIVE_BLOCK - size % ARCHIVE_BLOCK) % ARCHIVE_BLOCK;
    struct bytes content = read_bytes(&a->rest, size);
    read_bytes(&a->rest, padding);
    if (!reader_ok(&a->rest))
        return ARCHIVE_TRUNCATED;
    a->content += size;
    *out = content;
    return ARCHIVE_MEMBER;
}

static enum archive_result
take_member(struct archive *a, const struct header *h, struct archive_member *m)
{
    if (!parse_name(h, m->name))
        return ARCHIVE_BAD_NAME;
    if (h->type != TYPE_FILE && h->type != TYPE_OLD_FILE &&
        h->type != TYPE_DIRECTORY)
        return ARCHIVE_BAD_TYPE;
    m->is_directory = h->type == TYPE_DIRECTORY;
    /* A file needs a name, a directory has no content. */
    if (m->is_directory ? h->size > 0 : m->name[0] == '\0')
        return ARCHIVE_BAD_HEADER;
    return read_content(a, h, &m->content);
}

static enum archive_result take_block(struct archive *a,
                                      struct archive_member *m)
{
    struct header h;
    struct bytes block = read_bytes(&a->rest, ARCHIVE_BLOCK);
    if (!reader_ok(&a->rest))
        return ARCHIVE_TRUNCATED;
    if (all_zero(block))
        return ARCHIVE_END;
    if (!parse_header(block, &h))
        return ARCHIVE_BAD_HEADER;
    if (++a->members > ARCHIVE_MEMBERS_MAX)
        return ARCHIVE_TOO_MUCH;
    if (!is_extension(&h))
        return take_member(a, &h, m);
    struct bytes content;
    enum archive_result result = read_content(a, &h, &content);
    return result == ARCHIVE_MEMBER ? pass_extension(&h, content) : result;
}

enum archive_result archive_next(struct archive *a, struct archive_member *out)
{
    enum archive_result result;
    do {
        *out = (struct archive_member){.name = ""};
        result = take_block(a, out);
    } while (result == ARCHIVE_MEMBER && !out->name[0]);
    /* The bytes behind the end are the volume's former content. */
    if (result != ARCHIVE_MEMBER)
        a->rest = (struct reader){.failed = true};
    return result;
}

enum archive_result archive_check(struct bytes volume,
                                  struct archive_member *culprit)
{
    struct archive a = archive_of(volume);
    enum archive_result result;
    do
        result = archive_next(&a, culprit);
    while (result == ARCHIVE_MEMBER);
    return result;
}
