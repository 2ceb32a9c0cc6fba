#include "gateway/openvpn/config/remote_list.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PATIENT_ROUNDS = 4, /* before pauses grow */
    SHIFT_MOST = 15,    /* connect-retry is less than 2^17 s */
    PAUSE_MOST = 30,    /* s; where the profile does not say another */
    REFUSED_MOST = 300, /* s; the same after an authentication failure, which
                           takes more than patience to mend */
    NOINTERACT_PAUSE = 10,
    BACKOFF_MOST = 86400, /* s; a server may not put us to sleep for longer */
    LABEL_BYTES = 6,
};

static uint32_t random_below(const struct remote_list *l, uint32_t limit)
{
    /* Numbers from the incomplete last stretch would favour low results. */
    uint32_t value, most = UINT32_MAX - UINT32_MAX % limit;
    do {
        uint8_t bytes[4];
        l->random(l->context, bytes, sizeof bytes);
        value = load_u32(bytes);
    } while (value >= most);
    return value % limit;
}

/* Fisher and Yates. */
static void shuffle(struct remote_list *l)
{
    for (size_t i = l->config->remote_count - 1; i > 0; i--) {
        size_t other = random_below(l, (uint32_t)i + 1);
        uint16_t kept = l->order[i];
        l->order[i] = l->order[other];
        l->order[other] = kept;
    }
}

/* "0123456789ab.vpn.example.org": no cache has an answer for it. */
static void add_random_label(struct remote_list *l)
{
    char *host = l->shown.host;
    struct address literal;
    size_t size = strlen(host);
    if (address_parse(bytes_of_text(host), &literal) ||
        size + 2 * LABEL_BYTES + 1 >= sizeof l->shown.host)
        return;
    uint8_t bytes[LABEL_BYTES];
    l->random(l->context, bytes, sizeof bytes);
    char label[2 * LABEL_BYTES + 2];
    for (size_t i = 0; i < LABEL_BYTES; i++)
        snprintf(label + 2 * i, 3, "%02x", bytes[i]);
    label[2 * LABEL_BYTES] = '.';
    memmove(host + 2 * LABEL_BYTES + 1, host, size + 1);
    memcpy(host, label, 2 * LABEL_BYTES + 1);
}

static void show(struct remote_list *l)
{
    l->shown = l->config->remotes[l->order[l->position]];
    if (l->config->remote_random_hostname)
        add_random_label(l);
}

bool remote_list_init(struct remote_list *l, const struct config *config,
                      remote_list_random *random, void *context)
{
    *l = (struct remote_list){
        .config = config, .random = random, .context = context};
    l->order = calloc(config->remote_count, sizeof *l->order);
    if (!l->order)
        return false;
    for (size_t i = 0; i < config->remote_count; i++)
        l->order[i] = (uint16_t)i;
    if (config->remote_random)
        shuffle(l);
    show(l);
    return true;
}

void remote_list_clear(struct remote_list *l)
{
    free(l->order);
    *l = (struct remote_list){0};
}

const struct config_remote *remote_list_current(const struct remote_list *l)
{
    return &l->shown;
}

void remote_list_resolved(struct remote_list *l,
                          const struct address *addresses, size_t count)
{
    l->address_count = l->address = 0;
    for (size_t i = 0; i < count; i++) {
        if (l->address_count == REMOTE_LIST_ADDRESSES_MAX)
            break;
        if (l->shown.family != ADDRESS_NONE &&
            addresses[i].family != l->shown.family)
            continue;
        if (address_equal(&addresses[i], &l->last))
            l->address = l->address_count;
        l->addresses[l->address_count++] = addresses[i];
    }
}

bool remote_list_address(const struct remote_list *l, struct address *out)
{
    if (l->address >= l->address_count)
        return false;
    *out = l->addresses[l->address];
    return true;
}

void remote_list_succeeded(struct remote_list *l)
{
    l->stay = true;
    l->failures = 0;
}

static void next_remote(struct remote_list *l)
{
    l->address_count = l->address = 0;
    l->last = (struct address){0};
    l->position = (l->position + 1) % l->config->remote_count;
}

void remote_list_stay(struct remote_list *l)
{
    l->last = (struct address){0};
    (void)!remote_list_address(l, &l->last);
    l->address_count = l->address = 0;
}

/* True if the remote had another. It is not asked for again, because
 * resolvers turn their answers round: that could go on for ever. */
static bool next_address(struct remote_list *l)
{
    if (l->address + 1 < l->address_count) {
        l->address++;
        return true;
    }
    next_remote(l);
    return false;
}

/* True if it only went on to another address of the same remote. */
static bool step(struct remote_list *l, enum remote_list_end end,
                 enum remote_list_advance advance)
{
    /* A remote that refuses us is not made to like us by asking another. */
    bool stays = l->stay || end == REMOTE_LIST_AUTH_FAILED;
    l->stay = false;
    if (advance == REMOTE_LIST_BY_RULE)
        advance = stays ? REMOTE_LIST_STAY : REMOTE_LIST_NEXT_ADDRESS;
    if (advance == REMOTE_LIST_NEXT_ADDRESS)
        return next_address(l);
    if (advance == REMOTE_LIST_NEXT_REMOTE)
        next_remote(l);
    else
        remote_list_stay(l);
    return false;
}

static uint64_t longest_pause(const struct config *c, enum remote_list_end end)
{
    uint64_t most = end == REMOTE_LIST_AUTH_FAILED ? REFUSED_MOST : PAUSE_MOST;
    if (c->connect_retry_max)
        most = c->connect_retry_max;
    return most < c->connect_retry ? c->connect_retry : most;
}

static uint64_t pause_seconds(const struct remote_list *l,
                              enum remote_list_end end)
{
    if (end == REMOTE_LIST_TIMED_OUT)
        return 0;
    const struct config *c = l->config;
    uint64_t seconds = c->connect_retry, most = longest_pause(c, end);
    if (c->auth_retry == CONFIG_RETRY_NOINTERACT)
        seconds = NOINTERACT_PAUSE;
    uint64_t rounds = l->failures / c->remote_count;
    if (rounds > PATIENT_ROUNDS) {
        uint64_t shift = rounds - PATIENT_ROUNDS;
        seconds = (seconds ? seconds : 1)
                  << (shift < SHIFT_MOST ? shift : SHIFT_MOST);
    }
    return seconds < most ? seconds : most;
}

static struct remote_list_plan plan(const struct remote_list *l,
                                    struct instant now,
                                    enum remote_list_end end,
                                    const struct remote_list_advice *advice)
{
    uint64_t seconds = pause_seconds(l, end);
    uint64_t least = l->config->connect_retry;
    uint64_t backoff = advice ? advice->backoff : 0;
    if (backoff > BACKOFF_MOST)
        backoff = BACKOFF_MOST;
    if (backoff > seconds)
        seconds = backoff;
    if (backoff > least)
        least = backoff;
    bool keep = end == REMOTE_LIST_AUTH_FAILED || (advice && advice->keep);
    return (struct remote_list_plan){
        .next = instant_after(now, duration_seconds((int64_t)seconds)),
        .wanted = keep ? INSTANT_NEVER
                       : instant_after(now, duration_seconds((int64_t)least)),
        .asked = instant_after(now, duration_seconds((int64_t)backoff)),
    };
}

struct remote_list_plan
remote_list_next(struct remote_list *l, struct instant now,
                 enum remote_list_end end,
                 const struct remote_list_advice *advice)
{
    const struct config *c = l->config;
    bool same_remote =
        step(l, end, advice ? advice->advance : REMOTE_LIST_BY_RULE);
    /* A tunnel that stood was no failure, and a remote has not failed before
     * all of its addresses have. */
    l->failures += !same_remote && end != REMOTE_LIST_LOST;
    if (c->connect_cycles_max &&
        l->failures >= (uint64_t)c->connect_cycles_max * c->remote_count)
        return (struct remote_list_plan){INSTANT_NEVER, INSTANT_NEVER,
                                         INSTANT_NEVER};
    show(l);
    return plan(l, now, end, advice);
}
