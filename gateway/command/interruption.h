/* A signal that would end a command while it waits: it is noted instead, so
 * that the terminal is put in order before the signal has its effect. */
#ifndef COMMAND_INTERRUPTION_H
#define COMMAND_INTERRUPTION_H

#include <stdbool.h>

/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT are noted. */
void interruption_catch(void);
bool interruption_came(void);
/* Ends the process by the signal that came; does nothing if none did. */
void interruption_obey(void);

#endif
