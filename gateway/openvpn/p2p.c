#include "gateway/openvpn/p2p.h"

#include "gateway/base/text.h"
#include "gateway/openvpn/cipher_names.h"
#include "gateway/openvpn/peer_info.h"

uint32_t p2p_protocol(void)
{
    return PEER_INFO_DATA_V2 | PEER_INFO_TLS_KEY_EXPORT | PEER_INFO_NCP_P2P |
           PEER_INFO_CC_EXIT_NOTIFY | PEER_INFO_DYNAMIC_TLS_CRYPT;
}

static void choose_cipher(const struct config *config, struct bytes list,
                          char out[NEGOTIATED_CIPHER_SIZE])
{
    struct bytes name;
    while (text_cut(&list, ':', &name)) {
        const struct cipher_name *cipher = cipher_names_find(name);
        if (!cipher ||
            !cipher_names_in_list(config->data_ciphers, cipher->name))
            continue;
        (void)!text_copy(out, NEGOTIATED_CIPHER_SIZE,
                         bytes_of_text(cipher->name));
        return;
    }
}

void p2p_agree(const struct config *config, struct bytes peer_info,
               struct p2p *out)
{
    struct bytes value;
    uint32_t bits;
    *out = (struct p2p){.cipher = ""};
    if (!peer_info_value(peer_info, "IV_PROTO", &value) ||
        !text_to_u32(value, UINT32_MAX, &bits) || !(bits & PEER_INFO_NCP_P2P))
        return;
    out->data_v2 = bits & PEER_INFO_DATA_V2;
    out->key_export = bits & PEER_INFO_TLS_KEY_EXPORT;
    out->dynamic_tls_crypt = bits & PEER_INFO_DYNAMIC_TLS_CRYPT;
    out->cc_exit = bits & PEER_INFO_CC_EXIT_NOTIFY;
    if (peer_info_value(peer_info, "IV_CIPHERS", &value))
        choose_cipher(config, value, out->cipher);
}
