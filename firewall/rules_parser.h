/*
 * Rules in the text that dom0 writes below /qubes-firewall/<address>/ (Qubes
 * OS: vm-interface, "Firewall rules in 4.x"):
 *
 *   policy   accept|drop
 *   0000     action=accept|drop [dst4=A[/N] | dst6=A[/N] | dsthost=NAME]
 *            [proto=tcp|udp|icmp] [specialtarget=dns] [dstports=P[-Q]]
 *            [icmptype=T]
 *
 * Options are separated by one space, in any order, none twice. Numbers may
 * have gaps; they count, not the order in which entries come. Anything else
 * makes the whole set bad.
 */
#ifndef FIREWALL_RULES_PARSER_H
#define FIREWALL_RULES_PARSER_H

#include "firewall/rules.h"

/* The rules of `source`, whose names have their uses counted in `names`; bad
 * ones use none. NULL only when memory is short. */
struct rules *rules_parse(const struct address *source,
                          const struct rules_entry *entries, size_t count,
                          struct rule_names *names);

/* Frees them and gives the uses of their names back. NULL is fine. */
void rules_free(struct rules *rules, struct rule_names *names);

#endif
