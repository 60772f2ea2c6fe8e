#define _GNU_SOURCE
#include "escapes.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../terminal.h"
#include "commands.h"
#include "forwards.h"
#include "logging.h"
#include "session.h"

#define SUSPEND 26 /* ^Z */

bool escapes_begin(struct escapes *escapes, const ssh_config_host *host, ssh_transport *transport, ssh_channel *channel)
{
    const char *written = ssh_config_host_get(host, "EscapeChar", 0);
    *escapes = (struct escapes){.transport = transport, .channel = channel, .host = host, .is_behind_line_end = true};
    if (written == NULL || strcmp(written, "none") == 0)
        return false;
    escapes->character = written[0];
    if (written[0] == '^' && written[1] != '\0')
        escapes->character = (char)(written[1] & 31);
    return true;
}

static bool has_commands(const struct escapes *escapes)
{
    return ssh_config_host_is_yes(escapes->host, "EnableEscapeCommandline");
}

static void show_help(const struct escapes *escapes)
{
    static const char commands[] = "C   - open a command line";
    static const char *const lines[] = {
        ".   - terminate connection",
        "B   - send a BREAK to the remote system",
        commands,
        "R   - request rekey",
        "V/v - decrease/increase verbosity (LogLevel)",
        "^Z  - suspend ssh",
        "#   - list forwarded connections",
        "?   - this message",
    };
    note(LEVEL_FATAL, "Supported escape sequences:");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i] != commands || has_commands(escapes))
            note(LEVEL_FATAL, " %c%s", escapes->character, lines[i]);
    note(LEVEL_FATAL, " %c%c  - send the escape character by typing it twice", escapes->character, escapes->character);
    note(LEVEL_FATAL, "(Note that escapes are only recognized immediately after newline.)");
}

static void suspend(ssh_channel *channel)
{
    terminal_restore();
    kill(getpid(), SIGTSTP);
    /* Somebody has this program go on. */
    terminal_make_raw();
    struct winsize window = terminal_size();
    ssh_channel_window_change(channel, window.ws_col, window.ws_row, window.ws_xpixel, window.ws_ypixel);
}

static void change_level(int by)
{
    int level = (int)logging_level() + by;
    if (level >= LEVEL_QUIET && level <= LEVEL_DEBUG3)
        logging_set_level((enum level)level);
    note(LEVEL_FATAL, "[LogLevel %s]", logging_word(logging_level()));
}

/* Does what the character stands for; false when it stands for nothing. */
static bool obey(struct escapes *escapes, char character)
{
    ssh_error *error = NULL;
    switch (character) {
    case '.':
        note(LEVEL_FATAL, "%c.", escapes->character);
        note(LEVEL_INFO, "Connection to %s closed.", ssh_config_host_name(escapes->host));
        session_end(EXIT_TROUBLE);
    case '?': show_help(escapes); return true;
    case '#':
        note(LEVEL_FATAL, "The following connections are open:");
        note(LEVEL_FATAL, "  the session, channel %u", ssh_channel_id(escapes->channel));
        forwards_show();
        return true;
    case 'B':
    case 'b':
        if (ssh_channel_break(escapes->channel, 1000, 5000, &error) != SSH_OK)
            note(LEVEL_FATAL, "no break: %s", ssh_error_message(error));
        ssh_error_free(error);
        return true;
    case 'C':
        if (has_commands(escapes))
            commands_ask(escapes->host, escapes->transport);
        else
            note(LEVEL_FATAL, "%cC: the command line is disabled; EnableEscapeCommandline=yes enables it",
                 escapes->character);
        return true;
    case 'R':
        if (ssh_transport_begin_renegotiate_keys(escapes->transport, NULL, &error) != SSH_OK)
            note(LEVEL_FATAL, "no new keys: %s", ssh_error_message(error));
        ssh_error_free(error);
        return true;
    case 'V': change_level(-1); return true;
    case 'v': change_level(1); return true;
    case '&':
        note(LEVEL_FATAL, "%c& is not supported; ssh -f goes to the background from the beginning", escapes->character);
        return true;
    case SUSPEND: suspend(escapes->channel); return true;
    default: return false;
    }
}

size_t escapes_filter(void *userdata, char *bytes, size_t length)
{
    struct escapes *escapes = userdata;
    /* The character from before may come back in front, so what was typed is read from elsewhere. */
    char *typed = malloc(length);
    size_t kept = 0;
    if (typed == NULL)
        fail("out of memory");
    memcpy(typed, bytes, length);
    for (size_t i = 0; i < length; i++) {
        char character = typed[i];
        if (escapes->is_pending) {
            escapes->is_pending = false;
            /* Twice stands for the character itself. */
            if (character != escapes->character) {
                if (obey(escapes, character)) {
                    escapes->is_behind_line_end = true;
                    continue;
                }
                bytes[kept++] = escapes->character;
            }
        } else if (escapes->is_behind_line_end && character == escapes->character) {
            escapes->is_pending = true;
            continue;
        }
        escapes->is_behind_line_end = character == '\r' || character == '\n';
        bytes[kept++] = character;
    }
    free(typed);
    return kept;
}
