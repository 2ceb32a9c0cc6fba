/*
 * The whole listener. The input is a program: an operation byte, a length
 * byte, so many bytes of operand; see `operations`. With the lowest bit of the
 * first byte set a true client is let in first, so that what follows reaches
 * the data channel and the messages inside of TLS; the next two say how the
 * control channel is wrapped, whose keys the strangers know.
 */
#include "gateway/openvpn/server/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/openvpn/client/client.h"
#include "gateway/openvpn/client/client_wrap.h"
#include "tests/fuzz/target.h"
#include "tests/vectors/openvpn_control.h"
#include "tests/vectors/openvpn_tls_crypt.h"
#include "tests/vectors/pki.h"

enum { TURNS_MAX = 200, CLIENTS = 8, DATAGRAM = 2048 };

/* The first byte. */
enum { KIND_UP = 1 << 0, KIND_WRAP = 3 << 1 /* enum config_wrap */, WRAPS = 4 };

struct fight {
    struct instant now;
    struct server *server;
    struct client *client;
    enum config_wrap kind;
    struct control_wrap wrap; /* of strangers */
    uint8_t last[DATAGRAM];   /* of the true client */
    size_t last_size;
    struct session_id cookie; /* the server's last answer to a stranger */
};

static struct server_config server_configs[WRAPS];
static struct config client_configs[WRAPS];
static uint32_t counter;

static void set_blob(struct blob *blob, const char *text)
{
    check(blob_set(blob, bytes_of_text(text)));
}

static void give_remote(struct config *c)
{
    c->remotes = calloc(1, sizeof *c->remotes);
    check(c->remotes != NULL);
    c->remote_count = 1;
    config_remote_init(&c->remotes[0]);
    snprintf(c->remotes[0].host, sizeof c->remotes[0].host, "vpn.example");
}

static void set_up_server(struct server_config *c)
{
    server_config_init(c);
    give_remote(&c->common);
    set_blob(&c->common.ca, pki_ca);
    set_blob(&c->common.cert, pki_server_crt);
    set_blob(&c->common.key, pki_server_key);
    c->ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    c->pool_first = 0x0a080002;
    c->pool_last = 0x0a0800fe;
    c->max_clients = CLIENTS;
}

static void set_up_client(struct config *c)
{
    config_init(c);
    give_remote(c);
    c->pull = true;
    set_blob(&c->ca, pki_ca);
    set_blob(&c->cert, pki_client_crt);
    set_blob(&c->key, pki_client_key);
}

static void set_up_once(void)
{
    if (client_configs[0].remotes)
        return;
    be_quiet();
    for (unsigned i = 0; i < WRAPS; i++) {
        struct config_remote *server, *client;
        bool own = i == CONFIG_WRAP_TLS_CRYPT_V2;
        set_up_server(&server_configs[i]);
        set_up_client(&client_configs[i]);
        server = &server_configs[i].common.remotes[0];
        client = &client_configs[i].remotes[0];
        server->wrap = client->wrap = (enum config_wrap)i;
        if (i == CONFIG_WRAP_NONE)
            continue;
        set_blob(&server->wrap_key,
                 own ? vector_v2_server_key : vector_static_key);
        set_blob(&client->wrap_key,
                 own ? vector_v2_client_key : vector_static_key);
    }
}

static struct server_path path_of(uint8_t number)
{
    return (struct server_path){
        .remote = {address_ipv4(0xc0000200 + number % 4), 40000},
        .stream = number & 4 ? number & 7 : 0};
}

/* --- The true client, at path 0 ------------------------------------------ */

static enum drop hear(struct fight *f, uint8_t path, const uint8_t *data,
                      size_t size)
{
    struct burst burst = {.count = 0};
    struct server_path from = path_of(path);
    uint8_t *copy = malloc(size ? size : 1);
    check(copy && burst_add_view(&burst, copy, (uint16_t)size));
    if (size)
        memcpy(copy, data, size);
    server_open(f->server, f->now, &from, &burst);
    const struct datagram *d = &burst.datagrams[0];
    /* A packet out of the tunnel lies inside of what came in, and has the
     * client's own address. */
    if (d->drop == DROP_NONE && d->inner_size > 0)
        check(d->inner_offset + d->inner_size <= d->size &&
              d->inner_size >= 20 &&
              load_u32(d->data + d->inner_offset + 12) == 0x0a080002);
    enum drop drop = d->drop;
    free(copy);
    return drop;
}

static void answer_stranger(struct fight *f, struct bytes datagram)
{
    if (datagram.size >= 9 &&
        opcode_of(datagram.data[0]) == OPCODE_CONTROL_HARD_RESET_SERVER_V2)
        memcpy(f->cookie.bytes, datagram.data + 1, 8);
}

static void listen_to_server(struct fight *f)
{
    struct server_path to, true_path = path_of(0);
    struct bytes datagram;
    for (int i = 0; server_transmit(f->server, &to, &datagram); i++) {
        check(i < TURNS_MAX && datagram.size <= CONTROL_PACKET_SIZE_MAX);
        /* A connection is to be hung up. */
        check(datagram.size > 0 || to.stream > 0);
        if (!f->client || !endpoint_equal(&to.remote, &true_path.remote)) {
            answer_stranger(f, datagram);
            continue;
        }
        struct burst burst = {.count = 0};
        uint8_t copy[CONTROL_PACKET_SIZE_MAX];
        memcpy(copy, datagram.data, datagram.size);
        check(burst_add_view(&burst, copy, (uint16_t)datagram.size));
        client_open(f->client, f->now, &burst);
    }
}

static bool listen_to_client(struct fight *f)
{
    struct client_action a;
    bool moved = false;
    while (f->client && client_poll(f->client, &a)) {
        moved = true;
        if (a.type == CLIENT_ACTION_CONNECT)
            client_connected(f->client, f->now, 28, 1500);
        if (a.type != CLIENT_ACTION_SEND || a.bytes.size > DATAGRAM)
            continue;
        memcpy(f->last, a.bytes.data, a.bytes.size);
        f->last_size = a.bytes.size;
        (void)hear(f, 0, f->last, f->last_size);
    }
    return moved;
}

static void settle(struct fight *f)
{
    for (int i = 0; listen_to_client(f); i++) {
        check(i < TURNS_MAX);
        listen_to_server(f);
    }
    listen_to_server(f);
}

static void let_in(struct fight *f)
{
    const struct client_env env = {&counter, fill_random, unix_time};
    struct client_status status;
    f->client = client_new(&client_configs[f->kind], &env, NULL);
    check(f->client != NULL);
    client_start(f->client, f->now);
    settle(f);
    client_status(f->client, &status);
    check(status.state == CLIENT_UP);
}

/* --- Operations ---------------------------------------------------------- */

static void raw(struct fight *f, struct bytes operand)
{
    if (operand.size > 0)
        (void)hear(f, operand.data[0], operand.data + 1, operand.size - 1);
}

/* The same as in bare(), in the wrapping. */
static void sealed(struct fight *f, struct bytes operand)
{
    uint8_t bytes[DATAGRAM];
    struct reader r = reader_of(operand);
    struct writer w = writer_of(bytes, sizeof bytes);
    uint8_t path = (uint8_t)(1 + read_u8(&r) % 7), opcode = read_u8(&r) % 12;
    uint8_t flags = read_u8(&r);
    struct control_packet p = {
        .opcode = opcode,
        .key_id = flags >> 5,
        .session = {{path, flags & 1, 3}},
        .ack_count = read_u8(&r) % (CONTROL_ACKS_MAX + 1),
        .peer = f->cookie,
        .message_id = flags >> 1 & 3,
    };
    for (unsigned i = 0; i < p.ack_count; i++)
        p.acks[i] = read_u8(&r) % 3;
    p.payload = read_rest(&r);
    if (opcode_is_control(opcode) && control_wrap_seal(&f->wrap, &p, &w))
        (void)hear(f, path, bytes, w.size);
}

/* A control packet of valid framing: path, opcode, id, acks, cookie or not. */
static void bare(struct fight *f, struct bytes operand)
{
    uint8_t bytes[512];
    struct reader r = reader_of(operand);
    uint8_t path = (uint8_t)(1 + read_u8(&r) % 7), opcode = read_u8(&r) % 12;
    uint8_t flags = read_u8(&r), acks = read_u8(&r) % 10;
    struct writer w = writer_of(bytes, sizeof bytes);
    uint8_t session[8] = {path, flags & 1, 3};
    write_u8(&w, (uint8_t)(opcode << 3 | (flags >> 5)));
    write_bytes(&w, bytes_of(session, sizeof session));
    write_u8(&w, acks);
    for (unsigned i = 0; i < acks; i++)
        write_u32(&w, read_u8(&r) % 3);
    if (acks)
        write_bytes(&w, bytes_of(f->cookie.bytes, 8));
    if (opcode != OPCODE_ACK_V1)
        write_u32(&w, flags >> 1 & 3);
    write_bytes(&w, read_rest(&r));
    if (writer_ok(&w))
        (void)hear(f, path, bytes, w.size);
}

static void framed(struct fight *f, struct bytes operand)
{
    if (f->kind == CONFIG_WRAP_NONE)
        bare(f, operand);
    else
        sealed(f, operand);
}

/* The true client's last datagram, changed, from anywhere. */
static void mutated(struct fight *f, struct bytes operand)
{
    uint8_t copy[DATAGRAM];
    if (f->last_size == 0 || operand.size < 3)
        return;
    memcpy(copy, f->last, f->last_size);
    size_t at = load_u16(operand.data) % f->last_size;
    for (size_t i = 3; i < operand.size && at + i - 3 < f->last_size; i++)
        copy[at + i - 3] ^= operand.data[i];
    (void)hear(f, operand.data[2], copy, f->last_size);
}

/* The true client sends the operand into the tunnel, as if it were a packet:
 * what its own address is not must not come out. */
static void inner(struct fight *f, struct bytes operand)
{
    struct burst burst;
    if (!f->client || operand.size == 0 || !burst_init(&burst, DATAGRAM))
        return;
    struct burst_layout layout = client_layout(f->client);
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)operand.size);
    if (d) {
        memcpy(d->data + d->inner_offset, operand.data, operand.size);
        if (client_seal(f->client, f->now, &burst) && d->drop == DROP_NONE)
            (void)hear(f, operand.data[0] & 1, d->data, d->size);
    }
    burst_clear(&burst);
}

static void wait(struct fight *f, struct bytes operand)
{
    int64_t seconds = operand.size > 0 ? operand.data[0] : 1;
    f->now = instant_after(f->now, duration_seconds(seconds));
    if (instant_reached(f->now, server_deadline(f->server)))
        server_expire(f->server, f->now);
    if (f->client && instant_reached(f->now, client_deadline(f->client)))
        client_expire(f->client, f->now);
}

static void order(struct fight *f, struct bytes operand)
{
    uint8_t what = operand.size > 0 ? operand.data[0] : 0;
    uint64_t client = 1 + what / 8;
    switch (what % 8) {
    case 0:
        (void)!server_kick(f->server, f->now, client, false);
        break;
    case 1:
        server_renegotiate(f->server, f->now, client);
        break;
    case 2:
        if (f->client)
            client_reconnect(f->client, f->now);
        break;
    case 3:
        (void)!server_tell(f->server, f->now, client, "INFO,hello");
        break;
    case 4:
        server_stop(f->server, f->now);
        break;
    default:
        server_admit(f->server, f->now, client, what & 8, "no");
    }
}

/* A connection ends, whoever it was of. */
static void disconnect(struct fight *f, struct bytes operand)
{
    struct server_path path = path_of(operand.size > 0 ? operand.data[0] : 4);
    server_disconnected(f->server, f->now, &path);
    check(!server_knows(f->server, &path) || path.stream == 0);
}

static void (*const operations[])(struct fight *, struct bytes) = {
    raw, framed, mutated, inner, wait, order, disconnect,
};

static void check_limits(const struct fight *f)
{
    struct server_status status;
    server_status(f->server, &status);
    check(status.up + status.negotiating <= CLIENTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fight fight;
    const struct server_env env = {
        .context = &counter, .random = fill_random, .unix_time = unix_time};
    struct fight *f = &fight;
    struct static_key key;
    set_up_once();
    if (size == 0)
        return 0;
    counter = 1;
    memset(f, 0, sizeof *f);
    f->kind = (enum config_wrap)((data[0] & KIND_WRAP) >> 1);
    check(client_wrap_init(&f->wrap, &key, &client_configs[f->kind].remotes[0],
                           "SHA1", unix_time(NULL)));
    f->now = (struct instant){1000000};
    f->server = server_new(&server_configs[f->kind], &env, f->now);
    check(f->server != NULL);
    if (data[0] & KIND_UP)
        let_in(f);
    struct reader r = reader_of(bytes_of(data + 1, size - 1));
    while (r.left > 0) {
        uint8_t operation = read_u8(&r);
        uint8_t length = read_u8(&r);
        struct bytes operand =
            read_bytes(&r, length < r.left ? length : r.left);
        if (operand.data)
            operations[operation % 7](f, operand);
        settle(f);
        check_limits(f);
    }
    control_wrap_clear(&f->wrap);
    client_free(f->client);
    server_free(f->server);
    return 0;
}
