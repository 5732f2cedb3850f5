/* What is done to the files, and the commands that tools run: as fast as a C program is.
 *
 *   work storm DIR N   N times create, write, close and unlink a file, in turn in the directories DIR/0 .. DIR/99
 *   work list          append "run NANOSECONDS", then the paths on standard input, to the file named by STAMPS
 *   work               append the monotonic clock, in nanoseconds, to the file named by STAMPS */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int stamp(const char *format) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char line[64];
    int length = snprintf(line, sizeof line, format, now.tv_sec * 1000000000LL + now.tv_nsec);
    int fd = open(getenv("STAMPS"), O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (fd < 0 || write(fd, line, length) != length) exit(1);
    return fd;
}

static int list(void) {
    int fd = stamp("run %lld\n");
    static char buffer[1 << 16];
    for (ssize_t length; (length = read(0, buffer, sizeof buffer)) > 0;)
        if (write(fd, buffer, length) != length) return 1;
    return 0;
}

static int storm(const char *dir, long count) {
    for (long i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%ld/f%ld.txt", dir, i % 100, i);
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        if (write(fd, "x", 1) != 1) return 1;
        close(fd);
        unlink(path);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "storm")) return storm(argv[2], atol(argv[3]));
    if (argc == 2 && !strcmp(argv[1], "list")) return list();
    stamp("%lld\n");
    return 0;
}
