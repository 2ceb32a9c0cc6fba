#include "tests/vpn/toy_protocol.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"

enum {
    SERVERS_MAX = 4,
    ACTIONS_MAX = 64,
    DATAGRAM_MAX = TOY_HEAD + TOY_MTU + TOY_BLOCK + TOY_TAG_SIZE,
};

struct toy_profile {
    struct protocol_profile shown; /* first */
    struct protocol_server servers[SERVERS_MAX];
    char hosts[SERVERS_MAX][PROTOCOL_HOST_SIZE];
    char username[PROTOCOL_USERNAME_SIZE];
    bool login;
};

struct peer {
    struct endpoint at;   /* family NONE: not known yet */
    unsigned packets;     /* that the key is still good for; 0: no key */
    unsigned hellos;      /* since the last answer */
    struct instant hello; /* when the next is due; NEVER: none is wanted */
};

struct held {
    uint8_t endpoint;
    uint16_t size;
    uint8_t bytes[DATAGRAM_MAX];
};

struct toy {
    struct protocol protocol; /* first */
    const struct toy_profile *profile;
    struct peer peers[SERVERS_MAX];
    struct held held[TOY_HELD_MAX];
    size_t held_count;
    struct protocol_action queue[ACTIONS_MAX];
    struct held sent[ACTIONS_MAX]; /* their bytes */
    size_t first, last;            /* of the queue */
    enum vpn_state state;
    struct instant since, now;
    struct tunnel tunnel;
    bool connected, up;
    char user[PROTOCOL_USERNAME_SIZE];
    uint64_t sealed, opened, handshakes, reconnects, rounds;
    struct drop_counters drops;
};

static struct toy *toy_of(struct protocol *p)
{
    return (struct toy *)p;
}

static const struct toy *toy_in(const struct protocol *p)
{
    return (const struct toy *)p;
}

/* --- Profiles ------------------------------------------------------------ */

static bool recognises(struct bytes text)
{
    return text_starts_with(text, "toy");
}

static void show(struct toy_profile *p)
{
    for (size_t i = 0; i < p->shown.server_count; i++)
        p->servers[i].host = p->hosts[i];
    p->shown.servers = p->servers;
    p->shown.username = p->username[0] ? p->username : NULL;
}

static bool take_line(struct toy_profile *p, struct bytes line)
{
    struct bytes word, host, port;
    uint32_t number;
    size_t i = p->shown.server_count;
    if (!text_cut(&line, ' ', &word) || word.size == 0 ||
        text_equal(word, "toy"))
        return true;
    if (text_equal(word, "login")) {
        p->login = true;
        return true;
    }
    if (!text_equal(word, "server") || i == SERVERS_MAX ||
        !text_cut(&line, ' ', &host) || !text_cut(&line, ' ', &port) ||
        !text_copy(p->hosts[i], sizeof p->hosts[i], host) ||
        !text_to_u32(port, UINT16_MAX, &number))
        return false;
    p->servers[i] = (struct protocol_server){
        .port = (uint16_t)number, .transport = PROTOCOL_UDP, .moves = true};
    p->shown.server_count++;
    return true;
}

static struct protocol_profile *
read_profile(struct bytes text, const char *path,
             const struct protocol_reader *reader, bool *usable)
{
    struct toy_profile *p = calloc(1, sizeof *p);
    struct bytes line;
    assert(p);
    (void)path;
    p->shown.kind = &toy_protocol;
    *usable = true;
    for (unsigned number = 1; text_cut(&text, '\n', &line); number++) {
        if (take_line(p, text_trim(line)))
            continue;
        reader->report(reader->context, PROTOCOL_ERROR, number,
                       "a toy has no such part");
        *usable = false;
    }
    show(p);
    return &p->shown;
}

static bool verify(const struct protocol_profile *profile, int64_t unix_time,
                   const struct protocol_env *env,
                   const struct protocol_reader *reader)
{
    (void)profile, (void)unix_time, (void)env, (void)reader;
    return true;
}

static void describe(const struct protocol_profile *profile,
                     void (*line)(void *context, const char *topic,
                                  const char *text),
                     void *context)
{
    line(context, "toy", profile->server_count > 1 ? "several" : "one");
}

static bool overlay(struct protocol_profile *profile,
                    const struct protocol_overlay *o, const char **why)
{
    struct toy_profile *p = (struct toy_profile *)profile;
    *why = "a toy goes through no proxy";
    if (o->proxy != PROTOCOL_PROXY_NONE)
        return false;
    for (size_t i = 0; i < o->server_count && i < SERVERS_MAX; i++) {
        strcpy(p->hosts[i], o->servers[i].host);
        p->servers[i] = p->servers[0];
        if (o->servers[i].port)
            p->servers[i].port = o->servers[i].port;
        p->shown.server_count = i + 1;
    }
    strcpy(p->username, o->username);
    show(p);
    return true;
}

static void forget(struct protocol_profile *profile)
{
    free(profile);
}

/* --- Actions ------------------------------------------------------------- */

static struct protocol_action *say(struct toy *t,
                                   enum protocol_action_type type)
{
    assert(t->last < ACTIONS_MAX);
    struct protocol_action *a = &t->queue[t->last++];
    *a = (struct protocol_action){.type = type, .text = "it is a toy"};
    return a;
}

static void send_bytes(struct toy *t, unsigned endpoint, const void *bytes,
                       size_t size)
{
    struct held *copy = &t->sent[t->last];
    struct protocol_action *a = say(t, PROTOCOL_ACTION_SEND);
    memcpy(copy->bytes, bytes, size);
    a->endpoint = (uint8_t)endpoint;
    a->bytes = bytes_of(copy->bytes, size);
}

static void become(struct toy *t, enum vpn_state state)
{
    if (t->state != state)
        t->since = t->now;
    t->state = state;
}

static void say_hello(struct toy *t, unsigned i)
{
    struct peer *p = &t->peers[i];
    send_bytes(t, i, "H" TOY_TAG, 1 + TOY_TAG_SIZE);
    p->hello = instant_after(t->now, duration_seconds(1));
    t->reconnects += p->hellos > 0;
    if (p->hellos++ == TOY_ROUND) {
        p->hellos = 1;
        t->rounds++;
        become(t, VPN_STATE_CONNECTING);
    }
}

static void aim(struct toy *t, unsigned i, const struct endpoint *to)
{
    struct protocol_action *a = say(t, PROTOCOL_ACTION_AIM);
    t->peers[i].at = *to;
    a->endpoint = (uint8_t)i;
    a->to = *to;
}

/* --- Inputs -------------------------------------------------------------- */

static void find(struct toy *t)
{
    become(t, VPN_STATE_CONNECTING);
    for (unsigned i = 0; i < t->profile->shown.server_count; i++) {
        struct protocol_action *a = say(t, PROTOCOL_ACTION_RESOLVE);
        a->endpoint = (uint8_t)i;
        a->server = &t->profile->servers[i];
    }
}

static void start(struct protocol *p, struct instant now)
{
    struct toy *t = toy_of(p);
    t->now = now;
    if (!t->profile->login || t->user[0]) {
        find(t);
        return;
    }
    become(t, VPN_STATE_WAITING_FOR_LOGIN);
    say(t, PROTOCOL_ACTION_ASK)->text = "Who plays?";
}

static void resolved(struct protocol *p, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why)
{
    struct toy *t = toy_of(p);
    (void)why;
    t->now = now;
    if (count == 0)
        return;
    struct endpoint to = {addresses[0], t->profile->servers[endpoint].port};
    if (t->connected) {
        aim(t, endpoint, &to);
        return;
    }
    t->peers[endpoint].at = to;
    t->connected = true;
    struct protocol_action *a = say(t, PROTOCOL_ACTION_CONNECT);
    a->endpoint = (uint8_t)endpoint;
    a->server = &t->profile->servers[endpoint];
    a->to = to;
}

static void connected(struct protocol *p, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu)
{
    struct toy *t = toy_of(p);
    (void)outer_overhead, (void)outer_mtu;
    t->now = now;
    t->up = true;
    say(t, PROTOCOL_ACTION_UP)->tunnel = &t->tunnel;
}

static void path_changed(struct protocol *p, struct instant now,
                         uint16_t outer_overhead, uint16_t outer_mtu)
{
    (void)p, (void)now, (void)outer_overhead, (void)outer_mtu;
}

static void failed(struct protocol *p, struct instant now, const char *why)
{
    struct toy *t = toy_of(p);
    (void)why;
    t->now = now;
    t->connected = t->up = false;
    say(t, PROTOCOL_ACTION_DOWN);
    become(t, VPN_STATE_WAITING_TO_RETRY);
}

static void greet_all(struct toy *t)
{
    for (unsigned i = 0; i < t->profile->shown.server_count; i++)
        say_hello(t, i);
}

static void refused(struct protocol *p, struct instant now,
                    enum protocol_refusal what)
{
    (void)p, (void)now, (void)what;
}

static void expire(struct protocol *p, struct instant now)
{
    struct toy *t = toy_of(p);
    t->now = now;
    for (unsigned i = 0; i < t->profile->shown.server_count; i++)
        if (t->up && instant_reached(now, t->peers[i].hello))
            say_hello(t, i);
}

static void reconnect(struct protocol *p, struct instant now)
{
    struct toy *t = toy_of(p);
    t->now = now;
    say(t, PROTOCOL_ACTION_DOWN);
    say(t, PROTOCOL_ACTION_DISCONNECT);
    t->connected = t->up = false;
    t->reconnects++;
    find(t);
}

static void way_changed(struct protocol *p, struct instant now)
{
    struct toy *t = toy_of(p);
    t->now = now;
    greet_all(t);
}

static void end_pause(struct protocol *p, struct instant now)
{
    start(p, now);
}

static void credentials(struct protocol *p, struct instant now,
                        const char *username, const char *password,
                        const char *response)
{
    struct toy *t = toy_of(p);
    (void)password, (void)response;
    snprintf(t->user, sizeof t->user, "%s", username ? username : "");
    start(p, now);
}

static void stop(struct protocol *p, struct instant now)
{
    struct toy *t = toy_of(p);
    t->now = now;
    for (unsigned i = 0; t->up && i < t->profile->shown.server_count; i++)
        send_bytes(t, i, "B" TOY_TAG, 1 + TOY_TAG_SIZE);
    say(t, PROTOCOL_ACTION_DISCONNECT);
    say(t, PROTOCOL_ACTION_STOPPED);
    t->up = false;
    become(t, VPN_STATE_STOPPED);
}

/* --- Outputs ------------------------------------------------------------- */

static bool poll_action(struct protocol *p, struct protocol_action *out)
{
    struct toy *t = toy_of(p);
    if (t->first == t->last) {
        t->first = t->last = 0;
        return false;
    }
    *out = t->queue[t->first++];
    return true;
}

static struct instant deadline(const struct protocol *p)
{
    const struct toy *t = toy_in(p);
    struct instant next = INSTANT_NEVER;
    if (t->first != t->last)
        return (struct instant){0};
    for (unsigned i = 0; t->up && i < t->profile->shown.server_count; i++)
        next = instant_earlier(next, t->peers[i].hello);
    return next;
}

/* --- Packets ------------------------------------------------------------- */

static struct burst_layout layout(const struct protocol *p)
{
    return toy_in(p)->up ? (struct burst_layout){.head = TOY_HEAD,
                                                 .block = TOY_BLOCK,
                                                 .tail = TOY_TAG_SIZE,
                                                 .limit = TOY_MTU}
                         : (struct burst_layout){0};
}

static void seal_one(struct datagram *d)
{
    uint32_t end = TOY_HEAD + d->inner_size;
    d->data[0] = 'D';
    memset(d->data + end, 0, d->size - end - TOY_TAG_SIZE);
    memcpy(d->data + d->size - TOY_TAG_SIZE, TOY_TAG, TOY_TAG_SIZE);
}

static void hold(struct toy *t, struct datagram *d)
{
    struct peer *p = &t->peers[d->endpoint];
    d->drop =
        t->held_count < TOY_HELD_MAX ? DROP_SEAL_HELD : DROP_SEAL_HELD_FULL;
    drop_count(&t->drops, d->drop);
    if (d->drop == DROP_SEAL_HELD) {
        struct held *h = &t->held[t->held_count++];
        *h = (struct held){.endpoint = d->endpoint, .size = d->size};
        memcpy(h->bytes, d->data, d->size);
    }
    if (p->hellos == 0)
        say_hello(t, d->endpoint);
}

static bool seal(struct protocol *p, struct instant now, struct burst *burst)
{
    struct toy *t = toy_of(p);
    t->now = now;
    if (!t->up)
        return false;
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        size_t count = t->profile->shown.server_count;
        d->endpoint = (uint8_t)(d->data[TOY_HEAD + 19] % count);
        struct peer *to = &t->peers[d->endpoint];
        seal_one(d);
        if (to->packets == 0) {
            hold(t, d);
            continue;
        }
        to->packets--;
        t->sealed++;
    }
    return true;
}

static void answered(struct toy *t, unsigned i)
{
    struct peer *p = &t->peers[i];
    size_t kept = 0;
    p->packets = TOY_KEY_PACKETS;
    p->hellos = 0;
    p->hello = INSTANT_NEVER;
    t->handshakes++;
    t->rounds = 0;
    become(t, VPN_STATE_CONNECTED);
    for (size_t k = 0; k < t->held_count; k++) {
        if (t->held[k].endpoint != i) {
            t->held[kept++] = t->held[k];
            continue;
        }
        send_bytes(t, i, t->held[k].bytes, t->held[k].size);
        p->packets--;
        t->sealed++;
    }
    t->held_count = kept;
}

/* The second byte of what a server sends is its number. */
static void open_one(struct toy *t, const struct endpoint *source,
                     struct datagram *d)
{
    size_t least = 2 + TOY_TAG_SIZE;
    bool good =
        d->size >= least && d->data[1] < SERVERS_MAX &&
        !memcmp(d->data + d->size - TOY_TAG_SIZE, TOY_TAG, TOY_TAG_SIZE);
    if (!good) {
        d->drop = DROP_DATA_AUTH;
        drop_count(&t->drops, DROP_DATA_AUTH);
        return;
    }
    unsigned i = d->data[1];
    d->proven = true;
    if (!endpoint_equal(&t->peers[i].at, source))
        aim(t, i, source);
    if (d->data[0] == 'A')
        answered(t, i);
    if (d->data[0] != 'D')
        return;
    d->inner_offset = 2;
    d->inner_size = (uint16_t)(d->size - least);
    t->opened++;
}

static void open_burst(struct protocol *p, struct instant now,
                       struct burst *burst)
{
    struct toy *t = toy_of(p);
    t->now = now;
    for (size_t i = 0; i < burst->count; i++)
        open_one(t, &burst->source, &burst->datagrams[i]);
}

/* --- Status -------------------------------------------------------------- */

static void status(const struct protocol *p, struct protocol_status *out)
{
    const struct toy *t = toy_in(p);
    *out = (struct protocol_status){
        .state = t->state,
        .since = t->since,
        .next_try = INSTANT_NEVER,
        .wanted_try = INSTANT_NEVER,
        .asked_try = INSTANT_NEVER,
        .server = t->profile->servers[0],
        .last_error = t->state == VPN_STATE_CONNECTED ? NULL : "it is a toy",
        .wants_username = t->state == VPN_STATE_WAITING_FOR_LOGIN,
        .tunnel = t->up ? &t->tunnel : NULL,
        .packets_sealed = t->sealed,
        .packets_opened = t->opened,
        .handshakes = t->handshakes,
        .reconnects = t->reconnects,
        .rounds = t->rounds,
        .drops = &t->drops,
        .fact_count = 1,
        .facts = {{"toy_key", t->peers[0].packets ? "wound up" : "lost"}},
    };
}

static bool waiting(const struct protocol *p, struct instant now,
                    char out[PROTOCOL_WAITING_SIZE])
{
    (void)p, (void)now;
    snprintf(out, PROTOCOL_WAITING_SIZE, "nobody plays");
    return false;
}

/* --- Making and freeing -------------------------------------------------- */

static struct protocol *make(struct protocol_profile *profile,
                             const struct protocol_env *env,
                             char why[PROTOCOL_WHY_SIZE])
{
    struct toy *t = calloc(1, sizeof *t);
    assert(t);
    if (profile->server_count == 0) {
        snprintf(why, PROTOCOL_WHY_SIZE, "a toy wants a server");
        free(t);
        forget(profile);
        return NULL;
    }
    *env->latest_stamp = env->wall_clock(env->context);
    t->protocol = (struct protocol){&toy_protocol, profile};
    t->profile = (struct toy_profile *)profile;
    for (size_t i = 0; i < SERVERS_MAX; i++)
        t->peers[i].hello = INSTANT_NEVER;
    t->tunnel = (struct tunnel){
        .ipv4 = {address_ipv4(0x0a080002), 32},
        .mtu = TOY_MTU,
        .mss_mtu = TOY_MTU,
        .redirect_ipv4 = true,
    };
    return &t->protocol;
}

static void free_toy(struct protocol *p)
{
    if (p)
        forget(p->profile);
    free(p);
}

const struct protocol_kind toy_protocol = {
    .name = "Toy",
    .takes_all = "a larger toy",
    .recognises = recognises,
    .read = read_profile,
    .verify = verify,
    .describe = describe,
    .overlay = overlay,
    .forget = forget,
    .make = make,
    .free = free_toy,
    .start = start,
    .resolved = resolved,
    .connected = connected,
    .path_changed = path_changed,
    .failed = failed,
    .refused = refused,
    .expire = expire,
    .reconnect = reconnect,
    .way_changed = way_changed,
    .end_pause = end_pause,
    .credentials = credentials,
    .stop = stop,
    .poll = poll_action,
    .deadline = deadline,
    .layout = layout,
    .seal = seal,
    .open = open_burst,
    .status = status,
    .waiting = waiting,
};
