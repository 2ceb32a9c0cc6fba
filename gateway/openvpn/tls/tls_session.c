#include "gateway/openvpn/tls/tls_session.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/error.h>
#include <mbedtls/pk.h>

#include "gateway/base/secret.h"

/* The memory that TLS reads from and writes to. */

static int take_input(void *context, unsigned char *out, size_t size)
{
    struct tls_session *t = context;
    if (t->input.size == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    size_t count = size < t->input.size ? size : t->input.size;
    memcpy(out, t->input.data, count);
    t->input.data += count;
    t->input.size -= count;
    return (int)count;
}

static bool grow_output(struct tls_session *t, size_t needed)
{
    size_t capacity = t->output_capacity ? t->output_capacity : 4096;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > TLS_OUTPUT_MAX)
        return false;
    uint8_t *grown = realloc(t->output, capacity);
    if (!grown)
        return false;
    t->output = grown;
    t->output_capacity = capacity;
    return true;
}

static int put_output(void *context, const unsigned char *data, size_t size)
{
    struct tls_session *t = context;
    if (size > INT32_MAX || (t->output_size + size > t->output_capacity &&
                             !grow_output(t, t->output_size + size)))
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    memcpy(t->output + t->output_size, data, size);
    t->output_size += size;
    return (int)size;
}

bool tls_session_init(struct tls_session *t, struct tls_context *context,
                      uint32_t unix_time)
{
    *t = (struct tls_session){.context = context};
    mbedtls_ssl_init(&t->ssl);
    peer_verify_init(&t->verify, &context->rules,
                     context->revoked.raw.len > 0 ? &context->revoked : NULL,
                     unix_time);
    /* Without this call a client's handshake is refused; the name is checked
     * by peer_verify. */
    if (mbedtls_ssl_setup(&t->ssl, &context->config) != 0 ||
        mbedtls_ssl_set_hostname(&t->ssl, NULL) != 0) {
        snprintf(t->error, sizeof t->error, "no memory for TLS");
        t->state = TLS_FAILED;
        return false;
    }
    mbedtls_ssl_set_verify(&t->ssl, peer_verify_callback, &t->verify);
    mbedtls_ssl_set_bio(&t->ssl, t, put_output, take_input, NULL);
    return true;
}

void tls_session_clear(struct tls_session *t)
{
    mbedtls_ssl_free(&t->ssl);
    free(t->output);
    secret_wipe(t, sizeof *t);
    t->state = TLS_FAILED;
}

/* Why it failed. */

static const struct {
    uint8_t number; /* RFC 8446 6 */
    const char *text;
} alerts[] = {
    {0, "closed"},
    {10, "unexpected message"},
    {20, "bad record"},
    {40,
     "handshake failure: nothing in common (its certificate may have a kind "
     "of key that this program's TLS library lacks, as Ed25519), or our "
     "certificate is refused"},
    {42, "our certificate is bad"},
    {43, "our certificate is of an unsupported kind"},
    {44, "our certificate is revoked"},
    {45, "our certificate has expired"},
    {46, "our certificate is not acceptable"},
    {47, "illegal parameter"},
    {48, "our certificate's authority is unknown to it"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "no TLS version in common"},
    {71, "insufficient security"},
    {80, "internal error"},
    {109, "missing extension"},
    {116, "it wants a certificate and the profile has none"},
};

static void explain_alert(struct tls_session *t)
{
    const char *text = "unknown alert";
    const unsigned char *message = t->ssl.MBEDTLS_PRIVATE(in_msg);
    uint8_t number = message ? message[1] : 255;
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        if (alerts[i].number == number)
            text = alerts[i].text;
    }
    snprintf(t->error, sizeof t->error, "the %s ended TLS: %s (alert %u)",
             t->context->rules.peer, text, number);
}

static const struct {
    int code;
    const char *text;
} faults[] = {
    {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, "no TLS version in common"},
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, "no cipher suite in common"},
    {MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, "the client sent no certificate"},
    {MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, "the other end closed TLS"},
    {MBEDTLS_ERR_SSL_CONN_EOF, "the other end closed TLS"},
    {MBEDTLS_ERR_SSL_INVALID_MAC, "a TLS record was damaged"},
    {MBEDTLS_ERR_SSL_INVALID_RECORD, "what was received is not TLS"},
    {MBEDTLS_ERR_SSL_ALLOC_FAILED, "no memory for TLS"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "an unexpected TLS message"},
    {MBEDTLS_ERR_SSL_DECODE_ERROR, "a malformed TLS message"},
};

static void explain_fault(struct tls_session *t, int code)
{
    char text[128];
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (faults[i].code == code) {
            snprintf(t->error, sizeof t->error, "%s", faults[i].text);
            return;
        }
    }
    mbedtls_strerror(code, text, sizeof text);
    snprintf(t->error, sizeof t->error, "TLS with the %s failed: %s (-0x%x)",
             t->context->rules.peer, text, (unsigned)-code);
}

/* RFC 8446 4.2.3: who offers RSA-PSS for 1.3 must take it in 1.2, too, and
 * OpenSSL's servers prefer it (mbedtls: ssl_tls12_client.c,
 * ssl_parse_server_key_exchange). */
static bool is_pss_of_older_server(const struct tls_session *t, int code)
{
    return code == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER &&
           t->context->role == OPENVPN_CLIENT && t->context->offers_tls_1_3 &&
           mbedtls_ssl_get_version_number(&t->ssl) ==
               MBEDTLS_SSL_VERSION_TLS1_2 &&
           t->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_KEY_EXCHANGE;
}

bool tls_session_offered_too_much(const struct tls_session *t)
{
    return t->offered_too_much;
}

/* Of a code of mbedTLS the upper part; the lower says where it comes from. */
enum { CODE_MASK = 0xff80 };

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

/* What another library would have taken; NULL if it is nothing of the kind. */
static const char *beyond_library(const struct tls_session *t, int code)
{
    if (t->ssl.MBEDTLS_PRIVATE(in_hslen) > TLS_RECORD_MAX)
        return "sent a message of more than 16 KiB (a long chain, or the names "
               "of many authorities), which is too much for";
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if ((-code & CODE_MASK) == -limits[i].code)
            return limits[i].text;
    return NULL;
}

static void fail(struct tls_session *t, int code)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
    bool certificate = code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
                       code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
    t->state = TLS_FAILED;
    t->offered_too_much = is_pss_of_older_server(t, code);
    if (certificate && t->verify.reason[0] == 0 && flags != UINT32_MAX)
        peer_verify_explain(&t->verify, flags);
    const char *beyond = beyond_library(t, code);
    if (t->verify.reason[0] != 0)
        snprintf(t->error, sizeof t->error, "%s", t->verify.reason);
    else if (beyond)
        snprintf(t->error, sizeof t->error,
                 "the %s %s the TLS library of this program",
                 t->context->rules.peer, beyond);
    else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        explain_alert(t);
    else
        explain_fault(t, code);
}

/* True for the codes that only mean: not yet. */
static bool is_pause(int code)
{
    return code == MBEDTLS_ERR_SSL_WANT_READ ||
           code == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* Where none is needed, mbedTLS takes any. */
static bool has_bad_certificate(const struct tls_session *t)
{
    return t->context->certificate_optional &&
           (mbedtls_ssl_get_verify_result(&t->ssl) &
            ~(uint32_t)MBEDTLS_X509_BADCERT_MISSING) != 0;
}

void tls_session_advance(struct tls_session *t)
{
    if (t->state != TLS_HANDSHAKE)
        return;
    int result = mbedtls_ssl_handshake(&t->ssl);
    if (result == 0 && has_bad_certificate(t))
        result = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
    if (result == 0)
        t->state = TLS_ESTABLISHED;
    else if (!is_pause(result))
        fail(t, result);
}

void tls_session_feed(struct tls_session *t, struct bytes payload)
{
    t->input = payload;
}

bool tls_session_read(struct tls_session *t, uint8_t *out, size_t capacity,
                      size_t *size)
{
    tls_session_advance(t);
    while (t->state == TLS_ESTABLISHED) {
        int result = mbedtls_ssl_read(&t->ssl, out, capacity);
        if (result > 0) {
            *size = (size_t)result;
            return true;
        }
        if (is_pause(result))
            return false;
        if (result == 0)
            result = MBEDTLS_ERR_SSL_CONN_EOF;
        if (result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            fail(t, result);
    }
    return false;
}

bool tls_session_write(struct tls_session *t, struct bytes plaintext)
{
    if (t->state != TLS_ESTABLISHED || plaintext.size > TLS_WRITE_MAX)
        return false;
    int result = mbedtls_ssl_write(&t->ssl, plaintext.data, plaintext.size);
    if (result >= 0 && (size_t)result == plaintext.size)
        return true;
    fail(t, result < 0 ? result : MBEDTLS_ERR_SSL_INTERNAL_ERROR);
    return false;
}

struct bytes tls_session_output(const struct tls_session *t)
{
    return bytes_of(t->output, t->output_size);
}

void tls_session_sent(struct tls_session *t, size_t size)
{
    t->output_size -= size;
    if (t->output_size > 0)
        memmove(t->output, t->output + size, t->output_size);
}

bool tls_session_export(struct tls_session *t, const char *label, uint8_t *out,
                        size_t size)
{
    return t->state == TLS_ESTABLISHED &&
           mbedtls_ssl_export_keying_material(&t->ssl, out, size, label,
                                              strlen(label), NULL, 0, 0) == 0;
}

const char *tls_session_error(const struct tls_session *t)
{
    return t->error;
}

void tls_session_describe(const struct tls_session *t, char *out, size_t size)
{
    const char *suite = mbedtls_ssl_get_ciphersuite(&t->ssl);
    snprintf(out, size, "%s %s", mbedtls_ssl_get_version(&t->ssl),
             suite ? suite : "");
}
