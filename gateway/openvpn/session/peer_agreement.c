#include "gateway/openvpn/session/peer_agreement.h"

#include "gateway/base/text.h"
#include "gateway/openvpn/keys/cipher_names.h"
#include "gateway/openvpn/session/peer_info.h"

uint32_t peer_agreement_protocol(void)
{
    return PEER_INFO_DATA_V2 | PEER_INFO_TLS_KEY_EXPORT | PEER_INFO_NCP_P2P |
           PEER_INFO_CC_EXIT_NOTIFY | PEER_INFO_DYNAMIC_TLS_CRYPT;
}

static void choose_cipher(const struct config *config, struct bytes list,
                          char out[DATA_NEGOTIATION_CIPHER_SIZE])
{
    struct bytes name;
    while (text_cut(&list, ':', &name)) {
        const struct cipher_name *cipher = cipher_names_find(name);
        if (!cipher ||
            !cipher_names_in_list(config->data_ciphers, cipher->name))
            continue;
        (void)!text_copy(out, DATA_NEGOTIATION_CIPHER_SIZE,
                         bytes_of_text(cipher->name));
        return;
    }
}

void peer_agreement_agree(const struct config *config, struct bytes peer_info,
                          struct peer_agreement *out)
{
    struct bytes value;
    uint32_t bits;
    *out = (struct peer_agreement){.cipher = ""};
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
