/*
 * Loaded into a process with LD_PRELOAD: writes down, in order, whatever that process does to the files below
 * POWER_ROOT, what it syncs, and what it says (standard output and error). The journal, POWER_JOURNAL, is what a test
 * takes the disk of a power cut from (disk.ts reads it).
 *
 * A record: a line of decimal numbers and texts, then `length` raw bytes. Texts have no spaces or newlines.
 *   create <folder> <name> <inode>        a new file or folder is in a folder (folder: its inode)
 *   rename <folder> <name> <folder> <name>
 *   remove <folder> <name>
 *   write <inode> <offset> <length>       and the bytes
 *   zeros <inode> <offset> <length>       no bytes follow
 *   size <inode> <length>
 *   begin <number> <inode>                a sync begins: what stands above it is on the disk once it ends
 *   end <number> <inode>
 *   said <length>                         and the bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))
#define MOST_FDS 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static const char *root;
static ino_t top;
static unsigned long syncs;
/* The inode of each open file below the root. */
static ino_t inodes[MOST_FDS];

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void start(void) {
  root = getenv("POWER_ROOT");
  const char *path = getenv("POWER_JOURNAL");
  struct stat entry;
  if (root && stat(root, &entry) == 0) top = entry.st_ino;
  if (root && path) journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    ssize_t done = REAL(write)(journal, at, length);
    if (done <= 0) abort();
    at += done;
    length -= done;
  }
}

static void record(const void *bytes, size_t length, const char *format, ...) {
  char line[2 * PATH_MAX];
  va_list values;
  va_start(values, format);
  int size = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  int before = errno;
  pthread_mutex_lock(&lock);
  put(line, size);
  if (length > 0) put(bytes, length);
  pthread_mutex_unlock(&lock);
  errno = before;
}

static int is_inside(const char *path) {
  size_t length = strlen(root);
  return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The folder's inode and the name in it; 0 where the path is not below the root. */
static ino_t place(int at, const char *path, const char **name) {
  static __thread char copy[PATH_MAX], folder[PATH_MAX];
  char whole[PATH_MAX];
  struct stat entry;
  if (journal < 0 || !path) return 0;
  if (path[0] == '/' || at == AT_FDCWD) snprintf(copy, sizeof copy, "%s", path);
  else {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length < 0) return 0;
    whole[length] = 0;
    snprintf(copy, sizeof copy, "%s/%s", whole, path);
  }
  size_t length = strlen(copy);
  while (length > 1 && copy[length - 1] == '/') copy[--length] = 0;
  char *slash = strrchr(copy, '/');
  *name = slash ? slash + 1 : copy;
  if (slash == copy) return 0;
  if (slash) *slash = 0;
  if (!realpath(slash ? copy : ".", folder) || !is_inside(folder)) return 0;
  return stat(folder, &entry) == 0 ? entry.st_ino : 0;
}

static ino_t inode_at(int at, const char *path) {
  struct stat entry;
  return fstatat(at, path, &entry, AT_SYMLINK_NOFOLLOW) == 0 ? entry.st_ino : 0;
}

/* Asks again, since a file may be closed, and its number given to another, in ways that are not seen here. */
static ino_t inode_of(int fd) {
  struct stat entry;
  if (journal < 0 || fd < 0 || fd >= MOST_FDS || !inodes[fd]) return 0;
  int error = errno;
  ino_t inode = fstat(fd, &entry) == 0 && entry.st_ino == inodes[fd] ? entry.st_ino : 0;
  errno = error;
  return inode;
}

static int opened(int fd, int at, const char *path, int flags, ino_t before) {
  const char *name;
  int error = errno;
  ino_t folder = fd >= 0 && fd < MOST_FDS ? place(at, path, &name) : 0;
  struct stat entry;
  if (fd >= 0 && fd < MOST_FDS) inodes[fd] = 0;
  if (fd >= 0 && fd < MOST_FDS && journal >= 0 && fstat(fd, &entry) == 0 && (folder || entry.st_ino == top)) {
    inodes[fd] = entry.st_ino;
    if ((flags & O_CREAT) && !before) record(0, 0, "create %lu %s %lu\n", folder, name, entry.st_ino);
    else if (flags & O_TRUNC) record(0, 0, "size %lu 0\n", entry.st_ino);
  }
  errno = error;
  return fd;
}

static int open_recorded(int at, const char *path, int flags, mode_t mode) {
  ino_t before = journal >= 0 && (flags & O_CREAT) ? inode_at(at, path) : 0;
  return opened(REAL(openat)(at, path, flags, mode), at, path, flags, before);
}

#define MODE                                 \
  mode_t mode = 0;                           \
  if (flags & O_CREAT) {                     \
    va_list values;                          \
    va_start(values, flags);                 \
    mode = va_arg(values, mode_t);           \
    va_end(values);                          \
  }
int open(const char *path, int flags, ...) { MODE return open_recorded(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return open_recorded(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE return open_recorded(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE return open_recorded(at, path, flags | O_LARGEFILE, mode); }

int close(int fd) {
  if (fd >= 0 && fd < MOST_FDS) inodes[fd] = 0;
  return REAL(close)(fd);
}

static int is_zero(const char *bytes, size_t length) {
  return length > 64 && bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* After the fact, with what was really written. */
static void wrote(int fd, const struct iovec *parts, int count, off_t offset, ssize_t done) {
  ino_t inode = inode_of(fd);
  for (int part = 0; inode && part < count && done > 0; part++) {
    size_t length = parts[part].iov_len < (size_t)done ? parts[part].iov_len : (size_t)done;
    if (is_zero(parts[part].iov_base, length))
      record(0, 0, "zeros %lu %ld %zu\n", inode, (long)offset, length);
    else record(parts[part].iov_base, length, "write %lu %ld %zu\n", inode, (long)offset, length);
    offset += length;
    done -= length;
  }
}

/* Before the fact: who hears it may cut the power at once. */
static void says(int fd, const struct iovec *parts, int count) {
  if (journal < 0 || (fd != 1 && fd != 2)) return;
  for (int part = 0; part < count; part++)
    record(parts[part].iov_base, parts[part].iov_len, "said %zu\n", parts[part].iov_len);
}

static off_t place_of(int fd) {
  if (!inode_of(fd)) return 0;
  struct stat entry;
  if (!(fcntl(fd, F_GETFL) & O_APPEND)) return lseek(fd, 0, SEEK_CUR);
  return fstat(fd, &entry) == 0 ? entry.st_size : 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};
  off_t offset = place_of(fd);
  says(fd, &part, 1);
  ssize_t done = REAL(write)(fd, bytes, length);
  wrote(fd, &part, 1, offset, done);
  return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  off_t offset = place_of(fd);
  says(fd, parts, count);
  ssize_t done = REAL(writev)(fd, parts, count);
  wrote(fd, parts, count, offset, done);
  return done;
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  struct iovec part = {(void *)bytes, length};
  ssize_t done = REAL(pwrite64)(fd, bytes, length, offset);
  wrote(fd, &part, 1, offset, done);
  return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  ssize_t done = REAL(pwritev64)(fd, parts, count, offset);
  wrote(fd, parts, count, offset, done);
  return done;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

/* Copies are made by reading and writing here, so that they are seen. */
static ssize_t copy(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length) {
  static __thread char bytes[65536];
  size_t most = length < sizeof bytes ? length : sizeof bytes;
  ssize_t read_bytes = from_offset ? pread(from, bytes, most, *from_offset) : read(from, bytes, most);
  if (read_bytes <= 0) return read_bytes;
  ssize_t done = to_offset ? pwrite64(to, bytes, read_bytes, *to_offset) : write(to, bytes, read_bytes);
  if (done > 0 && from_offset) *from_offset += done;
  if (done > 0 && to_offset) *to_offset += done;
  return done;
}
ssize_t sendfile(int to, int from, off_t *offset, size_t length) {
  return inode_of(to) ? copy(from, offset, to, 0, length) : REAL(sendfile)(to, from, offset, length);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t length) { return sendfile(to, from, offset, length); }
ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length, unsigned flags) {
  return inode_of(to) ? copy(from, from_offset, to, to_offset, length)
                      : REAL(copy_file_range)(from, from_offset, to, to_offset, length, flags);
}
long syscall(long number, ...) {
  long given[6];
  va_list values;
  va_start(values, number);
  for (int place = 0; place < 6; place++) given[place] = va_arg(values, long);
  va_end(values);
  if (number == SYS_copy_file_range)
    return copy_file_range(given[0], (off64_t *)given[1], given[2], (off64_t *)given[3], given[4], given[5]);
  return REAL(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
int ioctl(int fd, unsigned long request, ...) {
  va_list values;
  va_start(values, request);
  void *given = va_arg(values, void *);
  va_end(values);
  /* FICLONE: a copy without bytes. */
  if (request == _IOW(0x94, 9, int) && inode_of(fd)) return errno = EOPNOTSUPP, -1;
  return REAL(ioctl)(fd, request, given);
}

int ftruncate64(int fd, off64_t length) {
  int result = REAL(ftruncate64)(fd, length);
  if (result == 0 && inode_of(fd)) record(0, 0, "size %lu %ld\n", inode_of(fd), (long)length);
  return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*sync)(int)) {
  ino_t inode = inode_of(fd);
  unsigned long number = inode ? __sync_add_and_fetch(&syncs, 1) : 0;
  if (inode) record(0, 0, "begin %lu %lu\n", number, inode);
  int result = sync(fd);
  if (inode && result == 0) record(0, 0, "end %lu %lu\n", number, inode);
  return result;
}
int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

static int renamed(int result, int old_at, const char *old, int new_at, const char *new) {
  const char *name;
  char kept[NAME_MAX + 1];
  ino_t from = result == 0 ? place(old_at, old, &name) : 0;
  if (from) snprintf(kept, sizeof kept, "%s", name);
  ino_t to = from ? place(new_at, new, &name) : 0;
  if (from && to) record(0, 0, "rename %lu %s %lu %s\n", from, kept, to, name);
  return result;
}
int rename(const char *old, const char *new) { return renamed(REAL(rename)(old, new), AT_FDCWD, old, AT_FDCWD, new); }
int renameat(int old_at, const char *old, int new_at, const char *new) {
  return renamed(REAL(renameat)(old_at, old, new_at, new), old_at, old, new_at, new);
}

static int removed(int result, int at, const char *path) {
  const char *name;
  ino_t folder = result == 0 ? place(at, path, &name) : 0;
  if (folder) record(0, 0, "remove %lu %s\n", folder, name);
  return result;
}
int unlink(const char *path) { return removed(REAL(unlink)(path), AT_FDCWD, path); }
int unlinkat(int at, const char *path, int flags) { return removed(REAL(unlinkat)(at, path, flags), at, path); }
int rmdir(const char *path) { return removed(REAL(rmdir)(path), AT_FDCWD, path); }

int mkdirat(int at, const char *path, mode_t mode) {
  const char *name;
  int result = REAL(mkdirat)(at, path, mode);
  ino_t folder = result == 0 ? place(at, path, &name) : 0;
  if (folder) record(0, 0, "create %lu %s %lu/\n", folder, name, inode_at(at, path));
  return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
