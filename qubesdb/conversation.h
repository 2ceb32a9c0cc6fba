/*
 * One conversation with a QubesDB daemon, without its socket: bytes in, bytes
 * out, and a mirror that is kept equal to the database. There are two
 * daemons, and each is spoken to differently:
 *
 *   CONVERSATION_LOCAL  the qube's own, on its Unix socket. One WATCH of "/",
 * then one MULTIREAD of everything. An EVENT names a path that changed, at any
 * moment, and that path is read again. One request is under way at a time;
 * events come in between. CONVERSATION_DOM0   dom0's, over vchan. One MULTIREAD
 * of everything; from then on it pushes WRITE and RM, which are answered OK.
 * READ, LIST, WATCH and a second MULTIREAD would end that daemon.
 *
 * Rules: an EVENT of "/qubes-firewall/IP/..." says that the rules of IP are
 * being rewritten, so nothing that is read of them counts; the one of
 * "/qubes-firewall/IP" says that they are complete. So a set of rules that
 * was never complete is never told, with one exception: what stands in the
 * database when the conversation begins is taken as it is if it has its base.
 * As dom0 writes rules in order below an empty set, such a beginning of a set
 * accepts no more than the whole.
 *
 * Failure is sticky: the owner ends it and begins another.
 */
#ifndef QUBESDB_CONVERSATION_H
#define QUBESDB_CONVERSATION_H

#include "qubesdb/mirror.h"

enum conversation_dialect { CONVERSATION_LOCAL, CONVERSATION_DOM0 };

struct conversation_work;

struct conversation {
    enum conversation_dialect dialect;
    struct mirror *mirror; /* borrowed */
    bool synced;
    const char *why_failed; /* or NULL */

    struct conversation_work *under_way; /* sent, and not answered */
    struct instant answer_by;
    struct conversation_work *first, *last; /* to be sent */
    size_t work_count;

    struct store reading;   /* the answer so far */
    struct store unsettled; /* bases of rules that are being rewritten */

    uint8_t input[MESSAGE_SIZE_MAX];
    size_t input_size;
    uint8_t *output;
    size_t output_size, output_capacity;
};

/* Begins with its first request in the output. */
void conversation_init(struct conversation *s, struct instant now,
                       enum conversation_dialect dialect,
                       struct mirror *mirror);
void conversation_clear(struct conversation *s);

void conversation_receive(struct conversation *s, struct instant now,
                          struct bytes stream);

/* The bytes that have to be sent, borrowed until the next call. */
struct bytes conversation_output(const struct conversation *s);
void conversation_sent(struct conversation *s, size_t size);

/* A request is answered by then or the session fails in conversation_expire().
 */
struct instant conversation_deadline(const struct conversation *s);
void conversation_expire(struct conversation *s, struct instant now);

/* Asks the daemon to write; the mirror has the value at once. False before
 * everything was read, for a path or value that no daemon takes, or when too
 * much is waiting. */
MUST_USE bool conversation_write(struct conversation *s, struct instant now,
                                 const char *path, struct bytes value);

#endif
