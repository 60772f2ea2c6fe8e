/*
 * What the program says: which of it, and where it goes.
 */
#ifndef SSH_LOGGING_H
#define SSH_LOGGING_H

#include <stdbool.h>

#include "../common.h"

enum level { LEVEL_QUIET, LEVEL_FATAL, LEVEL_ERROR, LEVEL_INFO, LEVEL_VERBOSE, LEVEL_DEBUG1, LEVEL_DEBUG2, LEVEL_DEBUG3 };

/* Has say() and fail() of common.h, and the library's log, come here. First thing in main(). */
void logging_begin(void);

/* A file for all of it, which is added to; ends the program when there is none. Or the system's log. */
void logging_to_file(const char *path);
void logging_to_system(void);
bool logging_is_on_stderr(void);

/* The most detailed level that is shown; INFO at first. */
void logging_set_level(enum level level);
enum level logging_level(void);

/* The level that LogLevel means by a word, and the word for a level. */
enum level logging_level_of(const char *word);
const char *logging_word(enum level level);

/* A line for a person, if the level is shown. Whatever is in it stands there as one line, escaped where it could do something
 * to the terminal. */
void note(enum level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
