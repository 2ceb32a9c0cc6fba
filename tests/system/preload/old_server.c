/*
 * Preloaded into a real OpenVPN server, makes it an older one: of what the
 * client says it can do (IV_PROTO) the server sees only the bits that
 * SERVER_PROTOCOL_BITS names. 2 leaves DATA_V2 and takes away keys from the
 * TLS exporter and PUSH_REPLY without a request, which is OpenVPN 2.4; 0 takes
 * away the peer-id as well.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server asks for one of the two names, depending on its C library. */
int __isoc99_sscanf(const char *text, const char *format, ...)
    __attribute__((format(scanf, 2, 3)));
int __isoc23_sscanf(const char *text, const char *format, ...)
    __attribute__((format(scanf, 2, 3)));

static int scan(const char *text, const char *format, va_list arguments)
    __attribute__((format(scanf, 2, 0)));
static int scan(const char *text, const char *format, va_list arguments)
{
    const char *bits = getenv("SERVER_PROTOCOL_BITS");
    va_list again;
    va_copy(again, arguments);
    int found = vsscanf(text, format, arguments);
    if (bits && found == 1 && strcmp(format, "IV_PROTO=%d") == 0)
        *va_arg(again, int *) &= atoi(bits);
    va_end(again);
    return found;
}

int __isoc99_sscanf(const char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int found = scan(text, format, arguments);
    va_end(arguments);
    return found;
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int found = scan(text, format, arguments);
    va_end(arguments);
    return found;
}
