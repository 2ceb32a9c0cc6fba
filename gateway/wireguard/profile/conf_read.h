/* From the text of a .conf to a profile: what each line says, and what is wrong
 * with it. */
#ifndef WIREGUARD_PROFILE_CONF_READ_H
#define WIREGUARD_PROFILE_CONF_READ_H

#include "gateway/wireguard/profile/wireguard_profile.h"

/* *p is zeroed. False where a problem that was reported is an error. */
MUST_USE bool conf_read(struct wireguard_profile *p, struct bytes text,
                        const struct protocol_reader *reader);

#endif
