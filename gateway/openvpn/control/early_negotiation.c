#include "gateway/openvpn/control/early_negotiation.h"

bool early_negotiation_parse(struct bytes payload,
                             struct early_negotiation *out)
{
    struct early_negotiation said = {0};
    struct reader r = reader_of(payload);

    while (r.left > 0) {
        uint16_t type = read_u16(&r);
        struct reader value = read_sub(&r, read_u16(&r));
        if (type != EARLY_NEGOTIATION_FLAGS)
            continue;
        uint16_t flags = read_u16(&value);
        if (!reader_finished(&value))
            return false;
        said.resend_wkc |= (flags & EARLY_NEGOTIATION_FLAG_RESEND_WKC) != 0;
    }
    if (!reader_ok(&r))
        return false;
    *out = said;
    return true;
}

void early_negotiation_write(struct writer *w,
                             const struct early_negotiation *said)
{
    if (!said->resend_wkc)
        return;
    write_u16(w, EARLY_NEGOTIATION_FLAGS);
    write_u16(w, sizeof(uint16_t));
    write_u16(w, EARLY_NEGOTIATION_FLAG_RESEND_WKC);
}
