#include "gateway/openvpn/session/peer_info.h"

#include <string.h>

#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/control/early_negotiation.h"
#include "gateway/openvpn/control/tls_crypt_v2.h"
#include "gateway/openvpn/session/options_string.h"
#include "gateway/openvpn/session/peer_agreement.h"
#include "tests/fuzz/target.h"

/* A peer's words about itself before and beside TLS: its peer info, its options
 * string, and what follows a first packet. The first byte says which. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static bool made;
    struct peer_agreement agreement;
    struct bytes value, key, rest;
    struct early_negotiation early;
    char cipher[32];
    if (!made)
        config_init(&config);
    made = true;
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    struct bytes text = bytes_of(copy, size - 1);
    switch (data[0] % 4) {
    case 0:
        if (peer_info_value(text, "IV_PROTO", &value))
            check(value.size < text.size);
        break;
    case 1:
        (void)options_string_value(text, "cipher", cipher, sizeof cipher);
        break;
    case 2:
        peer_agreement_agree(&config, text, &agreement);
        break;
    default:
        if (text.size > 0 && tls_crypt_v2_split(text, &key, &rest))
            check(key.size + rest.size == text.size);
        (void)early_negotiation_parse(text, &early);
        break;
    }
    free(copy);
    return 0;
}
