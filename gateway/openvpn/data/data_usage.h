/*
 * How much an AEAD key was used, against the limits of
 * draft-irtf-cfrg-aead-limits: for GCM, messages and blocks of 16 bytes up to
 * 2^36 - 1 (openvpn: crypto.c, cipher_get_aead_limits); for every AEAD,
 * packets that failed to authenticate.
 */
#ifndef OPENVPN_DATA_DATA_USAGE_H
#define OPENVPN_DATA_DATA_USAGE_H

#include "gateway/crypto/aead.h"

#define DATA_USAGE_GCM_LIMIT   ((UINT64_C(1) << 36) - 1)
#define DATA_USAGE_GCM_HIGH    (DATA_USAGE_GCM_LIMIT / 8 * 7)
#define DATA_USAGE_FAILED_HIGH (UINT64_C(1) << 35)
#define DATA_USAGE_FAILED_MAX  (UINT64_C(1) << 36)

struct data_usage {
    bool limited;
    uint64_t used; /* messages and blocks */
    uint64_t failed;
};

static inline void data_usage_init(struct data_usage *u,
                                   enum aead_cipher cipher)
{
    *u = (struct data_usage){.limited = cipher != AEAD_CHACHA20_POLY1305};
}

/* A message of `size` bytes went through. */
static inline void data_usage_add(struct data_usage *u, uint32_t size)
{
    u->used += 1 + (size + 15) / 16;
}

static inline void data_usage_failed(struct data_usage *u)
{
    u->failed++;
}

/* A new key is due. */
static inline bool data_usage_high(const struct data_usage *u)
{
    return (u->limited && u->used >= DATA_USAGE_GCM_HIGH) ||
           u->failed >= DATA_USAGE_FAILED_HIGH;
}

/* The key may not be used at all to send. */
static inline bool data_usage_spent(const struct data_usage *u)
{
    return u->limited && u->used >= DATA_USAGE_GCM_LIMIT;
}

/* So many forgeries were tried that the next might pass. */
static inline bool data_usage_forged(const struct data_usage *u)
{
    return u->failed >= DATA_USAGE_FAILED_MAX;
}

#endif
