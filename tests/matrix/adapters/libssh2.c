/* libssh2, client. */
#include <arpa/inet.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract.h"

static LIBSSH2_SESSION *session;
static int sock;

static int failed(const char *what)
{
    char *text = NULL;
    libssh2_session_last_error(session, &text, NULL, 0);
    fprintf(stderr, "%s: %s\n", what, text == NULL ? "?" : text);
    return 255;
}

static void answer(const char *name, int name_length, const char *instruction, int instruction_length, int count,
                   const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts, LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses,
                   void **abstract)
{
    (void)name, (void)name_length, (void)instruction, (void)instruction_length, (void)prompts, (void)abstract;
    for (int i = 0; i < count; i++) {
        responses[i].text = strdup(told("PEER_PASSWORD"));
        responses[i].length = (unsigned)strlen(responses[i].text);
    }
}

static int log_in(void)
{
    const char *user = told("PEER_USER"), *method = told("PEER_AUTH");
    if (strcmp(method, "password") == 0)
        return libssh2_userauth_password(session, user, told("PEER_PASSWORD"));
    if (strcmp(method, "keyboard-interactive") == 0)
        return libssh2_userauth_keyboard_interactive(session, user, answer);
    return libssh2_userauth_publickey_fromfile(session, user, NULL, told("PEER_KEY"), NULL);
}

/* Waits for the socket as the session wants. */
static void wait_for_socket(int input)
{
    int wants = libssh2_session_block_directions(session);
    struct pollfd polled[2] = {{.fd = sock, .events = POLLIN}, {.fd = input, .events = POLLIN}};
    if (wants & LIBSSH2_SESSION_BLOCK_OUTBOUND)
        polled[0].events |= POLLOUT;
    poll(polled, input < 0 ? 1 : 2, 1000);
}

/* Both ways at once, until the other side has ended its own. */
static int carry(LIBSSH2_CHANNEL *channel)
{
    static char input[32768], output[32768];
    size_t have = 0, sent = 0;
    int open = 1;
    libssh2_session_set_blocking(session, 0);
    for (;;) {
        int moved = 0;
        for (int stream = 0; stream < 2; stream++) {
            ssize_t got = libssh2_channel_read_ex(channel, stream, output, sizeof output);
            if (got > 0) {
                fwrite(output, 1, (size_t)got, stream == 0 ? stdout : stderr);
                moved = 1;
            } else if (got < 0 && got != LIBSSH2_ERROR_EAGAIN) {
                return failed("read");
            }
        }
        if (have == sent && open) {
            struct pollfd polled = {.fd = STDIN_FILENO, .events = POLLIN};
            if (poll(&polled, 1, 0) > 0) {
                ssize_t got = read(STDIN_FILENO, input, sizeof input);
                have = got > 0 ? (size_t)got : 0;
                sent = 0;
                if (got <= 0) {
                    open = 0;
                    while (libssh2_channel_send_eof(channel) == LIBSSH2_ERROR_EAGAIN)
                        wait_for_socket(-1);
                }
            }
        }
        if (sent < have) {
            ssize_t count = libssh2_channel_write(channel, input + sent, have - sent);
            if (count > 0) {
                sent += (size_t)count;
                moved = 1;
            } else if (count < 0 && count != LIBSSH2_ERROR_EAGAIN) {
                return failed("write");
            }
        }
        if (libssh2_channel_eof(channel) && !moved)
            break;
        if (!moved)
            wait_for_socket(open && have == sent ? STDIN_FILENO : -1);
    }
    fflush(stdout);
    libssh2_session_set_blocking(session, 1);
    libssh2_channel_close(channel);
    return libssh2_channel_get_exit_status(channel);
}

static int put(const char *here, const char *there)
{
    static char buffer[32768];
    LIBSSH2_SFTP *sftp = libssh2_sftp_init(session);
    FILE *file = fopen(here, "rb");
    LIBSSH2_SFTP_HANDLE *handle;
    size_t count;
    if (sftp == NULL || file == NULL)
        return failed("sftp");
    handle = libssh2_sftp_open(sftp, there, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC, 0644);
    if (handle == NULL)
        return failed(there);
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0)
        for (size_t sent = 0; sent < count;) {
            ssize_t got = libssh2_sftp_write(handle, buffer + sent, count - sent);
            if (got < 0)
                return failed(there);
            sent += (size_t)got;
        }
    return libssh2_sftp_close(handle) == 0 ? 0 : failed(there);
}

static int get(const char *there, const char *here)
{
    static char buffer[32768];
    LIBSSH2_SFTP *sftp = libssh2_sftp_init(session);
    LIBSSH2_SFTP_HANDLE *handle = sftp == NULL ? NULL : libssh2_sftp_open(sftp, there, LIBSSH2_FXF_READ, 0);
    FILE *file = fopen(here, "wb");
    ssize_t got;
    if (handle == NULL || file == NULL)
        return failed(there);
    while ((got = libssh2_sftp_read(handle, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, (size_t)got, file);
    return got == 0 && fclose(file) == 0 ? 0 : failed(there);
}

static int list(const char *there)
{
    char name[512];
    LIBSSH2_SFTP *sftp = libssh2_sftp_init(session);
    LIBSSH2_SFTP_HANDLE *handle = sftp == NULL ? NULL : libssh2_sftp_opendir(sftp, there);
    LIBSSH2_SFTP_ATTRIBUTES attributes;
    int got;
    if (handle == NULL)
        return failed(there);
    while ((got = libssh2_sftp_readdir(handle, name, sizeof name - 1, &attributes)) > 0)
        printf("%.*s\n", got, name);
    return got == 0 ? 0 : failed(there);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    LIBSSH2_CHANNEL *channel = NULL;
    int status = 2;
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts(libssh2_version(0)) < 0;
    if (argc < 4)
        return 2;
    if (*told("PEER_REKEY") != '\0')
        return cannot("libssh2 has no call for that");
    address.sin_port = htons((unsigned short)atoi(told("PEER_PORT")));
    libssh2_init(0);
    session = libssh2_session_init();
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sock, (struct sockaddr *)&address, sizeof address) != 0)
        return 255;
    if (libssh2_session_handshake(session, sock) != 0)
        return failed("handshake");
    if (log_in() != 0)
        return failed("login");
    if (strcmp(argv[2], "run") == 0) {
        channel = libssh2_channel_open_session(session);
        if (channel == NULL || libssh2_channel_exec(channel, argv[3]) != 0)
            return failed("exec");
        status = carry(channel);
    } else if (strcmp(argv[2], "forward") == 0 && argc == 5) {
        channel = libssh2_channel_direct_tcpip(session, argv[3], atoi(argv[4]));
        status = channel == NULL ? failed("forward") : carry(channel);
    } else if (strcmp(argv[2], "put") == 0 && argc == 5) {
        status = put(argv[3], argv[4]);
    } else if (strcmp(argv[2], "get") == 0 && argc == 5) {
        status = get(argv[3], argv[4]);
    } else if (strcmp(argv[2], "list") == 0) {
        status = list(argv[3]);
    }
    libssh2_session_disconnect(session, "done");
    return status;
}
