#include "gateway/crypto/pkcs12.h"

#include <stdlib.h>

#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pkcs12.h>
#include <mbedtls/pkcs5.h>

#include "gateway/base/secret.h"

enum {
    SEQUENCE = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
    CONTEXT_0 = MBEDTLS_ASN1_CONTEXT_SPECIFIC,
    EXPLICIT_0 = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED,
};

/* RFC 7292, appendix D; RFC 2985; RFC 5652. */
#define OID_DATA           "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define OID_ENCRYPTED_DATA "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06"
#define OID_PBES2          "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"
#define OID_KEY_BAG        "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01"
#define OID_SHROUDED_KEY   "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02"
#define OID_CERT_BAG       "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03"
#define OID_X509           "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"

/* A stretch of DER. Like a reader it fails stickily, and then it is empty. */
struct der {
    unsigned char *next, *end;
    bool failed;
};

struct opener {
    bool locked; /* no password: only the outside is looked at */
    struct bytes password;
    int32_t iterations_left;
    struct pkcs12 found;
};

static struct der fail(struct der *d)
{
    *d = (struct der){NULL, NULL, true};
    return *d;
}

/* The content of the next element, which must have that tag. */
static struct der enter(struct der *d, int tag)
{
    size_t size;
    if (d->failed || mbedtls_asn1_get_tag(&d->next, d->end, &size, tag) != 0)
        return fail(d);
    struct der inside = {d->next, d->next + size, false};
    d->next += size;
    return inside;
}

static int read_integer(struct der *d)
{
    int value = 0;
    if (d->failed || mbedtls_asn1_get_int(&d->next, d->end, &value) != 0)
        (void)fail(d);
    return value;
}

static size_t left(const struct der *d)
{
    return d->failed ? 0 : (size_t)(d->end - d->next);
}

static struct bytes content(const struct der *d)
{
    return bytes_of(d->next, left(d));
}

#define IS_OID(d, oid) is_oid((d), oid, sizeof(oid) - 1)
static bool is_oid(const struct der *d, const char *oid, size_t size)
{
    return left(d) == size && !memcmp(d->next, oid, size);
}

/* --- Encryption ---------------------------------------------------------- */

static bool has_iterations(struct opener *o, int iterations)
{
    if (iterations < 1 || iterations > o->iterations_left)
        return false;
    o->iterations_left -= iterations;
    return true;
}

/* PBES2-params { PBKDF2 { salt, iterations, ... }, scheme }: only to see how
 * much work it would be. */
static bool affordable(struct opener *o, struct der parameters)
{
    struct der kdf = enter(&parameters, SEQUENCE);
    (void)enter(&kdf, MBEDTLS_ASN1_OID);
    struct der pbkdf2 = enter(&kdf, SEQUENCE);
    (void)enter(&pbkdf2, MBEDTLS_ASN1_OCTET_STRING);
    int iterations = read_integer(&pbkdf2);
    return !pbkdf2.failed && has_iterations(o, iterations);
}

/* A wrong password gives bytes that end like a padding once in 256 times. What
 * is encrypted here is one SEQUENCE, a key or bags. */
static bool is_one_sequence(const struct blob *plain)
{
    struct der all = {plain->data, plain->data + plain->size, false};
    (void)enter(&all, SEQUENCE);
    return !all.failed && left(&all) == 0;
}

/* `algorithm` is an AlgorithmIdentifier's content; *out is owned. */
static enum pkcs12_result decrypt(struct opener *o, struct der algorithm,
                                  struct bytes sealed, struct blob *out)
{
    struct der oid = enter(&algorithm, MBEDTLS_ASN1_OID);
    if (!IS_OID(&oid, OID_PBES2))
        return algorithm.failed ? PKCS12_MALFORMED : PKCS12_LEGACY;
    struct der parameters = enter(&algorithm, SEQUENCE);
    if (!affordable(o, parameters) || sealed.size == 0)
        return PKCS12_MALFORMED;
    if (o->locked)
        return PKCS12_OK;

    /* The plain text is shorter, for its padding. */
    struct blob plain = {0};
    if (!blob_set(&plain, sealed))
        return PKCS12_MEMORY;
    const mbedtls_asn1_buf buffer = {SEQUENCE, left(&parameters),
                                     parameters.next};
    size_t room = plain.size;
    int result = mbedtls_pkcs5_pbes2_ext(
        &buffer, MBEDTLS_PKCS5_DECRYPT, o->password.data, o->password.size,
        sealed.data, sealed.size, plain.data, room, &plain.size);
    if (result == 0 && is_one_sequence(&plain)) {
        *out = plain;
        return PKCS12_OK;
    }
    secret_wipe(plain.data, room);
    free(plain.data);
    if (result == 0 || result == MBEDTLS_ERR_PKCS5_PASSWORD_MISMATCH)
        return PKCS12_PASSWORD;
    return result == MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE ? PKCS12_LEGACY
                                                           : PKCS12_MALFORMED;
}

/* --- Bags ---------------------------------------------------------------- */

static enum pkcs12_result take_key(struct opener *o, struct bytes key)
{
    /* A second key would be somebody else's. */
    if (key.size == 0 || o->found.key.data)
        return PKCS12_MALFORMED;
    return blob_set(&o->found.key, key) ? PKCS12_OK : PKCS12_MEMORY;
}

static enum pkcs12_result take_shrouded_key(struct opener *o, struct der value)
{
    struct der info = enter(&value, SEQUENCE);
    struct der algorithm = enter(&info, SEQUENCE);
    struct der sealed = enter(&info, MBEDTLS_ASN1_OCTET_STRING);
    if (info.failed)
        return PKCS12_MALFORMED;
    struct blob key = {0};
    enum pkcs12_result result = decrypt(o, algorithm, content(&sealed), &key);
    if (result != PKCS12_OK || o->locked)
        return result;
    result = take_key(o, bytes_of(key.data, key.size));
    blob_free(&key);
    return result;
}

static enum pkcs12_result take_certificate(struct opener *o, struct der value)
{
    struct der bag = enter(&value, SEQUENCE);
    struct der kind = enter(&bag, MBEDTLS_ASN1_OID);
    if (!IS_OID(&kind, OID_X509))
        return bag.failed ? PKCS12_MALFORMED : PKCS12_OK;
    struct der outer = enter(&bag, EXPLICIT_0);
    struct der certificate = enter(&outer, MBEDTLS_ASN1_OCTET_STRING);
    struct pkcs12 *p = &o->found;
    if (left(&certificate) == 0 ||
        p->certificate_count == PKCS12_CERTIFICATES_MAX)
        return PKCS12_MALFORMED;
    if (!blob_set(&p->certificates[p->certificate_count],
                  content(&certificate)))
        return PKCS12_MEMORY;
    p->certificate_count++;
    return PKCS12_OK;
}

/* SafeBag { kind, [0] value, attributes? } */
static enum pkcs12_result take_bag(struct opener *o, struct der bag)
{
    struct der kind = enter(&bag, MBEDTLS_ASN1_OID);
    struct der value = enter(&bag, EXPLICIT_0);
    if (bag.failed)
        return PKCS12_MALFORMED;
    if (IS_OID(&kind, OID_KEY_BAG))
        return take_key(o, content(&value));
    if (IS_OID(&kind, OID_SHROUDED_KEY))
        return take_shrouded_key(o, value);
    if (IS_OID(&kind, OID_CERT_BAG))
        return take_certificate(o, value);
    return PKCS12_OK; /* revocation lists, secrets: not ours */
}

static enum pkcs12_result take_bags(struct opener *o, struct der contents)
{
    struct der bags = enter(&contents, SEQUENCE);
    while (left(&bags)) {
        struct der bag = enter(&bags, SEQUENCE);
        enum pkcs12_result result = take_bag(o, bag);
        if (result != PKCS12_OK)
            return result;
    }
    return bags.failed ? PKCS12_MALFORMED : PKCS12_OK;
}

/* EncryptedData { 0, { data, algorithm, [0] content } } */
static enum pkcs12_result take_encrypted(struct opener *o, struct der outer)
{
    struct der data = enter(&outer, SEQUENCE);
    (void)read_integer(&data);
    struct der info = enter(&data, SEQUENCE);
    struct der kind = enter(&info, MBEDTLS_ASN1_OID);
    struct der algorithm = enter(&info, SEQUENCE);
    struct der sealed = enter(&info, CONTEXT_0);
    if (info.failed || !IS_OID(&kind, OID_DATA))
        return PKCS12_MALFORMED;

    struct blob plain = {0};
    enum pkcs12_result result = decrypt(o, algorithm, content(&sealed), &plain);
    if (result != PKCS12_OK || o->locked)
        return result;
    result =
        take_bags(o, (struct der){plain.data, plain.data + plain.size, false});
    blob_free(&plain);
    return result;
}

static enum pkcs12_result take_all(struct opener *o, struct der authenticated)
{
    struct der parts = enter(&authenticated, SEQUENCE);
    while (left(&parts)) {
        struct der part = enter(&parts, SEQUENCE);
        struct der kind = enter(&part, MBEDTLS_ASN1_OID);
        struct der outer = enter(&part, EXPLICIT_0);
        enum pkcs12_result result = PKCS12_MALFORMED;
        if (IS_OID(&kind, OID_DATA))
            result = take_bags(o, enter(&outer, MBEDTLS_ASN1_OCTET_STRING));
        else if (IS_OID(&kind, OID_ENCRYPTED_DATA))
            result = take_encrypted(o, outer);
        if (result != PKCS12_OK)
            return result;
    }
    return parts.failed ? PKCS12_MALFORMED : PKCS12_OK;
}

/* --- MAC ----------------------------------------------------------------- */

enum { WIDE_MOST = 64 /* bytes of a password, mbedtls_pkcs12_derivation() */ };

/* The next code point of UTF-8; false at the end or where it is none. */
static bool cut_code_point(struct bytes *text, uint32_t *out)
{
    if (text->size == 0)
        return false;
    uint8_t first = text->data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > text->size || (first >= 0x80 && first < 0xc2) || first > 0xf4)
        return false;
    uint32_t value = size == 1 ? first : first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text->data[i] & 0xc0) != 0x80)
            return false;
        value = value << 6 | (text->data[i] & 0x3f);
    }
    *text = bytes_of(text->data + size, text->size - size);
    *out = value;
    return true;
}

/* UTF-16, big endian, with a zero at the end. False if it is too long for the
 * library, or no UTF-8. */
static bool widen(struct bytes password, struct writer *w)
{
    uint32_t point;
    while (cut_code_point(&password, &point)) {
        if (point >= 0x10000) {
            point -= 0x10000;
            write_u16(w, (uint16_t)(0xd800 | point >> 10));
            point = 0xdc00 | (point & 0x3ff);
        }
        write_u16(w, (uint16_t)point);
    }
    write_u16(w, 0);
    return writer_ok(w) && password.size == 0;
}

struct mac {
    mbedtls_md_type_t digest;
    struct bytes salt, value;
    int iterations;
};

/* MacData { { algorithm, digest }, salt, iterations = 1 } */
static bool parse_mac(struct der data, struct mac *out)
{
    struct der info = enter(&data, SEQUENCE);
    struct der algorithm = enter(&info, SEQUENCE);
    struct der oid = enter(&algorithm, MBEDTLS_ASN1_OID);
    struct der value = enter(&info, MBEDTLS_ASN1_OCTET_STRING);
    struct der salt = enter(&data, MBEDTLS_ASN1_OCTET_STRING);
    struct mac m = {.salt = content(&salt), .value = content(&value)};
    m.iterations = left(&data) ? read_integer(&data) : 1;
    if (data.failed || info.failed || algorithm.failed)
        return false;
    const mbedtls_asn1_buf name = {MBEDTLS_ASN1_OID, left(&oid), oid.next};
    if (mbedtls_oid_get_md_alg(&name, &m.digest) != 0)
        m.digest = MBEDTLS_MD_NONE;
    *out = m;
    return true;
}

static bool mac_fits(const struct mac *m, struct bytes authenticated,
                     struct bytes wide_password)
{
    const mbedtls_md_info_t *digest = mbedtls_md_info_from_type(m->digest);
    uint8_t key[MBEDTLS_MD_MAX_SIZE], mac[MBEDTLS_MD_MAX_SIZE];
    size_t size = mbedtls_md_get_size(digest);
    bool fits = mbedtls_pkcs12_derivation(
                    key, size, wide_password.data, wide_password.size,
                    m->salt.data, m->salt.size, m->digest,
                    MBEDTLS_PKCS12_DERIVE_MAC_KEY, m->iterations) == 0 &&
                mbedtls_md_hmac(digest, key, size, authenticated.data,
                                authenticated.size, mac) == 0 &&
                secret_equal(m->value, bytes_of(mac, size));
    secret_wipe(key, sizeof key);
    return fits;
}

/* Tells a wrong password before anything is decrypted with it. A MAC that the
 * library cannot compute (a very long password or salt, a rare digest) is not
 * missed: the profile vouches for the container, and padding for the key. */
static enum pkcs12_result check_mac(struct opener *o, struct der data,
                                    struct bytes authenticated)
{
    struct mac m;
    if (!parse_mac(data, &m) || !has_iterations(o, m.iterations))
        return PKCS12_MALFORMED;
    uint8_t memory[WIDE_MOST];
    struct writer wide = writer_of(memory, sizeof memory);
    enum pkcs12_result result = PKCS12_OK;
    if (!o->locked && m.digest != MBEDTLS_MD_NONE && m.salt.size <= WIDE_MOST &&
        widen(o->password, &wide)) {
        /* No password is written in two ways: as nothing, and as a zero. */
        bool fits = mac_fits(&m, authenticated, writer_bytes(&wide)) ||
                    (o->password.size == 0 &&
                     mac_fits(&m, authenticated, bytes_of(NULL, 0)));
        result = fits ? PKCS12_OK : PKCS12_PASSWORD;
    }
    secret_wipe(memory, sizeof memory);
    return result;
}

/* --- The whole ----------------------------------------------------------- */

static enum pkcs12_result take_apart(struct opener *o, struct der file)
{
    struct der pfx = enter(&file, SEQUENCE);
    int version = read_integer(&pfx);
    struct der info = enter(&pfx, SEQUENCE);
    struct der kind = enter(&info, MBEDTLS_ASN1_OID);
    struct der outer = enter(&info, EXPLICIT_0);
    struct der authenticated = enter(&outer, MBEDTLS_ASN1_OCTET_STRING);
    if (version != 3 || outer.failed || !IS_OID(&kind, OID_DATA))
        return PKCS12_MALFORMED;
    if (left(&pfx)) {
        struct der mac = enter(&pfx, SEQUENCE);
        enum pkcs12_result result = check_mac(o, mac, content(&authenticated));
        if (result != PKCS12_OK)
            return result;
    }
    return take_all(o, authenticated);
}

static enum pkcs12_result open_copy(struct opener *o, struct bytes der)
{
    /* The library's functions want memory that they could write to. */
    struct blob copy = {0};
    if (!blob_set(&copy, der))
        return PKCS12_MEMORY;
    enum pkcs12_result result =
        take_apart(o, (struct der){copy.data, copy.data + copy.size, false});
    blob_free(&copy);
    return result;
}

enum pkcs12_result pkcs12_open(struct bytes der, struct bytes password,
                               struct pkcs12 *out)
{
    struct opener o = {.password = password,
                       .iterations_left = PKCS12_ITERATIONS_MOST};
    return pkcs12_hand_out(open_copy(&o, der), &o.found, out);
}

enum pkcs12_result pkcs12_inspect(struct bytes der)
{
    struct opener o = {.locked = true,
                       .iterations_left = PKCS12_ITERATIONS_MOST};
    enum pkcs12_result result = open_copy(&o, der);
    pkcs12_clear(&o.found);
    return result;
}
