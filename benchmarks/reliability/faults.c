/* Counts the file operations of a process below two folders, and breaks them on demand.
 *
 * torch, HDF5 and safetensors write from C++, C and Rust, where no hook of Python sees them. All of
 * them call libc, so this library is preloaded (LD_PRELOAD) and stands in front of what changes a disk.
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
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FOLDER_BYTES 4096 /* what a new folder takes on common file systems */
static char folders[2][PATH_MAX];
static atomic_int watching, filling;
static atomic_long operations, written_bytes, room_bytes, refusals;
static long kill_at;

void faults_watch(const char *first, const char *second, long kill_at_operation) {
    snprintf(folders[0], PATH_MAX, "%s/", first);
    snprintf(folders[1], PATH_MAX, "%s/", second);
    kill_at = kill_at_operation;
    watching = 1;
}

long faults_operations(void) { return operations; }
long faults_written_bytes(void) { return written_bytes; }
long faults_refusals(void) { return refusals; }
/* From now on there is room for so many bytes; without end if negative. */
void faults_leave_room(long bytes) {
    room_bytes = bytes;
    filling = bytes >= 0;
}

static int below(const char *path) {
    for (int i = 0; i < 2; i++)
        if (!strncmp(path, folders[i], strlen(folders[i]))) return 1;
    return 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int below_at(int folder, const char *path) {
    char start[PATH_MAX], whole[2 * PATH_MAX];
    if (!path) return 0;
    if (path[0] == '/') return below(path);
    if (folder == AT_FDCWD ? !getcwd(start, sizeof start) : !path_of(folder, start)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", start, path);
    return below(whole);
}

/* One operation: the process dies before it at the chosen number; true if there is no room for it.
 * Once something did not fit, nothing does: who fills the disk takes the rest. */
static int refused(int is_below, long bytes) {
    if (!is_below) return 0;
    if (atomic_fetch_add(&operations, 1) + 1 == kill_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (!bytes) return 0;
    if (filling && atomic_fetch_sub(&room_bytes, bytes) < bytes) {
        room_bytes = 0;
        refusals++;
        errno = ENOSPC;
        return 1;
    }
    written_bytes += bytes;
    return 0;
}

static long total(const struct iovec *parts, int n) {
    long bytes = 0;
    while (n--) bytes += parts[n].iov_len;
    return bytes;
}

/* A copy asks for more than its source has; what is left there is what it takes. */
static long left_of(int fd, const off64_t *at) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_size - (at ? *at : lseek(fd, 0, SEEK_CUR));
}

#define CALL(result, name, parameters, arguments, is_below, bytes)                 \
    result name parameters {                                                       \
        static result(*real) parameters;                                           \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);           \
        if (watching && refused(is_below, bytes)) return (result)-1;               \
        return real arguments;                                                     \
    }
#define WRITE(result, name, parameters, arguments, bytes) \
    CALL(result, name, parameters, arguments, below_at(fd, ""), bytes)
#define PATH(name, parameters, arguments, at, path, bytes) \
    CALL(int, name, parameters, arguments, below_at(at, path), bytes)

WRITE(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), n)
WRITE(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), n)
WRITE(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), n)
WRITE(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), total(parts, n))
WRITE(ssize_t, sendfile, (int fd, int from, off_t *at, size_t n), (fd, from, at, n),
      left_of(from, at))
WRITE(ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t n), (fd, from, at, n),
      left_of(from, at))
WRITE(ssize_t, copy_file_range,
      (int from, off64_t *from_at, int fd, off64_t *at, size_t n, unsigned flags),
      (from, from_at, fd, at, n, flags), left_of(from, from_at))
WRITE(int, ftruncate, (int fd, off_t size), (fd, size), 0)
WRITE(int, ftruncate64, (int fd, off64_t size), (fd, size), 0)

PATH(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path, FOLDER_BYTES)
PATH(rmdir, (const char *path), (path), AT_FDCWD, path, 0)
PATH(unlink, (const char *path), (path), AT_FDCWD, path, 0)
PATH(unlinkat, (int at, const char *path, int flags), (at, path, flags), at, path, 0)
PATH(rename, (const char *from, const char *to), (from, to), AT_FDCWD, to, 0)
PATH(renameat, (int from_at, const char *from, int at, const char *to), (from_at, from, at, to), at,
     to, 0)

#define OPEN(name)                                                                         \
    int name(const char *path, int flags, ...) {                                           \
        static int (*real)(const char *, int, ...);                                        \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);        \
        va_list rest; /* the mode, where a file may be made */                             \
        va_start(rest, flags);                                                             \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                          \
        va_end(rest);                                                                      \
        if (watching && flags & (O_CREAT | O_TRUNC)) refused(below_at(AT_FDCWD, path), 0); \
        return real(path, flags, mode);                                                    \
    }
#define FOPEN(name)                                                                         \
    FILE *name(const char *path, const char *how) {                                         \
        static FILE *(*real)(const char *, const char *);                                   \
        if (!real) real = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, #name); \
        if (watching && how[0] != 'r') refused(below_at(AT_FDCWD, path), 0);                \
        return real(path, how);                                                             \
    }
OPEN(open) OPEN(open64)
FOPEN(fopen) FOPEN(fopen64)
