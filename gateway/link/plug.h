/*
 * The qube's side of a vchan link (vchan.h): offers the vchan to the gateway
 * and carries frames between it and a TAP device, which is the qube's network
 * card. A gateway that goes finds a new offer when it comes again. Frames are
 * carried as they are: who judges them is the gateway on one side and the
 * qube's kernel on the other.
 */
#ifndef LINK_PLUG_H
#define LINK_PLUG_H

#include "gateway/event/loop.h"

struct plug_options {
    uint32_t gateway;   /* its domain */
    const char *path;   /* of the offer, below our home in xenstore */
    const char *name;   /* of the TAP, for people */
    int tap;            /* its descriptor, not blocking; the plug's own now */
    bool takes_udp_gso; /* the TAP */
};

struct plug; /* heap */

/* NULL and the descriptor closed when memory is short. When the TAP fails the
 * loop is made to quit. */
struct plug *plug_open(const struct plug_options *options, struct loop *loop);
void plug_close(struct plug *p);

/* The TAP has failed. */
bool plug_failed(const struct plug *p);

#endif
