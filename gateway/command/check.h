/* `vpn-gateway check FILE`: what a profile says, and what is wrong with it. */
#ifndef COMMAND_CHECK_H
#define COMMAND_CHECK_H

#include <stdio.h>

enum { CHECK_USABLE = 0, CHECK_UNUSABLE = 2 };

/* Writes FILE:LINE: error|warning: text, one problem a line, then a summary
 * for a person. Colours only where `out` is a terminal. Returns the exit
 * code. */
int check_run(const char *file, FILE *out);

/* The command; its arguments begin with its name. */
int check(int argc, char **argv);

#endif
