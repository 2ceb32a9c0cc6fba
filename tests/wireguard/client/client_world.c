#include "tests/wireguard/client/client_world.h"

#include <stdio.h>

#include "gateway/packet/ip_packet.h"
#include "gateway/wireguard/client/wireguard_client.h"
#include "gateway/wireguard/profile/conf_key.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

static const uint8_t client_key[WIRE_KEY_SIZE] = {0x10, 1, 2, [31] = 0x40};
static const uint8_t server_key[WIRE_KEY_SIZE] = {0x20, 3, 4, [31] = 0x41};

static void random_of(void *context, uint8_t *out, size_t size)
{
    struct client_world *w = context;
    craft_fill(&w->random, out, size);
}

static int64_t wall_clock(void *context)
{
    const struct client_world *w = context;
    return w->wall + w->now.us * 1000;
}

/* --- Opening ------------------------------------------------------------- */

static const char usual[] = "[Interface]\nPrivateKey = %C\n"
                            "Address = 10.64.0.9/32\nDNS = 10.64.0.1\n"
                            "[Peer]\nPublicKey = %S\n"
                            "AllowedIPs = 0.0.0.0/0\n"
                            "Endpoint = 192.0.2.2:51820\n";

static void fill_in(const char *from, char *out, size_t size)
{
    struct identity server;
    char c[CONF_KEY_TEXT_SIZE], s[CONF_KEY_TEXT_SIZE];
    handshake_identity_init(&server, server_key);
    conf_key_write(client_key, c);
    conf_key_write(server.public_key, s);
    struct writer w = writer_of(out, size - 1);
    for (; *from; from++) {
        if (from[0] == '%' && (from[1] == 'C' || from[1] == 'S')) {
            write_bytes(&w, bytes_of_text(from[1] == 'C' ? c : s));
            from++;
        } else {
            write_u8(&w, (uint8_t)*from);
        }
    }
    assert_true(writer_ok(&w));
    out[w.size] = 0;
}

static void report(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    (void)context;
    if (severity == PROTOCOL_ERROR)
        fail_msg("%u: %s", line, text);
}

static void open_server(struct client_world *w, const uint8_t *psk)
{
    struct device_options options = {server_key, 2, 1420, AEAD_PORTABLE};
    struct device_env env = {w, random_of, wall_clock, &w->stamps[1]};
    struct identity client;
    struct prefix all = {.address.family = ADDRESS_IPV4};
    handshake_identity_init(&client, client_key);
    w->server = device_new(&options, &env);
    assert_non_null(w->server);
    assert_int_equal(device_add_peer(w->server, client.public_key, psk, 0), 0);
    assert_true(device_allow(w->server, 0, &all));
}

void client_world_open(struct client_world *w, const char *profile,
                       const uint8_t *server_psk)
{
    char text[4096], why[PROTOCOL_WHY_SIZE];
    bool good;
    *w = (struct client_world){
        .now = {1000000000},
        .wall = INT64_C(1798000000) * 1000000000,
        .random = 7,
        .server_place = {craft_address("192.0.2.2"), 51820},
    };
    const struct protocol_kind *kind = &wireguard_client_kind;
    struct protocol_reader reader = {w, report, NULL};
    struct protocol_env env = {w, random_of, wall_clock, &w->stamps[0]};
    fill_in(profile ? profile : usual, text, sizeof text);
    struct protocol_profile *p =
        kind->read(bytes_of_text(text), "x.conf", &reader, &good);
    assert_true(p && good);
    w->client = kind->make(p, &env, why);
    assert_non_null(w->client);
    open_server(w, server_psk);
}

void client_world_close(struct client_world *w)
{
    w->client->kind->free(w->client);
    device_free(w->server);
}

/* --- The network --------------------------------------------------------- */

static void to_client(struct client_world *w, struct bytes bytes)
{
    static struct burst burst;
    if (w->mute || !w->uplink_open)
        return;
    uint8_t *copy = exact_copy(bytes.data, bytes.size);
    burst_reset(&burst);
    burst.source = w->server_place;
    assert_true(burst_add_view(&burst, copy, (uint16_t)bytes.size));
    w->client->kind->open(w->client, w->now, &burst);
    if (burst.datagrams[0].drop == DROP_NONE && burst.datagrams[0].inner_size)
        w->handed_on++;
    free(copy);
}

/* The answer of the resolver inside to a question. */
static void answer(struct client_world *w, uint8_t *packet, size_t size)
{
    uint8_t address[4], port[2];
    memcpy(address, packet + IPV4_SOURCE, 4);
    memcpy(packet + IPV4_SOURCE, packet + IPV4_DESTINATION, 4);
    memcpy(packet + IPV4_DESTINATION, address, 4);
    uint8_t *udp = packet + IPV4_HEADER_SIZE;
    memcpy(port, udp, 2);
    memcpy(udp, udp + 2, 2);
    memcpy(udp + 2, port, 2);
    udp[UDP_HEADER_SIZE + 2] |= 0x80;
    (void)device_put(w->server, w->now, bytes_of(packet, size));
}

static void to_server(struct client_world *w, struct bytes bytes)
{
    static struct burst burst;
    uint8_t *copy = exact_copy(bytes.data, bytes.size);
    burst_reset(&burst);
    burst.source = (struct endpoint){craft_address("198.51.100.9"), 4321};
    assert_true(burst_add_view(&burst, copy, (uint16_t)bytes.size));
    device_open(w->server, w->now, &burst);
    const struct datagram *d = &burst.datagrams[0];
    uint8_t *inner = d->data + d->inner_offset;
    if (d->drop == DROP_NONE && d->inner_size > 28 &&
        load_u16(inner + IPV4_HEADER_SIZE + 2) == 53) {
        assert_true(craft_checksums_right(inner, d->inner_size));
        w->questions++;
        if (!w->dead_inside)
            answer(w, inner, d->inner_size);
    }
    free(copy);
}

static void carry(struct client_world *w, unsigned endpoint, uint8_t tos,
                  struct bytes bytes)
{
    assert_true(w->uplink_open && w->sent_count < CLIENT_WORLD_SENT_MAX);
    w->sent[w->sent_count].at = w->now;
    w->sent[w->sent_count].to = w->aims[endpoint];
    w->sent[w->sent_count].tos = tos;
    w->sent[w->sent_count++].type = bytes.data[0];
    if (!w->mute && endpoint_equal(&w->aims[endpoint], &w->server_place))
        to_server(w, bytes);
}

/* --- Performing ---------------------------------------------------------- */

static void resolve(struct client_world *w, const struct protocol_action *a)
{
    w->resolves++;
    snprintf(w->last_name, sizeof w->last_name, "%s", a->server->host);
    w->client->kind->resolved(w->client, w->now, a->endpoint, w->names,
                              w->name_count, "the name is not known");
}

static void open_uplink(struct client_world *w, const struct protocol_action *a)
{
    w->connects++;
    assert_true(a->server->moves);
    w->aims[a->endpoint] = a->to;
    w->uplink_open = !w->no_uplink;
    if (w->no_uplink)
        w->client->kind->failed(w->client, w->now, "no network");
    else
        w->client->kind->connected(w->client, w->now, 28, 1500);
}

static void perform(struct client_world *w, const struct protocol_action *a)
{
    switch (a->type) {
    case PROTOCOL_ACTION_RESOLVE:
        resolve(w, a);
        break;
    case PROTOCOL_ACTION_CONNECT:
        open_uplink(w, a);
        break;
    case PROTOCOL_ACTION_AIM:
        w->aim_count++;
        w->aims[a->endpoint] = a->to;
        break;
    case PROTOCOL_ACTION_SEND:
        carry(w, a->endpoint, a->tos, a->bytes);
        break;
    case PROTOCOL_ACTION_DISCONNECT:
        w->disconnects++;
        w->uplink_open = false;
        break;
    case PROTOCOL_ACTION_UP:
        w->ups++;
        w->up = true;
        w->tunnel = *a->tunnel;
        break;
    case PROTOCOL_ACTION_DOWN:
        w->downs++;
        w->up = false;
        snprintf(w->last_down, sizeof w->last_down, "%s",
                 a->text ? a->text : "an order");
        break;
    case PROTOCOL_ACTION_ASK:
        fail_msg("WireGuard asks nobody");
        break;
    case PROTOCOL_ACTION_STOPPED:
        w->stops++;
        w->up = false;
        snprintf(w->last_stop, sizeof w->last_stop, "%s",
                 a->text ? a->text : "an order");
        break;
    }
}

static bool speak_client(struct client_world *w)
{
    struct protocol_action a;
    bool any = false;
    while (w->client->kind->poll(w->client, &a)) {
        perform(w, &a);
        any = true;
    }
    return any;
}

static bool speak_server(struct client_world *w)
{
    struct device_send send;
    bool any = false;
    while (device_poll(w->server, w->now, &send)) {
        to_client(w, send.bytes);
        any = true;
    }
    return any;
}

void client_world_settle(struct client_world *w)
{
    bool any = true;
    while (any) {
        any = speak_client(w);
        any = speak_server(w) || any;
    }
}

static void expire(struct client_world *w)
{
    w->client->kind->expire(w->client, w->now);
    device_expire(w->server, w->now);
}

void client_world_wait(struct client_world *w, int64_t milliseconds)
{
    struct instant end =
        instant_after(w->now, duration_milliseconds(milliseconds));
    for (;;) {
        client_world_settle(w);
        struct instant next = instant_earlier(
            w->client->kind->deadline(w->client), device_deadline(w->server));
        if (!instant_before(next, end))
            break;
        if (instant_before(w->now, next))
            w->now = next;
        expire(w);
    }
    w->now = end;
    expire(w);
    client_world_settle(w);
}

/* --- Packets ------------------------------------------------------------- */

static size_t packet(const char *from, const char *to, uint8_t *out)
{
    struct craft c = {
        .source = craft_address(from),
        .destination = craft_address(to),
        .protocol = 17,
        .source_port = 5353,
        .destination_port = 6000,
        .ttl = 64,
        .payload = bytes_of_text("hello"),
    };
    return craft_write(&c, out);
}

bool client_world_send(struct client_world *w, const char *to, enum drop *out)
{
    const struct protocol_kind *kind = w->client->kind;
    struct burst_layout layout = kind->layout(w->client);
    static struct burst burst;
    uint8_t bytes[200];
    size_t size = packet("10.64.0.9", to, bytes);
    assert_true(burst_init(&burst, 2000));
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)size);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, bytes, size);
    bool sealed = kind->seal(w->client, w->now, &burst);
    if (sealed) {
        *out = (enum drop)d->drop;
        if (d->drop == DROP_NONE)
            carry(w, d->endpoint, d->ecn, bytes_of(d->data, d->size));
    }
    burst_clear(&burst);
    client_world_settle(w);
    return sealed;
}

void client_world_answer(struct client_world *w, const char *from)
{
    uint8_t bytes[200];
    size_t size = packet(from, "10.64.0.9", bytes);
    (void)device_put(w->server, w->now, bytes_of(bytes, size));
    client_world_settle(w);
}

/* --- What is told -------------------------------------------------------- */

struct protocol_status client_world_status(const struct client_world *w)
{
    struct protocol_status s;
    w->client->kind->status(w->client, &s);
    return s;
}

const char *client_world_waiting(const struct client_world *w)
{
    static char text[PROTOCOL_WAITING_SIZE];
    return w->client->kind->waiting(w->client, w->now, text) ? text : "";
}

unsigned client_world_initiations(const struct client_world *w, unsigned first)
{
    unsigned count = 0;
    for (unsigned i = first; i < w->sent_count; i++)
        count += w->sent[i].type == WIRE_INITIATION;
    return count;
}

int64_t client_world_initiation(const struct client_world *w, unsigned first,
                                unsigned n, struct instant since)
{
    for (unsigned i = first; i < w->sent_count; i++)
        if (w->sent[i].type == WIRE_INITIATION && n-- == 0)
            return instant_since(w->sent[i].at, since).us / 1000;
    return -1;
}
