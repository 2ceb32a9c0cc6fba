#include "gateway/router/dns_message.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* The input answers a question for one of a few names, or tries to. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.b", "www.example.org", "x"};
    uint8_t query[DNS_MESSAGE_QUERY_MAX];
    if (size < 3)
        return 0;
    enum address_family family = data[0] & 1 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    size_t query_size =
        dns_message_query(query, names[data[0] / 2 % 3], family, 0x1234);
    uint8_t *message = malloc(size);
    size_t message_size = size - 1;
    memcpy(message, data + 1, message_size);
    /* The number and the question are mended, or little would be reached. */
    if (message_size >= query_size && data[0] & 128) {
        uint8_t flags[10];
        memcpy(flags, message + 2, sizeof flags);
        memcpy(message, query, query_size);
        memcpy(message + 2, flags, sizeof flags);
        message[2] |= 0x80;
        store_u16(message + 4, 1);
    }
    struct dns_message_answer answer;
    if (dns_message_parse(bytes_of(message, message_size),
                          bytes_of(query, query_size), family, &answer)) {
        if (answer.count > DNS_MESSAGE_ADDRESSES_MAX)
            abort();
        if (answer.outcome == DNS_MESSAGE_ADDRESSES && answer.count == 0)
            abort();
        for (size_t i = 0; i < answer.count; i++)
            if (answer.addresses[i].family != family)
                abort();
    }
    free(message);
    return 0;
}
