/*
 * A vchan as one qube's network card, for a qube that is to have no vif: the
 * qube runs `vpn-gateway attach`, which offers the vchan and has a TAP at its
 * other side. The link connects as soon as the offer stands in the qube's
 * part of xenstore, again after each loss, and to the next offer when the
 * qube makes another.
 *
 * Everything the qube says is judged as on a vif. Bytes that are no record, or
 * a frame that is too long, lose the connection of this qube and nothing else.
 * An attempt that leads nowhere (libxenvchan removes no offer of a qube that
 * was killed) and one to a qube that comes and goes is made again, ever more
 * rarely.
 */
#ifndef LINK_XEN_VCHAN_H
#define LINK_XEN_VCHAN_H

#include "gateway/link/link.h"

/* Below the qube's home in xenstore, without a slash in front; with the
 * longest home it is still what libxenvchan can take. */
enum { VCHAN_PATH_SIZE = 30 };

struct vchan_options {
    uint32_t domain; /* of the qube */
    const char *path;
    struct address ipv4;
    struct address ipv6; /* or unset */
    uint8_t mac[6];      /* of the qube; all zero: learnt */
};

/* Letters, digits and "-_/", in names that are not empty. */
MUST_USE bool vchan_path_valid(struct bytes path);

/* The qube is added when it has connected. NULL and *error on failure; the
 * log says what. */
struct link *vchan_open(const struct vchan_options *options, struct loop *loop,
                        const struct link_owner *owner, enum error *error);

#endif
