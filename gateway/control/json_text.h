/* Text of anybody's as a JSON string: what is no UTF-8 becomes '?', so that
 * the text is not lost as a whole. */
#ifndef CONTROL_JSON_TEXT_H
#define CONTROL_JSON_TEXT_H

#include <jansson.h>

/* null for NULL. */
json_t *json_text(const char *text);

#endif
