#include "tests/wireguard/device_pair.h"

#include "gateway/crypto/noise/x25519.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

static void random_of(void *context, uint8_t *out, size_t size)
{
    struct device_end *end = context;
    craft_fill(&end->random, out, size);
}

static struct device_pair *running; /* whose clock the devices are told */

static int64_t wall_clock(void *context)
{
    (void)context;
    return running->wall + running->now.us * 1000;
}

static void open_end(struct device_pair *p, unsigned number,
                     const uint8_t *private_key)
{
    struct device_end *end = &p->end[number];
    struct device_options options = {
        .private_key = private_key,
        .peers_max = 4,
        .mtu = DEVICE_PAIR_MTU,
        .library = AEAD_PORTABLE,
    };
    end->random = 77 + number;
    struct device_env env = {end, random_of, wall_clock, &end->latest_stamp};
    end->device = device_new(&options, &env);
    assert_non_null(end->device);
    end->place.address =
        craft_address(number == PAIR_A ? "192.0.2.1" : "192.0.2.2");
    end->place.port = 51820;
    end->inner = craft_address(number == PAIR_A ? "10.0.0.1" : "10.0.0.2");
}

static void introduce(struct device_pair *p, unsigned number,
                      const uint8_t *psk, uint16_t keepalive)
{
    struct device_end *end = &p->end[number], *other = &p->end[!number];
    struct prefix prefix = prefix_of(&other->inner, 32);
    assert_int_equal(device_add_peer(end->device,
                                     device_public_key(other->device), psk,
                                     keepalive),
                     0);
    assert_true(device_allow(end->device, 0, &prefix));
    device_set_endpoint(end->device, 0, &other->place);
}

struct device_pair *device_pair_new(const uint8_t *psk_a, const uint8_t *psk_b,
                                    uint16_t keepalive)
{
    static const uint8_t keys[2][WIRE_KEY_SIZE] = {{1, 2, 3}, {4, 5, 6}};
    struct device_pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    running = p;
    p->now = (struct instant){1000000000};
    p->wall = INT64_C(1767225600) * 1000000000;
    open_end(p, PAIR_A, keys[PAIR_A]);
    open_end(p, PAIR_B, keys[PAIR_B]);
    introduce(p, PAIR_A, psk_a, keepalive);
    introduce(p, PAIR_B, psk_b, 0);
    return p;
}

void device_pair_free(struct device_pair *p)
{
    device_free(p->end[PAIR_A].device);
    device_free(p->end[PAIR_B].device);
    free(p);
}

static void note(struct device_pair *p, unsigned from, uint8_t tos,
                 struct bytes bytes)
{
    assert_true(p->log_count < DEVICE_PAIR_LOG_MAX);
    uint8_t type = (uint8_t)wire_type_of(bytes);
    p->log[p->log_count++] = (struct device_pair_entry){
        p->now, (uint8_t)from, type, tos, (uint16_t)bytes.size};
    if (type == WIRE_DATA && bytes.size <= sizeof p->last_data[0]) {
        memcpy(p->last_data[from], bytes.data, bytes.size);
        p->last_data_size[from] = (uint16_t)bytes.size;
    } else if (type != WIRE_DATA) {
        memcpy(p->last_message[from], bytes.data, bytes.size);
    }
}

enum drop device_pair_arrive(struct device_pair *p, unsigned to,
                             const struct endpoint *from, struct bytes bytes)
{
    struct device_end *end = &p->end[to];
    static struct burst burst;
    uint8_t *copy = exact_copy(bytes.data, bytes.size);
    burst_reset(&burst);
    burst.source = *from;
    assert_true(burst_add_view(&burst, copy, (uint16_t)bytes.size));
    device_open(end->device, p->now, &burst);
    const struct datagram *d = &burst.datagrams[0];
    if (d->drop == DROP_NONE && d->inner_size > 0) {
        end->received++;
        end->last_size = d->inner_size;
        memcpy(end->last, d->data + d->inner_offset, d->inner_size);
    }
    enum drop drop = (enum drop)d->drop;
    free(copy);
    return drop;
}

static void carry(struct device_pair *p, unsigned from, uint8_t tos,
                  struct bytes bytes)
{
    note(p, from, tos, bytes);
    if (!p->pass || p->pass(p, from, bytes))
        (void)device_pair_arrive(p, !from, &p->end[from].place, bytes);
}

static bool speak(struct device_pair *p, unsigned from)
{
    struct device_send send;
    bool any = false;
    while (device_poll(p->end[from].device, p->now, &send)) {
        any = true;
        carry(p, from, send.tos, send.bytes);
    }
    return any;
}

void device_pair_settle(struct device_pair *p)
{
    running = p;
    bool any = true;
    while (any) {
        any = speak(p, PAIR_A);
        any = speak(p, PAIR_B) || any;
    }
}

void device_pair_wait(struct device_pair *p, int64_t milliseconds)
{
    struct instant end =
        instant_after(p->now, duration_milliseconds(milliseconds));
    for (;;) {
        device_pair_settle(p);
        struct instant next =
            instant_earlier(device_deadline(p->end[PAIR_A].device),
                            device_deadline(p->end[PAIR_B].device));
        if (!instant_before(next, end))
            break;
        if (instant_before(p->now, next))
            p->now = next;
        device_expire(p->end[PAIR_A].device, p->now);
        device_expire(p->end[PAIR_B].device, p->now);
    }
    p->now = end;
    device_expire(p->end[PAIR_A].device, p->now);
    device_expire(p->end[PAIR_B].device, p->now);
    device_pair_settle(p);
}

enum drop device_pair_send(struct device_pair *p, unsigned from, uint16_t size)
{
    struct device_end *end = &p->end[from];
    struct burst_layout layout = device_layout(end->device);
    struct craft craft = {
        .source = end->inner,
        .destination = p->end[!from].inner,
        .protocol = 17,
        .source_port = 1000,
        .destination_port = 2000,
        .ttl = 64,
    };
    uint8_t payload[1500] = {0}, packet[1600];
    assert_true(size >= 28 && size <= sizeof payload);
    craft.payload = bytes_of(payload, size - 28U);
    size_t total = craft_write(&craft, packet);
    struct burst burst;
    assert_true(burst_init(&burst, 2000));
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)total);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, packet, total);
    running = p;
    device_seal(end->device, p->now, &burst);
    enum drop drop = (enum drop)d->drop;
    if (drop == DROP_NONE)
        carry(p, from, d->ecn, bytes_of(d->data, d->size));
    burst_clear(&burst);
    device_pair_settle(p);
    return drop;
}

void device_pair_connect(struct device_pair *p)
{
    unsigned before = p->end[PAIR_B].received;
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_int_equal(p->end[PAIR_B].received, before + 1);
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_NONE);
}

static bool matches(const struct device_pair_entry *e, unsigned from,
                    enum wire_type type)
{
    return e->from == from && e->type == type;
}

unsigned device_pair_count(const struct device_pair *p, unsigned first,
                           unsigned from, enum wire_type type)
{
    unsigned count = 0;
    for (unsigned i = first; i < p->log_count; i++)
        count += matches(&p->log[i], from, type);
    return count;
}

int64_t device_pair_when(const struct device_pair *p, unsigned first,
                         unsigned from, enum wire_type type, unsigned n,
                         struct instant since)
{
    for (unsigned i = first; i < p->log_count; i++)
        if (matches(&p->log[i], from, type) && n-- == 0)
            return instant_since(p->log[i].at, since).us / 1000;
    return -1;
}

const struct peer *device_pair_peer(const struct device_pair *p, unsigned end)
{
    return device_peer(p->end[end].device, 0);
}
