/* A real router and delivery between a link and a VPN that only keep what they
 * are given. */
#include "gateway/traffic.h"

#include "tests/unit.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"

enum { KEPT_MAX = 64, HEAD = 24 };

/* --- The VPN ------------------------------------------------------------- */

struct vpn {
    bool up;
    unsigned wanted;
    size_t count; /* datagrams that left */
    uint16_t sizes[KEPT_MAX];
    uint8_t last[2048]; /* the packet in the last of them */
    uint16_t last_size;
};

struct burst_layout vpn_layout(const struct vpn *v)
{
    return v->up ? (struct burst_layout){.head = HEAD, .block = 1}
                 : (struct burst_layout){0};
}

void vpn_send(struct vpn *v, struct instant now, struct burst *burst)
{
    (void)now;
    for (size_t i = 0; v->up && i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        assert_true(v->count < KEPT_MAX && d->inner_size <= sizeof v->last);
        v->sizes[v->count++] = d->inner_size;
        v->last_size = d->inner_size;
        memcpy(v->last, d->data + d->inner_offset, d->inner_size);
    }
    burst_reset(burst);
}

void vpn_wanted(struct vpn *v, struct instant now)
{
    (void)now;
    v->wanted++;
}

/* --- The link ------------------------------------------------------------ */

struct double_link {
    struct link link; /* first */
    size_t count;
    uint8_t last[2048];
    uint32_t last_size;
};

static void keep(struct link_port *port, struct instant now,
                 struct packet *const *packets, size_t count)
{
    struct double_link *d = (struct double_link *)port->link;
    (void)now;
    for (size_t i = 0; i < count; i++) {
        assert_true(packets[i]->size <= sizeof d->last);
        d->count++;
        d->last_size = packets[i]->size;
        memcpy(d->last, packets[i]->data, packets[i]->size);
    }
}

static const struct link_kind kind = {.name = "double", .send = keep};

/* --- Both, and traffic between ------------------------------------------- */

struct world {
    struct loop *loop;
    struct router *router;
    struct traffic *traffic;
    struct link_owner owner;
    struct vpn vpn;
    struct double_link link;
    struct tunnel tunnel;
    struct qube *qube;
};

static const struct instant now = {1000 * 1000000LL};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    const struct router_options options = {.flows = 64, .accept_unruled = true};
    struct address a = craft_address("10.137.0.5");
    w->loop = loop_new();
    w->router = router_new(&options);
    w->traffic = traffic_new(w->loop, w->router);
    assert_non_null(w->traffic);
    traffic_set_vpn(w->traffic, &w->vpn);
    w->owner = traffic_owner(w->traffic);
    w->link.link = (struct link){.kind = &kind, .port = {&w->link.link}};
    w->qube = w->owner.qube_added(w->owner.context, &w->link.link.port,
                                  "double:a", &a, NULL);
    assert_non_null(w->qube);
    w->tunnel = (struct tunnel){
        .ipv4 = {craft_address("10.8.0.2"), 24},
        .mtu = 1400,
        .mss_mtu = 1400,
        .redirect_ipv4 = true,
    };
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    if (w->qube)
        w->owner.qube_removed(w->owner.context, w->qube);
    traffic_free(w->traffic);
    router_free(w->router);
    loop_free(w->loop);
    free(w);
    return 0;
}

static void tunnel_up(struct world *w)
{
    w->vpn.up = true;
    traffic_tunnel_up(w->traffic, now, &w->tunnel);
}

static uint8_t payload[20000];

static struct craft sample(size_t size)
{
    return (struct craft){
        .source = craft_address("10.137.0.5"),
        .destination = craft_address("198.51.100.7"),
        .protocol = 17,
        .source_port = 40000,
        .destination_port = 443,
        .payload = {payload, size},
    };
}

/* From the qube, so many in one batch; the fate of the last. */
static enum drop send(struct world *w, const struct craft *c, size_t count)
{
    struct packet packets[4];
    struct packet_batch batch = {
        .packets = packets, .count = (uint16_t)count, .capacity = 4};
    assert_in_range(count, 1, 4);
    for (size_t i = 0; i < count; i++) {
        packets[i] = craft_packet(c);
        packets[i].qube = w->qube;
    }
    w->owner.received(w->owner.context, now, &batch);
    enum drop drop = packets[count - 1].drop;
    for (size_t i = 0; i < count; i++)
        free(packets[i].data);
    return drop;
}

static void without_a_tunnel_a_packet_is_refused_and_the_vpn_told(void **state)
{
    struct world *w = *state;
    struct craft c = sample(100);
    assert_int_equal(send(w, &c, 1), DROP_TUNNEL_DOWN);
    assert_int_equal(w->vpn.wanted, 1);
    assert_int_equal(w->vpn.count, 0);
    /* The qube is told as well: ICMP, destination unreachable. */
    assert_int_equal(w->link.count, 1);
    assert_int_equal(w->link.last[9], 1);
    assert_int_equal(w->link.last[20], 3);
    /* Once for a batch. */
    assert_int_equal(send(w, &c, 4), DROP_TUNNEL_DOWN);
    assert_int_equal(w->vpn.wanted, 2);
}

static void what_would_be_refused_anyway_wants_no_tunnel(void **state)
{
    struct world *w = *state;
    struct craft spoofed = sample(100), martian = sample(100);
    spoofed.source = craft_address("10.137.0.99");
    martian.destination = craft_address("127.0.0.1");
    assert_int_equal(send(w, &spoofed, 1), DROP_SPOOFED);
    assert_int_equal(send(w, &martian, 1), DROP_MARTIAN);
    assert_int_equal(w->vpn.wanted, 0);
}

static void with_one_it_leaves_translated(void **state)
{
    struct world *w = *state;
    struct craft c = sample(100);
    struct address own = craft_address("10.8.0.2");
    tunnel_up(w);
    assert_int_equal(send(w, &c, 2), DROP_NONE);
    assert_int_equal(w->vpn.wanted, 0);
    assert_int_equal(w->vpn.count, 2);
    assert_memory_equal(w->vpn.last + 12, own.bytes, 4);
    assert_true(craft_checksums_right(w->vpn.last, w->vpn.last_size));
    /* And not once it is gone. */
    w->vpn.up = false;
    traffic_tunnel_down(w->traffic, now);
    assert_int_equal(send(w, &c, 1), DROP_TUNNEL_DOWN);
    assert_int_equal(w->vpn.count, 2);
    assert_int_equal(w->vpn.wanted, 1);
}

static void what_is_too_large_is_cut_to_the_tunnel(void **state)
{
    struct world *w = *state;
    struct craft c = sample(3000);
    tunnel_up(w);
    assert_int_equal(send(w, &c, 1), DROP_NONE);
    assert_int_equal(w->vpn.count, 3);
    for (size_t i = 0; i < w->vpn.count; i++)
        assert_in_range(w->vpn.sizes[i], 21, 1400);
}

/* The VPN opened this, as the answer to the packet that left last. */
static void answer(struct world *w)
{
    struct packet left = {.data = w->vpn.last, .size = w->vpn.last_size};
    assert_int_equal(ip_packet_parse(&left), DROP_NONE);
    struct craft c = {
        .source = craft_address("198.51.100.7"),
        .destination = craft_address("10.8.0.2"),
        .protocol = 17,
        .source_port = 443,
        .destination_port = left.ip.source_port,
        .payload = {payload, 300},
    };
    struct packet p = craft_packet(&c);
    struct burst burst = {0};
    assert_true(burst_add_view(&burst, p.data, (uint16_t)p.size));
    burst.datagrams[0].inner_size = (uint16_t)p.size;
    traffic_from_tunnel(w->traffic, now, &burst);
    free(p.data);
}

static void an_answer_comes_to_the_qube_that_asked(void **state)
{
    struct world *w = *state;
    struct craft c = sample(100);
    struct address qube = craft_address("10.137.0.5");
    tunnel_up(w);
    assert_int_equal(send(w, &c, 1), DROP_NONE);
    answer(w);
    assert_int_equal(w->link.count, 1);
    assert_int_equal(w->link.last_size, 328);
    assert_memory_equal(w->link.last + 16, qube.bytes, 4);
    assert_true(craft_checksums_right(w->link.last, w->link.last_size));
}

static void a_qube_that_is_gone_gets_nothing(void **state)
{
    struct world *w = *state;
    struct craft c = sample(100);
    tunnel_up(w);
    assert_int_equal(send(w, &c, 1), DROP_NONE);
    w->owner.qube_removed(w->owner.context, w->qube);
    w->qube = NULL;
    answer(w);
    assert_int_equal(w->link.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_tunnel_a_packet_is_refused_and_the_vpn_told),
        TEST(what_would_be_refused_anyway_wants_no_tunnel),
        TEST(with_one_it_leaves_translated),
        TEST(what_is_too_large_is_cut_to_the_tunnel),
        TEST(an_answer_comes_to_the_qube_that_asked),
        TEST(a_qube_that_is_gone_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
