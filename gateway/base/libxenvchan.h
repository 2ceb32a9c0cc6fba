/*
 * libxenvchan, loaded at run time. Its soname is Xen's release: a program that
 * is linked with it goes with that release, and an upgrade of the template may
 * erase the package. Only what names a vchan on the command line needs it.
 *
 *   libxenvchan_load     before the sandbox, which lets no library be opened
 *   libxenvchan_read…    the library's functions, as its own header has them
 *
 * The struct of that header is public, and its flags are read and written by
 * its users: only releases whose struct was compared are loaded.
 */
#ifndef BASE_LIBXENVCHAN_H
#define BASE_LIBXENVCHAN_H

#include <libxenvchan.h>

#include "gateway/base/bytes.h"

/* To be called before any other, more than once if need be. False, and the log
 * says what to install, if the system has no release that we know. */
MUST_USE bool libxenvchan_load(void);

#endif
