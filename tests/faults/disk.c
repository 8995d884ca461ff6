/* A disk that fails when a test wants it to, for LD_PRELOAD.
 *
 * Calls of libc that change files below one folder are counted. At the n-th, as `faults_arm` says, the process is
 * killed, or the disk is full from then on; or every call is recorded, with a copy of what each fsync makes durable.
 * Stores into mapped memory are not calls and so not counted; a copy at an fsync has them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FULL, RECORD };
enum { GO, HALF, FAIL };

static int mode, log_descriptor = -1;
static long at;
static char root[PATH_MAX], copies[PATH_MAX];
static atomic_long calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Count and fail as `how` says from here on, for paths below `folder`; records go to `record`/log and copies beside it. */
void faults_arm(const char *folder, int how, long number, const char *record)
{
    char name[PATH_MAX];
    snprintf(root, sizeof root, "%s/", folder);
    mode = how;
    at = number;
    atomic_store(&calls, 0);
    if (how == RECORD) {
        snprintf(copies, sizeof copies, "%s", record);
        snprintf(name, sizeof name, "%s/log", record);
        log_descriptor = REAL(open)(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
}

long faults_count(void) { return atomic_load(&calls); }

static int absolute(int folder, const char *path, char *result)
{
    char base[PATH_MAX], link[64];
    if (!root[0] || !path)
        return 0;
    if (path[0] == '/')
        snprintf(result, PATH_MAX, "%s", path);
    else {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0)
            return 0;
        base[length] = 0;
        if (snprintf(result, PATH_MAX, "%s%s%s", base, path[0] ? "/" : "", path) >= PATH_MAX)
            return 0;
    }
    return strncmp(result, root, strlen(root)) == 0;
}

static int of_descriptor(int descriptor, char *result) { return descriptor >= 0 && absolute(descriptor, "", result); }

static void copy(long number, const char *path)
{
    char name[PATH_MAX + 32], piece[65536];
    struct stat status;
    int from = REAL(open)(path, O_RDONLY), to;
    if (from < 0 || fstat(from, &status) || !S_ISREG(status.st_mode)) {
        if (from >= 0)
            close(from);
        return;
    }
    snprintf(name, sizeof name, "%s/%ld", copies, number);
    to = REAL(open)(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t size; (size = read(from, piece, sizeof piece)) > 0;)
        if (REAL(write)(to, piece, size) != size)
            abort();
    close(from);
    close(to);
}

/* Count one call; what it is to do. */
static int point(const char *call, const char *path, const char *second)
{
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (mode == RECORD) {
        char line[2 * PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", number, call, path, second ? second : "");
        if (strcmp(call, "fsync") == 0)
            copy(number, path);
        if (REAL(write)(log_descriptor, line, length) != length)
            abort();
    }
    if (mode == KILL && number == at)
        return HALF;
    if (mode == FULL && number >= at)
        return number == at ? HALF : FAIL;
    return GO;
}

static void die(void)
{
    if (mode == KILL) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

/* For calls that are done or not done: die, or report a full disk. */
#define ALL_OR_NOTHING(call, path, second, failed)                                                                     \
    if (point(call, path, second) != GO) {                                                                             \
        die();                                                                                                         \
        errno = ENOSPC;                                                                                                \
        return failed;                                                                                                 \
    }
/* For removals, which a full disk lets pass. */
#define REMOVAL(call, path)                                                                                            \
    if (point(call, path, NULL) != GO)                                                                                 \
        die();
/* For writes, of which half may be done. */
#define PARTIAL(call, descriptor, size, half)                                                                          \
    char path[PATH_MAX];                                                                                               \
    if (of_descriptor(descriptor, path)) {                                                                             \
        int what = point(call, path, NULL);                                                                            \
        if (what == HALF && (size) > 1) {                                                                              \
            __typeof__(half) done = half;                                                                              \
            die();                                                                                                     \
            return done;                                                                                               \
        }                                                                                                              \
        if (what != GO) {                                                                                              \
            die();                                                                                                     \
            errno = ENOSPC;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
    }

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    PARTIAL("write", descriptor, size, REAL(write)(descriptor, bytes, size / 2))
    return REAL(write)(descriptor, bytes, size);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    PARTIAL("write", descriptor, size, REAL(pwrite)(descriptor, bytes, size / 2, offset))
    return REAL(pwrite)(descriptor, bytes, size, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset)
{
    PARTIAL("write", descriptor, size, REAL(pwrite64)(descriptor, bytes, size / 2, offset))
    return REAL(pwrite64)(descriptor, bytes, size, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    PARTIAL("write", descriptor, count, REAL(writev)(descriptor, parts, count / 2))
    return REAL(writev)(descriptor, parts, count);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    PARTIAL("write", to, size, REAL(sendfile)(to, from, offset, size > 8 ? 8 : size / 2))
    return REAL(sendfile)(to, from, offset, size);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
    PARTIAL("write", to, size, REAL(sendfile64)(to, from, offset, size > 8 ? 8 : size / 2))
    return REAL(sendfile64)(to, from, offset, size);
}

ssize_t copy_file_range(int from, off64_t *in, int to, off64_t *out, size_t size, unsigned flags)
{
    PARTIAL("write", to, size, REAL(copy_file_range)(from, in, to, out, size > 8 ? 8 : size / 2, flags))
    return REAL(copy_file_range)(from, in, to, out, size, flags);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream)
{
    char path[PATH_MAX];
    if (of_descriptor(fileno(stream), path)) {
        int what = point("write", path, NULL);
        if (what != GO) {
            size_t done = what == HALF ? REAL(fwrite)(bytes, size, count / 2, stream) : 0;
            fflush(stream);
            die();
            errno = ENOSPC;
            return done;
        }
    }
    return REAL(fwrite)(bytes, size, count, stream);
}

#define CHANGES_SIZE(name, size_type)                                                                                  \
    int name(int descriptor, size_type size)                                                                           \
    {                                                                                                                  \
        char path[PATH_MAX];                                                                                           \
        if (of_descriptor(descriptor, path))                                                                           \
            ALL_OR_NOTHING("write", path, NULL, -1)                                                                    \
        return REAL(name)(descriptor, size);                                                                           \
    }
CHANGES_SIZE(ftruncate, off_t)
CHANGES_SIZE(ftruncate64, off64_t)

/* These report an error by their result. */
#define ALLOCATES(name, size_type)                                                                                     \
    int name(int descriptor, size_type offset, size_type size)                                                         \
    {                                                                                                                  \
        char path[PATH_MAX];                                                                                           \
        if (of_descriptor(descriptor, path))                                                                           \
            ALL_OR_NOTHING("write", path, NULL, ENOSPC)                                                                \
        return REAL(name)(descriptor, offset, size);                                                                   \
    }
ALLOCATES(posix_fallocate, off_t)
ALLOCATES(posix_fallocate64, off64_t)

/* Nothing waits for the real disk: the machine under the test keeps its power. */
#define FLUSHES(name)                                                                                                  \
    int name(int descriptor)                                                                                           \
    {                                                                                                                  \
        char path[PATH_MAX];                                                                                           \
        if (of_descriptor(descriptor, path)) {                                                                         \
            ALL_OR_NOTHING("fsync", path, NULL, -1)                                                                    \
            return 0;                                                                                                  \
        }                                                                                                              \
        return REAL(name)(descriptor);                                                                                 \
    }
FLUSHES(fsync)
FLUSHES(fdatasync)

static int creates(int folder, const char *name, int flags, char *path)
{
    struct stat status;
    if (!(flags & (O_CREAT | O_TRUNC)) || !absolute(folder, name, path))
        return 0;
    return (flags & O_TRUNC) || stat(path, &status);
}

static int opened(int folder, const char *file, int flags, int permissions)
{
    char path[PATH_MAX];
    if (creates(folder, file, flags, path))
        ALL_OR_NOTHING("create", path, NULL, -1)
    return REAL(openat)(folder, file, flags, permissions);
}

/* The permissions are the argument after `flags`, if there is one. */
#define OPENS(folder)                                                                                                  \
    va_list arguments;                                                                                                 \
    va_start(arguments, flags);                                                                                        \
    int permissions = va_arg(arguments, int);                                                                          \
    va_end(arguments);                                                                                                 \
    return opened(folder, file, flags, permissions);

int open(const char *file, int flags, ...) { OPENS(AT_FDCWD) }
int open64(const char *file, int flags, ...) { OPENS(AT_FDCWD) }
int openat(int folder, const char *file, int flags, ...) { OPENS(folder) }
int openat64(int folder, const char *file, int flags, ...) { OPENS(folder) }

#define OPENS_STREAM(name)                                                                                             \
    FILE *name(const char *file, const char *how)                                                                      \
    {                                                                                                                  \
        char path[PATH_MAX];                                                                                           \
        int flags = how[0] == 'w' ? O_CREAT | O_TRUNC : how[0] == 'a' ? O_CREAT : 0;                                   \
        if (creates(AT_FDCWD, file, flags, path))                                                                      \
            ALL_OR_NOTHING("create", path, NULL, NULL)                                                                 \
        return REAL(name)(file, how);                                                                                  \
    }
OPENS_STREAM(fopen)
OPENS_STREAM(fopen64)

int mkdirat(int folder, const char *name, mode_t permissions)
{
    char path[PATH_MAX];
    if (absolute(folder, name, path))
        ALL_OR_NOTHING("mkdir", path, NULL, -1)
    return REAL(mkdirat)(folder, name, permissions);
}

int mkdir(const char *name, mode_t permissions) { return mkdirat(AT_FDCWD, name, permissions); }

int renameat(int first, const char *from, int second, const char *to)
{
    char old[PATH_MAX], new[PATH_MAX];
    if (absolute(second, to, new) && absolute(first, from, old))
        ALL_OR_NOTHING("rename", old, new, -1)
    return REAL(renameat)(first, from, second, to);
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int linkat(int first, const char *from, int second, const char *to, int flags)
{
    char old[PATH_MAX], new[PATH_MAX];
    if (absolute(second, to, new) && absolute(first, from, old))
        ALL_OR_NOTHING("link", old, new, -1)
    return REAL(linkat)(first, from, second, to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    if (absolute(folder, name, path))
        REMOVAL("remove", path)
    return REAL(unlinkat)(folder, name, flags);
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
