/* Output for a person at a terminal. */
#ifndef PROCESS_TERMINAL_H
#define PROCESS_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* It is a terminal that takes colours, and nobody said NO_COLOR. */
bool terminal_has_colour(FILE *out);

/* Its other screen, which leaves no trace on the first. False, and nothing
 * was done, where it is no terminal, or one that cannot (TERM=dumb). */
bool terminal_enter_screen(FILE *out);
void terminal_leave_screen(FILE *out);
/* From its top, as much of the text as it has rows; whether more fit or not,
 * the rest of the screen is empty. */
void terminal_show(FILE *out, const char *text);

#endif
