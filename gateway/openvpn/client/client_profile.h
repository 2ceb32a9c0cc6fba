/* An OpenVPN profile behind the door of protocols: what the parser made of it,
 * and what the door shows of that. */
#ifndef OPENVPN_CLIENT_CLIENT_PROFILE_H
#define OPENVPN_CLIENT_CLIENT_PROFILE_H

#include "gateway/openvpn/config/config.h"
#include "gateway/vpn/protocol.h"

struct client_profile {
    struct protocol_profile shown; /* first */
    struct config config;
    struct protocol_server *servers; /* owned; one for each remote */
};

/* A line that begins with an option of its own. */
bool client_profile_recognises(struct bytes text);
/* As protocol_kind has them. */
struct protocol_profile *
client_profile_read(struct bytes text, const char *path,
                    const struct protocol_reader *reader, bool *usable);
void client_profile_describe(const struct protocol_profile *profile,
                             void (*line)(void *context, const char *topic,
                                          const char *text),
                             void *context);
bool client_profile_overlay(struct protocol_profile *profile,
                            const struct protocol_overlay *overlay,
                            const char **why);
void client_profile_forget(struct protocol_profile *profile);

/* The config inside. */
const struct config *
client_profile_config(const struct protocol_profile *profile);
/* Borrows the remote. */
struct protocol_server client_profile_server(const struct config_remote *r);

#endif
