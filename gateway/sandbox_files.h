/*
 * Which files the process may use from now on, by Landlock: what it opened
 * before stays open.
 */
#ifndef GATEWAY_SANDBOX_FILES_H
#define GATEWAY_SANDBOX_FILES_H

#include "gateway/sandbox.h"

/* What the lists of sandbox.h say. What the running gateway reads by itself
 * (the resolver's configuration, Xen's devices) is added. False if the kernel
 * has no Landlock; paths that are not there are passed over. */
MUST_USE bool sandbox_files_confine(const struct sandbox_options *options);

#endif
