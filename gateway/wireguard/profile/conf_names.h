/*
 * The keys of a .conf: those that are read, those that mean nothing here, and
 * those of other programs, with what is said to a person about them.
 */
#ifndef WIREGUARD_PROFILE_CONF_NAMES_H
#define WIREGUARD_PROFILE_CONF_NAMES_H

#include "gateway/base/bytes.h"

enum conf_name {
    CONF_NAME_UNKNOWN,
    /* [Interface] */
    CONF_NAME_PRIVATE_KEY,
    CONF_NAME_ADDRESS,
    CONF_NAME_DNS,
    CONF_NAME_MTU,
    CONF_NAME_LISTEN_PORT,
    CONF_NAME_IGNORED, /* Table, FwMark, SaveConfig */
    CONF_NAME_HOOK,    /* PreUp, PostUp, PreDown, PostDown */
    CONF_NAME_JUNK,    /* AmneziaWG's, for the sender alone */
    CONF_NAME_MAGIC,   /* AmneziaWG's, which both ends need */
    CONF_NAME_PADDING, /* AmneziaWG's S1 to S4 */
    CONF_NAME_HEADER,  /* AmneziaWG's H1 to H4 */
    /* [Peer] */
    CONF_NAME_PUBLIC_KEY,
    CONF_NAME_PRESHARED_KEY,
    CONF_NAME_ENDPOINT,
    CONF_NAME_ALLOWED_IPS,
    CONF_NAME_KEEPALIVE,
};

enum conf_name conf_names_find(struct bytes key);
/* The key that an unknown one was meant to be, or NULL. */
const char *conf_names_nearest(struct bytes key);
/* The meaning elsewhere of a key that has none here. */
const char *conf_names_ignored(struct bytes key);
/* The message about a hook with this command: it is never run. */
const char *conf_names_hook(struct bytes command);
/* The message about a section that is none of WireGuard's. */
const char *conf_names_section(struct bytes name);
/* The value of H1 to H4 in plain WireGuard, from the key's last character. */
bool conf_names_plain_header(struct bytes key, struct bytes value);

#endif
