#include "tests/link/xen/stage.h"

#include <stdio.h>

#include "tests/link/send_one.h"

enum { TICKS_MIN = 10 };

struct stage stage;
struct fake_frontend *stage_fronts[STAGE_QUBES];

uint32_t stage_domain(int i)
{
    return 10 + (uint32_t)i;
}

/* --- The owner ----------------------------------------------------------- */

struct qube *stage_qube(int i)
{
    return (struct qube *)&stage.qubes[i];
}

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    (void)context;
    assert_true(batch->count > 0);
    for (uint16_t i = 0; i < batch->count; i++) {
        struct packet *p = &batch->packets[i];
        struct stage_qube *q = (struct stage_qube *)p->qube;
        assert_true(q->present);
        assert_true(p->headroom >= PACKET_HEADROOM);
        q->packets++;
        q->bytes += p->size;
        if (stage.order_count < STAGE_RECORDED_MAX)
            stage.order[stage.order_count++] = (uint8_t)(q - stage.qubes);
        stage.last = *p;
        if (p->size <= sizeof stage.last_bytes)
            memcpy(stage.last_bytes, p->data, p->size);
        if (stage.echo)
            send_one(q->port, now, p);
    }
}

static struct qube *qube_added(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6)
{
    (void)context;
    assert_ptr_equal(port->link, stage.link);
    if (stage.refuse)
        return NULL;
    for (int i = 0; i < STAGE_QUBES; i++) {
        /* The router's rule, too. */
        if (stage.qubes[i].present)
            assert_false(address_equal(&stage.qubes[i].ipv4, ipv4));
    }
    for (int i = 0; i < STAGE_QUBES; i++) {
        if (stage.qubes[i].present)
            continue;
        stage.qubes[i] = (struct stage_qube){
            .present = true, .ipv4 = *ipv4, .ipv6 = *ipv6, .port = port};
        snprintf(stage.qubes[i].name, sizeof stage.qubes[i].name, "%s", name);
        stage.added++;
        return stage_qube(i);
    }
    return NULL;
}

static void qube_removed(void *context, struct qube *qube)
{
    struct stage_qube *q = (struct stage_qube *)qube;
    (void)context;
    assert_true(q->present);
    q->present = false;
    stage.removed++;
}

const struct link_owner stage_owner = {NULL, received, qube_added,
                                       qube_removed};

const struct stage_qube *stage_owned(const char *name)
{
    for (int i = 0; i < STAGE_QUBES; i++)
        if (stage.qubes[i].present && strcmp(stage.qubes[i].name, name) == 0)
            return &stage.qubes[i];
    return NULL;
}

/* --- Time ---------------------------------------------------------------- */

static void tick(void *context, struct instant now)
{
    (void)context;
    xen_double_turn();
    stage.met = stage.condition();
    stage.ticks++;
    /* However late: everybody gets several turns. */
    if (stage.met ||
        (instant_reached(now, stage.deadline) && stage.ticks >= TICKS_MIN))
        loop_quit(stage.loop);
    else
        loop_timer_set(&stage.clock,
                       instant_after(now, duration_milliseconds(1)));
}

bool stage_comes_true(bool (*condition)(void), int milliseconds)
{
    struct instant now = loop_now(stage.loop);
    stage.condition = condition;
    stage.ticks = 0;
    stage.deadline = instant_after(now, duration_milliseconds(milliseconds));
    loop_timer_set(&stage.clock, now);
    assert_int_equal(loop_run(stage.loop), OK);
    return stage.met;
}

static bool never(void)
{
    return false;
}

void stage_turn(int milliseconds)
{
    (void)stage_comes_true(never, milliseconds);
}

/* The library's thread has had its turns, and so have we. */
static unsigned quiet_turns;

static bool is_quiet(void)
{
    quiet_turns = fake_xenstored_unread(stage.xenstored) ? 0 : quiet_turns + 1;
    return quiet_turns == 30;
}

void stage_settle(void)
{
    quiet_turns = 0;
    STAGE_UNTIL(is_quiet);
}

/* --- The toolstack and the frontends ------------------------------------- */

void stage_back(uint32_t domain, uint32_t handle, const char *key,
                const char *value)
{
    fake_xenstored_write(stage.xenstored, fake_card_back(domain, handle, key),
                         value);
}

void stage_front(uint32_t domain, uint32_t handle, const char *key,
                 const char *value)
{
    fake_xenstored_write(stage.xenstored, fake_card_front(domain, handle, key),
                         value);
}

bool stage_back_is(uint32_t domain, uint32_t handle, const char *key,
                   const char *value)
{
    return fake_card_is(stage.xenstored, domain, handle, key, value);
}

void stage_attach(uint32_t domain, uint32_t handle, const char *ip)
{
    fake_card_attach(stage.xenstored, domain, handle, ip);
}

void stage_take_away(uint32_t domain)
{
    fake_xenstored_remove(stage.xenstored, fake_card_back(domain, 0, ""));
}

void stage_detach(uint32_t domain, uint32_t handle)
{
    fake_card_detach(stage.xenstored, domain, handle);
}

void stage_ask(uint32_t domain)
{
    fake_card_ask(stage.xenstored, domain);
}

const char *const stage_addresses[STAGE_QUBES] = {"10.137.0.10", "10.137.0.11",
                                                  "10.137.0.12", "10.137.0.13"};

bool stage_first_waits(void)
{
    return stage_back_is(stage_domain(0), 0, "state", "2");
}

bool stage_first_connected(void)
{
    return stage_back_is(stage_domain(0), 0, "state", "4");
}

bool stage_first_closing(void)
{
    return stage_back_is(stage_domain(0), 0, "state", "5");
}

bool stage_first_closed(void)
{
    return stage_back_is(stage_domain(0), 0, "state", "6");
}

bool stage_first_gone(void)
{
    return !fake_xenstored_read(stage.xenstored,
                                fake_card_back(stage_domain(0), 0, "state"));
}

int stage_waited_for;

bool stage_that_one_waits(void)
{
    return stage_back_is(stage_domain(stage_waited_for), 0, "state", "2");
}

bool stage_that_one_connected(void)
{
    return stage_back_is(stage_domain(stage_waited_for), 0, "state", "4");
}

void stage_post_pages(struct fake_frontend *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t page = (uint16_t)(512 + f->receive.produced % 256);
        fake_put_page(f, page, page);
    }
    (void)fake_publish(&f->receive);
}

void stage_connect(int i)
{
    stage_fronts[i] = fake_frontend_new(0);
    xen_double_set_domain(stage_domain(i), stage_fronts[i]);
    stage_attach(stage_domain(i), 0, stage_addresses[i]);
    stage_waited_for = i;
    STAGE_UNTIL(stage_that_one_waits);
    stage_post_pages(stage_fronts[i], 100);
    stage_ask(stage_domain(i));
    STAGE_UNTIL(stage_that_one_connected);
}

/* --- Packets ------------------------------------------------------------- */

const uint8_t stage_qube_mac[6] = {0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x0a};

uint32_t stage_make_frame(uint8_t *frame, int i, uint32_t size)
{
    memset(frame, 0, size);
    memcpy(frame, ethernet_gateway_mac, 6);
    memcpy(frame + 6, stage_qube_mac, 6);
    store_u16(frame + 12, ETHERTYPE_IPV4);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    store_u16(ip + 2, (uint16_t)(size - 14));
    ip[8] = 64;
    ip[9] = IP_UDP;
    store_u32(ip + 12, 0x0a89000aU + (uint32_t)i);
    store_u32(ip + 16, 0x08080808U);
    store_u16(ip + 24, (uint16_t)(size - 34));
    return size;
}

void stage_send_from(int i, uint32_t count, uint32_t size)
{
    uint8_t frame[65536];
    struct fake_end *end = &stage_fronts[i]->transmit;
    while (count-- > 0) {
        uint32_t made = stage_make_frame(frame, i, size);
        fake_put_frame(stage_fronts[i], frame, made, 4096,
                       end->produced % 16 * 16, 1, 0);
    }
    if (fake_publish(end))
        xen_double_ring(stage_domain(i));
}

uint32_t stage_answers_taken(int i)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX], count = 0;
    while (fake_take(&stage_fronts[i]->transmit, words))
        count++;
    return count;
}

enum drop stage_send_to_first(uint32_t size)
{
    static uint8_t memory[PACKET_HEADROOM + 65536];
    uint8_t frame[2000];
    stage_make_frame(frame, 0, size + 14);
    memcpy(memory + PACKET_HEADROOM, frame + 14, size);
    struct packet p = {.data = memory + PACKET_HEADROOM,
                       .size = size,
                       .headroom = PACKET_HEADROOM};
    if (!stage.qubes[0].present)
        return DROP_UNKNOWN_QUBE; /* as our owner says of it */
    send_one(stage.qubes[0].port, loop_now(stage.loop), &p);
    return p.drop;
}

static uint32_t expected;

static bool all_came(void)
{
    uint32_t count = 0;
    for (int i = 0; i < STAGE_QUBES; i++)
        count += stage.qubes[i].packets;
    return count >= expected;
}

void stage_until_packets(uint32_t count)
{
    expected = count;
    STAGE_UNTIL(all_came);
}

struct fake_frame stage_taken;

bool stage_first_gets_a_frame(void)
{
    return fake_take_frame(stage_fronts[0], &stage_taken);
}

/* --- Beginning and end --------------------------------------------------- */

bool stage_open_link(void)
{
    enum error error = OK;
    stage.link = netback_open("/nonexistent", stage.loop, &stage_owner, &error);
    assert_true((stage.link == NULL) == (error != OK));
    return stage.link != NULL;
}

void stage_close_link(void)
{
    if (stage.link)
        stage.link->kind->close(stage.link);
    stage.link = NULL;
}

int stage_set_up(void **state)
{
    (void)state;
    memset(&stage, 0, sizeof stage);
    xen_double_reset();
    stage.xenstored = fake_xenstored_new(FAKE_CARD_BACKEND);
    stage.loop = loop_new();
    assert_non_null(stage.loop);
    stage.clock = (struct loop_timer){.expired = tick};
    loop_add_timer(stage.loop, &stage.clock);
    assert_true(stage_open_link());
    return 0;
}

int stage_tear_down(void **state)
{
    (void)state;
    stage_close_link();
    assert_int_equal(stage.added, stage.removed);
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    loop_free(stage.loop);
    fake_xenstored_free(stage.xenstored);
    for (int i = 0; i < STAGE_QUBES; i++) {
        if (stage_fronts[i])
            fake_frontend_free(stage_fronts[i]);
        stage_fronts[i] = NULL;
    }
    return 0;
}
