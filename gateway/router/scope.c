#include "gateway/router/scope.h"

bool scope_is_link(const struct ip_packet *ip)
{
    const uint8_t *to = ip_destination(ip);
    if (ip->family == ADDRESS_IPV4)
        return load_u32(to) == UINT32_MAX || load_u32(to) >> 8 == 0xe00000;
    return to[0] == 0xff && ((to[1] & 0xf) == 1 || (to[1] & 0xf) == 2);
}

bool scope_needs_no_address(const struct ip_packet *ip)
{
    static const uint8_t unspecified[16];
    const uint8_t *from = ip_source(ip);
    if (memcmp(from, unspecified, ip_address_size(ip)) == 0)
        return true;
    if (ip->family == ADDRESS_IPV4)
        return load_u16(from) == 0xa9fe; /* 169.254/16 */
    return (load_u16(from) & 0xffc0) == 0xfe80;
}

bool scope_is_martian(const struct address *a)
{
    const uint8_t *b = a->bytes;
    if (a->family == ADDRESS_IPV4)
        return b[0] == 0 || b[0] == 127 || b[0] >= 224 ||
               (b[0] == 169 && b[1] == 254);
    static const uint8_t zeroes[15], mapped[12] = {[10] = 0xff, 0xff};
    return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           memcmp(b, mapped, sizeof mapped) == 0 ||
           (memcmp(b, zeroes, sizeof zeroes) == 0 && b[15] <= 1);
}
