/*
 * config FILE [OPTION...]: what a configuration says about each destination that its input names, one a line. Prints a line
 * for each value, its keyword, the value and what was written, with tabs between them; one for each remark; an error; and
 * an empty line at the end of each destination.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <sshwire.h>

static int32_t run(const char *command, void *userdata)
{
    (void)userdata;
    int status = system(command);
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void show(const ssh_config_host *host)
{
    const char *keyword, *text, *remark;
    for (size_t i = 0; (keyword = ssh_config_host_keyword(host, i)) != NULL; i++)
        for (size_t j = 0; (text = ssh_config_host_get(host, keyword, j)) != NULL; j++)
            printf("%s\t%s\t%s\n", keyword, text, ssh_config_host_get_written(host, keyword, j));
    for (size_t i = 0; (remark = ssh_config_host_unsupported(host, i)) != NULL; i++)
        printf("remark\t%s\t\n", remark);
}

int main(int argc, char **argv)
{
    static char line[65536];
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    ssh_config_set_exec_callback(config, run, NULL, NULL);
    for (int i = 1; i < argc; i++) {
        ssh_status status = i == 1 ? ssh_config_load_file(config, argv[i], &error)
                                   : ssh_config_add_option(config, argv[i], &error);
        if (status != SSH_OK) {
            printf("error\t%s\t\n", ssh_error_message(error));
            return 1;
        }
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ssh_config_host *host = ssh_config_resolve(config, line, &error);
        if (host != NULL)
            show(host);
        else
            printf("error\t%s\t\n", ssh_error_message(error));
        printf("\n");
        ssh_config_host_free(host);
        ssh_error_free(error);
        error = NULL;
    }
    ssh_config_free(config);
    return 0;
}
