/*
 * The whole client against a server that speaks valid framing and means harm.
 * The input's first byte says what kind of server it is; then it is a program:
 * an operation byte, a length byte, so many bytes of operand; see
 * `operations`. With the lowest bit of the first byte set the server leads the
 * client to the tunnel first, so that what follows reaches push options and
 * messages through TLS, and inner packets through the data channel. In
 * plain/client_fuzz TLS is none, and thirty times as many inputs get there.
 */
#include "gateway/openvpn/client/client.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"
#include "tests/fuzz/true_server.h"
#include "tests/vectors/pki.h"

enum { TURNS_MAX = 200, CONNECTIONS_MAX = 4 };

/* The first byte. */
enum {
    KIND_UP = 1 << 0,
    KIND_WRAP = 3 << 1, /* enum config_wrap */
    KIND_OLD = 1 << 3,
    KIND_NEWEST = 1 << 4,
    KIND_UNPUSHED = 1 << 5, /* a static key; with KIND_NEWEST TLS */
    KIND_PASSWORD = 1 << 6, /* and with KIND_OLD, comp-lzo */
    KIND_TCP = 1 << 7,
};

struct fight {
    struct instant now;
    struct client *client;
    struct config config;
    struct config_remote remote;
    struct true_server server;
    unsigned connections;
    bool uplink;
    bool up;
    uint8_t last[2048]; /* the last datagram of the server */
    size_t last_size;
    uint8_t *held; /* a datagram that waits for the one behind it */
    size_t held_size;
    bool hold;
    uint8_t client_session[8], server_session[8];
    uint32_t next_id;
};

static struct config client_config;
static uint32_t counter;

static void set_up_once(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    be_quiet();
    config_init(&client_config);
    if (!blob_set(&client_config.ca, bytes_of_text(pki_ca)))
        abort();
    client_config.pull = true;
    client_config.remote_cert_tls_server = true;
}

/* As the router does: every byte of what was opened. */
static void read_opened(const struct burst *burst)
{
    static volatile uint8_t sum;
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop != DROP_NONE || d->inner_size == 0)
            continue;
        if ((size_t)d->inner_offset + d->inner_size > d->size)
            abort();
        for (size_t k = 0; k < d->inner_size; k++)
            sum ^= d->data[d->inner_offset + k];
    }
    (void)sum;
}

static void deliver(struct fight *f, const uint8_t *bytes, size_t size)
{
    struct burst burst = {.count = 0};
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    if (size)
        memcpy(copy, bytes, size);
    if (f->hold && !f->held) {
        f->held = copy;
        f->held_size = size;
        f->hold = false;
        return;
    }
    if ((!f->held || burst_add_view(&burst, f->held, (uint16_t)f->held_size)) &&
        burst_add_view(&burst, copy, (uint16_t)size)) {
        client_open(f->client, f->now, &burst);
        read_opened(&burst);
    }
    free(copy);
    free(f->held);
    f->held = NULL;
}

/* The client's actions; what it sends goes to the true server, if there is
 * one. */
static void listen(struct fight *f)
{
    struct client_action a;
    for (int i = 0; i < TURNS_MAX && client_poll(f->client, &a); i++) {
        if (a.type == CLIENT_ACTION_CONNECT) {
            f->uplink = true;
            if (f->server.open && ++f->connections < CONNECTIONS_MAX)
                true_server_open(&f->server, f->now);
            client_connected(f->client, f->now, 28, 1500);
        }
        if (a.type == CLIENT_ACTION_DISCONNECT)
            f->uplink = false;
        if (a.type == CLIENT_ACTION_UP)
            f->up = true;
        if (a.type == CLIENT_ACTION_DOWN)
            f->up = false;
        if (a.type != CLIENT_ACTION_SEND)
            continue;
        if (!f->uplink)
            abort();
        if (a.bytes.size >= 9 && !opcode_is_data(opcode_of(a.bytes.data[0])))
            memcpy(f->client_session, a.bytes.data + 1, 8);
        true_server_hear(&f->server, f->now, a.bytes);
    }
    /* Nothing leaves unless it is up. */
    struct burst none = {.count = 0};
    struct client_status s;
    client_status(f->client, &s);
    if (client_seal(f->client, f->now, &none) != (s.state == CLIENT_UP))
        abort();
}

static void keep_and_deliver(struct fight *f, struct bytes datagram)
{
    memcpy(f->last, datagram.data, datagram.size);
    f->last_size = datagram.size;
    deliver(f, datagram.data, datagram.size);
}

static void server_speaks(struct fight *f)
{
    struct bytes datagram;
    for (int i = 0;
         i < TURNS_MAX && true_server_speak(&f->server, f->now, &datagram);
         i++) {
        keep_and_deliver(f, datagram);
        listen(f);
    }
}

static void go_up(struct fight *f)
{
    true_server_open(&f->server, f->now);
    for (int i = 0; i < 40 && !f->up; i++) {
        listen(f);
        server_speaks(f);
        if (f->server.kind.static_key)
            keep_and_deliver(f, session_data_say(&f->server.session, f->now,
                                                 SESSION_DATA_PING));
        f->now = instant_after(f->now, duration_milliseconds(50));
        if (instant_reached(f->now, client_deadline(f->client)))
            client_expire(f->client, f->now);
    }
    listen(f);
    if (!f->up)
        abort();
}

/* Operations. */

static void raw(struct fight *f, struct bytes operand)
{
    deliver(f, operand.data, operand.size);
}

/* A control packet that fits into the session: opcode and key id, how far the
 * message id is off, and the payload are the input's. */
static void framed(struct fight *f, struct bytes operand)
{
    uint8_t packet[512];
    struct writer w = writer_of(packet, sizeof packet);
    if (operand.size < 2)
        return;
    write_u8(&w, operand.data[0]);
    write_bytes(&w, bytes_of(f->server_session, 8));
    write_u8(&w, 1);
    write_u32(&w, operand.data[1] >> 4);
    write_bytes(&w, bytes_of(f->client_session, 8));
    if (opcode_of(operand.data[0]) != OPCODE_ACK_V1)
        write_u32(&w, f->next_id + (operand.data[1] & 3));
    f->next_id += (operand.data[1] >> 2) & 1;
    write_bytes(&w, bytes_of(operand.data + 2, operand.size - 2));
    deliver(f, packet, w.size);
}

/* The server's last datagram, with bytes of it changed. */
static void mutated(struct fight *f, struct bytes operand)
{
    uint8_t copy[2048];
    size_t size = f->last_size;
    memcpy(copy, f->last, size);
    for (size_t i = 0; i + 1 < operand.size && size > 0; i += 2)
        copy[operand.data[i] % size] ^= operand.data[i + 1];
    deliver(f, copy, size);
}

/* As framed(), but in the wrapping and the session of the true server: acks
 * and message id are about where they should be. */
static void forged(struct fight *f, struct bytes operand)
{
    struct bytes datagram;
    if (!f->server.open || operand.size < 3)
        return;
    struct control_packet packet = {
        .opcode = opcode_of(operand.data[0]),
        .key_id = key_id_of(operand.data[0]),
        .ack_count = operand.data[1] & 7,
        .message_id = (uint32_t)(operand.data[1] >> 3),
        .payload = bytes_of(operand.data + 3, operand.size - 3),
    };
    for (uint8_t i = 0; i < packet.ack_count; i++)
        packet.acks[i] = (uint32_t)(operand.data[2] + i);
    if (true_server_forge(&f->server, &packet, &datagram))
        keep_and_deliver(f, datagram);
}

/* TLS records of the true server, changed under its wrapping. */
static void stammered(struct fight *f, struct bytes operand)
{
    struct bytes datagram;
    if (true_server_stammer(&f->server, f->now, operand, &datagram))
        keep_and_deliver(f, datagram);
}

static void message(struct fight *f, struct bytes operand)
{
    struct session *s = &f->server.session;
    if (!f->server.open || f->server.kind.static_key ||
        s->primary->state < SESSION_KEY_ACTIVE)
        return;
    (void)!control_channel_write(&s->primary->control, f->now, operand);
    server_speaks(f);
}

static void inner_packet(struct fight *f, struct bytes operand)
{
    struct burst burst;
    struct session *s = &f->server.session;
    if (!f->server.open || !s->has_data || !burst_init(&burst, 2048))
        return;
    struct burst_layout layout = session_data_layout(s);
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)operand.size);
    if (d && operand.size > 0) {
        memcpy(d->data + d->inner_offset, operand.data, operand.size);
        if (session_data_seal(s, f->now, &burst))
            keep_and_deliver(f, bytes_of(d->data, d->size));
    }
    burst_clear(&burst);
}

static void wait(struct fight *f, struct bytes operand)
{
    int64_t seconds = operand.size > 0 ? operand.data[0] : 1;
    f->now = instant_after(f->now, duration_seconds(seconds));
    if (instant_reached(f->now, client_deadline(f->client)))
        client_expire(f->client, f->now);
    if (f->server.open)
        session_expire(&f->server.session, f->now);
}

static void renegotiate(struct fight *f, struct bytes operand)
{
    if (f->server.open)
        session_renegotiate(&f->server.session, f->now);
    /* It may be followed by something that is not what it should be. */
    if (operand.size > 0)
        stammered(f, operand);
    server_speaks(f);
}

/* Another options string and peer info, as much of both as there is, in the
 * key exchanges to come. */
static void introduced(struct fight *f, struct bytes operand)
{
    struct reader r = reader_of(operand);
    size_t size = read_u8(&r);
    f->server.options = read_bytes(&r, size < r.left ? size : r.left);
    f->server.peer_info = read_rest(&r);
    renegotiate(f, bytes_of(NULL, 0));
}

static void person(struct fight *f, struct bytes operand)
{
    switch (operand.size > 0 ? operand.data[0] % 4 : 0) {
    case 0:
        client_reconnect(f->client, f->now);
        break;
    case 1:
        client_credentials(f->client, f->now, "name", "password", "answer");
        break;
    case 2:
        client_failed(f->client, f->now, "broken");
        break;
    default:
        client_stop(f->client, f->now);
    }
}

/* The next datagram comes together with the one behind it. */
static void hold(struct fight *f, struct bytes operand)
{
    (void)operand;
    f->hold = true;
}

static void (*const operations[])(struct fight *, struct bytes) = {
    raw,         framed, mutated, message,   inner_packet, wait,
    renegotiate, person, forged,  stammered, introduced,   hold,
};

static void begin(struct fight *f, uint8_t kind)
{
    struct client_env env = {&counter, fill_random, unix_time};
    struct session_env server_env = {&counter, fill_random, unix_time};
    static char name[] = "name", password[] = "password";
    static char ifconfig[] = "ifconfig 10.8.0.2 10.8.0.1";
    static char *options[] = {ifconfig};
    counter = 1;
    memset(f, 0, sizeof *f);
    f->now = (struct instant){1000000};
    memset(f->server_session, 0x77, sizeof f->server_session);
    true_server_init(
        &f->server,
        (struct true_server_kind){
            .wrap = (enum config_wrap)((kind & KIND_WRAP) >> 1),
            .old = kind & KIND_OLD,
            .newest = kind & KIND_NEWEST,
            .static_key = (kind & KIND_UNPUSHED) && !(kind & KIND_NEWEST),
            .equal = (kind & KIND_UNPUSHED) && (kind & KIND_NEWEST),
        },
        &server_env);
    f->config = client_config;
    true_server_introduce(&f->server, &f->config, &f->remote);
    if (kind & KIND_UNPUSHED) {
        f->config.options = options;
        f->config.option_count = 1;
    }
    if (kind & KIND_PASSWORD) {
        f->config.auth_user_pass = true;
        f->config.username = name;
        f->config.password = password;
    }
    if (kind & KIND_OLD && kind & KIND_PASSWORD && !(kind & KIND_UNPUSHED))
        f->config.compression = CONFIG_COMPRESSION_LZO;
    if (kind & KIND_TCP)
        f->remote.protocol = CONFIG_TCP;
    f->client = client_new(&f->config, &env, NULL);
    if (!f->client)
        abort();
    client_start(f->client, f->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fight fight;
    struct fight *f = &fight;
    set_up_once();
    if (size == 0)
        return 0;
    begin(f, data[0]);
    listen(f);
    if (data[0] & KIND_UP)
        go_up(f);
    struct reader r = reader_of(bytes_of(data + 1, size - 1));
    while (r.left > 0) {
        uint8_t operation = read_u8(&r);
        uint8_t length = read_u8(&r);
        struct bytes operand =
            read_bytes(&r, length < r.left ? length : r.left);
        if (operand.data)
            operations[operation % (sizeof operations / sizeof *operations)](
                f, operand);
        listen(f);
        server_speaks(f);
    }
    client_free(f->client);
    true_server_clear(&f->server);
    free(f->held);
    return 0;
}
