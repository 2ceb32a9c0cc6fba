#include "tests/router/world.h"

#include <stdio.h>

#include "gateway/base/log.h"

/* Host names in rules: a world whose resolver the test is. */

static void set_rule(struct world *w, const char *source, const char *policy,
                     const char *rule)
{
    struct address a = craft_address(source);
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text(policy)},
        {bytes_of_text("0000"), bytes_of_text(rule)},
    };
    router_set_rules(w->router, w->now, &a, entries, rule[0] ? 2 : 1);
}

static bool waits_because(struct world *w, const char *why)
{
    return strstr(w->first->wait_text, why) != NULL;
}

/* --- A resolver ---------------------------------------------------------- */

enum { NO_ERROR = 0, SERVER_FAILURE = 2, NO_NAME = 3 };

struct reply {
    uint8_t code;
    bool truncated, alias;
    uint32_t ttl;
    size_t count;
    const char *first; /* of `count` addresses in a row */
};

static size_t write_record(uint8_t *at, uint16_t owner, uint16_t type,
                           uint32_t ttl, const uint8_t *data, size_t size)
{
    store_u16(at, owner);
    store_u16(at + 2, type);
    store_u16(at + 4, 1);
    store_u32(at + 6, ttl);
    store_u16(at + 10, (uint16_t)size);
    memcpy(at + 12, data, size);
    return 12 + size;
}

/* Behind the question, whose addresses are of the family that it asks for. */
static size_t write_records(uint8_t *message, size_t end, const struct reply *r)
{
    static const uint8_t alias[] = {3, 'c', 'd', 'n', 3, 'n', 'e', 't', 0};
    uint16_t type = load_u16(message + end - 4), owner = 0xc00c;
    store_u16(message + 6, (uint16_t)(r->count + r->alias));
    if (r->alias) {
        uint16_t next = (uint16_t)(0xc000 | (end + 12));
        end +=
            write_record(message + end, owner, 5, r->ttl, alias, sizeof alias);
        owner = next;
    }
    for (size_t i = 0; i < r->count; i++) {
        struct address a = craft_address(r->first);
        size_t size = address_size(a.family);
        assert_int_equal(type, size == 4 ? 1 : 28);
        a.bytes[size - 1] = (uint8_t)(a.bytes[size - 1] + i);
        end += write_record(message + end, owner, type, r->ttl, a.bytes, size);
    }
    return end;
}

static struct packet reply_packet(const struct packet *question,
                                  const struct reply *r)
{
    static uint8_t message[6000];
    const uint8_t *udp = question->data + 20;
    size_t size = load_u16(udp + 4) - 8u, end = 12;
    memcpy(message, udp + 8, size);
    while (message[end])
        end += message[end] + 1u;
    end += 5;
    message[2] = (uint8_t)(0x81 | (r->truncated ? 2 : 0));
    message[3] = 0x80 | r->code;
    store_u16(message + 10, 0); /* no OPT in the answer */
    struct craft c = {
        .source = address_from_bytes(ADDRESS_IPV4, question->data + 16),
        .destination = address_from_bytes(ADDRESS_IPV4, question->data + 12),
        .protocol = 17,
        .source_port = 53,
        .destination_port = load_u16(udp),
        .payload = bytes_of(message, write_records(message, end, r)),
    };
    return craft_packet(&c);
}

static struct packet resolver_answer(const struct packet *question,
                                     const char *address)
{
    return reply_packet(
        question, &(struct reply){.count = 1, .ttl = 60, .first = address});
}

/* How many questions are asked now; the first is own->packets[0]. */
static unsigned ask(struct world *w, struct packet_batch *own)
{
    packet_batch_reset(own);
    router_own_packets(w->router, w->now, own);
    return own->count;
}

static bool is_about_ipv6(const struct packet *question)
{
    size_t end = 20 + 8 + 12;
    while (question->data[end])
        end += question->data[end] + 1u;
    return load_u16(question->data + end + 1) == 28;
}

/* Answers all questions of a family that come now. */
static unsigned resolve(struct world *w, bool v6, const struct reply *r)
{
    struct packet_batch own;
    unsigned answered = 0;
    assert_true(packet_batch_init(&own, 16, 1024));
    while (ask(w, &own) > 0)
        for (size_t i = 0; i < own.count; i++) {
            if (is_about_ipv6(&own.packets[i]) != v6)
                continue;
            assert_int_equal(down(w, reply_packet(&own.packets[i], r)),
                             DROP_ANSWERED);
            assert_true(++answered < 100);
        }
    packet_batch_clear(&own);
    return answered;
}

static void seconds_pass(struct world *w, int seconds)
{
    w->now.us += seconds * 1000000LL;
    router_expire(w->router, w->now);
}

/* --- What is accepted ---------------------------------------------------- */

static void names_in_rules_are_resolved_through_the_tunnel(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    assert_true(packet_batch_init(&own, 16, 1024));
    assert_int_equal(ask(w, &own), 0);
    set_rule(w, "10.137.0.5", "drop", "action=accept dsthost=www.example.org");
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_true(router_deadline(w->router).us <= w->now.us);

    struct packet *question = &own.packets[0];
    assert_int_equal(ask(w, &own), 1);
    assert_true(craft_checksums_right(question->data, question->size));
    assert_memory_equal(question->data + 12, w->tunnel.ipv4.address.bytes, 4);
    assert_memory_equal(question->data + 16, w->tunnel.resolvers[0].bytes, 4);
    assert_true(router_deadline(w->router).us > w->now.us);
    struct packet late = resolver_answer(question, "198.51.100.9");
    struct packet forged = resolver_answer(question, "198.51.100.9");
    forged.data[28] ^= 1; /* another number; the checksum is then wrong too */
    store_u16(forged.data + 26, 0);
    assert_int_equal(down(w, forged), DROP_NO_FLOW);

    /* Silence: the second resolver is asked. */
    w->now.us += 2000000;
    assert_int_equal(ask(w, &own), 1);
    assert_memory_equal(question->data + 16, w->tunnel.resolvers[1].bytes, 4);
    assert_int_equal(down(w, late), DROP_NO_FLOW);
    struct packet answer = resolver_answer(question, "198.51.100.7");
    struct packet again = resolver_answer(question, "198.51.100.9");
    assert_int_equal(down(w, answer), DROP_ANSWERED);
    assert_int_equal(down(w, again), DROP_NO_FLOW);
    assert_int_equal(ask(w, &own), 0);

    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_RULE);
    /* Asked again after its time to live, and when the tunnel is back, if it
     * had failed. */
    w->now.us += 60000000;
    assert_int_equal(ask(w, &own), 1);
    router_tunnel_down(w->router, w->now);
    assert_int_equal(ask(w, &own), 0);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(ask(w, &own), 1);
    packet_batch_clear(&own);
    world_free(w);
}

static void a_name_nobody_answers_for_blocks_only_its_rule(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    struct address a = craft_address("10.137.0.5");
    assert_true(packet_batch_init(&own, 16, 1024));
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"), bytes_of_text("action=accept dsthost=a.b")},
        {bytes_of_text("0001"),
         bytes_of_text("action=accept dst4=198.51.100.7")},
    };
    router_set_rules(w->router, w->now, &a, entries, 3);
    unsigned questions = 0;
    for (int i = 0; i < 600; i++, w->now.us += 100000)
        questions += ask(w, &own);
    assert_true(questions >= 8 && questions <= 24);
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    /* The name goes while it is asked for; another takes its place. */
    w->now = router_deadline(w->router);
    while (ask(w, &own) == 0)
        w->now.us += 1000000;
    struct packet broken = resolver_answer(&own.packets[0], "203.0.113.6");
    broken.data[broken.size - 1]++; /* and the checksum with it */
    assert_int_equal(down(w, broken), DROP_NO_FLOW);
    struct packet answer = resolver_answer(&own.packets[0], "203.0.113.5");
    set_rule(w, "10.137.0.5", "drop", "");
    set_rule(w, "10.137.0.5", "drop", "action=accept dsthost=c.d");
    assert_int_equal(down(w, answer), DROP_ANSWERED);
    assert_int_equal(up_to(w, &c, "203.0.113.5"), DROP_RULE);
    packet_batch_clear(&own);
    world_free(w);
}

/* A name's flow goes on when the name gets another address; a new one to the
 * old address does not begin. */
static void what_a_name_has_accepted_goes_on(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"), bytes_of_text("action=accept dsthost=a.b")},
        {bytes_of_text("0001"), bytes_of_text("action=drop dsthost=c.d")},
    };
    struct address a = craft_address("10.137.0.5");
    router_set_rules(w->router, w->now, &a, entries, 3);
    const struct reply old = {.count = 1, .ttl = 60, .first = "198.51.100.7"};
    const struct reply other = {.count = 1, .ttl = 60, .first = "198.51.100.9"};
    assert_int_equal(resolve(w, false, &old), 2);
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    for (int i = 0; i < 12; i++) {
        seconds_pass(w, 60);
        assert_int_equal(resolve(w, false, &other), 2);
        assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    }
    c.source_port++;
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_NONE);
    world_free(w);
}

/* From the same port it is a new connection all the same. */
static void a_connection_that_begins_anew_is_judged_anew(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply old = {.count = 1, .ttl = 60, .first = "198.51.100.7"};
    const struct reply other = {.count = 1, .ttl = 60, .first = "198.51.100.9"};
    set_rule(w, "10.137.0.5", "drop", "action=accept dsthost=a.b");
    assert_int_equal(resolve(w, false, &old), 1);
    struct craft c = sample(false, 6);
    establish(w, &c);
    for (int i = 0; i < 12; i++) {
        seconds_pass(w, 60);
        assert_int_equal(resolve(w, false, &other), 1);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    }
    c.flags = TCP_SYN;
    c.acknowledgement = 0;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_NONE);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void a_short_time_to_live_is_kept(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    const struct reply old = {.count = 1, .ttl = 2, .first = "198.51.100.7"};
    const struct reply other = {.count = 1, .ttl = 0, .first = "198.51.100.9"};
    struct craft c = sample(false, 17);
    resolve(w, false, &old);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_NONE);
    seconds_pass(w, 4);
    assert_int_equal(resolve(w, false, &other), 0);
    seconds_pass(w, 1);
    assert_int_equal(resolve(w, false, &other), 1);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_RULE);
    world_free(w);
}

/* --- What is refused ----------------------------------------------------- */

static void known_names_refuse_their_addresses_alone(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=www.example.org");
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
    expect_error(w, 3, 13);
    assert_true(waits_because(w, "rule 0000 refuses more than it says, because "
                                 "the IPv4 address of www.example.org is not "
                                 "known: an answer is awaited"));
    const struct reply first = {.count = 1, .ttl = 60, .first = "198.51.100.7"};
    resolve(w, false, &first);
    assert_string_equal(w->first->wait_text, "");
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_NONE);
    assert_int_equal(up_to(w, &c, "10.8.0.1"), DROP_NONE);
    world_free(w);
}

/* Each of these once opened what the rule was to close. */
static void whatever_the_resolver_says_the_unknown_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct reply reply;
        const char *why;
    } cases[] = {
        {{.code = SERVER_FAILURE}, "answer with a failure"},
        {{.code = NO_NAME}, "no such name"},
        {{.code = NO_ERROR}, "no such address"},
        {{.alias = true}, "no such address"},
        {{.truncated = true}, "too long for a datagram"},
        {{.truncated = true, .count = 2, .first = "198.51.100.1"},
         "too long for a datagram"},
        {{.count = 129, .first = "203.0.113.1"}, "too many addresses"},
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *w = world_new(64);
        struct craft c = sample(false, 17), dns = sample(false, 17);
        dns.destination_port = 53;
        set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
        for (int second = 0; second < 200; second++, seconds_pass(w, 1)) {
            resolve(w, false, &cases[i].reply);
            c.source_port++;
            assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
        }
        assert_int_equal(up_to(w, &dns, "10.139.1.1"), DROP_NAME_UNKNOWN);
        assert_true(waits_because(w, cases[i].why));
        assert_int_equal(router_flow_count(w->router), 0);
        seconds_pass(w, 60);
        resolve(
            w, false,
            &(struct reply){.count = 1, .ttl = 60, .first = "198.51.100.8"});
        assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
        assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);
        world_free(w);
    }
    log_set_level(LOG_INFO);
}

static void without_an_answer_the_unknown_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    struct craft c = sample(false, 17);
    assert_true(packet_batch_init(&own, 16, 1024));
    log_set_level(LOG_ERROR);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    for (int i = 0; i < 100; i++, seconds_pass(w, 1)) {
        ask(w, &own);
        assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
    }
    assert_true(waits_because(w, "no resolver of the tunnel answers"));
    /* No resolver, or one that questions cannot be sent to. */
    for (int count = 0; count < 2; count++) {
        w->tunnel.resolver_count = (uint16_t)count;
        w->tunnel.resolvers[0] = craft_address("2620:fe::fe");
        router_tunnel_up(w->router, w->now, &w->tunnel);
        seconds_pass(w, 100);
        assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
        assert_true(waits_because(w, "the tunnel has no resolver"));
    }
    router_tunnel_down(w->router, w->now);
    assert_true(waits_because(w, "the VPN is not connected"));
    log_set_level(LOG_INFO);
    packet_batch_clear(&own);
    world_free(w);
}

static void its_other_conditions_limit_what_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    set_rule(w, "10.137.0.5", "accept",
             "action=drop dsthost=a.b proto=udp dstports=443-444");
    struct craft udp = sample(false, 17), tcp = sample(false, 6);
    assert_int_equal(up_to(w, &udp, "198.51.100.7"), DROP_NAME_UNKNOWN);
    assert_int_equal(up_to(w, &tcp, "198.51.100.7"), DROP_NONE);
    udp.destination_port = 445;
    assert_int_equal(up_to(w, &udp, "198.51.100.7"), DROP_NONE);
    world_free(w);
}

/* A rule that drops a host name at a moment when flows stand. */
static void flows_that_stand_wait_for_the_name(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft its = sample(false, 17), other = sample(false, 17);
    its.destination = craft_address("198.51.100.8");
    open_flow(w, &its);
    struct packet its_back = echoed(w), its_last = echoed(w);
    open_flow(w, &other);
    struct packet other_back = echoed(w), other_last = echoed(w);

    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    assert_int_equal(router_flow_count(w->router), 2);
    assert_int_equal(up(w, w->first, craft_packet(&its)), DROP_NAME_UNKNOWN);
    assert_int_equal(up(w, w->first, craft_packet(&other)), DROP_NAME_UNKNOWN);
    assert_int_equal(down(w, its_back), DROP_NAME_UNKNOWN);
    assert_int_equal(down(w, other_back), DROP_NAME_UNKNOWN);

    const struct reply r = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    resolve(w, false, &r);
    assert_int_equal(router_flow_count(w->router), 1);
    assert_int_equal(up(w, w->first, craft_packet(&its)), DROP_RULE);
    assert_int_equal(down(w, its_last), DROP_NO_FLOW);
    assert_int_equal(up(w, w->first, craft_packet(&other)), DROP_NONE);
    assert_int_equal(down(w, other_last), DROP_NONE);
    world_free(w);
}

static void flows_to_an_address_that_a_name_gets_end(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply old = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    const struct reply more = {.count = 2, .ttl = 60, .first = "198.51.100.6"};
    struct craft c = sample(false, 17);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    resolve(w, false, &old);
    open_flow(w, &c);
    struct packet back = echoed(w);
    seconds_pass(w, 60);
    resolve(w, false, &more);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(down(w, back), DROP_NO_FLOW);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);
    world_free(w);
}

static void a_name_that_is_not_renewed_expires(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    const struct reply r = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    struct craft c = sample(false, 17);
    assert_true(packet_batch_init(&own, 16, 1024));
    log_set_level(LOG_ERROR);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    resolve(w, false, &r);
    open_flow(w, &c);
    struct instant end = {w->now.us + (60 + RULE_NAMES_GRACE) * 1000000LL};
    for (int i = 0; i < 60 + RULE_NAMES_GRACE - 1; i++) {
        seconds_pass(w, 1);
        ask(w, &own);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
        assert_true(router_deadline(w->router).us <= end.us);
    }
    seconds_pass(w, 1);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NAME_UNKNOWN);
    assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);
    assert_true(waits_because(w, "no resolver of the tunnel answers"));
    log_set_level(LOG_INFO);
    packet_batch_clear(&own);
    world_free(w);
}

static void all_of_many_addresses_are_refused(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply r = {
        .count = 128, .ttl = 60, .alias = true, .first = "203.0.113.1"};
    struct craft c = sample(false, 17);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    resolve(w, false, &r);
    for (int i = 0; i < 131; i++) {
        char text[20];
        snprintf(text, sizeof text, "203.0.113.%d", i);
        assert_int_equal(up_to(w, &c, text),
                         i >= 1 && i <= 128 ? DROP_RULE : DROP_NONE);
    }
    world_free(w);
}

static void each_family_is_known_by_itself(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply v4 = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    const struct reply v6 = {.count = 1, .ttl = 60, .first = "2001:db8::8"};
    const struct reply none = {.code = NO_ERROR};
    struct craft c4 = sample(false, 17), c6 = sample(true, 17);
    log_set_level(LOG_ERROR);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    set_rule(w, "fd09:24ef:4179::a89:5", "accept", "action=drop dsthost=A.B");
    resolve(w, false, &v4);
    assert_int_equal(up_to(w, &c4, "198.51.100.9"), DROP_NONE);
    assert_int_equal(up_to(w, &c6, "2001:db8::9"), DROP_NAME_UNKNOWN);
    expect_error(w, 1, 1);
    assert_true(waits_because(w, "IPv6 address of a.b"));
    seconds_pass(w, 2);
    resolve(w, true, &none);
    assert_int_equal(up_to(w, &c6, "2001:db8::9"), DROP_NAME_UNKNOWN);
    assert_true(waits_because(w, "no such address"));
    seconds_pass(w, 10);
    resolve(w, true, &v6);
    assert_int_equal(up_to(w, &c6, "2001:db8::9"), DROP_NONE);
    assert_int_equal(up_to(w, &c6, "2001:db8::8"), DROP_RULE);
    assert_string_equal(w->first->wait_text, "");
    log_set_level(LOG_INFO);
    world_free(w);
}

static void a_name_of_several_rules_is_known_to_all(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply r = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    struct craft first = sample(false, 17), second = sample(false, 17);
    second.source = craft_address("10.137.0.6");
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    assert_int_equal(resolve(w, false, &r), 1);
    set_rule(w, "10.137.0.6", "accept", "action=drop dsthost=A.b proto=udp");
    assert_int_equal(resolve(w, false, &r), 0);
    set_rule(w, "10.137.0.5", "accept", "");
    assert_int_equal(up(w, w->first, craft_packet(&first)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&second)), DROP_NONE);
    second.destination = craft_address("198.51.100.8");
    assert_int_equal(up(w, w->second, craft_packet(&second)), DROP_RULE);
    /* Nobody has it any more: what was known is forgotten with it. */
    set_rule(w, "10.137.0.6", "accept", "");
    set_rule(w, "10.137.0.6", "accept", "action=drop dsthost=a.b");
    assert_int_equal(up(w, w->second, craft_packet(&second)),
                     DROP_NAME_UNKNOWN);
    world_free(w);
}

/* --- Tunnels and qubes --------------------------------------------------- */

static void a_name_may_change_while_the_tunnel_is_down(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    const struct reply old = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    const struct reply other = {.count = 1, .ttl = 60, .first = "198.51.100.7"};
    struct craft its = sample(false, 17), free_one = sample(false, 6);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    resolve(w, false, &old);
    establish(w, &free_one);
    free_one.destination = craft_address("198.51.100.9");
    establish(w, &free_one);
    open_flow(w, &its);
    assert_int_equal(router_flow_count(w->router), 3);
    router_tunnel_down(w->router, w->now);
    seconds_pass(w, 95);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up(w, w->first, craft_packet(&free_one)),
                     DROP_NAME_UNKNOWN);
    assert_int_equal(resolve(w, false, &other), 1);
    assert_int_equal(router_flow_count(w->router), 1);
    assert_int_equal(up(w, w->first, craft_packet(&free_one)), DROP_NONE);
    assert_int_equal(up_to(w, &its, "198.51.100.7"), DROP_RULE);
    world_free(w);
}

static void another_tunnel_is_asked_anew(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    const struct reply r = {.count = 1, .ttl = 600, .first = "198.51.100.8"};
    const struct reply there = {.count = 1, .ttl = 60, .first = "203.0.113.8"};
    struct craft c = sample(false, 17);
    assert_true(packet_batch_init(&own, 16, 1024));
    log_set_level(LOG_ERROR);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    resolve(w, false, &r);
    /* The same again is no other tunnel. */
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(ask(w, &own), 0);
    w->tunnel.resolvers[0] = craft_address("10.8.0.3");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up_to(w, &c, "203.0.113.8"), DROP_NAME_UNKNOWN);
    assert_int_equal(resolve(w, false, &there), 1);
    assert_int_equal(up_to(w, &c, "203.0.113.8"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    w->tunnel.ipv4.address = craft_address("10.8.0.9");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
    assert_int_equal(resolve(w, false, &there), 1);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    /* Without a resolver nothing can be known of a name. */
    w->tunnel.resolver_count = 0;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    c.source_port++;
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NAME_UNKNOWN);
    assert_true(waits_because(w, "the tunnel has no resolver"));
    log_set_level(LOG_INFO);
    packet_batch_clear(&own);
    world_free(w);
}

/* A flow to a resolver, as one, ends when the tunnel has others. */
static void flows_to_a_former_resolver_are_judged_again(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft dns = sample(false, 17);
    dns.destination_port = 53;
    set_rule(w, "10.137.0.5", "drop", "action=accept specialtarget=dns");
    assert_int_equal(up_to(w, &dns, "9.9.9.9"), DROP_NONE);
    w->tunnel.resolver_count = 1;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up_to(w, &dns, "9.9.9.9"), DROP_RULE);
    world_free(w);
}

static void qubes_may_go_while_their_name_is_asked_for(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    const struct reply r = {.count = 1, .ttl = 60, .first = "198.51.100.8"};
    struct craft c = sample(false, 17);
    struct address a = craft_address("10.137.0.5");
    assert_true(packet_batch_init(&own, 16, 1024));
    open_flow(w, &c);
    set_rule(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    assert_int_equal(ask(w, &own), 1);
    router_remove_qube(w->router, w->first);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(down(w, reply_packet(&own.packets[0], &r)), DROP_ANSWERED);
    w->first = router_add_qube(w->router, w->now, "again", &a, NULL);
    assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    packet_batch_clear(&own);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_rules_are_resolved_through_the_tunnel),
        cmocka_unit_test(a_name_nobody_answers_for_blocks_only_its_rule),
        cmocka_unit_test(what_a_name_has_accepted_goes_on),
        cmocka_unit_test(a_connection_that_begins_anew_is_judged_anew),
        cmocka_unit_test(a_short_time_to_live_is_kept),
        cmocka_unit_test(known_names_refuse_their_addresses_alone),
        cmocka_unit_test(whatever_the_resolver_says_the_unknown_is_refused),
        cmocka_unit_test(without_an_answer_the_unknown_is_refused),
        cmocka_unit_test(its_other_conditions_limit_what_is_refused),
        cmocka_unit_test(flows_that_stand_wait_for_the_name),
        cmocka_unit_test(flows_to_an_address_that_a_name_gets_end),
        cmocka_unit_test(a_name_that_is_not_renewed_expires),
        cmocka_unit_test(all_of_many_addresses_are_refused),
        cmocka_unit_test(each_family_is_known_by_itself),
        cmocka_unit_test(a_name_of_several_rules_is_known_to_all),
        cmocka_unit_test(a_name_may_change_while_the_tunnel_is_down),
        cmocka_unit_test(another_tunnel_is_asked_anew),
        cmocka_unit_test(flows_to_a_former_resolver_are_judged_again),
        cmocka_unit_test(qubes_may_go_while_their_name_is_asked_for),
    };
    return cmocka_run_group_tests_name("router_names", tests, NULL, NULL);
}
