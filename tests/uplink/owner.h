/* The owner of an uplink under test: it writes down what it is told, and
 * turns the loop. */
#ifndef TESTS_UPLINK_OWNER_H
#define TESTS_UPLINK_OWNER_H

#include "gateway/event/loop.h"
#include "gateway/uplink/uplink.h"

enum {
    OWNER_RECEIVED_MAX = 2048,
    OWNER_BYTES_MAX = 8 << 20,
    OWNER_BURST_SIZE = 2 << 20,
};

struct owner {
    struct loop *loop;
    struct uplink *uplink; /* closed with the owner, unless NULL */
    struct burst *burst;   /* to send; owns its memory */
    struct uplink_owner callbacks;

    /* Its orders. */
    bool close_when_connected, close_when_received, close_when_failed;
    bool proves; /* all that comes in */
    /* The calls that it got. */
    int connected, failed;
    char why[256];
    unsigned received_calls;
    struct endpoint source; /* of the last burst */
    uint8_t ecn;            /* of its last datagram */
    unsigned count;         /* of packets that came in */
    uint16_t sizes[OWNER_RECEIVED_MAX];
    uint8_t *bytes; /* of them, in order */
    size_t total;
};

void owner_init(struct owner *o);
void owner_clear(struct owner *o);

/* Ten milliseconds of the loop. */
void owner_turn(struct owner *o);

void owner_close(struct owner *o);

/* Sends the burst that was filled. */
void owner_send(struct owner *o);

/* Adds a datagram of that size to the burst, filled with its number. */
struct datagram *owner_add(struct owner *o, uint16_t size);

#endif
