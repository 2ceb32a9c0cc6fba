#include "gateway/wireguard/wire.h"

#include <assert.h>

static uint32_t read_little_u32(struct reader *r)
{
    return __builtin_bswap32(read_u32(r));
}

static uint64_t read_little_u64(struct reader *r)
{
    return __builtin_bswap64(read_u64(r));
}

static void write_little_u32(struct writer *w, uint32_t value)
{
    write_u32(w, __builtin_bswap32(value));
}

static void write_little_u64(struct writer *w, uint64_t value)
{
    write_u64(w, __builtin_bswap64(value));
}

/* Reads the type, and fails where it is another. */
static struct reader open(struct bytes datagram, enum wire_type type)
{
    struct reader r = reader_of(datagram);
    if (read_little_u32(&r) != (uint32_t)type)
        r.failed = true;
    return r;
}

enum wire_type wire_type_of(struct bytes datagram)
{
    struct reader r = reader_of(datagram);
    uint32_t type = read_little_u32(&r);
    return type <= WIRE_DATA ? (enum wire_type)type : WIRE_NONE;
}

bool wire_read_initiation(struct bytes datagram, struct wire_initiation *out)
{
    struct reader r = open(datagram, WIRE_INITIATION);
    struct wire_initiation m = {.sender = read_little_u32(&r)};
    read_into(&r, m.ephemeral, sizeof m.ephemeral);
    read_into(&r, m.sealed_static, sizeof m.sealed_static);
    read_into(&r, m.sealed_timestamp, sizeof m.sealed_timestamp);
    read_into(&r, m.mac1, sizeof m.mac1);
    read_into(&r, m.mac2, sizeof m.mac2);
    if (!reader_finished(&r))
        return false;
    *out = m;
    return true;
}

bool wire_read_response(struct bytes datagram, struct wire_response *out)
{
    struct reader r = open(datagram, WIRE_RESPONSE);
    struct wire_response m = {.sender = read_little_u32(&r)};
    m.receiver = read_little_u32(&r);
    read_into(&r, m.ephemeral, sizeof m.ephemeral);
    read_into(&r, m.sealed_empty, sizeof m.sealed_empty);
    read_into(&r, m.mac1, sizeof m.mac1);
    read_into(&r, m.mac2, sizeof m.mac2);
    if (!reader_finished(&r))
        return false;
    *out = m;
    return true;
}

bool wire_read_cookie_reply(struct bytes datagram,
                            struct wire_cookie_reply *out)
{
    struct reader r = open(datagram, WIRE_COOKIE_REPLY);
    struct wire_cookie_reply m = {.receiver = read_little_u32(&r)};
    read_into(&r, m.nonce, sizeof m.nonce);
    read_into(&r, m.sealed_cookie, sizeof m.sealed_cookie);
    if (!reader_finished(&r))
        return false;
    *out = m;
    return true;
}

bool wire_read_data(struct bytes datagram, uint32_t *receiver,
                    uint64_t *counter)
{
    struct reader r = open(datagram, WIRE_DATA);
    uint32_t index = read_little_u32(&r);
    uint64_t number = read_little_u64(&r);
    (void)read_bytes(&r, WIRE_TAG_SIZE);
    if (!reader_ok(&r))
        return false;
    *receiver = index;
    *counter = number;
    return true;
}

void wire_write_initiation(uint8_t out[WIRE_INITIATION_SIZE],
                           const struct wire_initiation *m)
{
    struct writer w = writer_of(out, WIRE_INITIATION_SIZE);
    write_little_u32(&w, WIRE_INITIATION);
    write_little_u32(&w, m->sender);
    write_bytes(&w, bytes_of(m->ephemeral, sizeof m->ephemeral));
    write_bytes(&w, bytes_of(m->sealed_static, sizeof m->sealed_static));
    write_bytes(&w, bytes_of(m->sealed_timestamp, sizeof m->sealed_timestamp));
    write_bytes(&w, bytes_of(m->mac1, sizeof m->mac1));
    write_bytes(&w, bytes_of(m->mac2, sizeof m->mac2));
    assert(writer_ok(&w) && w.size == WIRE_INITIATION_SIZE);
}

void wire_write_response(uint8_t out[WIRE_RESPONSE_SIZE],
                         const struct wire_response *m)
{
    struct writer w = writer_of(out, WIRE_RESPONSE_SIZE);
    write_little_u32(&w, WIRE_RESPONSE);
    write_little_u32(&w, m->sender);
    write_little_u32(&w, m->receiver);
    write_bytes(&w, bytes_of(m->ephemeral, sizeof m->ephemeral));
    write_bytes(&w, bytes_of(m->sealed_empty, sizeof m->sealed_empty));
    write_bytes(&w, bytes_of(m->mac1, sizeof m->mac1));
    write_bytes(&w, bytes_of(m->mac2, sizeof m->mac2));
    assert(writer_ok(&w) && w.size == WIRE_RESPONSE_SIZE);
}

void wire_write_cookie_reply(uint8_t out[WIRE_COOKIE_REPLY_SIZE],
                             const struct wire_cookie_reply *m)
{
    struct writer w = writer_of(out, WIRE_COOKIE_REPLY_SIZE);
    write_little_u32(&w, WIRE_COOKIE_REPLY);
    write_little_u32(&w, m->receiver);
    write_bytes(&w, bytes_of(m->nonce, sizeof m->nonce));
    write_bytes(&w, bytes_of(m->sealed_cookie, sizeof m->sealed_cookie));
    assert(writer_ok(&w) && w.size == WIRE_COOKIE_REPLY_SIZE);
}

void wire_write_data_header(uint8_t out[WIRE_DATA_HEADER_SIZE],
                            uint32_t receiver, uint64_t counter)
{
    struct writer w = writer_of(out, WIRE_DATA_HEADER_SIZE);
    write_little_u32(&w, WIRE_DATA);
    write_little_u32(&w, receiver);
    write_little_u64(&w, counter);
}

void wire_write_nonce(uint8_t out[12], uint64_t counter)
{
    struct writer w = writer_of(out, 12);
    write_u32(&w, 0);
    write_little_u64(&w, counter);
}
