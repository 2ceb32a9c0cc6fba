/*
 * One TLS connection, either end, over memory: it is fed the control
 * channel's payloads in order and yields bytes to be cut into CONTROL_V1
 * messages. In between, one plaintext write is one TLS record and one read
 * returns one, as OpenVPN takes each record for one message.
 *
 * A failure is sticky; tls_session_error() then says why in one line.
 */
#ifndef OPENVPN_TLS_TLS_SESSION_H
#define OPENVPN_TLS_TLS_SESSION_H

#include "gateway/crypto/tls_connection.h"
#include "gateway/openvpn/tls/peer_verify.h"
#include "gateway/openvpn/tls/tls_context.h"

enum {
    TLS_RECORD_MAX = TLS_CONNECTION_RECORD_MAX,
    TLS_WRITE_MAX = 4096,        /* plaintext of one record, sent */
    TLS_OUTPUT_MAX = 256 * 1024, /* more outstanding is a failure */
    TLS_ERROR_SIZE = PEER_VERIFY_REASON_SIZE + 64,
};

enum tls_state { TLS_HANDSHAKE, TLS_ESTABLISHED, TLS_FAILED };

struct tls_session {
    enum tls_state state;
    struct tls_context *context;       /* borrowed */
    struct tls_connection *connection; /* owned */
    struct peer_verify verify;
    struct bytes input; /* borrowed, what of it was not yet read */
    uint8_t *output;    /* owned */
    size_t output_size, output_capacity;
    bool heard; /* a record, after the handshake */
    char error[TLS_ERROR_SIZE];
};

/* Not to be moved afterwards. False when memory is short. */
MUST_USE bool tls_session_init(struct tls_session *t,
                               struct tls_context *context, uint32_t unix_time);
/* Wipes; once is enough, also after a failed init. */
void tls_session_clear(struct tls_session *t);

/* Starts a client's handshake, or goes on with what is there. */
void tls_session_advance(struct tls_session *t);

/* The next payload of the control channel, borrowed until everything of it
 * was taken in: call tls_session_read() until it says no. */
void tls_session_feed(struct tls_session *t, struct bytes payload);
/* Goes on with the handshake, or reads one record. False when more input is
 * needed, or it failed. */
MUST_USE bool tls_session_read(struct tls_session *t, uint8_t *out,
                               size_t capacity, size_t *size);
/* One record. False unless it is established and it went well. */
MUST_USE bool tls_session_write(struct tls_session *t, struct bytes plaintext);

/* The bytes to be sent, borrowed; and how much of them was. */
struct bytes tls_session_output(const struct tls_session *t);
void tls_session_sent(struct tls_session *t, size_t size);

/* Keying material of this connection (RFC 5705, without context; RFC 8446). */
MUST_USE bool tls_session_export(struct tls_session *t, const char *label,
                                 uint8_t *out, size_t size);

/* It failed because a server that speaks TLS 1.2 at most used, as our offer
 * of 1.3 allows it, RSA-PSS where the TLS library cannot take it. Without the
 * offer the same server will do. */
bool tls_session_offered_too_much(const struct tls_session *t);

/* "" unless it failed. */
const char *tls_session_error(const struct tls_session *t);
/* "TLSv1.3 TLS1-3-AES-256-GCM-SHA384", once established. */
void tls_session_describe(const struct tls_session *t, char *out, size_t size);

#endif
