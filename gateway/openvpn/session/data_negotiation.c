#include "gateway/openvpn/session/data_negotiation.h"

#include "gateway/base/text.h"
#include "gateway/openvpn/data/data_channel.h"
#include "gateway/openvpn/keys/cipher_names.h"

enum {
    MSSFIX_DEFAULT = 1492, /* with the outer headers: room for PPPoE */
    INNER_LEAST = 576,     /* below that nothing sensible is left */
};

/* A cipher that the data channel can do, by name. */
static bool have(const char *name)
{
    struct data_channel_options unused = {.role = OPENVPN_CLIENT};
    return data_channel_choose(&unused, name);
}

bool data_negotiation_cipher(const struct config *config, const char *pushed,
                             const char *peer_cipher,
                             char out[DATA_NEGOTIATION_CIPHER_SIZE])
{
    const char *fallback = config->data_ciphers_fallback;
    const char *wanted = pushed[0] ? pushed : peer_cipher;
    bool allowed = cipher_names_in_list(config->data_ciphers, wanted) ||
                   text_equal_ignoring_case(bytes_of_text(wanted), fallback);
    if (!wanted[0]) {
        wanted = fallback;
        allowed = fallback[0] != 0;
    }
    return allowed &&
           text_copy(out, DATA_NEGOTIATION_CIPHER_SIZE,
                     bytes_of_text(wanted)) &&
           have(out);
}

uint16_t data_negotiation_fragment(const struct config_remote *remote,
                                   uint16_t outer_overhead)
{
    uint16_t outer = remote->fragment_with_outer ? outer_overhead : 0;
    if (remote->fragment == 0)
        return 0;
    return remote->fragment > outer ? (uint16_t)(remote->fragment - outer) : 1;
}

/* No datagram of this layout is larger than `sealed` bytes. */
static bool all_fit(const struct burst_layout *layout, uint32_t sealed)
{
    return layout->cut > layout->extra &&
           burst_sealed_size(layout, (uint32_t)layout->cut - layout->extra) <=
               sealed;
}

uint16_t data_negotiation_path_mtu(const struct burst_layout *layout,
                                   uint16_t outer_overhead, uint16_t outer_mtu)
{
    if (outer_mtu <= outer_overhead ||
        all_fit(layout, (uint32_t)outer_mtu - outer_overhead))
        return 0;
    uint32_t inner =
        burst_inner_size(layout, (uint32_t)outer_mtu - outer_overhead);
    return (uint16_t)(inner > INNER_LEAST ? inner : INNER_LEAST);
}

uint16_t data_negotiation_mss_mtu(const struct config_remote *remote,
                                  const struct burst_layout *layout,
                                  uint16_t tun_mtu, uint16_t outer_overhead,
                                  uint16_t outer_mtu)
{
    uint32_t limit = tun_mtu;
    uint32_t sealed = 0; /* a datagram without its outer headers; 0: any */
    if (remote->mssfix == 0)
        return tun_mtu;
    if (remote->mssfix < 0 && tun_mtu == TUNNEL_MTU_DEFAULT)
        sealed = MSSFIX_DEFAULT - outer_overhead;
    else if (remote->mssfix > 0 && remote->mssfix_fixed)
        limit = (uint32_t)remote->mssfix;
    else if (remote->mssfix > 0)
        sealed = (uint32_t)remote->mssfix -
                 (remote->mssfix_with_outer ? outer_overhead : 0);
    uint32_t path = outer_mtu > outer_overhead ? outer_mtu - outer_overhead : 0;
    if (path && (sealed == 0 || sealed > path))
        sealed = path;
    if (sealed > UINT16_MAX) /* mssfix below the outer headers */
        sealed = INNER_LEAST;
    if (sealed && burst_inner_size(layout, sealed) < limit)
        limit = burst_inner_size(layout, sealed);
    /* mssfix without a number: segments need not be cut (openvpn: options.c).
     */
    if (remote->mssfix < 0 && layout->cut > layout->extra &&
        (uint32_t)layout->cut - layout->extra < limit)
        limit = (uint32_t)layout->cut - layout->extra;
    if (limit < INNER_LEAST)
        limit = INNER_LEAST;
    return (uint16_t)(limit < tun_mtu ? limit : tun_mtu);
}
