/*
 * Tells the service manager how we are, by systemd's notification protocol
 * (sd_notify(3): lines NAME=VALUE in a datagram to $NOTIFY_SOCKET). Without
 * such a socket every call does nothing.
 *
 * Opened before the sandbox; afterwards it needs only send().
 */
#ifndef EVENT_NOTIFY_H
#define EVENT_NOTIFY_H

#include "gateway/event/loop.h"

/* Embedded in its owner. */
struct notify {
    int fd; /* -1: nobody wants to know */
    struct loop *loop;
    struct loop_timer watchdog;
    struct duration period; /* of our signs of life; 0: none wanted */
};

/* With $WATCHDOG_USEC for this process a sign of life is given at half that
 * interval, from the loop: it shows that the loop still turns. A socket that
 * cannot be reached is logged and means nobody. */
void notify_open(struct notify *n, struct loop *loop);
void notify_close(struct notify *n);

/* `status` is one line for people, or NULL. */
void notify_ready(struct notify *n, const char *status);
void notify_status(struct notify *n, const char *status);
void notify_stopping(struct notify *n, const char *status);
/* A line X_UPLINK=..., for a manager that sets up our network card
 * (gateway/nano/way_out.h); others pass it over. */
void notify_uplink(struct notify *n, const char *line);

#endif
