/* Preloaded into the processes of a campaign. It notes in $POWER_JOURNAL what a power loss would lose of $POWER_ROOT,
   and sets the clock of the process wrong by $CLOCK_SKEW seconds. `power.py` reads the journal and takes the loss. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *root, *journal;
static time_t skew;

__attribute__((constructor)) static void begin(void) {
    /* Copies, because a server that sets its title writes over its environment. */
    root = getenv("POWER_ROOT") ? strdup(getenv("POWER_ROOT")) : NULL;
    journal = getenv("POWER_JOURNAL") ? strdup(getenv("POWER_JOURNAL")) : NULL;
    skew = getenv("CLOCK_SKEW") ? atol(getenv("CLOCK_SKEW")) : 0;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

/* Writes the absolute path into `out`; returns whether it lies below the root. */
static int inside(int folder, const char *path, char *out) {
    char base[PATH_MAX] = "", link[64];
    if (!root || !journal || !*root || !*journal || !path) return 0;
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t size = readlink(link, base, sizeof base - 1);
            if (size < 0) return 0;
            base[size] = 0;
        }
        strncat(base, "/", sizeof base - strlen(base) - 1);
    }
    if (snprintf(out, PATH_MAX, "%s%s", base, path) >= PATH_MAX) return 0;
    size_t length = strlen(root);
    return !strncmp(out, root, length) && (out[length] == '/' || !out[length]);
}

static int journal_file(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/log", journal);
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* Appends a line in one write, so that lines of several processes do not mix. */
static void note(const char *kind, const char *first, const char *second, const char *third) {
    char line[3 * PATH_MAX + 16]; /* three paths, and the kind with its separators */
    int size = snprintf(line, sizeof line, "%s\t%s\t%s\t%s\n", kind, first, second, third);
    int file = journal_file();
    if (file >= 0) {
        if (write(file, line, size) != size) abort();
        close(file);
    }
}

/* Links the file to a name of its own, so that its content outlives the change and its inode is not used again. */
static void keep(const char *path, char *kept) {
    static unsigned count;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    snprintf(kept, PATH_MAX, "%s/kept/%d-%ld%09ld-%u", journal, getpid(), now.tv_sec, now.tv_nsec,
             __sync_fetch_and_add(&count, 1));
    if (link(path, kept)) strcpy(kept, "-");
}

static void note_sync(int descriptor, const struct stat *before, off_t upto) {
    char link[64], path[PATH_MAX], absolute[PATH_MAX], number[32], size[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (!inside(AT_FDCWD, path, absolute)) return;
    snprintf(number, sizeof number, "%lld", (long long)(S_ISDIR(before->st_mode) ? upto : before->st_ino));
    snprintf(size, sizeof size, "%lld", (long long)before->st_size);
    note(S_ISDIR(before->st_mode) ? "folder" : "file", absolute, number, size);
}

static int sync_with(const char *name, int descriptor) {
    struct stat before, log = {0};
    char path[PATH_MAX];
    int known = root && !fstat(descriptor, &before);
    if (known) {
        snprintf(path, sizeof path, "%s/log", journal);
        stat(path, &log);
    }
    int result = REAL(int, name, int)(descriptor);
    if (known && !result) note_sync(descriptor, &before, log.st_size);
    return result;
}

int fsync(int descriptor) { return sync_with("fsync", descriptor); }
int fdatasync(int descriptor) { return sync_with("fdatasync", descriptor); }

int renameat(int from, const char *old, int to, const char *new) {
    char before[PATH_MAX], after[PATH_MAX], kept[PATH_MAX] = "-";
    int ours = inside(from, old, before) & inside(to, new, after);
    if (ours) keep(after, kept);
    int result = REAL(int, "renameat", int, const char *, int, const char *)(from, old, to, new);
    if (ours && !result) note("rename", before, after, kept);
    return result;
}

int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int unlinkat(int folder, const char *path, int flags) {
    char absolute[PATH_MAX], kept[PATH_MAX] = "-";
    int ours = inside(folder, path, absolute);
    if (ours && !(flags & AT_REMOVEDIR)) keep(absolute, kept);
    int result = REAL(int, "unlinkat", int, const char *, int)(folder, path, flags);
    if (ours && !result) note(flags & AT_REMOVEDIR ? "rmdir" : "unlink", absolute, "-", kept);
    return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
    char absolute[PATH_MAX];
    int result = REAL(int, "mkdirat", int, const char *, mode_t)(folder, path, mode);
    if (!result && inside(folder, path, absolute)) note("mkdir", absolute, "-", "-");
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(int, "clock_gettime", clockid_t, struct timespec *)(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += skew;
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    int result = REAL(int, "gettimeofday", struct timeval *, void *)(now, zone);
    now->tv_sec += skew;
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
