/* Makes the unmodified display program panic, for the cases that look at what is left of the screen then.
 *
 * Preloaded, and as soon as a file /run/fault-NAME exists, the thread NAME is told that there is no clock, which Rust's
 * standard library takes for impossible; and with /run/fault-main the main thread reads half a signal, which is
 * impossible too. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int wanted(const char *thread)
{
    char file[64];
    snprintf(file, sizeof file, "/run/fault-%s", thread);
    return access(file, F_OK) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    if (strncmp(name, "sealcam", 7) != 0 && wanted(name)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

ssize_t read(int file, void *bytes, size_t length)
{
    char link[64], target[64];
    if (length == 128 && wanted("main")) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t end = readlink(link, target, sizeof target - 1);
        target[end > 0 ? end : 0] = 0;
        if (strstr(target, "signalfd"))
            return 1;
    }
    return syscall(SYS_read, file, bytes, length);
}
