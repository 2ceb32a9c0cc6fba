/*
 * The qube's side of a vchan link (vchan.h): offers the vchan to the gateway
 * and carries frames between it and a TAP device, which is the qube's network
 * card. A gateway that goes finds a new offer when it comes again. Frames are
 * carried as they are: who judges them is the gateway on one side and the
 * qube's kernel on the other.
 */
#ifndef LINK_XEN_VCHAN_FRONTEND_H
#define LINK_XEN_VCHAN_FRONTEND_H

#include "gateway/event/loop.h"

struct vchan_frontend_options {
    uint32_t gateway;   /* its domain */
    const char *path;   /* of the offer, below our home in xenstore */
    const char *name;   /* of the TAP, for people */
    int tap;            /* its descriptor, not blocking; the plug's own now */
    bool takes_udp_gso; /* the TAP */
};

struct vchan_frontend; /* heap */

/* NULL and the descriptor closed when memory is short. When the TAP fails the
 * loop is made to quit. */
struct vchan_frontend *
vchan_frontend_open(const struct vchan_frontend_options *options,
                    struct loop *loop);
void vchan_frontend_close(struct vchan_frontend *p);

/* The TAP has failed. */
bool vchan_frontend_failed(const struct vchan_frontend *p);

#endif
