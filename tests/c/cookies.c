/* What the examples take for a cookie of X11, which is a stranger's word: pairs of hexadecimal digits, and nothing that
 * stands behind them. */
#include "check.h"

#include <sys/stat.h>

#include "../../examples-c/xauth.c"

/* What write_cookie() makes of a cookie: how many bytes, and that the last is the one given. */
static size_t written(const char *hex, unsigned char last)
{
    unsigned char bytes[1024];
    const char name[] = "P", number[] = "7";
    char path[] = "/tmp/cookies-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    CHECK(unlink(path) == 0);
    CHECK(write_cookie(path, number, name, hex));
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CHECK(unlink(path) == 0);
    /* The family, four lengths, the number and the name; no address. */
    const size_t before = 2 + 4 * 2 + 1 + 1;
    CHECK(length >= before);
    CHECK((size_t)(bytes[before - 2] << 8 | bytes[before - 1]) == length - before);
    CHECK(length == before || bytes[length - 1] == last);
    return length - before;
}

/* What read_cookie() makes of what a program lists. */
static size_t listed(const char *hex, unsigned char *cookie, size_t room)
{
    char path[] = "/tmp/cookies-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    dprintf(fd, "#!/bin/sh\necho ':0 MIT-MAGIC-COOKIE-1 %s'\n", hex);
    CHECK(fchmod(fd, 0700) == 0);
    close(fd);
    size_t length = read_cookie(path, ":0", cookie, room);
    CHECK(unlink(path) == 0);
    return length;
}

int main(void)
{
    /* The digits behind the end are no part of the cookie, wherever the end is. */
    CHECK(written("00ff7f", 0x7f) == 3);
    CHECK(written("abc\0de", 0xab) == 1);
    CHECK(written("a\0bcde", 0) == 0);
    CHECK(written("", 0) == 0);
    CHECK(written("ABcdg1", 0xcd) == 2);
    CHECK(written("ab 1c2", 0xab) == 1);
    CHECK(written("0x0x", 0) == 0);
    char longest[600];
    memset(longest, '1', sizeof longest);
    longest[599] = '\0';
    CHECK(written(longest, 0x11) == 256);
    longest[511] = '\0';
    CHECK(written(longest, 0x11) == 255);
    unsigned char cookie[4];
    CHECK(listed("00112233445566", cookie, sizeof cookie) == sizeof cookie && cookie[3] == 0x33);
    CHECK(listed("ab1", cookie, sizeof cookie) == 1 && cookie[0] == 0xab);
    CHECK(listed("none", cookie, sizeof cookie) == 0);
    return 0;
}
