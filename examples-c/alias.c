#define _GNU_SOURCE /* strsep */
#include "alias.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "settings.h"

bool alias_option(struct alias_options *alias, int option, const char *value)
{
    if (option == 'F') {
        alias->file = value;
    } else if (option == 'o') {
        if (alias->setting_count == ALIAS_MAX)
            fail("--option was given more than %d times", ALIAS_MAX);
        alias->settings[alias->setting_count++] = value;
    } else {
        return false;
    }
    return true;
}

/*
 * Questions, which files may answer
 */

/* It lives as long as the program, for the library may ask at any time. */
static struct {
    struct asking asking;
    const struct client_options *options;
    char *answers, *next_answer;
} person;

/* The answer that a file has for a prompt; NULL without one. */
static char *answer_of_file(int32_t kind, bool echo)
{
    const struct client_options *options = person.options;
    if (kind == SSH_REQUEST_PASSPHRASE)
        return options->passphrase_file != NULL ? read_first_line(options->passphrase_file) : NULL;
    if (kind == SSH_REQUEST_PROMPTS && options->answers_file != NULL && person.answers == NULL)
        person.next_answer = person.answers = read_file(options->answers_file);
    if (kind == SSH_REQUEST_PROMPTS && person.next_answer != NULL && *person.next_answer != '\0')
        return strdup(strsep(&person.next_answer, "\n"));
    return options->password_file != NULL && !echo ? read_first_line(options->password_file) : NULL;
}

/* Answers all prompts from files; false when there is one without an answer. */
static bool answer_from_files(ssh_request *request)
{
    size_t count = ssh_request_prompt_count(request), answered = 0;
    char **answers = calloc(count + 1, sizeof *answers);
    if (answers == NULL)
        fail("out of memory");
    while (answered < count) {
        bool echo = false;
        ssh_request_prompt(request, answered, &echo);
        answers[answered] = answer_of_file(ssh_request_kind(request), echo);
        if (answers[answered] == NULL)
            break;
        answered++;
    }
    bool all = answered == count && count > 0;
    if (all)
        ssh_request_answer_prompts(request, (const char *const *)answers, count);
    while (answered > 0)
        forget(answers[--answered]);
    free(answers);
    return all;
}

static void answer(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (!person.options->batch && !answer_from_files(request)) {
        asking_answer(request, &person.asking);
        return;
    }
    if (person.options->batch && !answer_from_files(request) && ssh_request_kind(request) == SSH_REQUEST_HOST_KEY)
        say("the host key of %s is not known, and nobody may be asked about it; see --known-hosts, --fingerprint and "
            "--host-key",
            ssh_request_name(request));
    /* One that is freed without an answer is refused. */
    ssh_request_free(request);
}

/*
 * What the options of the program are in the words of ssh
 */

static void add_algorithms(ssh_config *config, const struct algorithm_options *chosen)
{
    ssh_security_options *lists = ssh_security_options_new();
    shape_algorithms(chosen, lists);
    const struct {
        const char *keyword, *chosen;
        char *names;
    } made[] = {
        {"KexAlgorithms", chosen->kex, ssh_security_options_kex(lists)},
        {"HostKeyAlgorithms", chosen->host_keys, ssh_security_options_key_types(lists)},
        {"Ciphers", chosen->ciphers, ssh_security_options_ciphers(lists)},
        {"MACs", chosen->macs, ssh_security_options_digests(lists)},
    };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        if (made[i].names != NULL && (made[i].chosen != NULL || chosen->preset != NULL || chosen->all))
            setting_add(config, made[i].keyword, made[i].names);
        ssh_memory_free(made[i].names);
    }
    if (chosen->compression != NULL)
        setting_add(config, "Compression", strncmp(chosen->compression, "zlib", 4) == 0 ? "yes" : "no");
    ssh_security_options_free(lists);
}

static void add_number(ssh_config *config, const char *keyword, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    setting_add(config, keyword, text);
}

static void add_options(ssh_config *config, const struct client_options *options)
{
    if (options->given_port != NULL)
        setting_add(config, "Port", options->given_port);
    if (options->given_user != NULL) {
        char *user = setting_literal(options->given_user);
        setting_add(config, "User", user);
        free(user);
    }
    for (size_t i = 0; i < options->identity_count; i++)
        setting_add(config, "IdentityFile", options->identities[i]);
    if (options->host_key_alias != NULL)
        setting_add(config, "HostKeyAlias", options->host_key_alias);
    if (options->hash_known_hosts)
        setting_add(config, "HashKnownHosts", "yes");
    if (options->auth != NULL)
        setting_add(config, "PreferredAuthentications", options->auth);
    /* A file does not change by being read again. */
    if (options->password_file != NULL || options->passphrase_file != NULL)
        setting_add(config, "NumberOfPasswordPrompts", "1");
    if (options->timeout_given)
        add_number(config, "ConnectTimeout", (uint64_t)options->timeout_ms / 1000);
    if (options->rekey_bytes > 0)
        add_number(config, "RekeyLimit", options->rekey_bytes);
    add_algorithms(config, &options->algorithms);
}

static ssh_config *make_config(const struct alias_options *alias, const struct client_options *options)
{
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    add_options(config, options);
    for (size_t i = 0; i < alias->setting_count; i++)
        if (ssh_config_add_option(config, alias->settings[i], &error) != SSH_OK)
            fail_error(alias->settings[i], error);
    ssh_status status = SSH_OK;
    if (alias->file == NULL)
        status = ssh_config_load_defaults(config, &error);
    else if (strcmp(alias->file, "none") != 0)
        status = ssh_config_load_file(config, alias->file, &error);
    if (status != SSH_OK)
        fail_error("configuration", error);
    return config;
}

ssh_transport *alias_connect(const struct alias_options *alias, const struct client_options *options)
{
    ssh_error *error = NULL;
    if (options->host_key_count + options->fingerprint_count + options->known_hosts_count > 0 || options->insecure) {
        if (alias->file != NULL || alias->setting_count > 0)
            fail("--config and --option need ssh's files, which are not read when the host key is given");
        return client_connect(options);
    }
    log_to_stderr(options->verbosity);
    ssh_config *config = make_config(alias, options);
    person.options = options;
    person.asking.host = options->host;
    ssh_config_set_callback(config, SSH_REQUEST_ANY, answer, NULL, NULL);
    ssh_transport *transport = ssh_connect_config(config, options->host, SSH_TIMEOUT_DEFAULT, &error);
    if (transport == NULL)
        fail_error(options->host, error);
    asking_banner(&person.asking, transport);
    if (options->verbosity > 0) {
        char *description = ssh_transport_describe(transport);
        say("%s", description);
        ssh_memory_free(description);
    }
    ssh_config_free(config);
    return transport;
}
