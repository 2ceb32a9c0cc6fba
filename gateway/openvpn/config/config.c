#include "gateway/openvpn/config/config.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

void config_remote_init(struct config_remote *r)
{
    *r = (struct config_remote){
        .port = 1194,
        .connect_timeout = 120,
        .tun_mtu = 1500,
        .mssfix = -1,
        .key_direction = -1,
    };
}

void config_init(struct config *c)
{
    *c = (struct config){
        .connect_retry = 1,
        .data_ciphers = "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
        .auth = "SHA1",
        .replay_packets = 64,
        .replay_seconds = 15,
        .reneg_seconds = 3600,
        .hand_window = 60,
        .tran_window = 3600,
        .tls_timeout = 2,
        .ping_restart = 120,
        .max_packet_size = 1250,
        .static_key_direction = -1,
    };
}

/* Every text and blob is wiped: telling the secret ones apart would gain
 * nothing. */
static void free_text(char **text)
{
    if (*text)
        secret_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

bool config_set_text(char **field, struct bytes text)
{
    char *copy = malloc(text.size + 1);
    if (!copy)
        return false;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    free_text(field);
    *field = copy;
    return true;
}

void config_remote_clear(struct config_remote *r)
{
    free_text(&r->proxy.username);
    free_text(&r->proxy.password);
    free_text(&r->proxy.headers);
    blob_free(&r->wrap_key);
    *r = (struct config_remote){0};
}

static void clear_tls(struct config *c)
{
    blob_free(&c->ca);
    blob_free(&c->cert);
    blob_free(&c->key);
    blob_free(&c->extra_certs);
    blob_free(&c->pkcs12);
    blob_free(&c->crl);
    blob_free(&c->key_password);
    blob_free(&c->static_key);
    for (size_t i = 0; i < c->fingerprint_count; i++)
        blob_free(&c->fingerprints[i]);
    free(c->fingerprints);
    free_text(&c->tls_cipher);
    free_text(&c->tls_ciphersuites);
    free_text(&c->tls_groups);
    free(c->remote_cert_ku);
    free_text(&c->remote_cert_eku);
    free_text(&c->name);
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_text(&texts[i]);
    free(texts);
}

void config_clear(struct config *c)
{
    free_text(&c->path);
    for (size_t i = 0; i < c->remote_count; i++)
        config_remote_clear(&c->remotes[i]);
    free(c->remotes);
    clear_tls(c);
    free_text(&c->username);
    free_text(&c->password);
    free_text(&c->static_challenge);
    for (size_t i = 0; i < c->pull_filter_count; i++)
        free_text(&c->pull_filters[i].prefix);
    free(c->pull_filters);
    free_texts(c->options, c->option_count);
    free_texts(c->peer_info, c->peer_info_count);
    *c = (struct config){0};
}

bool config_compression_named(const char *word, enum config_compression *out)
{
    static const struct {
        const char *word;
        enum config_compression framing;
    } framings[] = {
        {"stub", CONFIG_COMPRESSION_STUB},
        {"stub-v2", CONFIG_COMPRESSION_STUB_V2},
        {"lzo", CONFIG_COMPRESSION_LZO},
        {"lz4", CONFIG_COMPRESSION_STUB},
        {"lz4-v2", CONFIG_COMPRESSION_STUB_V2},
        {"migrate", CONFIG_COMPRESSION_NONE},
    };
    if (!word) {
        *out = CONFIG_COMPRESSION_STUB;
        return true;
    }
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        if (!strcmp(word, framings[i].word)) {
            *out = framings[i].framing;
            return true;
        }
    }
    return false;
}
