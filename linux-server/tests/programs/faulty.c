/* Preloaded: a signalfd gives half a signal, which is impossible: whoever reads it panics. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t read(int file, void *bytes, size_t length)
{
    char link[64], target[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t end = readlink(link, target, sizeof target - 1);
    target[end > 0 ? end : 0] = 0;
    return strstr(target, "signalfd") ? 1 : syscall(SYS_read, file, bytes, length);
}
