#include "gateway/uplink/proxy_http.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/address.h"
#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { LOGIN_MAX = 4096 /* bytes of "name:password" */ };

static const char wants_login[] =
    "the HTTP proxy wants a name and a password (http-proxy-user-pass)";

static void say_why(struct proxy_http *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say_why(struct proxy_http *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->talk.why, sizeof p->talk.why, format, arguments);
    va_end(arguments);
}

/* --- The request --------------------------------------------------------- */

static void add(struct proxy_http *p, const char *text)
{
    write_bytes(&p->talk.out, bytes_of_text(text));
}

/* Nothing in a host may end the line or look like another word of it. */
static bool is_host(const char *host)
{
    for (const char *c = host; *c; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    return *host != '\0';
}

/* "vpn.example.net:443", "[2001:db8::1]:443" */
static void add_authority(struct proxy_http *p, const struct proxy *proxy)
{
    struct address address;
    char port[8];
    bool brackets = address_parse(bytes_of_text(proxy->host), &address) &&
                    address.family == ADDRESS_IPV6;
    snprintf(port, sizeof port, ":%u", proxy->port);
    add(p, brackets ? "[" : "");
    add(p, proxy->host);
    add(p, brackets ? "]" : "");
    add(p, port);
}

static void add_login(struct proxy_http *p, const struct proxy *proxy)
{
    uint8_t login[LOGIN_MAX];
    char text[4 * ((LOGIN_MAX + 2) / 3) + 1];
    struct writer w = writer_of(login, sizeof login);
    write_bytes(&w, bytes_of_text(proxy->username));
    write_u8(&w, ':');
    write_bytes(&w, bytes_of_text(proxy->password ? proxy->password : ""));
    if (writer_ok(&w) && text_to_base64(writer_bytes(&w), text, sizeof text)) {
        add(p, "Proxy-Authorization: Basic ");
        add(p, text);
        add(p, "\r\n");
    } else {
        p->talk.out.failed = true;
    }
    secret_wipe(login, sizeof login);
    secret_wipe(text, sizeof text);
}

/* Header lines of the user's that name the host replace our own. */
static bool names_host(const char *headers)
{
    struct bytes rest = bytes_of_text(headers), line, name;
    while (text_cut(&rest, '\n', &line))
        if (text_cut(&line, ':', &name) &&
            text_equal_ignoring_case(name, "Host"))
            return true;
    return false;
}

void proxy_http_init(struct proxy_http *p, const struct proxy *proxy)
{
    const char *headers = proxy->headers ? proxy->headers : "";
    *p = (struct proxy_http){.authorized = proxy->username != NULL};
    p->talk.out = writer_of(p->talk.memory, sizeof p->talk.memory);
    add(p, "CONNECT ");
    add_authority(p, proxy);
    add(p, proxy->http_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    if (!names_host(headers)) {
        add(p, "Host: ");
        add_authority(p, proxy);
        add(p, "\r\n");
    }
    add(p, headers);
    if (proxy->username)
        add_login(p, proxy);
    add(p, "\r\n");
    if (is_host(proxy->host) && writer_ok(&p->talk.out))
        return;
    p->talk.progress = PROXY_FAILED;
    say_why(p, "the request to the HTTP proxy cannot be made: the server's "
               "name or the credentials are too long");
}

/* --- The reply ----------------------------------------------------------- */

static void fail(struct proxy_http *p)
{
    p->talk.progress = PROXY_FAILED;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 Connection established" */
static void take_status_line(struct proxy_http *p)
{
    enum { VERSION_SIZE = 8, CODE_END = 12 };
    const char *l = p->line;
    if (p->line_size < CODE_END || !is_digit(l[5]) || l[6] != '.' ||
        !is_digit(l[7]) || l[8] != ' ' || !is_digit(l[9]) || !is_digit(l[10]) ||
        !is_digit(l[11]) || (p->line_size > CODE_END && l[CODE_END] != ' ')) {
        say_why(p, "the HTTP proxy's answer is none of HTTP");
        fail(p);
        return;
    }
    char quoted[LOG_QUOTE_SIZE];
    log_quote(quoted,
              bytes_of(l + VERSION_SIZE + 1, p->line_size - VERSION_SIZE - 1));
    p->status =
        (unsigned)((l[9] - '0') * 100 + (l[10] - '0') * 10 + l[11] - '0');
    /* Some say 401 to a wrong login, though that is a web server's word. */
    if (p->status == 407 || p->status == 401) {
        say_why(p, "%s", wants_login);
    } else if (p->status / 100 != 2) {
        say_why(p, "the HTTP proxy refuses: %s", quoted);
        fail(p);
    }
}

/* "Proxy-Authenticate: Basic realm=..." */
static void take_method(struct proxy_http *p, struct bytes value)
{
    struct bytes rest = text_trim(value), method;
    if (!text_cut(&rest, ' ', &method))
        return;
    if (text_equal_ignoring_case(method, "Basic"))
        p->basic = true;
    size_t used = strlen(p->methods);
    char word[16];
    if (!text_copy(word, sizeof word, method))
        return;
    for (char *c = word; *c; c++)
        if (*c < '!' || *c > '~')
            return;
    snprintf(p->methods + used, sizeof p->methods - used, "%s%s",
             used ? ", " : "", word);
}

static void take_header_line(struct proxy_http *p)
{
    struct bytes rest = bytes_of(p->line, p->line_size), name;
    if (text_cut(&rest, ':', &name) &&
        text_equal_ignoring_case(name, "Proxy-Authenticate"))
        take_method(p, rest);
}

static void end_header(struct proxy_http *p)
{
    if (p->status / 100 == 2) {
        p->talk.progress = PROXY_DONE;
        return;
    }
    if (p->methods[0] && !p->basic)
        say_why(p,
                "the HTTP proxy wants authentication by %s; only Basic is "
                "supported",
                p->methods);
    else if (p->authorized)
        say_why(p, "the HTTP proxy refuses the name and the password");
    fail(p);
}

static void end_line(struct proxy_http *p)
{
    if (p->line_size > 0 && p->line[p->line_size - 1] == '\r')
        p->line_size--;
    if (p->status == 0)
        take_status_line(p);
    else if (p->line_size > 0)
        take_header_line(p);
    else
        end_header(p);
    p->line_size = 0;
}

static void take_byte(struct proxy_http *p, uint8_t byte)
{
    static const char start[] = "HTTP/";
    if (++p->received > PROXY_HTTP_REPLY_MAX) {
        say_why(p, "the HTTP proxy's answer has no end");
        fail(p);
        return;
    }
    if (byte == '\n') {
        end_line(p);
        return;
    }
    if (p->status == 0 && p->line_size < sizeof start - 1 &&
        byte != (uint8_t)start[p->line_size]) {
        say_why(p, "the HTTP proxy does not speak HTTP");
        fail(p);
        return;
    }
    if (p->line_size < sizeof p->line)
        p->line[p->line_size++] = (char)byte;
}

size_t proxy_http_receive(struct proxy_http *p, struct bytes in)
{
    size_t used = 0;
    while (used < in.size && p->talk.progress == PROXY_TALKING)
        take_byte(p, in.data[used++]);
    return used;
}
