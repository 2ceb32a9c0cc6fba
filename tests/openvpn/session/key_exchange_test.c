#include "gateway/openvpn/session/key_exchange.h"

#include "tests/unit.h"

enum {
    CLIENT_HEAD = 4 + 1 + 48 + 32 + 32, /* up to the first text */
    SERVER_HEAD = 4 + 1 + 32 + 32,
};

static struct key_exchange sample(void)
{
    struct key_exchange m = {
        .options = bytes_of_text("V4,dev-type tun"),
        .username = bytes_of_text("anna"),
        .password = bytes_of_text("secret"),
        .peer_info = bytes_of_text("IV_VER=1\n"),
    };
    memset(m.source.pre_master, 1, sizeof m.source.pre_master);
    memset(m.source.random1, 2, sizeof m.source.random1);
    memset(m.source.random2, 3, sizeof m.source.random2);
    return m;
}

static struct bytes write_message(uint8_t *memory, enum openvpn_role role,
                                  const struct key_exchange *m)
{
    struct writer w = writer_of(memory, KEY_EXCHANGE_SIZE_MAX);
    key_exchange_write(&w, role, m);
    assert_true(writer_ok(&w));
    return writer_bytes(&w);
}

static void a_message_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    for (int role = OPENVPN_CLIENT; role <= OPENVPN_SERVER; role++) {
        struct key_exchange in = sample(), out;
        struct bytes record =
            write_message(memory, (enum openvpn_role)role, &in);
        assert_true(key_exchange_parse(record, (enum openvpn_role)role, &out));
        if (role == OPENVPN_SERVER)
            memset(in.source.pre_master, 0, sizeof in.source.pre_master);
        assert_memory_equal(&out.source, &in.source, sizeof in.source);
        assert_bytes_equal(out.options, in.options);
        assert_bytes_equal(out.username, in.username);
        assert_bytes_equal(out.password, in.password);
        assert_bytes_equal(out.peer_info, in.peer_info);
    }
}

static void the_bytes_lie_where_openvpn_puts_them(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    struct key_exchange m = sample();
    m.username = m.password = bytes_of(NULL, 0);
    struct bytes record = write_message(memory, OPENVPN_CLIENT, &m);
    static const uint8_t head[] = {0, 0, 0, 0, 2, 1};
    assert_memory_equal(record.data, head, sizeof head);
    assert_int_equal(record.data[52], 1);
    assert_int_equal(record.data[53], 2);
    assert_int_equal(record.data[85], 3);
    static const uint8_t tail[] = "\0\x10V4,dev-type tun\0" /* counts its NUL */
                                  "\0\0"                    /* absent */
                                  "\0\0"
                                  "\0\x0aIV_VER=1\n"; /* and its own NUL */
    assert_bytes_equal(
        bytes_of(record.data + CLIENT_HEAD, record.size - CLIENT_HEAD),
        bytes_of(tail, sizeof tail));
    record = write_message(memory, OPENVPN_SERVER, &m);
    assert_int_equal(record.data[5], 2);
    assert_int_equal(record.data[37], 3);
    assert_int_equal(record.data[SERVER_HEAD + 1], 0x10);
}

/* Old peers leave off what came later into the protocol, and only that. */
static void every_truncation_but_two_is_refused(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    struct key_exchange in = sample(), out;
    struct bytes record = write_message(memory, OPENVPN_CLIENT, &in);
    size_t after_options = CLIENT_HEAD + 2 + in.options.size + 1;
    size_t after_password =
        after_options + 2 + in.username.size + 1 + 2 + in.password.size + 1;
    for (size_t size = 0; size < record.size; size++) {
        uint8_t *copy = exact_copy(record.data, size);
        bool whole = size == after_options || size == after_password;
        memset(&out, 0x77, sizeof out);
        assert_int_equal(
            key_exchange_parse(bytes_of(copy, size), OPENVPN_CLIENT, &out),
            whole);
        if (whole) {
            assert_bytes_equal(out.options, in.options);
            assert_int_equal(out.peer_info.size, 0);
        } else {
            assert_int_equal(out.source.random1[0], 0x77);
        }
        free(copy);
    }
}

static void other_key_methods_are_refused(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    struct key_exchange in = sample(), out;
    struct bytes record = write_message(memory, OPENVPN_CLIENT, &in);
    memory[4] = 1;
    assert_false(key_exchange_parse(record, OPENVPN_CLIENT, &out));
    memory[4] = 0x12; /* the upper bits are no method */
    assert_true(key_exchange_parse(record, OPENVPN_CLIENT, &out));
    memory[0] = 1;
    assert_false(key_exchange_parse(record, OPENVPN_CLIENT, &out));
}

static void a_text_without_its_nul_is_refused(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    struct key_exchange in = sample(), out;
    struct bytes record = write_message(memory, OPENVPN_CLIENT, &in);
    memory[CLIENT_HEAD + 2 + in.options.size] = '!';
    assert_false(key_exchange_parse(record, OPENVPN_CLIENT, &out));
}

static void a_text_ends_at_its_first_nul(void **state)
{
    (void)state;
    uint8_t memory[KEY_EXCHANGE_SIZE_MAX];
    struct key_exchange in = sample(), out;
    struct bytes record = write_message(memory, OPENVPN_CLIENT, &in);
    memory[CLIENT_HEAD + 2 + 2] = 0;
    assert_true(key_exchange_parse(record, OPENVPN_CLIENT, &out));
    assert_bytes_equal(out.options, bytes_of_text("V4"));
    assert_bytes_equal(out.username, in.username);
}

static void what_is_too_long_is_not_written(void **state)
{
    (void)state;
    static char text[5000];
    uint8_t memory[8000];
    memset(text, 'x', sizeof text);
    struct key_exchange m = sample();
    struct writer w = writer_of(memory, sizeof memory);
    m.options = bytes_of(text, KEY_EXCHANGE_OPTIONS_MAX + 1);
    key_exchange_write(&w, OPENVPN_CLIENT, &m);
    assert_false(writer_ok(&w));
    w = writer_of(memory, sizeof memory);
    m = sample();
    m.password = bytes_of(text, KEY_EXCHANGE_CREDENTIAL_MAX);
    key_exchange_write(&w, OPENVPN_CLIENT, &m);
    assert_true(writer_ok(&w));
    w = writer_of(memory, sizeof memory);
    m.password.size++;
    key_exchange_write(&w, OPENVPN_CLIENT, &m);
    assert_false(writer_ok(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_read_as_it_was_written),
        cmocka_unit_test(the_bytes_lie_where_openvpn_puts_them),
        cmocka_unit_test(every_truncation_but_two_is_refused),
        cmocka_unit_test(other_key_methods_are_refused),
        cmocka_unit_test(a_text_without_its_nul_is_refused),
        cmocka_unit_test(a_text_ends_at_its_first_nul),
        cmocka_unit_test(what_is_too_long_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
