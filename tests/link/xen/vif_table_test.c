/*
 * When a card's states change, by a clock of the test's own: the real
 * libxenstore against a xenstored of the test's, who is the toolstack and the
 * frontend.
 */
#include "gateway/link/xen/vif_table.h"

#include "tests/link/xen/fake_card.h"
#include "tests/link/xen/patience.h"
#include "tests/link/xen/xen_double.h"
#include "tests/unit.h"

enum { QUBE = 10 };

static struct {
    struct fake_xenstored *xenstored;
    struct loop *loop;
    struct patience patience;
    struct xenstore *xenstore;
    struct vif_host host;
    struct vif_table table;
    struct fake_frontend *front;
    struct netback_receive_batch receive_batch;
    struct instant now, next; /* the table's clock; when it wants to look */
    bool heard;               /* all that xenstored had to tell */
    unsigned connected, disconnected;
} t;

/* --- Hearing ------------------------------------------------------------- */

/* Written last of all, so what was written before is known with it. */
#define MARK "/local/domain/1/backend/vif/mark"

static void changed(void *context, struct instant now, const char *path,
                    const char *token)
{
    (void)context, (void)now;
    t.heard |= strcmp(path, MARK) == 0;
    vif_table_changed(&t.table, path, token);
}

static void settled(void *context, struct instant now)
{
    (void)context, (void)now;
}

static bool all_heard(void)
{
    return t.heard;
}

/* The table knows all that is written, and looks if it wants to. */
static void look(void)
{
    t.heard = false;
    fake_xenstored_write(t.xenstored, MARK, "");
    patience_until(&t.patience, all_heard);
    t.next = vif_table_settle(&t.table, t.now);
}

static void look_after(int64_t milliseconds)
{
    t.now = instant_after(t.now, duration_milliseconds(milliseconds));
    look();
}

/* --- What is written ----------------------------------------------------- */

static void attach(void)
{
    fake_card_attach(t.xenstored, QUBE, 0, "10.137.0.10");
}

static void detach(void)
{
    fake_card_detach(t.xenstored, QUBE, 0);
}

static void frontend_says(const char *state)
{
    fake_xenstored_write(t.xenstored, fake_card_front(QUBE, 0, "state"), state);
}

static void assert_backend_says(const char *state)
{
    const char *is =
        fake_xenstored_read(t.xenstored, fake_card_back(QUBE, 0, "state"));
    assert_non_null(is);
    assert_string_equal(is, state);
}

static void assert_gone(void)
{
    assert_null(
        fake_xenstored_read(t.xenstored, fake_card_back(QUBE, 0, "state")));
    assert_null(
        fake_xenstored_read(t.xenstored, fake_card_back(QUBE, 0, "mac")));
    assert_int_equal(t.table.count, 0);
}

/* A card that the toolstack has seen offered, and the qube uses. */
static void connect(void)
{
    attach();
    look();
    look_after(1000);
    fake_card_ask(t.xenstored, QUBE);
    look();
    assert_backend_says("4");
    assert_int_equal(t.connected, 1);
}

/* --- Beginning and end --------------------------------------------------- */

static void rang(void *context, uint32_t port)
{
    (void)context, (void)port;
}

static void connected(void *context, struct vif *vif)
{
    (void)context, (void)vif;
    t.connected++;
}

static void disconnected(void *context, struct vif *vif)
{
    (void)context, (void)vif;
    t.disconnected++;
}

static int set_up(void **state)
{
    const struct event_channel_owner bells = {NULL, rang, settled};
    const struct xenstore_owner changes = {NULL, changed, settled};
    enum error error = OK;
    (void)state;
    memset(&t, 0, sizeof t);
    t.now = (struct instant){1000000};
    xen_double_reset();
    t.front = fake_frontend_new(0);
    xen_double_set_domain(QUBE, t.front);
    t.xenstored = fake_xenstored_new(FAKE_CARD_BACKEND);
    t.loop = loop_new();
    patience_init(&t.patience, t.loop);
    t.xenstore = xenstore_open(t.loop, &changes, &error);
    assert_non_null(t.xenstore);
    assert_true(netback_receive_batch_init(&t.receive_batch));
    t.host = (struct vif_host){
        .xenstore = t.xenstore,
        .grant = grant_open(&error),
        .events = event_channel_open(t.loop, &bells, &error),
        .receive_batch = &t.receive_batch,
        .connected = connected,
        .disconnected = disconnected,
    };
    assert_int_equal(vif_table_init(&t.table, &t.host), OK);
    look();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vif_table_clear(&t.table);
    assert_int_equal(t.connected, t.disconnected);
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    event_channel_close(t.host.events);
    grant_close(t.host.grant);
    xenstore_close(t.xenstore);
    netback_receive_batch_clear(&t.receive_batch);
    patience_clear(&t.patience);
    loop_free(t.loop);
    fake_xenstored_free(t.xenstored);
    fake_frontend_free(t.front);
    return 0;
}

/* --- What the toolstack waits for ---------------------------------------- */

/* It looks when its process has its turn, and finds no other state. */
static void an_offer_stands_whatever_the_frontend_says(void **state)
{
    (void)state;
    static const char *const words[] = {"0", "1", "2", "3", "4",
                                        "5", "6", "7", "8", "9"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        attach();
        frontend_says(words[i]);
        look();
        assert_backend_says("2");
        look_after(99);
        assert_backend_says("2");
        fake_xenstored_remove(t.xenstored, fake_card_back(QUBE, 0, ""));
        look();
        assert_gone();
        t.now = instant_after(t.now, duration_seconds(10));
    }
}

static void an_offer_stands_though_the_frontend_is_not_to_be_read(void **state)
{
    (void)state;
    fake_xenstored_deny(t.xenstored, "/local/domain/10");
    attach();
    look();
    assert_backend_says("2");
    look_after(99);
    assert_backend_says("2");
    look_after(1);
    assert_backend_says("6");
}

/* Linux' driver leaves this where a card comes while the last one goes. */
static void a_frontend_that_was_closed_is_followed_then(void **state)
{
    (void)state;
    attach();
    frontend_says("6");
    look();
    assert_backend_says("2");
    look_after(100);
    assert_backend_says("6");
    /* It begins: this time nobody waits for a word of ours but it. */
    frontend_says("1");
    look();
    assert_backend_says("2");
    fake_card_ask(t.xenstored, QUBE);
    look();
    assert_backend_says("4");
}

static void
a_frontend_in_a_hurry_is_connected_when_the_offer_has_stood(void **state)
{
    (void)state;
    attach();
    look();
    fake_card_ask(t.xenstored, QUBE);
    look_after(50);
    assert_backend_says("2");
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(instant_since(t.next, t.now).us, 50000);
    look_after(50);
    assert_backend_says("4");
    assert_int_equal(xen_double_mapped(), 2);
}

static void a_card_that_is_made_anew_is_offered_anew(void **state)
{
    (void)state;
    connect();
    fake_xenstored_lock(t.xenstored);
    fake_xenstored_remove(t.xenstored, fake_card_back(QUBE, 0, ""));
    attach();
    frontend_says("6");
    fake_xenstored_unlock(t.xenstored);
    look();
    assert_backend_says("2");
    assert_int_equal(xen_double_mapped(), 0);
    look_after(99);
    assert_backend_says("2");
}

/* By a xenstored that is too busy: the toolstack waits ten seconds. */
static void an_offer_that_could_not_be_written_is_written_later(void **state)
{
    (void)state;
    fake_xenstored_disturb(t.xenstored, 100);
    attach();
    look();
    assert_backend_says("1");
    for (int i = 0; i < 10; i++)
        look_after(100);
    assert_backend_says("2");
}

/* Another one, that was not seen to be another. */
static void what_was_described_before_the_offer_is_read_again(void **state)
{
    (void)state;
    struct address wanted;
    fake_xenstored_disturb(t.xenstored, 1000);
    attach();
    look();
    assert_backend_says("1");
    fake_xenstored_disturb(t.xenstored, 0);
    fake_xenstored_lock(t.xenstored);
    fake_xenstored_remove(t.xenstored, fake_card_back(QUBE, 0, ""));
    fake_card_attach(t.xenstored, QUBE, 0, "10.137.0.99");
    fake_xenstored_unlock(t.xenstored);
    look_after(1000);
    assert_backend_says("2");
    assert_true(address_parse(bytes_of_text("10.137.0.99"), &wanted));
    assert_true(address_equal(&t.table.vifs[0]->ipv4, &wanted));
}

static void
a_detached_card_is_closed_at_once_and_gone_when_that_was_seen(void **state)
{
    (void)state;
    connect();
    detach();
    look();
    assert_backend_says("6");
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    /* It does so whatever else it has to do. */
    frontend_says("6");
    look_after(99);
    assert_backend_says("6");
    assert_int_equal(instant_since(t.next, t.now).us, 1000);
    look_after(1);
    assert_gone();
    assert_true(instant_is_never(t.next));
}

/* libxl leaves the state of a card that is Closed alone. */
static void a_closed_card_leaves_whatever_its_frontend_says(void **state)
{
    (void)state;
    static const char *const words[] = {"0", "1", "2", "3", "4",
                                        "5", "6", "7", "8", "9"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        attach();
        look();
        look_after(100);
        frontend_says("6");
        look();
        assert_backend_says("6");
        fake_xenstored_lock(t.xenstored);
        frontend_says(words[i]);
        detach();
        fake_xenstored_unlock(t.xenstored);
        look();
        assert_backend_says("6");
        look_after(100);
        assert_gone();
        t.now = instant_after(t.now, duration_seconds(10));
    }
}

/* The process that closed it has ended before its directory was gone. */
static void the_next_process_removes_what_left(void **state)
{
    (void)state;
    connect();
    detach();
    look();
    assert_backend_says("6");
    vif_table_clear(&t.table);
    assert_int_equal(vif_table_init(&t.table, &t.host), OK);
    look();
    look_after(100);
    assert_gone();
}

static void an_offer_need_not_stand_when_the_card_is_detached(void **state)
{
    (void)state;
    attach();
    look();
    assert_backend_says("2");
    detach();
    look();
    assert_backend_says("6");
    look_after(100);
    assert_gone();
}

static void a_card_that_comes_while_the_last_one_leaves_is_offered(void **state)
{
    (void)state;
    connect();
    detach();
    look();
    look_after(50);
    assert_backend_says("6");
    attach();
    look();
    assert_backend_says("2");
    look_after(99);
    assert_backend_says("2");
    look_after(1);
    fake_card_ask(t.xenstored, QUBE);
    look();
    assert_backend_says("4");
}

/* A frontend can wear out the looks at what it writes. The toolstack waits
 * no longer for that. */
static void a_storm_of_states_delays_no_detaching_that_has_begun(void **state)
{
    (void)state;
    connect();
    detach();
    look();
    for (int i = 0; i < 50; i++) {
        frontend_says(i % 2 ? "4" : "6");
        look_after(1);
    }
    look_after(50);
    assert_gone();
}

/* The watch that says so has not come yet. */
static void what_is_written_late_brings_back_no_card(void **state)
{
    (void)state;
    connect();
    fake_xenstored_remove(t.xenstored, fake_card_back(QUBE, 0, ""));
    vif_close(t.table.vifs[0], "it broke a rule");
    look();
    look_after(1000);
    assert_gone();
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_offer_stands_whatever_the_frontend_says),
        UNIT(an_offer_stands_though_the_frontend_is_not_to_be_read),
        UNIT(a_frontend_that_was_closed_is_followed_then),
        UNIT(a_frontend_in_a_hurry_is_connected_when_the_offer_has_stood),
        UNIT(a_card_that_is_made_anew_is_offered_anew),
        UNIT(an_offer_that_could_not_be_written_is_written_later),
        UNIT(what_was_described_before_the_offer_is_read_again),
        UNIT(a_detached_card_is_closed_at_once_and_gone_when_that_was_seen),
        UNIT(a_closed_card_leaves_whatever_its_frontend_says),
        UNIT(the_next_process_removes_what_left),
        UNIT(an_offer_need_not_stand_when_the_card_is_detached),
        UNIT(a_card_that_comes_while_the_last_one_leaves_is_offered),
        UNIT(a_storm_of_states_delays_no_detaching_that_has_begun),
        UNIT(what_is_written_late_brings_back_no_card),
    };
    return cmocka_run_group_tests_name("vif_table", tests, NULL, NULL);
}
