/* The events of a client: what it says, and what the time brings. What is
 * decided about it is server_admission's, what becomes of it server_peer's. */
#include "gateway/openvpn/server/server_state.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/session/options_string.h"

/* --- What it says -------------------------------------------------------- */

static bool is_same_client(const struct server_peer *p, const char *common_name,
                           struct bytes username)
{
    return strcmp(p->certificate_name, common_name) == 0 &&
           text_equal(username, p->username);
}

/* Its names are those that it came with, whatever it says later. */
static bool learn_names(struct server *s, struct server_peer *p,
                        const char *common_name, struct bytes username)
{
    char text[SERVER_WHO_SIZE];
    snprintf(p->certificate_name, sizeof p->certificate_name, "%s",
             common_name);
    if (!text_copy(p->username, sizeof p->username, username)) {
        log_info("server: %s: its name is too long", server_peer_who(p, text));
        return false;
    }
    snprintf(p->common_name, sizeof p->common_name, "%s",
             s->config->username_as_common_name && p->username[0]
                 ? p->username
                 : p->certificate_name);
    return true;
}

static enum server_verdict judge(struct server *s, struct server_peer *p,
                                 const struct key_exchange *theirs, bool again)
{
    struct server_login login = {
        .client = p->client,
        .common_name = p->common_name,
        .username = theirs->username,
        .password = theirs->password,
        .path = &p->entry.path,
        .again = again,
    };
    if (s->config->tokens && auth_token_is_one(theirs->password))
        return server_admission_token(s, p, theirs->password);
    return s->env.admit ? s->env.admit(s->env.context, &login) : SERVER_ADMIT;
}

static void take_exchange(struct server *s, struct server_peer *p,
                          const struct key_exchange *theirs)
{
    const char *name = p->session.primary->control.tls.verify.common_name;
    char text[SERVER_WHO_SIZE];
    bool again = p->state == SERVER_PEER_UP;
    s->negotiations++;
    if (again && !is_same_client(p, name, theirs->username)) {
        log_warn("server: %s negotiates as somebody else",
                 server_peer_who(p, text));
        server_peer_gone(s, p);
        return;
    }
    if (!again && !learn_names(s, p, name, theirs->username)) {
        server_peer_gone(s, p);
        return;
    }
    if (!again)
        server_admission_learn(s, p, theirs);
    p->verdict = judge(s, p, theirs, again);
    if (again && (p->verdict == SERVER_REFUSE || p->verdict == SERVER_BUSY))
        server_admission_decide(s, p);
}

static void answer_exchange(struct server *s, struct server_peer *p)
{
    const struct config *c = &s->config->common;
    struct options_string ours = options_string_of(c, &c->remotes[0]);
    ours.protocol = p->entry.path.stream ? CONFIG_TCP : CONFIG_UDP;
    char options[OPTIONS_STRING_SIZE], name[SERVER_WHO_SIZE];
    ours.server = true;
    ours.cipher = p->cipher;
    ours.fragment = p->fragment > 0;
    struct key_exchange message = {0};
    if (!options_string_format(&ours, options)) {
        log_error("server: %s: our options cannot be told",
                  server_peer_who(p, name));
        server_peer_gone(s, p);
        return;
    }
    message.options = bytes_of_text(options);
    /* If it fails, SESSION_FAILED follows. */
    (void)!session_exchange(&p->session, s->now, &message);
}

static void say_goodbye(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE];
    s->goodbyes++;
    log_info("server: %s said goodbye", server_peer_who(p, name));
    server_peer_gone(s, p);
}

static void take_message(struct server *s, struct server_peer *p,
                         const struct control_message *m)
{
    if (m->type == CONTROL_MESSAGE_PUSH_REQUEST &&
        p->state == SERVER_PEER_NEGOTIATING) {
        p->asked = true;
        server_admission_decide(s, p);
    } else if (m->type == CONTROL_MESSAGE_EXIT) {
        say_goodbye(s, p);
    } else if (m->type == CONTROL_MESSAGE_CR_RESPONSE && s->env.answered) {
        s->env.answered(s->env.context, p->client, m->rest);
    }
}

static void take_event(struct server *s, struct server_peer *p,
                       const struct session_event *event)
{
    char name[SERVER_WHO_SIZE];
    switch (event->type) {
    case SESSION_EXCHANGE:
        take_exchange(s, p, &event->exchange);
        break;
    case SESSION_EXCHANGE_WANTED:
        answer_exchange(s, p);
        break;
    case SESSION_ACTIVE:
        p->active = true;
        server_admission_decide(s, p);
        break;
    case SESSION_RENEGOTIATED:
        log_debug("server: %s: new data keys", server_peer_who(p, name));
        server_admission_renew_token(s, p);
        break;
    case SESSION_MESSAGE:
        take_message(s, p, &event->message);
        break;
    case SESSION_PEER_EXIT:
        say_goodbye(s, p);
        break;
    case SESSION_FAILED:
        log_info("server: %s: %s", server_peer_who(p, name), event->why);
        server_peer_gone(s, p);
        break;
    }
}

static bool is_over(const struct server_peer *p)
{
    return p->state == SERVER_PEER_GONE ||
           (p->state == SERVER_PEER_LEAVING &&
            control_channel_all_acked(&p->session.primary->control));
}

void server_event_settle(struct server *s, struct server_peer *p)
{
    struct session_event event;
    while (p->state != SERVER_PEER_GONE &&
           session_next(&p->session, s->now, &event))
        take_event(s, p, &event);
    if (p->state != SERVER_PEER_GONE && is_over(p))
        server_peer_gone(s, p);
    server_table_queue(&s->table, &p->entry);
    server_table_wake(&s->table, &p->entry, server_peer_deadline(p));
}

/* --- Time ---------------------------------------------------------------- */

/* inactive: who moved no more than so many bytes in so many seconds goes. */
static bool is_idle(struct server *s, struct server_peer *p)
{
    const struct config *c = &s->config->common;
    uint64_t bytes = p->bytes_in + p->bytes_out;
    if (!instant_reached(s->now, p->idle_due))
        return false;
    if (bytes - p->idle_bytes <= c->inactive_bytes)
        return true;
    server_peer_watch_idling(s, p);
    return false;
}

static void expire_up(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE];
    const struct keepalive *k = &p->session.keepalive;
    if (keepalive_timed_out(k, s->now)) {
        log_info("server: %s has been silent for %lld s",
                 server_peer_who(p, name),
                 (long long)(k->timeout.us / 1000000));
        server_peer_gone(s, p);
    } else if (instant_reached(s->now, p->deadline)) {
        log_info("server: %s: its time is over", server_peer_who(p, name));
        server_peer_leave(s, p, "RESTART");
    } else if (is_idle(s, p)) {
        log_info("server: %s has been idle for %u s", server_peer_who(p, name),
                 s->config->common.inactive);
        server_peer_leave(s, p, "HALT");
    } else {
        p->ping_due |= keepalive_ping_due(k, s->now);
        if (instant_reached(s->now, p->token_due))
            server_admission_renew_token(s, p);
    }
}

void server_event_expire(struct server *s, struct server_peer *p)
{
    char name[SERVER_WHO_SIZE];
    session_expire(&p->session, s->now);
    switch (p->state) {
    case SERVER_PEER_NEGOTIATING:
        if (instant_reached(s->now, p->deadline)) {
            log_info("server: %s did not come in within %u s",
                     server_peer_who(p, name), s->config->common.hand_window);
            server_peer_gone(s, p);
        }
        break;
    case SERVER_PEER_UP:
        expire_up(s, p);
        break;
    case SERVER_PEER_LEAVING:
        if (instant_reached(s->now, p->deadline))
            server_peer_gone(s, p);
        break;
    case SERVER_PEER_GONE:
        break;
    }
    server_event_settle(s, p);
}
