/*
 * A xenstored for one client, on a Unix socket that libxenstore finds through
 * XENSTORED_PATH, so that the real library runs. It has a thread of its own,
 * for the library waits for answers. The client is a domain: relative paths
 * are below its home, and elsewhere it may only read.
 *
 * The test is the toolstack and the other domains: it reads and writes where
 * it likes, and the client's watches see it.
 */
#ifndef TESTS_LINK_XEN_FAKE_XENSTORED_H
#define TESTS_LINK_XEN_FAKE_XENSTORED_H

#include <stdbool.h>
#include <stdint.h>

enum { FAKE_XENSTORED_VALUE_SIZE = 512 };

struct fake_xenstored;

/* For the domain's client; sets XENSTORED_PATH. Aborts on failure. */
struct fake_xenstored *fake_xenstored_new(uint32_t domain);
void fake_xenstored_free(struct fake_xenstored *x);

/* Together, as in a transaction: the client sees none or all. */
void fake_xenstored_lock(struct fake_xenstored *x);
void fake_xenstored_unlock(struct fake_xenstored *x);

void fake_xenstored_write(struct fake_xenstored *x, const char *path,
                          const char *value);
void fake_xenstored_remove(struct fake_xenstored *x, const char *path);
/* Borrowed until the next call; NULL where there is none. */
const char *fake_xenstored_read(struct fake_xenstored *x, const char *path);

/* The client may read nothing at or below it; "" for all. */
void fake_xenstored_deny(struct fake_xenstored *x, const char *path);
/* So many of the client's next transactions fail with EAGAIN. */
void fake_xenstored_disturb(struct fake_xenstored *x, unsigned count);

/* About the client: whether it has not read all it was told, its watches now,
 * its requests in all. */
bool fake_xenstored_unread(struct fake_xenstored *x);
unsigned fake_xenstored_watches(struct fake_xenstored *x);
unsigned fake_xenstored_requests(struct fake_xenstored *x);

#endif
