#include "gateway/openvpn/control/control_wrap.h"

#include "gateway/base/secret.h"

/* A tls-crypt-v2 client counts from here; a server sees by it that the client
 * can send its wrapped key again (openvpn: ssl_pkt.h, EARLY_NEG_START). */
enum { EARLY_NEGOTIATION_START = 0x0f000000 };

bool control_wrap_init_none(struct control_wrap *w)
{
    *w = (struct control_wrap){.kind = CONTROL_WRAP_NONE};
    return true;
}

static bool init_replay(struct control_wrap *w, enum control_wrap_kind kind,
                        uint32_t unix_time)
{
    *w = (struct control_wrap){.kind = kind, .send_time = unix_time};
    return replay_window_init(&w->seen, REPLAY_WINDOW_DEFAULT,
                              REPLAY_SECONDS_DEFAULT);
}

bool control_wrap_init_tls_auth(struct control_wrap *w,
                                const struct static_key *key, int direction,
                                const char *digest, uint32_t unix_time)
{
    if (!init_replay(w, CONTROL_WRAP_TLS_AUTH, unix_time))
        return false;
    if (tls_auth_init(&w->auth, key, direction, digest))
        return true;
    replay_window_clear(&w->seen);
    return false;
}

bool control_wrap_init_tls_crypt(struct control_wrap *w,
                                 const struct static_key *key,
                                 enum openvpn_role role, uint32_t unix_time)
{
    if (!init_replay(w, CONTROL_WRAP_TLS_CRYPT, unix_time))
        return false;
    if (tls_crypt_init(&w->crypt, key, role))
        return true;
    replay_window_clear(&w->seen);
    return false;
}

bool control_wrap_init_tls_crypt_v2(struct control_wrap *w,
                                    const struct static_key *key,
                                    struct bytes wrapped_key,
                                    uint32_t unix_time)
{
    if (wrapped_key.size == 0 || wrapped_key.size > sizeof w->wrapped_key ||
        !control_wrap_init_tls_crypt(w, key, OPENVPN_CLIENT, unix_time))
        return false;
    w->kind = CONTROL_WRAP_TLS_CRYPT_V2;
    w->send_id = EARLY_NEGOTIATION_START;
    w->wrapped_key_size = (uint16_t)wrapped_key.size;
    memcpy(w->wrapped_key, wrapped_key.data, wrapped_key.size);
    return true;
}

void control_wrap_restart(struct control_wrap *w, uint32_t unix_time)
{
    w->send_id = 0;
    w->send_time = unix_time;
    w->receive_time = 0;
    if (w->kind != CONTROL_WRAP_NONE)
        replay_window_reset(&w->seen);
}

void control_wrap_clear(struct control_wrap *w)
{
    switch (w->kind) {
    case CONTROL_WRAP_NONE:
        break;
    case CONTROL_WRAP_TLS_AUTH:
        tls_auth_clear(&w->auth);
        break;
    case CONTROL_WRAP_TLS_CRYPT:
    case CONTROL_WRAP_TLS_CRYPT_V2:
        tls_crypt_clear(&w->crypt);
        break;
    }
    replay_window_clear(&w->seen);
    secret_wipe(w, sizeof *w);
}

size_t control_wrap_overhead(const struct control_wrap *w)
{
    switch (w->kind) {
    case CONTROL_WRAP_NONE:
        return 0;
    case CONTROL_WRAP_TLS_AUTH:
        return (size_t)w->auth.hmac_size + TLS_AUTH_REPLAY_SIZE;
    case CONTROL_WRAP_TLS_CRYPT:
    case CONTROL_WRAP_TLS_CRYPT_V2:
        return TLS_CRYPT_OVERHEAD;
    }
    return 0;
}

static bool seal_none(const struct control_packet *packet,
                      struct writer *datagram)
{
    control_packet_write_header(datagram, packet);
    control_packet_write_body(datagram, packet);
    return writer_ok(datagram);
}

bool control_wrap_seal(struct control_wrap *w,
                       const struct control_packet *packet,
                       struct writer *datagram)
{
    bool with_key = tls_crypt_v2_opcode(packet->opcode);
    if (with_key && w->kind != CONTROL_WRAP_TLS_CRYPT_V2)
        return false;
    if (w->kind == CONTROL_WRAP_NONE)
        return seal_none(packet, datagram);

    if (w->send_id == UINT32_MAX)
        return false;
    w->send_id++;
    bool sealed = w->kind == CONTROL_WRAP_TLS_AUTH
                      ? tls_auth_seal(&w->auth, w->send_id, w->send_time,
                                      packet, datagram)
                      : tls_crypt_seal(&w->crypt, w->send_id, w->send_time,
                                       packet, datagram);
    if (with_key)
        write_bytes(datagram, bytes_of(w->wrapped_key, w->wrapped_key_size));
    return sealed && writer_ok(datagram);
}

static enum drop open_none(struct bytes datagram, struct control_envelope *out)
{
    struct reader r = reader_of(datagram);
    *out = (struct control_envelope){0};
    out->header = read_bytes(&r, CONTROL_HEADER_SIZE);
    out->body = read_rest(&r);
    return reader_ok(&r) ? DROP_NONE : DROP_CONTROL_MALFORMED;
}

static enum drop open_envelope(struct control_wrap *w, struct bytes datagram,
                               uint8_t *scratch, struct control_envelope *out)
{
    switch (w->kind) {
    case CONTROL_WRAP_NONE:
        return open_none(datagram, out);
    case CONTROL_WRAP_TLS_AUTH:
        return tls_auth_open(&w->auth, datagram, out);
    case CONTROL_WRAP_TLS_CRYPT:
    case CONTROL_WRAP_TLS_CRYPT_V2:
        return tls_crypt_open(&w->crypt, datagram, scratch, out);
    }
    return DROP_CONTROL_AUTH;
}

static bool accept_replay(struct control_wrap *w, struct instant now,
                          const struct control_envelope *e)
{
    return w->kind == CONTROL_WRAP_NONE ||
           replay_window_accept_long(&w->seen, &w->receive_time, now,
                                     e->replay_time, e->replay_id);
}

enum drop control_wrap_open(struct control_wrap *w, struct instant now,
                            struct bytes datagram,
                            uint8_t scratch[CONTROL_WRAP_SCRATCH],
                            struct control_packet *out,
                            struct bytes *wrapped_key)
{
    if (datagram.size == 0 || datagram.size > CONTROL_PACKET_SIZE_MAX)
        return DROP_CONTROL_MALFORMED;
    uint8_t opcode = opcode_of(datagram.data[0]);
    bool with_key = tls_crypt_v2_opcode(opcode);
    if (!opcode_is_control(opcode) ||
        (with_key && (!wrapped_key || w->kind != CONTROL_WRAP_TLS_CRYPT)))
        return DROP_OPCODE;
    struct bytes packet = datagram, key = {NULL, 0};
    if (with_key && !tls_crypt_v2_split(datagram, &packet, &key))
        return DROP_CONTROL_MALFORMED;

    struct control_envelope envelope;
    struct control_packet parsed;
    enum drop refused = open_envelope(w, packet, scratch, &envelope);
    if (refused != DROP_NONE)
        return refused;
    if (!control_packet_parse(envelope.header, envelope.body, &parsed))
        return DROP_CONTROL_MALFORMED;
    if (!accept_replay(w, now, &envelope))
        return DROP_CONTROL_REPLAY;

    *out = parsed;
    if (wrapped_key)
        *wrapped_key = key;
    return DROP_NONE;
}
