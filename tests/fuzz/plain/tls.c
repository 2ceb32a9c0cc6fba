/*
 * TLS that is none, behind the same two doors, tls_context.h and
 * tls_session.h: linked in place of the real one, it makes a handshake of two
 * messages and records that anybody can read, so that an input of the fuzzer
 * is inside of TLS after microseconds instead of thirty milliseconds, and may
 * say what it likes there.
 *
 *   u8 type, u16 size, then the body
 *   HELLO    four random bytes of each end; what is exported depends on both
 *   RECORD   plaintext
 *   END      of the connection; a body says that too much was offered
 */
#include "gateway/openvpn/tls/tls_session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/secret.h"

enum { HELLO = 1, RECORD, END };
enum { HEADER = 3, RANDOM = 4, ROOM = HEADER + TLS_RECORD_MAX };

/* In the place of the library's. */
struct tls_connection {
    bool greeted;     /* we have said HELLO */
    uint32_t secret;  /* of both ends' random bytes */
    size_t size;      /* of what has come of a record */
    size_t read;      /* of its body, by the owner */
    uint8_t *arrived; /* owned */
    bool offered_too_much;
};

/* --- The context --------------------------------------------------------- */

bool tls_context_init(struct tls_context *t, enum openvpn_role role,
                      const struct config *config, struct bytes key_password,
                      const struct tls_random *random)
{
    (void)config, (void)key_password;
    *t = (struct tls_context){.random = *random, .role = role};
    t->rules.peer = role == OPENVPN_CLIENT ? "server" : "client";
    return true;
}

bool tls_context_offer_tls_1_3(struct tls_context *t, bool offer)
{
    (void)t, (void)offer;
    return true;
}

void tls_context_demand(struct tls_context *t, enum tls_end_demand demand)
{
    (void)t, (void)demand;
}

bool tls_context_revoke(struct tls_context *t, const struct blob *list)
{
    (void)t, (void)list;
    return true;
}

void tls_context_clear(struct tls_context *t)
{
    secret_wipe(t, sizeof *t);
}

bool tls_context_key_is_encrypted(struct bytes key)
{
    (void)key;
    return false;
}

bool tls_context_needs_password(const struct config *config)
{
    (void)config;
    return false;
}

/* --- The session --------------------------------------------------------- */

bool tls_session_init(struct tls_session *t, struct tls_context *context,
                      uint32_t unix_time)
{
    *t = (struct tls_session){.context = context};
    peer_verify_init(&t->verify, &context->rules, NULL, unix_time);
    snprintf(t->verify.common_name, sizeof t->verify.common_name, "%s",
             context->rules.peer);
    t->connection = calloc(1, sizeof *t->connection);
    if (t->connection)
        t->connection->arrived = malloc(ROOM);
    return t->connection && t->connection->arrived;
}

void tls_session_clear(struct tls_session *t)
{
    if (t->connection)
        free(t->connection->arrived);
    free(t->connection);
    free(t->output);
    secret_wipe(t, sizeof *t);
    t->state = TLS_FAILED;
}

static void fail(struct tls_session *t, const char *why)
{
    t->state = TLS_FAILED;
    snprintf(t->error, sizeof t->error, "%s", why);
}

static void put(struct tls_session *t, uint8_t type, struct bytes body)
{
    size_t needed = t->output_size + HEADER + body.size;
    uint8_t *grown =
        needed > TLS_OUTPUT_MAX ? NULL : realloc(t->output, needed);
    if (!grown) {
        fail(t, "no memory for TLS");
        return;
    }
    struct writer w = writer_of(grown + t->output_size, HEADER + body.size);
    write_u8(&w, type);
    write_u16(&w, (uint16_t)body.size);
    write_bytes(&w, body);
    t->output = grown;
    t->output_size = t->output_capacity = needed;
}

static void greet(struct tls_session *t)
{
    uint8_t bytes[RANDOM];
    if (t->connection->greeted)
        return;
    t->connection->greeted = true;
    t->context->random.fill(t->context->random.context, bytes, RANDOM);
    t->connection->secret ^= load_u32(bytes);
    put(t, HELLO, bytes_of(bytes, RANDOM));
}

void tls_session_advance(struct tls_session *t)
{
    if (t->state == TLS_HANDSHAKE && t->context->role == OPENVPN_CLIENT)
        greet(t);
}

void tls_session_feed(struct tls_session *t, struct bytes payload)
{
    t->input = payload;
}

/* A whole record in p->arrived; false while some of it is missing. */
static bool arrive(struct tls_session *t)
{
    struct tls_connection *p = t->connection;
    for (;;) {
        size_t wanted = HEADER;
        if (p->size >= HEADER)
            wanted += load_u16(p->arrived + 1);
        if (wanted > ROOM) {
            fail(t, "a record was too large");
            return false;
        }
        if (p->size >= HEADER && p->size == wanted)
            return true;
        size_t count = wanted - p->size;
        if (count > t->input.size)
            count = t->input.size;
        if (count == 0)
            return false;
        memcpy(p->arrived + p->size, t->input.data, count);
        p->size += count;
        t->input = bytes_of(t->input.data + count, t->input.size - count);
    }
}

static void take_hello(struct tls_session *t, struct bytes body)
{
    if (t->state != TLS_HANDSHAKE || body.size != RANDOM) {
        fail(t, "an unexpected TLS message");
        return;
    }
    greet(t);
    t->connection->secret ^= load_u32(body.data);
    if (t->state != TLS_FAILED)
        t->state = TLS_ESTABLISHED;
}

/* As much of a record as is wanted. */
static bool take_record(struct tls_session *t, struct bytes body, uint8_t *out,
                        size_t capacity, size_t *size)
{
    struct tls_connection *p = t->connection;
    size_t count = body.size - p->read;
    if (t->state != TLS_ESTABLISHED) {
        fail(t, "an unexpected TLS message");
        return false;
    }
    if (count > capacity)
        count = capacity;
    memcpy(out, body.data + p->read, count);
    p->read += count;
    *size = count;
    if (p->read == body.size)
        p->size = p->read = 0;
    return count > 0; /* an empty one is none */
}

bool tls_session_read(struct tls_session *t, uint8_t *out, size_t capacity,
                      size_t *size)
{
    struct tls_connection *p = t->connection;
    tls_session_advance(t);
    while (t->state != TLS_FAILED && arrive(t)) {
        struct bytes body = bytes_of(p->arrived + HEADER, p->size - HEADER);
        if (p->arrived[0] == RECORD) {
            if (take_record(t, body, out, capacity, size))
                return true;
            continue;
        }
        if (p->arrived[0] == HELLO) {
            take_hello(t, body);
        } else {
            t->connection->offered_too_much =
                p->arrived[0] == END && body.size > 0 &&
                t->context->role == OPENVPN_CLIENT;
            fail(t, p->arrived[0] == END ? "the other end closed TLS"
                                         : "the received bytes are not TLS");
        }
        p->size = 0;
    }
    return false;
}

bool tls_session_write(struct tls_session *t, struct bytes plaintext)
{
    if (t->state != TLS_ESTABLISHED || plaintext.size > TLS_WRITE_MAX)
        return false;
    put(t, RECORD, plaintext);
    return t->state != TLS_FAILED;
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

/* FNV-1a of the label, and a generator that it seeds. */
bool tls_session_export(struct tls_session *t, const char *label, uint8_t *out,
                        size_t size)
{
    uint32_t hash = 2166136261u ^ t->connection->secret;
    for (; *label; label++)
        hash = (hash ^ (uint8_t)*label) * 16777619u;
    for (size_t i = 0; i < size; i++) {
        hash = hash * 1664525u + 1013904223u;
        out[i] = (uint8_t)(hash >> 24);
    }
    return t->state == TLS_ESTABLISHED;
}

bool tls_session_offered_too_much(const struct tls_session *t)
{
    return t->connection && t->connection->offered_too_much;
}

const char *tls_session_error(const struct tls_session *t)
{
    return t->error;
}

void tls_session_describe(const struct tls_session *t, char *out, size_t size)
{
    (void)t;
    snprintf(out, size, "no TLS");
}
