/* The files of a running server, with a real server behind them. */
#include "gateway/serve/serve_files.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "tests/turn.h"
#include "tests/vectors/pki.h"

struct fixture {
    char folder[32], leases[64], status[64];
    struct loop *loop;
    struct server_config config;
    struct server *server;
};

static void fill_random(void *context, uint8_t *out, size_t size)
{
    uint32_t *random = context;
    random_bytes(random, out, size);
}

static uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

static void make_config(struct server_config *c)
{
    server_config_init(c);
    c->common.remotes = calloc(1, sizeof *c->common.remotes);
    assert_non_null(c->common.remotes);
    c->common.remote_count = 1;
    config_remote_init(&c->common.remotes[0]);
    assert_true(blob_set(&c->common.ca, bytes_of_text(pki_ca)));
    assert_true(blob_set(&c->common.cert, bytes_of_text(pki_server_crt)));
    assert_true(blob_set(&c->common.key, bytes_of_text(pki_server_key)));
    assert_true(config_set_text(&c->common.path, bytes_of_text("/x/s.conf")));
    c->ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    c->pool_first = 0x0a080002;
    c->pool_last = 0x0a0800fe;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    static uint32_t random;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    random = 7;
    strcpy(f->folder, "/tmp/serve-files-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->leases, sizeof f->leases, "%s/leases", f->folder);
    snprintf(f->status, sizeof f->status, "%s/status", f->folder);
    f->loop = loop_new();
    make_config(&f->config);
    const struct server_env env = {
        .context = &random, .random = fill_random, .unix_time = unix_time};
    f->server = server_new(&f->config, &env, loop_now(f->loop));
    assert_non_null(f->server);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    server_free(f->server);
    server_config_clear(&f->config);
    loop_free(f->loop);
    unlink(f->leases);
    unlink(f->status);
    assert_int_equal(rmdir(f->folder), 0);
    return 0;
}

static void say(char **field, const char *text)
{
    assert_true(config_set_text(field, bytes_of_text(text)));
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void holds(const char *path, const char *text)
{
    char content[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    content[n] = 0;
    assert_string_equal(content, text);
}

static const char two[] = "anna,10.8.0.9,\nbert,10.8.0.5,\n";
static const char sorted[] = "bert,10.8.0.5,\nanna,10.8.0.9,\n";

static void leases_outlive_a_run(void **state)
{
    struct fixture *f = *state;
    put(f->leases, two);
    say(&f->config.pool_file, f->leases);
    struct serve_files *files =
        serve_files_open(&f->config, f->loop, f->server);
    assert_non_null(files);
    serve_files_close(files);
    holds(f->leases, sorted);
}

static void a_status_that_cannot_be_opened_costs_no_leases(void **state)
{
    struct fixture *f = *state;
    put(f->leases, two);
    say(&f->config.pool_file, f->leases);
    say(&f->config.status_file, "/nowhere/at/all/status");
    assert_null(serve_files_open(&f->config, f->loop, f->server));
    turn_for(f->loop, 2); /* no timer of it is left */
    char content[64] = "";
    FILE *file = fopen(f->leases, "r");
    assert_true(fread(content, 1, sizeof content - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(content, "anna,10.8.0.9"));
    assert_non_null(strstr(content, "bert,10.8.0.5"));
}

static void what_is_no_file_of_leases_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    say(&f->config.pool_file, f->leases);
    say(&f->config.status_file, f->status);
    assert_int_equal(mkfifo(f->leases, 0600), 0);
    assert_null(serve_files_open(&f->config, f->loop, f->server));
    turn_for(f->loop, 2);
    struct stat s;
    assert_int_equal(stat(f->leases, &s), 0);
    assert_true(S_ISFIFO(s.st_mode));
    unlink(f->leases);
    /* Larger than any such file is. */
    put(f->leases, two);
    assert_int_equal(truncate(f->leases, 1 << 28), 0);
    assert_null(serve_files_open(&f->config, f->loop, f->server));
    assert_int_equal(stat(f->leases, &s), 0);
    assert_int_equal(s.st_size, 1 << 28);
}

static void with_no_interval_leases_are_only_read(void **state)
{
    struct fixture *f = *state;
    put(f->leases, two);
    chmod(f->leases, 0400);
    say(&f->config.pool_file, f->leases);
    f->config.pool_seconds = 0;
    struct serve_files *files =
        serve_files_open(&f->config, f->loop, f->server);
    assert_non_null(files);
    uint32_t next = 0;
    struct server_lease lease;
    assert_true(server_next_lease(f->server, &next, &lease));
    assert_string_equal(lease.common_name, "bert");
    serve_files_close(files);
    holds(f->leases, two);
}

static void the_status_is_there_at_once_and_whole(void **state)
{
    struct fixture *f = *state;
    say(&f->config.status_file, f->status);
    struct serve_files *files =
        serve_files_open(&f->config, f->loop, f->server);
    assert_non_null(files);
    struct stat first, second;
    assert_int_equal(stat(f->status, &first), 0);
    assert_true(first.st_size > 0);
    char *directory = serve_files_replaces_in(files);
    assert_string_equal(directory, f->folder);
    free(directory);
    serve_files_close(files);
    assert_int_equal(stat(f->status, &second), 0);
    assert_true(second.st_size > 0);
    assert_int_not_equal(second.st_ino, first.st_ino);
}

/* Nothing may be made or renamed beside the server's own files. */
static void beside_the_configuration_it_is_written_in_place(void **state)
{
    struct fixture *f = *state;
    char within[96];
    put(f->leases, two);
    snprintf(within, sizeof within, "%s/leases", f->folder);
    say(&f->config.users, within);
    say(&f->config.status_file, f->status);
    struct serve_files *files =
        serve_files_open(&f->config, f->loop, f->server);
    assert_non_null(files);
    assert_null(serve_files_replaces_in(files));
    serve_files_close(files);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void say_nothing(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(leases_outlive_a_run),
        TEST(a_status_that_cannot_be_opened_costs_no_leases),
        TEST(what_is_no_file_of_leases_stays_as_it_is),
        TEST(with_no_interval_leases_are_only_read),
        TEST(the_status_is_there_at_once_and_whole),
        TEST(beside_the_configuration_it_is_written_in_place),
    };
    log_set_sink(say_nothing, NULL);
    return cmocka_run_group_tests_name("serve_files", tests, NULL, NULL);
}
