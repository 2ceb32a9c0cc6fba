/*
 * The inside of the device, shared by device.c (the door, timers),
 * device_handshake.c and device_data.c. Nobody else includes it.
 */
#ifndef WIREGUARD_DEVICE_STATE_H
#define WIREGUARD_DEVICE_STATE_H

#include "gateway/wireguard/admission.h"
#include "gateway/wireguard/data/allowed_ips.h"
#include "gateway/wireguard/device.h"

enum {
    DEVICE_MESSAGES_MAX = 128,
    DEVICE_MESSAGES_STRANGERS = 64, /* of these, for cookie replies */
};

/* A handshake message on its way out. */
struct device_message {
    uint16_t peer;
    struct endpoint to;
    uint8_t tos;
    uint8_t size;
    uint8_t bytes[WIRE_HANDSHAKE_MAX];
};

/* Datagrams of one keypair on their way through the AEAD. */
struct device_batch {
    struct peer *peer;
    struct keypair *keypair;
    size_t count;
    struct datagram *datagrams[AEAD_BATCH_MAX];
    uint64_t counters[AEAD_BATCH_MAX];
    struct aead_job jobs[AEAD_BATCH_MAX];
};

struct device {
    struct device_env env;
    struct device_options options;
    struct identity identity;
    struct cookie_checker checker;
    struct admission admission;
    struct index_table indices;
    uint16_t peer_count, work_count;
    struct peer *peers;
    uint16_t *work; /* numbers of those with something to send */
    uint16_t message_first, message_count;
    struct device_message messages[DEVICE_MESSAGES_MAX];
    struct device_batch batch;
    struct drop_counters drops;
    struct burst scratch; /* one datagram */
    struct allowed_ips allowed;
};

struct duration device_jitter(const struct device *d);
/* The peer has something to send: device_poll() is to look. */
void device_wants(struct device *d, struct peer *p);
/* An index of ours that is not in use. */
uint32_t device_new_index(const struct device *d);

/* To the end of the queue. It is lost, and counted, when that is full or the
 * address is not known. */
void device_queue(struct device *d, uint16_t peer, const struct endpoint *to,
                  uint8_t tos, const uint8_t *bytes, size_t size);

/* device_handshake.c */

/* Sends an initiation unless one was sent less than 5 s ago; a retry is one
 * of the same series. */
void device_initiate(struct device *d, struct peer *p, struct instant now,
                     bool retry);
/* Receives a message that is no data. */
MUST_USE enum drop device_take_handshake(struct device *d, struct instant now,
                                         const struct endpoint *from,
                                         struct bytes message);

/* device_data.c */

/* The next message that the peer has to send, sealed; false if there is none.
 * */
MUST_USE bool device_next_packet(struct device *d, struct instant now,
                                 struct peer *p, struct device_send *out);
/* It follows an authentic message; cookie replies are none. */
void device_heard(struct peer *p, struct instant now,
                  const struct endpoint *from);

#endif
