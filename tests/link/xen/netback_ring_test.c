/*
 * The rings' indices and events, and both rings between two threads: the
 * backend, and a frontend that sends frames and wants them back. Each sleeps
 * only when the ring says that the other will wake it, so a wake-up that is
 * lost shows as a test that does not end.
 */
#include "gateway/link/xen/netback_ring.h"

#include "tests/link/xen/fake_frontend.h"
#include "tests/unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ECHO_FRAMES = 60000, PATIENCE_MS = 20000 };

/* --- Indices ------------------------------------------------------------- */

static struct fake_frontend *qube;
static struct netback_ring ring;

static void begin(uint32_t start)
{
    qube = fake_frontend_new(start);
    assert_true(
        netback_ring_attach(&ring, qube->receive.page, NETBACK_RECEIVE_WORDS));
}

static void put(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        fake_put_page(qube, (uint16_t)i, i);
}

static uint32_t waiting(void)
{
    uint32_t count;
    assert_true(netback_ring_waiting(&ring, &count));
    return count;
}

static void answer(uint32_t count)
{
    const uint32_t words[NETBACK_SLOT_WORDS_MAX] = {1, 2, 3};
    for (uint32_t i = 0; i < count; i++)
        netback_ring_answer(&ring, words);
}

static void what_is_published_waits(void **state)
{
    (void)state;
    static const uint32_t starts[] = {
        0, 1, 255, 256, INT32_MAX, UINT32_MAX, UINT32_MAX - 254};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        begin(starts[i]);
        assert_int_equal(waiting(), 0);
        put(256);
        assert_int_equal(waiting(), 0);
        assert_true(fake_publish(&qube->receive));
        assert_int_equal(waiting(), 256);
        netback_ring_take(&ring, 200);
        assert_int_equal(waiting(), 56);
        answer(200);
        assert_true(netback_ring_publish(&ring));
        /* There is room for as many more, and for none beyond. */
        put(200);
        fake_publish(&qube->receive);
        assert_int_equal(waiting(), 256);
        put(1);
        fake_publish(&qube->receive);
        uint32_t count;
        assert_false(netback_ring_waiting(&ring, &count));
        fake_frontend_free(qube);
    }
}

/* Requests that were taken and not answered keep their slots. */
static void slots_in_use_are_not_there_for_requests(void **state)
{
    (void)state;
    uint32_t count;
    begin(0);
    put(100);
    fake_publish(&qube->receive);
    netback_ring_take(&ring, 100);
    put(156);
    fake_publish(&qube->receive);
    assert_int_equal(waiting(), 156);
    put(1);
    fake_publish(&qube->receive);
    assert_false(netback_ring_waiting(&ring, &count));
    fake_frontend_free(qube);
}

static void what_was_taken_cannot_be_taken_back(void **state)
{
    (void)state;
    uint32_t count;
    begin(UINT32_MAX - 50);
    put(100);
    fake_publish(&qube->receive);
    netback_ring_take(&ring, 100);
    assert_int_equal(waiting(), 0);
    qube->receive.produced--;
    fake_publish(&qube->receive);
    assert_false(netback_ring_waiting(&ring, &count));
    fake_frontend_free(qube);
}

static void a_request_is_read_where_it_lies(void **state)
{
    (void)state;
    uint32_t words[NETBACK_SLOT_WORDS_MAX] = {0, 0, 77};
    begin(UINT32_MAX - 3);
    put(10);
    fake_publish(&qube->receive);
    for (uint32_t i = 0; i < 10; i++) {
        netback_ring_read(&ring, i, words);
        assert_int_equal(words[0], i);
        assert_int_equal(words[1], i);
        assert_int_equal(words[2], 77); /* a slot here has two words */
    }
    netback_ring_take(&ring, 7);
    netback_ring_read(&ring, 0, words);
    assert_int_equal(words[0], 7);
    fake_frontend_free(qube);
}

/* xen/include/public/io/ring.h: told if the event lies in (old, new]. */
static void who_asked_for_it_is_told(void **state)
{
    (void)state;
    for (uint32_t event = 0; event < 20; event++) {
        begin(UINT32_MAX - 4);
        put(20);
        fake_publish(&qube->receive);
        netback_ring_take(&ring, 20);
        answer(5);
        assert_true(netback_ring_publish(&ring));
        qube->receive.page->word[NETBACK_RSP_EVENT] = UINT32_MAX - 4 + event;
        answer(7);
        assert_int_equal(netback_ring_publish(&ring), event > 5 && event <= 12);
        assert_false(netback_ring_publish(&ring)); /* nothing new */
        fake_frontend_free(qube);
    }
}

static void an_event_comes_when_enough_waits(void **state)
{
    (void)state;
    for (uint32_t wanted = 1; wanted <= 18; wanted++) {
        begin(UINT32_MAX - 4);
        assert_true(netback_ring_sleep(&ring, wanted));
        for (uint32_t i = 1; i < wanted; i++) {
            put(1);
            assert_false(fake_publish(&qube->receive));
        }
        put(1);
        assert_true(fake_publish(&qube->receive));
        assert_false(netback_ring_sleep(&ring, wanted));
        put(1);
        assert_false(fake_publish(&qube->receive));
        fake_frontend_free(qube);
    }
}

/* --- Two threads --------------------------------------------------------- */

/* A bell that rings for one thread. */
static bool wait_for(int bell)
{
    struct pollfd p = {.fd = bell, .events = POLLIN};
    uint64_t times;
    return poll(&p, 1, PATIENCE_MS) == 1 &&
           read(bell, &times, sizeof times) == sizeof times;
}

static void ring_bell(int bell)
{
    uint64_t once = 1;
    if (write(bell, &once, sizeof once) != sizeof once)
        abort();
}

static struct {
    struct fake_frontend *qube;
    struct netback_ring transmit;
    struct netback_receive receive;
    struct netback_transmit_batch transmit_batch;
    struct netback_receive_batch receive_batch;
    int backend_bell, frontend_bell;
    uint32_t backend_slept, frontend_slept;
    bool failed; /* of the backend's thread */
} both;

static void copy_for_qube(void *context, enum grant_direction direction,
                          struct grant_copy *copies, size_t count)
{
    fake_frontend_copy(context, direction, copies, count);
}

static void notify_qube(void *context)
{
    (void)context;
    ring_bell(both.frontend_bell);
}

/* Sends back what it gets. False: something is wrong. */
static bool send_back(uint32_t *done)
{
    static const struct ethernet_header header = {.type = ETHERTYPE_IPV4};
    const struct instant now = {1};
    bool lies = false;
    for (uint16_t i = 0; i < both.transmit_batch.frame_count; i++) {
        const struct netback_frame *f = &both.transmit_batch.frames[i];
        struct packet p = {.data = f->data + 14,
                           .size = f->size - 14U,
                           .headroom = PACKET_HEADROOM};
        if (f->failed || netback_receive_send(&both.receive, now, &p, &header,
                                              &lies) != DROP_NONE)
            return false;
        ++*done;
    }
    netback_receive_flush(&both.receive);
    return !lies && netback_receive_drain(&both.receive, now);
}

static bool serve(void)
{
    struct netback_peer peer = {both.qube, copy_for_qube, notify_qube};
    const struct instant now = {1};
    uint64_t malformed = 0;
    uint32_t done = 0;
    for (;;) {
        if (netback_transmit(&both.transmit, &peer, &both.transmit_batch,
                             100000, &malformed) ||
            !send_back(&done))
            return false;
        if (done == ECHO_FRAMES && !netback_receive_waits(&both.receive))
            return malformed == 0;
        if (!netback_ring_sleep(&both.transmit, 1))
            continue;
        both.backend_slept++;
        if (!wait_for(both.backend_bell) ||
            !netback_receive_drain(&both.receive, now))
            return false;
    }
}

static void *backend(void *context)
{
    (void)context;
    both.failed = !serve();
    return NULL;
}

/* The first pages are for what is sent, the others are posted. */
enum { POSTED_FROM = 512, IN_FLIGHT_MAX = 64 };

static uint32_t size_of_frame(uint32_t number)
{
    return 64 + number * 7919 % 9000;
}

static void send_frame(struct fake_frontend *f, uint32_t number)
{
    static uint8_t bytes[10000];
    uint32_t size = size_of_frame(number);
    for (uint32_t i = 14; i < size; i++)
        bytes[i] = (uint8_t)(number + i);
    /* Three pages a frame in flight. */
    uint32_t page = number % IN_FLIGHT_MAX * 3;
    fake_put_frame(f, bytes, size, 4096, page, (uint16_t)page, 0);
}

static void check_frame(const struct fake_frame *frame, uint32_t number)
{
    uint32_t size = size_of_frame(number);
    assert_false(frame->failed);
    assert_int_equal(frame->size, size);
    for (uint32_t i = 14; i < size; i++)
        if (frame->bytes[i] != (uint8_t)(number + i))
            assert_int_equal(frame->bytes[i], (uint8_t)(number + i));
}

static void post_all(struct fake_frontend *f)
{
    struct fake_end *end = &f->receive;
    while (end->produced - end->consumed < NETBACK_RING_SLOTS) {
        uint16_t page = (uint16_t)(POSTED_FROM + end->produced % 256);
        fake_put_page(f, page, page);
    }
    if (fake_publish(end))
        ring_bell(both.backend_bell);
}

static void frontend(struct fake_frontend *f, uint32_t random)
{
    static struct fake_frame frame;
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    uint32_t sent = 0, got = 0, answered = 0, slots = 0;
    while (got < ECHO_FRAMES) {
        uint32_t burst = 1 + next_random(&random) % 32;
        while (burst-- && sent < ECHO_FRAMES && sent - got < IN_FLIGHT_MAX &&
               f->transmit.produced - f->transmit.consumed + 3 <=
                   NETBACK_RING_SLOTS)
            send_frame(f, sent++);
        if (fake_publish(&f->transmit))
            ring_bell(both.backend_bell);
        while (fake_take(&f->transmit, words)) {
            assert_int_equal((int16_t)(words[0] >> 16), NETBACK_STATUS_OKAY);
            answered++;
        }
        while (fake_take_frame(f, &frame)) {
            slots += (frame.size + 4095) / 4096;
            check_frame(&frame, got++);
        }
        /* Sometimes it is late with its pages. */
        if (next_random(&random) % 4 == 0 || sent == got)
            post_all(f);
        if (got == ECHO_FRAMES || sent - got < IN_FLIGHT_MAX / 2)
            continue;
        post_all(f);
        if (!fake_sleep(&f->receive) || !fake_sleep(&f->transmit))
            continue;
        both.frontend_slept++;
        assert_true(wait_for(both.frontend_bell));
    }
    assert_true(answered > 0 && slots >= ECHO_FRAMES);
}

static void two_threads_lose_neither_frames_nor_events(void **state)
{
    (void)state;
    static const struct netback_accepts accepts = {.scatter = true};
    memset(&both, 0, sizeof both);
    both.qube = fake_frontend_new(UINT32_MAX - 1000);
    both.backend_bell = eventfd(0, 0);
    both.frontend_bell = eventfd(0, 0);
    struct netback_peer peer = {both.qube, copy_for_qube, notify_qube};
    assert_true(netback_transmit_batch_init(&both.transmit_batch));
    assert_true(netback_receive_batch_init(&both.receive_batch));
    assert_true(netback_ring_attach(&both.transmit, both.qube->transmit.page,
                                    NETBACK_TRANSMIT_WORDS));
    assert_true(netback_receive_init(&both.receive, both.qube->receive.page,
                                     &peer, &accepts, &both.receive_batch));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, backend, NULL), 0);
    frontend(both.qube, 12345);
    pthread_join(thread, NULL);
    assert_false(both.failed);
    assert_true(both.backend_slept > 0 && both.frontend_slept > 0);

    netback_receive_clear(&both.receive);
    netback_receive_batch_clear(&both.receive_batch);
    netback_transmit_batch_clear(&both.transmit_batch);
    fake_frontend_free(both.qube);
    close(both.backend_bell);
    close(both.frontend_bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_waits),
        cmocka_unit_test(slots_in_use_are_not_there_for_requests),
        cmocka_unit_test(what_was_taken_cannot_be_taken_back),
        cmocka_unit_test(a_request_is_read_where_it_lies),
        cmocka_unit_test(who_asked_for_it_is_told),
        cmocka_unit_test(an_event_comes_when_enough_waits),
        cmocka_unit_test(two_threads_lose_neither_frames_nor_events),
    };
    return cmocka_run_group_tests_name("netback_ring", tests, NULL, NULL);
}
