#include "gateway/openvpn/session/keepalive.h"

/* Random once, so that no packet looks like it (openvpn: ping.c). */
static const uint8_t ping[KEEPALIVE_PING_SIZE] = {
    0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
    0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48,
};

void keepalive_init(struct keepalive *k, struct instant now,
                    uint32_t ping_seconds, uint32_t timeout_seconds)
{
    *k = (struct keepalive){
        .ping = duration_seconds(ping_seconds),
        .timeout = duration_seconds(timeout_seconds),
        .last_sent = now,
        .last_received = now,
    };
}

static struct instant after(struct instant last, struct duration pause)
{
    return pause.us ? instant_after(last, pause) : INSTANT_NEVER;
}

bool keepalive_ping_due(const struct keepalive *k, struct instant now)
{
    return instant_reached(now, after(k->last_sent, k->ping));
}

bool keepalive_timed_out(const struct keepalive *k, struct instant now)
{
    return instant_reached(now, after(k->last_received, k->timeout));
}

struct instant keepalive_deadline(const struct keepalive *k)
{
    return instant_earlier(after(k->last_sent, k->ping),
                           after(k->last_received, k->timeout));
}

bool keepalive_is_ping(struct bytes inner)
{
    return bytes_equal(inner, bytes_of(ping, sizeof ping));
}

void keepalive_write_ping(uint8_t out[KEEPALIVE_PING_SIZE])
{
    memcpy(out, ping, sizeof ping);
}
