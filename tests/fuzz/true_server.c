#include "tests/fuzz/true_server.h"

#include <stdlib.h>

#include "gateway/openvpn/session/session_static.h"
#include "tests/vectors/pki.h"

enum { WRAPPED_KEY_SIZE = 299 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* One for all: what it holds does not change. */
static struct tls_context *tls(const struct session_env *env)
{
    static struct tls_context context;
    static struct config config;
    static bool done;
    struct tls_random random = {env->context, env->random};
    if (done)
        return &context;
    done = true;
    config_init(&config);
    check(blob_set(&config.ca, bytes_of_text(pki_ca)) &&
          blob_set(&config.cert, bytes_of_text(pki_server_crt)) &&
          blob_set(&config.key, bytes_of_text(pki_server_key)) &&
          tls_context_init(&context, OPENVPN_SERVER, &config, bytes_of(NULL, 0),
                           &random));
    tls_context_demand(&context, TLS_END_NONE);
    return &context;
}

void true_server_init(struct true_server *t, struct true_server_kind kind,
                      const struct session_env *env)
{
    *t = (struct true_server){
        .kind = kind,
        .env = *env,
        .options = bytes_of_text("V4,tls-server"),
        .peer_info = bytes_of_text(
            kind.equal ? "IV_PROTO=746\nIV_CIPHERS=AES-256-GCM\n" : ""),
    };
    (void)tls(env);
    env->random(env->context, t->key.bytes, sizeof t->key.bytes);
}

void true_server_clear(struct true_server *t)
{
    if (t->open)
        session_clear(&t->session);
    t->open = false;
}

static void write_key_file(struct true_server *t)
{
    struct tls_crypt_v2_client_key file = {.key = t->key,
                                           .wrapped_size = WRAPPED_KEY_SIZE};
    /* Nobody looks at more than the size of what is wrapped in it. */
    store_u16(file.wrapped + WRAPPED_KEY_SIZE - sizeof(uint16_t),
              WRAPPED_KEY_SIZE);
    bool v2 = t->kind.wrap == CONFIG_WRAP_TLS_CRYPT_V2 && !t->kind.static_key;
    check(v2 ? tls_crypt_v2_format_client(&file, t->text, sizeof t->text)
             : static_key_format(&t->key, t->text, sizeof t->text));
}

void true_server_introduce(struct true_server *t, struct config *client,
                           struct config_remote *remote)
{
    write_key_file(t);
    struct blob file = {(uint8_t *)t->text, strlen(t->text)};
    config_remote_init(remote);
    client->remotes = remote;
    client->remote_count = 1;
    if (t->kind.static_key) {
        client->pull = false;
        client->static_key = file;
        client->static_key_direction = 0;
    } else {
        client->pull = !t->kind.equal;
        remote->wrap = t->kind.wrap;
        remote->wrap_key = file;
        remote->key_direction = 1;
    }
    memcpy(client->auth, "SHA256", sizeof "SHA256");
    memcpy(client->cipher, "AES-256-CBC", sizeof "AES-256-CBC");
    memcpy(client->data_ciphers, "AES-256-GCM:AES-256-CBC",
           sizeof "AES-256-GCM:AES-256-CBC");
}

static bool open_wrap(struct true_server *t)
{
    struct control_wrap *w = &t->session.wrap;
    uint32_t time = t->env.unix_time(t->env.context);
    switch (t->kind.wrap) {
    case CONFIG_WRAP_NONE:
        return control_wrap_init_none(w);
    case CONFIG_WRAP_TLS_AUTH:
        return control_wrap_init_tls_auth(w, &t->key, 0, "SHA256", time);
    case CONFIG_WRAP_TLS_CRYPT:
    case CONFIG_WRAP_TLS_CRYPT_V2:
        return control_wrap_init_tls_crypt(w, &t->key, OPENVPN_SERVER, time);
    }
    return false;
}

static bool open_static(struct true_server *t, struct instant now)
{
    struct session_static_options options = {
        .env = t->env,
        .key = &t->key,
        .direction = 1,
        .cipher = "AES-256-CBC",
        .digest = "SHA256",
        .began = t->env.unix_time(t->env.context),
        .replay_packets = 64,
        .replay_seconds = 15,
    };
    return session_static_init(&t->session, &options, now);
}

void true_server_open(struct true_server *t, struct instant now)
{
    struct session_options options = {
        .role = OPENVPN_SERVER,
        .tls = tls(&t->env),
        .env = t->env,
        .tls_timeout = duration_seconds(2),
        .hand_window = duration_seconds(60),
        .tran_window = duration_seconds(60),
        .max_packet_size = 1250,
        .replay_packets = 64,
        .replay_seconds = 15,
        .wrap_key = t->kind.wrap == CONFIG_WRAP_NONE ? NULL : &t->key,
    };
    true_server_clear(t);
    t->open = true;
    if (t->kind.static_key) {
        check(open_static(t, now));
        return;
    }
    check(open_wrap(t) && session_init(&t->session, &options, now));
    session_start(&t->session, now);
}

static void establish(struct true_server *t, struct instant now)
{
    struct session_data_options data = {
        .peer_id = 1,
        .digest = "SHA256",
        .exporter = !t->kind.old || t->kind.equal,
        .epoch = t->kind.newest && !t->kind.old && !t->kind.equal,
        .dynamic_wrap = (t->kind.newest && !t->kind.old) || t->kind.equal,
    };
    char text[256];
    struct writer w = writer_of(text, sizeof text);
    const char *cipher =
        t->kind.old && !t->kind.equal ? "AES-256-CBC" : "AES-256-GCM";
    memcpy(data.cipher, cipher, strlen(cipher) + 1);
    write_bytes(&w, bytes_of_text("PUSH_REPLY,ifconfig 10.8.0.2 255.255.255.0,"
                                  "topology subnet,peer-id 1,cipher "));
    write_bytes(&w, bytes_of_text(cipher));
    if (data.epoch)
        write_bytes(&w, bytes_of_text(",protocol-flags tls-ekm cc-exit "
                                      "dyn-tls-crypt aead-epoch"));
    else if (data.exporter)
        write_bytes(&w, bytes_of_text(",protocol-flags tls-ekm cc-exit"));
    write_u8(&w, 0);
    check(writer_ok(&w));
    if (t->kind.equal ||
        session_send(&t->session, now, t->push ? t->push : text))
        check(session_data_establish(&t->session, now, &data));
}

void true_server_hear(struct true_server *t, struct instant now,
                      struct bytes datagram)
{
    struct session_event event;
    struct key_exchange message = {.options = t->options,
                                   .peer_info = t->peer_info};
    if (!t->open || t->kind.static_key)
        return;
    (void)session_receive(&t->session, now, datagram);
    while (session_next(&t->session, now, &event)) {
        if (event.type == SESSION_EXCHANGE_WANTED)
            (void)!session_exchange(&t->session, now, &message);
        if (event.type == SESSION_ACTIVE)
            establish(t, now);
    }
}

bool true_server_speak(struct true_server *t, struct instant now,
                       struct bytes *out)
{
    return t->open && session_transmit(&t->session, now, out);
}

static struct control_wrap *wrap_of(struct true_server *t, uint8_t key_id)
{
    struct session *s = &t->session;
    return key_id > 0 && s->has_dynamic_wrap ? &s->dynamic_wrap : &s->wrap;
}

bool true_server_forge(struct true_server *t, struct control_packet *packet,
                       struct bytes *out)
{
    struct writer w = writer_of(t->datagram, sizeof t->datagram);
    if (!t->open || t->kind.static_key || !opcode_is_control(packet->opcode))
        return false;
    packet->session = t->session.own;
    packet->peer = t->session.peer;
    if (!control_wrap_seal(wrap_of(t, packet->key_id), packet, &w))
        return false;
    *out = writer_bytes(&w);
    return true;
}

bool true_server_stammer(struct true_server *t, struct instant now,
                         struct bytes changes, struct bytes *out)
{
    struct control_packet packet = {0};
    uint8_t payload[CONTROL_PACKET_SIZE_MAX];
    struct session_key *key = t->session.primary;
    if (!t->open || t->kind.static_key || key->state == SESSION_KEY_NONE ||
        !control_channel_transmit(&key->control, now, &packet))
        return false;
    size_t size = packet.payload.size;
    if (size > 0)
        memcpy(payload, packet.payload.data, size);
    struct reader r = reader_of(changes);
    while (r.left >= 3 && size > 0) {
        size_t at = read_u16(&r) % size;
        payload[at] ^= read_u8(&r);
    }
    packet.payload = bytes_of(payload, size);
    return true_server_forge(t, &packet, out);
}
