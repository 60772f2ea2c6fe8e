/* Agents over functions of the program's: what hostile ones bring, waiting calls, ends. */
#include "check.h"

#include <sys/un.h>

/* An agent that says one thing to everything. */
struct mouth {
    const void *answer;
    size_t length, said;
    _Atomic int asked, closed, destroyed;
    int silent;
};

static int32_t hear(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    struct mouth *mouth = userdata;
    (void)data, (void)timeout_ms;
    mouth->said = 0;
    atomic_fetch_add(&mouth->asked, 1);
    return (int32_t)length;
}

static int32_t say(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    struct mouth *mouth = userdata;
    size_t rest = mouth->length - mouth->said, count = rest < capacity ? rest : capacity;
    if (mouth->silent) {
        struct timespec pause = {0, 20000000};
        nanosleep(&pause, NULL);
        return atomic_load(&mouth->closed) ? 0 : SSH_ERR_TIMEOUT;
    }
    (void)timeout_ms;
    memcpy(buffer, (const char *)mouth->answer + mouth->said, count);
    mouth->said += count;
    return (int32_t)count;
}

static void shut(void *userdata)
{
    atomic_fetch_add(&((struct mouth *)userdata)->closed, 1);
}

static void destroy(void *userdata)
{
    atomic_fetch_add(&((struct mouth *)userdata)->destroyed, 1);
}

static ssh_agent *over(struct mouth *mouth)
{
    ssh_error *error = NULL;
    ssh_agent *agent = ssh_agent_new_stream(say, hear, shut, mouth, destroy, &error);
    CHECK(agent != NULL && error == NULL);
    return agent;
}

static void hostile(void)
{
    static const struct {
        const char *answer;
        size_t length;
        ssh_status status;
    } cases[] = {
        {"", 0, SSH_ERR_AGENT},
        {"\0\0\0\0", 4, SSH_ERR_AGENT},
        {"\0\4\0\1", 4, SSH_ERR_AGENT},
        {"\xff\xff\xff\xff", 4, SSH_ERR_AGENT},
        {"\0\0\0\5\x0c\0\0\0", 8, SSH_ERR_AGENT},
        {"\0\0\0\5\x0c\xff\xff\xff\xff", 9, SSH_ERR_AGENT},
        {"\0\0\0\6\x0c\0\0\0\0\0", 10, SSH_ERR_AGENT},
        {"\0\0\0\1\x06", 5, SSH_ERR_AGENT},
        {"\0\0\0\1\x05", 5, SSH_ERR_DENIED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mouth mouth = {.answer = cases[i].answer, .length = cases[i].length};
        ssh_error *error = NULL;
        ssh_agent *agent = over(&mouth);
        CHECK(ssh_agent_list(agent, SSH_TIMEOUT_DEFAULT, &error) == NULL);
        CHECK_STATUS(ssh_error_code(error), cases[i].status);
        ssh_error_free(error);
        /* One that broke its protocol is not asked again. */
        int asked = atomic_load(&mouth.asked);
        CHECK(ssh_agent_list(agent, SSH_TIMEOUT_DEFAULT, NULL) == NULL);
        CHECK((atomic_load(&mouth.asked) == asked) == (cases[i].status == SSH_ERR_AGENT));
        ssh_agent_free(agent);
        CHECK(atomic_load(&mouth.destroyed) == 1 && atomic_load(&mouth.closed) == 1);
    }
}

static void yes_and_no(void)
{
    struct mouth mouth = {.answer = "\0\0\0\1\x06", .length = 5};
    ssh_error *error = NULL;
    ssh_agent *agent = over(&mouth);
    ssh_key *key = ssh_key_generate(SSH_KEY_ED25519, 0, "me", &error), *public = ssh_key_public(key);
    CHECK_OK(ssh_agent_add(agent, key, NULL, 0, 5, true, 10000, &error), error);
    CHECK_STATUS(ssh_agent_add(agent, public, NULL, 0, 0, false, 10000, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_agent_add(agent, key, "no certificate", 14, 0, false, 10000, NULL), SSH_ERR_INVALID_ARG);
    CHECK_OK(ssh_agent_remove(agent, "blob", 4, 10000, &error), error);
    CHECK_OK(ssh_agent_remove_all(agent, 10000, &error), error);
    CHECK_OK(ssh_agent_lock(agent, "secret", 6, 10000, &error), error);
    CHECK_OK(ssh_agent_unlock(agent, "secret", 6, 10000, &error), error);
    CHECK_STATUS(ssh_agent_lock(agent, NULL, 6, 10000, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_agent_remove_all(agent, 0, NULL), SSH_ERR_TIMEOUT);
    ssh_agent_free(agent);
    CHECK_STATUS(ssh_agent_cancel(agent), SSH_ERR_BAD_HANDLE);
    ssh_key_free(public);
    ssh_key_free(key);
}

static void lists(void)
{
    static const char answer[] = "\0\0\0\x28\x0c\0\0\0\x01\0\0\0\x14\0\0\0\x0bssh-unknown"
                                 "\0\0\0\1x\0\0\0\x07" "a\x1b[0mb\x80";
    struct mouth mouth = {.answer = answer, .length = sizeof answer - 1};
    ssh_error *error = NULL;
    size_t length = 0;
    ssh_agent *agent = over(&mouth);
    ssh_agent_identities *list = ssh_agent_list(agent, 10000, &error);
    CHECK(list != NULL && ssh_agent_identities_count(list) == 1);
    ssh_agent_free(agent);
    CHECK(strcmp(ssh_agent_identities_type(list, 0), "ssh-unknown") == 0);
    CHECK(strchr(ssh_agent_identities_comment(list, 0), 0x1b) == NULL);
    CHECK(strncmp(ssh_agent_identities_fingerprint(list, 0), "SHA256:", 7) == 0);
    CHECK(ssh_agent_identities_blob(list, 0, &length) != NULL && length == 20);
    CHECK(ssh_agent_identities_key(list, 0) == NULL);
    CHECK(ssh_agent_identities_type(list, 1) == NULL && ssh_agent_identities_blob(list, 1, &length) == NULL);
    CHECK(length == 0);
    ssh_agent_identities_free(list);
    CHECK(ssh_agent_identities_count(list) == 0);
}

static void *wait_for_list(void *agent)
{
    ssh_error *error = NULL;
    CHECK(ssh_agent_list(agent, SSH_TIMEOUT_FOREVER, &error) == NULL);
    ssh_status *status = malloc(sizeof *status);
    *status = ssh_error_code(error);
    ssh_error_free(error);
    return status;
}

static void ends(void)
{
    for (int freed = 0; freed < 2; freed++) {
        struct mouth mouth = {.silent = 1};
        ssh_agent *agent = over(&mouth);
        pthread_t thread;
        void *status = NULL;
        CHECK(pthread_create(&thread, NULL, wait_for_list, agent) == 0);
        while (atomic_load(&mouth.asked) == 0)
            usleep(1000);
        if (freed)
            ssh_agent_free(agent);
        else
            CHECK_STATUS(ssh_agent_cancel(agent), SSH_OK);
        CHECK(pthread_join(thread, &status) == 0);
        CHECK_STATUS(*(ssh_status *)status, freed ? SSH_ERR_CLOSED : SSH_ERR_CANCELLED);
        free(status);
        ssh_agent_free(agent);
        CHECK(atomic_load(&mouth.closed) == 1 && atomic_load(&mouth.destroyed) == 1);
    }
    struct mouth mouth = {.silent = 1};
    ssh_error *error = NULL;
    ssh_agent *agent = over(&mouth);
    CHECK(ssh_agent_list(agent, 50, &error) == NULL && ssh_error_code(error) == SSH_ERR_TIMEOUT);
    ssh_error_free(error);
    ssh_agent_free(agent);
}

static void nobody(void)
{
    ssh_error *error = NULL;
    CHECK(ssh_agent_new("/nowhere/agent", 1000, &error) == NULL && ssh_error_code(error) == SSH_ERR_AGENT);
    CHECK(ssh_error_errno(error) == ENOENT && strstr(ssh_error_message(error), "/nowhere/agent") != NULL);
    ssh_error_free(error);
    CHECK(unsetenv("SSH_AUTH_SOCK") == 0);
    CHECK(ssh_agent_new(NULL, 1000, &error) == NULL && ssh_error_code(error) == SSH_ERR_AGENT);
    CHECK(strstr(ssh_error_message(error), "SSH_AUTH_SOCK") != NULL);
    ssh_error_free(error);
    CHECK(ssh_agent_new("", 1000, &error) == NULL && ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
}

int main(void)
{
    watchdog(120);
    hostile();
    yes_and_no();
    lists();
    ends();
    nobody();
    puts("agent: ok");
    return 0;
}
