/*
 * Options of ssh_config(5) made of words that may hold anything.
 */
#ifndef EXAMPLES_SETTINGS_H
#define EXAMPLES_SETTINGS_H

#include <sshwire.h>

/*
 * A line of a configuration, which the caller frees: the keyword and one word; or two of them, where `rest` is the place in
 * `value` at which the second one begins, behind a colon. Ends the program when memory runs out.
 */
char *setting_of(const char *keyword, const char *value, const char *rest);

/* A value in which % stands for nothing else, where the option knows tokens; freed by the caller, and ends as above. */
char *setting_literal(const char *value);

/* Adds an option with one word to a configuration; ends the program when that cannot be. */
void setting_add(ssh_config *config, const char *keyword, const char *value);

#endif
