/*
 * What the process may reach from now on, by Landlock: files, and, as far as
 * the kernel's version of it goes, TCP ports, sockets and processes. What it
 * opened, listens on or is connected with stays.
 */
#ifndef PROCESS_SANDBOX_FILES_H
#define PROCESS_SANDBOX_FILES_H

#include "gateway/process/sandbox.h"

/* What a kernel can be asked to forbid. */
struct sandbox_scope {
    uint64_t files, net, scoped; /* bits of linux/landlock.h */
};

/* By the version of Landlock, and the errors in it that are known and mended
 * there. */
struct sandbox_scope sandbox_files_scope(long version, long mended);

/* What the lists of sandbox.h say. What the running gateway reads by itself
 * (the resolver's configuration, Xen's devices) is added. False if the kernel
 * has no Landlock; paths that are not there are passed over. */
MUST_USE bool sandbox_files_confine(const struct sandbox_options *options);

#endif
