#include "gateway/crypto/tls_connection.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "gateway/crypto/openssl/certificates_openssl.h"
#include "gateway/crypto/openssl/library_openssl.h"
#include "gateway/crypto/openssl/tls_end_openssl.h"

struct tls_connection {
    const struct tls_end *end;
    struct tls_wire wire;
    struct certificate_judge judge;
    int64_t now;
    SSL *ssl;
    bool no_memory; /* what is to be sent has found no room */
    struct tls_failure failure;
};

/* --- The wire ------------------------------------------------------------ */

static int take_input(BIO *bio, char *out, int size)
{
    struct tls_connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t taken =
        size > 0 ? c->wire.take(c->wire.context, (uint8_t *)out, (size_t)size)
                 : 0;
    if (taken > 0)
        return (int)taken;
    BIO_set_retry_read(bio);
    return -1;
}

static int put_output(BIO *bio, const char *data, int size)
{
    struct tls_connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size >= 0 && c->wire.put(c->wire.context, bytes_of(data, (size_t)size)))
        return size;
    c->no_memory = true;
    return -1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tls_end_openssl_wire(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
    if (m && BIO_meth_set_read(m, take_input) &&
        BIO_meth_set_write(m, put_output) && BIO_meth_set_ctrl(m, control) &&
        BIO_meth_set_create(m, create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* --- Beginning and end --------------------------------------------------- */

static void note_sent_alert(const SSL *ssl, int where, int value)
{
    struct tls_connection *c = SSL_get_app_data(ssl);
    if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT)
        c->failure.sent_alert = (uint8_t)value; /* behind its level */
}

static bool open_ssl(struct tls_connection *c)
{
    BIO *bio = BIO_new(c->end->wire);
    c->ssl = bio ? SSL_new(c->end->context) : NULL;
    if (!c->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, c);
    SSL_set_bio(c->ssl, bio, bio); /* takes it */
    SSL_set_app_data(c->ssl, c);
    SSL_set_info_callback(c->ssl, note_sent_alert);
    if (c->end->kind == TLS_END_SERVER)
        SSL_set_accept_state(c->ssl);
    else
        SSL_set_connect_state(c->ssl);
    return true;
}

struct tls_connection *tls_connection_new(struct tls_end *e,
                                          const struct tls_wire *wire,
                                          const struct certificate_judge *judge,
                                          int64_t now)
{
    struct tls_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->end = e;
    c->wire = *wire;
    c->judge = *judge;
    c->now = now;
    if (open_ssl(c))
        return c;
    tls_connection_free(c);
    return NULL;
}

void tls_connection_free(struct tls_connection *c)
{
    if (!c)
        return;
    SSL_free(c->ssl); /* wipes */
    free(c);
}

int tls_end_openssl_verify(X509_STORE_CTX *chain, void *unused)
{
    (void)unused;
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_connection *c = SSL_get_app_data(ssl);
    uint32_t faults =
        certificates_openssl_verify(chain, c->end->authorities, c->end->revoked,
                                    c->end->strength, &c->judge, c->now);
    faults |= certificates_openssl_purpose(X509_STORE_CTX_get0_cert(chain),
                                           c->end->kind == TLS_END_CLIENT);
    if (faults)
        X509_STORE_CTX_set_error(chain, certificates_openssl_code(faults));
    c->failure.certificate = faults;
    return faults == 0;
}

/* --- What went wrong ----------------------------------------------------- */

static const struct {
    int reason;
    enum tls_fault fault;
} faults[] = {
    {SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAULT_VERSION},
    {SSL_R_WRONG_SSL_VERSION, TLS_FAULT_VERSION},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, TLS_FAULT_VERSION},
    {SSL_R_VERSION_TOO_LOW, TLS_FAULT_VERSION},
    {SSL_R_VERSION_TOO_HIGH, TLS_FAULT_VERSION},
    {SSL_R_NO_SHARED_CIPHER, TLS_FAULT_SUITE},
    {SSL_R_NO_CIPHERS_AVAILABLE, TLS_FAULT_SUITE},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAULT_NO_CERTIFICATE},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, TLS_FAULT_DAMAGED},
    {SSL_R_BAD_RECORD_TYPE, TLS_FAULT_NOT_TLS},
    {SSL_R_WRONG_VERSION_NUMBER, TLS_FAULT_NOT_TLS},
    {SSL_R_HTTP_REQUEST, TLS_FAULT_NOT_TLS},
    {SSL_R_HTTPS_PROXY_REQUEST, TLS_FAULT_NOT_TLS},
    {SSL_R_UNEXPECTED_MESSAGE, TLS_FAULT_UNEXPECTED},
    {SSL_R_UNEXPECTED_RECORD, TLS_FAULT_UNEXPECTED},
    {SSL_R_LENGTH_MISMATCH, TLS_FAULT_MALFORMED},
    {SSL_R_BAD_LENGTH, TLS_FAULT_MALFORMED},
    {SSL_R_BAD_EXTENSION, TLS_FAULT_MALFORMED},
};

static enum tls_fault fault_of(int reason)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].reason == reason)
            return faults[i].fault;
    return TLS_FAULT_OTHER;
}

static enum tls_step fail(struct tls_connection *c, int error)
{
    struct tls_failure *f = &c->failure;
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (c->no_memory || reason == ERR_R_MALLOC_FAILURE) {
        f->fault = TLS_FAULT_MEMORY;
    } else if (error == SSL_ERROR_ZERO_RETURN) {
        f->fault = TLS_FAULT_CLOSED;
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
               reason >= SSL_AD_REASON_OFFSET &&
               reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        f->fault = TLS_FAULT_ALERT;
        f->alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
    } else {
        f->fault = ERR_GET_LIB(code) == ERR_LIB_SSL ? fault_of(reason)
                                                    : TLS_FAULT_OTHER;
        library_openssl_explain(f->text, sizeof f->text);
    }
    ERR_clear_error();
    return TLS_STEP_FAILED;
}

const struct tls_failure *tls_connection_failure(const struct tls_connection *c)
{
    return &c->failure;
}

/* --- Handshake and records ----------------------------------------------- */

static enum tls_step step_of(struct tls_connection *c, int result)
{
    if (result == 1)
        return TLS_STEP_DONE;
    int error = SSL_get_error(c->ssl, result);
    if (!c->no_memory &&
        (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)) {
        ERR_clear_error();
        return TLS_STEP_WAITS;
    }
    return fail(c, error);
}

enum tls_step tls_connection_handshake(struct tls_connection *c)
{
    ERR_clear_error();
    return step_of(c, SSL_do_handshake(c->ssl));
}

enum tls_step tls_connection_read(struct tls_connection *c, uint8_t *out,
                                  size_t capacity, size_t *size)
{
    size_t count = 0;
    ERR_clear_error();
    enum tls_step step = step_of(c, SSL_read_ex(c->ssl, out, capacity, &count));
    if (step == TLS_STEP_DONE)
        *size = count;
    return step;
}

enum tls_step tls_connection_write(struct tls_connection *c,
                                   struct bytes plaintext)
{
    size_t count = 0;
    ERR_clear_error();
    enum tls_step step = step_of(
        c, SSL_write_ex(c->ssl, plaintext.data, plaintext.size, &count));
    return step == TLS_STEP_DONE && count == plaintext.size ? TLS_STEP_DONE
                                                            : TLS_STEP_FAILED;
}

bool tls_connection_export(struct tls_connection *c, const char *label,
                           uint8_t *out, size_t size)
{
    bool good = SSL_export_keying_material(c->ssl, out, size, label,
                                           strlen(label), NULL, 0, 0) == 1;
    ERR_clear_error();
    return good;
}

/* A group that OpenSSL has no number of its own for, a hybrid. */
static const char *hybrid_of(const struct tls_connection *c)
{
    long group = SSL_get_negotiated_group(c->ssl);
    return group > 0 && group & TLSEXT_nid_unknown
               ? SSL_group_to_name(c->ssl, (int)group)
               : NULL;
}

/* IANA's name, written as the other library writes it. */
void tls_connection_describe(const struct tls_connection *c, char *out,
                             size_t size)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
    const char *name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
    bool newer = SSL_version(c->ssl) == TLS1_3_VERSION;
    const char *hybrid = hybrid_of(c);
    snprintf(out, size, "%s %s%s%s%s", SSL_get_version(c->ssl),
             name && newer ? "TLS1-3-" : "",
             name ? name + (newer ? strlen("TLS_") : 0) : "", hybrid ? " " : "",
             hybrid ? hybrid : "");
    for (char *at = out; *at; at++)
        if (*at == '_')
            *at = '-';
}
