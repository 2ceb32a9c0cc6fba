#include "gateway/openvpn/session/options_string.h"

#include "gateway/base/text.h"
#include "gateway/crypto/digest.h"
#include "gateway/openvpn/keys/cipher_names.h"

struct options_string options_string_of(const struct config *config,
                                        const struct config_remote *remote)
{
    return (struct options_string){
        .protocol = remote->protocol,
        .socks = remote->proxy.kind == CONFIG_PROXY_SOCKS &&
                 remote->protocol == CONFIG_UDP,
        .tun_mtu = remote->tun_mtu,
        .compression = config->compression,
        .fragment = remote->fragment > 0,
        .tls_auth = remote->wrap == CONFIG_WRAP_TLS_AUTH,
        .key_direction =
            remote->wrap == CONFIG_WRAP_TLS_AUTH ? remote->key_direction : -1,
        /* A fallback is what an old server has to be like. */
        .cipher = config->data_ciphers_fallback[0]
                      ? config->data_ciphers_fallback
                      : config->cipher,
        .data_ciphers = config->data_ciphers,
        .auth = config->auth,
    };
}

/* link-mtu as OpenVPN 2.4 counted it, IV and block of AEAD ciphers included
 * although they are not on the wire. */
static unsigned link_mtu(const struct options_string *o,
                         const struct cipher_name *cipher, size_t digest_size)
{
    enum {
        OPCODE = 1,
        PACKET_ID = 4,
        AEAD_TAG = 16,
        SOCKS_HEADER = 10,
        TCP_LENGTH = 2,
        FRAGMENT = 4,
    };
    size_t size = (size_t)o->tun_mtu + OPCODE + PACKET_ID;
    if (o->compression == CONFIG_COMPRESSION_LZO ||
        o->compression == CONFIG_COMPRESSION_STUB)
        size += 1;
    if (o->fragment)
        size += FRAGMENT;
    if (o->socks)
        size += SOCKS_HEADER;
    if (o->protocol == CONFIG_TCP)
        size += TCP_LENGTH;
    size += (size_t)cipher->iv + cipher->block;
    size += cipher->class == CIPHER_AEAD ? AEAD_TAG : digest_size;
    return (unsigned)size;
}

static const char *protocol_name(const struct options_string *o)
{
    if (o->protocol == CONFIG_UDP)
        return "UDPv4";
    return o->server ? "TCPv4_SERVER" : "TCPv4_CLIENT";
}

bool options_string_format(const struct options_string *o,
                           char out[OPTIONS_STRING_SIZE])
{
    const char *name = o->cipher[0] ? o->cipher : "BF-CBC";
    const struct cipher_name *cipher = cipher_names_find(bytes_of_text(name));
    size_t digest_size = 0;
    const char *digest = digest_find(bytes_of_text(o->auth), &digest_size);
    if (!cipher || !digest)
        return false;

    struct writer w = writer_of(out, OPTIONS_STRING_SIZE - 1);
    text_write(&w, "V4,dev-type tun,link-mtu %u,tun-mtu %u,proto %s",
               link_mtu(o, cipher, digest_size), o->tun_mtu, protocol_name(o));
    if (o->compression != CONFIG_COMPRESSION_NONE)
        text_write(&w, ",comp-lzo");
    if (o->fragment)
        text_write(&w, ",mtu-dynamic");
    if (o->key_direction >= 0)
        text_write(&w, ",keydir %d", o->key_direction);
    if (cipher_names_in_list(o->data_ciphers, cipher->name))
        text_write(&w, ",cipher %s", cipher->name);
    bool no_digest = cipher->class == CIPHER_AEAD || digest_size == 0;
    text_write(&w, ",auth %s", no_digest ? "[null-digest]" : digest);
    text_write(&w, ",keysize %u", cipher->key_bits);
    if (o->tls_auth)
        text_write(&w, ",tls-auth");
    text_write(&w, ",key-method 2,%s", o->server ? "tls-server" : "tls-client");
    out[w.size] = '\0';
    return writer_ok(&w);
}

bool options_string_has(struct bytes text, const char *name)
{
    struct bytes rest = text, part;
    while (text_cut(&rest, ',', &part))
        if (text_equal(part, name))
            return true;
    return false;
}

bool options_string_value(struct bytes text, const char *name, char *out,
                          size_t out_size)
{
    struct bytes rest = text, part, word;
    while (text_cut(&rest, ',', &part)) {
        if (text_cut(&part, ' ', &word) && text_equal(word, name) &&
            part.size > 0)
            return text_copy(out, out_size, part);
    }
    return false;
}
