/* Preloaded: CLOCK_BOOTTIME stands an hour ahead, as after an hour's sleep, once the file that $ASLEEP names exists. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_BOOTTIME && access(getenv("ASLEEP"), F_OK) == 0)
        now->tv_sec += 3600;
    return failed;
}
