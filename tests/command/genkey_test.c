#include "gateway/command/genkey.h"

#include "tests/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/openvpn/control/tls_crypt_v2.h"

enum { PATH_SIZE = 64, ARGUMENTS_MAX = 8 };

static char folder[] = "/tmp/genkey-test-XXXXXX";

static const char *in_folder(char out[PATH_SIZE], const char *name)
{
    snprintf(out, PATH_SIZE, "%s/%s", folder, name);
    return out;
}

static int call(const char *const *words)
{
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "genkey"};
    int argc = 1;
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    return genkey(argc, argv);
}

#define CALL(...) call((const char *const[]){__VA_ARGS__, NULL})

static size_t content(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(out, 1, capacity, file);
    fclose(file);
    return size;
}

static void static_keys_parse_differ_and_are_private(void **state)
{
    (void)state;
    char path[PATH_SIZE], text[TLS_CRYPT_V2_TEXT_MAX];
    struct static_key keys[2];
    static const char *const kinds[] = {"tls-auth", "tls-crypt"};
    for (size_t i = 0; i < 2; i++) {
        struct stat file;
        in_folder(path, kinds[i]);
        assert_int_equal(CALL(kinds[i], path), 0);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
        size_t size = content(path, text, sizeof text);
        assert_true(static_key_parse(bytes_of(text, size), &keys[i]));
    }
    assert_memory_not_equal(&keys[0], &keys[1], sizeof keys[0]);
}

static void an_existing_file_is_left_alone(void **state)
{
    (void)state;
    char path[PATH_SIZE], before[2048], after[2048];
    in_folder(path, "kept");
    assert_int_equal(CALL("tls-crypt", path), 0);
    size_t size = content(path, before, sizeof before);
    assert_int_equal(CALL("tls-crypt", path), 1);
    assert_int_equal(content(path, after, sizeof after), size);
    assert_memory_equal(before, after, size);
}

static void a_client_key_is_wrapped_for_its_server(void **state)
{
    (void)state;
    char server[PATH_SIZE], client[PATH_SIZE], text[TLS_CRYPT_V2_TEXT_MAX];
    struct tls_crypt_v2_server_key server_key;
    struct tls_crypt_v2_client_key client_key;
    struct tls_crypt_v2_content inside;
    struct tls_crypt_key prepared;

    in_folder(server, "v2-server");
    in_folder(client, "v2-client");
    assert_int_equal(CALL("tls-crypt-v2-server", server), 0);
    assert_int_equal(CALL("tls-crypt-v2-client", "--server-key", server,
                          "--metadata", "alice", client),
                     0);

    size_t size = content(server, text, sizeof text);
    assert_true(tls_crypt_v2_parse_server(bytes_of(text, size), &server_key));
    size = content(client, text, sizeof text);
    assert_true(tls_crypt_v2_parse_client(bytes_of(text, size), &client_key));
    assert_true(tls_crypt_v2_init(&prepared, &server_key));
    assert_true(tls_crypt_v2_unwrap(
        &prepared, bytes_of(client_key.wrapped, client_key.wrapped_size),
        &inside));
    assert_memory_equal(&inside.key, &client_key.key, sizeof inside.key);
    assert_int_equal(inside.metadata_size, 6);
    assert_memory_equal(inside.metadata, "\0alice", 6);
    tls_crypt_key_clear(&prepared);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    char path[PATH_SIZE], other[PATH_SIZE];
    in_folder(path, "never");
    in_folder(other, "no-server-key");
    assert_int_equal(CALL("tls-crypt"), 2);
    assert_int_equal(CALL("nonsense", path), 2);
    assert_int_equal(CALL("tls-crypt-v2-client", path), 2);
    assert_int_equal(CALL("tls-crypt", "--server-key", other, path), 2);
    assert_int_equal(CALL("wireguard", "--metadata", "alice", path), 2);
    assert_int_equal(CALL("tls-crypt", other), 0);
    assert_int_equal(CALL("tls-crypt-v2-client", "--server-key", other, path),
                     1);
    assert_int_equal(access(path, F_OK), -1);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"tls-auth",  "tls-crypt",
                                        "kept",      "v2-server",
                                        "v2-client", "no-server-key"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(path, names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_keys_parse_differ_and_are_private),
        cmocka_unit_test(an_existing_file_is_left_alone),
        cmocka_unit_test(a_client_key_is_wrapped_for_its_server),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
