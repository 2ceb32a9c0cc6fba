/*
 * The checks that need every line of a profile: the list of remotes, which
 * ciphers are offered, and what is missing or contradictory.
 */
#ifndef OPENVPN_CONFIG_CONFIG_FINISH_H
#define OPENVPN_CONFIG_CONFIG_FINISH_H

#include "gateway/openvpn/config/config_builder.h"

/* Completes b->config and reports, mostly about line 0. */
void config_finish(struct config_builder *b);

/* Keeps a variable that is told to the server. */
void config_finish_peer_info(struct config_builder *b, const char *name,
                             const char *value);

#endif
