#include "gateway/uplink/proxy_http.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* A proxy's answer comes to the same as a whole and byte by byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct proxy proxy = {.kind = PROXY_HTTP,
                                       .host = "vpn.example.net",
                                       .port = 443,
                                       .username = "name",
                                       .password = "password"};
    static struct proxy_http whole, pieces;
    proxy_http_init(&whole, &proxy);
    proxy_http_init(&pieces, &proxy);
    size_t used = proxy_http_receive(&whole, bytes_of(data, size));
    size_t taken = 0;
    for (size_t i = 0; i < size; i++)
        taken += proxy_http_receive(&pieces, bytes_of(data + i, 1));
    if (used != taken || used > size ||
        whole.talk.progress != pieces.talk.progress ||
        strcmp(whole.talk.why, pieces.talk.why) != 0)
        abort();
    if (whole.talk.progress == PROXY_TALKING && used != size)
        abort();
    if (whole.talk.progress == PROXY_FAILED && whole.talk.why[0] == '\0')
        abort();
    /* Nobody learns from a log what a proxy put into it. */
    for (const char *c = whole.talk.why; *c; c++)
        if (*c < ' ' || *c > '~')
            abort();
    return 0;
}
