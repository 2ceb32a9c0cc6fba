/*
 * One TLS connection, either end, over memory that its owner keeps: without
 * I/O, without a clock. In between, one plaintext write is one TLS record, and
 * one read returns one.
 */
#ifndef CRYPTO_TLS_CONNECTION_H
#define CRYPTO_TLS_CONNECTION_H

#include "gateway/crypto/tls_end.h"

enum {
    TLS_CONNECTION_RECORD_MAX = 16384, /* plaintext of one record, received */
    TLS_CONNECTION_TEXT_SIZE = 160,
};

struct tls_connection;

/* The owner's memory. */
struct tls_wire {
    void *context;
    /* Takes at most `size` bytes of what has come; 0 if nothing is left. */
    size_t (*take)(void *context, uint8_t *out, size_t size);
    /* Sends bytes. False if there is no room. */
    bool (*put)(void *context, struct bytes data);
};

enum tls_step { TLS_STEP_DONE, TLS_STEP_WAITS, TLS_STEP_FAILED };

enum tls_fault {
    TLS_FAULT_NONE,
    TLS_FAULT_ALERT, /* the peer ended it: `alert` is its number */
    TLS_FAULT_VERSION,
    TLS_FAULT_SUITE,
    TLS_FAULT_NO_CERTIFICATE, /* the peer sent none */
    TLS_FAULT_CLOSED,
    TLS_FAULT_DAMAGED, /* a record */
    TLS_FAULT_NOT_TLS,
    TLS_FAULT_MEMORY,
    TLS_FAULT_UNEXPECTED, /* a message */
    TLS_FAULT_MALFORMED,  /* a message */
    TLS_FAULT_LIMIT, /* `text`: what the peer did, before "the TLS library" */
    TLS_FAULT_OTHER, /* `text` is the library's */
};

struct tls_failure {
    enum tls_fault fault;
    uint8_t alert;         /* RFC 8446 6 */
    uint8_t sent_alert;    /* by us, to the peer; 0: none */
    uint32_t certificate;  /* of enum certificate_fault, the peer's */
    bool offered_too_much; /* without our offer of TLS 1.3 it would have gone
                              well */
    char text[TLS_CONNECTION_TEXT_SIZE];
};

/* `wire` and `judge` are copied, `e` is borrowed. `now` is s since 1970. NULL
 * when memory is short. */
struct tls_connection *tls_connection_new(struct tls_end *e,
                                          const struct tls_wire *wire,
                                          const struct certificate_judge *judge,
                                          int64_t now);
/* Wipes. */
void tls_connection_free(struct tls_connection *c);

/* After TLS_STEP_FAILED only tls_connection_failure() may be called, and
 * tls_connection_free(). */
MUST_USE enum tls_step tls_connection_handshake(struct tls_connection *c);
MUST_USE enum tls_step tls_connection_read(struct tls_connection *c,
                                           uint8_t *out, size_t capacity,
                                           size_t *size);
/* One record; TLS_STEP_DONE or TLS_STEP_FAILED. */
MUST_USE enum tls_step tls_connection_write(struct tls_connection *c,
                                            struct bytes plaintext);

/* Keying material (RFC 5705, without context; RFC 8446 7.5). */
MUST_USE bool tls_connection_export(struct tls_connection *c, const char *label,
                                    uint8_t *out, size_t size);

const struct tls_failure *
tls_connection_failure(const struct tls_connection *c);
/* "TLSv1.3 TLS1-3-AES-256-GCM-SHA384", and a hybrid group behind it. */
void tls_connection_describe(const struct tls_connection *c, char *out,
                             size_t size);

#endif
