/* The tests' own daemon says what the real one was seen to say, byte for byte
 * written here and not by the client's codec. */
#include "tests/qubesdb/daemon.h"

#include "tests/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/qubesdb/witness.h"

enum { HEADER_SIZE = 72, SIZE_AT = 68, HEARD_SIZE = 65536 };

enum { READ, WRITE, MULTIREAD, LIST, RM, WATCH, UNWATCH, UNKNOWN = 99 };

static const char *const answers[] = {
    [7] = "ok",     [8] = "absent", [9] = "error",  [10] = "value",
    [11] = "entry", [12] = "name",  [13] = "event",
};

static struct scene {
    struct daemon *daemon;
    int client;
    char heard[HEARD_SIZE];
} scene;

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scene.daemon = daemon_new();
    daemon_write(scene.daemon, "/q/a", "1");
    daemon_write(scene.daemon, "/q/b", "");
    daemon_write(scene.daemon, "/q2", "3");
    daemon_listen(scene.daemon, witness_socket());
    strcpy(address.sun_path, witness_socket());
    scene.client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        connect(scene.client, (struct sockaddr *)&address, sizeof address), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(scene.client);
    daemon_free(scene.daemon);
    return 0;
}

/* All that the daemon has said until now, one line a message. */
static const char *heard(void)
{
    static uint8_t bytes[HEARD_SIZE];
    size_t size = 0, length = 0;
    ssize_t n;
    while (daemon_turn(scene.daemon, 0, -1)) {
    }
    while ((n = recv(scene.client, bytes + size, sizeof bytes - size,
                     MSG_DONTWAIT)) > 0)
        size += (size_t)n;
    scene.heard[0] = '\0';
    for (size_t at = 0; at < size;) {
        uint32_t body;
        assert_true(size - at >= HEADER_SIZE);
        memcpy(&body, bytes + at + SIZE_AT, sizeof body);
        length += (size_t)snprintf(
            scene.heard + length, HEARD_SIZE - length, "%s %s%s%.*s\n",
            answers[bytes[at]], (const char *)bytes + at + 1, body ? " " : "",
            (int)body, (const char *)bytes + at + HEADER_SIZE);
        at += HEADER_SIZE + body;
    }
    if (n == 0)
        strcat(scene.heard, "hung up\n");
    return scene.heard;
}

static void ask_with(uint8_t type, const char *path, const void *data,
                     uint32_t size)
{
    uint8_t message[HEADER_SIZE + 4096] = {type};
    memcpy(message + 1, path, strlen(path));
    memcpy(message + SIZE_AT, &size, sizeof size);
    memcpy(message + HEADER_SIZE, data, size);
    assert_int_equal(
        send(scene.client, message, HEADER_SIZE + size, MSG_NOSIGNAL),
        HEADER_SIZE + size);
}

static const char *ask(uint8_t type, const char *path, const char *data)
{
    ask_with(type, path, data, (uint32_t)strlen(data));
    return heard();
}

static void values_are_read(void **state)
{
    (void)state;
    assert_string_equal(ask(READ, "/q/a", ""), "value /q/a 1\n");
    assert_string_equal(ask(READ, "/q/b", ""), "value /q/b\n");
    assert_string_equal(ask(READ, "/q/", ""), "absent /q/\n");
    assert_string_equal(ask(READ, "/q/a", "x"), "hung up\n");
}

static void
prefixes_are_of_characters_and_everything_comes_descending(void **state)
{
    (void)state;
    assert_string_equal(ask(LIST, "/q", ""),
                        "name /q/a\nname /q/b\nname /q2\nname \n");
    assert_string_equal(ask(LIST, "/none", ""), "name \n");
    assert_string_equal(ask(LIST, "/q", "x"), "error /q\n");
    assert_string_equal(ask(MULTIREAD, "/q/", ""),
                        "entry /q/a 1\nentry /q/b\nentry \n");
    assert_string_equal(ask(MULTIREAD, "", ""),
                        "entry /q2 3\nentry /q/b\nentry /q/a 1\nentry \n");
}

static void own_writes_are_echoed_once_for_each_watch(void **state)
{
    (void)state;
    ask(WATCH, "/q/", "");
    ask(WATCH, "/q/a", "");
    ask(WATCH, "/q/a", "");
    assert_string_equal(ask(WRITE, "/q/a", "2"),
                        "ok /q/a\nevent /q/a\nevent /q/a\nevent /q/a\n");
    assert_string_equal(ask(WRITE, "/q", "2"), "ok /q\n");
    assert_string_equal(ask(UNWATCH, "/q/a", ""), "ok /q/a\n");
    assert_string_equal(ask(UNWATCH, "/q/x", ""), "absent /q/x\n");
    daemon_write(scene.daemon, "/q/a", "3");
    assert_string_equal(heard(), "event /q/a\nevent /q/a\n");
}

static void a_directory_goes_with_one_event(void **state)
{
    (void)state;
    ask(WATCH, "/q/", "");
    ask(WATCH, "/q/a", "");
    assert_string_equal(ask(RM, "/q/", ""), "ok /q/\nevent /q/\n");
    assert_string_equal(ask(RM, "/q/", ""), "absent /q/\n");
    assert_null(daemon_value(scene.daemon, "/q/a"));
    assert_string_equal(ask(READ, "/q2", ""), "value /q2 3\n");
}

static void what_cannot_be_written_is_answered(void **state)
{
    (void)state;
    static char large[3072];
    memset(large, 'x', sizeof large);
    ask_with(WRITE, "/large", large, sizeof large);
    assert_string_equal(heard(), "error /large\n");
    ask_with(WRITE, "/nul", "a\0b", 3);
    assert_string_equal(heard(), "error /nul\n");
    assert_string_equal(ask(WRITE, "/a b", "x"), "error /a b\n");
    assert_string_equal(ask(UNKNOWN, "/a", ""), "error /a\n");
    ask_with(WRITE, "/large", large, sizeof large - 1);
    assert_string_equal(heard(), "ok /large\n");
    assert_string_equal(ask(WRITE, "/a/", "x"), "error /a/\nhung up\n");
}

static void a_path_that_is_none_ends_the_connection(void **state)
{
    (void)state;
    assert_string_equal(ask(WRITE, "a", "x"), "error a\nhung up\n");
}

static void a_read_only_daemon_takes_nothing(void **state)
{
    (void)state;
    daemon_read_only(scene.daemon);
    assert_string_equal(ask(WRITE, "/q/a", "2"), "error /q/a\n");
    assert_string_equal(ask(RM, "/q/a", ""), "error /q/a\n");
    assert_string_equal(daemon_value(scene.daemon, "/q/a"), "1");
}

/* The body is the beginning of the next request. */
static void a_body_behind_a_watch_stays_in_the_stream(void **state)
{
    (void)state;
    uint8_t next[HEADER_SIZE] = {READ, '/', 'q', '2'};
    ask_with(WATCH, "/q/", next, sizeof next);
    assert_string_equal(heard(), "ok /q/\nvalue /q2 3\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(values_are_read),
        TEST(prefixes_are_of_characters_and_everything_comes_descending),
        TEST(own_writes_are_echoed_once_for_each_watch),
        TEST(a_directory_goes_with_one_event),
        TEST(what_cannot_be_written_is_answered),
        TEST(a_path_that_is_none_ends_the_connection),
        TEST(a_read_only_daemon_takes_nothing),
        TEST(a_body_behind_a_watch_stays_in_the_stream),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    witness_remove_socket();
    return failed;
}
