#include "gateway/crypto/tls_connection.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/error.h>

#include "gateway/crypto/mbedtls/certificates_mbedtls.h"
#include "gateway/crypto/mbedtls/tls_end_mbedtls.h"

struct tls_connection {
    const struct tls_end *end;
    struct tls_wire wire;
    struct certificate_judge judge;
    mbedtls_ssl_context ssl;
    struct tls_failure failure;
};

static int take_input(void *context, unsigned char *out, size_t size)
{
    struct tls_connection *c = context;
    size_t taken = c->wire.take(c->wire.context, out, size);
    return taken > 0 ? (int)taken : MBEDTLS_ERR_SSL_WANT_READ;
}

static int put_output(void *context, const unsigned char *data, size_t size)
{
    struct tls_connection *c = context;
    if (size > INT32_MAX || !c->wire.put(c->wire.context, bytes_of(data, size)))
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    return (int)size;
}

struct tls_connection *tls_connection_new(struct tls_end *e,
                                          const struct tls_wire *wire,
                                          const struct certificate_judge *judge,
                                          int64_t now)
{
    (void)now; /* the library's clock judges, and the judge corrects it */
    struct tls_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->end = e;
    c->wire = *wire;
    c->judge = *judge;
    mbedtls_ssl_init(&c->ssl);
    /* Without a name a client's handshake is refused; the judge checks it. */
    if (mbedtls_ssl_setup(&c->ssl, &e->config) != 0 ||
        mbedtls_ssl_set_hostname(&c->ssl, NULL) != 0) {
        tls_connection_free(c);
        return NULL;
    }
    mbedtls_ssl_set_verify(&c->ssl, certificates_mbedtls_decide, &c->judge);
    mbedtls_ssl_set_bio(&c->ssl, c, put_output, take_input, NULL);
    return c;
}

void tls_connection_free(struct tls_connection *c)
{
    if (!c)
        return;
    mbedtls_ssl_free(&c->ssl); /* wipes */
    free(c);
}

/* --- What went wrong ----------------------------------------------------- */

static const struct {
    int code;
    enum tls_fault fault;
} faults[] = {
    {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, TLS_FAULT_ALERT},
    {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, TLS_FAULT_VERSION},
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, TLS_FAULT_SUITE},
    {MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, TLS_FAULT_NO_CERTIFICATE},
    {MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, TLS_FAULT_CLOSED},
    {MBEDTLS_ERR_SSL_CONN_EOF, TLS_FAULT_CLOSED},
    {MBEDTLS_ERR_SSL_INVALID_MAC, TLS_FAULT_DAMAGED},
    {MBEDTLS_ERR_SSL_INVALID_RECORD, TLS_FAULT_NOT_TLS},
    {MBEDTLS_ERR_SSL_ALLOC_FAILED, TLS_FAULT_MEMORY},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, TLS_FAULT_UNEXPECTED},
    {MBEDTLS_ERR_SSL_DECODE_ERROR, TLS_FAULT_MALFORMED},
};

/* The upper part of a code of mbedTLS; the lower says where it comes from. */
enum { CODE_MASK = 0xff80 };

/* Names what another library would have taken. */
static const struct {
    int code;
    const char *text; /* between "the server" and "the TLS library" */
} limits[] = {
    {MBEDTLS_ERR_X509_FATAL_ERROR,
     "sent a chain of more than 8 intermediate certificates, more than"},
    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG,
     "sent a certificate that is signed with a kind of key (Ed25519, Ed448?) "
     "that is not known to"},
    {MBEDTLS_ERR_PK_UNKNOWN_PK_ALG,
     "sent a certificate with a kind of key (Ed25519, Ed448, RSA-PSS?) that is "
     "not known to"},
    {MBEDTLS_ERR_X509_INVALID_EXTENSIONS,
     "sent a certificate with a critical extension that is not known to"},
    {MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL,
     "cannot be sent certificates of more than 16 KiB, which are too much for"},
};

static const char *limit_of(const struct tls_connection *c, int code)
{
    if (c->ssl.MBEDTLS_PRIVATE(in_hslen) > TLS_CONNECTION_RECORD_MAX)
        return "sent a message of more than 16 KiB (a long chain, or the names "
               "of many authorities), which is too much for";
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if ((-code & CODE_MASK) == -limits[i].code)
            return limits[i].text;
    return NULL;
}

/* RFC 8446 4.2.3: who offers RSA-PSS for 1.3 must take it in 1.2, too, and
 * OpenSSL's servers prefer it (mbedtls: ssl_tls12_client.c,
 * ssl_parse_server_key_exchange). */
static bool is_pss_of_older_server(const struct tls_connection *c, int code)
{
    return code == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER &&
           c->end->kind == TLS_END_CLIENT && c->end->newest == TLS_END_1_3 &&
           mbedtls_ssl_get_version_number(&c->ssl) ==
               MBEDTLS_SSL_VERSION_TLS1_2 &&
           c->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_KEY_EXCHANGE;
}

static void explain_fault(struct tls_failure *f, const struct tls_connection *c,
                          int code)
{
    char text[128];
    const unsigned char *message = c->ssl.MBEDTLS_PRIVATE(in_msg);
    f->fault = TLS_FAULT_OTHER;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].code == code)
            f->fault = faults[i].fault;
    if (f->fault == TLS_FAULT_ALERT)
        f->alert = message ? message[1] : 255;
    if (f->fault == TLS_FAULT_OTHER) {
        mbedtls_strerror(code, text, sizeof text);
        snprintf(f->text, sizeof f->text, "%s (-0x%x)", text, (unsigned)-code);
    }
}

/* TLS 1.3 notes which; 1.2 leaves it in its buffer, in clear before there are
 * keys. */
static uint8_t sent_alert(const struct tls_connection *c)
{
    const unsigned char *message = c->ssl.MBEDTLS_PRIVATE(out_msg);
    if (c->ssl.MBEDTLS_PRIVATE(alert_type) != 0)
        return c->ssl.MBEDTLS_PRIVATE(alert_type);
    bool in_clear =
        c->ssl.MBEDTLS_PRIVATE(out_msgtype) == MBEDTLS_SSL_MSG_ALERT &&
        !c->ssl.MBEDTLS_PRIVATE(transform_out);
    return in_clear && message ? message[1] : 0;
}

static enum tls_step fail(struct tls_connection *c, int code)
{
    struct tls_failure *f = &c->failure;
    uint32_t flags = mbedtls_ssl_get_verify_result(&c->ssl);
    bool certificate = code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
                       code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
    f->offered_too_much = is_pss_of_older_server(c, code);
    f->sent_alert = sent_alert(c);
    if (certificate && flags != UINT32_MAX)
        f->certificate = certificates_mbedtls_faults(flags);
    const char *limit = limit_of(c, code);
    if (limit) {
        f->fault = TLS_FAULT_LIMIT;
        snprintf(f->text, sizeof f->text, "%s", limit);
    } else {
        explain_fault(f, c, code);
    }
    return TLS_STEP_FAILED;
}

const struct tls_failure *tls_connection_failure(const struct tls_connection *c)
{
    return &c->failure;
}

/* --- Handshake and records ----------------------------------------------- */

/* True for the codes that only mean: not yet. */
static bool is_pause(int code)
{
    return code == MBEDTLS_ERR_SSL_WANT_READ ||
           code == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* If no certificate is needed, mbedTLS takes any. */
static bool has_bad_certificate(const struct tls_connection *c)
{
    return c->end->demand == TLS_END_OPTIONAL &&
           (mbedtls_ssl_get_verify_result(&c->ssl) &
            ~(uint32_t)MBEDTLS_X509_BADCERT_MISSING) != 0;
}

enum tls_step tls_connection_handshake(struct tls_connection *c)
{
    int result = mbedtls_ssl_handshake(&c->ssl);
    if (result == 0 && has_bad_certificate(c))
        result = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
    if (result == 0)
        return TLS_STEP_DONE;
    return is_pause(result) ? TLS_STEP_WAITS : fail(c, result);
}

enum tls_step tls_connection_read(struct tls_connection *c, uint8_t *out,
                                  size_t capacity, size_t *size)
{
    for (;;) {
        int result = mbedtls_ssl_read(&c->ssl, out, capacity);
        if (result > 0) {
            *size = (size_t)result;
            return TLS_STEP_DONE;
        }
        if (is_pause(result))
            return TLS_STEP_WAITS;
        if (result == 0)
            result = MBEDTLS_ERR_SSL_CONN_EOF;
        if (result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            return fail(c, result);
    }
}

enum tls_step tls_connection_write(struct tls_connection *c,
                                   struct bytes plaintext)
{
    int result = mbedtls_ssl_write(&c->ssl, plaintext.data, plaintext.size);
    if (result >= 0 && (size_t)result == plaintext.size)
        return TLS_STEP_DONE;
    return fail(c, result < 0 ? result : MBEDTLS_ERR_SSL_INTERNAL_ERROR);
}

bool tls_connection_export(struct tls_connection *c, const char *label,
                           uint8_t *out, size_t size)
{
    return mbedtls_ssl_export_keying_material(&c->ssl, out, size, label,
                                              strlen(label), NULL, 0, 0) == 0;
}

void tls_connection_describe(const struct tls_connection *c, char *out,
                             size_t size)
{
    const char *suite = mbedtls_ssl_get_ciphersuite(&c->ssl);
    snprintf(out, size, "%s %s", mbedtls_ssl_get_version(&c->ssl),
             suite ? suite : "");
}
