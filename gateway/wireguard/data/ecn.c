#include "gateway/wireguard/data/ecn.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

enum { MASK = 3, IPV6_SHIFT = 4 };

static bool is_ipv4(const uint8_t *inner)
{
    return inner[0] >> 4 == ADDRESS_IPV4;
}

static uint8_t inner_ecn(const uint8_t *inner)
{
    return is_ipv4(inner) ? inner[IPV4_TOS] & MASK
                          : inner[1] >> IPV6_SHIFT & MASK;
}

uint8_t ecn_outer(const uint8_t *inner)
{
    uint8_t ecn = inner_ecn(inner);
    return ecn == ECN_CE ? ECN_ECT_0 : ecn;
}

static void set_ecn(uint8_t *inner, uint8_t ecn)
{
    if (!is_ipv4(inner)) {
        inner[1] =
            (uint8_t)((inner[1] & ~(MASK << IPV6_SHIFT)) | ecn << IPV6_SHIFT);
        return;
    }
    uint16_t before = load_u16(inner);
    inner[IPV4_TOS] = (uint8_t)((inner[IPV4_TOS] & ~MASK) | ecn);
    uint16_t checksum = load_u16(inner + IPV4_CHECKSUM);
    store_u16(
        inner + IPV4_CHECKSUM,
        checksum_patch(checksum, checksum_change(before, load_u16(inner))));
}

void ecn_combine(uint8_t *inner, uint8_t outer)
{
    uint8_t ecn = inner_ecn(inner);
    if (ecn == ECN_NONE)
        return;
    if (outer == ECN_CE)
        set_ecn(inner, ECN_CE);
    else if (outer == ECN_ECT_1 && ecn == ECN_ECT_0)
        set_ecn(inner, ECN_ECT_1);
}
