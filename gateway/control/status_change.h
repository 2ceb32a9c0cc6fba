/*
 * The changes between two looks at a gateway, a sentence each: its state with
 * the reason, what is wrong, and which qubes there are. What only counts
 * (bytes, the seconds of something that is waited for) is no change.
 */
#ifndef CONTROL_STATUS_CHANGE_H
#define CONTROL_STATUS_CHANGE_H

#include <jansson.h>
#include <stdbool.h>

/* One line without its end; valid during the call. */
typedef void status_change_line(void *context, const char *line);

/* `before` is NULL at the first look: then all of it is told. */
void status_change_tell(const json_t *status, const json_t *before,
                        status_change_line *line, void *context);
/* Whether anything would be told. */
bool status_change_is(const json_t *status, const json_t *before);

#endif
