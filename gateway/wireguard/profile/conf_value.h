/* Values of a .conf that are no keys. What they cannot read has a phrase that
 * says why, and NULL is success. */
#ifndef WIREGUARD_PROFILE_CONF_VALUE_H
#define WIREGUARD_PROFILE_CONF_VALUE_H

#include "gateway/base/address.h"

enum { CONF_VALUE_HOST_SIZE = 256 };

/* An address with or without a prefix length; host bits stay. */
const char *conf_value_address(struct bytes text, struct prefix *out);
/* The same, and host bits are cut: *cut says so. */
const char *conf_value_network(struct bytes text, struct prefix *out,
                               bool *cut);
/* "name:51820", "192.0.2.1:51820", "[2001:db8::1]:51820", or the last without
 * brackets. */
const char *conf_value_endpoint(struct bytes text,
                                char host[CONF_VALUE_HOST_SIZE],
                                uint16_t *port);
/* Seconds, or "off". */
const char *conf_value_keepalive(struct bytes text, uint16_t *out);
const char *conf_value_mtu(struct bytes text, uint16_t *out);

#endif
