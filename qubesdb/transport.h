/*
 * How messages reach a QubesDB daemon: a const struct of functions per kind.
 * None of them blocks beyond a look into xenstore.
 */
#ifndef QUBESDB_TRANSPORT_H
#define QUBESDB_TRANSPORT_H

#include "qubesdb/conversation.h"

struct transport;

enum transport_state { TRANSPORT_CONNECTING, TRANSPORT_OPEN, TRANSPORT_GONE };

struct transport_kind {
    const char *name;
    enum conversation_dialect dialect; /* of the daemon at the other end */
    bool waits_for_room; /* its descriptor tells when it may be written to;
                            else it becomes readable for that too */

    /* `where` is a path for kinds that need one. NULL, and a reason for the
     * log, when there is no daemon now. */
    struct transport *(*open)(const char *where, const char **why);
    /* The descriptor to wait for; another one once it is open, perhaps. */
    int (*descriptor)(const struct transport *t);
    /* To be asked first whenever the descriptor is ready. */
    enum transport_state (*progress)(struct transport *t);
    /* Bytes read or written, 0 for none now, -1 when the peer is gone. */
    ptrdiff_t (*read)(struct transport *t, void *data, size_t capacity);
    ptrdiff_t (*write)(struct transport *t, struct bytes data);
    void (*close)(struct transport *t);
};

/* First member of every transport. */
struct transport {
    const struct transport_kind *kind;
};

extern const struct transport_kind transport_socket;
extern const struct transport_kind transport_vchan;

#endif
