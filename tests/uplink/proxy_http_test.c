#include "gateway/uplink/proxy_http.h"
#include "tests/unit.h"

#include <stdio.h>

static struct proxy_http talk;

static const struct proxy plain = {
    .kind = PROXY_HTTP, .host = "vpn.example.net", .port = 443};

static void expect_request(const struct proxy *proxy, const char *expected)
{
    proxy_http_init(&talk, proxy);
    assert_int_equal(talk.talk.progress, PROXY_TALKING);
    assert_bytes_equal(writer_bytes(&talk.talk.out), bytes_of_text(expected));
}

/* From an exact copy; what was used of it. */
static size_t hear(const void *data, size_t size)
{
    uint8_t *copy = exact_copy(data, size);
    size_t used = proxy_http_receive(&talk, bytes_of(copy, size));
    free(copy);
    return used;
}

static enum proxy_progress answer(const struct proxy *proxy, const char *text)
{
    proxy_http_init(&talk, proxy);
    hear(text, strlen(text));
    return talk.talk.progress;
}

static void requests_are_what_rfc_9110_shows(void **state)
{
    (void)state;
    expect_request(&plain, "CONNECT vpn.example.net:443 HTTP/1.0\r\n"
                           "Host: vpn.example.net:443\r\n\r\n");
    struct proxy p = plain;
    p.http_1_1 = true;
    p.headers = "User-Agent: x\r\nX-One: two\r\n";
    expect_request(&p, "CONNECT vpn.example.net:443 HTTP/1.1\r\n"
                       "Host: vpn.example.net:443\r\n"
                       "User-Agent: x\r\nX-One: two\r\n\r\n");
    p.headers = "X: y\r\nhost: front.example\r\n";
    expect_request(&p, "CONNECT vpn.example.net:443 HTTP/1.1\r\n"
                       "X: y\r\nhost: front.example\r\n\r\n");
}

static void addresses_of_six_stand_in_brackets(void **state)
{
    (void)state;
    struct proxy p = plain;
    p.host = "2001:db8::1";
    expect_request(&p, "CONNECT [2001:db8::1]:443 HTTP/1.0\r\n"
                       "Host: [2001:db8::1]:443\r\n\r\n");
    p.host = "192.0.2.1";
    expect_request(&p, "CONNECT 192.0.2.1:443 HTTP/1.0\r\n"
                       "Host: 192.0.2.1:443\r\n\r\n");
}

/* RFC 7617 section 2: Aladdin's example. */
static void credentials_go_along_at_once(void **state)
{
    (void)state;
    struct proxy p = plain;
    p.username = "Aladdin";
    p.password = "open sesame";
    expect_request(
        &p, "CONNECT vpn.example.net:443 HTTP/1.0\r\n"
            "Host: vpn.example.net:443\r\n"
            "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

static void no_host_can_smuggle_a_line_in(void **state)
{
    (void)state;
    static const char *const hosts[] = {"a b", "a\r\nX: y", "a\tb",
                                        "",    "\x7f",      "\xc3\xa4.example"};
    struct proxy p = plain;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        p.host = hosts[i];
        proxy_http_init(&talk, &p);
        assert_int_equal(talk.talk.progress, PROXY_FAILED);
        assert_true(talk.talk.why[0]);
    }
}

static void endless_credentials_are_refused(void **state)
{
    (void)state;
    static char name[6000], headers[PROXY_OUT_SIZE + 1];
    struct proxy p = plain;
    memset(name, 'n', sizeof name - 1);
    p.username = name;
    assert_int_equal(answer(&p, ""), PROXY_FAILED);
    name[4095] = '\0'; /* with the colon as much as there is room for */
    assert_int_equal(answer(&p, ""), PROXY_TALKING);
    p.username = NULL;
    memset(headers, 'h', sizeof headers - 1);
    p.headers = headers;
    assert_int_equal(answer(&p, ""), PROXY_FAILED);
}

static void any_success_opens_the_way(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 200 OK\r\nVia: 1.1 tinyproxy\r\nX: 1\r\n\r\n",
        "HTTP/1.1 200\n\n",
        "HTTP/1.1 200 \r\n\r\n",
        "HTTP/1.1 204 nothing to say\r\n: odd\r\n \r\t\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(answer(&plain, answers[i]), PROXY_DONE);
}

/* The first bytes of the server may come with the proxy's last. */
static void the_rest_is_left_alone_at_every_split(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n\0\x0e@";
    const size_t size = sizeof text - 1, header = size - 3;
    for (size_t split = 0; split <= size; split++) {
        proxy_http_init(&talk, &plain);
        size_t used = hear(text, split);
        assert_int_equal(talk.talk.progress,
                         split < header ? PROXY_TALKING : PROXY_DONE);
        used += hear(text + used, size - used);
        assert_int_equal(used, header);
        assert_int_equal(talk.talk.progress, PROXY_DONE);
    }
}

static void expect_why(const struct proxy *proxy, const char *text,
                       const char *why)
{
    assert_int_equal(answer(proxy, text), PROXY_FAILED);
    assert_string_equal(talk.talk.why, why);
}

static void a_proxy_that_wants_credentials_is_understood(void **state)
{
    (void)state;
    struct proxy known = plain;
    known.username = "me";
    known.password = "secret";
    static const char basic[] = "HTTP/1.1 407 Proxy Authentication Required\r\n"
                                "Proxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    expect_why(&plain, basic,
               "the HTTP proxy wants a name and a password "
               "(http-proxy-user-pass)");
    expect_why(&known, basic,
               "the HTTP proxy refuses the name and the password");
    expect_why(&known,
               "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n"
               "proxy-authenticate: Negotiate\r\n\r\n",
               "the HTTP proxy wants authentication by NTLM, Negotiate; only "
               "Basic is supported");
    expect_why(&plain, "HTTP/1.1 407 No\r\n\r\n",
               "the HTTP proxy wants a name and a password "
               "(http-proxy-user-pass)");
    expect_why(&known, "HTTP/1.1 401 Unauthorized\r\nServer: x\r\n\r\n",
               "the HTTP proxy refuses the name and the password");
    /* It may hang up in the middle of that; then the reason is known. */
    assert_int_equal(answer(&plain, "HTTP/1.1 407 No\r\nConn"), PROXY_TALKING);
    assert_string_equal(talk.talk.why, "the HTTP proxy wants a name and a "
                                       "password (http-proxy-user-pass)");
}

static void refusals_are_told_in_the_proxys_words(void **state)
{
    (void)state;
    expect_why(&plain, "HTTP/1.1 403 Access denied\r\n",
               "the HTTP proxy refuses: 403 Access denied");
    expect_why(&plain, "HTTP/1.0 502 \x1b[31mbad\x01\n",
               "the HTTP proxy refuses: 502 ?[31mbad?");
    expect_why(&plain, "HTTP/1.1 100 Continue\r\n",
               "the HTTP proxy refuses: 100 Continue");
}

static void what_is_no_http_is_noticed_at_once(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "SSH-2.0-x\r\n",
        "\x05",
        "H2",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/x.1 200 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/11 200 OK\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(answer(&plain, answers[i]), PROXY_FAILED);
}

static void an_answer_without_end_is_given_up(void **state)
{
    (void)state;
    static char flood[3 * PROXY_HTTP_REPLY_MAX];
    /* One line, many lines, one endless reason. */
    for (int kind = 0; kind < 3; kind++) {
        memset(flood, kind == 1 ? '\n' : 'x', sizeof flood);
        for (size_t i = 0; kind == 1 && i + 2 < sizeof flood; i += 3)
            memcpy(flood + i, "a:b", 2);
        proxy_http_init(&talk, &plain);
        const char *start = kind < 2 ? "HTTP/1.1 200 OK\r\nX" : "HTTP/1.1 2";
        hear(start, strlen(start));
        size_t used = hear(flood, sizeof flood);
        assert_int_equal(talk.talk.progress, PROXY_FAILED);
        assert_true(used <= PROXY_HTTP_REPLY_MAX + 1);
    }
}

static void long_lines_and_many_methods_do_no_harm(void **state)
{
    (void)state;
    static char text[8000];
    size_t n = (size_t)snprintf(text, sizeof text, "HTTP/1.1 407 No\r\n");
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "Proxy-Authenticate: M%d x\r\n", i);
    memset(text + n, 'y', 1000);
    memcpy(text + n + 1000, "\r\n\r\n", 5);
    assert_int_equal(answer(&plain, text), PROXY_FAILED);
    assert_true(strlen(talk.methods) < sizeof talk.methods);
    assert_non_null(strstr(talk.talk.why, "M0, M1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_what_rfc_9110_shows),
        cmocka_unit_test(addresses_of_six_stand_in_brackets),
        cmocka_unit_test(credentials_go_along_at_once),
        cmocka_unit_test(no_host_can_smuggle_a_line_in),
        cmocka_unit_test(endless_credentials_are_refused),
        cmocka_unit_test(any_success_opens_the_way),
        cmocka_unit_test(the_rest_is_left_alone_at_every_split),
        cmocka_unit_test(a_proxy_that_wants_credentials_is_understood),
        cmocka_unit_test(refusals_are_told_in_the_proxys_words),
        cmocka_unit_test(what_is_no_http_is_noticed_at_once),
        cmocka_unit_test(an_answer_without_end_is_given_up),
        cmocka_unit_test(long_lines_and_many_methods_do_no_harm),
    };
    return cmocka_run_group_tests_name("proxy_http", tests, NULL, NULL);
}
