/*
 * A frontend and a toolstack made of the input, beside a card that is in use:
 * they write anything into xenstore at any time, and time passes. The other
 * card always stays connected; mapped pages and bound ports belong to connected
 * cards; a new card is offered before dom0 gives up, one that it detaches is
 * Closed and gone, and both states stand until it can have seen them.
 */
#include "gateway/link/xen/vif_table.h"

#include "tests/fuzz/store_double.h"
#include "tests/fuzz/target.h"
#include "tests/link/xen/fake_card.h"
#include "tests/link/xen/xen_double.h"

#include <string.h>

enum {
    TURNS_MAX = 200,
    LIAR = 10,
    HONEST = 11,
    LOOK_MS = 125,
    STANDS_MS = 100
};

/* Made once: it has much memory. */
static struct {
    struct loop *loop;
    struct xenstore *xenstore;
    struct vif_host host;
    struct vif_table table;
    struct netback_receive_batch receive_batch;
    struct fake_frontend *liar, *honest;
    struct instant now;
    unsigned connected;
    struct reader input;
} f;

/* --- The backend --------------------------------------------------------- */

static void ignore_change(void *context, struct instant now, const char *path,
                          const char *token)
{
    (void)context, (void)now, (void)path, (void)token;
}

static void ignore_port(void *context, uint32_t port)
{
    (void)context, (void)port;
}

static void ignore(void *context, struct instant now)
{
    (void)context, (void)now;
}

static void connected(void *context, struct vif *vif)
{
    (void)context;
    check(vif->state == VIF_CONNECTED && vif->bound);
    f.connected++;
}

static void disconnected(void *context, struct vif *vif)
{
    (void)context;
    check(vif->state == VIF_CONNECTED && f.connected > 0);
    f.connected--;
}

static void prepare(void)
{
    const struct xenstore_owner changes = {NULL, ignore_change, ignore};
    const struct event_channel_owner bells = {NULL, ignore_port, ignore};
    enum error error = OK;
    be_quiet();
    f.liar = fake_frontend_new(0);
    f.honest = fake_frontend_new(0);
    f.loop = loop_new();
    f.xenstore = xenstore_open(f.loop, &changes, &error);
    check(f.xenstore && netback_receive_batch_init(&f.receive_batch));
    f.host = (struct vif_host){
        .xenstore = f.xenstore,
        .grant = grant_open(&error),
        .events = event_channel_open(f.loop, &bells, &error),
        .receive_batch = &f.receive_batch,
        .connected = connected,
        .disconnected = disconnected,
    };
    check(error == OK);
}

/* --- What holds at any time ---------------------------------------------- */

static bool backend_says(uint32_t domain, const char *state)
{
    return fake_card_is(NULL, domain, 0, "state", state);
}

static bool is_there(void)
{
    return fake_xenstored_read(NULL, fake_card_back(LIAR, 0, "state")) != NULL;
}

/* As many turns of the loop as there are news for. */
static void look(void)
{
    const char *path, *token;
    struct instant next;
    int turns = 0;
    do {
        while (store_double_take_event(&path, &token))
            vif_table_changed(&f.table, path, token);
        next = vif_table_settle(&f.table, f.now);
        check(++turns < 64);
        /* Its own words are news, too; some it hears of when it may look. */
    } while (!instant_before(f.now, next));
    check(xen_double_mapped() == 2 * f.connected);
    check(xen_double_bound() == f.connected);
    check(fake_xenstored_watches(NULL) <= 1 + f.table.count);
}

static void look_after(int64_t milliseconds)
{
    f.now = instant_after(f.now, duration_milliseconds(milliseconds));
    look();
    look(); /* what it wrote itself */
}

/* --- What happens -------------------------------------------------------- */

static const char *const frontend_keys[] = {
    "state",
    "state",
    "state",
    "state",
    "tx-ring-ref",
    "rx-ring-ref",
    "event-channel",
    "request-rx-copy",
    "feature-rx-notify",
    "feature-sg",
    "feature-gso-tcpv4",
    "feature-gso-tcpv6",
    "feature-no-csum-offload",
    "feature-ipv6-csum-offload",
    "multi-queue-num-queues",
    "",
};

/* Some bytes of the input, or a digit. */
static struct bytes some_value(void)
{
    static uint8_t digit;
    uint8_t kind = read_u8(&f.input);
    if (kind < 192) {
        digit = (uint8_t)('0' + kind % 10);
        return bytes_of(&digit, 1);
    }
    size_t size = read_u8(&f.input) + (kind & 63U);
    return read_bytes(&f.input, size < f.input.left ? size : f.input.left);
}

static void frontend_writes(void)
{
    const char *key = frontend_keys[read_u8(&f.input) % 16];
    store_double_write(fake_card_front(LIAR, 0, key), some_value());
}

static void frontend_removes(void)
{
    const char *key = frontend_keys[read_u8(&f.input) % 16];
    fake_xenstored_remove(NULL, fake_card_front(LIAR, 0, key));
}

static void toolstack_writes(void)
{
    static const char *const keys[] = {
        "frontend", "frontend-id", "mac", "ip",
        "online",   "state",       "",    "hotplug-status",
    };
    const char *key = keys[read_u8(&f.input) % 8];
    store_double_write(fake_card_back(LIAR, 0, key), some_value());
}

/* The qube's part while the toolstack waits. */
static void frontend_goes_on(void)
{
    for (int i = 0; i < 3; i++)
        if (read_u8(&f.input) & 1)
            frontend_writes();
        else
            fake_card_ask(NULL, LIAR);
}

/* One that frontends write much to is looked at when it may. */
static void toolstack_attaches(void)
{
    fake_xenstored_disturb(NULL, 0);
    fake_xenstored_remove(NULL, fake_card_back(LIAR, 0, ""));
    look();
    fake_card_attach(NULL, LIAR, 0, "10.137.0.10");
    frontend_goes_on();
    look_after(LOOK_MS);
    check(backend_says(LIAR, "2"));
    frontend_goes_on();
    look_after(STANDS_MS - 1);
    check(backend_says(LIAR, "2"));
}

static bool leaves(void)
{
    for (size_t i = 0; i < f.table.count; i++)
        if (f.table.vifs[i]->domain == LIAR)
            return f.table.vifs[i]->state == VIF_LEAVING;
    return false;
}

static void toolstack_detaches(void)
{
    if (!is_there() || leaves())
        return;
    fake_card_detach(NULL, LIAR, 0);
    look_after(LOOK_MS);
    check(backend_says(LIAR, "6"));
    frontend_goes_on();
    look_after(STANDS_MS - 1);
    check(backend_says(LIAR, "6"));
    look_after(1);
    check(!is_there() && f.table.count == 1);
}

static void begin(void)
{
    check(vif_table_init(&f.table, &f.host) == OK);
    look_after(LOOK_MS);
}

static void stop(void)
{
    vif_table_clear(&f.table);
    check(f.connected == 0 && fake_xenstored_watches(NULL) == 1);
    xenstore_unwatch(f.xenstore, f.table.root, "backends");
}

static void act(void)
{
    struct vif *vif;
    uint16_t word;
    switch (read_u8(&f.input) % 16) {
    case 0:
        toolstack_attaches();
        break;
    case 1:
        toolstack_detaches();
        break;
    case 2:
        toolstack_writes();
        break;
    case 3:
        fake_xenstored_remove(NULL, fake_card_back(LIAR, 0, ""));
        break;
    case 4:
        frontend_removes();
        break;
    case 5:
        fake_xenstored_deny(NULL,
                            read_u8(&f.input) & 1 ? "/local/domain/10" : "");
        break;
    case 6:
        fake_xenstored_disturb(NULL, read_u8(&f.input));
        break;
    case 7:
        xen_double_set_domain(LIAR, read_u8(&f.input) & 1 ? f.liar : NULL);
        break;
    case 8: /* another process */
        stop();
        begin();
        break;
    case 9:
        word = read_u16(&f.input);
        f.liar->transmit.page->word[word % NETBACK_SLOTS] = word;
        break;
    case 10:
        vif = f.table.vifs[read_u8(&f.input) % f.table.count];
        if (vif->state == VIF_CONNECTED && vif->domain == LIAR)
            vif_close(vif, "it broke a rule");
        break;
    case 11:
        fake_card_ask(NULL, LIAR);
        break;
    case 12:
        look_after(read_u8(&f.input));
        break;
    default:
        frontend_writes();
        break;
    }
    look();
    check(backend_says(HONEST, "4"));
}

static void end(void)
{
    fake_card_detach(NULL, LIAR, 0);
    fake_card_detach(NULL, HONEST, 0);
    look_after(LOOK_MS);
    look_after(STANDS_MS);
    check(f.table.count == 0);
    stop();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!f.loop)
        prepare();
    store_double_reset();
    fake_frontend_reset(f.liar, 0);
    fake_frontend_reset(f.honest, 0);
    xen_double_set_domain(LIAR, f.liar);
    xen_double_set_domain(HONEST, f.honest);
    f.now.us = 1000000;
    f.input = reader_of(bytes_of(data, size));
    begin();
    fake_card_attach(NULL, HONEST, 0, "10.137.0.11");
    look_after(0);
    check(backend_says(HONEST, "2"));
    look_after(STANDS_MS);
    fake_card_ask(NULL, HONEST);
    look_after(0);
    check(backend_says(HONEST, "4"));
    for (int i = 0; i < TURNS_MAX && f.input.left > 0; i++)
        act();
    end();
    return 0;
}
