#include "gateway/wireguard/profile/wireguard_profile.h"

#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/wireguard/profile/conf_line.h"
#include "gateway/wireguard/profile/conf_read.h"

/* A section's name, or a key that no other kind of file has. */
bool wireguard_profile_recognises(struct bytes text)
{
    struct conf_line_reader lines = conf_line_reader_of(text);
    struct conf_line line;
    char memory[16];
    while (conf_line_next(&lines, &line)) {
        struct bytes name =
            conf_line_without_blanks(line.name, memory, sizeof memory);
        if (line.kind == CONF_LINE_SECTION &&
            (text_equal_ignoring_case(name, "Interface") ||
             text_equal_ignoring_case(name, "Peer")))
            return true;
        if (line.kind == CONF_LINE_VALUE &&
            (text_equal_ignoring_case(name, "PrivateKey") ||
             text_equal_ignoring_case(name, "AllowedIPs")))
            return true;
    }
    return false;
}

static void use_own_server(struct wireguard_profile *p)
{
    const struct wireguard_profile_peer *peer = &p->peers[p->main];
    p->servers[0] = (struct protocol_server){
        .host = peer->host,
        .port = peer->port,
        .transport = PROTOCOL_UDP,
        .moves = true,
    };
    p->profile.servers = p->servers;
    p->profile.server_count = peer->host[0] ? 1 : 0;
}

struct protocol_profile *
wireguard_profile_read(struct bytes text, const char *path,
                       const struct protocol_reader *reader, bool *usable)
{
    (void)path; /* it names no other file */
    *usable = false;
    struct wireguard_profile *p = calloc(1, sizeof *p);
    if (!p) {
        reader->report(reader->context, PROTOCOL_ERROR, 0, "memory is short");
        return NULL;
    }
    *usable = conf_read(p, text, reader);
    use_own_server(p);
    return &p->profile;
}

static struct wireguard_profile *of(struct protocol_profile *profile)
{
    return (struct wireguard_profile *)profile;
}

void wireguard_profile_forget(struct protocol_profile *profile)
{
    if (!profile)
        return;
    secret_wipe(profile, sizeof(struct wireguard_profile));
    free(of(profile));
}

bool wireguard_profile_overlay(struct protocol_profile *profile,
                               const struct protocol_overlay *overlay,
                               const char **why)
{
    struct wireguard_profile *p = of(profile);
    p->overlay = *overlay;
    if (overlay->proxy != PROTOCOL_PROXY_NONE) {
        *why = "WireGuard does not go through a proxy: take vpn-proxy away, or "
               "a profile of OpenVPN";
        return false;
    }
    for (size_t i = 0; i < overlay->server_count; i++) {
        const struct protocol_overlay_server *s = &p->overlay.servers[i];
        if (s->transport == PROTOCOL_TCP) {
            *why = "WireGuard goes over UDP alone, and vpn-remote says tcp";
            return false;
        }
        p->servers[i] = (struct protocol_server){
            .host = s->host,
            .port = s->port ? s->port : p->peers[p->main].port,
            .transport = PROTOCOL_UDP,
            .moves = true,
        };
    }
    if (overlay->server_count)
        p->profile.server_count = overlay->server_count;
    else
        use_own_server(p);
    return true;
}

static bool has_network(const struct wireguard_profile *p,
                        const struct prefix *wanted)
{
    for (uint16_t i = 0; i < p->network_count; i++)
        if (p->networks[i].prefix.bits == wanted->bits &&
            address_equal(&p->networks[i].prefix.address, &wanted->address))
            return true;
    return false;
}

bool wireguard_profile_takes_all(const struct wireguard_profile *p,
                                 enum address_family family)
{
    struct prefix all = {.address.family = family};
    struct prefix half = all, other = all;
    half.bits = other.bits = 1;
    other.address.bytes[0] = 0x80;
    return has_network(p, &all) ||
           (has_network(p, &half) && has_network(p, &other));
}

bool wireguard_profile_takes(const struct wireguard_profile *p,
                             const struct address *address)
{
    for (uint16_t i = 0; i < p->network_count; i++)
        if (prefix_contains(&p->networks[i].prefix, address))
            return true;
    return false;
}
