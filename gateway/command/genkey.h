/* `vpn-gateway genkey`: key files that openvpn accepts, mode 0600, never over
 * an existing file. */
#ifndef COMMAND_GENKEY_H
#define COMMAND_GENKEY_H

/* argv[0] is "genkey". Returns the process's exit code. */
int genkey(int argc, char **argv);

#endif
