#define CARES_NO_DEPRECATED /* newer names are not in Debian 12's c-ares */
/*
 * c-ares may not be destroyed from inside its own callbacks, and the answer's
 * receiver may ask again at once. So a callback of c-ares only stores what it
 * has got; the channel is taken down and the answer given from a timer.
 */
#include "gateway/uplink/resolver.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"

#include <ares.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    SOCKETS_MAX = 16,
    HOST_SIZE = 256, /* a name has 253 characters at most (RFC 1035) */
    SERVERS_SIZE = 256,
    ASKED_SIZE = 128,
    REASON_SIZE = 256,
    TRY_MILLISECONDS = 5000,
    TRIES = 3,
    PATIENCE = 15,            /* s; the tries of one server */
    PATIENCE_WITH_ANSWER = 5, /* s; one try, when there is an older answer */
};

struct addresses {
    size_t count;
    struct address all[RESOLVER_ADDRESSES_MAX];
};

struct question {
    char host[HOST_SIZE];
    enum address_family family;
};

/* A socket of c-ares that waits for something. */
struct query_socket {
    struct resolver *resolver; /* NULL: this place is free */
    struct loop_watch watch;
};

struct resolver {
    struct loop *loop;
    struct loop_timer retry; /* c-ares wants to be called */
    struct loop_timer end;   /* the answer is there, or too late */
    ares_channel channel;    /* NULL: no question is open */
    struct query_socket sockets[SOCKETS_MAX];
    struct question question;
    resolver_answer *answer;
    void *context;
    struct addresses found;
    const char *why; /* nothing was found; static text */
    struct instant since;
    char asked[ASKED_SIZE]; /* the resolvers' addresses, or "" */
    char reason[REASON_SIZE];
    struct question known_question;
    struct addresses known;
    char servers[SERVERS_SIZE]; /* "": the system's */
    struct duration patience;
};

/* --- The sockets of c-ares ----------------------------------------------- */

static void schedule(struct resolver *r)
{
    struct timeval left;
    if (!r->channel || !ares_timeout(r->channel, NULL, &left)) {
        loop_timer_set(&r->retry, INSTANT_NEVER);
        return;
    }
    struct duration wait = {(int64_t)left.tv_sec * 1000000 + left.tv_usec};
    loop_timer_set(&r->retry, instant_after(loop_now(r->loop), wait));
}

static void socket_ready(void *context, struct instant now, unsigned events)
{
    struct query_socket *s = context;
    struct resolver *r = s->resolver;
    ares_socket_t fd = s->watch.fd;
    (void)now;
    ares_process_fd(r->channel,
                    events & (LOOP_READ | LOOP_ERROR) ? fd : ARES_SOCKET_BAD,
                    events & (LOOP_WRITE | LOOP_ERROR) ? fd : ARES_SOCKET_BAD);
    schedule(r);
}

static void retry_due(void *context, struct instant now)
{
    struct resolver *r = context;
    (void)now;
    if (!r->channel)
        return;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    schedule(r);
}

static struct query_socket *find_socket(struct resolver *r, int fd)
{
    struct query_socket *free_place = NULL;
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct query_socket *s = &r->sockets[i];
        if (s->resolver && s->watch.fd == fd)
            return s;
        if (!s->resolver && !free_place)
            free_place = s;
    }
    return free_place;
}

/* c-ares says what it waits for at a socket; nothing: it is about to close
 * it. */
static void socket_changed(void *context, ares_socket_t fd, int readable,
                           int writable)
{
    struct resolver *r = context;
    struct query_socket *s = find_socket(r, fd);
    unsigned events =
        (readable ? LOOP_READ : 0U) | (writable ? LOOP_WRITE : 0U);
    if (!s)
        return; /* More than we watch: that query will time out. */
    if (!s->resolver && events) {
        s->watch = (struct loop_watch){fd, socket_ready, s};
        if (loop_add(r->loop, &s->watch, events) == OK)
            s->resolver = r;
    } else if (s->resolver && events) {
        loop_change(r->loop, &s->watch, events);
    } else if (s->resolver) {
        loop_remove(r->loop, &s->watch);
        s->resolver = NULL;
    }
}

/* --- Question and answer ------------------------------------------------- */

static void take_down(struct resolver *r)
{
    ares_channel channel = r->channel;
    r->channel = NULL; /* what c-ares says from now on is not heard */
    if (channel)
        ares_destroy(channel);
    loop_timer_set(&r->retry, INSTANT_NEVER);
    loop_timer_set(&r->end, INSTANT_NEVER);
}

/* The addresses of the resolvers that are asked. */
static void note_asked(struct resolver *r, ares_channel channel)
{
    struct ares_addr_port_node *all = NULL;
    size_t used = 0;
    r->asked[0] = 0;
    if (ares_get_servers_ports(channel, &all) != ARES_SUCCESS)
        return;
    for (const struct ares_addr_port_node *n = all; n; n = n->next) {
        char text[ADDRESS_TEXT_SIZE];
        struct address a =
            n->family == AF_INET
                ? address_ipv4(ntohl(n->addr.addr4.s_addr))
                : address_from_bytes(ADDRESS_IPV6,
                                     (const void *)&n->addr.addr6);
        int size = snprintf(r->asked + used, sizeof r->asked - used, "%s%s",
                            used ? ", " : "", address_format(&a, text));
        if (size < 0 || (size_t)size >= sizeof r->asked - used)
            break;
        used += (size_t)size;
    }
    r->asked[used] = 0;
    ares_free_data(all);
}

/* With whom it was that was asked. */
static const char *reason_of(struct resolver *r)
{
    if (!r->asked[0])
        return r->why;
    snprintf(r->reason, sizeof r->reason, "%s (resolver %s)", r->why, r->asked);
    return r->reason;
}

/* Soon, from the loop. */
static void end_now(struct resolver *r)
{
    loop_timer_set(&r->end, loop_now(r->loop));
}

static void add_address(struct addresses *to, const struct sockaddr *from)
{
    struct address a = {.family = ADDRESS_NONE};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, from, sizeof ipv4);
        a = address_ipv4(ntohl(ipv4.sin_addr.s_addr));
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, from, sizeof ipv6);
        a = address_from_bytes(ADDRESS_IPV6, ipv6.sin6_addr.s6_addr);
    }
    for (size_t i = 0; i < to->count; i++)
        if (address_equal(&to->all[i], &a))
            return;
    if (address_is_set(&a) && to->count < RESOLVER_ADDRESSES_MAX)
        to->all[to->count++] = a;
}

static void take_result(void *context, int status, int timeouts,
                        struct ares_addrinfo *result)
{
    struct resolver *r = context;
    (void)timeouts;
    if (r->channel) {
        for (const struct ares_addrinfo_node *node = result ? result->nodes
                                                            : NULL;
             node; node = node->ai_next)
            add_address(&r->found, node->ai_addr);
        r->why = status == ARES_SUCCESS ? "no address" : ares_strerror(status);
        end_now(r);
    }
    if (result)
        ares_freeaddrinfo(result);
}

static bool same_question(const struct question *a, const struct question *b)
{
    return a->family == b->family && strcmp(a->host, b->host) == 0;
}

static void end_due(void *context, struct instant now)
{
    struct resolver *r = context;
    take_down(r);
    struct addresses found = r->found;
    const char *why = reason_of(r);
    if (found.count) {
        r->known_question = r->question;
        r->known = found;
    } else if (r->known.count &&
               same_question(&r->known_question, &r->question)) {
        log_warn("resolver: %s: %s; taking the last answer", r->question.host,
                 why);
        found = r->known;
    }
    r->answer(r->context, now, found.all, found.count,
              found.count ? NULL : why);
}

/* False: `why` says what is wrong. */
static bool start(struct resolver *r)
{
    struct ares_options options = {
        .timeout = TRY_MILLISECONDS,
        .tries = TRIES,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_DGRAM};
    ares_channel channel = NULL;

    int status = ares_init_options(&channel, &options, mask);
    if (status == ARES_SUCCESS && *r->servers)
        status = ares_set_servers_ports_csv(channel, r->servers);
    if (status != ARES_SUCCESS) {
        if (channel)
            ares_destroy(channel);
        r->why = ares_strerror(status);
        return false;
    }
    if (r->question.family == ADDRESS_IPV4)
        hints.ai_family = AF_INET;
    else if (r->question.family == ADDRESS_IPV6)
        hints.ai_family = AF_INET6;
    r->channel = channel;
    note_asked(r, channel);
    ares_getaddrinfo(channel, r->question.host, NULL, &hints, take_result, r);
    schedule(r);
    return true;
}

static void answer_literal(struct resolver *r, struct instant now,
                           const struct address *literal)
{
    bool wanted = r->question.family == ADDRESS_NONE ||
                  r->question.family == literal->family;
    r->answer(r->context, now, literal, wanted,
              wanted ? NULL : "an address of the other family");
}

void resolver_ask(struct resolver *r, struct instant now, const char *host,
                  enum address_family family, resolver_answer *answer,
                  void *context)
{
    struct address literal;
    take_down(r);
    r->answer = answer;
    r->context = context;
    r->found.count = 0;
    r->since = now;
    r->asked[0] = 0;
    r->question = (struct question){.family = family};
    if (address_parse(bytes_of_text(host), &literal)) {
        answer_literal(r, now, &literal);
        return;
    }
    if (!text_copy(r->question.host, HOST_SIZE, bytes_of_text(host))) {
        r->why = "that is no name that can be looked up";
        end_now(r);
        return;
    }
    bool known =
        r->known.count && same_question(&r->known_question, &r->question);
    struct duration patience = duration_seconds(PATIENCE_WITH_ANSWER);
    if (!known || r->patience.us < patience.us)
        patience = r->patience;
    r->why = "no answer to the question for its address";
    loop_timer_set(&r->end, instant_after(now, patience));
    if (!start(r))
        end_now(r);
}

bool resolver_waiting(const struct resolver *r, struct instant now,
                      char out[RESOLVER_WAITING_SIZE])
{
    if (!r->channel)
        return false;
    snprintf(out, RESOLVER_WAITING_SIZE,
             "looking up %s: no answer yet from the resolver %s (%lld s)",
             r->question.host, r->asked[0] ? r->asked : "of this system",
             (long long)(instant_since(now, r->since).us / 1000000));
    return true;
}

void resolver_cancel(struct resolver *r)
{
    take_down(r);
}

void resolver_configure(struct resolver *r, const char *servers,
                        struct duration patience)
{
    bool fits = text_copy(r->servers, sizeof r->servers,
                          bytes_of_text(servers ? servers : ""));
    assert(fits);
    r->patience = patience;
}

struct resolver *resolver_new(struct loop *loop)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    struct resolver *r = calloc(1, sizeof *r);
    if (!r) {
        ares_library_cleanup();
        return NULL;
    }
    r->loop = loop;
    r->retry = (struct loop_timer){.expired = retry_due, .context = r};
    r->end = (struct loop_timer){.expired = end_due, .context = r};
    r->patience = duration_seconds(PATIENCE);
    loop_add_timer(loop, &r->retry);
    loop_add_timer(loop, &r->end);
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    take_down(r);
    loop_remove_timer(r->loop, &r->retry);
    loop_remove_timer(r->loop, &r->end);
    free(r);
    ares_library_cleanup();
}
