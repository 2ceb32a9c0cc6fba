/*
 * The second wall: rules of the VM's kernel (rpm/wall.nft) that forward
 * nothing and let nobody but the gateway's user send. The gateway needs none
 * of them; they stand in case that another program of the VM, or the kernel,
 * does what it should not.
 *
 * They cannot be read without privileges, so they are asked: they refuse what
 * is sent to one port of this machine itself. Where it is not refused it goes
 * to nobody.
 */
#ifndef PROCESS_KERNEL_RULES_H
#define PROCESS_KERNEL_RULES_H

#include "gateway/base/bytes.h"

/* False, and the log says why: it does not stand, or the kernel forwards. */
MUST_USE bool kernel_rules_stands(void);

#endif
