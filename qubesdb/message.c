#include "qubesdb/message.h"

#include <assert.h>

enum { PADDING_SIZE = 3 };

static_assert(1 + MESSAGE_PATH_SIZE + PADDING_SIZE + 4 == MESSAGE_HEADER_SIZE,
              "the header has no gaps");

static bool path_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("_./:@-", c));
}

bool message_path_valid(const char *path)
{
    size_t size = strnlen(path, MESSAGE_PATH_SIZE);
    if (size == MESSAGE_PATH_SIZE || path[0] != '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!path_character(path[i]))
            return false;
    }
    return true;
}

bool message_data_valid(struct bytes data)
{
    return data.size <= MESSAGE_DATA_MAX &&
           (data.size == 0 || !memchr(data.data, '\0', data.size));
}

static bool carries_data(enum message_type type)
{
    return type == MESSAGE_WRITE || type == MESSAGE_VALUE ||
           type == MESSAGE_ENTRY;
}

/* MULTIREAD without a path asks for everything; the answers to LIST and
 * MULTIREAD end with one. */
static bool may_lack_path(enum message_type type)
{
    return type == MESSAGE_MULTIREAD || type == MESSAGE_LIST ||
           type == MESSAGE_ENTRY || type == MESSAGE_LIST_ENTRY;
}

static bool acceptable(const struct message *m)
{
    if (m->data.size && !carries_data(m->type))
        return false;
    if (!message_data_valid(m->data))
        return false;
    if (m->path[0] == '\0')
        return may_lack_path(m->type) && m->data.size == 0;
    if (!message_path_valid(m->path))
        return false;
    /* The daemon closes the connection of who writes to a directory. */
    return m->type != MESSAGE_WRITE || m->path[strlen(m->path) - 1] != '/';
}

static void write_u32_little(struct writer *w, uint32_t value)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        write_u8(w, (uint8_t)(value >> shift));
}

static uint32_t read_u32_little(struct reader *r)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 8)
        value |= (uint32_t)read_u8(r) << shift;
    return value;
}

bool message_encode(struct writer *w, const struct message *m)
{
    static const uint8_t zero[MESSAGE_PATH_SIZE];

    if (!acceptable(m) || w->capacity - w->size < m->data.size ||
        w->capacity - w->size - m->data.size < MESSAGE_HEADER_SIZE)
        return false;
    size_t path_size = strlen(m->path);
    write_u8(w, (uint8_t)m->type);
    write_bytes(w, bytes_of(m->path, path_size));
    write_bytes(w, bytes_of(zero, MESSAGE_PATH_SIZE - path_size));
    write_bytes(w, bytes_of(zero, PADDING_SIZE));
    write_u32_little(w, (uint32_t)m->data.size);
    write_bytes(w, m->data);
    return writer_ok(w);
}

enum message_result message_decode(struct bytes stream, struct message *out,
                                   size_t *size)
{
    if (stream.size < MESSAGE_HEADER_SIZE)
        return MESSAGE_PARTIAL;

    struct reader r = reader_of(stream);
    struct message m;
    uint8_t type = read_u8(&r);
    read_into(&r, m.path, sizeof m.path);
    read_bytes(&r, PADDING_SIZE);
    uint32_t data_size = read_u32_little(&r);

    if (type >= MESSAGE_TYPE_COUNT || data_size > MESSAGE_DATA_MAX ||
        !memchr(m.path, '\0', sizeof m.path))
        return MESSAGE_MALFORMED;
    m.type = (enum message_type)type;
    size_t path_size = strlen(m.path);
    memset(m.path + path_size, 0, sizeof m.path - path_size);
    if (data_size && !carries_data(m.type))
        return MESSAGE_MALFORMED;
    if (m.path[0] == '\0' && (data_size || !may_lack_path(m.type)))
        return MESSAGE_MALFORMED;
    if (r.left < data_size)
        return MESSAGE_PARTIAL;
    m.data = read_bytes(&r, data_size);
    if (!message_data_valid(m.data))
        return MESSAGE_MALFORMED;

    *out = m;
    *size = MESSAGE_HEADER_SIZE + data_size;
    return MESSAGE_WHOLE;
}
