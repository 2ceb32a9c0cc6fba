#include "gateway/uplink/proxy_socks.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

static void talk_with(const struct proxy *proxy, const uint8_t *data,
                      size_t size)
{
    static struct proxy_socks whole, pieces;
    proxy_socks_init(&whole, proxy, PROXY_SOCKS_UDP_ASSOCIATE);
    proxy_socks_init(&pieces, proxy, PROXY_SOCKS_UDP_ASSOCIATE);
    size_t used = proxy_socks_receive(&whole, bytes_of(data, size));
    size_t taken = 0;
    for (size_t i = 0; i < size; i++)
        taken += proxy_socks_receive(&pieces, bytes_of(data + i, 1));
    if (used != taken || whole.talk.progress != pieces.talk.progress ||
        whole.talk.out.failed || whole.talk.out.size > 64 ||
        strcmp(whole.talk.why, pieces.talk.why) != 0 ||
        !endpoint_equal(&whole.bound, &pieces.bound))
        abort();
    if (whole.talk.progress == PROXY_TALKING && used != size)
        abort();
    if (whole.talk.progress == PROXY_FAILED && whole.talk.why[0] == '\0')
        abort();
}

/* The input is a proxy's answers, and a datagram of its relay. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct proxy open = {
        .kind = PROXY_SOCKS, .host = "vpn.example.net", .port = 443};
    static const struct proxy closed = {.kind = PROXY_SOCKS,
                                        .host = "192.0.2.1",
                                        .port = 443,
                                        .username = "name",
                                        .password = "password"};
    talk_with(&open, data, size);
    talk_with(&closed, data, size);

    struct endpoint source;
    struct bytes payload;
    if (proxy_socks_parse(bytes_of(data, size), &source, &payload) &&
        (payload.size == 0 || payload.data + payload.size != data + size ||
         payload.data < data + 7))
        abort();
    return 0;
}
