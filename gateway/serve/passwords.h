/*
 * Names and passwords against a file of crypt(3) hashes (yescrypt, argon2,
 * bcrypt, whatever the system's libcrypt knows), a line NAME:HASH each:
 *
 *   printf 'anna:%s\n' "$(mkpasswd -m yescrypt)" >>users
 *
 * A hash is meant to take long, so that it is made in a thread of its own,
 * which starts with the first and is confined as whoever asks is; one at a
 * time, in the order of login_queue.h. The file is read for each, so that a
 * change needs no order.
 */
#ifndef SERVE_PASSWORDS_H
#define SERVE_PASSWORDS_H

#include "gateway/event/loop.h"
#include "gateway/openvpn/server/server.h"

enum { PASSWORDS_TEXT_MAX = 128 }; /* name and password each, with a NUL */

struct passwords; /* heap */

/* ADMIT, REFUSE, or BUSY where the file cannot be read; `client` is the
 * login's. */
typedef void passwords_answer(void *context, struct instant now,
                              uint64_t client, enum server_verdict verdict);

/* `path` is borrowed. NULL on failure; the log says why. */
struct passwords *passwords_open(const char *path, struct loop *loop,
                                 passwords_answer *answer, void *context);
/* Waits for the one that is being made. */
void passwords_close(struct passwords *p);

/* Copied. LATER; REFUSE if a text is too long or empty; BUSY if too many
 * wait. */
enum server_verdict passwords_check(struct passwords *p,
                                    const struct server_login *login);

#endif
