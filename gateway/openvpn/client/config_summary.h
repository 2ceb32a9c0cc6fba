/* A profile in a few lines for a person: where it connects to, who proves
 * what to whom, and what would have to be asked for. Nothing secret. */
#ifndef OPENVPN_CLIENT_CONFIG_SUMMARY_H
#define OPENVPN_CLIENT_CONFIG_SUMMARY_H

#include "gateway/openvpn/config/config.h"

/* One line: what it is about, and the text, which is valid during the call. */
typedef void config_summary_line(void *context, const char *topic,
                                 const char *text);

void config_summary(const struct config *c, config_summary_line *line,
                    void *context);

#endif
