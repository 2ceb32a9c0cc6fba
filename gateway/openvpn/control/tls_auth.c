#include "gateway/openvpn/control/tls_auth.h"

#include "gateway/base/secret.h"
#include "gateway/crypto/digest.h"

/* A slice's first bytes, as many as the digest has. */
static struct hmac *key_of(const struct static_key *key, int slice,
                           const char *digest)
{
    size_t size;
    const char *name = digest_find(bytes_of_text(digest), &size);
    return name && size > 0
               ? hmac_new(name, bytes_of(static_key_slice(key, slice), size))
               : NULL;
}

bool tls_auth_init(struct tls_auth *a, const struct static_key *key,
                   int direction, const char *digest)
{
    *a = (struct tls_auth){
        .send = key_of(key, direction == 1 ? 3 : 1, digest),
        .receive = key_of(key, direction == 0 ? 3 : 1, digest),
    };
    if (!a->send || !a->receive) {
        tls_auth_clear(a);
        return false;
    }
    a->hmac_size = hmac_size(a->send);
    return true;
}

void tls_auth_clear(struct tls_auth *a)
{
    hmac_free(a->send);
    hmac_free(a->receive);
    *a = (struct tls_auth){0};
}

static bool make_hmac(struct hmac *hmac, struct bytes replay,
                      struct bytes header, struct bytes body,
                      uint8_t out[TLS_AUTH_HMAC_MAX])
{
    const struct bytes parts[] = {replay, header, body};
    return hmac_make(hmac, parts, sizeof parts / sizeof *parts, out);
}

bool tls_auth_seal(struct tls_auth *a, uint32_t replay_id, uint32_t replay_time,
                   const struct control_packet *packet, struct writer *datagram)
{
    size_t begin = datagram->size;
    control_packet_write_header(datagram, packet);
    uint8_t *hmac = write_space(datagram, a->hmac_size);
    size_t replay_at = datagram->size;
    write_u32(datagram, replay_id);
    write_u32(datagram, replay_time);
    size_t body_at = datagram->size;
    control_packet_write_body(datagram, packet);
    if (!writer_ok(datagram))
        return false;

    const uint8_t *start = datagram->start;
    return make_hmac(a->send, bytes_of(start + replay_at, TLS_AUTH_REPLAY_SIZE),
                     bytes_of(start + begin, CONTROL_HEADER_SIZE),
                     bytes_of(start + body_at, datagram->size - body_at), hmac);
}

enum drop tls_auth_open(struct tls_auth *a, struct bytes datagram,
                        struct control_envelope *out)
{
    struct reader r = reader_of(datagram);
    struct control_envelope e;
    e.header = read_bytes(&r, CONTROL_HEADER_SIZE);
    struct bytes hmac = read_bytes(&r, a->hmac_size);
    struct bytes replay = read_bytes(&r, TLS_AUTH_REPLAY_SIZE);
    e.body = read_rest(&r);
    if (!reader_ok(&r))
        return DROP_CONTROL_MALFORMED;

    uint8_t expected[TLS_AUTH_HMAC_MAX];
    if (!make_hmac(a->receive, replay, e.header, e.body, expected) ||
        !secret_equal(hmac, bytes_of(expected, a->hmac_size)))
        return DROP_CONTROL_AUTH;

    r = reader_of(replay);
    e.replay_id = read_u32(&r);
    e.replay_time = read_u32(&r);
    *out = e;
    return DROP_NONE;
}
