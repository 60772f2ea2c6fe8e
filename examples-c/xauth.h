/*
 * Cookies of X11 displays: asking xauth for one, and writing a file with one.
 */
#ifndef EXAMPLES_XAUTH_H
#define EXAMPLES_XAUTH_H

#include <stdbool.h>
#include <stddef.h>

/* Asks the program `xauth` for the cookie of a display; how many bytes it has, 0 when there is none. */
size_t read_cookie(const char *xauth, const char *display, unsigned char *cookie, size_t room);

/* Has it make a cookie that programs can show themselves with, and not look at others; it counts for as many seconds, or
 * without an end for 0. The display must know such cookies. */
size_t untrusted_cookie(const char *xauth, const char *display, unsigned seconds, unsigned char *cookie, size_t room);

/* Writes a file as xauth does, which must not be there yet: the cookie, given in hexadecimal, of the display with this
 * number at any address. */
bool write_cookie(const char *path, const char *number, const char *protocol, const char *hex);

#endif
