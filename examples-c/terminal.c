#define _GNU_SOURCE /* cfmakeraw, IUCLC and its kin */
#include "terminal.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by the lock. */
static struct termios before;
static bool is_raw, is_known;

/* The caller has the lock. */
static bool look(void)
{
    if (!is_known)
        is_known = tcgetattr(STDIN_FILENO, &before) == 0;
    return is_known;
}

bool terminal_make_raw(void)
{
    static bool at_exit;
    pthread_mutex_lock(&lock);
    bool known = look();
    if (known) {
        struct termios raw = before;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        is_raw = true;
        if (!at_exit)
            at_exit = atexit(terminal_restore) == 0;
    }
    pthread_mutex_unlock(&lock);
    return known;
}

void terminal_restore(void)
{
    pthread_mutex_lock(&lock);
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    is_raw = false;
    pthread_mutex_unlock(&lock);
}

bool terminal_is_raw(void)
{
    pthread_mutex_lock(&lock);
    bool raw = is_raw;
    pthread_mutex_unlock(&lock);
    return raw;
}

struct winsize terminal_size(void)
{
    struct winsize window = {.ws_col = 80, .ws_row = 24};
    ioctl(STDIN_FILENO, TIOCGWINSZ, &window);
    return window;
}

/* Where a mode of RFC 4254 section 8 is in a termios. */
struct mode {
    unsigned char code;
    tcflag_t flag;
};

static const struct mode input_modes[] = {
    {30, IGNPAR}, {31, PARMRK}, {32, INPCK}, {33, ISTRIP}, {34, INLCR},   {35, IGNCR}, {36, ICRNL},
    {37, IUCLC},  {38, IXON},   {39, IXANY}, {40, IXOFF},  {41, IMAXBEL}, {42, IUTF8},
};
static const struct mode local_modes[] = {
    {50, ISIG},   {51, ICANON}, {52, XCASE},  {53, ECHO},    {54, ECHOE},  {55, ECHOK},  {56, ECHONL},
    {57, NOFLSH}, {58, TOSTOP}, {59, IEXTEN}, {60, ECHOCTL}, {61, ECHOKE}, {62, PENDIN},
};
static const struct mode output_modes[] = {
    {70, OPOST}, {71, OLCUC}, {72, ONLCR}, {73, OCRNL}, {74, ONOCR}, {75, ONLRET},
};
static const struct mode control_modes[] = {{91, CS8}, {92, PARENB}, {93, PARODD}};
static const struct {
    unsigned char code;
    int index;
} keys[] = {
    {1, VINTR},   {2, VQUIT},  {3, VERASE},    {4, VKILL},    {5, VEOF},   {6, VEOL},      {7, VEOL2},
    {8, VSTART},  {9, VSTOP},  {10, VSUSP},    {12, VREPRINT}, {13, VWERASE}, {14, VLNEXT}, {18, VDISCARD},
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct encoded {
    unsigned char *bytes;
    size_t length, room;
};

static void add(struct encoded *encoded, unsigned char code, uint32_t value)
{
    /* One byte stays for the end. */
    if (encoded->length + 6 > encoded->room)
        return;
    encoded->bytes[encoded->length++] = code;
    for (int shift = 24; shift >= 0; shift -= 8)
        encoded->bytes[encoded->length++] = (unsigned char)(value >> shift);
}

static void add_flags(struct encoded *encoded, const struct mode *modes, size_t count, tcflag_t flags)
{
    for (size_t i = 0; i < count; i++)
        add(encoded, modes[i].code, (flags & modes[i].flag) == modes[i].flag);
}

/* Bits a second of what the C library calls a speed. */
static uint32_t bits_per_second(speed_t speed)
{
    static const struct {
        speed_t speed;
        uint32_t bits;
    } speeds[] = {{B9600, 9600},     {B1200, 1200},   {B2400, 2400},   {B4800, 4800},
                  {B19200, 19200},   {B38400, 38400}, {B57600, 57600}, {B115200, 115200},
                  {B230400, 230400}};
    for (size_t i = 0; i < COUNT(speeds); i++)
        if (speeds[i].speed == speed)
            return speeds[i].bits;
    return 9600;
}

size_t terminal_modes(unsigned char *modes, size_t room)
{
    struct encoded encoded = {.bytes = modes, .room = room};
    pthread_mutex_lock(&lock);
    if (look()) {
        add(&encoded, 129, bits_per_second(cfgetospeed(&before)));
        add(&encoded, 128, bits_per_second(cfgetispeed(&before)));
        for (size_t i = 0; i < COUNT(keys); i++) {
            cc_t key = before.c_cc[keys[i].index];
            add(&encoded, keys[i].code, key == _POSIX_VDISABLE ? 255 : key);
        }
        add_flags(&encoded, input_modes, COUNT(input_modes), before.c_iflag);
        add_flags(&encoded, local_modes, COUNT(local_modes), before.c_lflag);
        add_flags(&encoded, output_modes, COUNT(output_modes), before.c_oflag);
        add_flags(&encoded, control_modes, COUNT(control_modes), before.c_cflag);
    }
    pthread_mutex_unlock(&lock);
    if (encoded.length < room)
        modes[encoded.length++] = 0; /* TTY_OP_END */
    return encoded.length;
}
