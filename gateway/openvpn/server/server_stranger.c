/*
 * Handles datagrams of unknown senders: everything here happens before there is
 * anything to remember, for anybody's datagram.
 */
#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/control/early_negotiation.h"
#include "gateway/openvpn/server/server_state.h"

enum {
    SLOTS_VALID = 3,       /* this one and the two before */
    AMPLIFICATION_MAX = 3, /* an answer is never longer than so many times
                              the question */
    ALIVE_SECONDS = 2,     /* since its last data; a client that did start
                              anew repeats its first packet after as long */
};

/* --- The cookie ---------------------------------------------------------- */

/* The session id that answers `client` in this half of the hand window. */
static struct session_id cookie_of(const struct server *s,
                                   const struct server_path *from,
                                   const struct session_id *client,
                                   uint32_t slot)
{
    struct session_id id;
    uint8_t input[4 + 8 + 1 + 16 + 2 + sizeof client->bytes];
    struct writer w = writer_of(input, sizeof input);
    write_u32(&w, slot);
    write_u64(&w, from->stream);
    write_u8(&w, (uint8_t)from->remote.address.family);
    write_bytes(&w, bytes_of(from->remote.address.bytes, 16));
    write_u16(&w, from->remote.port);
    write_bytes(&w, bytes_of(client->bytes, sizeof client->bytes));
    store_u64(id.bytes, siphash(&s->cookie_key, input, w.size) | 1);
    return id;
}

static uint32_t slot_now(const struct server *s)
{
    uint32_t length = (s->config->common.hand_window + 1) / 2;
    return (uint32_t)(instant_to_seconds(s->now) / length);
}

static bool is_cookie(const struct server *s, const struct server_path *from,
                      const struct session_id *client,
                      const struct session_id *cookie)
{
    bool found = false;
    for (uint32_t back = 0; back < SLOTS_VALID; back++) {
        struct session_id good = cookie_of(s, from, client, slot_now(s) - back);
        found |= secret_equal(bytes_of(good.bytes, sizeof good.bytes),
                              bytes_of(cookie->bytes, sizeof cookie->bytes));
    }
    return found;
}

/* --- The first packet and its answer ------------------------------------- */

/* connect-freq-initial: so many answers in so many seconds. */
static bool may_answer(struct server *s)
{
    struct duration length = duration_seconds(s->config->first_seconds);
    if (instant_reached(s->now, instant_after(s->first_since, length))) {
        s->first_since = s->now;
        s->first_answers = 0;
    }
    if (s->first_answers >= s->config->first_answers)
        return false;
    s->first_answers++;
    return true;
}

/* A session there is in use. Its client would take an answer to somebody
 * else's packet, or to a copy of its own, for a server that began anew, and
 * would begin anew as well. */
static bool is_in_use(const struct server *s, const struct server_path *from)
{
    const struct server_peer *p = server_peer_up_at(s, from);
    return p && p->proven &&
           !instant_reached(
               s->now,
               instant_after(p->heard, duration_seconds(ALIVE_SECONDS)));
}

static enum drop may_be_answered(struct server *s,
                                 const struct server_path *from,
                                 const struct control_packet *question)
{
    if (question->message_id != 0 || question->key_id != 0 ||
        question->ack_count > 0 || session_id_is_zero(&question->session))
        return DROP_CONTROL_MALFORMED;
    if (is_in_use(s, from))
        return DROP_SERVER_IN_USE;
    return s->answer_count == SERVER_ANSWERS || !may_answer(s)
               ? DROP_SERVER_RATE
               : DROP_NONE;
}

static enum drop answer(struct server *s, const struct server_path *from,
                        struct control_wrap *wrap,
                        const struct control_packet *question, size_t size)
{
    const struct early_negotiation again = {.resend_wkc = true};
    uint8_t payload[8];
    struct writer said = writer_of(payload, sizeof payload);
    enum drop drop = may_be_answered(s, from, question);
    if (drop != DROP_NONE)
        return drop;
    struct control_packet packet = {
        .opcode = OPCODE_CONTROL_HARD_RESET_SERVER_V2,
        .session = cookie_of(s, from, &question->session, slot_now(s)),
        .ack_count = 1, /* of message 0 */
        .peer = question->session,
    };
    if (server_has_own_keys(s)) {
        early_negotiation_write(&said, &again);
        packet.payload = writer_bytes(&said);
    }
    uint32_t at = (s->answer_first + s->answer_count) % SERVER_ANSWERS;
    struct server_answer *a = &s->answers[at];
    struct writer w = writer_of(a->bytes, sizeof a->bytes);
    if (!control_wrap_seal(wrap, &packet, &w) ||
        w.size > AMPLIFICATION_MAX * size)
        return DROP_CONTROL_MALFORMED;
    a->path = *from;
    a->size = (uint16_t)w.size;
    s->answer_count++;
    s->answers_given++;
    return DROP_NONE;
}

/* --- The second packet --------------------------------------------------- */

/* Its acknowledgement of our answer brings the cookie back. */
static bool may_follow(const struct control_packet *packet)
{
    if (packet->key_id != 0 || packet->ack_count == 0 ||
        session_id_is_zero(&packet->session))
        return false;
    for (uint8_t i = 0; i < packet->ack_count; i++)
        if (packet->acks[i] > 1)
            return false;
    return packet->opcode == OPCODE_ACK_V1 || packet->message_id <= 1;
}

static enum drop adopt(struct server *s, const struct server_path *from,
                       const struct static_key *key,
                       const struct control_packet *packet,
                       struct bytes datagram)
{
    enum drop drop = DROP_NONE;
    if (!may_follow(packet))
        return DROP_CONTROL_SESSION;
    if (!is_cookie(s, from, &packet->session, &packet->peer))
        return DROP_SERVER_COOKIE;
    struct server_peer *p =
        server_peer_new(s, from, &packet->peer, &packet->session, key, &drop);
    if (!p)
        return drop;
    drop = session_receive(&p->session, s->now, datagram);
    server_event_settle(s, p);
    return drop;
}

/* --- Either, out of its wrapping ----------------------------------------- */

static bool is_first(uint8_t opcode)
{
    return opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V2 ||
           opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V3;
}

static bool may_be_strangers(const struct server *s, uint8_t opcode)
{
    if (server_has_own_keys(s))
        return tls_crypt_v2_opcode(opcode);
    return opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V2 ||
           opcode == OPCODE_CONTROL_V1 || opcode == OPCODE_ACK_V1;
}

static enum drop take(struct server *s, const struct server_path *from,
                      struct control_wrap *wrap, const struct static_key *key,
                      struct bytes datagram)
{
    struct control_packet packet;
    struct bytes wrapped;
    enum drop drop =
        control_wrap_open(wrap, s->now, datagram, s->scratch, &packet,
                          server_has_own_keys(s) ? &wrapped : NULL);
    if (drop != DROP_NONE)
        return drop;
    return is_first(packet.opcode)
               ? answer(s, from, wrap, &packet, datagram.size)
               : adopt(s, from, key, &packet, datagram);
}

/* tls-crypt-v2-max-age, of keys that say when they were made. */
static bool is_too_old(const struct server *s,
                       const struct tls_crypt_v2_content *c)
{
    struct reader r = reader_of(bytes_of(c->metadata, c->metadata_size));
    uint64_t days = s->config->wrapped_key_days;
    if (days == 0)
        return false;
    uint8_t type = read_u8(&r);
    uint64_t made = read_u64(&r);
    return type != TLS_CRYPT_V2_METADATA_TIME || !reader_ok(&r) ||
           made / 86400 + days < s->env.unix_time(s->env.context) / 86400;
}

/* tls-crypt-v2-metadata: one of these texts was written into the key. */
static bool is_listed(const struct server *s,
                      const struct tls_crypt_v2_content *c)
{
    const struct blob *list = &s->config->wrapped_key_texts;
    struct bytes rest = bytes_of(list->data, list->size), line;
    struct reader r = reader_of(bytes_of(c->metadata, c->metadata_size));
    if (list->size == 0)
        return true;
    uint8_t type = read_u8(&r);
    struct bytes text = read_rest(&r);
    if (!reader_ok(&r) || type != TLS_CRYPT_V2_METADATA_USER || text.size == 0)
        return false;
    while (text_cut(&rest, '\n', &line))
        if (bytes_equal(text_trim(line), text))
            return true;
    return false;
}

/* Clients until 2.5 send their key once: what follows could not be opened
 * without it, so that the first packet makes a client. */
static enum drop take_at_once(struct server *s, const struct server_path *from,
                              struct control_wrap *wrap,
                              const struct static_key *key,
                              struct bytes datagram)
{
    struct control_packet packet;
    struct bytes wrapped;
    enum drop drop = control_wrap_open(wrap, s->now, datagram, s->scratch,
                                       &packet, &wrapped);
    if (drop == DROP_NONE && !is_first(packet.opcode))
        drop = DROP_CONTROL_SESSION;
    if (drop == DROP_NONE)
        drop = may_be_answered(s, from, &packet);
    if (drop != DROP_NONE)
        return drop;
    s->answers_given++;
    struct server_peer *p =
        server_peer_new(s, from, NULL, &packet.session, key, &drop);
    if (!p)
        return drop;
    drop = session_receive(&p->session, s->now, datagram);
    server_event_settle(s, p);
    return drop;
}

static enum drop refuse_cookieless(struct server *s,
                                   const struct server_path *from)
{
    enum { TOLD_EVERY = 60 }; /* s */
    char text[ENDPOINT_TEXT_SIZE];
    if (instant_reached(s->now, s->cookieless_due)) {
        s->cookieless_due = instant_after(s->now, duration_seconds(TOLD_EVERY));
        log_warn("server: %s is refused: OpenVPN before 2.6 returns no cookie, "
                 "and `tls-crypt-v2' says force-cookie",
                 endpoint_format(&from->remote, text));
    }
    return DROP_SERVER_COOKIE;
}

/* It can send its key twice, which the first number of its packets tells
 * (openvpn: ssl_pkt.h, EARLY_NEG_START). */
static bool returns_cookie(struct bytes packet)
{
    enum { CAN_RESEND = 0x0f000000 };
    uint32_t number = load_u32(packet.data + CONTROL_HEADER_SIZE);
    return (number & CAN_RESEND) == CAN_RESEND;
}

/* A client's own key comes along. The end of a connection is proven to be where
 * it is, cookie or not. */
static enum drop take_with_key(struct server *s, const struct server_path *from,
                               struct bytes datagram)
{
    struct tls_crypt_v2_content content;
    struct control_wrap wrap;
    struct bytes packet, wrapped;
    if (!tls_crypt_v2_split(datagram, &packet, &wrapped) ||
        packet.size < CONTROL_HEADER_SIZE + sizeof(uint32_t))
        return DROP_CONTROL_MALFORMED;
    bool cookie = returns_cookie(packet), udp = from->stream == 0;
    enum drop drop = DROP_CONTROL_AUTH;
    if (tls_crypt_v2_unwrap(&s->unwrap, wrapped, &content) &&
        !is_too_old(s, &content) && is_listed(s, &content) &&
        server_state_wrap(s, &content.key, &wrap)) {
        if (cookie)
            drop = take(s, from, &wrap, &content.key, datagram);
        else if (udp && s->config->cookie_only)
            drop = refuse_cookieless(s, from);
        else
            drop = take_at_once(s, from, &wrap, &content.key, datagram);
        control_wrap_clear(&wrap);
    }
    secret_wipe(&content, sizeof content);
    return drop;
}

enum drop server_stranger_take(struct server *s, const struct server_path *from,
                               struct bytes datagram)
{
    uint8_t opcode = opcode_of(datagram.data[0]);
    if (s->stopping)
        return DROP_SERVER_FULL;
    if (!may_be_strangers(s, opcode))
        return opcode_is_control(opcode) ? DROP_CONTROL_SESSION : DROP_OPCODE;
    if (server_has_own_keys(s))
        return take_with_key(s, from, datagram);
    control_wrap_restart(&s->wrap, s->env.unix_time(s->env.context));
    return take(s, from, &s->wrap, &s->wrap_key, datagram);
}
