#include "gateway/link/xen/vchan_frontend.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/link/xen/vchan_channel.h"

enum {
    FRAMES_A_TURN = 64, /* then others have theirs */
    RETRY = 500,        /* ms, until the next offer */
};

struct vchan_frontend {
    struct vchan_frontend_options options;
    struct loop *loop;
    struct loop_watch tap;
    struct loop_timer retry;
    struct vchan_channel *channel; /* NULL: nothing is offered */
    bool connected;
    bool complained; /* of offers that cannot be made */
    bool failed;
    uint8_t incoming[VCHAN_FRAMING_BODY_MAX];
    uint8_t outgoing[VCHAN_FRAMING_BODY_MAX + 1]; /* a longer one shows */
};

/* --- From the gateway ---------------------------------------------------- */

static uint8_t *room(void *context)
{
    struct vchan_frontend *p = context;
    return p->incoming;
}

static void record(void *context, struct instant now, size_t size)
{
    struct vchan_frontend *p = context;
    (void)now;
    /* A card that is down takes nothing, as with a cable. */
    if (write(p->tap.fd, p->incoming, size) < 0)
        log_debug("attach: %s: %s", p->options.name, strerror(errno));
}

/* --- From the qube ------------------------------------------------------- */

static void tap_failed(struct vchan_frontend *p)
{
    log_error("attach: %s: %s", p->options.name, strerror(errno));
    p->failed = true;
    loop_quit(p->loop);
}

static void send_frame(struct vchan_frontend *p, struct bytes frame)
{
    if (!p->connected || frame.size < VCHAN_FRAMING_BODY_MIN ||
        frame.size > VCHAN_FRAMING_BODY_MAX)
        return;
    bool queued = vchan_channel_queue(p->channel, &frame, 1);
    assert(queued); /* it was not full */
}

static void tap_ready(void *context, struct instant now, unsigned events)
{
    struct vchan_frontend *p = context;
    (void)now;
    (void)events;
    for (int frames = 0; frames < FRAMES_A_TURN; frames++) {
        /* The kernel's own queue holds what there is no room for. */
        if (p->connected && vchan_channel_is_full(p->channel)) {
            vchan_channel_await_room(p->channel);
            loop_change(p->loop, &p->tap, 0);
            break;
        }
        ssize_t size = read(p->tap.fd, p->outgoing, sizeof p->outgoing);
        if (size < 0 && errno != EAGAIN && errno != EINTR)
            tap_failed(p);
        if (size < 0)
            break;
        send_frame(p, bytes_of(p->outgoing, (size_t)size));
    }
    if (p->connected)
        vchan_channel_flush(p->channel);
}

static void writable(void *context, struct instant now)
{
    struct vchan_frontend *p = context;
    (void)now;
    loop_change(p->loop, &p->tap, LOOP_READ);
}

/* --- Coming and going ---------------------------------------------------- */

static void greeted(void *context, struct instant now, bool takes_udp_gso)
{
    struct vchan_frontend *p = context;
    (void)now;
    /* A gateway takes all that a TAP gives. */
    (void)takes_udp_gso;
    p->connected = true;
    log_info("attach: %s: connected to domain %u", p->options.name,
             p->options.gateway);
}

static void settled(void *context, struct instant now)
{
    (void)context;
    (void)now;
}

static void retract(struct vchan_frontend *p)
{
    vchan_channel_close(p->channel);
    p->channel = NULL;
    p->connected = false;
    loop_change(p->loop, &p->tap, LOOP_READ);
}

static void offer_later(struct vchan_frontend *p, struct instant now)
{
    loop_timer_set(&p->retry, instant_after(now, duration_milliseconds(RETRY)));
}

static void lost(void *context, struct instant now, const char *why)
{
    struct vchan_frontend *p = context;
    log_info("attach: %s: not connected: %s", p->options.name, why);
    retract(p);
    offer_later(p, now);
}

static void offer(void *context, struct instant now)
{
    struct vchan_frontend *p = context;
    const struct vchan_channel_owner owner = {
        .context = p,
        .greeted = greeted,
        .room = room,
        .record = record,
        .settled = settled,
        .writable = writable,
        .lost = lost,
    };
    p->channel = vchan_channel_offer(p->options.gateway, p->options.path,
                                     p->options.takes_udp_gso, p->loop, &owner);
    if (p->channel) {
        p->complained = false;
        return;
    }
    log_line(p->complained ? LOG_DEBUG : LOG_WARN,
             "attach: %s: no vchan can be offered to domain %u at %s",
             p->options.name, p->options.gateway, p->options.path);
    p->complained = true;
    offer_later(p, now);
}

struct vchan_frontend *
vchan_frontend_open(const struct vchan_frontend_options *options,
                    struct loop *loop)
{
    struct vchan_frontend *p = calloc(1, sizeof *p);
    if (!p) {
        close(options->tap);
        return NULL;
    }
    p->options = *options;
    p->loop = loop;
    p->tap = (struct loop_watch){options->tap, tap_ready, p};
    p->retry = (struct loop_timer){INSTANT_NEVER, offer, p, NULL};
    loop_add_timer(loop, &p->retry);
    if (loop_add(loop, &p->tap, LOOP_READ) != OK) {
        vchan_frontend_close(p);
        return NULL;
    }
    offer(p, loop_now(loop));
    return p;
}

void vchan_frontend_close(struct vchan_frontend *p)
{
    if (!p)
        return;
    vchan_channel_close(p->channel);
    loop_remove_timer(p->loop, &p->retry);
    loop_remove(p->loop, &p->tap);
    close(p->tap.fd);
    free(p);
}

bool vchan_frontend_failed(const struct vchan_frontend *p)
{
    return p->failed;
}
