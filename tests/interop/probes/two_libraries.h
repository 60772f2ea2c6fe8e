/*
 * The two halves of the test with both libraries. Each is a shared library of its own, linked with one SSH library:
 * in one source file the two headers would be at odds, and in one program the static linker would bind the names
 * that both have to whichever library came first. So it is with real programs, where a plugin brings its own.
 */
#ifndef TWO_LIBRARIES_H
#define TWO_LIBRARIES_H

/* Run a command over SSH and put its output into `text`. 0 when all went well. */
typedef int half(const char *host, int port, const char *user, const char *key_file, char *text, unsigned size);

half exec_with_libssh;
half exec_with_libsshwire;

#endif
