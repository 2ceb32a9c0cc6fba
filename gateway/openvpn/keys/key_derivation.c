#include "gateway/openvpn/keys/key_derivation.h"

#include "gateway/base/secret.h"
#include "gateway/crypto/hmac.h"

/* P_hash of RFC 2246 section 5, XORed onto `out`. */
static bool expand(const char *digest, struct bytes secret, struct bytes seed,
                   uint8_t *out, size_t size)
{
    uint8_t a[HMAC_SIZE_MAX], block[HMAC_SIZE_MAX];
    struct hmac *hmac = hmac_new(digest, secret);
    /* A(1) = HMAC(secret, A(0)), A(0) = seed */
    bool ok = hmac && hmac_make(hmac, &seed, 1, a);
    size_t step = hmac ? hmac_size(hmac) : 0;
    for (size_t done = 0; ok && done < size; done += step) {
        const struct bytes parts[] = {bytes_of(a, step), seed};
        ok = /* HMAC(secret, A(i) | seed) */
            hmac_make(hmac, parts, 2, block) &&
            /* A(i + 1) */
            hmac_make(hmac, parts, 1, a);
        for (size_t i = 0; ok && i < step && done + i < size; i++)
            out[done + i] ^= block[i];
    }
    hmac_free(hmac);
    secret_wipe(a, sizeof a);
    secret_wipe(block, sizeof block);
    return ok;
}

bool key_derivation_prf(struct bytes secret, struct bytes seed, uint8_t *out,
                        size_t size)
{
    /* the halves share the middle byte of an odd secret */
    size_t half = secret.size / 2 + secret.size % 2;
    struct bytes first = bytes_of(secret.data, half);
    struct bytes last = bytes_of(secret.data + secret.size - half, half);
    memset(out, 0, size);
    bool ok = expand("MD5", first, seed, out, size) &&
              expand("SHA1", last, seed, out, size);
    if (!ok)
        secret_wipe(out, size);
    return ok;
}

static void write_source(struct writer *seed, const uint8_t client[32],
                         const uint8_t server[32])
{
    write_bytes(seed, bytes_of(client, 32));
    write_bytes(seed, bytes_of(server, 32));
}

bool key_derivation_legacy(const struct key_source *client,
                           const struct key_source *server,
                           const struct session_id *client_session,
                           const struct session_id *server_session,
                           struct key_material *out)
{
    uint8_t master[48], memory[128];
    struct writer seed = writer_of(memory, sizeof memory);
    write_bytes(&seed, bytes_of_text("OpenVPN master secret"));
    write_source(&seed, client->random1, server->random1);
    bool ok = writer_ok(&seed) &&
              key_derivation_prf(
                  bytes_of(client->pre_master, sizeof client->pre_master),
                  writer_bytes(&seed), master, sizeof master);

    seed = writer_of(memory, sizeof memory);
    write_bytes(&seed, bytes_of_text("OpenVPN key expansion"));
    write_source(&seed, client->random2, server->random2);
    write_bytes(&seed, bytes_of(client_session, sizeof *client_session));
    write_bytes(&seed, bytes_of(server_session, sizeof *server_session));
    ok = ok && writer_ok(&seed) &&
         key_derivation_prf(bytes_of(master, sizeof master),
                            writer_bytes(&seed), out->bytes, sizeof out->bytes);
    secret_wipe(master, sizeof master);
    secret_wipe(memory, sizeof memory);
    return ok;
}

/* The client sends with the first pair, the server with the second. */
static struct key_direction pair(const struct key_material *m, int number)
{
    const uint8_t *start = m->bytes + number * 2 * STATIC_KEY_SLICE;
    return (struct key_direction){start, start + STATIC_KEY_SLICE};
}

struct key_direction key_material_send(const struct key_material *m,
                                       enum openvpn_role role)
{
    return pair(m, role == OPENVPN_CLIENT ? 0 : 1);
}

struct key_direction key_material_receive(const struct key_material *m,
                                          enum openvpn_role role)
{
    return pair(m, role == OPENVPN_CLIENT ? 1 : 0);
}
