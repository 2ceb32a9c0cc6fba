/*
 * Event channels, through libxenevtchn: the bell between us and each qube. An
 * event says "look at the ring" and nothing else. Between its delivery and
 * event_channel_unmask() the kernel holds back further events of that port,
 * so nobody can ring faster than we look.
 */
#ifndef LINK_XEN_EVENT_CHANNEL_H
#define LINK_XEN_EVENT_CHANNEL_H

#include "gateway/base/bytes.h"
#include "gateway/event/loop.h"

struct event_channel; /* heap: the device, with all our ports */

struct event_channel_owner {
    void *context;
    /* The port rang; it is masked now. It may be one that was unbound. */
    void (*rang)(void *context, uint32_t port);
    /* After all that rang at once. */
    void (*settled)(void *context, struct instant now);
};

/* NULL and *error on failure; the log says what. */
struct event_channel *
event_channel_open(struct loop *loop, const struct event_channel_owner *owner,
                   enum error *error);
void event_channel_close(struct event_channel *e);

/* Our port for the domain's, unmasked; false when it has none such. */
MUST_USE bool event_channel_bind(struct event_channel *e, uint32_t domain,
                                 uint32_t remote_port, uint32_t *port);
void event_channel_unbind(struct event_channel *e, uint32_t port);

void event_channel_notify(struct event_channel *e, uint32_t port);
void event_channel_unmask(struct event_channel *e, uint32_t port);

#endif
