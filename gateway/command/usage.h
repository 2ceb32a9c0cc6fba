/* How each command is called, and what it does. */
#ifndef COMMAND_USAGE_H
#define COMMAND_USAGE_H

#include <stdbool.h>
#include <stdio.h>

/* All commands. */
void usage_print(FILE *out);
/* One of them; false if there is none of that name. */
bool usage_print_command(const char *name, FILE *out);
/* The command that a misspelt one was meant to be, or NULL. */
const char *usage_nearest(const char *name);

#endif
