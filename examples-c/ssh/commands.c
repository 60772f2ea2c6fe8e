#define _GNU_SOURCE
#include "commands.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../child.h"
#include "../settings.h"
#include "../terminal.h"
#include "forwards.h"
#include "logging.h"
#include "options.h"

static void show_help(const ssh_config_host *host)
{
    static const char *const lines[] = {
        "-L[bind_address:]port:host:hostport    listen here, and have the other side connect",
        "-R[bind_address:]port:host:hostport    have the other side listen, and connect from here",
        "-D[bind_address:]port                  listen here, and ask each program by SOCKS where to",
        "-KL[bind_address:]port                 end what -L has begun",
        "-KR[bind_address:]port                 end what -R has begun",
        "-KD[bind_address:]port                 end what -D has begun",
    };
    note(LEVEL_FATAL, "Commands:");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        note(LEVEL_FATAL, "  %s", lines[i]);
    if (ssh_config_host_is_yes(host, "PermitLocalCommand"))
        note(LEVEL_FATAL, "  !command                               run a command on this side");
}

/* What a line of a configuration says, together with what the session's says of all forwardings; NULL when it makes no
 * sense. */
static ssh_config_host *read_setting(const ssh_config_host *host, const char *setting)
{
    static const char *const shared[] = {"GatewayPorts", "StreamLocalBindUnlink"};
    ssh_error *error = NULL;
    ssh_config *config = ssh_config_new();
    ssh_config_host *read = NULL;
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        setting_add(config, shared[i], ssh_config_host_is_yes(host, shared[i]) ? "yes" : "no");
    char *permitted = forwards_permitted(host), *permits = NULL;
    if (permitted == NULL || asprintf(&permits, "PermitRemoteOpen%s", permitted) < 0)
        permits = NULL;
    if (ssh_config_add_option(config, permits, &error) == SSH_OK && ssh_config_add_option(config, setting, &error) == SSH_OK)
        read = ssh_config_resolve(config, "localhost", &error);
    if (read == NULL)
        note(LEVEL_FATAL, "Bad forwarding specification: %s", ssh_error_message(error));
    free(permitted);
    free(permits);
    ssh_error_free(error);
    ssh_config_free(config);
    return read;
}

/* Begins a forwarding of this kind, or ends one: then only the place that is listened on is named, as with -D. */
static void change(const ssh_config_host *host, ssh_transport *transport, char kind, bool ends, const char *place)
{
    char *setting = forward_setting(ends ? 'D' : kind, place);
    ssh_config_host *read = setting != NULL ? read_setting(host, setting) : NULL;
    if (setting == NULL)
        note(LEVEL_FATAL, "Bad forwarding specification '%s'", place);
    else if (read != NULL && ends)
        note(LEVEL_FATAL, forwards_end_one(read, kind) ? "Canceled forwarding." : "Unknown port forwarding.");
    else if (read != NULL)
        note(LEVEL_FATAL, forwards_begin(transport, read) ? "Forwarding port." : "Port forwarding failed.");
    ssh_config_host_free(read);
    free(setting);
}

static const char *skip_spaces(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static void obey(const ssh_config_host *host, ssh_transport *transport, const char *command)
{
    command = skip_spaces(command);
    if (*command == '!' && ssh_config_host_is_yes(host, "PermitLocalCommand")) {
        child_run(command + 1, false);
        return;
    }
    if (*command == '-')
        command++;
    bool ends = *command == 'K';
    if (ends)
        command++;
    if (!ends && (*command == 'h' || *command == 'H' || *command == '?'))
        show_help(host);
    else if (*command == 'L' || *command == 'R' || *command == 'D')
        change(host, transport, *command, ends, skip_spaces(command + 1));
    else if (ends || *command != '\0')
        note(LEVEL_FATAL, "Invalid command.");
}

void commands_ask(const ssh_config_host *host, ssh_transport *transport)
{
    terminal_restore();
    char *command = ask("\nssh> ", true);
    if (command != NULL)
        obey(host, transport, command);
    free(command);
    terminal_make_raw();
}
