#include "gateway/vpn/protocols.h"

#include "gateway/openvpn/client/client_protocol.h"
#include "gateway/wireguard/client/wireguard_client.h"

static const struct protocol_kind *const kinds[] = {
    &client_protocol,
    &wireguard_client_kind,
};

const struct protocol_kind *protocols_find(struct bytes text)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i]->recognises(text))
            return kinds[i];
    }
    return kinds[0];
}
