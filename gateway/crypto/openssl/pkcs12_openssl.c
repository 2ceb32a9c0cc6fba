#include "gateway/crypto/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "gateway/crypto/openssl/library_openssl.h"

#undef PKCS12_OK /* OpenSSL has a macro of our name, with another value */

struct opener {
    bool locked; /* no password: only the outside is looked at */
    const char *password;
    int password_size;
    int64_t iterations_left;
    struct pkcs12 found;
};

/* --- What it would cost -------------------------------------------------- */

static bool has_iterations(struct opener *o, const ASN1_INTEGER *number)
{
    int64_t iterations = 1;
    if (number && ASN1_INTEGER_get_int64(&iterations, number) != 1)
        return false;
    if (iterations < 1 || iterations > o->iterations_left)
        return false;
    o->iterations_left -= iterations;
    return true;
}

static const ASN1_TYPE *parameter_of(const X509_ALGOR *algorithm, int *nid)
{
    const ASN1_OBJECT *oid;
    int type;
    const void *value;
    X509_ALGOR_get0(&oid, &type, &value, algorithm);
    *nid = OBJ_obj2nid(oid);
    return algorithm->parameter;
}

static bool affordable_pbes2(struct opener *o, const ASN1_TYPE *parameter)
{
    PBE2PARAM *pbe2 =
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
    int nid = 0;
    const ASN1_TYPE *inner = pbe2 ? parameter_of(pbe2->keyfunc, &nid) : NULL;
    PBKDF2PARAM *kdf =
        inner && nid == NID_id_pbkdf2
            ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), inner)
            : NULL;
    bool good = kdf && has_iterations(o, kdf->iter);
    PBKDF2PARAM_free(kdf);
    PBE2PARAM_free(pbe2);
    return good;
}

static bool affordable_older(struct opener *o, const ASN1_TYPE *parameter)
{
    PBEPARAM *pbe =
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), parameter);
    bool good = pbe && has_iterations(o, pbe->iter);
    PBEPARAM_free(pbe);
    return good;
}

/* RC2, RC4 and DES are the legacy provider's, which is not loaded. */
static enum pkcs12_result may_decrypt(struct opener *o,
                                      const X509_ALGOR *algorithm)
{
    int nid;
    const ASN1_TYPE *parameter = parameter_of(algorithm, &nid);
    if (nid == NID_pbes2)
        return affordable_pbes2(o, parameter) ? PKCS12_OK : PKCS12_MALFORMED;
    if (nid == NID_pbe_WithSHA1And3_Key_TripleDES_CBC ||
        nid == NID_pbe_WithSHA1And2_Key_TripleDES_CBC)
        return affordable_older(o, parameter) ? PKCS12_OK : PKCS12_MALFORMED;
    return PKCS12_LEGACY;
}

/* --- Bags ---------------------------------------------------------------- */

static enum pkcs12_result take(struct blob *out, int size, uint8_t *der)
{
    if (size <= 0)
        return PKCS12_MALFORMED;
    bool good = blob_set(out, bytes_of(der, (size_t)size));
    OPENSSL_clear_free(der, (size_t)size);
    return good ? PKCS12_OK : PKCS12_MEMORY;
}

static enum pkcs12_result take_key(struct opener *o,
                                   const PKCS8_PRIV_KEY_INFO *key)
{
    uint8_t *der = NULL;
    /* A second key would be somebody else's. */
    if (!key || o->found.key.data)
        return PKCS12_MALFORMED;
    int size = i2d_PKCS8_PRIV_KEY_INFO(key, &der);
    return take(&o->found.key, size, der);
}

static enum pkcs12_result take_shrouded_key(struct opener *o,
                                            const PKCS12_SAFEBAG *bag)
{
    const X509_ALGOR *algorithm;
    const ASN1_OCTET_STRING *sealed;
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, &sealed);
    enum pkcs12_result result = may_decrypt(o, algorithm);
    if (result != PKCS12_OK || o->locked)
        return result;
    PKCS8_PRIV_KEY_INFO *key = PKCS12_decrypt_skey_ex(
        bag, o->password, o->password_size, library_openssl(), NULL);
    result = key ? take_key(o, key) : PKCS12_PASSWORD;
    PKCS8_PRIV_KEY_INFO_free(key);
    return result;
}

static enum pkcs12_result take_certificate(struct opener *o,
                                           const PKCS12_SAFEBAG *bag)
{
    struct pkcs12 *p = &o->found;
    uint8_t *der = NULL;
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return PKCS12_OK;
    X509 *x = PKCS12_SAFEBAG_get1_cert(bag);
    if (!x || p->certificate_count == PKCS12_CERTIFICATES_MAX) {
        X509_free(x);
        return PKCS12_MALFORMED;
    }
    int size = i2d_X509(x, &der);
    enum pkcs12_result result =
        take(&p->certificates[p->certificate_count], size, der);
    X509_free(x);
    p->certificate_count += result == PKCS12_OK;
    return result;
}

static enum pkcs12_result take_bags(struct opener *o,
                                    STACK_OF(PKCS12_SAFEBAG) * bags)
{
    enum pkcs12_result result = bags ? PKCS12_OK : PKCS12_MALFORMED;
    for (int i = 0; result == PKCS12_OK && i < sk_PKCS12_SAFEBAG_num(bags);
         i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        int kind = PKCS12_SAFEBAG_get_nid(bag);
        if (kind == NID_keyBag)
            result = take_key(o, PKCS12_SAFEBAG_get0_p8inf(bag));
        else if (kind == NID_pkcs8ShroudedKeyBag)
            result = take_shrouded_key(o, bag);
        else if (kind == NID_certBag)
            result = take_certificate(o, bag);
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return result;
}

static enum pkcs12_result take_part(struct opener *o, PKCS7 *part)
{
    if (PKCS7_type_is_data(part))
        return take_bags(o, PKCS12_unpack_p7data(part));
    if (!PKCS7_type_is_encrypted(part) || !part->d.encrypted ||
        !part->d.encrypted->enc_data)
        return PKCS12_MALFORMED;
    enum pkcs12_result result =
        may_decrypt(o, part->d.encrypted->enc_data->algorithm);
    if (result != PKCS12_OK || o->locked)
        return result;
    STACK_OF(PKCS12_SAFEBAG) *bags =
        PKCS12_unpack_p7encdata(part, o->password, o->password_size);
    return bags ? take_bags(o, bags) : PKCS12_PASSWORD;
}

/* --- The whole ----------------------------------------------------------- */

/* Tells a wrong password before anything is decrypted with it. */
static enum pkcs12_result check_mac(struct opener *o, PKCS12 *file)
{
    const ASN1_INTEGER *iterations;
    if (!PKCS12_mac_present(file))
        return PKCS12_OK;
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, file);
    if (!has_iterations(o, iterations))
        return PKCS12_MALFORMED;
    if (o->locked || PKCS12_verify_mac(file, o->password, o->password_size))
        return PKCS12_OK;
    /* No password is written in two ways: as a zero, and as nothing. */
    if (o->password_size > 0 || !PKCS12_verify_mac(file, NULL, 0))
        return PKCS12_PASSWORD;
    o->password = NULL;
    return PKCS12_OK;
}

static PKCS12 *parse(struct bytes der)
{
    const unsigned char *at = der.data;
    PKCS12 *file = PKCS12_init_ex(NID_pkcs7_data, library_openssl(), NULL);
    if (!file || der.size > INT32_MAX ||
        !d2i_PKCS12(&file, &at, (long)der.size)) {
        PKCS12_free(file);
        return NULL;
    }
    return file;
}

static enum pkcs12_result take_apart(struct opener *o, struct bytes der)
{
    PKCS12 *file = parse(der);
    enum pkcs12_result result = file ? check_mac(o, file) : PKCS12_MALFORMED;
    STACK_OF(PKCS7) *parts =
        result == PKCS12_OK ? PKCS12_unpack_authsafes(file) : NULL;
    if (result == PKCS12_OK && !parts)
        result = PKCS12_MALFORMED;
    for (int i = 0; result == PKCS12_OK && i < sk_PKCS7_num(parts); i++)
        result = take_part(o, sk_PKCS7_value(parts, i));
    sk_PKCS7_pop_free(parts, PKCS7_free);
    PKCS12_free(file);
    ERR_clear_error();
    return result;
}

enum pkcs12_result pkcs12_open(struct bytes der, struct bytes password,
                               struct pkcs12 *out)
{
    struct opener o = {
        .password = password.size > 0 ? (const char *)password.data : "",
        .password_size = (int)password.size,
        .iterations_left = PKCS12_ITERATIONS_MOST,
    };
    *out = (struct pkcs12){0};
    if (password.size > INT16_MAX)
        return PKCS12_PASSWORD;
    return pkcs12_hand_out(take_apart(&o, der), &o.found, out);
}

enum pkcs12_result pkcs12_inspect(struct bytes der)
{
    struct opener o = {.locked = true,
                       .iterations_left = PKCS12_ITERATIONS_MOST};
    enum pkcs12_result result = take_apart(&o, der);
    pkcs12_clear(&o.found);
    return result;
}
