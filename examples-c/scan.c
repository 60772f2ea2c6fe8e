/*
 * scan: what a server offers, asked with packets alone: its text and identification, the algorithms of its KEXINIT
 * in their order, and the types of its host keys. Nobody logs in, and no keys are agreed on.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#define KEXINIT 20
#define COOKIE_BYTES 16
#define LISTS 10
#define MAX_TEXT_LINES 100

static const char help[] = "usage: scan [OPTION...] HOST\n"
                           "Shows what an SSH server offers.\n"
                           "\n"
                           "  -p, --port PORT      22 without it\n"
                           "  -t, --timeout MS     how long all of it may take (10000)\n"
                           "  -j, --json           as JSON instead of a table\n"
                           "  -h, --help\n";

static const char *const list_names[LISTS] = {"kex",
                                              "host_key",
                                              "cipher_client_to_server",
                                              "cipher_server_to_client",
                                              "mac_client_to_server",
                                              "mac_server_to_client",
                                              "compression_client_to_server",
                                              "compression_server_to_client",
                                              "language_client_to_server",
                                              "language_server_to_client"};

struct findings {
    char *text[MAX_TEXT_LINES];
    size_t text_lines;
    char *identification;
    char *lists[LISTS];
    bool first_kex_packet_follows;
};

/* A connected socket. The first address that answers will do. */
static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int trouble = getaddrinfo(host, port, &hints, &found);
    if (trouble != 0)
        fail("%s: %s", host, gai_strerror(trouble));
    int fd = -1;
    for (struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0)
        fail("%s port %s: nobody answers", host, port);
    return fd;
}

/* Text of a stranger: what a terminal might obey becomes a question mark. */
static char *plain(char *text)
{
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
            *at = '?';
    return text;
}

static void read_identification(ssh_packetizer *packetizer, struct findings *found)
{
    static const char ours[] = "SSH-2.0-libsshwire_scan\r\n";
    ssh_error *error = NULL;
    if (ssh_packetizer_write_all(packetizer, ours, sizeof ours - 1, SSH_TIMEOUT_FOREVER, NULL, &error) != SSH_OK)
        fail_error("identification", error);
    for (;;) {
        void *line = NULL;
        size_t length = 0;
        ssh_status status = ssh_packetizer_readline(packetizer, SSH_TIMEOUT_FOREVER, &line, &length, &error);
        if (status == SSH_EOF)
            fail("the server hung up without a word");
        if (status != SSH_OK)
            fail_error("identification", error);
        if (strncmp(line, "SSH-", 4) == 0) {
            found->identification = plain(line);
            return;
        }
        if (found->text_lines == MAX_TEXT_LINES)
            fail("the server talks too much before its identification");
        found->text[found->text_lines++] = plain(line);
    }
}

static void read_kexinit(ssh_packetizer *packetizer, struct findings *found)
{
    ssh_error *error = NULL;
    ssh_message *message = NULL;
    uint8_t number = 0, cookie[COOKIE_BYTES];
    do {
        /* IGNORE and DEBUG may come at any time. */
        ssh_message_free(message);
        ssh_status status = ssh_packetizer_read_message(packetizer, SSH_TIMEOUT_FOREVER, &message, &error);
        if (status == SSH_EOF)
            fail("the server hung up after its identification");
        if (status != SSH_OK)
            fail_error("KEXINIT", error);
        ssh_message_get_byte(message, &number);
    } while (number == 2 || number == 4);
    if (number != KEXINIT)
        fail("message %u instead of KEXINIT", number);
    bool good = ssh_message_get_bytes(message, cookie, sizeof cookie) == SSH_OK;
    for (int i = 0; i < LISTS; i++) {
        found->lists[i] = ssh_message_get_list(message);
        good = good && found->lists[i] != NULL;
    }
    if (!good || ssh_message_get_boolean(message, &found->first_kex_packet_follows) != SSH_OK)
        fail("the server's KEXINIT is malformed");
    ssh_message_free(message);
}

/* Both kinds of output go through the names of a list one by one. */
static void each_name(const char *list, void (*show)(const char *name, size_t length, bool first))
{
    bool first = true;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        show(list, length, first);
        first = false;
        list += length + (list[length] == ',');
    }
}

static void show_line(const char *name, size_t length, bool first)
{
    printf("%s%.*s\n", first ? "" : "                              ", (int)length, name);
}

static void show_table(const struct findings *found)
{
    for (size_t i = 0; i < found->text_lines; i++)
        printf("%-29s %s\n", i == 0 ? "text" : "", found->text[i]);
    printf("%-29s %s\n", "identification", found->identification);
    for (int i = 0; i < LISTS; i++) {
        if (*found->lists[i] == '\0')
            continue;
        printf("%-29s ", list_names[i]);
        each_name(found->lists[i], show_line);
    }
}

static void show_quoted(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            putchar('\\');
        putchar(text[i]);
    }
    putchar('"');
}

static void show_element(const char *name, size_t length, bool first)
{
    fputs(first ? "" : ", ", stdout);
    show_quoted(name, length);
}

static void show_json(const struct findings *found)
{
    fputs("{\n  \"text\": [", stdout);
    for (size_t i = 0; i < found->text_lines; i++)
        show_element(found->text[i], strlen(found->text[i]), i == 0);
    fputs("],\n  \"identification\": ", stdout);
    show_quoted(found->identification, strlen(found->identification));
    for (int i = 0; i < LISTS; i++) {
        printf(",\n  \"%s\": [", list_names[i]);
        each_name(found->lists[i], show_element);
        putchar(']');
    }
    printf(",\n  \"first_kex_packet_follows\": %s\n}\n", found->first_kex_packet_follows ? "true" : "false");
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"port", required_argument, NULL, 'p'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *port = "22";
    int32_t timeout_ms = 10000;
    bool json = false;
    int option;
    program_name = "scan";
    while ((option = getopt_long(argc, argv, "p:t:jh", table, NULL)) != -1) {
        switch (option) {
        case 'p': port = optarg; break;
        case 't': timeout_ms = (int32_t)parse_number(optarg, 1, INT32_MAX, "--timeout"); break;
        case 'j': json = true; break;
        case 'h': fputs(help, stdout); return 0;
        default: fail("try --help");
        }
    }
    if (optind + 1 != argc)
        fail("one host is needed; try --help");

    struct findings found = {.text_lines = 0};
    ssh_error *error = NULL;
    ssh_packetizer *packetizer = ssh_packetizer_new(connect_to(argv[optind], port), &error);
    if (packetizer == NULL)
        fail_error(argv[optind], error);
    /* One limit for all that follows. */
    ssh_packetizer_start_handshake(packetizer, timeout_ms);
    read_identification(packetizer, &found);
    read_kexinit(packetizer, &found);
    ssh_packetizer_free(packetizer);

    (json ? show_json : show_table)(&found);
    for (size_t i = 0; i < found.text_lines; i++)
        ssh_memory_free(found.text[i]);
    ssh_memory_free(found.identification);
    for (int i = 0; i < LISTS; i++)
        ssh_memory_free(found.lists[i]);
    return 0;
}
