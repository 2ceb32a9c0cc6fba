/*
 * AES-CBC with HMAC, for servers older than AEAD and profiles that insist.
 *
 *   header hmac iv(16) ciphertext of: packet_id(4) packet padding(1..16)
 *
 * The hmac covers iv and ciphertext; the header nothing covers. The iv is
 * random (openvpn: crypto.c, openvpn_encrypt_v1).
 *
 * With a static key there is no header, and behind the packet_id stands the
 * time at which its count began: the key outlives many counts.
 *
 *   hmac iv(16) ciphertext of: packet_id(4) time(4) packet padding(1..16)
 */
#ifndef OPENVPN_DATA_DATA_CBC_H
#define OPENVPN_DATA_DATA_CBC_H

#include "gateway/crypto/cbc_hmac.h"
#include "gateway/openvpn/data/data_functions.h"
#include "gateway/openvpn/keys/replay_window.h"

enum { DATA_CBC_ID_SIZE = 4, DATA_CBC_LONG_ID_SIZE = 8 };

struct data_cbc {
    struct data_channel channel;
    struct cbc_hmac *send, *receive;
    size_t digest_size;
    bool static_key;
    uint8_t id_size;
    uint32_t last_id;                 /* sent */
    uint32_t send_time, receive_time; /* with a static key */
    struct replay_window seen;
    void (*random)(void *context, uint8_t *out, size_t size);
    void *random_context;
    size_t count; /* of the batch */
    struct datagram *datagrams[CBC_HMAC_BATCH_MAX];
    struct cbc_hmac_job jobs[CBC_HMAC_BATCH_MAX];
};

/* As data_channel_new(). */
struct data_channel *data_cbc_new(const struct data_channel_options *o,
                                  const struct key_material *material);

#endif
