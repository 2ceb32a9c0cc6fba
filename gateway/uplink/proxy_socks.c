#include "gateway/uplink/proxy_socks.h"

#include <stdio.h>

enum {
    VERSION = 5,
    LOGIN_VERSION = 1, /* RFC 1929 */
    METHOD_NONE = 0,
    METHOD_LOGIN = 2,
    METHOD_REFUSED = 0xff,
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4,
};

static void fail(struct proxy_socks *p, const char *why)
{
    p->talk.progress = PROXY_FAILED;
    snprintf(p->talk.why, sizeof p->talk.why, "%s", why);
}

/* --- Out ----------------------------------------------------------------- */

static void write_string(struct writer *w, const char *text)
{
    size_t size = strlen(text);
    if (size > PROXY_SOCKS_STRING_MAX)
        w->failed = true;
    write_u8(w, (uint8_t)size);
    write_bytes(w, bytes_of(text, size));
}

static void write_server(struct writer *w, const struct proxy *proxy)
{
    struct address a;
    if (!address_parse(bytes_of_text(proxy->host), &a)) {
        write_u8(w, TYPE_NAME);
        write_string(w, proxy->host);
    } else {
        write_u8(w, a.family == ADDRESS_IPV4 ? TYPE_IPV4 : TYPE_IPV6);
        write_bytes(w, bytes_of(a.bytes, address_size(a.family)));
    }
    write_u16(w, proxy->port);
}

/* We do not know where datagrams will come from before we hear where they go.
 * */
static void write_unknown(struct writer *w)
{
    write_u8(w, TYPE_IPV4);
    write_u32(w, 0);
    write_u16(w, 0);
}

void proxy_socks_init(struct proxy_socks *p, const struct proxy *proxy,
                      enum proxy_socks_command command)
{
    *p = (struct proxy_socks){.authorized = proxy->username != NULL};
    p->talk.out = writer_of(p->talk.memory, sizeof p->talk.memory);
    struct writer login = writer_of(p->login, sizeof p->login);
    write_u8(&login, LOGIN_VERSION);
    write_string(&login, proxy->username ? proxy->username : "");
    write_string(&login, proxy->password ? proxy->password : "");
    p->login_size = login.size;

    struct writer request = writer_of(p->request, sizeof p->request);
    write_u8(&request, VERSION);
    write_u8(&request, (uint8_t)command);
    write_u8(&request, 0);
    if (command == PROXY_SOCKS_CONNECT)
        write_server(&request, proxy);
    else
        write_unknown(&request);
    p->request_size = request.size;
    if (!writer_ok(&login) || !writer_ok(&request)) {
        fail(p, "the SOCKS proxy cannot be asked: the server's name, or the "
                "name or password of the proxy, is longer than 255 bytes");
        return;
    }
    write_u8(&p->talk.out, VERSION);
    write_u8(&p->talk.out, p->authorized ? 2 : 1);
    write_u8(&p->talk.out, METHOD_NONE);
    if (p->authorized)
        write_u8(&p->talk.out, METHOD_LOGIN);
}

/* --- In ------------------------------------------------------------------ */

static bool read_address(struct reader *r, struct endpoint *out)
{
    struct endpoint e = {.address.family = ADDRESS_NONE};
    switch (read_u8(r)) {
    case TYPE_IPV4:
        e.address.family = ADDRESS_IPV4;
        break;
    case TYPE_IPV6:
        e.address.family = ADDRESS_IPV6;
        break;
    case TYPE_NAME:
        (void)read_bytes(r, read_u8(r));
        break;
    default:
        return false;
    }
    if (e.address.family != ADDRESS_NONE)
        read_into(r, e.address.bytes, address_size(e.address.family));
    e.port = read_u16(r);
    if (!reader_ok(r))
        return false;
    *out = e;
    return true;
}

/* How long the message is that began with `p->received` bytes; as long as
 * that is not known, one more than are there. */
static size_t message_size(const struct proxy_socks *p)
{
    enum { TYPE_AT = 3, LENGTH_AT = 4, FIXED = 3 + 1 + 2 };
    bool refusal = p->received >= 2 && p->message[1] != 0;
    if (p->step != PROXY_SOCKS_AWAIT_REPLY || refusal)
        return 2;
    if (p->received <= TYPE_AT)
        return TYPE_AT + 1;
    switch (p->message[TYPE_AT]) {
    case TYPE_IPV6:
        return FIXED + 16;
    case TYPE_NAME:
        if (p->received <= LENGTH_AT)
            return LENGTH_AT + 1;
        return FIXED + 1 + (size_t)p->message[LENGTH_AT];
    default:
        return FIXED + 4;
    }
}

static void send_request(struct proxy_socks *p)
{
    write_bytes(&p->talk.out, bytes_of(p->request, p->request_size));
    p->step = PROXY_SOCKS_AWAIT_REPLY;
}

static void take_method(struct proxy_socks *p)
{
    uint8_t method = p->message[1];
    if (p->message[0] != VERSION) {
        fail(p, "the SOCKS proxy does not speak SOCKS version 5");
    } else if (method == METHOD_NONE) {
        send_request(p);
    } else if (method == METHOD_LOGIN && p->authorized) {
        write_bytes(&p->talk.out, bytes_of(p->login, p->login_size));
        p->step = PROXY_SOCKS_AWAIT_STATUS;
    } else if (method == METHOD_REFUSED && !p->authorized) {
        fail(p, "the SOCKS proxy wants a name and a password (a file of two "
                "lines as the third argument of socks-proxy)");
    } else {
        fail(p, "the SOCKS proxy takes neither a name and a password nor none");
    }
}

/* The version is not looked at: some proxies repeat that of SOCKS. */
static void take_status(struct proxy_socks *p)
{
    if (p->message[1] == 0)
        send_request(p);
    else
        fail(p, "the SOCKS proxy refuses the name and the password");
}

static void take_reply(struct proxy_socks *p)
{
    static const char *const refusals[] = {
        [1] = "the SOCKS proxy fails",
        [2] = "the SOCKS proxy's rules do not allow this",
        [3] = "the SOCKS proxy cannot reach the server's network",
        [4] = "the SOCKS proxy cannot reach or find the server",
        [5] = "the server refuses the SOCKS proxy's connection",
        [6] = "the SOCKS proxy's packets do not reach the server in time",
        [7] = "the SOCKS proxy does not know this command (UDP, perhaps)",
        [8] = "the SOCKS proxy does not know this type of address",
    };
    struct reader r = reader_of(bytes_of(p->message, p->received));
    uint8_t version = read_u8(&r);
    uint8_t reply = read_u8(&r);
    read_u8(&r);
    if (version != VERSION)
        fail(p, "the SOCKS proxy does not speak SOCKS version 5");
    else if (reply >= sizeof refusals / sizeof *refusals)
        fail(p, "the SOCKS proxy refuses, it is not known why");
    else if (reply != 0)
        fail(p, refusals[reply]);
    else if (!read_address(&r, &p->bound))
        fail(p, "the SOCKS proxy's answer is malformed");
    else
        p->talk.progress = PROXY_DONE;
}

static void take_message(struct proxy_socks *p)
{
    switch (p->step) {
    case PROXY_SOCKS_AWAIT_METHOD:
        take_method(p);
        break;
    case PROXY_SOCKS_AWAIT_STATUS:
        take_status(p);
        break;
    case PROXY_SOCKS_AWAIT_REPLY:
        take_reply(p);
        break;
    }
    p->received = 0;
}

size_t proxy_socks_receive(struct proxy_socks *p, struct bytes in)
{
    size_t used = 0;
    while (used < in.size && p->talk.progress == PROXY_TALKING) {
        p->message[p->received++] = in.data[used++];
        if (p->received == message_size(p))
            take_message(p);
    }
    return used;
}

/* --- Datagrams ----------------------------------------------------------- */

size_t proxy_socks_header(const struct proxy *proxy,
                          uint8_t out[PROXY_SOCKS_HEADER_MAX])
{
    struct writer w = writer_of(out, PROXY_SOCKS_HEADER_MAX);
    write_u16(&w, 0);
    write_u8(&w, 0); /* no fragment */
    write_server(&w, proxy);
    return writer_ok(&w) ? w.size : 0;
}

bool proxy_socks_parse(struct bytes datagram, struct endpoint *source,
                       struct bytes *payload)
{
    struct reader r = reader_of(datagram);
    struct endpoint from;
    uint16_t reserved = read_u16(&r);
    uint8_t fragment = read_u8(&r);
    bool good = read_address(&r, &from) && reserved == 0 && fragment == 0;
    if (!good || r.left == 0)
        return false;
    *source = from;
    *payload = read_rest(&r);
    return true;
}
