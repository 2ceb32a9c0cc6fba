#include "gateway/link/ethernet.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ethernet_header header;
    struct bytes payload;
    uint8_t written[ETHERNET_HEADER_SIZE];
    if (!ethernet_parse(bytes_of(data, size), &header, &payload))
        return 0;
    ethernet_write(written, &header);
    if (memcmp(written, data, sizeof written) != 0 ||
        payload.size != size - sizeof written)
        abort();
    return 0;
}
