/* The commands that talk to a running gateway over its control socket. */
#ifndef COMMAND_CONTROL_CLIENT_H
#define COMMAND_CONTROL_CLIENT_H

/* `argv[0]` is the command: status, reconnect, stop or login. Returns the
 * process's exit code. */
int control_client(int argc, char **argv);

#endif
