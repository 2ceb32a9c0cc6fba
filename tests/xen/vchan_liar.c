/*
 * A qube's end of a vchan that says what no honest one would.
 *
 *   vchan_liar GATEWAY'S-DOMAIN PATH LIE
 *
 * Prints what came of it: "hung up", or "ignored" when the other end still
 * stands after some seconds.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/base/libxenvchan.h"
#include "gateway/link/xen/vchan_framing.h"

enum { RING_SIZE = 65536, COMES_IN = 20, WAITS = 2 /* s */ };

/* --- Lies ---------------------------------------------------------------- */

static void greet(struct libxenvchan *v)
{
    uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE];
    vchan_framing_write_greeting(greeting, 0);
    libxenvchan_write(v, greeting, sizeof greeting);
}

static void no_greeting(struct libxenvchan *v)
{
    libxenvchan_write(v, "GET / HTTP/1.0\r\n\r\n", 18);
}

static void too_large(struct libxenvchan *v)
{
    static const uint8_t size[VCHAN_FRAMING_PREFIX_SIZE] = {0xff, 0xff, 0xff,
                                                            0xff};
    greet(v);
    libxenvchan_write(v, size, sizeof size);
}

static void too_small(struct libxenvchan *v)
{
    static const uint8_t size[VCHAN_FRAMING_PREFIX_SIZE] = {
        VCHAN_FRAMING_BODY_MIN - 1};
    greet(v);
    libxenvchan_write(v, size, sizeof size);
}

/* False when the other end is gone. */
static bool send_all(struct libxenvchan *v, const uint8_t *data, size_t size)
{
    while (size) {
        int n = libxenvchan_write(v, data, size);
        if (n < 0)
            return false;
        data += n;
        size -= (size_t)n;
        if (n == 0)
            libxenvchan_wait(v); /* for room */
    }
    return true;
}

/* The form is right, and what is in it is not. */
static void noise(struct libxenvchan *v)
{
    uint8_t record[VCHAN_FRAMING_PREFIX_SIZE + 2048];
    greet(v);
    for (int n = 0; n < 500; n++) {
        uint32_t size = VCHAN_FRAMING_BODY_MIN + (uint32_t)rand() % 1024;
        vchan_framing_write_prefix(record, size);
        for (uint32_t i = 0; i < size; i++)
            record[VCHAN_FRAMING_PREFIX_SIZE + i] = (uint8_t)rand();
        if (!send_all(v, record, VCHAN_FRAMING_PREFIX_SIZE + size))
            return;
    }
}

/* More is said to be there than the ring holds, and back again, with an event
 * each time. */
static void indices(struct libxenvchan *v)
{
    greet(v);
    for (uint32_t i = 0; i < 100000; i++) {
        v->write.shr->prod = i % 2 ? v->write.shr->cons + i * 65537 : 0;
        v->read.shr->cons = v->read.shr->prod + i * 4099;
        xenevtchn_notify(v->event, v->event_port);
    }
}

static const struct {
    const char *name;
    void (*tell)(struct libxenvchan *v);
} lies[] = {
    {"no-greeting", no_greeting}, {"too-large", too_large},
    {"too-small", too_small},     {"noise", noise},
    {"indices", indices},
};

/* --- What comes of them -------------------------------------------------- */

/* False when it takes longer. */
static bool becomes(struct libxenvchan *v, int state, int seconds)
{
    time_t limit = time(NULL) + seconds;
    struct pollfd polled = {.fd = libxenvchan_fd_for_select(v),
                            .events = POLLIN};
    while (libxenvchan_is_open(v) != state) {
        if (time(NULL) >= limit)
            return false;
        if (poll(&polled, 1, 100) > 0)
            libxenvchan_wait(v);
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 4 || !libxenvchan_load())
        return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        if (strcmp(lies[i].name, argv[3]) != 0)
            continue;
        struct libxenvchan *v = libxenvchan_server_init(
            NULL, atoi(argv[1]), argv[2], RING_SIZE, RING_SIZE);
        if (!v || !becomes(v, 1, COMES_IN)) {
            puts("nobody comes");
            return EXIT_FAILURE;
        }
        v->blocking = 0;
        lies[i].tell(v);
        puts(becomes(v, 0, WAITS) ? "hung up" : "ignored");
        libxenvchan_close(v);
        return EXIT_SUCCESS;
    }
    return EXIT_FAILURE;
}
