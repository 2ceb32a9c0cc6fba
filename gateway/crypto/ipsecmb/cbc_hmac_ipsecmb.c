#include "gateway/crypto/cbc_hmac_functions.h"

#include "gateway/base/secret.h"
#include "gateway/crypto/ipsecmb/ipsecmb.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ROUND_KEYS_SIZE = 15 * 16, /* AES-256's */
    HASH_BLOCK_MAX = 128,
};

struct by_ipsecmb {
    struct cbc_hmac cbc_hmac;
    IMB_MGR *manager;
    IMB_HASH_ALG hash;
    size_t key_size;
    _Alignas(64) uint8_t encrypt_keys[ROUND_KEYS_SIZE];
    _Alignas(64) uint8_t decrypt_keys[ROUND_KEYS_SIZE];
    /* The digest's state behind key XOR ipad and key XOR opad (RFC 2104). */
    _Alignas(64) uint8_t inner[CBC_HMAC_DIGEST_MAX];
    _Alignas(64) uint8_t outer[CBC_HMAC_DIGEST_MAX];
};

static struct by_ipsecmb *of(struct cbc_hmac *c)
{
    static_assert(offsetof(struct by_ipsecmb, cbc_hmac) == 0, "comes first");
    /* through void: create() aligned the whole */
    return (void *)c;
}

static void destroy(struct cbc_hmac *c)
{
    struct by_ipsecmb *b = of(c);
    ipsecmb_free(b->manager);
    secret_wipe(b, sizeof *b);
    free(b);
}

static void expand_key(struct by_ipsecmb *b, const uint8_t *key, size_t size)
{
    b->key_size = size;
    if (size == 16)
        IMB_AES_KEYEXP_128(b->manager, key, b->encrypt_keys, b->decrypt_keys);
    else if (size == 24)
        IMB_AES_KEYEXP_192(b->manager, key, b->encrypt_keys, b->decrypt_keys);
    else
        IMB_AES_KEYEXP_256(b->manager, key, b->encrypt_keys, b->decrypt_keys);
}

struct digest {
    const char *name;
    IMB_HASH_ALG hash;
    size_t block, size;
    hash_one_block_t one_block;
};

static bool find_digest(const IMB_MGR *m, const char *name, struct digest *out)
{
    const struct digest digests[] = {
        {"SHA1", IMB_AUTH_HMAC_SHA_1, 64, 20, m->sha1_one_block},
        {"SHA224", IMB_AUTH_HMAC_SHA_224, 64, 28, m->sha224_one_block},
        {"SHA256", IMB_AUTH_HMAC_SHA_256, 64, 32, m->sha256_one_block},
        {"SHA384", IMB_AUTH_HMAC_SHA_384, 128, 48, m->sha384_one_block},
        {"SHA512", IMB_AUTH_HMAC_SHA_512, 128, 64, m->sha512_one_block},
        {"MD5", IMB_AUTH_MD5, 64, 16, m->md5_one_block},
    };
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (!strcmp(name, digests[i].name)) {
            *out = digests[i];
            return true;
        }
    return false;
}

static void prepare_hmac(const struct digest *d, const uint8_t *key,
                         uint8_t pad, uint8_t state[CBC_HMAC_DIGEST_MAX])
{
    uint8_t block[HASH_BLOCK_MAX];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < d->size; i++)
        block[i] ^= key[i];
    d->one_block(block, state);
    secret_wipe(block, sizeof block);
}

static struct cbc_hmac *create(const struct cbc_hmac_keys *keys)
{
    struct by_ipsecmb *b =
        aligned_alloc(_Alignof(struct by_ipsecmb), sizeof *b);
    struct digest digest;
    if (!b)
        return NULL;
    *b = (struct by_ipsecmb){
        .cbc_hmac.functions = &cbc_hmac_functions_ipsecmb,
        .manager = ipsecmb_new(),
    };
    if (!b->manager || !find_digest(b->manager, keys->digest, &digest)) {
        destroy(&b->cbc_hmac);
        return NULL;
    }
    b->hash = digest.hash;
    expand_key(b, keys->cipher, keys->cipher_size);
    prepare_hmac(&digest, keys->hmac, 0x36, b->inner);
    prepare_hmac(&digest, keys->hmac, 0x5c, b->outer);
    return &b->cbc_hmac;
}

static void fill(const struct by_ipsecmb *b, IMB_JOB *job,
                 const struct cbc_hmac_job *j, IMB_CIPHER_DIRECTION direction,
                 uint8_t *hmac)
{
    job->cipher_mode = IMB_CIPHER_CBC;
    job->hash_alg = b->hash;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH
                                                    : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = b->encrypt_keys;
    job->dec_keys = b->decrypt_keys;
    job->key_len_in_bytes = b->key_size;
    job->iv = j->iv;
    job->iv_len_in_bytes = CBC_HMAC_BLOCK_SIZE;
    job->src = j->iv;
    job->dst = j->iv + CBC_HMAC_BLOCK_SIZE;
    job->cipher_start_src_offset_in_bytes = CBC_HMAC_BLOCK_SIZE;
    job->msg_len_to_cipher_in_bytes = j->size;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = CBC_HMAC_BLOCK_SIZE + (uint64_t)j->size;
    job->auth_tag_output = hmac;
    job->auth_tag_output_len_in_bytes = b->cbc_hmac.digest_size;
    job->u.HMAC._hashed_auth_key_xor_ipad = b->inner;
    job->u.HMAC._hashed_auth_key_xor_opad = b->outer;
}

/* All jobs, as many at a time as the library has lanes; nothing is left in the
 * manager. Its calls for whole bursts want a session since version 1.4, which
 * older ones do not know. */
static void run(struct by_ipsecmb *b, const struct cbc_hmac_job *jobs,
                size_t count, IMB_CIPHER_DIRECTION direction,
                uint8_t hmacs[][CBC_HMAC_DIGEST_MAX])
{
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        IMB_JOB *job = IMB_GET_NEXT_JOB(b->manager);
        fill(b, job, &jobs[i], direction, hmacs ? hmacs[i] : jobs[i].hmac);
        job = IMB_SUBMIT_JOB(b->manager);
        assert(!imb_get_errno(b->manager));
        done += job != NULL;
    }
    while (IMB_FLUSH_JOB(b->manager))
        done++;
    assert(done == count);
}

static void seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    run(of(c), jobs, count, IMB_DIR_ENCRYPT, NULL);
}

static void open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    uint8_t hmacs[CBC_HMAC_BATCH_MAX][CBC_HMAC_DIGEST_MAX];
    run(of(c), jobs, count, IMB_DIR_DECRYPT, hmacs);
    for (size_t i = 0; i < count; i++)
        jobs[i].ok = secret_equal(bytes_of(hmacs[i], c->digest_size),
                                  bytes_of(jobs[i].hmac, c->digest_size));
}

const struct cbc_hmac_functions cbc_hmac_functions_ipsecmb = {
    .library = "ipsec-mb",
    .create = create,
    .destroy = destroy,
    .seal = seal,
    .open = open,
};
