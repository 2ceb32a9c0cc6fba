/*
 * Limits the system calls of the process, in all its threads, to those of one
 * table. Another one ends the process at once (SIGSYS), which the service
 * manager sees and the kernel logs.
 */
#ifndef PROCESS_SANDBOX_CALLS_H
#define PROCESS_SANDBOX_CALLS_H

#include "gateway/base/bytes.h"

/* `replaces`: files may be made and renamed as well. On false errno says why,
 * and nothing is forbidden. */
MUST_USE bool sandbox_calls_confine(bool replaces);

#endif
