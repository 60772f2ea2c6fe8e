#define _POSIX_C_SOURCE 200809L
#include "matches.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../child.h"
#include "../common.h"

struct outcome {
    struct outcome *next;
    char *command;
    int32_t status;
    bool is_told; /* in this reading */
};

static struct outcome *outcomes, **end = &outcomes;

static int32_t status_of(const char *command, void *userdata)
{
    (void)userdata;
    for (struct outcome *known = outcomes; known != NULL; known = known->next)
        /* A command that stands in two places is run for each. */
        if (!known->is_told && strcmp(known->command, command) == 0) {
            known->is_told = true;
            return known->status;
        }
    struct outcome *outcome = malloc(sizeof *outcome);
    char *copy = strdup(command);
    if (outcome == NULL || copy == NULL)
        fail("out of memory");
    *outcome = (struct outcome){.command = copy, .status = child_run(command, true), .is_told = true};
    *end = outcome;
    end = &outcome->next;
    return outcome->status;
}

void matches_install(ssh_config *config)
{
    ssh_config_set_exec_callback(config, status_of, NULL, NULL);
}

void matches_read_again(void)
{
    for (struct outcome *known = outcomes; known != NULL; known = known->next)
        known->is_told = false;
}
