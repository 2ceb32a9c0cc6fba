/*
 * Stands in for libxenstore, in this process and without a thread: what is
 * written is there at once, and its events wait to be taken. The client is
 * domain FAKE_CARD_BACKEND, and may write below its home only. The rest of
 * the world writes as into a fake_xenstored (tests/link/fake_xenstored.h),
 * whose functions are here, too; there is one store, and NULL is it.
 */
#ifndef TESTS_FUZZ_STORE_DOUBLE_H
#define TESTS_FUZZ_STORE_DOUBLE_H

#include "gateway/base/bytes.h"
#include "tests/link/xen/fake_xenstored.h"

/* Empty again, but for the watches, whose events are forgotten. */
void store_double_reset(void);

/* Any bytes: values of frontends are not text. */
void store_double_write(const char *path, struct bytes value);

/* The next event's path and token, borrowed until the next call; false: there
 * is none. */
bool store_double_take_event(const char **path, const char **token);

#endif
