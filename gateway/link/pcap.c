#include "gateway/link/pcap.h"
#include "gateway/base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 1 << 20,
    FLUSH_AFTER = 1, /* s */
    LINKTYPE_RAW = 101,
};

static const uint64_t size_max_default = UINT64_C(1) << 30;

struct file_header {
    uint32_t magic;
    uint16_t major;
    uint16_t minor;
    uint32_t zone;
    uint32_t accuracy;
    uint32_t snaplen;
    uint32_t linktype;
};

struct record_header {
    uint32_t seconds;
    uint32_t nanoseconds;
    uint32_t captured;
    uint32_t length;
};

static_assert(sizeof(struct file_header) == 24, "no holes");
static_assert(sizeof(struct record_header) == 16, "no holes");

struct pcap {
    int fd; /* -1: it failed, or the file is full */
    struct loop *loop;
    struct loop_timer flush;
    int64_t boot_time; /* microseconds since 1970 at instant 0 */
    uint64_t room;     /* what may still be written */
    uint64_t left_out; /* packets */
    uint32_t used;     /* of the buffer */
    uint8_t buffer[BUFFER_SIZE];
};

static void stop(struct pcap *p, const char *why)
{
    log_warn("pcap: no more is written: %s", why);
    close(p->fd);
    p->fd = -1;
    p->used = 0;
}

/* Bytes that the file does not take yet stay in the buffer. */
static void flush(struct pcap *p)
{
    uint32_t done = 0;
    while (p->fd >= 0 && done < p->used) {
        ssize_t n = write(p->fd, p->buffer + done, p->used - done);
        if (n >= 0) {
            done += (uint32_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            stop(p, strerror(errno));
            return;
        }
    }
    memmove(p->buffer, p->buffer + done, p->used - done);
    p->used -= done;
}

static void flush_due(void *context, struct instant now)
{
    struct pcap *p = context;
    flush(p);
    if (p->used)
        loop_timer_set(&p->flush,
                       instant_after(now, duration_seconds(FLUSH_AFTER)));
}

static void append(struct pcap *p, const void *data, size_t size)
{
    memcpy(p->buffer + p->used, data, size);
    p->used += (uint32_t)size;
}

void pcap_write(struct pcap *p, struct instant now, const struct packet *packet)
{
    if (!p || p->fd < 0)
        return;
    uint32_t length = packet->size;
    for (uint16_t i = 0; i < packet->piece_count; i++)
        length += (uint32_t)packet->pieces[i].size;
    size_t size = sizeof(struct record_header) + length;
    if (size > p->room) {
        flush(p);
        if (p->fd >= 0)
            stop(p, "the file has reached its limit");
        return;
    }
    if (size > BUFFER_SIZE - p->used)
        flush(p);
    if (p->fd < 0 || size > BUFFER_SIZE - p->used) {
        p->left_out++;
        return;
    }

    int64_t at = p->boot_time + now.us;
    struct record_header header = {
        .seconds = (uint32_t)(at / 1000000),
        .nanoseconds = (uint32_t)(at % 1000000 * 1000),
        .captured = length,
        .length = length,
    };
    if (p->used == 0)
        loop_timer_set(&p->flush,
                       instant_after(now, duration_seconds(FLUSH_AFTER)));
    append(p, &header, sizeof header);
    append(p, packet->data, packet->size);
    for (uint16_t i = 0; i < packet->piece_count; i++)
        append(p, packet->pieces[i].data, packet->pieces[i].size);
    p->room -= size;
    if (p->used >= BUFFER_SIZE / 2)
        flush(p);
}

struct pcap *pcap_open(const char *path, uint64_t size_max, struct loop *loop,
                       enum error *error)
{
    static const struct file_header header = {
        .magic = 0xa1b23c4d,
        .major = 2,
        .minor = 4,
        .snaplen = PACKET_SIZE_MAX,
        .linktype = LINKTYPE_RAW,
    };
    struct pcap *p = calloc(1, sizeof *p);
    if (!p) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    p->fd =
        open(path,
             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
             S_IRUSR | S_IWUSR);
    if (p->fd < 0) {
        *error = error_of_errno(errno);
        log_error("pcap: %s: %s", path, strerror(errno));
        free(p);
        return NULL;
    }
    p->loop = loop;
    p->flush = (struct loop_timer){.expired = flush_due, .context = p};
    p->boot_time = loop_wall_clock(loop) - loop_now(loop).us;
    p->room = size_max ? size_max : size_max_default;
    loop_add_timer(loop, &p->flush);
    append(p, &header, sizeof header);
    p->room = p->room > sizeof header ? p->room - sizeof header : 0;
    flush(p);
    return p;
}

void pcap_close(struct pcap *p)
{
    if (!p)
        return;
    flush(p);
    if (p->left_out)
        log_info("pcap: %llu packets were left out",
                 (unsigned long long)p->left_out);
    if (p->fd >= 0)
        close(p->fd);
    loop_remove_timer(p->loop, &p->flush);
    free(p);
}
