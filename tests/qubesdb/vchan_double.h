/*
 * Stands in for libxenvchan and libxenstore where there is no Xen: a vchan is
 * a socket pair whose other end the test gives to a daemon. Like the real
 * one it tells of new data once, and libxenvchan_wait() may only be called
 * when something was told, because it would block.
 */
#ifndef TESTS_QUBESDB_VCHAN_DOUBLE_H
#define TESTS_QUBESDB_VCHAN_DOUBLE_H

#include <stdbool.h>

/* Whether there is a xenstore at all, and this qube's number in it. */
void vchan_double_xenstore(bool present, const char *domid);

/* dom0's daemon offers its leaf; what connects next gets one end, and the
 * other is returned. */
int vchan_double_offer(void);

/* A leaf that leads nowhere. */
void vchan_double_offer_nothing(void);

/* The hypervisor's part in the meantime. */
void vchan_double_turn(void);

/* How many clients are open, and how many xenstores. */
int vchan_double_open_count(void);

#endif
