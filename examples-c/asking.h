/*
 * Asking a person, as ssh does: on the terminal, or with the program that SSH_ASKPASS names.
 */
#ifndef EXAMPLES_ASKING_H
#define EXAMPLES_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sshwire.h>

#define ASKING_LONGEST 512

/* What is asked about; zeroed at first. One at a time uses it, as long as the configuration lives. */
struct asking {
    const char *host; /* where a question does not say which */
    bool no_banners;
    int32_t fingerprint_hash; /* SSH_HASH_MD5; anything else is SHA-256 */
    bool shows_art;           /* the drawing of a host's key, beside its fingerprint */
    /* Told of each server before anything of it is shown and anything but its key is asked; or NULL. */
    void (*meets)(struct asking *asking, ssh_transport *transport);
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

/* The fingerprint of a key, and a drawing of it, which is NULL where those are not wanted. ssh_memory_free() frees them. */
char *asking_fingerprint(const struct asking *asking, const ssh_key *key);
char *asking_drawing(const struct asking *asking, const ssh_key *key);

/* "ED25519" for "ssh-ed25519", and the like. */
const char *key_name(const ssh_key *key);

#endif
