#include "gateway/openvpn/session/key_exchange.h"

#include "gateway/base/secret.h"

enum {
    KEY_METHOD = 2,
    KEY_METHOD_MASK = 0x0f,
    PEER_INFO_MAX = UINT16_MAX - 1,
};

static void write_text(struct writer *w, struct bytes text, size_t most)
{
    if (text.size > most) {
        w->failed = true;
        return;
    }
    write_u16(w, text.size ? (uint16_t)(text.size + 1) : 0);
    if (text.size == 0)
        return;
    write_bytes(w, text);
    write_u8(w, 0);
}

void key_exchange_write(struct writer *w, enum openvpn_role role,
                        const struct key_exchange *m)
{
    write_u32(w, 0);
    write_u8(w, KEY_METHOD);
    if (role == OPENVPN_CLIENT)
        write_bytes(
            w, bytes_of(m->source.pre_master, sizeof m->source.pre_master));
    write_bytes(w, bytes_of(m->source.random1, sizeof m->source.random1));
    write_bytes(w, bytes_of(m->source.random2, sizeof m->source.random2));
    write_text(w, m->options, KEY_EXCHANGE_OPTIONS_MAX);
    write_text(w, m->username, KEY_EXCHANGE_CREDENTIAL_MAX);
    write_text(w, m->password, KEY_EXCHANGE_CREDENTIAL_MAX);
    write_text(w, m->peer_info, PEER_INFO_MAX);
}

/* Without what follows the first NUL, which must be there: a length that
 * does not count it belongs to no OpenVPN. */
static struct bytes read_text(struct reader *r, size_t most)
{
    size_t size = read_u16(r);
    struct bytes text = read_bytes(r, size);
    if (text.size == 0)
        return text;
    const uint8_t *end = memchr(text.data, 0, text.size);
    if (!end || (size_t)(end - text.data) > most) {
        r->failed = true;
        return bytes_of(NULL, 0);
    }
    text.size = (size_t)(end - text.data);
    return text;
}

bool key_exchange_parse(struct bytes record, enum openvpn_role role,
                        struct key_exchange *out)
{
    struct reader r = reader_of(record);
    struct key_exchange m = {0};
    uint32_t zero = read_u32(&r);
    uint8_t method = read_u8(&r) & KEY_METHOD_MASK;
    if (role == OPENVPN_CLIENT)
        read_into(&r, m.source.pre_master, sizeof m.source.pre_master);
    read_into(&r, m.source.random1, sizeof m.source.random1);
    read_into(&r, m.source.random2, sizeof m.source.random2);
    m.options = read_text(&r, KEY_EXCHANGE_OPTIONS_MAX);
    if (r.left > 0) {
        m.username = read_text(&r, KEY_EXCHANGE_CREDENTIAL_MAX);
        m.password = read_text(&r, KEY_EXCHANGE_CREDENTIAL_MAX);
    }
    if (r.left > 0)
        m.peer_info = read_text(&r, PEER_INFO_MAX);
    bool good = reader_ok(&r) && zero == 0 && method == KEY_METHOD;
    if (good)
        *out = m;
    secret_wipe(&m, sizeof m);
    return good;
}
