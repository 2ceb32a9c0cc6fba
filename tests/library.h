/* The TLS library that the program is built with, where what is right depends
 * on it. */
#ifndef TESTS_LIBRARY_H
#define TESTS_LIBRARY_H

#include <stdbool.h>
#include <string.h>

/* "mbedtls" or "openssl", as the Makefile's TLS says. */
static inline bool library_is(const char *name)
{
    return strcmp(TLS_LIBRARY, name) == 0;
}

#endif
