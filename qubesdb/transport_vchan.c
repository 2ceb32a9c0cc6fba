/*
 * dom0's qubesdb-daemon of this qube, over Xen's vchan and without any agent.
 * dom0 is the server, port 111. Its place in xenstore is unreadable but for
 * its leaf "event-channel", which is written last and removed when a client
 * has come; so the leaf is what is waited for, and a leaf that leads nowhere
 * is one that the next attempt will not find.
 *
 * libxenvchan is used directly because the library Qubes has on top of it
 * needs /dev/xen/privcmd, which can stay shut this way.
 */
#include "qubesdb/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <xenstore.h>

#include "gateway/base/libxenvchan.h"
#include "gateway/base/text.h"

enum { QUBESDB_PORT = 111, PLACE_SIZE = 64 };

struct vchan_transport {
    struct transport transport;
    struct xs_handle *xenstore;
    char place[PLACE_SIZE]; /* of the server in xenstore */
    struct libxenvchan *vchan;
};

static struct vchan_transport *of(struct transport *t)
{
    return (struct vchan_transport *)t;
}

/* Content of a xenstore node as a C string on the heap, or NULL. */
static char *read_node(struct xs_handle *xenstore, const char *path)
{
    unsigned size;
    char *text = xs_read(xenstore, XBT_NULL, path, &size);
    if (text && size == 0) {
        free(text);
        return NULL;
    }
    return text;
}

static bool find_place(struct vchan_transport *t)
{
    uint32_t domid;
    char leaf[PLACE_SIZE + 16];
    char *text = read_node(t->xenstore, "domid");
    bool found = text && text_to_u32(bytes_of_text(text), UINT16_MAX, &domid);
    free(text);
    if (!found)
        return false;
    snprintf(t->place, sizeof t->place, "/local/domain/0/data/vchan/%u/%d",
             domid, QUBESDB_PORT);
    snprintf(leaf, sizeof leaf, "%s/event-channel", t->place);
    return xs_watch(t->xenstore, leaf, leaf);
}

static void close_vchan(struct transport *transport)
{
    struct vchan_transport *t = of(transport);
    if (t->vchan)
        libxenvchan_close(t->vchan);
    if (t->xenstore)
        xs_close(t->xenstore);
    free(t);
}

static struct transport *open_vchan(const char *where, const char **why)
{
    (void)where;
    struct vchan_transport *t = calloc(1, sizeof *t);
    if (!t) {
        *why = "out of memory";
        return NULL;
    }
    t->transport.kind = &transport_vchan;
    t->xenstore = xs_open(0);
    if (!t->xenstore || !find_place(t)) {
        *why = t->xenstore ? "xenstore does not tell who this qube is"
                           : "there is no xenstore";
        close_vchan(&t->transport);
        return NULL;
    }
    return &t->transport;
}

static int descriptor(const struct transport *transport)
{
    const struct vchan_transport *t = (const struct vchan_transport *)transport;
    return t->vchan ? libxenvchan_fd_for_select(t->vchan)
                    : xs_fileno(t->xenstore);
}

static enum transport_state await_server(struct vchan_transport *t)
{
    char leaf[PLACE_SIZE + 16];
    char **event;

    while ((event = xs_check_watch(t->xenstore)))
        free(event);
    snprintf(leaf, sizeof leaf, "%s/event-channel", t->place);
    char *text = read_node(t->xenstore, leaf);
    if (!text)
        return TRANSPORT_CONNECTING;
    free(text);

    t->vchan = libxenvchan_client_init(NULL, 0, t->place);
    if (!t->vchan)
        return TRANSPORT_GONE;
    t->vchan->blocking = 0;
    return TRANSPORT_OPEN;
}

static enum transport_state progress(struct transport *transport)
{
    struct vchan_transport *t = of(transport);
    if (!t->vchan)
        return await_server(t);
    /* Acknowledges the event; it does not block because there is one. */
    return libxenvchan_wait(t->vchan) < 0 ? TRANSPORT_GONE : TRANSPORT_OPEN;
}

static ptrdiff_t read_vchan(struct transport *transport, void *data,
                            size_t capacity)
{
    struct vchan_transport *t = of(transport);
    int size = libxenvchan_read(t->vchan, data, capacity);
    if (size == 0 && libxenvchan_is_open(t->vchan) != 1)
        return -1;
    return size;
}

static ptrdiff_t write_vchan(struct transport *transport, struct bytes data)
{
    return libxenvchan_write(of(transport)->vchan, data.data, data.size);
}

const struct transport_kind transport_vchan = {
    .name = "vchan",
    .dialect = CONVERSATION_DOM0,
    .waits_for_room = false,
    .open = open_vchan,
    .descriptor = descriptor,
    .progress = progress,
    .read = read_vchan,
    .write = write_vchan,
    .close = close_vchan,
};
