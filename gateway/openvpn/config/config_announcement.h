/*
 * "tls-auth [inline] 1": says that the file's content stands in a block of this
 * file, and its direction. Without the block the option would be without
 * effect, and a tunnel without what was to protect it: that is an error.
 */
#ifndef OPENVPN_CONFIG_ANNOUNCEMENT_H
#define OPENVPN_CONFIG_ANNOUNCEMENT_H

#include "gateway/openvpn/config/config_builder.h"

/* False if the line is none. */
MUST_USE bool config_announcement_take(struct config_builder *b,
                                       const struct config_tokens *tokens);
/* Here is a block with that tag. */
void config_announcement_kept(struct config_builder *b, const char *tag);
/* At the end of the file: an error for each that has no block. */
void config_announcement_finish(struct config_builder *b);

#endif
