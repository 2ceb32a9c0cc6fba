/* The checks of a .conf that need all of it. */
#ifndef WIREGUARD_PROFILE_CONF_CHECK_H
#define WIREGUARD_PROFILE_CONF_CHECK_H

#include "gateway/wireguard/profile/wireguard_profile.h"

/* Finds the main peer, and reports what is missing or contradicts itself.
 * False where something is an error. */
MUST_USE bool conf_check(struct wireguard_profile *p,
                         const struct protocol_reader *reader);

#endif
