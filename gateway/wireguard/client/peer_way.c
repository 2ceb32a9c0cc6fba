#include "gateway/wireguard/client/peer_way.h"

void peer_way_init(struct peer_way *w, const struct protocol_server *servers,
                   size_t server_count)
{
    *w = (struct peer_way){.servers = servers, .server_count = server_count};
}

const struct protocol_server *peer_way_server(const struct peer_way *w)
{
    return w->server_count ? &w->servers[w->server] : NULL;
}

bool peer_way_place(const struct peer_way *w, struct endpoint *out)
{
    if (w->address >= w->address_count)
        return false;
    *out =
        (struct endpoint){w->addresses[w->address], w->servers[w->server].port};
    return true;
}

bool peer_way_begin(struct peer_way *w)
{
    struct address literal;
    const char *host = w->servers[w->server].host;
    if (!address_parse(bytes_of_text(host), &literal))
        return false;
    peer_way_resolved(w, &literal, 1);
    return true;
}

void peer_way_resolved(struct peer_way *w, const struct address *addresses,
                       size_t count)
{
    w->asking = false;
    w->address = w->address_count = 0;
    for (size_t i = 0; i < count && i < PEER_WAY_ADDRESSES_MAX; i++)
        w->addresses[w->address_count++] = addresses[i];
}

bool peer_way_next(struct peer_way *w)
{
    if (w->address + 1 < w->address_count) {
        w->address++;
        return true;
    }
    w->server = (w->server + 1) % w->server_count;
    w->rounds += w->server == 0;
    return peer_way_begin(w);
}

void peer_way_count_from(struct peer_way *w, uint64_t initiations)
{
    w->base = initiations;
}

bool peer_way_tried(const struct peer_way *w, uint64_t initiations)
{
    return initiations - w->base >= PEER_WAY_TRIES;
}
