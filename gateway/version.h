/* The version of everything: the program, its package. */
#ifndef GATEWAY_VERSION_H
#define GATEWAY_VERSION_H

#define VERSION "0.1.0"

#endif
