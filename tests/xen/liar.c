/*
 * A network card's frontend that lies: run in a domain whose kernel has no
 * driver for the card, it shakes hands as an honest one does and then does
 * what its argument says.
 *
 *   liar ATTACK          connects, attacks, prints what became of it, closes
 *   liar -l              the names of the attacks
 *
 * It prints one line, "closed" when the backend closed the card, "refused"
 * when it did not connect to it at all, or "connected" and how many requests
 * were answered well and with an error. Exit: 0 told, 1 the card could not be
 * attacked (the handshake failed where it should not).
 *
 * Ring layouts: xen/include/public/io/ring.h and io/netif.h.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

enum {
    SLOTS = 256,
    PAGE = 4096,
    PATH = 160,
    WAIT_MS = 10000, /* for the other end's next step */
    LOOK_MS = 1500,  /* at what an attack leads to */
    STORM_MS = 800,  /* attacks that go on */
    END_MS = 20000,  /* attacks that go on until the card is closed */

    /* More than a queue for a qube holds: 512 KiB, in frames of 60 bytes. */
    QUESTIONS = 10000,
};

/* States of xenbus. */
enum {
    INITIALISING = 1,
    INIT_WAIT = 2,
    CONNECTED = 4,
    CLOSING = 5,
    CLOSED = 6
};

/* Flags of a request, and of an extra. */
enum { BLANK = 1, MORE = 4, EXTRA = 8, EXTRA_MORE = 1, EXTRA_GSO = 1 };

enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT, FIRST_SLOT = 16 };

struct ring {
    _Atomic uint32_t *word;
    uint32_t slot_words;
    uint32_t reference;
    uint32_t produced; /* by us, not yet shown */
    uint32_t seen;     /* of the answers */
};

struct liar {
    struct xs_handle *xenstore;
    xengntshr_handle *grants;
    xenevtchn_handle *events;
    char frontend[PATH], backend[PATH];
    unsigned backend_id;
    int port;
    struct ring transmit, receive;
    uint8_t *page; /* what honest requests point at */
    uint32_t page_reference;
    uint8_t mac[6];
    uint8_t address[4];
    unsigned long well, badly; /* answered requests */
};

static void give_up(const char *what)
{
    fprintf(stderr, "liar: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static uint32_t next_random(void)
{
    static uint32_t state = 0x9e3779b9;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* --- xenstore ------------------------------------------------------------ */

static char *get(struct liar *l, const char *directory, const char *key)
{
    char path[2 * PATH];
    unsigned size;
    snprintf(path, sizeof path, "%s/%s", directory, key);
    return xs_read(l->xenstore, XBT_NULL, path, &size);
}

static void put(struct liar *l, const char *key, const char *value)
{
    char path[2 * PATH];
    snprintf(path, sizeof path, "%s/%s", l->frontend, key);
    if (!xs_write(l->xenstore, XBT_NULL, path, value, (unsigned)strlen(value)))
        give_up(path);
}

static void put_number(struct liar *l, const char *key, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    put(l, key, text);
}

static int backend_state(struct liar *l)
{
    char *text = get(l, l->backend, "state");
    int state = text ? atoi(text) : 0;
    free(text);
    return state;
}

static bool await_backend(struct liar *l, int wanted, int ms)
{
    int64_t deadline = now_ms() + ms;
    while (backend_state(l) != wanted) {
        if (now_ms() >= deadline)
            return false;
        pause_ms(20);
    }
    return true;
}

/* --- Handshake ----------------------------------------------------------- */

static void open_all(struct liar *l)
{
    char *text;
    l->xenstore = xs_open(0);
    l->grants = xengntshr_open(NULL, 0);
    l->events = xenevtchn_open(NULL, 0);
    if (!l->xenstore || !l->grants || !l->events)
        give_up("Xen's devices");
    snprintf(l->frontend, sizeof l->frontend, "device/vif/0");
    text = get(l, l->frontend, "backend");
    if (!text)
        give_up("there is no card");
    snprintf(l->backend, sizeof l->backend, "%s", text);
    free(text);
    text = get(l, l->frontend, "backend-id");
    l->backend_id = text ? (unsigned)atoi(text) : 0;
    free(text);
    text = get(l, l->frontend, "mac");
    if (!text ||
        sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &l->mac[0], &l->mac[1],
               &l->mac[2], &l->mac[3], &l->mac[4], &l->mac[5]) != 6)
        give_up("mac");
    free(text);
    text = get(l, l->backend, "ip");
    if (!text || sscanf(text, "%hhu.%hhu.%hhu.%hhu", &l->address[0],
                        &l->address[1], &l->address[2], &l->address[3]) != 4)
        give_up("ip");
    free(text);
}

static void *share(struct liar *l, int count, uint32_t *references)
{
    void *memory =
        xengntshr_share_pages(l->grants, l->backend_id, count, references, 1);
    if (!memory)
        give_up("sharing a page");
    memset(memory, 0, (size_t)count * PAGE);
    return memory;
}

static void open_ring(struct liar *l, struct ring *r, uint32_t slot_words)
{
    r->word = share(l, 1, &r->reference);
    r->slot_words = slot_words;
    r->word[REQ_EVENT] = 1;
    r->word[RSP_EVENT] = 1;
}

static void open_rings(struct liar *l)
{
    open_ring(l, &l->transmit, 3);
    open_ring(l, &l->receive, 2);
    l->page = share(l, 1, &l->page_reference);
    l->port = xenevtchn_bind_unbound_port(l->events, l->backend_id);
    if (l->port < 0)
        give_up("event channel");
    put_number(l, "tx-ring-ref", l->transmit.reference);
    put_number(l, "rx-ring-ref", l->receive.reference);
    put_number(l, "event-channel", (uint32_t)l->port);
    put(l, "request-rx-copy", "1");
    put(l, "feature-rx-notify", "1");
    put(l, "feature-sg", "1");
    put(l, "feature-gso-tcpv4", "1");
    put(l, "feature-gso-tcpv6", "1");
    put(l, "multi-queue-num-queues", "1");
}

/* As a driver does that is loaded anew. */
static void begin(struct liar *l)
{
    put_number(l, "state", CLOSED);
    pause_ms(50);
    put_number(l, "state", INITIALISING);
    if (!await_backend(l, INIT_WAIT, WAIT_MS))
        give_up("the backend does not offer its card");
    open_rings(l);
}

static bool connect_card(struct liar *l)
{
    int64_t deadline = now_ms() + WAIT_MS;
    put_number(l, "state", CONNECTED);
    while (now_ms() < deadline) {
        int state = backend_state(l);
        if (state != INIT_WAIT)
            return state == CONNECTED;
        pause_ms(20);
    }
    return false;
}

/* --- Rings --------------------------------------------------------------- */

static void set_slot(struct ring *r, uint32_t index, uint32_t a, uint32_t b,
                     uint32_t c)
{
    _Atomic uint32_t *at =
        r->word + FIRST_SLOT + (index % SLOTS) * r->slot_words;
    at[0] = a;
    at[1] = b;
    if (r->slot_words == 3)
        at[2] = c;
}

static void request(struct liar *l, uint32_t reference, uint32_t offset,
                    uint32_t flags, uint32_t size)
{
    struct ring *r = &l->transmit;
    uint32_t id = r->produced % SLOTS;
    set_slot(r, r->produced++, reference, (offset & 0xffff) | flags << 16,
             id | size << 16);
}

static void extra(struct liar *l, uint32_t type, uint32_t flags, uint32_t size,
                  uint32_t gso_type)
{
    struct ring *r = &l->transmit;
    set_slot(r, r->produced++, (type & 0xff) | flags << 8 | size << 16,
             gso_type & 0xff, 0);
}

static void ring_the_bell(struct liar *l)
{
    xenevtchn_notify(l->events, (evtchn_port_t)l->port);
}

static void show(struct liar *l, struct ring *r)
{
    r->word[REQ_PROD] = r->produced;
    ring_the_bell(l);
}

static void read_answers(struct liar *l)
{
    struct ring *r = &l->transmit;
    uint32_t end = r->word[RSP_PROD];
    for (; r->seen != end && end - r->seen <= SLOTS; r->seen++) {
        uint32_t first =
            r->word[FIRST_SLOT + (r->seen % SLOTS) * r->slot_words];
        int16_t status = (int16_t)(first >> 16);
        if (status == 0)
            l->well++;
        else if (status < 0)
            l->badly++;
    }
    r->word[RSP_EVENT] = r->seen + 1;
}

static void post_page(struct liar *l, uint32_t reference)
{
    struct ring *r = &l->receive;
    set_slot(r, r->produced, r->produced % SLOTS, reference, 0);
    r->produced++;
}

/* --- An honest frame ----------------------------------------------------- */

static uint16_t sum(const uint8_t *data, size_t size)
{
    uint32_t total = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        total += (uint32_t)(data[i] << 8 | data[i + 1]);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

/* A ping of the web server behind the tunnel, at the page's start; its size
 * with the Ethernet header. */
static uint32_t write_ping(struct liar *l, uint32_t payload)
{
    static const uint8_t gateway[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t server[4] = {198, 51, 100, 80};
    uint8_t *ip = l->page + 14, *icmp = ip + 20;
    uint32_t size = 20 + 8 + payload;
    memset(l->page, 0, 14 + size);
    memcpy(l->page, gateway, 6);
    memcpy(l->page + 6, l->mac, 6);
    l->page[12] = 8;
    ip[0] = 0x45;
    ip[2] = (uint8_t)(size >> 8);
    ip[3] = (uint8_t)size;
    ip[8] = 64;
    ip[9] = 1;
    memcpy(ip + 12, l->address, 4);
    memcpy(ip + 16, server, 4);
    uint16_t check = sum(ip, 20);
    ip[10] = (uint8_t)(check >> 8);
    ip[11] = (uint8_t)check;
    icmp[0] = 8;
    icmp[4] = 0x4c;
    check = sum(icmp, 8 + payload);
    icmp[2] = (uint8_t)(check >> 8);
    icmp[3] = (uint8_t)check;
    return 14 + size;
}

/* "Who has the router's address?", which the backend itself answers; its
 * size. */
static uint32_t write_question(struct liar *l)
{
    static const uint8_t start[] = {0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t router[4] = {10, 138, 0, 1};
    uint8_t *arp = l->page + 14;
    memset(l->page, 0, 64);
    memset(l->page, 0xff, 6);
    memcpy(l->page + 6, l->mac, 6);
    l->page[12] = 8;
    l->page[13] = 6;
    memcpy(arp, start, sizeof start);
    memcpy(arp + 8, l->mac, 6);
    memcpy(arp + 14, l->address, 4);
    memcpy(arp + 24, router, 4);
    return 60;
}

/* Asks as fast as is taken, until that is enough or the card is closed;
 * `turn`, if any, is done between. */
static void ask_on(struct liar *l, void (*turn)(struct liar *))
{
    uint32_t size = write_question(l);
    int64_t deadline = now_ms() + END_MS;
    while (l->well < QUESTIONS && now_ms() < deadline &&
           backend_state(l) == CONNECTED) {
        if (turn)
            turn(l);
        read_answers(l);
        while (l->transmit.produced - l->transmit.seen < SLOTS - 8)
            request(l, l->page_reference, 0, 0, size);
        show(l, &l->transmit);
    }
}

/* --- Attacks ------------------------------------------------------------- */

static void bad_references(struct liar *l)
{
    static const uint32_t references[] = {0,     1,          7,         4095,
                                          65535, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof references / sizeof *references; i++)
        request(l, references[i], 0, 0, 60);
    /* A frame of which only the second half is not there. */
    request(l, l->page_reference, 0, MORE, 1000);
    request(l, 0xffffff, 0, 0, 500);
    show(l, &l->transmit);
}

static void small_sizes(struct liar *l)
{
    for (uint32_t size = 0; size < 14; size++)
        request(l, l->page_reference, 0, 0, size);
    /* The parts are more than the whole; a part of nothing. */
    request(l, l->page_reference, 0, MORE, 100);
    request(l, l->page_reference, 0, 0, 2000);
    request(l, l->page_reference, 0, MORE, 100);
    request(l, l->page_reference, 0, 0, 0);
    show(l, &l->transmit);
}

static void past_the_page(struct liar *l)
{
    request(l, l->page_reference, 4000, 0, 200);
    show(l, &l->transmit);
}

static void far_offset(struct liar *l)
{
    request(l, l->page_reference, 65535, 0, 65535);
    show(l, &l->transmit);
}

static void index_jump(struct liar *l)
{
    l->transmit.produced += 100000;
    show(l, &l->transmit);
}

static void index_back(struct liar *l)
{
    request(l, l->page_reference, 0, 0, write_ping(l, 40));
    show(l, &l->transmit);
    pause_ms(200);
    l->transmit.produced -= 2;
    show(l, &l->transmit);
}

static void receive_index_jump(struct liar *l)
{
    l->receive.produced += 100000;
    show(l, &l->receive);
    ask_on(l, NULL);
}

static void open_chain(struct liar *l)
{
    request(l, l->page_reference, 0, MORE, 3000);
    request(l, l->page_reference, 0, MORE, 1000);
    show(l, &l->transmit);
}

static void long_chain(struct liar *l)
{
    request(l, l->page_reference, 0, MORE, 60000);
    for (int i = 0; i < 100; i++)
        request(l, l->page_reference, 0, MORE, 100);
    request(l, l->page_reference, 0, 0, 100);
    show(l, &l->transmit);
}

static void unknown_extra(struct liar *l)
{
    request(l, l->page_reference, 0, EXTRA, 100);
    extra(l, 200, 0, 0, 0);
    show(l, &l->transmit);
}

static void open_extras(struct liar *l)
{
    request(l, l->page_reference, 0, EXTRA, 100);
    extra(l, EXTRA_GSO, EXTRA_MORE, 1400, 1);
    show(l, &l->transmit);
}

static void no_segment_size(struct liar *l)
{
    request(l, l->page_reference, 0, EXTRA | BLANK, write_ping(l, 1000));
    extra(l, EXTRA_GSO, 0, 0, 1);
    show(l, &l->transmit);
}

/* An honest chain, but a ping is nothing to cut. */
static void wrong_super_packet(struct liar *l)
{
    for (int i = 0; i < 20; i++) {
        request(l, l->page_reference, 0, EXTRA | BLANK, write_ping(l, 2000));
        extra(l, EXTRA_GSO, 0, 1, 1 + (uint32_t)i % 2);
    }
    show(l, &l->transmit);
}

/* Answers come, and there is no page for one. */
static void no_pages(struct liar *l)
{
    ask_on(l, NULL);
}

static void post_nonsense(struct liar *l)
{
    while (l->receive.produced - l->receive.word[RSP_PROD] < SLOTS)
        post_page(l, next_random());
    show(l, &l->receive);
}

static void bad_pages(struct liar *l)
{
    ask_on(l, post_nonsense);
}

static void event_storm(struct liar *l)
{
    int64_t deadline = now_ms() + STORM_MS;
    while (now_ms() < deadline)
        for (int i = 0; i < 1000; i++)
            ring_the_bell(l);
}

/* The request changes while it is read: between good and out of the page. */
static void changing_mind(struct liar *l)
{
    uint32_t size = write_ping(l, 500);
    int64_t deadline = now_ms() + END_MS;
    while (now_ms() < deadline && backend_state(l) == CONNECTED) {
        read_answers(l);
        while (l->transmit.produced - l->transmit.seen < SLOTS - 8)
            request(l, l->page_reference, 0, 0, size);
        show(l, &l->transmit);
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t at = FIRST_SLOT + i % SLOTS * 3;
            l->transmit.word[at + 1] ^= 0xffff;
            l->transmit.word[at + 2] ^= 0xffff0000;
        }
    }
}

static void noise(struct liar *l)
{
    int64_t deadline = now_ms() + END_MS;
    while (now_ms() < deadline) {
        for (uint32_t i = FIRST_SLOT; i < FIRST_SLOT + 3 * SLOTS; i++) {
            l->transmit.word[i] = next_random();
            if (i < FIRST_SLOT + 2 * SLOTS)
                l->receive.word[i] = next_random();
        }
        l->transmit.word[RSP_PROD] = next_random();
        l->transmit.word[RSP_EVENT] = next_random();
        l->receive.word[RSP_PROD] = next_random();
        l->transmit.word[REQ_PROD] += next_random() % 8;
        l->receive.word[REQ_PROD] += next_random() % 8;
        ring_the_bell(l);
        if (backend_state(l) != CONNECTED)
            return;
    }
}

/* Its state goes up and down as fast as xenstore takes it. */
static void state_storm(struct liar *l)
{
    int64_t deadline = now_ms() + STORM_MS;
    while (now_ms() < deadline) {
        put_number(l, "state", next_random() % 9);
        put_number(l, "event-channel", next_random() % 64);
    }
}

/* --- What it writes before it connects ----------------------------------- */

static void bad_ring_reference(struct liar *l)
{
    put_number(l, "tx-ring-ref", 0xfffffff);
}

static void no_number(struct liar *l)
{
    put(l, "rx-ring-ref", "8; reboot");
}

static void bad_port(struct liar *l)
{
    put_number(l, "event-channel", 0x10000000);
}

static void many_queues(struct liar *l)
{
    put(l, "multi-queue-num-queues", "4294967295");
}

static void no_copies(struct liar *l)
{
    put(l, "request-rx-copy", "0");
}

static void index_before(struct liar *l)
{
    l->transmit.word[REQ_PROD] = 0x80000000;
}

/* One page for both rings. */
static void same_page(struct liar *l)
{
    put_number(l, "rx-ring-ref", l->transmit.reference);
}

/* ------------------------------------------------------------------------- */

struct attack {
    const char *name;
    void (*before)(struct liar *l); /* it connects */
    void (*after)(struct liar *l);
};

static const struct attack attacks[] = {
    {"bad-references", NULL, bad_references},
    {"small-sizes", NULL, small_sizes},
    {"past-the-page", NULL, past_the_page},
    {"far-offset", NULL, far_offset},
    {"index-jump", NULL, index_jump},
    {"index-back", NULL, index_back},
    {"receive-index-jump", NULL, receive_index_jump},
    {"open-chain", NULL, open_chain},
    {"long-chain", NULL, long_chain},
    {"unknown-extra", NULL, unknown_extra},
    {"open-extras", NULL, open_extras},
    {"no-segment-size", NULL, no_segment_size},
    {"wrong-super-packet", NULL, wrong_super_packet},
    {"no-pages", NULL, no_pages},
    {"bad-pages", NULL, bad_pages},
    {"event-storm", NULL, event_storm},
    {"changing-mind", NULL, changing_mind},
    {"noise", NULL, noise},
    {"state-storm", NULL, state_storm},
    {"bad-ring-reference", bad_ring_reference, NULL},
    {"no-number", no_number, NULL},
    {"bad-port", bad_port, NULL},
    {"many-queues", many_queues, NULL},
    {"no-copies", no_copies, NULL},
    {"index-before", index_before, NULL},
    {"same-page", same_page, noise},
};

static void tell(struct liar *l)
{
    int64_t deadline = now_ms() + LOOK_MS;
    do {
        read_answers(l);
        if (backend_state(l) != CONNECTED) {
            puts("closed");
            return;
        }
        pause_ms(20);
    } while (now_ms() < deadline &&
             l->transmit.seen != l->transmit.word[REQ_PROD]);
    printf("connected %lu %lu\n", l->well, l->badly);
}

static void run(struct liar *l, const struct attack *attack)
{
    open_all(l);
    begin(l);
    if (attack->before)
        attack->before(l);
    if (!connect_card(l)) {
        if (!attack->before)
            give_up("the backend does not connect");
        puts("refused");
    } else {
        if (attack->after)
            attack->after(l);
        tell(l);
    }
    put_number(l, "state", CLOSING);
    await_backend(l, CLOSED, 200);
    put_number(l, "state", CLOSED);
}

int main(int argc, char **argv)
{
    static struct liar liar;
    if (argc != 2)
        return 2;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        if (strcmp(argv[1], "-l") == 0) {
            puts(attacks[i].name);
        } else if (strcmp(argv[1], attacks[i].name) == 0) {
            run(&liar, &attacks[i]);
            return 0;
        }
    }
    return strcmp(argv[1], "-l") == 0 ? 0 : 2;
}
