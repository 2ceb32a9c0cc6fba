/*
 * The whole client against a server that speaks valid framing and means harm.
 * The input is a program: an operation byte, a length byte, so many bytes of
 * operand; see `operations`. With the lowest bit of the first byte set a true
 * server leads the client to the tunnel first, so that what follows reaches
 * push options and messages through TLS, and inner packets through the data
 * channel.
 */
#include "gateway/openvpn/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/session_data.h"
#include "tests/vectors/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 200 };

struct fight {
    struct instant now;
    struct client *client;
    struct session server;
    bool server_open;
    bool uplink;
    bool up;
    uint8_t last[2048]; /* the last datagram of the server */
    size_t last_size;
    uint8_t client_session[8], server_session[8];
    uint32_t next_id;
};

static struct config client_config, server_config;
static struct tls_context server_tls;
static uint32_t counter;

static void fill_random(void *context, uint8_t *out, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        counter = counter * 1664525 + 1013904223;
        out[i] = (uint8_t)(counter >> 24);
    }
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

static void no_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static void set_blob(struct config_blob *blob, const char *text)
{
    if (!config_set_blob(blob, bytes_of_text(text)))
        abort();
}

static void set_up_once(void)
{
    static bool done;
    struct tls_random random = {NULL, fill_random};
    if (done)
        return;
    done = true;
    log_set_sink(no_log, NULL);
    config_init(&client_config);
    client_config.remotes = calloc(1, sizeof *client_config.remotes);
    if (!client_config.remotes)
        abort();
    client_config.remote_count = 1;
    config_remote_init(&client_config.remotes[0]);
    set_blob(&client_config.ca, pki_ca);
    client_config.pull = true;
    client_config.remote_cert_tls_server = true;
    config_init(&server_config);
    set_blob(&server_config.ca, pki_ca);
    set_blob(&server_config.cert, pki_server_crt);
    set_blob(&server_config.key, pki_server_key);
    if (!tls_context_init(&server_tls, OPENVPN_SERVER, &server_config,
                          bytes_of(NULL, 0), &random))
        abort();
    mbedtls_ssl_conf_authmode(&server_tls.config, MBEDTLS_SSL_VERIFY_NONE);
}

static void deliver(struct fight *f, const uint8_t *bytes, size_t size)
{
    struct burst burst = {.count = 0};
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    if (size)
        memcpy(copy, bytes, size);
    if (burst_add_view(&burst, copy, (uint16_t)size)) {
        client_open(f->client, f->now, &burst);
        const struct datagram *d = &burst.datagrams[0];
        if (d->drop == DROP_NONE &&
            (size_t)d->inner_offset + d->inner_size > size)
            abort();
    }
    free(copy);
}

static void open_server(struct fight *f)
{
    struct session_options options = {
        .role = OPENVPN_SERVER,
        .tls = &server_tls,
        .env = {NULL, fill_random, unix_time},
        .tls_timeout = duration_seconds(2),
        .hand_window = duration_seconds(60),
        .tran_window = duration_seconds(60),
        .max_packet_size = 1250,
        .replay_packets = 64,
        .replay_seconds = 15,
    };
    f->server_open = control_wrap_init_none(&f->server.wrap) &&
                     session_init(&f->server, &options, f->now);
    if (f->server_open)
        session_start(&f->server, f->now);
}

static void serve(struct fight *f)
{
    static const struct session_data_options data = {
        .cipher = "AES-256-GCM", .peer_id = 1, .exporter = true};
    struct session_event event;
    struct key_exchange message = {.options = bytes_of_text("V4,tls-server")};
    while (session_next(&f->server, f->now, &event)) {
        if (event.type == SESSION_EXCHANGE_WANTED)
            (void)!session_exchange(&f->server, f->now, &message);
        if (event.type == SESSION_ACTIVE &&
            session_send(&f->server, f->now,
                         "PUSH_REPLY,ifconfig 10.8.0.2 255.255.255.0,"
                         "topology subnet,peer-id 1,cipher AES-256-GCM,"
                         "protocol-flags tls-ekm cc-exit"))
            (void)!session_data_establish(&f->server, f->now, &data);
    }
}

/* The client's actions; what it sends goes to the true server, if there is
 * one. */
static void listen(struct fight *f)
{
    struct client_action a;
    for (int i = 0; i < TURNS_MAX && client_poll(f->client, &a); i++) {
        if (a.type == CLIENT_ACTION_CONNECT) {
            f->uplink = true;
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
        if (f->server_open) {
            (void)session_receive(&f->server, f->now, a.bytes);
            serve(f);
        }
    }
    /* Nothing leaves unless it is up. */
    struct burst none = {.count = 0};
    struct client_status s;
    client_status(f->client, &s);
    if (client_seal(f->client, f->now, &none) != (s.state == CLIENT_UP))
        abort();
}

static void server_speaks(struct fight *f)
{
    struct bytes datagram;
    for (int i = 0; f->server_open && i < TURNS_MAX &&
                    session_transmit(&f->server, f->now, &datagram);
         i++) {
        memcpy(f->last, datagram.data, datagram.size);
        f->last_size = datagram.size;
        deliver(f, datagram.data, datagram.size);
        listen(f);
    }
}

static void go_up(struct fight *f)
{
    open_server(f);
    for (int i = 0; i < 40 && !f->up; i++) {
        listen(f);
        server_speaks(f);
        f->now = instant_after(f->now, duration_milliseconds(50));
    }
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

static void message(struct fight *f, struct bytes operand)
{
    if (!f->server_open || f->server.primary->state < SESSION_KEY_ACTIVE)
        return;
    (void)!control_channel_write(&f->server.primary->control, f->now, operand);
    server_speaks(f);
}

static void inner_packet(struct fight *f, struct bytes operand)
{
    struct burst burst;
    if (!f->server_open || !f->server.has_data || !burst_init(&burst, 2048))
        return;
    struct burst_layout layout = session_data_layout(&f->server);
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)operand.size);
    if (d && operand.size > 0) {
        memcpy(d->data + d->inner_offset, operand.data, operand.size);
        if (session_data_seal(&f->server, f->now, &burst))
            deliver(f, d->data, d->size);
    }
    burst_clear(&burst);
}

static void wait(struct fight *f, struct bytes operand)
{
    int64_t seconds = operand.size > 0 ? operand.data[0] : 1;
    f->now = instant_after(f->now, duration_seconds(seconds));
    if (instant_reached(f->now, client_deadline(f->client)))
        client_expire(f->client, f->now);
    if (f->server_open)
        session_expire(&f->server, f->now);
}

static void renegotiate(struct fight *f, struct bytes operand)
{
    (void)operand;
    if (f->server_open)
        session_renegotiate(&f->server, f->now);
    server_speaks(f);
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

static void (*const operations[])(struct fight *, struct bytes) = {
    raw, framed, mutated, message, inner_packet, wait, renegotiate, person,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fight fight;
    struct client_env env = {NULL, fill_random, unix_time};
    struct fight *f = &fight;
    set_up_once();
    if (size == 0)
        return 0;
    counter = 1;
    memset(f, 0, sizeof *f);
    f->now = (struct instant){1000000};
    memset(f->server_session, 0x77, sizeof f->server_session);
    f->client = client_new(&client_config, &env);
    if (!f->client)
        return 0;
    client_start(f->client, f->now);
    listen(f);
    if (data[0] & 1)
        go_up(f);
    struct reader r = reader_of(bytes_of(data + 1, size - 1));
    while (r.left > 0) {
        uint8_t operation = read_u8(&r);
        uint8_t length = read_u8(&r);
        struct bytes operand =
            read_bytes(&r, length < r.left ? length : r.left);
        if (operand.data)
            operations[operation % 8](f, operand);
        listen(f);
        server_speaks(f);
    }
    client_free(f->client);
    if (f->server_open)
        session_clear(&f->server);
    return 0;
}
