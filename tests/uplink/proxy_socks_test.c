#include "gateway/uplink/proxy_socks.h"
#include "tests/unit.h"

static struct proxy_socks talk;

static const struct proxy named = {
    .kind = PROXY_SOCKS, .host = "vpn.example", .port = 0x1234};
static const struct proxy numbered = {
    .kind = PROXY_SOCKS, .host = "192.0.2.1", .port = 0x1234};
static const struct proxy with_login = {.kind = PROXY_SOCKS,
                                        .host = "2001:db8::1",
                                        .port = 0x1234,
                                        .username = "me",
                                        .password = "pw"};

#define BYTES(...)                                                             \
    bytes_of((const uint8_t[]){__VA_ARGS__},                                   \
             sizeof((const uint8_t[]){__VA_ARGS__}))

/* The bytes that it has to say beyond `from`, which moves on. */
static struct bytes said(size_t *from)
{
    struct bytes all = writer_bytes(&talk.talk.out);
    struct bytes rest = bytes_of(all.data + *from, all.size - *from);
    *from = all.size;
    return rest;
}

static size_t hear(struct bytes in)
{
    uint8_t *copy = exact_copy(in.data, in.size);
    size_t used = proxy_socks_receive(&talk, bytes_of(copy, in.size));
    free(copy);
    return used;
}

static void a_name_is_the_proxys_to_find(void **state)
{
    (void)state;
    size_t at = 0;
    proxy_socks_init(&talk, &named, PROXY_SOCKS_CONNECT);
    assert_bytes_equal(said(&at), BYTES(5, 1, 0));
    assert_int_equal(hear(BYTES(5, 0)), 2);
    assert_bytes_equal(said(&at),
                       BYTES(5, 1, 0, 3, 11, 'v', 'p', 'n', '.', 'e', 'x', 'a',
                             'm', 'p', 'l', 'e', 0x12, 0x34));
    assert_int_equal(hear(BYTES(5, 0, 0, 1, 192, 0, 2, 7, 0, 80)), 10);
    assert_int_equal(talk.talk.progress, PROXY_DONE);
    assert_int_equal(address_to_ipv4(&talk.bound.address), 0xc0000207);
    assert_int_equal(talk.bound.port, 80);
    assert_bytes_equal(said(&at), bytes_of(NULL, 0));
}

/* RFC 1929 */
static void a_login_is_given_where_it_is_wanted(void **state)
{
    (void)state;
    size_t at = 0;
    proxy_socks_init(&talk, &with_login, PROXY_SOCKS_CONNECT);
    assert_bytes_equal(said(&at), BYTES(5, 2, 0, 2));
    hear(BYTES(5, 2));
    assert_bytes_equal(said(&at), BYTES(1, 2, 'm', 'e', 2, 'p', 'w'));
    hear(BYTES(1, 0));
    assert_bytes_equal(said(&at),
                       BYTES(5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0,
                             0, 0, 0, 0, 0, 1, 0x12, 0x34));
    hear(BYTES(5, 0, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
               9, 1, 2));
    assert_int_equal(talk.talk.progress, PROXY_DONE);
    assert_int_equal(talk.bound.address.family, ADDRESS_IPV6);
    assert_int_equal(talk.bound.port, 0x102);
}

static void a_login_may_turn_out_not_to_be_wanted(void **state)
{
    (void)state;
    size_t at = 4;
    proxy_socks_init(&talk, &with_login, PROXY_SOCKS_CONNECT);
    hear(BYTES(5, 0));
    assert_int_equal(said(&at).data[1], PROXY_SOCKS_CONNECT);
}

static void a_relay_is_asked_for_without_an_address(void **state)
{
    (void)state;
    size_t at = 3;
    proxy_socks_init(&talk, &named, PROXY_SOCKS_UDP_ASSOCIATE);
    hear(BYTES(5, 0));
    assert_bytes_equal(said(&at), BYTES(5, 3, 0, 1, 0, 0, 0, 0, 0, 0));
    hear(BYTES(5, 0, 0, 3, 2, 'a', 'b', 0x40, 0));
    assert_int_equal(talk.talk.progress, PROXY_DONE);
    assert_int_equal(talk.bound.address.family, ADDRESS_NONE);
    assert_int_equal(talk.bound.port, 0x4000);
}

/* The whole talk, and the server's first bytes behind it. */
static void it_does_not_matter_how_the_answers_are_cut(void **state)
{
    (void)state;
    static const uint8_t stream[] = {5,   2,   1,   0, 5, 0, 0,  3,   3,
                                     'a', 'b', 'c', 0, 1, 0, 14, 0x40};
    const size_t size = sizeof stream, own = size - 3;
    for (size_t split = 0; split <= size; split++) {
        proxy_socks_init(&talk, &with_login, PROXY_SOCKS_CONNECT);
        size_t used = hear(bytes_of(stream, split));
        assert_int_equal(talk.talk.progress,
                         split < own ? PROXY_TALKING : PROXY_DONE);
        used += hear(bytes_of(stream + used, size - used));
        assert_int_equal(used, own);
        assert_int_equal(talk.talk.progress, PROXY_DONE);
    }
    proxy_socks_init(&talk, &with_login, PROXY_SOCKS_CONNECT);
    for (size_t i = 0; i < own; i++)
        assert_int_equal(hear(bytes_of(stream + i, 1)), 1);
    assert_int_equal(talk.talk.progress, PROXY_DONE);
}

static void expect_why(const struct proxy *proxy, struct bytes stream,
                       const char *part)
{
    proxy_socks_init(&talk, proxy, PROXY_SOCKS_CONNECT);
    hear(stream);
    assert_int_equal(talk.talk.progress, PROXY_FAILED);
    assert_non_null(strstr(talk.talk.why, part));
}

static void refusals_are_understood(void **state)
{
    (void)state;
    expect_why(&named, BYTES(5, 0xff), "wants a name and a password");
    expect_why(&with_login, BYTES(5, 0xff), "takes neither");
    expect_why(&named, BYTES(5, 2), "takes neither"); /* was not offered */
    expect_why(&with_login, BYTES(5, 1), "takes neither");
    expect_why(&with_login, BYTES(5, 2, 1, 1), "refuses the name and the");
    expect_why(&with_login, BYTES(5, 2, 5, 0xff), "refuses the name and the");
    expect_why(&named, BYTES(0, 91), "does not speak SOCKS version 5");
    expect_why(&named, BYTES('H', 'T', 'T', 'P'), "does not speak SOCKS");
    expect_why(&named, BYTES(5, 0, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0), "not speak");
    expect_why(&named, BYTES(5, 0, 5, 0, 0, 2, 0, 0, 0, 0, 0, 0), "malformed");
    /* Without the rest of the answer, too, which some leave out. */
    expect_why(&named, BYTES(5, 0, 5, 2), "rules do not allow");
    expect_why(&named, BYTES(5, 0, 5, 4), "cannot reach or find the server");
    expect_why(&named, BYTES(5, 0, 5, 5), "the server refuses");
    expect_why(&named, BYTES(5, 0, 5, 7), "does not know this command");
    expect_why(&named, BYTES(5, 0, 5, 8), "type of address");
    expect_why(&named, BYTES(5, 0, 5, 9), "not known why");
    expect_why(&named, BYTES(5, 0, 5, 0xff), "not known why");
}

static void what_is_too_long_is_never_sent(void **state)
{
    (void)state;
    char name[258];
    struct proxy p = with_login;
    uint8_t header[PROXY_SOCKS_HEADER_MAX];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 3; i++) {
        name[i == 0 ? 255 : 256] = '\0';
        p.host = p.username = p.password = "a";
        *(i < 2 ? &p.username : &p.host) = name;
        proxy_socks_init(&talk, &p, PROXY_SOCKS_CONNECT);
        assert_int_equal(talk.talk.progress,
                         i == 0 ? PROXY_TALKING : PROXY_FAILED);
        assert_int_equal(proxy_socks_header(&p, header) > 0, i < 2);
        name[255] = 'n';
    }
    name[255] = '\0';
    p.host = name;
    assert_int_equal(proxy_socks_header(&p, header), PROXY_SOCKS_HEADER_MAX);
}

/* --- Datagrams ----------------------------------------------------------- */

static void headers_are_those_of_rfc_1928(void **state)
{
    (void)state;
    uint8_t header[PROXY_SOCKS_HEADER_MAX];
    size_t size = proxy_socks_header(&numbered, header);
    assert_bytes_equal(bytes_of(header, size),
                       BYTES(0, 0, 0, 1, 192, 0, 2, 1, 0x12, 0x34));
    assert_int_equal(proxy_socks_header(&with_login, header), 22);
    size = proxy_socks_header(&named, header);
    assert_int_equal(size, 7 + 11);
    assert_int_equal(header[3], 3);
    assert_int_equal(header[4], 11);
}

static bool parse(struct bytes datagram, struct endpoint *source,
                  size_t *payload)
{
    uint8_t *copy = exact_copy(datagram.data, datagram.size);
    struct bytes found = {NULL, 0};
    bool good =
        proxy_socks_parse(bytes_of(copy, datagram.size), source, &found);
    *payload = found.size;
    free(copy);
    return good;
}

static void every_truncated_datagram_is_refused(void **state)
{
    (void)state;
    static const struct proxy *const proxies[] = {&named, &numbered,
                                                  &with_login};
    for (size_t i = 0; i < 3; i++) {
        uint8_t datagram[PROXY_SOCKS_HEADER_MAX + 5];
        size_t size = proxy_socks_header(proxies[i], datagram);
        struct endpoint source = {.port = 7};
        size_t payload;
        memset(datagram + size, 0xaa, 5);
        for (size_t cut = 0; cut <= size; cut++) {
            assert_false(parse(bytes_of(datagram, cut), &source, &payload));
            assert_int_equal(source.port, 7);
        }
        assert_true(parse(bytes_of(datagram, size + 5), &source, &payload));
        assert_int_equal(payload, 5);
        assert_int_equal(source.port, 0x1234);
        assert_int_equal(source.address.family, i == 0   ? ADDRESS_NONE
                                                : i == 1 ? ADDRESS_IPV4
                                                         : ADDRESS_IPV6);
    }
}

static void fragments_and_odd_headers_are_refused(void **state)
{
    (void)state;
    struct endpoint source;
    size_t payload;
    assert_true(
        parse(BYTES(0, 0, 0, 1, 1, 2, 3, 4, 0, 9, 'x'), &source, &payload));
    assert_false(
        parse(BYTES(0, 0, 1, 1, 1, 2, 3, 4, 0, 9, 'x'), &source, &payload));
    assert_false(
        parse(BYTES(0, 1, 0, 1, 1, 2, 3, 4, 0, 9, 'x'), &source, &payload));
    assert_false(
        parse(BYTES(0, 0, 0, 2, 1, 2, 3, 4, 0, 9, 'x'), &source, &payload));
    assert_false(
        parse(BYTES(0, 0, 0, 3, 9, 2, 3, 4, 0, 9, 'x'), &source, &payload));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_the_proxys_to_find),
        cmocka_unit_test(a_login_is_given_where_it_is_wanted),
        cmocka_unit_test(a_login_may_turn_out_not_to_be_wanted),
        cmocka_unit_test(a_relay_is_asked_for_without_an_address),
        cmocka_unit_test(it_does_not_matter_how_the_answers_are_cut),
        cmocka_unit_test(refusals_are_understood),
        cmocka_unit_test(what_is_too_long_is_never_sent),
        cmocka_unit_test(headers_are_those_of_rfc_1928),
        cmocka_unit_test(every_truncated_datagram_is_refused),
        cmocka_unit_test(fragments_and_odd_headers_are_refused),
    };
    return cmocka_run_group_tests_name("proxy_socks", tests, NULL, NULL);
}
