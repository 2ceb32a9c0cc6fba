/* A server that has the right keys and means harm: the client against one that
 * says in its session whatever a test wants. */
#include <lzo/lzo1x.h>
#include <stdio.h>

#include "gateway/openvpn/client/client.h"
#include "tests/fuzz/true_server.h"
#include "tests/simulator/quiet.h"
#include "tests/unit.h"
#include "tests/vectors/pki.h"

enum { TURNS = 60, PACKET_SIZE = 400, MEMORY = 8192 };

struct fight {
    struct instant now;
    struct config config;
    struct config_remote remote;
    struct client *client;
    struct true_server server;
    unsigned downs, asks;
};

static uint32_t counter;

static void fill_random(void *context, uint8_t *out, size_t size)
{
    (void)context;
    random_bytes(&counter, out, size);
}

enum { VALID = 2000000000 }; /* the test certificates, then */
static uint32_t clock_says;

static uint32_t unix_time(void *context)
{
    (void)context;
    return clock_says;
}

static void begin(struct fight *f, enum config_compression compression)
{
    struct session_env server_env = {NULL, fill_random, unix_time};
    struct client_env env = {NULL, fill_random, unix_time};
    *f = (struct fight){.now = {1000000}};
    counter = 1;
    clock_says = VALID;
    true_server_init(&f->server,
                     (struct true_server_kind){.wrap = CONFIG_WRAP_NONE},
                     &server_env);
    config_init(&f->config);
    assert_true(blob_set(&f->config.ca, bytes_of_text(pki_ca)));
    f->config.compression = compression;
    true_server_introduce(&f->server, &f->config, &f->remote);
    f->client = client_new(&f->config, &env, NULL);
    assert_non_null(f->client);
    client_start(f->client, f->now);
}

static void end(struct fight *f)
{
    client_free(f->client);
    true_server_clear(&f->server);
    f->config.remotes = NULL; /* the fight's own */
    f->config.remote_count = 0;
    config_clear(&f->config);
}

static enum client_state state_of(const struct fight *f)
{
    struct client_status s;
    client_status(f->client, &s);
    return s.state;
}

static void deliver(struct fight *f, struct bytes datagram)
{
    struct burst burst = {.count = 0};
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)datagram.size));
    client_open(f->client, f->now, &burst);
    free(copy);
}

static void listen(struct fight *f)
{
    struct client_action a;
    while (client_poll(f->client, &a)) {
        if (a.type == CLIENT_ACTION_CONNECT)
            client_connected(f->client, f->now, 28, 1500);
        else if (a.type == CLIENT_ACTION_SEND)
            true_server_hear(&f->server, f->now, a.bytes);
        f->downs += a.type == CLIENT_ACTION_DOWN;
        f->asks += a.type == CLIENT_ACTION_ASK;
    }
}

/* Both say all they have to say, and a moment passes. */
static void talk(struct fight *f)
{
    struct bytes datagram;
    listen(f);
    while (true_server_speak(&f->server, f->now, &datagram)) {
        deliver(f, datagram);
        listen(f);
    }
    f->now = instant_after(f->now, duration_milliseconds(50));
    if (instant_reached(f->now, client_deadline(f->client)))
        client_expire(f->client, f->now);
}

static bool talk_until(struct fight *f, enum client_state state)
{
    for (int i = 0; i < TURNS && state_of(f) != state; i++)
        talk(f);
    return state_of(f) == state;
}

static void go_up(struct fight *f)
{
    true_server_open(&f->server, f->now);
    assert_true(talk_until(f, CLIENT_UP));
    listen(f);
}

/* One packet as `comp-lzo yes' sends it, sealed with the server's keys. */
static uint8_t *packed_packet(struct fight *f, struct bytes packet,
                              uint16_t *size)
{
    static uint8_t work[LZO1X_1_MEM_COMPRESS];
    uint8_t inner[MEMORY];
    lzo_uint packed = 0;
    struct burst burst;
    struct burst_layout layout = session_data_layout(&f->server.session);
    inner[0] = 0x66;
    assert_int_equal(
        lzo1x_1_compress(packet.data, packet.size, inner + 1, &packed, work),
        LZO_E_OK);
    assert_true(burst_init(&burst, MEMORY));
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)packed + 1);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, inner, packed + 1);
    assert_true(session_data_seal(&f->server.session, f->now, &burst));
    uint8_t *copy = exact_copy(d->data, d->size);
    *size = d->size;
    burst_clear(&burst);
    return copy;
}

/* Such a packet is unpacked to memory of the session, which a message
 * behind it in the same burst may end. */
static void what_was_unpacked_goes_with_its_session(void **state)
{
    (void)state;
    uint8_t packet[PACKET_SIZE];
    struct fight f;
    struct bytes goodbye;
    struct burst burst = {.count = 0};
    uint16_t size;
    memset(packet, 0x45, sizeof packet);
    begin(&f, CONFIG_COMPRESSION_LZO);
    go_up(&f);
    uint8_t *sealed = packed_packet(&f, bytes_of(packet, sizeof packet), &size);
    assert_true(session_send(&f.server.session, f.now, "RESTART"));
    assert_true(true_server_speak(&f.server, f.now, &goodbye));
    uint8_t *last = exact_copy(goodbye.data, goodbye.size);
    assert_true(burst_add_view(&burst, sealed, size));
    assert_true(burst_add_view(&burst, last, (uint16_t)goodbye.size));
    client_open(f.client, f.now, &burst);
    assert_int_equal(state_of(&f), CLIENT_PAUSING);
    const struct datagram *d = &burst.datagrams[0];
    if (d->drop == DROP_NONE)
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           bytes_of(packet, sizeof packet));
    free(sealed);
    free(last);
    end(&f);
}

/* The server pushes a framing alone and does what it wants. */
static void what_may_not_be_compressed_is_not_unpacked(void **state)
{
    (void)state;
    uint8_t packet[PACKET_SIZE];
    struct fight f;
    uint16_t size;
    struct burst burst = {.count = 0};
    memset(packet, 0x45, sizeof packet);
    begin(&f, CONFIG_COMPRESSION_NONE);
    f.config.compression_refused = true;
    f.server.push = "PUSH_REPLY,ifconfig 10.8.0.2 255.255.255.0,topology "
                    "subnet,peer-id 1,cipher AES-256-GCM,comp-lzo no,"
                    "protocol-flags tls-ekm cc-exit";
    go_up(&f);
    uint8_t *sealed = packed_packet(&f, bytes_of(packet, sizeof packet), &size);
    assert_true(burst_add_view(&burst, sealed, size));
    client_open(f.client, f.now, &burst);
    assert_int_equal(burst.datagrams[0].drop, DROP_DATA_COMPRESSED);
    assert_int_equal(burst.datagrams[0].inner_size, 0);
    free(sealed);
    end(&f);
}

/* A session does not keep the passwords and tokens that it read. */
static void secrets_do_not_stay_in_a_session(void **state)
{
    (void)state;
    static char name[] = "anna", password[] = "sesame, open";
    struct fight f;
    begin(&f, CONFIG_COMPRESSION_NONE);
    f.config.auth_user_pass = true;
    f.config.username = name;
    f.config.password = password;
    go_up(&f);
    const struct session *s = &f.server.session;
    assert_null(memmem(s->record, sizeof s->record, password, sizeof password));
    f.config.username = f.config.password = NULL;
    end(&f);
}

/* All that a person gets to read. */
static void assert_fit_for_a_line(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            fail_msg("not fit for a line: %s", text);
}

static void no_lines_are_made_in_its_name(void **state)
{
    (void)state;
    static const char options[] =
        "V4,dev-type tun,cipher \033[2Jup\n<3>all is well,auth SHA1";
    struct client_status status;
    struct fight f;
    begin(&f, CONFIG_COMPRESSION_NONE);
    f.server.options = bytes_of_text(options);
    f.server.push = "PUSH_REPLY,ifconfig 10.8.0.2 255.255.255.0";
    true_server_open(&f.server, f.now);
    assert_true(talk_until(&f, CLIENT_PAUSING));
    client_status(f.client, &status);
    assert_non_null(strstr(status.last_error, "no data cipher in common"));
    assert_fit_for_a_line(status.last_error);
    assert_fit_for_a_line(quiet_last_warning);
    end(&f);
}

static unsigned lines;

static void count_lines(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
    lines++;
}

/* No disk is filled by a server that has much to say. */
static void it_is_not_quoted_for_ever(void **state)
{
    (void)state;
    static const char *const words[] = {
        "INFO,hello",
        "PUSH_UPDATE,route nowhere",
        "PUSH_UPDATE,?route x,?route y,?route z,?route 1 2 3 4 5 6 7",
    };
    struct fight f;
    struct bytes datagram;
    begin(&f, CONFIG_COMPRESSION_NONE);
    go_up(&f);
    lines = 0;
    log_set_sink(count_lines, NULL);
    for (int i = 0; i < 900; i++) {
        assert_true(session_send(&f.server.session, f.now, words[i % 3]));
        while (true_server_speak(&f.server, f.now, &datagram))
            deliver(&f, datagram);
        listen(&f);
    }
    log_set_sink(quiet_sink, NULL);
    assert_int_equal(state_of(&f), CLIENT_UP);
    assert_in_range(lines, 20, 150);
    end(&f);
}

/* The old keys do not go on after that, either. */
static void a_certificate_must_hold_in_each_negotiation(void **state)
{
    (void)state;
    struct client_status status;
    struct burst nothing = {.count = 0};
    struct fight f;
    begin(&f, CONFIG_COMPRESSION_NONE);
    go_up(&f);
    clock_says = UINT32_MAX;
    session_renegotiate(&f.server.session, f.now);
    assert_true(talk_until(&f, CLIENT_PAUSING));
    client_status(f.client, &status);
    assert_non_null(strstr(status.last_error, "expired"));
    assert_false(client_seal(f.client, f.now, &nothing));
    listen(&f);
    assert_int_equal(f.downs, 1);
    end(&f);
}

/* Each costs a handshake, or a line when it fails. */
static void it_does_not_renegotiate_all_the_time(void **state)
{
    (void)state;
    struct client_status before, after;
    struct fight f;
    begin(&f, CONFIG_COMPRESSION_NONE);
    go_up(&f);
    client_status(f.client, &before);
    /* Four seconds. */
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 20; k++) {
            session_renegotiate(&f.server.session, f.now);
            session_expire(&f.server.session, f.now);
            talk(&f);
        }
    }
    client_status(f.client, &after);
    assert_in_range(after.negotiations - before.negotiations, 1,
                    SESSION_RESETS_AT_ONCE + 4 * SESSION_RESETS_PER_SECOND);
    assert_int_equal(f.downs, 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_unpacked_goes_with_its_session),
        cmocka_unit_test(what_may_not_be_compressed_is_not_unpacked),
        cmocka_unit_test(secrets_do_not_stay_in_a_session),
        cmocka_unit_test(it_is_not_quoted_for_ever),
        cmocka_unit_test(it_does_not_renegotiate_all_the_time),
        cmocka_unit_test(a_certificate_must_hold_in_each_negotiation),
        cmocka_unit_test(no_lines_are_made_in_its_name),
    };
    return cmocka_run_group_tests_name("hostile", tests, quiet, NULL);
}
