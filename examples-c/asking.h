/*
 * Asking a person, as ssh does: on the terminal, or with the program that SSH_ASKPASS names.
 */
#ifndef EXAMPLES_ASKING_H
#define EXAMPLES_ASKING_H

#include <stdbool.h>
#include <stddef.h>

#include <sshwire.h>

#define ASKING_LONGEST 512

/* What is asked about; zeroed at first. One at a time uses it, as long as the configuration lives. */
struct asking {
    const char *host; /* where a question does not say which */
    bool no_banners;
    bool has_accepted; /* the key of a host that was not known */
    /* Behind the functions. */
    char last[ASKING_LONGEST]; /* whose password was asked for last */
    ssh_transport *greeted;    /* whose banner was shown last */
};

/* Answers a question of ssh_connect_config(), and frees it. An ssh_request_callback with a struct asking as userdata. */
void asking_answer(ssh_request *request, void *asking);

/* Has all its questions answered so. */
void asking_install(ssh_config *config, struct asking *asking);

/* Shows the server's banner, unless it was. */
void asking_banner(struct asking *asking, ssh_transport *transport);

/* Asks, as SSH_ASKPASS, SSH_ASKPASS_REQUIRE and the terminal that there is decide. NULL when nobody can be asked, or
 * nothing was typed; the caller wipes it with forget(). */
char *ask_person(const char *prompt, bool echo);

/* "ED25519" for "ssh-ed25519", and the like. */
const char *key_name(const ssh_key *key);

#endif
