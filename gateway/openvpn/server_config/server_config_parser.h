/*
 * Reads a server's configuration: the syntax of a profile (config_file.h), a
 * table of its own for what only servers have (server_config_options.h), and
 * the profile's table for what both have. A mistake is an error here, where a
 * client's profile is put up with: it is the administrator's own file.
 */
#ifndef OPENVPN_SERVER_CONFIG_SERVER_CONFIG_PARSER_H
#define OPENVPN_SERVER_CONFIG_SERVER_CONFIG_PARSER_H

#include "gateway/openvpn/config/config_parser.h"
#include "gateway/openvpn/server_config/server_config.h"

/* Parses `text` into *out (initialised here). True if it is usable: no error
 * was reported. The caller clears *out in both cases. */
MUST_USE bool server_config_parse(struct bytes text, const char *path,
                                  const struct config_parser_env *env,
                                  struct server_config *out);

#endif
