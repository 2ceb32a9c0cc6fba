/* The status file as OpenVPN's server writes it, in its versions 1, 2 (fields
 * between commas) and 3 (between tabs), for programs that watch it
 * (openvpn: multi.c, multi_print_status). */
#ifndef SERVE_SERVE_REPORT_H
#define SERVE_SERVE_REPORT_H

#include <stdio.h>

#include "gateway/openvpn/server/server.h"

void serve_report_write(const struct server *server, uint32_t version,
                        struct instant now, FILE *out);

#endif
