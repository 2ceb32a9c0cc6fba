/*
 * A file of names and crypt(3) hashes, a line NAME:HASH each, and the one hash
 * that a password is to be compared with. For a name that is not there it is
 * the hash of somebody else in the file, always the same for the same name:
 * judging it costs what the file's own hashes cost, so that the time tells
 * nobody which names there are.
 */
#ifndef SERVE_USER_HASHES_H
#define SERVE_USER_HASHES_H

#include "gateway/base/siphash.h"

enum { USER_HASHES_SIZE = 512 }; /* of one hash, with its NUL */

struct user_hashes {
    const struct siphash_key *key;
    const char *name;
    bool known; /* else `hash` is another's, and no password is right */
    uint64_t rank;
    char hash[USER_HASHES_SIZE];
};

/* Borrows the key, which no client may know, and the name. Until a line has a
 * hash, it is one of ours that nobody's password has. */
void user_hashes_start(struct user_hashes *h, const struct siphash_key *key,
                       const char *name);
/* The next line of the file; the first one of a name counts. */
void user_hashes_take(struct user_hashes *h, struct bytes line);
/* The hash cannot be used: as if the name were not there. */
void user_hashes_fall_back(struct user_hashes *h);
void user_hashes_clear(struct user_hashes *h); /* wipes */

#endif
