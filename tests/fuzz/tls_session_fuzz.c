/*
 * TLS records of a server that means harm, as they come out of the control
 * channel. The input's first byte says which TLS and how far a true server goes
 * before it is not itself any more; then it is a program: an operation byte, a
 * length byte, so many bytes of operand. The client reads what the server
 * wrote, in order, whatever happens on the way.
 */
#include "gateway/openvpn/tls/tls_session.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"
#include "tests/vectors/pki.h"

enum { FLIGHT_MAX = 16384 };

/* The first byte. */
enum { KIND_TLS_1_2 = 1 << 0, KIND_READY = 1 << 1 };

struct fight {
    struct tls_session client, server;
    uint8_t flight[FLIGHT_MAX]; /* of the server, on its way */
    size_t flight_size;
    uint32_t written, read; /* numbers of the texts */
};

static struct tls_context client_tls, server_tls[2];
static uint32_t counter;

static void make(struct tls_context *t, enum openvpn_role role,
                 enum config_tls_version newest)
{
    struct tls_random random = {&counter, fill_random};
    struct config config;
    config_init(&config);
    config.tls_version_max = newest;
    config.remote_cert_tls_server = role == OPENVPN_CLIENT;
    check(blob_set(&config.ca, bytes_of_text(pki_ca)));
    if (role == OPENVPN_SERVER)
        check(blob_set(&config.cert, bytes_of_text(pki_server_crt)) &&
              blob_set(&config.key, bytes_of_text(pki_server_key)));
    check(tls_context_init(t, role, &config, bytes_of(NULL, 0), &random));
    if (role == OPENVPN_SERVER)
        tls_context_demand(t, TLS_END_NONE);
    config_clear(&config);
}

static void set_up_once(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    be_quiet();
    make(&client_tls, OPENVPN_CLIENT, CONFIG_TLS_ANY);
    make(&server_tls[0], OPENVPN_SERVER, CONFIG_TLS_ANY);
    make(&server_tls[1], OPENVPN_SERVER, CONFIG_TLS_1_2);
}

/* Everything that can be read, which must be the next texts. */
static void read_all(struct fight *f, struct tls_session *t)
{
    uint8_t out[TLS_RECORD_MAX];
    size_t size;
    while (tls_session_read(t, out, sizeof out, &size)) {
        check(size <= sizeof out);
        if (t != &f->client)
            continue;
        check(size == sizeof(uint32_t) && load_u32(out) == ++f->read &&
              f->read <= f->written);
    }
    check(t->state != TLS_FAILED || tls_session_error(t)[0]);
}

/* An exact copy for each payload, as the control channel has it. */
static void feed(struct fight *f, struct tls_session *t, struct bytes payload)
{
    uint8_t *copy = malloc(payload.size ? payload.size : 1);
    check(copy);
    if (payload.size)
        memcpy(copy, payload.data, payload.size);
    tls_session_feed(t, bytes_of(copy, payload.size));
    read_all(f, t);
    t->input = bytes_of(NULL, 0);
    free(copy);
}

static void client_to_server(struct fight *f)
{
    struct bytes out = tls_session_output(&f->client);
    if (out.size == 0)
        return;
    feed(f, &f->server, out);
    tls_session_sent(&f->client, out.size);
}

/* Takes what the server has to say into `flight`. */
static void collect(struct fight *f)
{
    struct bytes out = tls_session_output(&f->server);
    size_t room = sizeof f->flight - f->flight_size;
    size_t size = out.size < room ? out.size : room;
    if (size == 0)
        return;
    memcpy(f->flight + f->flight_size, out.data, size);
    f->flight_size += size;
    tls_session_sent(&f->server, size);
}

/* Operations, all of them on what is on its way to the client. */

static void deliver(struct fight *f, struct bytes operand)
{
    size_t size = f->flight_size;
    if (operand.size >= 2 && load_u16(operand.data) < size)
        size = load_u16(operand.data);
    feed(f, &f->client, bytes_of(f->flight, size));
    memmove(f->flight, f->flight + size, f->flight_size - size);
    f->flight_size -= size;
    client_to_server(f);
    collect(f);
}

static void change(struct fight *f, struct bytes operand)
{
    struct reader r = reader_of(operand);
    while (r.left >= 3 && f->flight_size > 0) {
        size_t at = read_u16(&r) % f->flight_size;
        f->flight[at] ^= read_u8(&r);
    }
}

static void put_in_front(struct fight *f, struct bytes operand)
{
    if (operand.size == 0 || f->flight_size + operand.size > sizeof f->flight)
        return;
    memmove(f->flight + operand.size, f->flight, f->flight_size);
    memcpy(f->flight, operand.data, operand.size);
    f->flight_size += operand.size;
}

static void cut_off(struct fight *f, struct bytes operand)
{
    if (operand.size >= 2)
        f->flight_size = f->flight_size * load_u16(operand.data) / 65536;
}

/* A handshake message or any other record, its length set right. */
static void record(struct fight *f, struct bytes operand)
{
    uint8_t whole[5 + 255];
    if (operand.size < 1)
        return;
    whole[0] = (uint8_t)(20 + operand.data[0] % 5);
    store_u16(whole + 1, 0x0303);
    store_u16(whole + 3, (uint16_t)(operand.size - 1));
    memcpy(whole + 5, operand.data + 1, operand.size - 1);
    put_in_front(f, bytes_of(whole, 4 + operand.size));
}

static void say(struct fight *f, struct bytes operand)
{
    uint8_t number[sizeof(uint32_t)];
    (void)operand;
    store_u32(number, f->written + 1);
    if (tls_session_write(&f->server, bytes_of(number, sizeof number)))
        f->written++;
    collect(f);
}

static void (*const operations[])(struct fight *, struct bytes) = {
    deliver, change, put_in_front, cut_off, record, say,
};

static void begin(struct fight *f, uint8_t kind)
{
    counter = 1;
    f->flight_size = f->written = f->read = 0;
    check(tls_session_init(&f->client, &client_tls, 2000000000));
    check(tls_session_init(&f->server, &server_tls[kind & KIND_TLS_1_2],
                           2000000000));
    tls_session_advance(&f->client);
    client_to_server(f);
    collect(f);
    for (int i = 0;
         i < 20 && kind & KIND_READY && f->client.state != TLS_ESTABLISHED; i++)
        deliver(f, bytes_of(NULL, 0));
    check(!(kind & KIND_READY) || f->client.state == TLS_ESTABLISHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fight fight;
    struct fight *f = &fight;
    set_up_once();
    if (size == 0)
        return 0;
    begin(f, data[0]);
    struct reader r = reader_of(bytes_of(data + 1, size - 1));
    while (r.left > 0) {
        uint8_t operation = read_u8(&r);
        uint8_t length = read_u8(&r);
        struct bytes operand =
            read_bytes(&r, length < r.left ? length : r.left);
        if (operand.data || length == 0)
            operations[operation % (sizeof operations / sizeof *operations)](
                f, operand);
    }
    deliver(f, bytes_of(NULL, 0));
    tls_session_clear(&f->client);
    tls_session_clear(&f->server);
    return 0;
}
