/*
 * Stands in for libxenvchan where there is no Xen: both ends of each vchan
 * are in one process. Like the real one it tells an end of new data or new
 * room only when that end has asked, which the real one does as it finds too
 * little; so a wake-up that is lost there is lost here. libxenvchan_wait()
 * may only be called when something was told, because it would block.
 */
#ifndef TESTS_LINK_XEN_VCHAN_PAIR_H
#define TESTS_LINK_XEN_VCHAN_PAIR_H

#include <libxenvchan.h>
#include <stdbool.h>
#include <stdint.h>

/* Nothing is offered. Servers will be those of this domain, and `offered` is
 * told when one writes its place into xenstore and when it takes it away. */
void vchan_pair_reset(uint32_t domain,
                      void (*offered)(const char *place, bool there));

/* Rings made from now on have so many bytes, whatever is asked for. */
void vchan_pair_set_ring(uint32_t size);

/* No end can be made. */
void vchan_pair_refuse(bool refuse);

/* The server's domain is gone without a word: the other end hears nothing. */
void vchan_pair_forget(struct libxenvchan *vchan);

/* Ends that are open; attempts to be a client so far. */
unsigned vchan_pair_open_count(void);
unsigned vchan_pair_attempts(void);

#endif
