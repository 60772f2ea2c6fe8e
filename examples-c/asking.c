#define _GNU_SOURCE /* pipe2, explicit_bzero */
#include "asking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "child.h"
#include "common.h"

#define USUAL_ASKER "/usr/bin/ssh-askpass"

/*
 * Who is asked
 */

/* The first line that a program says; NULL when it fails, which is how it says no. */
static char *ask_program(const char *program, const char *prompt)
{
    int output[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)program, (char *)prompt, NULL}, *answer = calloc(1, 4096);
    if (answer == NULL || pipe2(output, O_CLOEXEC) != 0) {
        free(answer);
        return NULL;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    int cause = child_start(&child, program, arguments, &actions);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    if (cause != 0) {
        say("%s, which SSH_ASKPASS names, cannot be run: %s", program, strerror(cause));
        close(output[0]);
        free(answer);
        return NULL;
    }
    size_t length = 0;
    ssize_t count;
    while ((count = read(output[0], answer + length, 4095 - length)) > 0 || (count < 0 && errno == EINTR))
        length += count > 0 ? (size_t)count : 0;
    close(output[0]);
    if (child_wait(child) != 0) {
        forget(answer);
        return NULL;
    }
    size_t line = strcspn(answer, "\r\n");
    explicit_bzero(answer + line, strlen(answer + line));
    return answer;
}

char *ask_person(const char *prompt, bool echo)
{
    const char *display = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    const char *required = getenv("SSH_ASKPASS_REQUIRE"), *program = getenv("SSH_ASKPASS");
    bool may = (display != NULL && *display != '\0') || (wayland != NULL && *wayland != '\0'), wants = false;
    if (required != NULL && strcasecmp(required, "force") == 0)
        wants = may = true;
    else if (required != NULL && strcasecmp(required, "prefer") == 0)
        wants = may;
    else if (required != NULL && strcasecmp(required, "never") == 0)
        may = false;
    if (!wants && may) {
        int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        wants = terminal < 0;
        if (terminal >= 0)
            close(terminal);
    }
    return wants ? ask_program(program != NULL ? program : USUAL_ASKER, prompt) : ask(prompt, echo);
}

/*
 * What is asked
 */

const char *key_name(const ssh_key *key)
{
    switch (ssh_key_kind(key)) {
    case SSH_KEY_ED25519: return "ED25519";
    case SSH_KEY_ECDSA_P256:
    case SSH_KEY_ECDSA_P384:
    case SSH_KEY_ECDSA_P521: return "ECDSA";
    case SSH_KEY_RSA: return "RSA";
    case SSH_KEY_SK_ED25519: return "ED25519-SK";
    case SSH_KEY_SK_ECDSA_P256: return "ECDSA-SK";
    default: return ssh_key_type(key);
    }
}

static int32_t hash_of(const struct asking *asking)
{
    return asking->fingerprint_hash == SSH_HASH_MD5 ? SSH_HASH_MD5 : SSH_HASH_SHA256;
}

char *asking_fingerprint(const struct asking *asking, const ssh_key *key)
{
    return ssh_key_fingerprint_with(key, hash_of(asking));
}

char *asking_drawing(const struct asking *asking, const ssh_key *key)
{
    return asking->shows_art ? ssh_key_randomart(key, hash_of(asking)) : NULL;
}

/* Whether a person says that this is the server they mean, by a word or by its fingerprint. */
static bool is_meant(const struct asking *asking, const char *host, const ssh_key *key)
{
    char prompt[2048];
    char *fingerprint = asking_fingerprint(asking, key), *drawing = asking_drawing(asking, key);
    bool yes = false, no = fingerprint == NULL;
    snprintf(prompt, sizeof prompt,
             "The authenticity of host '%s' can't be established.\n%s key fingerprint is %s.\n%s%s"
             "Is that what its owner says? Then answer yes, or with the fingerprint itself.\n"
             "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
             host, key_name(key), fingerprint != NULL ? fingerprint : "not known", drawing != NULL ? drawing : "",
             drawing != NULL ? "\n" : "");
    ssh_memory_free(drawing);
    while (!yes && !no) {
        char *answer = ask_person(prompt, true);
        yes = answer != NULL && (strcasecmp(answer, "yes") == 0 || strcmp(answer, fingerprint) == 0);
        no = answer == NULL || strcasecmp(answer, "no") == 0;
        if (answer == NULL)
            say("nobody can be asked whether %s %s is the key of %s: there is no terminal", key_name(key), fingerprint,
                host);
        free(answer);
        snprintf(prompt, sizeof prompt, "Please type 'yes', 'no' or the fingerprint: ");
    }
    ssh_memory_free(fingerprint);
    return yes;
}

static void answer_host_key(ssh_request *request, struct asking *asking)
{
    const char *host = ssh_request_name(request);
    ssh_key *key = ssh_request_key(request);
    if (is_meant(asking, host != NULL ? host : asking->host, key)) {
        asking->has_accepted = true;
        ssh_request_accept(request);
    } else {
        ssh_request_refuse(request);
    }
    ssh_key_free(key);
}

void asking_banner(struct asking *asking, ssh_transport *transport)
{
    if (asking->greeted == transport)
        return;
    if (asking->meets != NULL)
        asking->meets(asking, transport);
    char *banner = ssh_transport_auth_banner(transport);
    if (banner != NULL && !asking->no_banners)
        fprintf(stderr, "%s", banner);
    ssh_memory_free(banner);
    asking->greeted = transport;
}

/* The same password asked for again means that the one before was wrong. */
static void say_if_again(ssh_request *request, struct asking *asking)
{
    const char *who = ssh_request_name(request);
    if (who == NULL || ssh_request_kind(request) == SSH_REQUEST_PROMPTS)
        return;
    if (strncmp(asking->last, who, sizeof asking->last - 1) == 0)
        say(ssh_request_kind(request) == SSH_REQUEST_PASSWORD ? "Permission denied, please try again."
                                                              : "That is not its passphrase, please try again.");
    snprintf(asking->last, sizeof asking->last, "%s", who);
}

static char *answer_of_person(void *nobody, const char *prompt, bool echo)
{
    (void)nobody;
    return ask_person(prompt, echo);
}

static void answer_prompts(ssh_request *request, struct asking *asking)
{
    const char *title = ssh_request_title(request), *instructions = ssh_request_instructions(request);
    asking_banner(asking, ssh_request_transport(request));
    say_if_again(request, asking);
    if (title != NULL && *title != '\0')
        fprintf(stderr, "%s\n", title);
    if (instructions != NULL && *instructions != '\0')
        fprintf(stderr, "%s\n", instructions);
    answer_each_prompt(request, answer_of_person, NULL);
}

void asking_answer(ssh_request *request, void *userdata)
{
    if (ssh_request_kind(request) == SSH_REQUEST_HOST_KEY)
        answer_host_key(request, userdata);
    else if (ssh_request_prompt_count(request) > 0 || ssh_request_kind(request) == SSH_REQUEST_PROMPTS)
        answer_prompts(request, userdata);
    /* One that is freed without an answer is refused. */
    ssh_request_free(request);
}

void asking_install(ssh_config *config, struct asking *asking)
{
    ssh_config_set_callback(config, SSH_REQUEST_ANY, asking_answer, asking, NULL);
}
