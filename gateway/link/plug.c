#include "gateway/link/plug.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/link/channel.h"

enum {
    FRAMES_A_TURN = 64, /* then others have theirs */
    RETRY = 500,        /* ms, until the next offer */
};

struct plug {
    struct plug_options options;
    struct loop *loop;
    struct loop_watch tap;
    struct loop_timer retry;
    struct channel *channel; /* NULL: nothing is offered */
    bool connected;
    bool complained; /* of offers that cannot be made */
    bool failed;
    uint8_t incoming[RECORD_BODY_MAX];
    uint8_t outgoing[RECORD_BODY_MAX + 1]; /* a longer one shows */
};

/* --- From the gateway ---------------------------------------------------- */

static uint8_t *room(void *context)
{
    struct plug *p = context;
    return p->incoming;
}

static void record(void *context, struct instant now, size_t size)
{
    struct plug *p = context;
    (void)now;
    /* A card that is down takes nothing, as with a cable. */
    if (write(p->tap.fd, p->incoming, size) < 0)
        log_debug("attach: %s: %s", p->options.name, strerror(errno));
}

/* --- From the qube ------------------------------------------------------- */

static void tap_failed(struct plug *p)
{
    log_error("attach: %s: %s", p->options.name, strerror(errno));
    p->failed = true;
    loop_quit(p->loop);
}

static void send_frame(struct plug *p, struct bytes frame)
{
    if (!p->connected || frame.size < RECORD_BODY_MIN ||
        frame.size > RECORD_BODY_MAX)
        return;
    bool queued = channel_queue(p->channel, &frame, 1);
    assert(queued); /* it was not full */
}

static void tap_ready(void *context, struct instant now, unsigned events)
{
    struct plug *p = context;
    (void)now;
    (void)events;
    for (int frames = 0; frames < FRAMES_A_TURN; frames++) {
        /* The kernel's own queue holds what there is no room for. */
        if (p->connected && channel_is_full(p->channel)) {
            channel_await_room(p->channel);
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
        channel_flush(p->channel);
}

static void writable(void *context, struct instant now)
{
    struct plug *p = context;
    (void)now;
    loop_change(p->loop, &p->tap, LOOP_READ);
}

/* --- Coming and going ---------------------------------------------------- */

static void greeted(void *context, struct instant now, bool takes_udp_gso)
{
    struct plug *p = context;
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

static void retract(struct plug *p)
{
    channel_close(p->channel);
    p->channel = NULL;
    p->connected = false;
    loop_change(p->loop, &p->tap, LOOP_READ);
}

static void offer_later(struct plug *p, struct instant now)
{
    loop_timer_set(&p->retry, instant_after(now, duration_milliseconds(RETRY)));
}

static void lost(void *context, struct instant now, const char *why)
{
    struct plug *p = context;
    log_info("attach: %s: not connected: %s", p->options.name, why);
    retract(p);
    offer_later(p, now);
}

static void offer(void *context, struct instant now)
{
    struct plug *p = context;
    const struct channel_owner owner = {
        .context = p,
        .greeted = greeted,
        .room = room,
        .record = record,
        .settled = settled,
        .writable = writable,
        .lost = lost,
    };
    p->channel = channel_offer(p->options.gateway, p->options.path,
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

struct plug *plug_open(const struct plug_options *options, struct loop *loop)
{
    struct plug *p = calloc(1, sizeof *p);
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
        plug_close(p);
        return NULL;
    }
    offer(p, loop_now(loop));
    return p;
}

void plug_close(struct plug *p)
{
    if (!p)
        return;
    channel_close(p->channel);
    loop_remove_timer(p->loop, &p->retry);
    loop_remove(p->loop, &p->tap);
    close(p->tap.fd);
    free(p);
}

bool plug_failed(const struct plug *p)
{
    return p->failed;
}
