/*
 * The files of a server that runs: what it reads of each client
 * (client-config-dir), the list of revoked certificates, which is read again
 * when it has changed, and what it writes (ifconfig-pool-persist, status).
 * file_plan decides what is done when. The leases are opened at the start, and
 * rewritten in place; the status is replaced, unless that would open the
 * configuration's directory to this process.
 */
#ifndef SERVE_SERVE_FILES_H
#define SERVE_SERVE_FILES_H

#include "gateway/event/loop.h"
#include "gateway/openvpn/server/server.h"

struct serve_files; /* heap */

/* Reads who had which address. `server` may not be closed before. NULL on
 * failure; the log says why. */
struct serve_files *serve_files_open(const struct server_config *config,
                                     struct loop *loop, struct server *server);
/* The directory in which files are to be replaced, for the caller to free; NULL
 * if there is none. */
char *serve_files_replaces_in(const struct serve_files *f);

/* Writes what there is to write. */
void serve_files_close(struct serve_files *f);

/* Reads the list of revoked certificates again. Nobody who is in is dropped,
 * but who is on it cannot negotiate again; a list that cannot be used leaves
 * the one before. */
void serve_files_reload(struct serve_files *f);

/* Reads what is said of one client; see server_env. */
bool serve_files_client(const struct server_config *config,
                        const char *common_name,
                        struct server_client_config *out);

#endif
