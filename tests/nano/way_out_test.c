#include "gateway/nano/way_out.h"
#include "tests/unit.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static bool parse(const char *line, struct way_out *out)
{
    return way_out_parse(bytes_of_text(line), out);
}

static void addresses_are_read(void **state)
{
    (void)state;
    struct way_out w;
    assert_true(parse("10.137.0.5 10.137.0.1", &w));
    assert_int_equal(address_to_ipv4(&w.address), 0x0a890005);
    assert_int_equal(address_to_ipv4(&w.gateway), 0x0a890001);
    assert_int_equal(w.resolver_count, 0);
    assert_true(parse("10.137.0.5 10.137.0.1 10.139.1.1 10.139.1.2", &w));
    assert_int_equal(w.resolver_count, 2);
    assert_int_equal(address_to_ipv4(&w.resolvers[1]), 0x0a8b0102);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "10.137.0.5",
        "10.137.0.5 ",
        "10.137.0.5  10.137.0.1",
        "10.137.0.5 10.137.0.1 ",
        "10.137.0.5 10.137.0.1 10.139.1.1 10.139.1.2 10.139.1.3",
        "10.137.0.5 10.137.0.1 fd00::1",
        "fd00::5 fd00::1",
        "0.0.0.0 10.137.0.1",
        "127.0.0.1 10.137.0.1",
        "10.137.0.5 224.0.0.1",
        "10.137.0.5 255.255.255.255",
        "10.137.0.5 10.137.0.1\n10.139.1.1",
        "10.137.0.5/8 10.137.0.1",
    };
    struct way_out w = {.resolver_count = 7};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_false(parse(lines[i], &w));
    assert_int_equal(w.resolver_count, 7);
}

static void every_truncation_of_a_line_is_read_within_it(void **state)
{
    (void)state;
    static const char line[] = "10.137.0.5 10.137.0.1 10.139.1.1";
    struct way_out w;
    for (size_t size = 0; size < sizeof line; size++) {
        uint8_t *copy = exact_copy(line, size);
        (void)!way_out_parse(bytes_of(copy, size), &w);
        free(copy);
    }
}

enum { NO_NAMESPACE = 77 };

static bool shell(const char *command)
{
    return system(command) == 0;
}

static bool set(const char *line)
{
    struct way_out w;
    return parse(line, &w) && way_out_set(&w);
}

/* In a network of its own, whose eth0 is a cable to nowhere. */
static int set_in_namespace(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/etc", "tmpfs", 0, NULL) != 0 ||
        !shell("ip link add eth0 type veth peer name far"))
        return NO_NAMESPACE;
    if (!way_out_card() || !set("10.137.0.5 10.137.0.1 10.139.1.1") ||
        !set("10.137.0.5 10.137.0.9") ||
        !set("10.137.0.6 10.137.0.9 10.139.1.1 10.139.1.2"))
        return EXIT_FAILURE;
    /* Nothing is left of what was wanted before. */
    return !shell("test \"$(ip -4 -o address show eth0 | grep -c .)\" = 1 && "
                  "ip -4 address show eth0 | grep -q 'inet 10.137.0.6/32' && "
                  "test \"$(ip route | sed 's/ linkdown//; s/ *$//')\" = "
                  "'default via 10.137.0.9 dev eth0\n"
                  "10.137.0.9 dev eth0 scope link' && "
                  "test \"$(cat /etc/resolv.conf)\" = "
                  "'nameserver 10.139.1.1\nnameserver 10.139.1.2'");
}

static void the_card_gets_what_is_wanted(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(set_in_namespace());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_NAMESPACE)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(every_truncation_of_a_line_is_read_within_it),
        cmocka_unit_test(the_card_gets_what_is_wanted),
    };
    return cmocka_run_group_tests_name("way out", tests, NULL, NULL);
}
