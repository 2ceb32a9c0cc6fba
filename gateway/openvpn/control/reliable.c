#include "gateway/openvpn/control/reliable.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

/* Ids never wrap around: a key_id ends long before its four billionth. */

/* Always in the past: no clock of ours is negative. */
static const struct instant at_once = {0};

void reliable_init(struct reliable *r, struct duration initial_timeout)
{
    memset(r, 0, sizeof *r);
    r->initial_timeout = initial_timeout;
}

static void release(struct reliable_slot *slot)
{
    if (slot->payload)
        secret_wipe(slot->payload, slot->size);
    free(slot->payload);
    slot->payload = NULL;
    slot->used = false;
}

void reliable_clear(struct reliable *r)
{
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++)
        release(&r->send[i]);
    for (size_t i = 0; i < RELIABLE_RECEIVE_WINDOW; i++)
        release(&r->receive[i]);
    secret_wipe(r, sizeof *r);
}

static struct reliable_slot *find(struct reliable_slot *slots, size_t count,
                                  uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (slots[i].used && slots[i].id == id)
            return &slots[i];
    return NULL;
}

static struct reliable_slot *find_free(struct reliable_slot *slots,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!slots[i].used)
            return &slots[i];
    return NULL;
}

static bool fill(struct reliable_slot *slot, uint32_t id, uint8_t opcode,
                 struct bytes payload)
{
    if (payload.size > RELIABLE_PAYLOAD_MAX)
        return false;
    slot->payload = payload.size ? malloc(payload.size) : NULL;
    if (payload.size && !slot->payload)
        return false;
    slot->used = true;
    slot->opcode = opcode;
    slot->later_acks = 0;
    slot->size = (uint16_t)payload.size;
    slot->id = id;
    if (payload.size)
        memcpy(slot->payload, payload.data, payload.size);
    return true;
}

/* Sending */

bool reliable_can_send(const struct reliable *r)
{
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++)
        if (r->send[i].used &&
            r->next_send_id - r->send[i].id >= RELIABLE_SEND_WINDOW)
            return false;
    return true;
}

bool reliable_all_acked(const struct reliable *r)
{
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++)
        if (r->send[i].used)
            return false;
    return true;
}

bool reliable_send(struct reliable *r, struct instant now, uint8_t opcode,
                   struct bytes payload)
{
    struct reliable_slot *slot = find_free(r->send, RELIABLE_SEND_WINDOW);
    if (!slot || !reliable_can_send(r) || r->next_send_id == UINT32_MAX ||
        !fill(slot, r->next_send_id, opcode, payload))
        return false;
    slot->next_try = now;
    slot->timeout = r->initial_timeout;
    r->next_send_id++;
    return true;
}

static void acked_later(struct reliable *r, uint32_t acked)
{
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++) {
        struct reliable_slot *slot = &r->send[i];
        if (!slot->used || slot->id > acked)
            continue;
        if (++slot->later_acks >= RELIABLE_EARLY_AFTER)
            slot->next_try = at_once;
    }
}

void reliable_acked(struct reliable *r, const uint32_t *ids, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        struct reliable_slot *slot =
            find(r->send, RELIABLE_SEND_WINDOW, ids[i]);
        if (!slot)
            continue;
        release(slot);
        acked_later(r, ids[i]);
    }
}

void reliable_burst(struct reliable *r, struct instant now)
{
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++) {
        r->send[i].next_try = now;
        r->send[i].timeout = r->initial_timeout;
        r->send[i].later_acks = 0;
    }
}

struct instant reliable_deadline(const struct reliable *r)
{
    struct instant first = INSTANT_NEVER;
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++)
        if (r->send[i].used)
            first = instant_earlier(first, r->send[i].next_try);
    return first;
}

/* Acknowledging */

/* Puts `id` in front of a list, once; the last falls off a full one. */
static void put_first(uint32_t list[CONTROL_ACKS_MAX], uint8_t *count,
                      uint32_t id)
{
    uint8_t at = 0;
    while (at < *count && list[at] != id)
        at++;
    if (at == CONTROL_ACKS_MAX)
        at--;
    else if (at == *count)
        ++*count;
    memmove(list + 1, list, at * sizeof *list);
    list[0] = id;
}

/* Those due first, then those sent most recently. */
static void take_acks(struct reliable *r, struct control_packet *out)
{
    uint8_t fresh = r->acks_due_count < CONTROL_ACKS_SENT ? r->acks_due_count
                                                          : CONTROL_ACKS_SENT;
    for (uint8_t i = fresh; i > 0; i--)
        put_first(r->acks_sent, &r->acks_sent_count, r->acks_due[i - 1]);
    r->acks_due_count = (uint8_t)(r->acks_due_count - fresh);
    memmove(r->acks_due, r->acks_due + fresh,
            r->acks_due_count * sizeof *r->acks_due);

    out->ack_count = r->acks_sent_count < CONTROL_ACKS_SENT ? r->acks_sent_count
                                                            : CONTROL_ACKS_SENT;
    memcpy(out->acks, r->acks_sent, out->ack_count * sizeof *out->acks);
}

static struct reliable_slot *next_due(struct reliable *r, struct instant now)
{
    struct reliable_slot *oldest = NULL;
    for (size_t i = 0; i < RELIABLE_SEND_WINDOW; i++) {
        struct reliable_slot *slot = &r->send[i];
        if (slot->used && instant_reached(now, slot->next_try) &&
            (!oldest || slot->id < oldest->id))
            oldest = slot;
    }
    return oldest;
}

bool reliable_transmit(struct reliable *r, struct instant now,
                       struct control_packet *out)
{
    const struct duration longest = duration_seconds(RELIABLE_PAUSE_MAX);
    struct reliable_slot *slot = next_due(r, now);
    if (!slot)
        return false;
    slot->later_acks = 0;
    slot->next_try = instant_after(now, slot->timeout);
    slot->timeout.us *= 2;
    if (slot->timeout.us > longest.us)
        slot->timeout = longest;

    out->opcode = slot->opcode;
    out->message_id = slot->id;
    out->payload = bytes_of(slot->payload, slot->size);
    take_acks(r, out);
    return true;
}

bool reliable_transmit_ack(struct reliable *r, struct control_packet *out)
{
    if (r->acks_due_count == 0)
        return false;
    out->opcode = OPCODE_ACK_V1;
    out->payload = bytes_of(NULL, 0);
    take_acks(r, out);
    return true;
}

/* Receiving */

enum reliable_verdict reliable_receive(struct reliable *r, uint32_t id,
                                       uint8_t opcode, struct bytes payload)
{
    if (id < r->next_receive_id ||
        find(r->receive, RELIABLE_RECEIVE_WINDOW, id)) {
        put_first(r->acks_due, &r->acks_due_count, id);
        return RELIABLE_REPEAT;
    }
    if (id - r->next_receive_id >= RELIABLE_RECEIVE_WINDOW)
        return RELIABLE_OUTSIDE;
    struct reliable_slot *slot = find_free(r->receive, RELIABLE_RECEIVE_WINDOW);
    if (!slot || !fill(slot, id, opcode, payload))
        return RELIABLE_OUTSIDE;
    put_first(r->acks_due, &r->acks_due_count, id);
    return RELIABLE_STORED;
}

void reliable_skip_first(struct reliable *r)
{
    r->next_send_id = r->next_receive_id = 1;
    put_first(r->acks_sent, &r->acks_sent_count, 0);
}

static const struct reliable_slot *next_in_order(const struct reliable *r)
{
    for (size_t i = 0; i < RELIABLE_RECEIVE_WINDOW; i++)
        if (r->receive[i].used && r->receive[i].id == r->next_receive_id)
            return &r->receive[i];
    return NULL;
}

bool reliable_next(const struct reliable *r, uint8_t *opcode, uint32_t *id,
                   struct bytes *payload)
{
    const struct reliable_slot *slot = next_in_order(r);
    if (!slot)
        return false;
    *opcode = slot->opcode;
    *id = slot->id;
    *payload = bytes_of(slot->payload, slot->size);
    return true;
}

void reliable_consume(struct reliable *r)
{
    struct reliable_slot *slot =
        find(r->receive, RELIABLE_RECEIVE_WINDOW, r->next_receive_id);
    if (!slot)
        return;
    release(slot);
    r->next_receive_id++;
}
