/*
 * PUSH_REPLY and PUSH_UPDATE: from the server's text to what it grants. The
 * profile's own ifconfig, route and dhcp-option lines go through the same
 * code. An option that may not be pushed is ignored and reported; scripts
 * are never honoured (openvpn: push.c, options_parse.c).
 */
#ifndef OPENVPN_PUSH_PUSH_OPTIONS_H
#define OPENVPN_PUSH_PUSH_OPTIONS_H

#include "gateway/openvpn/push/push_options_granted.h"

/* Defaults, then the profile's own lines. */
void push_options_init(struct push_options *o, const struct config *config,
                       config_note *report, void *context);
/* Wipes the token. */
void push_options_clear(struct push_options *o);

/* Adds one message ("PUSH_REPLY,...", without the NUL) on top. False if it is
 * not one. Continued messages are added one after another. "PUSH_UPDATE,..."
 * changes what earlier ones granted: then push_options_finish() again. */
MUST_USE bool push_options_add(struct push_options *o, struct bytes message,
                               const struct config *config, config_note *report,
                               void *context);

/* Settles what depends on several options (topology and ifconfig, gateways of
 * routes, DNS order). False if the result is not a usable tunnel: `*why` says
 * so. */
MUST_USE bool push_options_finish(struct push_options *o, const char **why);

/* One line of the profile: ifconfig, route, dhcp-option, ... False if it is
 * none of those, or malformed. */
MUST_USE bool push_options_add_line(struct push_options *o, struct bytes line,
                                    config_note *report, void *context);
/* The same, with nothing to add it to: whether it will be understood (a
 * config_try_line of the profile's parser). */
MUST_USE bool push_options_try_line(struct bytes line, config_note *report,
                                    void *context);

#endif
