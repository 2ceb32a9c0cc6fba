/*
 * The first byte chooses the wrapping, the end, and whether the rest is a
 * datagram as it stands or header and body that are wrapped here with the
 * right keys and a replay number of the input's choice: only so do the
 * parser and the replay window behind the keys see strange things.
 */
#include "gateway/openvpn/control/control_wrap.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { WRAPPINGS = 3, FORGED = 4, WITH_KEY = 8, REPLAY_SIZE = 8, TIME = 1000 };

static struct control_wrap make_wrap(unsigned kind, enum openvpn_role role)
{
    struct static_key key;
    struct control_wrap w;
    bool ok;
    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)i;
    if (kind == CONTROL_WRAP_NONE)
        ok = control_wrap_init_none(&w);
    else if (kind == CONTROL_WRAP_TLS_AUTH)
        ok = control_wrap_init_tls_auth(&w, &key, role == OPENVPN_CLIENT,
                                        "SHA1", TIME);
    else
        ok = control_wrap_init_tls_crypt(&w, &key, role, TIME);
    if (!ok)
        abort();
    return w;
}

static void forge_auth(struct tls_auth *a, struct bytes header,
                       struct bytes replay, struct bytes body,
                       struct writer *out)
{
    uint8_t hmac[TLS_AUTH_HMAC_MAX];
    const struct bytes parts[] = {replay, header, body};
    if (!hmac_make(a->send, parts, sizeof parts / sizeof *parts, hmac))
        abort();
    write_bytes(out, header);
    write_bytes(out, bytes_of(hmac, a->hmac_size));
    write_bytes(out, replay);
    write_bytes(out, body);
}

static void forge_crypt(struct tls_crypt *c, struct bytes header,
                        struct bytes replay, struct bytes body,
                        struct writer *out)
{
    write_bytes(out, header);
    write_bytes(out, replay);
    uint8_t *tag = write_space(out, TLS_CRYPT_TAG_SIZE);
    write_bytes(out, body);
    if (!writer_ok(out) ||
        !tls_crypt_encrypt(&c->send,
                           bytes_of(out->start, header.size + replay.size),
                           tag + TLS_CRYPT_TAG_SIZE, body.size, tag))
        abort();
}

/* Replay number and time, header, and then the body. */
static struct bytes forge(struct control_wrap *peer, struct bytes input,
                          uint8_t *memory, size_t capacity)
{
    struct reader r = reader_of(input);
    struct bytes replay = read_bytes(&r, REPLAY_SIZE);
    struct bytes header = read_bytes(&r, CONTROL_HEADER_SIZE);
    struct bytes body = read_rest(&r);
    struct writer w = writer_of(memory, capacity);
    if (!reader_ok(&r))
        return input;
    if (peer->kind == CONTROL_WRAP_TLS_AUTH)
        forge_auth(&peer->auth, header, replay, body, &w);
    else
        forge_crypt(&peer->crypt, header, replay, body, &w);
    if (tls_crypt_v2_opcode(opcode_of(header.data[0]))) {
        static const uint8_t key[TLS_CRYPT_V2_WRAPPED_MIN - 2];
        write_bytes(&w, bytes_of(key, sizeof key));
        write_u16(&w, TLS_CRYPT_V2_WRAPPED_MIN);
    }
    return writer_bytes(&w);
}

static void open_twice(struct control_wrap *w, struct bytes datagram,
                       bool with_key)
{
    static uint8_t scratch[CONTROL_WRAP_SCRATCH];
    const struct instant now = {5};
    struct control_packet p = {.opcode = 99};
    struct bytes key;
    uint32_t time = w->receive_time;
    uint64_t highest = w->seen.highest;
    enum drop drop = control_wrap_open(w, now, datagram, scratch, &p,
                                       with_key ? &key : NULL);
    if (drop != DROP_NONE) {
        if (w->receive_time != time || w->seen.highest != highest ||
            p.opcode != 99)
            abort();
        return;
    }
    if (with_key && key.size && !tls_crypt_v2_opcode(p.opcode))
        abort();
    drop = control_wrap_open(w, now, datagram, scratch, &p, &key);
    if (drop !=
        (w->kind == CONTROL_WRAP_NONE ? DROP_NONE : DROP_CONTROL_REPLAY))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[CONTROL_PACKET_SIZE_MAX + 512];
    if (size < 1 || size > CONTROL_PACKET_SIZE_MAX + 1)
        return 0;
    unsigned kind = data[0] % WRAPPINGS;
    struct control_wrap server = make_wrap(kind, OPENVPN_SERVER);
    struct bytes datagram = bytes_of(data + 1, size - 1);
    if (data[0] & FORGED && kind != CONTROL_WRAP_NONE) {
        struct control_wrap client = make_wrap(kind, OPENVPN_CLIENT);
        datagram = forge(&client, datagram, memory, sizeof memory);
        control_wrap_clear(&client);
    }
    open_twice(&server, datagram, data[0] & WITH_KEY);
    control_wrap_clear(&server);
    return 0;
}
