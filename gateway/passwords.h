/*
 * Names and passwords against a file of crypt(3) hashes (yescrypt, argon2,
 * bcrypt, whatever the system's libcrypt knows), a line NAME:HASH each:
 *
 *   printf 'anna:%s\n' "$(mkpasswd -m yescrypt)" >>users
 *
 * A hash is meant to take long, so that it is made in a thread of its own,
 * which starts with the first and is confined as whoever asks is; one at a
 * time, and no more than a few may wait. The file is read for each, so
 * that a change needs no order.
 */
#ifndef GATEWAY_PASSWORDS_H
#define GATEWAY_PASSWORDS_H

#include "gateway/base/bytes.h"
#include "gateway/event/loop.h"

enum {
    PASSWORDS_WAITING_MAX = 64,
    PASSWORDS_TEXT_MAX = 128, /* name and password each, with a NUL */
};

struct passwords; /* heap */

/* `number` is what passwords_check() was given. */
typedef void passwords_answer(void *context, struct instant now,
                              uint64_t number, bool good);

/* `path` is borrowed. NULL on failure; the log says why. */
struct passwords *passwords_open(const char *path, struct loop *loop,
                                 passwords_answer *answer, void *context);
/* Waits for the one that is being made. */
void passwords_close(struct passwords *p);

/* Copied. False if too many wait or a text is too long or empty. */
MUST_USE bool passwords_check(struct passwords *p, uint64_t number,
                              struct bytes name, struct bytes password);

#endif
