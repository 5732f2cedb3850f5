/* What the system calls alone cost: the floor that a watcher is measured against.
 *
 *   limit crawl DIR     watch every directory: open, add, list; one thread
 *   limit leaf DIR      two threads and two instances; a directory without subdirectories (two links, as on ext4,
 *                       xfs and tmpfs) is watched without being listed
 *   limit leaf1 DIR     the same with one of each
 *   limit storm DIR     as crawl, then read with rests of 5 ms
 *   limit save DIR CMD  as crawl, then spawn CMD at each CLOSE_WRITE
 *   limit last DIR      as crawl without .git, then print the monotonic clock, in nanoseconds, when something has been read
 *
 * Each prints "ready", then a line for each name that it reads. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MASK (IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define DEPTH 64

struct dent { unsigned long ino; long off; unsigned short len; unsigned char type; char name[]; };

static int inotify[2];
static int leaves, last;

/* Directories at depth 1 are shared out between the threads. */
static void crawl(int parent, const char *name, int fd, int depth, int half, int *turn) {
    char proc[64];
    struct stat status;
    if (leaves && depth > 1) {
        snprintf(proc, sizeof proc, "/proc/self/fd/%d/%s", parent, name);
        inotify_add_watch(inotify[half < 0 ? 0 : half], proc, MASK);
        if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink == 2) return;
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    } else {
        if (fd < 0) fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
        if (depth > 0 || half <= 0) inotify_add_watch(inotify[half < 0 ? 0 : half], proc, MASK);
    }
    if (fd < 0) return;
    char buffer[32768];
    long length;
    while ((length = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < length;) {
            struct dent *dent = (struct dent *)(buffer + at);
            at += dent->len;
            if (dent->type != DT_DIR || !strcmp(dent->name, ".") || !strcmp(dent->name, "..")) continue;
            if (last && !strcmp(dent->name, ".git")) continue;
            if (depth == 0 && half >= 0 && (*turn)++ % 2 != half) continue;
            crawl(fd, dent->name, -1, depth + 1, half, turn);
        }
    close(fd);
}

static const char *root;

static void *half(void *number) {
    int turn = 0;
    crawl(AT_FDCWD, root, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, (int)(long)number, &turn);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *mode = argv[1];
    root = argv[2];
    int alone = !strcmp(mode, "leaf1");
    leaves = alone || !strcmp(mode, "leaf");
    last = !strcmp(mode, "last");
    inotify[0] = inotify_init1(IN_CLOEXEC);
    inotify[1] = inotify_init1(IN_CLOEXEC);
    if (leaves && !alone) {
        pthread_t other;
        pthread_create(&other, NULL, half, (void *)1L);
        half((void *)0L);
        pthread_join(other, NULL);
    } else {
        half((void *)-1L);
    }
    puts("ready");
    fflush(stdout);
    static char buffer[1 << 18];
    int storm = !strcmp(mode, "storm"), save = !strcmp(mode, "save");
    struct pollfd fds[2] = {{inotify[0], POLLIN, 0}, {inotify[1], POLLIN, 0}};
    extern char **environ;
    for (;;) {
        poll(fds, 2, -1);
        long length = read(inotify[fds[0].revents ? 0 : 1], buffer, sizeof buffer);
        if (last) {
            struct timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
        }
        for (long at = 0; at < length;) {
            struct inotify_event *event = (struct inotify_event *)(buffer + at);
            at += sizeof *event + event->len;
            if (event->mask & IN_Q_OVERFLOW) puts("lost");
            if (save && event->mask & IN_CLOSE_WRITE) {
                pid_t pid;
                char *command[] = {argv[3], NULL};
                posix_spawn(&pid, argv[3], NULL, NULL, command, environ);
                waitpid(pid, NULL, 0);
            } else if (!storm && !last && event->len) {
                puts(event->name);
            }
        }
        fflush(stdout);
        if (storm) usleep(5000);
    }
}
