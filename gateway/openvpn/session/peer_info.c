#include "gateway/openvpn/session/peer_info.h"

#include "gateway/base/text.h"
#include "gateway/openvpn/keys/cipher_names.h"

/* UV_ and the platform's version are told only on request: they identify. */
static void add_variables(struct writer *w, const struct config *config)
{
    for (size_t i = 0; i < config->peer_info_count; i++) {
        struct bytes entry = bytes_of_text(config->peer_info[i]);
        bool asked_for = text_starts_with(entry, "IV_GUI_VER=") ||
                         text_starts_with(entry, "IV_SSO=");
        if (!asked_for && !config->push_peer_info)
            continue;
        struct writer attempt = *w;
        text_write(&attempt, "%s\n", config->peer_info[i]);
        if (writer_ok(&attempt))
            *w = attempt;
    }
}

/* A profile may know better. */
static bool tells_sso(const struct config *config)
{
    for (size_t i = 0; i < config->peer_info_count; i++)
        if (text_starts_with(bytes_of_text(config->peer_info[i]), "IV_SSO="))
            return true;
    return false;
}

bool peer_info_format(const struct peer_info *p, const struct config *config,
                      char out[PEER_INFO_SIZE])
{
    struct writer w = writer_of(out, PEER_INFO_SIZE - 1);
    text_write(&w, "IV_VER=%s\n", p->version);
    text_write(&w, "IV_PLAT=linux\n");
    text_write(&w, "IV_TCPNL=1\n");
    text_write(&w, "IV_MTU=%d\n", PEER_INFO_MTU);
    /* How servers of 2.4 learn of the two GCM ciphers. */
    if (cipher_names_in_list(config->data_ciphers, "AES-128-GCM") &&
        cipher_names_in_list(config->data_ciphers, "AES-256-GCM"))
        text_write(&w, "IV_NCP=2\n");
    text_write(&w, "IV_CIPHERS=%s\n", config->data_ciphers);
    text_write(&w, "IV_PROTO=%u\n", p->protocol);
    if (p->lzo)
        text_write(&w, "IV_LZO=1\n");
    if (p->lz4)
        text_write(&w, "IV_LZ4=1\nIV_LZ4v2=1\n");
    text_write(&w, "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n");
    if (p->sso && !tells_sso(config))
        text_write(&w, "IV_SSO=%s\n", p->sso);
    if (!writer_ok(&w))
        return false;
    add_variables(&w, config);
    out[w.size] = '\0';
    return true;
}

bool peer_info_value(struct bytes text, const char *name, struct bytes *value)
{
    struct bytes rest = text, line, word;
    while (text_cut(&rest, '\n', &line)) {
        if (text_cut(&line, '=', &word) && text_equal(word, name) &&
            line.data) {
            *value = line;
            return true;
        }
    }
    return false;
}
