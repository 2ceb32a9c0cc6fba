/*
 * Limits, by Landlock, what the process may reach: files, and, as far as the
 * kernel's version of it goes, TCP ports, sockets and processes. Opened files,
 * listening sockets and connections stay.
 */
#ifndef PROCESS_SANDBOX_FILES_H
#define PROCESS_SANDBOX_FILES_H

#include "gateway/process/sandbox.h"

/* The rights that a kernel can be asked to forbid. */
struct sandbox_scope {
    uint64_t files, net, scoped; /* bits of linux/landlock.h */
};

/* By the version of Landlock, and the errors in it that are known and mended
 * there. */
struct sandbox_scope sandbox_files_scope(long version, long mended);

/* Allows the lists of sandbox.h, and the files that the running gateway reads
 * by itself (the resolver's configuration, Xen's devices). False if the kernel
 * has no Landlock; paths that do not exist are passed over. */
MUST_USE bool sandbox_files_confine(const struct sandbox_options *options);

#endif
