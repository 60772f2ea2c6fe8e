#define _GNU_SOURCE /* popen with "e", mkstemp */
#include "xauth.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What goes into a command line, and is no more than a path or a display. */
static bool is_harmless(const char *word)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_[]";
    return strspn(word, harmless) == strlen(word);
}

static int digit(char letter)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = letter != '\0' ? strchr(digits, letter) : NULL;
    return found != NULL ? (int)(found - digits) & 15 : -1;
}

/* The bytes that a text has in hexadecimal, up to whatever is no pair of digits. Returns how many. */
static size_t bytes_of(const char *hex, unsigned char *bytes, size_t room)
{
    size_t length = 0;
    for (int high, low; length < room && (high = digit(hex[0])) >= 0 && (low = digit(hex[1])) >= 0; hex += 2)
        bytes[length++] = (unsigned char)(high << 4 | low);
    return length;
}

/* What a command that lists cookies says, as bytes. */
static size_t cookie_of(const char *command, unsigned char *cookie, size_t room)
{
    size_t length = 0;
    char line[1024], hex[513];
    FILE *xauth = popen(command, "re");
    if (xauth == NULL)
        return 0;
    if (fgets(line, sizeof line, xauth) != NULL && sscanf(line, "%*s MIT-MAGIC-COOKIE-1 %512s", hex) == 1)
        length = bytes_of(hex, cookie, room);
    pclose(xauth);
    return length;
}

size_t read_cookie(const char *xauth, const char *display, unsigned char *cookie, size_t room)
{
    char command[600];
    /* A display that is forwarded itself is called so in the file. */
    bool forwarded = strncmp(display, "localhost:", 10) == 0;
    if (!is_harmless(xauth) || !is_harmless(display) ||
        snprintf(command, sizeof command, "%s list %s%s 2>/dev/null", xauth, forwarded ? "unix" : "",
                 forwarded ? display + 9 : display) >= (int)sizeof command)
        return 0;
    return cookie_of(command, cookie, room);
}

size_t untrusted_cookie(const char *xauth, const char *display, unsigned seconds, unsigned char *cookie, size_t room)
{
    char command[1200], file[] = "/tmp/xauth-XXXXXX", timeout[32] = "";
    size_t length = 0;
    if (!is_harmless(xauth) || !is_harmless(display))
        return 0;
    int fd = mkstemp(file);
    if (fd < 0)
        return 0;
    close(fd);
    if (seconds > 0)
        snprintf(timeout, sizeof timeout, " timeout %u", seconds);
    if (snprintf(command, sizeof command,
                 "%s -q -f %s generate %s MIT-MAGIC-COOKIE-1 untrusted%s >/dev/null 2>&1 && "
                 "%s -f %s list %s 2>/dev/null",
                 xauth, file, display, timeout, xauth, file, display) < (int)sizeof command)
        length = cookie_of(command, cookie, room);
    unlink(file);
    return length;
}

bool write_cookie(const char *path, const char *number, const char *protocol, const char *hex)
{
    unsigned char cookie[256];
    size_t length = bytes_of(hex, cookie, sizeof cookie);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return false;
    /* Family "wild", no address, the number, the protocol, the cookie. */
    const struct {
        const void *data;
        size_t length;
    } fields[] = {{"", 0}, {number, strlen(number)}, {protocol, strlen(protocol)}, {cookie, length}};
    fwrite("\xff\xff", 2, 1, file);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        fputc((int)(fields[i].length >> 8), file);
        fputc((int)(fields[i].length & 0xff), file);
        fwrite(fields[i].data, 1, fields[i].length, file);
    }
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}
