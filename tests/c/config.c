/* ssh_config: files, options, what holds for a host, and what is told about lines that make no sense. */
#include "check.h"

#include <sys/stat.h>

static char folder[] = "/tmp/sshwire-config-XXXXXX", path[64], included[64];

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static ssh_config *loaded(const char *text)
{
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    write_file(path, text);
    CHECK_OK(ssh_config_load_file(config, path, &error), error);
    return config;
}

static ssh_config_host *resolved(const char *text, const char *destination)
{
    ssh_error *error = NULL;
    ssh_config *config = loaded(text);
    ssh_config_host *host = ssh_config_resolve(config, destination, &error);
    CHECK_OK(host != NULL ? SSH_OK : ssh_error_code(error), error);
    ssh_config_free(config);
    return host;
}

static bool is(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

static void values(void)
{
    ssh_config_host *host = resolved("Host alias\n"
                                     " HostName %h.example.org\n"
                                     " Port 2222\n"
                                     " IdentityFile /keys/%r\n"
                                     " IdentityFile '/keys/with space'\n"
                                     " Compression YES\n"
                                     " ServerAliveInterval 2m\n"
                                     " CheckHostIP yes\n"
                                     " Frobnicate on\n",
                                     "bob@alias");
    CHECK(is(ssh_config_host_name(host), "alias.example.org"));
    CHECK(is(ssh_config_host_user(host), "bob"));
    CHECK(ssh_config_host_port(host) == 2222);
    CHECK(is(ssh_config_host_get(host, "identityfile", 0), "/keys/bob"));
    CHECK(is(ssh_config_host_get_written(host, "IdentityFile", 0), "/keys/%r"));
    CHECK(is(ssh_config_host_get(host, "IdentityFile2", 1), "/keys/with space"));
    CHECK(ssh_config_host_get(host, "IdentityFile", 2) == NULL);
    CHECK(ssh_config_host_get(host, "NoSuchThing", 0) == NULL);
    CHECK(ssh_config_host_is_yes(host, "Compression") && !ssh_config_host_is_yes(host, "BatchMode"));
    CHECK(ssh_config_host_number(host, "ServerAliveInterval", 7) == 120);
    CHECK(ssh_config_host_number(host, "ConnectTimeout", 7) == 7);
    const char *place = ssh_config_host_get_place(host, "Port", 0);
    CHECK(place != NULL && strstr(place, "/config:3") != NULL);
    CHECK(ssh_config_host_get_place(host, "BatchMode", 0) == NULL);
    const char *first = ssh_config_host_unsupported(host, 0), *second = ssh_config_host_unsupported(host, 1);
    CHECK(first != NULL && strstr(first, "/config:8: CheckHostIP: ") != NULL);
    CHECK(second != NULL && strstr(second, "/config:9: Frobnicate: ") != NULL);
    CHECK(ssh_config_host_unsupported(host, 2) == NULL);
    size_t count = 0;
    for (const char *keyword; (keyword = ssh_config_host_keyword(host, count)) != NULL; count++)
        CHECK(ssh_config_host_get(host, keyword, 0) != NULL);
    CHECK(count > 40);
    ssh_config_host_free(host);
}

static void ways(void)
{
    const char *user, *name, *listen, *connect;
    uint16_t port, listen_port, connect_port;
    ssh_config_host *host = resolved("ProxyJump me@[::1]:22,gate\n"
                                     "LocalForward 8080 localhost:80\n"
                                     "LocalForward /run/a /run/b\n"
                                     "RemoteForward *:0 host:1\n"
                                     "DynamicForward 1080\n",
                                     "host");
    CHECK_STATUS(ssh_config_host_jump(host, 0, &user, &name, &port), SSH_OK);
    CHECK(is(user, "me") && is(name, "::1") && port == 22);
    CHECK_STATUS(ssh_config_host_jump(host, 1, &user, &name, &port), SSH_OK);
    CHECK(user == NULL && is(name, "gate") && port == 0);
    CHECK_STATUS(ssh_config_host_jump(host, 2, &user, &name, &port), SSH_EOF);
    CHECK(name == NULL);
    CHECK_STATUS(ssh_config_host_forward(host, SSH_CONFIG_FORWARD_LOCAL, 0, &listen, &listen_port, &connect, &connect_port),
                 SSH_OK);
    CHECK(listen == NULL && listen_port == 8080 && is(connect, "localhost") && connect_port == 80);
    CHECK_STATUS(ssh_config_host_forward(host, SSH_CONFIG_FORWARD_LOCAL, 1, &listen, &listen_port, &connect, &connect_port),
                 SSH_OK);
    CHECK(is(listen, "/run/a") && listen_port == 0 && is(connect, "/run/b") && connect_port == 0);
    CHECK_STATUS(ssh_config_host_forward(host, SSH_CONFIG_FORWARD_LOCAL, 2, NULL, NULL, NULL, NULL), SSH_EOF);
    CHECK_STATUS(ssh_config_host_forward(host, SSH_CONFIG_FORWARD_REMOTE, 0, &listen, &listen_port, &connect, &connect_port),
                 SSH_OK);
    CHECK(is(listen, "*") && listen_port == 0 && is(connect, "host") && connect_port == 1);
    CHECK_STATUS(
        ssh_config_host_forward(host, SSH_CONFIG_FORWARD_DYNAMIC, 0, &listen, &listen_port, &connect, &connect_port), SSH_OK);
    CHECK(listen_port == 1080 && connect == NULL && connect_port == 0);
    CHECK_STATUS(ssh_config_host_forward(host, 3, 0, NULL, NULL, NULL, NULL), SSH_ERR_INVALID_ARG);
    ssh_config_host_free(host);
}

static void options_and_files(void)
{
    ssh_error *error = NULL;
    char text[128];
    snprintf(text, sizeof text, "Include %s\nPort 1\nUser late\n", included);
    write_file(included, "User first\n");
    ssh_config *config = loaded(text);
    CHECK_OK(ssh_config_add_option(config, "Port=2", &error), error);
    CHECK_OK(ssh_config_add_option(config, "Port 3", &error), error);
    ssh_config_host *host = ssh_config_resolve(config, "host", &error);
    CHECK(ssh_config_host_port(host) == 2 && is(ssh_config_host_user(host), "first"));
    CHECK(is(ssh_config_host_get_place(host, "Port", 0), "the option \"Port=2\""));
    ssh_config_host_free(host);

    /* What others may write decides nothing. */
    CHECK(chmod(included, 0666) == 0);
    CHECK(ssh_config_resolve(config, "host", &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_CONFIG);
    CHECK(strstr(ssh_error_message(error), "chmod go-w") != NULL);
    ssh_error_free(error);
    ssh_config_free(config);
}

static int32_t run(const char *command, void *userdata)
{
    ++*(int *)userdata;
    return strcmp(command, "is host") == 0 ? 0 : strcmp(command, "broken") == 0 ? -1 : 1;
}

static int destroyed;

static void destroy(void *userdata)
{
    (void)userdata;
    destroyed++;
}

static uint16_t port_with(ssh_config *config, const char *destination)
{
    ssh_config_host *host = ssh_config_resolve(config, destination, NULL);
    uint16_t port = ssh_config_host_port(host);
    ssh_config_host_free(host);
    return port;
}

static void commands(void)
{
    int runs = 0;
    ssh_config *config = loaded("Match exec \"is %h\"\n Port 1\nMatch host bad exec broken\n Port 3\nHost *\n Port 2\n");
    CHECK(port_with(config, "host") == 2);
    CHECK_STATUS(ssh_config_set_exec_callback(config, run, &runs, destroy), SSH_OK);
    CHECK(port_with(config, "host") == 1 && runs == 1);
    CHECK(port_with(config, "other") == 2 && runs == 2);
    CHECK(port_with(config, "bad") == 0 && runs == 4);
    CHECK_STATUS(ssh_config_set_exec_callback(config, NULL, NULL, NULL), SSH_OK);
    CHECK(destroyed == 1);
    CHECK_STATUS(ssh_config_set_exec_callback(config, run, &runs, destroy), SSH_OK);
    ssh_config_free(config);
    CHECK(destroyed == 2);
}

static void faults(void)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\nPort x\n", "/config:2: \"x\" is not a port"},
        {"IdentityFile \"a\n", "/config:1: a quotation mark"},
        {"Match colour red\n", "/config:1: Match knows no colour"},
        {"Host *\n ProxyJump host\n", "/config:2: the jump host host is the host itself"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ssh_error *error = NULL;
        ssh_config *config = loaded(cases[i].text);
        ssh_config_host *host = ssh_config_resolve(config, "host", &error);
        CHECK(host == NULL);
        CHECK_STATUS(ssh_error_code(error), SSH_ERR_CONFIG);
        CHECK(strstr(ssh_error_message(error), cases[i].expected) != NULL);
        ssh_error_free(error);
        ssh_config_free(config);
    }
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    CHECK_STATUS(ssh_config_load_file(config, "/none/at/all", &error), SSH_ERR_IO);
    ssh_error_free(error);
    CHECK_STATUS(ssh_config_load_file(config, "", NULL), SSH_ERR_INVALID_ARG);
    CHECK(ssh_config_resolve(config, "me@", &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_config_resolve(config, NULL, NULL) == NULL);
    ssh_config_free(config);
}

int main(void)
{
    umask(022);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/config", folder);
    snprintf(included, sizeof included, "%s/included", folder);
    values();
    ways();
    options_and_files();
    commands();
    faults();
    unlink(path);
    unlink(included);
    rmdir(folder);
    return 0;
}
