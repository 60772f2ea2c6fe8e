#define _POSIX_C_SOURCE 200809L
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

/* Writes some bytes as one word; returns where it ends. */
static char *quote(char *to, const char *from, size_t length)
{
    *to++ = '"';
    for (; length > 0; length--, from++) {
        if (*from == '"' || *from == '\\')
            *to++ = '\\';
        *to++ = *from;
    }
    *to++ = '"';
    *to = '\0';
    return to;
}

char *setting_of(const char *keyword, const char *value, const char *rest)
{
    /* Each byte may need a mark before it, each word two around it. */
    char *setting = malloc(strlen(keyword) + 2 * strlen(value) + 8);
    if (setting == NULL)
        fail("out of memory");
    char *to = setting + sprintf(setting, "%s ", keyword);
    to = quote(to, value, rest != NULL ? (size_t)(rest - 1 - value) : strlen(value));
    if (rest != NULL) {
        *to++ = ' ';
        quote(to, rest, strlen(rest));
    }
    return setting;
}

char *setting_literal(const char *value)
{
    char *literal = malloc(2 * strlen(value) + 1), *to = literal;
    if (literal == NULL)
        fail("out of memory");
    for (; *value != '\0'; value++) {
        if (*value == '%')
            *to++ = '%';
        *to++ = *value;
    }
    *to = '\0';
    return literal;
}

void setting_add(ssh_config *config, const char *keyword, const char *value)
{
    ssh_error *error = NULL;
    char *setting = setting_of(keyword, value, NULL);
    if (ssh_config_add_option(config, setting, &error) != SSH_OK)
        fail_error(keyword, error);
    free(setting);
}
