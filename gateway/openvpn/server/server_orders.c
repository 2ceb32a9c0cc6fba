/*
 * The orders to the server about its clients, one by one or all.
 */
#include <stdio.h>

#include "gateway/openvpn/server/server_push.h"
#include "gateway/openvpn/server/server_state.h"
#include "gateway/openvpn/session/peer_info.h"

enum { UPDATE_MAX = 4096 }; /* bytes of options */

static struct server_peer *find_client(const struct server *s, uint64_t client)
{
    for (uint32_t i = 0; i < s->table.capacity; i++) {
        struct server_entry *e = server_table_at(&s->table, i);
        if (e && server_peer_of(e)->client == client)
            return server_peer_of(e);
    }
    return NULL;
}

void server_admit(struct server *s, struct instant now, uint64_t client,
                  bool admitted, const char *reason)
{
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->verdict != SERVER_LATER)
        return;
    p->verdict = admitted ? SERVER_ADMIT : SERVER_REFUSE;
    size_t size = reason ? strlen(reason) : 0;
    if (size >= sizeof p->refusal)
        size = sizeof p->refusal - 1;
    memcpy(p->refusal, reason ? reason : "", size);
    p->refusal[size] = 0;
    server_admission_decide(s, p);
    server_event_settle(s, p);
}

void server_put_off(struct server *s, struct instant now, uint64_t client)
{
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->verdict != SERVER_LATER)
        return;
    p->verdict = SERVER_BUSY;
    server_admission_decide(s, p);
    server_event_settle(s, p);
}

void server_wait(struct server *s, struct instant now, uint64_t client,
                 uint32_t seconds)
{
    char text[64] = "AUTH_PENDING";
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->verdict != SERVER_LATER ||
        p->state != SERVER_PEER_NEGOTIATING || !p->active)
        return;
    if (p->protocol & PEER_INFO_AUTH_PENDING_KEYWORDS)
        snprintf(text, sizeof text, "AUTH_PENDING,timeout %u", seconds);
    p->deadline = instant_after(now, duration_seconds(seconds));
    (void)!session_send(&p->session, now, text);
    server_event_settle(s, p);
}

bool server_tell(struct server *s, struct instant now, uint64_t client,
                 const char *text)
{
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->state == SERVER_PEER_GONE ||
        !session_send(&p->session, now, text))
        return false;
    server_event_settle(s, p);
    return true;
}

static bool send_update(struct server_peer *p, struct instant now,
                        struct bytes options)
{
    char message[CONTROL_MESSAGE_MAX];
    bool first = true, good = true;
    while (good && server_push_next(&options, &first, "PUSH_UPDATE", message))
        good = session_send(&p->session, now, message);
    return good;
}

const char *server_update(struct server *s, struct instant now, uint64_t client,
                          const char *const *options, size_t count)
{
    uint8_t memory[UPDATE_MAX];
    struct writer w = writer_of(memory, sizeof memory);
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->state != SERVER_PEER_UP)
        return "it is not up";
    if (!(p->protocol & PEER_INFO_PUSH_UPDATE))
        return "it is too old for that";
    for (size_t i = 0; i < count; i++) {
        if (!server_push_may_follow(options[i]))
            return "there is an option that cannot be changed";
        write_bytes(&w, bytes_of(options[i], strlen(options[i]) + 1));
    }
    if (!writer_ok(&w) || count == 0)
        return "that is too much, or nothing";
    if (!send_update(p, now, writer_bytes(&w)))
        return "its control channel is full";
    server_event_settle(s, p);
    return NULL;
}

bool server_kick(struct server *s, struct instant now, uint64_t client,
                 bool halt)
{
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->state == SERVER_PEER_GONE)
        return false;
    server_peer_leave(s, p, halt ? "HALT" : "RESTART");
    return true;
}

void server_renegotiate(struct server *s, struct instant now, uint64_t client)
{
    s->now = now;
    struct server_peer *p = find_client(s, client);
    if (!p || p->state != SERVER_PEER_UP)
        return;
    session_renegotiate(&p->session, now);
    server_event_settle(s, p);
}

bool server_revoke(struct server *s, const struct blob *list)
{
    return tls_context_revoke(&s->tls, list);
}

void server_stop(struct server *s, struct instant now)
{
    const struct server_config *c = s->config;
    const char *text = c->exit_advance ? "RESTART,[N]" : "RESTART";
    s->now = now;
    s->stopping = true;
    for (uint32_t i = 0; i < s->table.capacity; i++) {
        struct server_entry *e = server_table_at(&s->table, i);
        if (e)
            server_peer_leave(s, server_peer_of(e),
                              c->exit_notify ? text : NULL);
    }
}

bool server_is_empty(const struct server *s)
{
    return s->table.count == 0;
}
