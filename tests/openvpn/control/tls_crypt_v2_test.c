#include "gateway/openvpn/control/tls_crypt_v2.h"

#include "tests/unit.h"
#include "tests/vectors/openvpn_tls_crypt.h"

static struct tls_crypt_v2_client_key client_key(const char *text)
{
    struct tls_crypt_v2_client_key key;
    assert_true(tls_crypt_v2_parse_client(bytes_of_text(text), &key));
    return key;
}

static struct tls_crypt_key server_key(void)
{
    struct tls_crypt_v2_server_key key;
    struct tls_crypt_key prepared;
    assert_true(
        tls_crypt_v2_parse_server(bytes_of_text(vector_v2_server_key), &key));
    assert_true(tls_crypt_v2_init(&prepared, &key));
    return prepared;
}

static struct bytes wrapped_of(const struct tls_crypt_v2_client_key *key)
{
    return bytes_of(key->wrapped, key->wrapped_size);
}

static void openvpns_key_files_are_read(void **state)
{
    (void)state;
    struct tls_crypt_v2_server_key server;
    struct tls_crypt_v2_client_key client = client_key(vector_v2_client_key);
    assert_true(tls_crypt_v2_parse_server(bytes_of_text(vector_v2_server_key),
                                          &server));
    for (size_t i = 0; i < sizeof server.bytes; i++)
        assert_int_equal(server.bytes[i], i);
    for (size_t i = 0; i < sizeof client.key.bytes; i++)
        assert_int_equal(client.key.bytes[i], i);
    /* Tag, key, type and time, length. */
    assert_int_equal(client.wrapped_size, 32 + 256 + 9 + 2);
}

static void key_files_are_written_as_openvpn_does(void **state)
{
    (void)state;
    char text[TLS_CRYPT_V2_TEXT_MAX];
    struct tls_crypt_v2_server_key server;
    struct tls_crypt_v2_client_key client = client_key(vector_v2_client_key);
    assert_true(tls_crypt_v2_parse_server(bytes_of_text(vector_v2_server_key),
                                          &server));
    assert_true(tls_crypt_v2_format_server(&server, text, sizeof text));
    assert_string_equal(text, vector_v2_server_key);
    assert_false(tls_crypt_v2_format_server(&server, text,
                                            sizeof vector_v2_server_key - 1));
    assert_true(tls_crypt_v2_format_client(&client, text, sizeof text));
    assert_string_equal(text, vector_v2_client_key);
    assert_false(tls_crypt_v2_format_client(&client, text,
                                            sizeof vector_v2_client_key - 1));
}

static void the_server_unwraps_openvpns_keys(void **state)
{
    (void)state;
    static const uint8_t time_zero[9] = {TLS_CRYPT_V2_METADATA_TIME};
    static const uint8_t user[7] = {
        TLS_CRYPT_V2_METADATA_USER, 0x00, 0x00, 0x41, 0x08, 0x20, 0xc3};
    struct tls_crypt_key server = server_key();
    struct tls_crypt_v2_content content;

    struct tls_crypt_v2_client_key client = client_key(vector_v2_client_key);
    assert_true(tls_crypt_v2_unwrap(&server, wrapped_of(&client), &content));
    assert_memory_equal(&content.key, &client.key, sizeof content.key);
    assert_bytes_equal(bytes_of(content.metadata, content.metadata_size),
                       bytes_of(time_zero, sizeof time_zero));

    client = client_key(vector_v2_client_key_user);
    assert_true(tls_crypt_v2_unwrap(&server, wrapped_of(&client), &content));
    assert_memory_equal(&content.key, &client.key, sizeof content.key);
    assert_bytes_equal(bytes_of(content.metadata, content.metadata_size),
                       bytes_of(user, sizeof user));
    tls_crypt_key_clear(&server);
}

static void wrapping_gives_openvpns_bytes(void **state)
{
    (void)state;
    struct tls_crypt_key server = server_key();
    struct tls_crypt_v2_client_key expected = client_key(vector_v2_client_key);
    struct tls_crypt_v2_content content = {
        .key = expected.key,
        .metadata_size = 9,
        .metadata = {TLS_CRYPT_V2_METADATA_TIME},
    };
    struct tls_crypt_v2_client_key made;
    assert_true(tls_crypt_v2_wrap(&server, &content, &made));
    assert_bytes_equal(wrapped_of(&made), wrapped_of(&expected));
    tls_crypt_key_clear(&server);
}

static void every_metadata_size_makes_the_round_trip(void **state)
{
    (void)state;
    struct tls_crypt_key server = server_key();
    struct tls_crypt_v2_content content, again;
    uint32_t seed = 99;
    for (size_t i = 0; i < sizeof content.key.bytes; i++)
        content.key.bytes[i] = (uint8_t)next_random(&seed);
    for (size_t i = 0; i < sizeof content.metadata; i++)
        content.metadata[i] = (uint8_t)next_random(&seed);
    for (uint16_t n = 0; n <= TLS_CRYPT_V2_METADATA_MAX; n++) {
        struct tls_crypt_v2_client_key made;
        content.metadata_size = n;
        assert_true(tls_crypt_v2_wrap(&server, &content, &made));
        assert_int_equal(made.wrapped_size, TLS_CRYPT_V2_WRAPPED_MIN + n);
        assert_true(tls_crypt_v2_unwrap(&server, wrapped_of(&made), &again));
        assert_memory_equal(&again.key, &content.key, sizeof again.key);
        assert_bytes_equal(bytes_of(again.metadata, again.metadata_size),
                           bytes_of(content.metadata, n));
    }
    tls_crypt_key_clear(&server);
}

static void a_changed_or_cut_wrapped_key_is_refused(void **state)
{
    (void)state;
    struct tls_crypt_key server = server_key();
    struct tls_crypt_v2_client_key client = client_key(vector_v2_client_key);
    struct tls_crypt_v2_content content = {.metadata_size = 4711};
    for (size_t i = 0; i < client.wrapped_size; i++) {
        client.wrapped[i] ^= 1;
        assert_false(
            tls_crypt_v2_unwrap(&server, wrapped_of(&client), &content));
        client.wrapped[i] ^= 1;
    }
    for (size_t size = 0; size < client.wrapped_size; size++) {
        uint8_t *copy = exact_copy(client.wrapped, size);
        assert_false(
            tls_crypt_v2_unwrap(&server, bytes_of(copy, size), &content));
        /* One that is honest about its size. */
        if (size >= 2) {
            store_u16(copy + size - 2, (uint16_t)size);
            assert_false(
                tls_crypt_v2_unwrap(&server, bytes_of(copy, size), &content));
        }
        free(copy);
    }
    assert_int_equal(content.metadata_size, 4711);
    tls_crypt_key_clear(&server);
}

/* Rightly sealed, but larger than any wrapped key: room is for the largest. */
static void too_large_a_wrapped_key_is_refused(void **state)
{
    (void)state;
    enum { SIZE = TLS_CRYPT_V2_WRAPPED_MAX + 500 };
    struct tls_crypt_key server = server_key();
    struct tls_crypt_v2_content content;
    uint8_t *wrapped = calloc(1, SIZE);
    assert_non_null(wrapped);
    store_u16(wrapped + SIZE - 2, SIZE);
    assert_true(tls_crypt_encrypt(&server, bytes_of(wrapped + SIZE - 2, 2),
                                  wrapped + TLS_CRYPT_TAG_SIZE,
                                  SIZE - TLS_CRYPT_TAG_SIZE - 2, wrapped));
    assert_false(
        tls_crypt_v2_unwrap(&server, bytes_of(wrapped, SIZE), &content));
    free(wrapped);
    tls_crypt_key_clear(&server);
}

static void every_truncated_file_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof vector_v2_client_key - 2; size++) {
        uint8_t *copy = exact_copy(vector_v2_client_key, size);
        struct tls_crypt_v2_client_key key;
        assert_false(tls_crypt_v2_parse_client(bytes_of(copy, size), &key));
        free(copy);
    }
    for (size_t size = 0; size < sizeof vector_v2_server_key - 2; size++) {
        uint8_t *copy = exact_copy(vector_v2_server_key, size);
        struct tls_crypt_v2_server_key key;
        assert_false(tls_crypt_v2_parse_server(bytes_of(copy, size), &key));
        free(copy);
    }
}

static void a_file_of_the_other_kind_or_size_is_refused(void **state)
{
    (void)state;
    struct tls_crypt_v2_client_key client;
    struct tls_crypt_v2_server_key server;
    assert_false(tls_crypt_v2_parse_client(bytes_of_text(vector_v2_server_key),
                                           &client));
    assert_false(tls_crypt_v2_parse_server(bytes_of_text(vector_v2_client_key),
                                           &server));
    assert_false(tls_crypt_v2_parse_server(
        bytes_of_text("-----BEGIN OpenVPN tls-crypt-v2 server key-----\n"
                      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj\n"
                      "-----END OpenVPN tls-crypt-v2 server key-----\n"),
        &server));

    /* Its length field is one too high. */
    char text[TLS_CRYPT_V2_TEXT_MAX];
    client = client_key(vector_v2_client_key);
    client.wrapped[client.wrapped_size - 1]++;
    assert_true(tls_crypt_v2_format_client(&client, text, sizeof text));
    assert_false(tls_crypt_v2_parse_client(bytes_of_text(text), &client));
}

/* A datagram of `head` bytes and a wrapped key that says it has `length`. */
static bool split(size_t head, size_t key, size_t length, size_t *packet_size)
{
    uint8_t memory[2048] = {0};
    struct bytes packet, wrapped;
    store_u16(memory + head + key - 2, (uint16_t)length);
    uint8_t *copy = exact_copy(memory, head + key);
    bool ok = tls_crypt_v2_split(bytes_of(copy, head + key), &packet, &wrapped);
    if (ok) {
        assert_ptr_equal(packet.data, copy);
        assert_ptr_equal(wrapped.data, copy + packet.size);
        assert_int_equal(packet.size + wrapped.size, head + key);
        *packet_size = packet.size;
    }
    free(copy);
    return ok;
}

static void a_datagram_is_split_at_the_length_it_ends_in(void **state)
{
    (void)state;
    size_t n = 0;
    assert_true(split(54, 299, 299, &n));
    assert_int_equal(n, 54);
    assert_true(split(9, 290, 290, &n));
    assert_int_equal(n, 9);
    assert_true(split(100, 1024, 1024, &n));
    assert_int_equal(n, 100);
}

static void the_header_is_never_part_of_the_wrapped_key(void **state)
{
    (void)state;
    size_t n;
    assert_false(split(8, 290, 290, &n));
    assert_false(split(8, 298, 298, &n));
    for (size_t length = 299 + 54 - 8; length < 65536; length += 7)
        assert_false(split(54, 299, length, &n));
    for (size_t length = 0; length < TLS_CRYPT_V2_WRAPPED_MIN; length++)
        assert_false(split(54, 299, length, &n));
    assert_false(split(9, 1025, 1025, &n));
    for (size_t key = 2; key < 290; key++)
        assert_false(split(9, key, key, &n));
}

static void the_opcodes_with_a_wrapped_key_are_two(void **state)
{
    (void)state;
    for (uint8_t opcode = 0; opcode < 32; opcode++)
        assert_int_equal(tls_crypt_v2_opcode(opcode),
                         opcode == 10 || opcode == 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openvpns_key_files_are_read),
        cmocka_unit_test(key_files_are_written_as_openvpn_does),
        cmocka_unit_test(the_server_unwraps_openvpns_keys),
        cmocka_unit_test(wrapping_gives_openvpns_bytes),
        cmocka_unit_test(every_metadata_size_makes_the_round_trip),
        cmocka_unit_test(a_changed_or_cut_wrapped_key_is_refused),
        cmocka_unit_test(too_large_a_wrapped_key_is_refused),
        cmocka_unit_test(every_truncated_file_is_refused),
        cmocka_unit_test(a_file_of_the_other_kind_or_size_is_refused),
        cmocka_unit_test(a_datagram_is_split_at_the_length_it_ends_in),
        cmocka_unit_test(the_header_is_never_part_of_the_wrapped_key),
        cmocka_unit_test(the_opcodes_with_a_wrapped_key_are_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
