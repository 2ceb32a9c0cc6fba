/* Says to a person what is wrong with a command line: which word, and the
 * nearest one that exists. */
#ifndef PROCESS_ARGUMENTS_H
#define PROCESS_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>

enum { ARGUMENTS_EXIT = 2 }; /* of usage, or a file that is no use */

/* As getopt_long(), which says nothing by itself; the short option of every
 * command is -v, where `verbose'. '?' or ':' for what arguments_problem()
 * explains. Begins at the first argument after arguments_begin(). */
void arguments_begin(void);
int arguments_next(int argc, char **argv, const struct option *known,
                   bool verbose);

/* The text about the last arguments_next(), whose answer is `option`. Valid
 * until the next call. */
const char *arguments_problem(char **argv, int option,
                              const struct option *known);

/* The text about an argument that is one too many. Valid like the other. */
const char *arguments_surplus(const char *argument);

/* Prints the problem, and which help there is; ARGUMENTS_EXIT. */
int arguments_refuse(const char *command, const char *problem);

#endif
