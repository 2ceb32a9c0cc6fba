/*
 * A session out of a static key: no TLS and no control channel, both ends have
 * the data keys already and nothing is negotiated (openvpn: init.c,
 * do_init_crypto_static). Nothing is pushed either, and there is no forward
 * secrecy. One part of a handshake is left: a question to which OpenVPN
 * answers, so that it can be told whether somebody with the key is there.
 */
#ifndef OPENVPN_SESSION_SESSION_STATIC_H
#define OPENVPN_SESSION_SESSION_STATIC_H

#include "gateway/openvpn/session/session_data.h"

struct session_static_options {
    struct session_env env;
    const struct static_key *key;
    int direction;      /* 0 or 1: each way its own half; -1: both alike */
    const char *cipher; /* AES-CBC, by OpenVPN's name */
    const char *digest;
    /* Seconds since 1970, and later than any before with this key. */
    uint32_t began;
    uint32_t replay_packets, replay_seconds;
    enum config_compression compression;
    bool compression_refused;
    uint16_t fragment; /* as in session.h */
};

/* As session_init(), and ready at once. False when memory is short or the
 * cipher or digest cannot be had. */
MUST_USE bool session_static_init(struct session *s,
                                  const struct session_static_options *o,
                                  struct instant now);

/* Something of the peer came, made with the key. */
bool session_static_heard(const struct session *s);

#endif
