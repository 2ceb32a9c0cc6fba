#include "gateway/event/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit.h"

struct fixture {
    struct loop *loop;
    struct loop_watch watches[2];
    struct loop_timer timers[3];
    int peers[2]; /* the far ends of the watches' sockets */
    int served[2];
    int expired[3];
    unsigned events; /* of the last ready() */
    int order[8];
    int order_count;
    struct instant due; /* not before then */
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.loop = loop_new()};
    assert_non_null(f.loop);
    for (int i = 0; i < 2; i++) {
        int pair[2];
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        f.watches[i].fd = pair[0];
        f.watches[i].context = &f;
        f.peers[i] = pair[1];
    }
    for (int i = 0; i < 3; i++)
        f.timers[i].context = &f;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        close(f->watches[i].fd);
        close(f->peers[i]);
    }
    loop_free(f->loop);
    return 0;
}

static struct instant in(const struct fixture *f, int64_t milliseconds)
{
    return instant_after(loop_now(f->loop),
                         duration_milliseconds(milliseconds));
}

static void quit_at(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    loop_quit(f->loop);
}

/* The last timer ends the test. */
static void run_for(struct fixture *f, int64_t milliseconds)
{
    f->timers[2].expired = quit_at;
    loop_timer_set(&f->timers[2], in(f, milliseconds));
    loop_add_timer(f->loop, &f->timers[2]);
    assert_int_equal(loop_run(f->loop), OK);
    loop_remove_timer(f->loop, &f->timers[2]);
}

/* However busy the machine is: until it has happened so often, and then some
 * time for once more. */
static void run_until(struct fixture *f, const int *happened, int wanted)
{
    enum { PATIENCE = 10000, SLICE = 2 };
    for (int ms = 0; ms < PATIENCE && *happened < wanted; ms += SLICE)
        run_for(f, SLICE);
    run_for(f, SLICE);
}

static void note_events(void *context, struct instant now, unsigned events)
{
    struct fixture *f = context;
    char byte;
    (void)now;
    f->events = events;
    f->served[0]++;
    if (events & LOOP_READ && read(f->watches[0].fd, &byte, 1) <= 0)
        loop_remove(f->loop, &f->watches[0]);
}

static void a_readable_descriptor_is_served(void **state)
{
    struct fixture *f = *state;
    f->watches[0].ready = note_events;
    assert_int_equal(loop_add(f->loop, &f->watches[0], LOOP_READ), OK);
    assert_int_equal(write(f->peers[0], "ab", 2), 2);
    run_until(f, &f->served[0], 2);
    assert_int_equal(f->served[0], 2);
    assert_int_equal(f->events, LOOP_READ);
}

static void events_can_be_changed(void **state)
{
    struct fixture *f = *state;
    f->watches[0].ready = note_events;
    assert_int_equal(loop_add(f->loop, &f->watches[0], 0), OK);
    assert_int_equal(write(f->peers[0], "a", 1), 1);
    run_for(f, 5);
    assert_int_equal(f->served[0], 0);
    assert_int_equal(
        loop_change(f->loop, &f->watches[0], LOOP_READ | LOOP_WRITE), OK);
    run_until(f, &f->served[0], 2);
    assert_true(f->served[0] > 1);
    assert_int_equal(f->events, LOOP_WRITE);
}

static void a_hangup_is_an_error_even_unasked(void **state)
{
    struct fixture *f = *state;
    f->watches[0].ready = note_events;
    assert_int_equal(loop_add(f->loop, &f->watches[0], LOOP_READ), OK);
    shutdown(f->peers[0], SHUT_RDWR);
    run_until(f, &f->served[0], 1);
    assert_int_equal(f->events, LOOP_READ | LOOP_ERROR);
    assert_int_equal(f->served[0], 1);
}

static void a_descriptor_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;
    struct loop_watch watch = {.fd = -1};
    assert_int_not_equal(loop_add(f->loop, &watch, LOOP_READ), OK);
}

static void remove_both(void *context, struct instant now, unsigned events)
{
    struct fixture *f = context;
    (void)now;
    (void)events;
    f->served[0]++;
    for (int i = 0; i < 2; i++) {
        loop_remove(f->loop, &f->watches[i]);
        /* A call through it now crashes. */
        f->watches[i].ready = NULL;
    }
}

static void a_watch_removed_by_another_is_not_served(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        f->watches[i].ready = remove_both;
        assert_int_equal(loop_add(f->loop, &f->watches[i], LOOP_READ), OK);
        assert_int_equal(write(f->peers[i], "a", 1), 1);
    }
    run_until(f, &f->served[0], 1);
    assert_int_equal(f->served[0], 1);
}

static void note_0(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->expired[0]++;
    f->order[f->order_count++] = 0;
}

static void note_1(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->expired[1]++;
    f->order[f->order_count++] = 1;
}

static void timers_expire_in_order_and_once(void **state)
{
    struct fixture *f = *state;
    f->timers[0].expired = note_0;
    f->timers[1].expired = note_1;
    for (int i = 0; i < 2; i++)
        loop_add_timer(f->loop, &f->timers[i]);
    loop_timer_set(&f->timers[0], in(f, 100000));
    loop_timer_set(&f->timers[1], in(f, 4));
    run_until(f, &f->expired[1], 1);
    assert_int_equal(f->expired[0], 0);
    loop_timer_set(&f->timers[0], in(f, 4));
    run_until(f, &f->expired[0], 1);
    assert_int_equal(f->order_count, 2);
    assert_int_equal(f->order[0], 1);
    assert_int_equal(f->order[1], 0);
}

static void a_timer_never_expires_early(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        struct instant deadline = in(f, 3);
        f->timers[0].expired = quit_at;
        loop_timer_set(&f->timers[0], deadline);
        loop_add_timer(f->loop, &f->timers[0]);
        assert_int_equal(loop_run(f->loop), OK);
        assert_true(instant_reached(loop_now(f->loop), deadline));
        loop_remove_timer(f->loop, &f->timers[0]);
    }
}

static void a_timer_without_deadline_stays_quiet(void **state)
{
    struct fixture *f = *state;
    f->timers[0].expired = note_0;
    f->timers[1].expired = note_1;
    for (int i = 0; i < 2; i++)
        loop_add_timer(f->loop, &f->timers[i]);
    loop_timer_set(&f->timers[1], in(f, 2));
    loop_timer_set(&f->timers[1], INSTANT_NEVER);
    run_for(f, 10);
    assert_int_equal(f->order_count, 0);
}

static void again_until_three(void *context, struct instant now)
{
    struct fixture *f = context;
    if (++f->expired[0] < 3)
        loop_timer_set(&f->timers[0],
                       instant_after(now, duration_milliseconds(1)));
    else
        loop_quit(f->loop);
}

static void a_timer_may_set_itself_again(void **state)
{
    struct fixture *f = *state;
    f->timers[0].expired = again_until_three;
    loop_add_timer(f->loop, &f->timers[0]);
    loop_timer_set(&f->timers[0], in(f, 1));
    run_for(f, 10000);
    assert_int_equal(f->expired[0], 3);
}

static void push_on(void *context, struct instant now)
{
    struct fixture *f = context;
    f->expired[0]++;
    f->due = instant_after(now, duration_milliseconds(120));
    loop_timer_set(&f->timers[1], f->due);
}

static void note_due(void *context, struct instant now)
{
    struct fixture *f = context;
    f->expired[1]++;
    assert_true(instant_reached(now, f->due));
    loop_quit(f->loop);
}

/* The alarm rings for the old deadline; nobody may be told. */
static void a_deadline_pushed_on_holds(void **state)
{
    struct fixture *f = *state;
    f->timers[0].expired = push_on;
    f->timers[1].expired = note_due;
    /* The last that is added is looked at first: so it pushes on in time even
     * where both are due. */
    for (int i = 1; i >= 0; i--)
        loop_add_timer(f->loop, &f->timers[i]);
    f->due = INSTANT_NEVER;
    loop_timer_set(&f->timers[0], in(f, 2));
    loop_timer_set(&f->timers[1], in(f, 60));
    run_for(f, 10000);
    assert_int_equal(f->expired[0], 1);
    assert_int_equal(f->expired[1], 1);
}

static void remove_all_timers(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->expired[0]++;
    for (int i = 0; i < 2; i++) {
        loop_remove_timer(f->loop, &f->timers[i]);
        f->timers[i].expired = NULL;
    }
}

static void a_timer_removed_by_another_does_not_expire(void **state)
{
    struct fixture *f = *state;
    struct instant together = in(f, 2);
    for (int i = 0; i < 2; i++) {
        f->timers[i].expired = remove_all_timers;
        loop_timer_set(&f->timers[i], together);
        loop_add_timer(f->loop, &f->timers[i]);
    }
    run_until(f, &f->expired[0], 1);
    assert_int_equal(f->expired[0], 1);
    loop_remove_timer(f->loop, &f->timers[0]); /* a second time: nothing */
}

static void note_served(void *context, struct instant now, unsigned events)
{
    struct fixture *f = context;
    (void)now;
    (void)events;
    f->order[f->order_count++] = 9;
    loop_remove(f->loop, &f->watches[0]);
}

static void descriptors_come_before_timers(void **state)
{
    struct fixture *f = *state;
    f->watches[0].ready = note_served;
    f->timers[0].expired = note_0;
    f->timers[1].expired = quit_at;
    assert_int_equal(loop_add(f->loop, &f->watches[0], LOOP_READ), OK);
    assert_int_equal(write(f->peers[0], "a", 1), 1);
    for (int i = 0; i < 2; i++) {
        loop_timer_set(&f->timers[i], loop_now(f->loop));
        loop_add_timer(f->loop, &f->timers[i]);
    }
    assert_int_equal(loop_run(f->loop), OK);
    assert_int_equal(f->order_count, 2);
    assert_int_equal(f->order[0], 9);
    assert_int_equal(f->order[1], 0);
}

static void quitting_beforehand_turns_no_more(void **state)
{
    struct fixture *f = *state;
    loop_quit(f->loop);
    assert_int_equal(loop_run(f->loop), OK);
    run_for(f, 1); /* and it can be run again */
}

static void the_wall_clock_is_of_this_century(void **state)
{
    struct fixture *f = *state;
    assert_true(loop_wall_clock(f->loop) > INT64_C(1500000000) * 1000000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_readable_descriptor_is_served),
        TEST(events_can_be_changed),
        TEST(a_hangup_is_an_error_even_unasked),
        TEST(a_descriptor_that_is_none_is_refused),
        TEST(a_watch_removed_by_another_is_not_served),
        TEST(timers_expire_in_order_and_once),
        TEST(a_timer_never_expires_early),
        TEST(a_timer_without_deadline_stays_quiet),
        TEST(a_timer_may_set_itself_again),
        TEST(a_deadline_pushed_on_holds),
        TEST(a_timer_removed_by_another_does_not_expire),
        TEST(descriptors_come_before_timers),
        TEST(quitting_beforehand_turns_no_more),
        TEST(the_wall_clock_is_of_this_century),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
