#include "gateway/openvpn/control/tls_crypt_v2.h"

#include <assert.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/keys/key_armor.h"

#define CLIENT_LABEL "OpenVPN tls-crypt-v2 client key"
#define SERVER_LABEL "OpenVPN tls-crypt-v2 server key"

enum {
    LENGTH_SIZE = 2,
    CLIENT_KEY_MAX = STATIC_KEY_SIZE + TLS_CRYPT_V2_WRAPPED_MAX,
    CONTENT_MAX = STATIC_KEY_SIZE + TLS_CRYPT_V2_METADATA_MAX,
    DIGITS_PER_LINE = 64,
};

static bool parse_text(struct bytes text, const char *label, uint8_t *out,
                       size_t capacity, size_t *size)
{
    uint8_t digits[TLS_CRYPT_V2_TEXT_MAX];
    size_t digit_count;
    bool ok =
        key_armor_take(text, label, digits, sizeof digits, &digit_count) &&
        text_from_base64(bytes_of(digits, digit_count), out, capacity, size);
    secret_wipe(digits, sizeof digits);
    return ok;
}

static bool format_text(struct bytes key, const char *label, char *out,
                        size_t capacity)
{
    char digits[TLS_CRYPT_V2_TEXT_MAX];
    struct writer w = writer_of(out, capacity);
    bool ok = text_to_base64(key, digits, sizeof digits);
    if (ok) {
        key_armor_write(&w, label, bytes_of_text(digits), DIGITS_PER_LINE);
        write_u8(&w, '\0');
    }
    secret_wipe(digits, sizeof digits);
    return ok && writer_ok(&w);
}

/* The last two bytes say how long it is. */
static bool is_wrapped_key(struct bytes wrapped)
{
    return wrapped.size >= TLS_CRYPT_V2_WRAPPED_MIN &&
           wrapped.size <= TLS_CRYPT_V2_WRAPPED_MAX &&
           load_u16(wrapped.data + wrapped.size - LENGTH_SIZE) == wrapped.size;
}

bool tls_crypt_v2_parse_client(struct bytes text,
                               struct tls_crypt_v2_client_key *out)
{
    uint8_t memory[CLIENT_KEY_MAX];
    size_t size = 0;
    bool ok = parse_text(text, CLIENT_LABEL, memory, sizeof memory, &size) &&
              size > STATIC_KEY_SIZE &&
              is_wrapped_key(
                  bytes_of(memory + STATIC_KEY_SIZE, size - STATIC_KEY_SIZE));
    if (ok) {
        *out = (struct tls_crypt_v2_client_key){
            .wrapped_size = (uint16_t)(size - STATIC_KEY_SIZE)};
        memcpy(out->key.bytes, memory, STATIC_KEY_SIZE);
        memcpy(out->wrapped, memory + STATIC_KEY_SIZE, out->wrapped_size);
    }
    secret_wipe(memory, sizeof memory);
    return ok;
}

bool tls_crypt_v2_parse_server(struct bytes text,
                               struct tls_crypt_v2_server_key *out)
{
    struct tls_crypt_v2_server_key key;
    size_t size = 0;
    bool ok =
        parse_text(text, SERVER_LABEL, key.bytes, sizeof key.bytes, &size) &&
        size == sizeof key.bytes;
    if (ok)
        *out = key;
    secret_wipe(&key, sizeof key);
    return ok;
}

bool tls_crypt_v2_format_client(const struct tls_crypt_v2_client_key *key,
                                char *out, size_t capacity)
{
    uint8_t memory[CLIENT_KEY_MAX];
    memcpy(memory, key->key.bytes, STATIC_KEY_SIZE);
    memcpy(memory + STATIC_KEY_SIZE, key->wrapped, key->wrapped_size);
    bool ok = format_text(
        bytes_of(memory, (size_t)STATIC_KEY_SIZE + key->wrapped_size),
        CLIENT_LABEL, out, capacity);
    secret_wipe(memory, sizeof memory);
    return ok;
}

bool tls_crypt_v2_format_server(const struct tls_crypt_v2_server_key *key,
                                char *out, size_t capacity)
{
    return format_text(bytes_of(key->bytes, sizeof key->bytes), SERVER_LABEL,
                       out, capacity);
}

/* Half of the file: the slices that a static key has for one direction. */
bool tls_crypt_v2_init(struct tls_crypt_key *prepared,
                       const struct tls_crypt_v2_server_key *key)
{
    return tls_crypt_key_init(prepared, key->bytes,
                              key->bytes + STATIC_KEY_SLICE);
}

bool tls_crypt_v2_wrap(struct tls_crypt_key *server,
                       const struct tls_crypt_v2_content *content,
                       struct tls_crypt_v2_client_key *out)
{
    assert(content->metadata_size <= TLS_CRYPT_V2_METADATA_MAX);
    size_t sealed_size = (size_t)STATIC_KEY_SIZE + content->metadata_size;
    uint16_t size = (uint16_t)(TLS_CRYPT_TAG_SIZE + sealed_size + LENGTH_SIZE);
    uint8_t length[LENGTH_SIZE];
    store_u16(length, size);

    *out = (struct tls_crypt_v2_client_key){.key = content->key,
                                            .wrapped_size = size};
    uint8_t *sealed = out->wrapped + TLS_CRYPT_TAG_SIZE;
    memcpy(sealed, content->key.bytes, STATIC_KEY_SIZE);
    memcpy(sealed + STATIC_KEY_SIZE, content->metadata, content->metadata_size);
    memcpy(sealed + sealed_size, length, LENGTH_SIZE);
    return tls_crypt_encrypt(server, bytes_of(length, LENGTH_SIZE), sealed,
                             sealed_size, out->wrapped);
}

bool tls_crypt_v2_unwrap(struct tls_crypt_key *server, struct bytes wrapped,
                         struct tls_crypt_v2_content *out)
{
    if (!is_wrapped_key(wrapped))
        return false;
    size_t sealed_size = wrapped.size - TLS_CRYPT_TAG_SIZE - LENGTH_SIZE;
    struct reader r = reader_of(wrapped);
    struct bytes tag = read_bytes(&r, TLS_CRYPT_TAG_SIZE);
    struct bytes sealed = read_bytes(&r, sealed_size);
    struct bytes length = read_rest(&r);

    uint8_t content[CONTENT_MAX];
    if (!tls_crypt_decrypt(server, length, sealed, tag.data, content))
        return false;
    *out = (struct tls_crypt_v2_content){
        .metadata_size = (uint16_t)(sealed_size - STATIC_KEY_SIZE)};
    memcpy(out->key.bytes, content, STATIC_KEY_SIZE);
    memcpy(out->metadata, content + STATIC_KEY_SIZE, out->metadata_size);
    secret_wipe(content, sizeof content);
    return true;
}

bool tls_crypt_v2_opcode(uint8_t opcode)
{
    return opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V3 ||
           opcode == OPCODE_CONTROL_WKC_V1;
}

bool tls_crypt_v2_split(struct bytes datagram, struct bytes *packet,
                        struct bytes *wrapped)
{
    if (datagram.size < CONTROL_HEADER_SIZE + TLS_CRYPT_V2_WRAPPED_MIN)
        return false;
    size_t length = load_u16(datagram.data + datagram.size - LENGTH_SIZE);
    if (length > datagram.size - CONTROL_HEADER_SIZE)
        return false;
    size_t rest = datagram.size - length;
    struct bytes key = bytes_of(datagram.data + rest, length);
    if (!is_wrapped_key(key))
        return false;
    *packet = bytes_of(datagram.data, rest);
    *wrapped = key;
    return true;
}
