/*
 * Ports by the names that profiles give them, as /etc/services has them: this
 * folder reads no files, and a VPN listens on few others.
 */
#ifndef OPENVPN_CONFIG_SERVICE_NAMES_H
#define OPENVPN_CONFIG_SERVICE_NAMES_H

#include "gateway/base/bytes.h"

/* False, and *port as it was, if there is none of that name. */
MUST_USE bool service_names_find(const char *name, uint16_t *port);

#endif
