/*
 * `vpn-gateway serve`: the multi-client server. A thin shell around
 * openvpn/server beside `run`: its clients come in through a UDP and a TCP
 * socket and out of a TUN device, behind which the host's kernel routes.
 *
 *   clients -> serve_listeners -> server_open -> coalesce -> link/tun
 *   clients <- serve_listeners <- server_seal <- segment  <- link/tun
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

/* The whole command; argv[0] is "serve". Exit status: 0 done, 1 failed while
 * running, 2 usage or configuration unusable. */
int serve(int argc, char **argv);

#endif
