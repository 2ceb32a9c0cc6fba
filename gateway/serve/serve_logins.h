/*
 * Judges names and passwords for a running server: by a file of hashes
 * (passwords.h), another program (password_helper.h), or not at all, and then a
 * good certificate is enough.
 */
#ifndef SERVE_SERVE_LOGINS_H
#define SERVE_SERVE_LOGINS_H

#include "gateway/event/loop.h"
#include "gateway/openvpn/server/server.h"

struct serve_logins; /* heap */

/* The verdict on a login that was LATER; `reason` is NULL or for the client. */
typedef void serve_logins_answer(void *context, struct instant now,
                                 uint64_t client, enum server_verdict verdict,
                                 const char *reason);

/* NULL on failure; the log says why. */
struct serve_logins *serve_logins_open(const struct server_config *config,
                                       struct loop *loop,
                                       serve_logins_answer *answer,
                                       void *context);
void serve_logins_close(struct serve_logins *l);

enum server_verdict serve_logins_judge(struct serve_logins *l,
                                       struct instant now,
                                       const struct server_login *login);

#endif
