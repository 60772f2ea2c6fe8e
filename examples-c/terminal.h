/*
 * The terminal that a person sits at, while a program on another machine has it.
 */
#ifndef EXAMPLES_TERMINAL_H
#define EXAMPLES_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* From here on every key goes through as it is, the interrupt key too, until terminal_restore() or the end of the
 * program. False when standard input is no terminal. */
bool terminal_make_raw(void);

/* As it was before. Any thread; does nothing where nothing was changed. */
void terminal_restore(void);

bool terminal_is_raw(void);

/* Its size; 80 by 24 where it has none. */
struct winsize terminal_size(void);

/* The modes of the terminal in the form of RFC 4254 section 8; how many bytes. None of a terminal that there is not. */
size_t terminal_modes(unsigned char *modes, size_t room);

#endif
