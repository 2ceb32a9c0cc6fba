/*
 * Names and passwords judged by somebody else: a program of the
 * administrator's that listens on a Unix stream socket. For each login a
 * connection is made, with one JSON object on a line each way:
 *
 *   {"name": "anna", "password": "...", "common_name": "...",
 *    "address": "192.0.2.2:5000", "again": false}
 *   {"good": true}   or   {"good": false, "reason": "..."}
 *   or   {"good": false, "later": true}
 *
 * The reason is for the client, perhaps a challenge (CRV1:...). Where nobody
 * listens, no answer comes in time, or the program hangs up before its answer
 * or says that it cannot tell now, the client is told to come again; anything
 * else is a refusal. How many may be asked about at once, and of one address,
 * login_queue.h says.
 */
#ifndef SERVE_PASSWORD_HELPER_H
#define SERVE_PASSWORD_HELPER_H

#include "gateway/event/loop.h"
#include "gateway/openvpn/server/server.h"

enum { PASSWORD_HELPER_SECONDS = 20 }; /* for an answer */

struct password_helper; /* heap */

/* ADMIT, REFUSE or BUSY. `client` is the login's; `reason` is NULL or what was
 * said, borrowed. */
typedef void password_helper_answer(void *context, struct instant now,
                                    uint64_t client,
                                    enum server_verdict verdict,
                                    const char *reason);

/* `path` is borrowed. NULL when memory is short. */
struct password_helper *password_helper_new(const char *path, struct loop *loop,
                                            password_helper_answer *answer,
                                            void *context);
void password_helper_free(struct password_helper *h);

/* LATER; REFUSE if the question cannot be written; BUSY if too many wait or
 * nobody listens. The log says why. */
enum server_verdict password_helper_ask(struct password_helper *h,
                                        struct instant now,
                                        const struct server_login *login);

#endif
