/*
 * `vpn-gateway attach`: in a qube that has no vif, its network card over a
 * vchan to the gateway (link/plug.h).
 */
#ifndef COMMAND_ATTACH_H
#define COMMAND_ATTACH_H

/* The arguments begin with the command's name; the exit code. */
int attach(int argc, char **argv);

#endif
