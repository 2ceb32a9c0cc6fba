/*
 * Two WireGuard devices with a session, to which strangers speak. Whatever
 * they say: keys, window and endpoint stay, and the session goes on.
 *
 * Input: records of flags(1), size(1), bytes. The flags say to whom, and
 * whether the right mac1 or an index that is in use is put in.
 */
#include "gateway/wireguard/device.h"

#include "gateway/base/text.h"
#include "tests/fuzz/target.h"
#include "tests/wireguard/device_pair.h"

enum { TO_B = 1, STAMPED = 2, OF_SESSION = 4, OF_HANDSHAKE = 8 };

static void patch(const struct device_pair *p, unsigned to, uint8_t flags,
                  uint8_t *bytes, size_t size)
{
    const struct peer *peer = device_pair_peer(p, to);
    if (flags & OF_SESSION && size >= 8)
        store_u32(bytes + 4, __builtin_bswap32(peer->current->local_index));
    if (flags & OF_HANDSHAKE && size >= 12)
        store_u32(bytes + 8, __builtin_bswap32(peer->current->local_index));
    if (flags & STAMPED && size > 2 * WIRE_MAC_SIZE) {
        struct cookie_holder holder;
        cookie_holder_init(&holder, device_public_key(p->end[to].device));
        cookie_holder_stamp(&holder, p->now, bytes, size);
    }
}

static void speak(struct device_pair *p, uint8_t flags, struct bytes what)
{
    unsigned to = flags & TO_B ? PAIR_B : PAIR_A;
    struct endpoint stranger = {
        {.family = ADDRESS_IPV4, .bytes = {198, 51, 100, 7}}, 4444};
    const struct peer *peer = device_pair_peer(p, to);
    const struct keypair *current = peer->current;
    uint64_t highest = current->seen.highest;
    uint8_t bytes[256];
    memcpy(bytes, what.data, what.size);
    patch(p, to, flags, bytes, what.size);
    check(device_pair_arrive(p, to, &stranger, bytes_of(bytes, what.size)) !=
          DROP_NONE);
    device_pair_settle(p);
    check(peer->current == current && current->seen.highest == highest);
    check(!endpoint_equal(&peer->endpoint, &stranger));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    be_quiet();
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct reader r = reader_of(bytes_of(data, size));
    device_pair_connect(p);
    while (reader_ok(&r) && r.left > 2) {
        uint8_t flags = read_u8(&r);
        struct bytes what = read_bytes(&r, read_u8(&r));
        if (reader_ok(&r) && what.size)
            speak(p, flags, what);
    }
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        unsigned before = p->end[!end].received;
        check(device_pair_send(p, end, 100) == DROP_NONE);
        check(p->end[!end].received == before + 1);
    }
    device_pair_free(p);
    return 0;
}
