#include "gateway/openvpn/session/key_exchange.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* A message that was read is written, and reads as the same. The first byte
 * says whose message it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 17];
    struct key_exchange first, second;
    if (size == 0)
        return 0;
    enum openvpn_role role = data[0] & 1 ? OPENVPN_SERVER : OPENVPN_CLIENT;
    if (!key_exchange_parse(bytes_of(data + 1, size - 1), role, &first))
        return 0;
    struct writer w = writer_of(memory, sizeof memory);
    key_exchange_write(&w, role, &first);
    if (!writer_ok(&w) ||
        !key_exchange_parse(writer_bytes(&w), role, &second) ||
        memcmp(&first.source, &second.source, sizeof first.source) != 0 ||
        !bytes_equal(first.options, second.options) ||
        !bytes_equal(first.username, second.username) ||
        !bytes_equal(first.password, second.password) ||
        !bytes_equal(first.peer_info, second.peer_info))
        abort();
    return 0;
}
