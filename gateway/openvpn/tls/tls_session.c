#include "gateway/openvpn/tls/tls_session.h"

#include <stdio.h>
#include <stdlib.h>

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
    const char *text;
} alerts[] = {
    {0, "closed"},
    {10, "unexpected message"},
    {20, "bad record"},
    {HANDSHAKE_FAILURE, "handshake failure: nothing in common"},
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

static const char *alert_text(uint8_t number)
{
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (alerts[i].number == number)
            return alerts[i].text;
    return "unknown alert";
}

static const char *const faults[] = {
    [TLS_FAULT_NONE] = "TLS failed",
    [TLS_FAULT_ALERT] = "",
    [TLS_FAULT_VERSION] = "no TLS version in common",
    [TLS_FAULT_SUITE] = "no cipher suite in common",
    [TLS_FAULT_NO_CERTIFICATE] = "the client sent no certificate",
    [TLS_FAULT_CLOSED] = "the other end closed TLS",
    [TLS_FAULT_DAMAGED] = "a TLS record was damaged",
    [TLS_FAULT_NOT_TLS] = "what was received is not TLS",
    [TLS_FAULT_MEMORY] = "no memory for TLS",
    [TLS_FAULT_UNEXPECTED] = "an unexpected TLS message",
    [TLS_FAULT_MALFORMED] = "a malformed TLS message",
    [TLS_FAULT_LIMIT] = "",
    [TLS_FAULT_OTHER] = "",
};

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
    t->state = TLS_FAILED;
    if (f->certificate && t->verify.reason[0] == 0)
        peer_verify_explain(&t->verify, f->certificate);
    if (t->verify.reason[0] != 0)
        snprintf(t->error, sizeof t->error, "%s", t->verify.reason);
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
