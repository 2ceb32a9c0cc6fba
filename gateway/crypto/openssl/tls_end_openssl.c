#include "gateway/crypto/openssl/tls_end_openssl.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "gateway/crypto/openssl/certificates_openssl.h"
#include "gateway/crypto/openssl/library_openssl.h"
#include "gateway/crypto/openssl/private_key_openssl.h"

enum { BITS_LEAST = 112 /* of security: a group of 2048 bits, SHA-224 */ };

/* OpenSSL asks it about everything that may be weak. Certificates are judged
 * by what the profile allows (verification_openssl.c); all else has a floor
 * that no profile lowers. */
static int is_strong(const SSL *ssl, const SSL_CTX *context, int what, int bits,
                     int number, void *other, void *ex)
{
    (void)ssl, (void)context, (void)number, (void)other, (void)ex;
    switch (what & ~SSL_SECOP_PEER) {
    case SSL_SECOP_EE_KEY:
    case SSL_SECOP_CA_KEY:
    case SSL_SECOP_CA_MD:
    case SSL_SECOP_VERSION: /* the bits are a version's number */
    case SSL_SECOP_TICKET:
    case SSL_SECOP_COMPRESSION:
        return 1;
    default:
        return bits >= BITS_LEAST;
    }
}

static bool set_defaults(struct tls_end *e)
{
    SSL_CTX *c = e->context;
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                               SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Most of the time a session waits, and keeps no record then. */
    SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_callback(c, is_strong);
    SSL_CTX_set_cert_verify_callback(c, tls_end_openssl_verify, NULL);
    return SSL_CTX_set_num_tickets(c, 0) == 1 && SSL_CTX_set_dh_auto(c, 1) == 1;
}

struct tls_end *tls_end_new(enum tls_end_kind kind,
                            const struct tls_random *random)
{
    (void)random; /* the library has its own source, the system's */
    OSSL_LIB_CTX *library = library_openssl();
    struct tls_end *e = library ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return NULL;
    e->kind = kind;
    e->context = SSL_CTX_new_ex(library, NULL,
                                kind == TLS_END_SERVER ? TLS_server_method()
                                                       : TLS_client_method());
    e->wire = tls_end_openssl_wire();
    if (!e->context || !e->wire || !set_defaults(e)) {
        tls_end_free(e);
        return NULL;
    }
    tls_end_demand(e, TLS_END_REQUIRED);
    tls_end_set_strength(e, CERTIFICATE_PREFERRED);
    tls_end_set_versions(e, TLS_END_1_2, TLS_END_1_3);
    return e;
}

void tls_end_free(struct tls_end *e)
{
    if (!e)
        return;
    SSL_CTX_free(e->context);
    BIO_meth_free(e->wire);
    free(e);
}

bool tls_end_trust(struct tls_end *e, const struct certificates *authorities,
                   const struct revocations *revoked)
{
    e->authorities = authorities;
    e->revoked = revoked;
    /* A server tells which authorities it knows. */
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    bool good = names != NULL;
    for (size_t i = 0; good && i < authorities->count; i++) {
        X509_NAME *name =
            X509_NAME_dup(X509_get_subject_name(authorities->all[i].x));
        good = name && sk_X509_NAME_push(names, name) > 0;
        if (!good)
            X509_NAME_free(name);
    }
    if (!good || e->kind == TLS_END_CLIENT)
        sk_X509_NAME_pop_free(names, X509_NAME_free);
    else
        SSL_CTX_set_client_CA_list(e->context, names); /* takes them */
    return good;
}

void tls_end_demand(struct tls_end *e, enum tls_end_demand demand)
{
    static const int modes[] = {
        [TLS_END_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_END_OPTIONAL] = SSL_VERIFY_PEER,
        [TLS_END_NONE] = SSL_VERIFY_NONE,
    };
    SSL_CTX_set_verify(e->context, modes[demand], NULL);
}

void tls_end_set_strength(struct tls_end *e, enum certificate_strength strength)
{
    e->strength = strength;
}

bool tls_end_show(struct tls_end *e, struct certificates *own,
                  struct private_key *key)
{
    bool good = own->count > 0 &&
                SSL_CTX_use_certificate(e->context, own->all[0].x) == 1 &&
                SSL_CTX_use_PrivateKey(e->context, key->key) == 1;
    for (size_t i = 1; good && i < own->count; i++)
        good = SSL_CTX_add1_chain_cert(e->context, own->all[i].x) == 1;
    ERR_clear_error();
    return good;
}

void tls_end_set_versions(struct tls_end *e, enum tls_end_version oldest,
                          enum tls_end_version newest)
{
    static const int versions[] = {
        [TLS_END_1_2] = TLS1_2_VERSION,
        [TLS_END_1_3] = TLS1_3_VERSION,
    };
    SSL_CTX_set_min_proto_version(e->context, versions[oldest]);
    SSL_CTX_set_max_proto_version(e->context, versions[newest]);
}

/* --- Suites and groups --------------------------------------------------- */

struct list {
    char *text; /* owned; names with ':' in between */
    size_t size, capacity;
};

static bool add(struct list *l, const char *name)
{
    size_t length = strlen(name);
    if (l->size + length + 2 > l->capacity) {
        size_t more = 2 * l->capacity + length + 64;
        char *grown = realloc(l->text, more);
        if (!grown)
            return false;
        l->text = grown;
        l->capacity = more;
    }
    if (l->size > 0)
        l->text[l->size++] = ':';
    memcpy(l->text + l->size, name, length + 1);
    l->size += length;
    return true;
}

static bool is_version_1_3(const SSL_CIPHER *c)
{
    return strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0;
}

/* Our numbers as OpenSSL's two lists. */
static bool list_suites(SSL *ssl, const uint16_t *suites, struct list *newer,
                        struct list *older)
{
    bool good = true;
    for (; good && *suites; suites++) {
        const uint8_t number[] = {(uint8_t)(*suites >> 8), (uint8_t)*suites};
        const SSL_CIPHER *c = SSL_CIPHER_find(ssl, number);
        if (c)
            good =
                add(is_version_1_3(c) ? newer : older, SSL_CIPHER_get_name(c));
    }
    return good;
}

bool tls_end_set_suites(struct tls_end *e, const uint16_t *suites)
{
    struct list newer = {0}, older = {0};
    SSL *ssl = SSL_new(e->context);
    bool good =
        ssl && list_suites(ssl, suites, &newer, &older) &&
        SSL_CTX_set_ciphersuites(e->context, newer.text ? newer.text : "") ==
            1 &&
        (!older.text || SSL_CTX_set_cipher_list(e->context, older.text) == 1);
    free(newer.text);
    free(older.text);
    SSL_free(ssl);
    ERR_clear_error();
    return good;
}

static const struct {
    uint16_t number;
    const char *name;
} groups_known[] = {
    {23, "P-256"},
    {24, "P-384"},
    {25, "P-521"},
    {26, "brainpoolP256r1"},
    {27, "brainpoolP384r1"},
    {28, "brainpoolP512r1"},
    {29, "X25519"},
    {30, "X448"},
    {256, "ffdhe2048"},
    {257, "ffdhe3072"},
    {258, "ffdhe4096"},
    {4587, "SecP256r1MLKEM768"}, /* from OpenSSL 3.5 on */
    {4588, "X25519MLKEM768"},
    {4589, "SecP384r1MLKEM1024"},
};

static const char *group_name(uint16_t number)
{
    for (size_t i = 0; i < sizeof groups_known / sizeof *groups_known; i++)
        if (groups_known[i].number == number)
            return groups_known[i].name;
    return NULL;
}

bool tls_end_set_groups(struct tls_end *e, const uint16_t *groups)
{
    struct list all = {0};
    bool good = true;
    for (; good && *groups; groups++) {
        const char *name = group_name(*groups);
        /* One that it lacks would make it refuse the whole list. */
        if (name && SSL_CTX_set1_groups_list(e->context, name) == 1)
            good = add(&all, name);
    }
    if (good && all.text)
        good = SSL_CTX_set1_groups_list(e->context, all.text) == 1;
    free(all.text);
    ERR_clear_error();
    return good;
}

static bool has_name(const SSL_CIPHER *c, const char *name)
{
    const char *theirs = SSL_CIPHER_standard_name(c);
    for (; theirs && *theirs && *name; theirs++, name++)
        if ((*theirs == '_' ? '-' : *theirs) != *name)
            return false;
    return theirs && *theirs == *name;
}

uint16_t tls_end_suite_number(const char *name)
{
    uint16_t number = 0;
    SSL_CTX *all = SSL_CTX_new_ex(library_openssl(), NULL, TLS_method());
    STACK_OF(SSL_CIPHER) *ciphers = NULL;
    /* 1.3's default leaves out the suites with CCM. */
    if (all &&
        SSL_CTX_set_cipher_list(all, "ALL:COMPLEMENTOFALL:@SECLEVEL=0") == 1 &&
        SSL_CTX_set_ciphersuites(
            all, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                 "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:"
                 "TLS_AES_128_CCM_8_SHA256") == 1)
        ciphers = SSL_CTX_get_ciphers(all);
    for (int i = 0; number == 0 && ciphers && i < sk_SSL_CIPHER_num(ciphers);
         i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(ciphers, i);
        if (has_name(c, name))
            number = SSL_CIPHER_get_protocol_id(c);
    }
    SSL_CTX_free(all);
    ERR_clear_error();
    return number;
}

bool tls_end_has_group(uint16_t group)
{
    const char *name = group_name(group);
    SSL_CTX *trial =
        name ? SSL_CTX_new_ex(library_openssl(), NULL, TLS_method()) : NULL;
    bool has = trial && SSL_CTX_set1_groups_list(trial, name) == 1;
    SSL_CTX_free(trial);
    ERR_clear_error();
    return has;
}

const char *tls_end_lack(void)
{
    return "";
}
