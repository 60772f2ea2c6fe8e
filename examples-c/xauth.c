#define _GNU_SOURCE /* popen with "e" */
#include "xauth.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t read_cookie(const char *display, unsigned char *cookie, size_t room)
{
    size_t length = 0;
    char command[300], line[1024], hex[513];
    unsigned byte;
    /* The display goes into a command line. */
    if (strspn(display, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_[]") != strlen(display) ||
        snprintf(command, sizeof command, "xauth list %s 2>/dev/null", display) >= (int)sizeof command)
        return 0;
    FILE *xauth = popen(command, "re");
    if (xauth == NULL)
        return 0;
    if (fgets(line, sizeof line, xauth) != NULL && sscanf(line, "%*s MIT-MAGIC-COOKIE-1 %512s", hex) == 1)
        while (length < room && sscanf(hex + 2 * length, "%2x", &byte) == 1)
            cookie[length++] = (unsigned char)byte;
    pclose(xauth);
    return length;
}

bool write_cookie(const char *path, const char *number, const char *protocol, const char *hex)
{
    unsigned char cookie[256];
    size_t length = 0;
    unsigned byte;
    while (length < sizeof cookie && sscanf(hex + 2 * length, "%2x", &byte) == 1)
        cookie[length++] = (unsigned char)byte;
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
