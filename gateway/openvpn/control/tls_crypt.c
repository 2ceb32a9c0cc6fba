#include "gateway/openvpn/control/tls_crypt.h"

#include "gateway/base/secret.h"

enum {
    CLEAR_SIZE = CONTROL_HEADER_SIZE + 8, /* and replay id and time */
    BODY_OFFSET = CLEAR_SIZE + TLS_CRYPT_TAG_SIZE,
};

bool tls_crypt_key_init(struct tls_crypt_key *key,
                        const uint8_t cipher[TLS_CRYPT_KEY_SIZE],
                        const uint8_t hmac[TLS_CRYPT_KEY_SIZE])
{
    *key = (struct tls_crypt_key){
        .hmac = hmac_new("SHA256", bytes_of(hmac, TLS_CRYPT_KEY_SIZE)),
        .cipher = aes_ctr_new(cipher),
    };
    if (key->hmac && key->cipher)
        return true;
    tls_crypt_key_clear(key);
    return false;
}

void tls_crypt_key_clear(struct tls_crypt_key *key)
{
    hmac_free(key->hmac);
    aes_ctr_free(key->cipher);
    *key = (struct tls_crypt_key){0};
}

static bool make_tag(struct tls_crypt_key *key, struct bytes clear,
                     struct bytes data, uint8_t tag[TLS_CRYPT_TAG_SIZE])
{
    const struct bytes parts[] = {clear, data};
    return hmac_make(key->hmac, parts, sizeof parts / sizeof *parts, tag);
}

bool tls_crypt_encrypt(struct tls_crypt_key *key, struct bytes clear,
                       uint8_t *data, size_t size,
                       uint8_t tag[TLS_CRYPT_TAG_SIZE])
{
    return make_tag(key, clear, bytes_of(data, size), tag) &&
           aes_ctr_apply(key->cipher, tag, data, size, data);
}

bool tls_crypt_decrypt(struct tls_crypt_key *key, struct bytes clear,
                       struct bytes sealed,
                       const uint8_t tag[TLS_CRYPT_TAG_SIZE], uint8_t *out)
{
    uint8_t expected[TLS_CRYPT_TAG_SIZE];
    if (aes_ctr_apply(key->cipher, tag, sealed.data, sealed.size, out) &&
        make_tag(key, clear, bytes_of(out, sealed.size), expected) &&
        secret_equal(bytes_of(tag, TLS_CRYPT_TAG_SIZE),
                     bytes_of(expected, TLS_CRYPT_TAG_SIZE)))
        return true;
    secret_wipe(out, sealed.size);
    return false;
}

/* Slices 0 and 1 go from the server to the client, 2 and 3 back. */
bool tls_crypt_init(struct tls_crypt *c, const struct static_key *key,
                    enum openvpn_role role)
{
    struct tls_crypt_key *down =
        role == OPENVPN_CLIENT ? &c->receive : &c->send;
    struct tls_crypt_key *up = role == OPENVPN_CLIENT ? &c->send : &c->receive;
    if (!tls_crypt_key_init(down, static_key_slice(key, 0),
                            static_key_slice(key, 1)))
        return false;
    if (tls_crypt_key_init(up, static_key_slice(key, 2),
                           static_key_slice(key, 3)))
        return true;
    tls_crypt_key_clear(down);
    return false;
}

void tls_crypt_clear(struct tls_crypt *c)
{
    tls_crypt_key_clear(&c->send);
    tls_crypt_key_clear(&c->receive);
}

void tls_crypt_mix(struct static_key *exported,
                   const struct static_key *wrapping)
{
    for (size_t i = 0; wrapping && i < sizeof exported->bytes; i++)
        exported->bytes[i] ^= wrapping->bytes[i];
}

bool tls_crypt_seal(struct tls_crypt *c, uint32_t replay_id,
                    uint32_t replay_time, const struct control_packet *packet,
                    struct writer *datagram)
{
    size_t begin = datagram->size;
    control_packet_write_header(datagram, packet);
    write_u32(datagram, replay_id);
    write_u32(datagram, replay_time);
    uint8_t *tag = write_space(datagram, TLS_CRYPT_TAG_SIZE);
    control_packet_write_body(datagram, packet);
    if (!tag || !writer_ok(datagram))
        return false;

    uint8_t *body = tag + TLS_CRYPT_TAG_SIZE;
    return tls_crypt_encrypt(&c->send,
                             bytes_of(datagram->start + begin, CLEAR_SIZE),
                             body, datagram->size - begin - BODY_OFFSET, tag);
}

enum drop tls_crypt_open(struct tls_crypt *c, struct bytes datagram,
                         uint8_t *scratch, struct control_envelope *out)
{
    struct reader r = reader_of(datagram);
    struct control_envelope e;
    e.header = read_bytes(&r, CONTROL_HEADER_SIZE);
    e.replay_id = read_u32(&r);
    e.replay_time = read_u32(&r);
    struct bytes tag = read_bytes(&r, TLS_CRYPT_TAG_SIZE);
    struct bytes sealed = read_rest(&r);
    if (!reader_ok(&r))
        return DROP_CONTROL_MALFORMED;

    if (!tls_crypt_decrypt(&c->receive, bytes_of(datagram.data, CLEAR_SIZE),
                           sealed, tag.data, scratch))
        return DROP_CONTROL_AUTH;
    e.body = bytes_of(scratch, sealed.size);
    *out = e;
    return DROP_NONE;
}
