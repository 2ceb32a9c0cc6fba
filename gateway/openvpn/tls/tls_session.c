#include "gateway/openvpn/tls/tls_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

/* The memory that TLS reads from and writes to. */

static size_t take_input(void *context, uint8_t *out, size_t size)
{
    struct tls_session *t = context;
    size_t count = size < t->input.size ? size : t->input.size;
    if (count == 0)
        return 0;
    memcpy(out, t->input.data, count);
    t->input = bytes_of(t->input.data + count, t->input.size - count);
    return count;
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

static bool put_output(void *context, struct bytes data)
{
    struct tls_session *t = context;
    size_t needed = t->output_size + data.size;
    if (needed > t->output_capacity && !grow_output(t, needed))
        return false;
    memcpy(t->output + t->output_size, data.data, data.size);
    t->output_size = needed;
    return true;
}

bool tls_session_init(struct tls_session *t, struct tls_context *context,
                      uint32_t unix_time)
{
    *t = (struct tls_session){.context = context};
    const struct tls_wire wire = {t, take_input, put_output};
    peer_verify_init(&t->verify, &context->rules, context->revoked, unix_time);
    struct certificate_judge judge = peer_verify_judge(&t->verify);
    t->connection = tls_connection_new(context->end, &wire, &judge, unix_time);
    if (t->connection)
        return true;
    snprintf(t->error, sizeof t->error, "no memory for TLS");
    t->state = TLS_FAILED;
    return false;
}

void tls_session_clear(struct tls_session *t)
{
    tls_connection_free(t->connection);
    free(t->output);
    secret_wipe(t, sizeof *t);
    t->state = TLS_FAILED;
}

/* Why it failed. */

enum { HANDSHAKE_FAILURE = 40 };

static const struct {
    uint8_t number; /* RFC 8446 6 */
    const char *name, *text;
} alerts[] = {
    {0, "close_notify", "closed"},
    {10, "unexpected_message", "unexpected message"},
    {20, "bad_record_mac", "bad record"},
    {22, "record_overflow", "record too large"},
    {HANDSHAKE_FAILURE, "handshake_failure",
     "handshake failure: nothing in common"},
    {42, "bad_certificate", "our certificate is bad"},
    {43, "unsupported_certificate",
     "our certificate is of an unsupported kind"},
    {44, "certificate_revoked", "our certificate is revoked"},
    {45, "certificate_expired", "our certificate has expired"},
    {46, "certificate_unknown", "our certificate is not acceptable"},
    {47, "illegal_parameter", "illegal parameter"},
    {48, "unknown_ca", "our certificate's authority is unknown to it"},
    {49, "access_denied", "access denied"},
    {50, "decode_error", "decode error"},
    {51, "decrypt_error", "decrypt error"},
    {70, "protocol_version", "no TLS version in common"},
    {71, "insufficient_security", "insufficient security"},
    {80, "internal_error", "internal error"},
    {109, "missing_extension", "missing extension"},
    {110, "unsupported_extension", "unsupported extension"},
    {116, "certificate_required",
     "it wants a certificate and the profile has none"},
};

enum { ALERTS = sizeof alerts / sizeof *alerts };

static size_t find_alert(uint8_t number)
{
    size_t i = 0;
    while (i < ALERTS && alerts[i].number != number)
        i++;
    return i;
}

static const char *alert_text(uint8_t number)
{
    size_t i = find_alert(number);
    return i < ALERTS ? alerts[i].text : "unknown alert";
}

static void log_alert(const char *way, const char *peer, uint8_t number)
{
    size_t i = find_alert(number);
    log_debug("tunnel: TLS alert %s the %s: %s (%u)", way, peer,
              i < ALERTS ? alerts[i].name : "unknown", number);
}

static const char *const faults[] = {
    [TLS_FAULT_NONE] = "TLS failed",
    [TLS_FAULT_ALERT] = "",
    [TLS_FAULT_VERSION] = "no TLS version in common",
    [TLS_FAULT_SUITE] = "no cipher suite in common",
    [TLS_FAULT_NO_CERTIFICATE] = "the client sent no certificate",
    [TLS_FAULT_CLOSED] = "the other end closed TLS",
    [TLS_FAULT_DAMAGED] = "a TLS record was damaged",
    [TLS_FAULT_NOT_TLS] = "the received bytes are not TLS",
    [TLS_FAULT_MEMORY] = "no memory for TLS",
    [TLS_FAULT_UNEXPECTED] = "an unexpected TLS message",
    [TLS_FAULT_MALFORMED] = "a malformed TLS message",
    [TLS_FAULT_LIMIT] = "",
    [TLS_FAULT_OTHER] = "",
};

/* In TLS 1.3 the server judges the client's certificate when the handshake is
 * over for the client; its alert may then come under keys that are gone
 * (mbedtls: ssl_tls13_server.c), and cannot be read. */
static bool may_be_refusal(const struct tls_session *t,
                           const struct tls_failure *f)
{
    return t->state == TLS_ESTABLISHED && !t->heard &&
           f->fault == TLS_FAULT_DAMAGED &&
           strcmp(t->context->rules.peer, "server") == 0;
}

static void explain(struct tls_session *t, const struct tls_failure *f)
{
    const char *peer = t->context->rules.peer;
    char *out = t->error;
    size_t size = sizeof t->error;
    if (f->fault == TLS_FAULT_LIMIT)
        snprintf(out, size, "the %s %s the TLS library of this program", peer,
                 f->text);
    else if (f->fault == TLS_FAULT_ALERT && f->alert == HANDSHAKE_FAILURE)
        snprintf(out, size,
                 "the %s ended TLS: %s%s, or our certificate is refused "
                 "(alert %u)",
                 peer, alert_text(f->alert), tls_end_lack(), f->alert);
    else if (f->fault == TLS_FAULT_ALERT)
        snprintf(out, size, "the %s ended TLS: %s (alert %u)", peer,
                 alert_text(f->alert), f->alert);
    else if (f->fault == TLS_FAULT_OTHER)
        snprintf(out, size, "TLS with the %s failed: %s", peer, f->text);
    else
        snprintf(out, size, "%s", faults[f->fault]);
}

static void fail(struct tls_session *t)
{
    const struct tls_failure *f = tls_connection_failure(t->connection);
    bool refused = may_be_refusal(t, f);
    t->state = TLS_FAILED;
    if (f->fault == TLS_FAULT_ALERT)
        log_alert("received from", t->context->rules.peer, f->alert);
    if (f->sent_alert)
        log_alert("sent to", t->context->rules.peer, f->sent_alert);
    if (f->certificate && t->verify.reason[0] == 0)
        peer_verify_explain(&t->verify, f->certificate);
    if (t->verify.reason[0] != 0)
        snprintf(t->error, sizeof t->error, "%s", t->verify.reason);
    else if (refused)
        snprintf(t->error, sizeof t->error,
                 "the server ended TLS once it had our certificate: it may be "
                 "expired, revoked, or of an authority that the server does "
                 "not trust");
    else
        explain(t, f);
}

bool tls_session_offered_too_much(const struct tls_session *t)
{
    return t->state == TLS_FAILED && t->connection &&
           tls_connection_failure(t->connection)->offered_too_much;
}

void tls_session_advance(struct tls_session *t)
{
    if (t->state != TLS_HANDSHAKE)
        return;
    enum tls_step step = tls_connection_handshake(t->connection);
    if (step == TLS_STEP_DONE)
        t->state = TLS_ESTABLISHED;
    else if (step == TLS_STEP_FAILED)
        fail(t);
}

void tls_session_feed(struct tls_session *t, struct bytes payload)
{
    t->input = payload;
}

bool tls_session_read(struct tls_session *t, uint8_t *out, size_t capacity,
                      size_t *size)
{
    tls_session_advance(t);
    if (t->state != TLS_ESTABLISHED)
        return false;
    enum tls_step step =
        tls_connection_read(t->connection, out, capacity, size);
    if (step == TLS_STEP_FAILED)
        fail(t);
    t->heard = t->heard || step == TLS_STEP_DONE;
    return step == TLS_STEP_DONE;
}

bool tls_session_write(struct tls_session *t, struct bytes plaintext)
{
    if (t->state != TLS_ESTABLISHED || plaintext.size > TLS_WRITE_MAX)
        return false;
    if (tls_connection_write(t->connection, plaintext) == TLS_STEP_DONE)
        return true;
    fail(t);
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
           tls_connection_export(t->connection, label, out, size);
}

const char *tls_session_error(const struct tls_session *t)
{
    return t->error;
}

void tls_session_describe(const struct tls_session *t, char *out, size_t size)
{
    tls_connection_describe(t->connection, out, size);
}
