/* A name server of a few names on the loopback, served by the same loop. */
#include "gateway/base/log.h"
#include "gateway/uplink/resolver.h"
#include "tests/namespace.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum {
    TYPE_A = 1,
    TYPE_AAAA = 28,
    NO_SUCH_NAME = 3,
    SERVER_FAILURE = 2,
    HEADER_SIZE = 12,
    MESSAGE_MAX = 4096,
};

struct fixture {
    struct loop *loop;
    struct loop_watch server;
    struct loop_timer end;
    struct resolver *resolver;
    char servers[64];
    unsigned queries;
    bool silent;
    bool failing;
    uint8_t last_octet; /* of the addresses it gives */
    int answers;
    size_t count;
    struct address addresses[RESOLVER_ADDRESSES_MAX];
    bool has_why;
    char why[256];
    char waiting[RESOLVER_WAITING_SIZE];
    struct duration took;
    struct instant asked_at;
    const char *ask_again; /* from inside the answer */
    bool free_in_answer;
};

/* --- The name server ----------------------------------------------------- */

/* The question's name as text, and its type; 0: malformed. */
static uint16_t read_question(struct reader *r, char name[256])
{
    size_t size = 0;
    uint8_t label;
    while ((label = read_u8(r)) != 0 && size + label < 255) {
        read_into(r, name + size, label);
        size += label;
        name[size++] = '.';
    }
    name[size ? size - 1 : 0] = '\0';
    uint16_t type = read_u16(r);
    read_u16(r); /* class */
    return reader_ok(r) ? type : 0;
}

static void write_address(struct writer *w, uint16_t type, uint8_t last)
{
    write_u16(w, 0xc00c); /* the question's name */
    write_u16(w, type);
    write_u16(w, 1); /* class */
    write_u32(w, 60);
    if (type == TYPE_A) {
        uint8_t address[4] = {192, 0, 2, last};
        write_u16(w, sizeof address);
        write_bytes(w, bytes_of(address, sizeof address));
    } else {
        uint8_t address[16] = {0x20, 1, 0xd, 0xb8, [15] = last};
        write_u16(w, sizeof address);
        write_bytes(w, bytes_of(address, sizeof address));
    }
}

/* How many addresses of that type a name has. */
static unsigned addresses_of(const char *name, uint16_t type)
{
    if (strcmp(name, "both.test") == 0)
        return 1;
    if (strcmp(name, "four.test") == 0)
        return type == TYPE_A ? 2 : 0;
    if (strcmp(name, "many.test") == 0)
        return type == TYPE_A ? 25 : 0;
    return 0;
}

static size_t answer_query(struct fixture *f, const uint8_t *query, size_t size,
                           uint8_t *out)
{
    char name[256];
    struct reader r = reader_of(bytes_of(query, size));
    uint16_t id = read_u16(&r);
    read_bytes(&r, HEADER_SIZE - 2);
    uint16_t type = read_question(&r, name);
    if (type == 0)
        return 0;
    size_t question_size = size - HEADER_SIZE - r.left;
    unsigned count = addresses_of(name, type);
    unsigned code = strcmp(name, "none.test") == 0 ? NO_SUCH_NAME : 0;
    if (f->failing)
        code = SERVER_FAILURE;
    if (strcmp(name, "garbage.test") == 0)
        count = 9; /* which are not there */

    struct writer w = writer_of(out, MESSAGE_MAX);
    write_u16(&w, id);
    write_u16(&w, (uint16_t)(0x8180 | code));
    write_u16(&w, 1);
    write_u16(&w, (uint16_t)(code ? 0 : count));
    write_u32(&w, 0);
    write_bytes(&w, bytes_of(query + HEADER_SIZE, question_size));
    if (code == 0 && strcmp(name, "garbage.test") != 0)
        for (unsigned i = 0; i < count; i++)
            write_address(&w, type, (uint8_t)(f->last_octet + i));
    else
        write_u16(&w, 0xc0ff);
    assert_true(writer_ok(&w));
    return w.size;
}

static void serve(void *context, struct instant now, unsigned events)
{
    struct fixture *f = context;
    uint8_t query[MESSAGE_MAX];
    uint8_t reply[MESSAGE_MAX];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    (void)now;
    (void)events;
    ssize_t size = recvfrom(f->server.fd, query, sizeof query, 0,
                            (struct sockaddr *)&from, &from_size);
    f->queries++;
    if (size < HEADER_SIZE || f->silent)
        return;
    size_t reply_size = answer_query(f, query, (size_t)size, reply);
    sendto(f->server.fd, reply, reply_size, 0, (struct sockaddr *)&from,
           from_size);
}

/* --- The asking ---------------------------------------------------------- */

static void quit(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    loop_quit(f->loop);
}

static void answered(void *context, struct instant now,
                     const struct address *addresses, size_t count,
                     const char *why)
{
    struct fixture *f = context;
    f->answers++;
    f->count = count;
    f->has_why = why != NULL;
    snprintf(f->why, sizeof f->why, "%s", why ? why : "");
    f->took = instant_since(now, f->asked_at);
    assert_true(count <= RESOLVER_ADDRESSES_MAX);
    if (count)
        memcpy(f->addresses, addresses, count * sizeof *addresses);
    assert_true((count == 0) == (why != NULL));
    if (f->ask_again) {
        const char *host = f->ask_again;
        f->ask_again = NULL;
        resolver_ask(f->resolver, now, host, ADDRESS_NONE, answered, f);
        return;
    }
    if (f->free_in_answer) {
        resolver_free(f->resolver);
        f->resolver = NULL;
    }
    loop_quit(f->loop);
}

static void ask(struct fixture *f, const char *host, enum address_family family)
{
    f->answers = 0;
    f->asked_at = loop_now(f->loop);
    resolver_ask(f->resolver, f->asked_at, host, family, answered, f);
    loop_timer_set(&f->end, instant_after(f->asked_at, duration_seconds(60)));
    assert_int_equal(loop_run(f->loop), OK);
}

static bool has(const struct fixture *f, const char *text)
{
    struct address a;
    assert_true(address_parse(bytes_of_text(text), &a));
    for (size_t i = 0; i < f->count; i++)
        if (address_equal(&f->addresses[i], &a))
            return true;
    return false;
}

static int set_up(void **state)
{
    static struct fixture f;
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    f = (struct fixture){.loop = loop_new(), .last_octet = 1};
    assert_non_null(f.loop);
    f.server = (struct loop_watch){
        .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
        .ready = serve,
        .context = &f,
    };
    assert_int_equal(bind(f.server.fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(f.server.fd, (struct sockaddr *)&name, &size),
                     0);
    assert_int_equal(loop_add(f.loop, &f.server, LOOP_READ), OK);
    f.end = (struct loop_timer){.expired = quit, .context = &f};
    loop_add_timer(f.loop, &f.end);
    f.resolver = resolver_new(f.loop);
    assert_non_null(f.resolver);
    snprintf(f.servers, sizeof f.servers, "127.0.0.1:%u", ntohs(name.sin_port));
    resolver_configure(f.resolver, f.servers, duration_seconds(30));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    resolver_free(f->resolver);
    close(f->server.fd);
    loop_free(f->loop);
    log_set_sink(NULL, NULL);
    return 0;
}

static void swallow(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void both_families_are_found(void **state)
{
    struct fixture *f = *state;
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->count, 2);
    assert_true(has(f, "192.0.2.1"));
    assert_true(has(f, "2001:db8::1"));
}

static void one_family_can_be_asked_for(void **state)
{
    struct fixture *f = *state;
    ask(f, "both.test", ADDRESS_IPV6);
    assert_int_equal(f->count, 1);
    assert_true(has(f, "2001:db8::1"));
    ask(f, "both.test", ADDRESS_IPV4);
    assert_int_equal(f->count, 1);
    assert_true(has(f, "192.0.2.1"));
    ask(f, "four.test", ADDRESS_IPV4);
    assert_int_equal(f->count, 2);
    ask(f, "four.test", ADDRESS_IPV6);
    assert_int_equal(f->count, 0);
    assert_true(f->has_why);
}

static void literal_addresses_ask_nobody(void **state)
{
    struct fixture *f = *state;
    static const char *const literals[] = {"198.51.100.7", "2001:db8::7"};
    for (int i = 0; i < 2; i++) {
        f->answers = 0;
        resolver_ask(f->resolver, loop_now(f->loop), literals[i], ADDRESS_NONE,
                     answered, f);
        assert_int_equal(f->answers, 1);
        assert_int_equal(f->count, 1);
        assert_true(has(f, literals[i]));
    }
    resolver_ask(f->resolver, loop_now(f->loop), literals[0], ADDRESS_IPV6,
                 answered, f);
    assert_int_equal(f->count, 0);
    assert_int_equal(f->queries, 0);
}

static void no_more_than_fit_are_given(void **state)
{
    struct fixture *f = *state;
    ask(f, "many.test", ADDRESS_NONE);
    assert_int_equal(f->count, RESOLVER_ADDRESSES_MAX);
}

static void failures_say_why(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"none.test", "garbage.test", "",
                                        "a..b.test"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ask(f, names[i], ADDRESS_NONE);
        assert_int_equal(f->answers, 1);
        assert_int_equal(f->count, 0);
        assert_true(f->has_why);
    }
    ask(f, "none.test", ADDRESS_NONE);
    assert_non_null(strstr(f->why, "(resolver 127.0.0.1)"));
}

static void note_waiting(void *context, struct instant now)
{
    struct fixture *f = context;
    bool waits = resolver_waiting(f->resolver, now, f->waiting);
    assert_true(waits);
    loop_quit(f->loop);
}

static void a_look_up_under_way_is_told_with_the_resolver(void **state)
{
    struct fixture *f = *state;
    struct loop_timer soon = {.expired = note_waiting, .context = f};
    f->silent = true;
    assert_false(resolver_waiting(f->resolver, loop_now(f->loop), f->waiting));
    loop_add_timer(f->loop, &soon);
    loop_timer_set(&soon, loop_now(f->loop));
    ask(f, "one.test", ADDRESS_NONE);
    loop_remove_timer(f->loop, &soon);
    assert_string_equal(f->waiting, "looking up one.test: no answer yet from "
                                    "the resolver 127.0.0.1 (0 s)");
    resolver_cancel(f->resolver);
}

static void a_name_longer_than_names_can_be_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[400];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    ask(f, name, ADDRESS_NONE);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->count, 0);
    assert_int_equal(f->queries, 0);
}

/* Patience is short only where it has to end. */
static void fall_silent(struct fixture *f)
{
    f->silent = true;
    resolver_configure(f->resolver, f->servers, duration_milliseconds(300));
}

static void silence_ends_after_the_patience(void **state)
{
    struct fixture *f = *state;
    fall_silent(f);
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->count, 0);
    assert_true(f->took.us >= 300000);
}

static void the_last_good_answer_is_kept(void **state)
{
    struct fixture *f = *state;
    log_set_sink(swallow, NULL);
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->count, 2);

    f->failing = true;
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->count, 2);
    assert_true(has(f, "192.0.2.1"));

    fall_silent(f);
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->count, 2);

    ask(f, "both.test", ADDRESS_IPV4); /* another question */
    assert_int_equal(f->count, 0);
    ask(f, "four.test", ADDRESS_NONE); /* another name */
    assert_int_equal(f->count, 0);
}

static void a_new_answer_replaces_the_old(void **state)
{
    struct fixture *f = *state;
    log_set_sink(swallow, NULL);
    ask(f, "both.test", ADDRESS_IPV4);
    f->last_octet = 9;
    ask(f, "both.test", ADDRESS_IPV4);
    assert_int_equal(f->count, 1);
    assert_true(has(f, "192.0.2.9"));
    f->failing = true;
    ask(f, "both.test", ADDRESS_IPV4);
    assert_int_equal(f->count, 1);
    assert_true(has(f, "192.0.2.9"));
}

static void a_cancelled_question_is_not_answered(void **state)
{
    struct fixture *f = *state;
    struct instant now = loop_now(f->loop);
    resolver_ask(f->resolver, now, "both.test", ADDRESS_NONE, answered, f);
    resolver_cancel(f->resolver);
    loop_timer_set(&f->end, instant_after(now, duration_milliseconds(500)));
    assert_int_equal(loop_run(f->loop), OK);
    assert_int_equal(f->answers, 0);
}

static void a_new_question_cancels_the_old(void **state)
{
    struct fixture *f = *state;
    struct instant now = loop_now(f->loop);
    f->silent = true;
    resolver_ask(f->resolver, now, "both.test", ADDRESS_NONE, answered, f);
    f->silent = false;
    ask(f, "four.test", ADDRESS_NONE);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->count, 2);
    assert_true(has(f, "192.0.2.2"));
}

static void the_answer_may_ask_again(void **state)
{
    struct fixture *f = *state;
    f->ask_again = "four.test";
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->answers, 2);
    assert_true(has(f, "192.0.2.2"));
}

static void the_answer_may_free_the_resolver(void **state)
{
    struct fixture *f = *state;
    f->free_in_answer = true;
    ask(f, "both.test", ADDRESS_NONE);
    assert_int_equal(f->answers, 1);
    assert_null(f->resolver);
}

static void it_may_be_freed_with_a_question_open(void **state)
{
    struct fixture *f = *state;
    f->silent = true;
    resolver_ask(f->resolver, loop_now(f->loop), "both.test", ADDRESS_NONE,
                 answered, f);
    resolver_free(f->resolver);
    f->resolver = NULL;
    loop_timer_set(&f->end, loop_now(f->loop));
    assert_int_equal(loop_run(f->loop), OK);
    assert_int_equal(f->answers, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(both_families_are_found),
        TEST(one_family_can_be_asked_for),
        TEST(literal_addresses_ask_nobody),
        TEST(no_more_than_fit_are_given),
        TEST(failures_say_why),
        TEST(a_look_up_under_way_is_told_with_the_resolver),
        TEST(a_name_longer_than_names_can_be_is_refused),
        TEST(silence_ends_after_the_patience),
        TEST(the_last_good_answer_is_kept),
        TEST(a_new_answer_replaces_the_old),
        TEST(a_cancelled_question_is_not_answered),
        TEST(a_new_question_cancels_the_old),
        TEST(the_answer_may_ask_again),
        TEST(the_answer_may_free_the_resolver),
        TEST(it_may_be_freed_with_a_question_open),
    };
    /* Only so that nobody sees the queries; the loopback exists without. */
    if (namespace_enter_new())
        namespace_run("ip link set lo up");
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
