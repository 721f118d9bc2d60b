/* Makes the unmodified display program panic, for the cases that look at what is left of the screen then.
 *
 * Preloaded, and as soon as /run/fault-painter has a byte in it, the thread `painter` is told that there is no clock, which
 * Rust's standard library takes for impossible; and with /run/fault-main the main thread reads half a signal, which is
 * impossible too. Both files are opened at the start: later no thread may. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int painter = -1, loop = -1;

__attribute__((constructor)) static void open_both(void)
{
    painter = open("/run/fault-painter", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    loop = open("/run/fault-main", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int wanted(int file)
{
    char byte;
    return pread(file, &byte, 1, 0) == 1;
}

static __thread int paints;

/* Rust's threads give themselves their names; to ask for one is refused later, too. */
int pthread_setname_np(pthread_t self, const char *name)
{
    (void)self;
    paints = strcmp(name, "painter") == 0;
    return prctl(PR_SET_NAME, name) == 0 ? 0 : errno;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (paints && wanted(painter)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

ssize_t read(int file, void *bytes, size_t length)
{
    char link[64], target[64];
    if (length == 128 && wanted(loop)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t end = readlink(link, target, sizeof target - 1);
        target[end > 0 ? end : 0] = 0;
        if (strstr(target, "signalfd"))
            return 1;
    }
    return syscall(SYS_read, file, bytes, length);
}
