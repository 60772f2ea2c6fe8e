/* libssh, client and server. */
#include <fcntl.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/sftp.h>
#include <poll.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

static int failed(ssh_session session, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, ssh_get_error(session));
    return 255;
}

/* ---- client ------------------------------------------------------------------------------------------------ */

static int log_in(ssh_session session)
{
    const char *method = told("PEER_AUTH");
    if (strcmp(method, "password") == 0)
        return ssh_userauth_password(session, NULL, told("PEER_PASSWORD"));
    if (strcmp(method, "keyboard-interactive") == 0) {
        int status;
        while ((status = ssh_userauth_kbdint(session, NULL, NULL)) == SSH_AUTH_INFO)
            for (int i = 0; i < ssh_userauth_kbdint_getnprompts(session); i++)
                ssh_userauth_kbdint_setanswer(session, (unsigned)i, told("PEER_PASSWORD"));
        return status;
    }
    ssh_key key = NULL;
    if (ssh_pki_import_privkey_file(told("PEER_KEY"), NULL, NULL, NULL, &key) != SSH_OK)
        return SSH_AUTH_ERROR;
    return ssh_userauth_publickey(session, NULL, key);
}

static int carry(ssh_session session, ssh_channel channel)
{
    static char buffer[32768];
    int open = 1;
    while (!ssh_channel_is_eof(channel) || ssh_channel_poll(channel, 0) > 0) {
        int moved = 0;
        for (int stream = 0; stream < 2; stream++) {
            int got = ssh_channel_read_nonblocking(channel, buffer, sizeof buffer, stream);
            if (got == SSH_ERROR)
                return failed(session, "read");
            if (got > 0) {
                fwrite(buffer, 1, (size_t)got, stream == 0 ? stdout : stderr);
                moved = 1;
            }
        }
        struct pollfd polled[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = ssh_get_fd(session), .events = POLLIN}};
        int room = ssh_channel_window_size(channel) > 0;
        if (open && room && poll(polled, 1, 0) > 0) {
            ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
            if (got <= 0) {
                open = 0;
                ssh_channel_send_eof(channel);
            } else if (ssh_channel_write(channel, buffer, (uint32_t)got) != got) {
                return failed(session, "write");
            }
            moved = 1;
        }
        if (!moved) {
            polled[0].fd = open && room ? STDIN_FILENO : -1;
            poll(polled, 2, 1000);
        }
    }
    fflush(stdout);
    int status = ssh_channel_get_exit_status(channel);
    ssh_channel_close(channel);
    return status;
}

static int files(ssh_session session, const char *what, const char *first, const char *second)
{
    static char buffer[32768];
    sftp_session sftp = sftp_new(session);
    if (sftp == NULL || sftp_init(sftp) != SSH_OK)
        return failed(session, "sftp");
    if (strcmp(what, "list") == 0) {
        sftp_dir directory = sftp_opendir(sftp, first);
        sftp_attributes entry;
        if (directory == NULL)
            return failed(session, first);
        while ((entry = sftp_readdir(sftp, directory)) != NULL)
            puts(entry->name);
        return sftp_dir_eof(directory) ? 0 : 255;
    }
    int is_put = strcmp(what, "put") == 0;
    FILE *file = fopen(is_put ? first : second, is_put ? "rb" : "wb");
    sftp_file handle = sftp_open(sftp, is_put ? second : first, is_put ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644);
    if (file == NULL || handle == NULL)
        return failed(session, first);
    if (is_put) {
        size_t count;
        while ((count = fread(buffer, 1, sizeof buffer, file)) > 0)
            if (sftp_write(handle, buffer, count) != (ssize_t)count)
                return failed(session, second);
    } else {
        ssize_t got;
        while ((got = sftp_read(handle, buffer, sizeof buffer)) > 0)
            fwrite(buffer, 1, (size_t)got, file);
        if (got < 0)
            return failed(session, first);
    }
    return fclose(file) == 0 && sftp_close(handle) == SSH_OK ? 0 : 255;
}

static int client(int argc, char **argv)
{
    ssh_session session = ssh_new();
    ssh_channel channel;
    int port = atoi(told("PEER_PORT")), no = 0;
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_USER, told("PEER_USER"));
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    if (*told("PEER_REKEY") != '\0') {
        uint64_t bytes = strtoull(told("PEER_REKEY"), NULL, 10);
        ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &bytes);
    }
    if (ssh_connect(session) != SSH_OK)
        return failed(session, "connect");
    if (ssh_userauth_none(session, NULL) == SSH_AUTH_ERROR || log_in(session) != SSH_AUTH_SUCCESS)
        return failed(session, "login");
    int status = 2;
    channel = ssh_channel_new(session);
    if (strcmp(argv[0], "run") == 0) {
        if (ssh_channel_open_session(channel) != SSH_OK || ssh_channel_request_exec(channel, argv[1]) != SSH_OK)
            return failed(session, "exec");
        status = carry(session, channel);
    } else if (strcmp(argv[0], "forward") == 0 && argc == 3) {
        if (ssh_channel_open_forward(channel, argv[1], atoi(argv[2]), "127.0.0.1", 1) != SSH_OK)
            return failed(session, "forward");
        carry(session, channel);
        status = 0;
    } else {
        status = files(session, argv[0], argv[1], argc > 2 ? argv[2] : NULL);
    }
    ssh_disconnect(session);
    return status;
}

/* ---- server ------------------------------------------------------------------------------------------------ */

struct served {
    ssh_channel channel;
    ssh_event event;
    pid_t child;
    int input, output;
    int is_in, is_over;
};

static int by_password(ssh_session session, const char *user, const char *password, void *userdata)
{
    (void)session;
    struct served *served = userdata;
    if (strcmp(user, told("PEER_USER")) != 0 || strcmp(password, told("PEER_PASSWORD")) != 0)
        return SSH_AUTH_DENIED;
    served->is_in = 1;
    return SSH_AUTH_SUCCESS;
}

static int by_key(ssh_session session, const char *user, struct ssh_key_struct *key, char state, void *userdata)
{
    (void)session, (void)user;
    struct served *served = userdata;
    char line[16384], *shown = NULL;
    FILE *file = fopen(told("PEER_AUTHORIZED_KEYS"), "r");
    int found = 0;
    if (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID)
        return SSH_AUTH_DENIED;
    if (file == NULL || ssh_pki_export_pubkey_base64(key, &shown) != SSH_OK)
        return SSH_AUTH_DENIED;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, shown) != NULL;
    fclose(file);
    free(shown);
    if (found && state == SSH_PUBLICKEY_STATE_VALID)
        served->is_in = 1;
    return found ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t length, int is_stderr, void *userdata)
{
    (void)session, (void)channel, (void)is_stderr;
    struct served *served = userdata;
    if (served->input < 0)
        return (int)length;
    ssize_t count = write(served->input, data, length);
    return count < 0 ? 0 : (int)count;
}

static void on_eof(ssh_session session, ssh_channel channel, void *userdata)
{
    (void)session, (void)channel;
    struct served *served = userdata;
    if (served->input >= 0)
        close(served->input);
    served->input = -1;
}

static int from_command(socket_t fd, int events, void *userdata)
{
    static char buffer[32768];
    struct served *served = userdata;
    uint32_t room = ssh_channel_window_size(served->channel);
    ssize_t got;
    (void)events;
    if (room == 0)
        return SSH_OK;
    got = read(fd, buffer, room < sizeof buffer ? room : sizeof buffer);
    if (got > 0) {
        ssh_channel_write(served->channel, buffer, (uint32_t)got);
    } else {
        int status = 0;
        ssh_event_remove_fd(served->event, fd);
        waitpid(served->child, &status, 0);
        ssh_channel_send_eof(served->channel);
        ssh_channel_request_send_exit_status(served->channel, WEXITSTATUS(status));
        ssh_channel_close(served->channel);
        served->is_over = 1;
    }
    return SSH_OK;
}

static int on_exec(ssh_session session, ssh_channel channel, const char *command, void *userdata)
{
    (void)session, (void)channel;
    struct served *served = userdata;
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0)
        return SSH_ERROR;
    served->child = fork();
    if (served->child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    served->input = in[1];
    served->output = out[0];
    ssh_event_add_fd(served->event, out[0], POLLIN | POLLHUP, from_command, served);
    return SSH_OK;
}

static int on_subsystem(ssh_session session, ssh_channel channel, const char *name, void *userdata)
{
    if (strcmp(name, "sftp") != 0)
        return SSH_ERROR;
    return on_exec(session, channel, "exec /usr/lib/openssh/sftp-server", userdata);
}

static struct ssh_channel_callbacks_struct channel_callbacks = {
    .channel_data_function = on_data,
    .channel_eof_function = on_eof,
    .channel_exec_request_function = on_exec,
    .channel_subsystem_request_function = on_subsystem,
};

static ssh_channel on_open(ssh_session session, void *userdata)
{
    struct served *served = userdata;
    served->channel = ssh_channel_new(session);
    channel_callbacks.userdata = served;
    ssh_callbacks_init(&channel_callbacks);
    ssh_set_channel_callbacks(served->channel, &channel_callbacks);
    return served->channel;
}

static void serve(ssh_session session)
{
    struct served served = {.input = -1, .output = -1};
    struct ssh_server_callbacks_struct callbacks = {
        .userdata = &served,
        .auth_password_function = by_password,
        .auth_pubkey_function = by_key,
        .channel_open_request_session_function = on_open,
    };
    ssh_callbacks_init(&callbacks);
    ssh_set_server_callbacks(session, &callbacks);
    ssh_set_auth_methods(session, SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY);
    if (ssh_handle_key_exchange(session) != SSH_OK) {
        failed(session, "key exchange");
        return;
    }
    served.event = ssh_event_new();
    ssh_event_add_session(served.event, session);
    while (ssh_event_dopoll(served.event, 1000) != SSH_ERROR && (ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0)
        ;
}

static int server(void)
{
    ssh_bind bind = ssh_bind_new();
    int no = 0, port = 0;
    struct pollfd polled[2] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    signal(SIGPIPE, SIG_IGN);
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT, &port);
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, told("PEER_HOST_KEY"));
    if (ssh_bind_listen(bind) != SSH_OK) {
        fprintf(stderr, "%s\n", ssh_get_error(bind));
        return 255;
    }
    struct sockaddr_in bound;
    socklen_t length = sizeof bound;
    getsockname(ssh_bind_get_fd(bind), (struct sockaddr *)&bound, &length);
    printf("listening %d\n", ntohs(bound.sin_port));
    fflush(stdout);
    for (;;) {
        polled[1] = (struct pollfd){.fd = ssh_bind_get_fd(bind), .events = POLLIN};
        poll(polled, 2, 1000);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (polled[0].revents != 0)
            return 0;
        if (polled[1].revents == 0)
            continue;
        ssh_session session = ssh_new();
        if (*told("PEER_REKEY") != '\0') {
            uint64_t bytes = strtoull(told("PEER_REKEY"), NULL, 10);
            ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &bytes);
        }
        if (ssh_bind_accept(bind, session) != SSH_OK)
            continue;
        if (fork() == 0) {
            serve(session);
            _exit(0);
        }
        ssh_free(session);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts(ssh_version(0)) < 0;
    if (argc == 2 && strcmp(argv[1], "server") == 0)
        return server();
    return argc < 4 ? 2 : client(argc - 2, argv + 2);
}
