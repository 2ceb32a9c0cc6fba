#include "gateway/base/log.h"
#include "gateway/link/pcap.h"
#include "tests/turn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct fixture {
    struct loop *loop;
    struct pcap *pcap;
    char path[64];
    unsigned lines;
} fixture;

static void swallow(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
    fixture.lines++;
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.loop = loop_new()};
    assert_non_null(fixture.loop);
    snprintf(fixture.path, sizeof fixture.path, "/tmp/pcap-test-%d",
             (int)getpid());
    log_set_sink(swallow, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pcap_close(fixture.pcap);
    unlink(fixture.path);
    loop_free(fixture.loop);
    log_set_sink(NULL, NULL);
    return 0;
}

static void open_file(uint64_t size_max)
{
    enum error error;
    fixture.pcap = pcap_open(fixture.path, size_max, fixture.loop, &error);
    assert_non_null(fixture.pcap);
}

static void close_file(void)
{
    pcap_close(fixture.pcap);
    fixture.pcap = NULL;
}

/* The whole file on the heap. */
static struct bytes read_file(void)
{
    struct stat about;
    int fd = open(fixture.path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &about), 0);
    size_t size = (size_t)about.st_size;
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    assert_int_equal(read(fd, data, size), size);
    close(fd);
    return bytes_of(data, size);
}

static uint32_t number_at(struct bytes file, size_t at)
{
    uint32_t value;
    assert_true(at + sizeof value <= file.size);
    memcpy(&value, file.data + at, sizeof value);
    return value;
}

static void write_packet(struct packet *p)
{
    pcap_write(fixture.pcap, loop_now(fixture.loop), p);
}

static void packets_stand_in_the_file(void **state)
{
    (void)state;
    uint8_t head[20];
    static const uint8_t tail[30] = {7};
    struct bytes pieces[2] = {{tail, 10}, {tail, 30}};
    struct packet whole = {.data = head, .size = sizeof head};
    struct packet joined = {.data = head,
                            .size = sizeof head,
                            .pieces = pieces,
                            .piece_count = 2,
                            .piece_bytes = 40};
    memset(head, 0x45, sizeof head);
    open_file(0);
    write_packet(&whole);
    write_packet(&joined);
    close_file();

    struct bytes file = read_file();
    assert_int_equal(file.size, 24 + 16 + 20 + 16 + 60);
    assert_int_equal(number_at(file, 0), 0xa1b23c4d);
    assert_int_equal(number_at(file, 16), PACKET_SIZE_MAX);
    assert_int_equal(number_at(file, 20), 101);
    assert_in_range(number_at(file, 24), (uint32_t)time(NULL) - 60,
                    (uint32_t)time(NULL) + 60);
    assert_true(number_at(file, 28) < 1000000000);
    assert_int_equal(number_at(file, 32), 20);
    assert_int_equal(number_at(file, 36), 20);
    assert_memory_equal(file.data + 40, head, 20);
    assert_int_equal(number_at(file, 60 + 8), 60);
    assert_memory_equal(file.data + 76, head, 20);
    assert_memory_equal(file.data + 96, tail, 10);
    assert_memory_equal(file.data + 106, tail, 30);
    free((void *)(uintptr_t)file.data);
}

static void tcpdump_reads_it(void **state)
{
    (void)state;
    static uint8_t packet[28] = {0x45, 0,  0,  28,  0, 0, 0, 0, 64, 17,
                                 0,    0,  10, 137, 0, 1, 8, 8, 8,  8,
                                 0,    53, 0,  53,  0, 8, 0, 0};
    struct packet p = {.data = packet, .size = sizeof packet};
    char command[160];
    char line[256] = "";
    open_file(0);
    write_packet(&p);
    close_file();
    snprintf(command, sizeof command, "tcpdump -nr %s 2>/dev/null",
             fixture.path);
    FILE *reader = popen(command, "r");
    assert_non_null(reader);
    assert_non_null(fgets(line, sizeof line, reader));
    pclose(reader);
    assert_non_null(strstr(line, "IP 10.137.0.1.53 > 8.8.8.8.53"));
}

static void packets_reach_the_file_after_a_second(void **state)
{
    (void)state;
    uint8_t byte = 0x45;
    struct packet p = {.data = &byte, .size = 1};
    open_file(0);
    write_packet(&p);
    struct bytes before = read_file();
    assert_int_equal(before.size, 24);
    turn_for(fixture.loop, 1100);
    struct bytes after = read_file();
    assert_int_equal(after.size, 24 + 16 + 1);
    free((void *)(uintptr_t)before.data);
    free((void *)(uintptr_t)after.data);
}

/* More than the buffer holds, in super-packets. */
static void a_full_buffer_goes_to_the_file(void **state)
{
    (void)state;
    static uint8_t data[PACKET_SIZE_MAX];
    struct packet p = {.data = data, .size = sizeof data};
    open_file(0);
    for (int i = 0; i < 40; i++)
        write_packet(&p);
    close_file();
    struct bytes file = read_file();
    assert_int_equal(file.size, 24 + 40 * (16 + PACKET_SIZE_MAX));
    free((void *)(uintptr_t)file.data);
}

static void the_file_has_a_limit(void **state)
{
    (void)state;
    static uint8_t data[1000];
    struct packet p = {.data = data, .size = sizeof data};
    open_file(24 + 2 * (16 + sizeof data));
    for (int i = 0; i < 10; i++)
        write_packet(&p);
    assert_int_equal(fixture.lines, 1);
    close_file();
    struct bytes file = read_file();
    assert_int_equal(file.size, 24 + 2 * 1016);
    free((void *)(uintptr_t)file.data);
}

/* A pipe holds 64 KiB, the buffer a megabyte: the rest is left out, but
 * nothing is cut in the middle. */
static void a_slow_reader_gets_whole_packets(void **state)
{
    (void)state;
    static uint8_t data[10000];
    static uint8_t got[4 << 20];
    struct packet p = {.data = data, .size = sizeof data};
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    int reader = open(fixture.path, O_RDONLY | O_NONBLOCK);
    open_file(0);
    for (int i = 0; i < 200; i++)
        write_packet(&p);
    size_t size = 0;
    ssize_t n;
    while ((n = read(reader, got + size, sizeof got - size)) > 0)
        size += (size_t)n;
    for (int i = 0; i < 40; i++) {
        write_packet(&p);
        while ((n = read(reader, got + size, sizeof got - size)) > 0)
            size += (size_t)n;
    }
    close_file();
    while ((n = read(reader, got + size, sizeof got - size)) > 0)
        size += (size_t)n;
    close(reader);
    struct bytes stream = {got, size};
    size_t packets = 0;
    for (size_t at = 24; at + 16 <= size; at += 16 + sizeof data, packets++) {
        assert_int_equal(number_at(stream, at + 8), sizeof data);
        assert_int_equal(number_at(stream, at + 12), sizeof data);
    }
    assert_true(packets > 100 && packets < 240);
    assert_true(fixture.lines > 0); /* that some were left out */
}

static void a_reader_that_leaves_ends_it(void **state)
{
    (void)state;
    static uint8_t data[60000];
    struct packet p = {.data = data, .size = sizeof data};
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    int reader = open(fixture.path, O_RDONLY | O_NONBLOCK);
    open_file(0);
    close(reader);
    for (int i = 0; i < 40; i++)
        write_packet(&p);
    assert_int_equal(fixture.lines, 1);
}

static void a_file_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    enum error error = OK;
    assert_null(pcap_open("/nonexistent/file", 0, fixture.loop, &error));
    assert_int_equal(error, ERROR_NOT_FOUND);
    assert_int_equal(symlink("/dev/null", fixture.path), 0);
    assert_null(pcap_open(fixture.path, 0, fixture.loop, &error));
    pcap_write(NULL, loop_now(fixture.loop), NULL);
    pcap_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(packets_stand_in_the_file),
        TEST(tcpdump_reads_it),
        TEST(packets_reach_the_file_after_a_second),
        TEST(a_full_buffer_goes_to_the_file),
        TEST(the_file_has_a_limit),
        TEST(a_slow_reader_gets_whole_packets),
        TEST(a_reader_that_leaves_ends_it),
        TEST(a_file_that_cannot_be_is_an_error),
    };
    signal(SIGPIPE, SIG_IGN); /* as event/signals does */
    return cmocka_run_group_tests_name("pcap", tests, NULL, NULL);
}
