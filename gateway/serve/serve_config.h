/* A server's configuration, which is its administrator's own: the files that it
 * names may lie anywhere. */
#ifndef SERVE_SERVE_CONFIG_H
#define SERVE_SERVE_CONFIG_H

#include "gateway/openvpn/server_config/server_config_parser.h"

/* Problems are logged: FILE:LINE: error: ... The caller clears *out in both
 * cases. */
MUST_USE bool serve_config_load(const char *path, struct server_config *out);

/* A file that it named, again; with a NUL behind it. False, and the log says
 * why. */
MUST_USE bool serve_config_read_again(const char *path, const char *file,
                                      struct blob *out);

#endif
