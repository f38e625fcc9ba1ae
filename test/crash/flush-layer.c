/* An LD_PRELOAD library that loses what was not flushed: the disk of a machine whose power fails, as one process sees it.
 *
 * For files below SEGURO_FLUSH_ROOT it keeps, in order, every write, truncation and change of a folder that no flush has covered yet, with
 * what was there before. At a given operation it puts the files back, lets a seeded part of the unflushed writes survive, and kills the
 * process. It never flushes really: within one test the page cache is the disk. A control file (SEGURO_FLUSH_CONTROL) is shared with the test.
 *
 * Not seen: writes through a shared mapping (refused, but for *lock.mdb), stdio's own, copy_file_range, sendfile, io_uring, dup'ed descriptors.
 */
#define _GNU_SOURCE
#include "flush-layer.h"

#include <stdarg.h>
#include <sys/uio.h>

/* ---- writing ---- */

static ssize_t fail(int code) {
  errno = code;
  return -1;
}

static ssize_t take_room(const struct open_file *open_file, off_t offset, size_t size) {
  if (control->room == UINT64_MAX) return (ssize_t)size;
  off_t end = offset + (off_t)size, have = size_of(open_file->file->fd);
  uint64_t growth = end > have ? (uint64_t)(end - have) : 0;
  if (growth > size) growth = size;
  if (growth <= control->room) {
    control->room -= growth;
    return (ssize_t)size;
  }
  uint64_t missing = growth - control->room;
  if (missing >= size) return fail(ENOSPC);
  control->room = 0;
  return (ssize_t)(size - missing);
}

/* A write of gathered bytes at `offset`; the caller holds the lock. */
static ssize_t write_bytes(struct open_file *open_file, const uint8_t *bytes, size_t size, off_t offset, int sync) {
  int last = count_operation();
  if (control->write_errno != 0) return fail((int)control->write_errno);
  ssize_t allowed = take_room(open_file, offset, size);
  if (allowed < 0) return -1;
  int synced = sync && !(control->lie & LIE_SYNC_WRITE) && !last && control->sync_write_errno == 0;
  struct record *record = add_change(WRITE, open_file->file, offset, (size_t)allowed);
  record->bytes = malloc((size_t)allowed + 1);
  memcpy(record->bytes, bytes, (size_t)allowed);
  record->synced = synced;
  put_bytes(open_file->file->fd, bytes, (size_t)allowed, offset);
  if (last) crash();
  if (sync && control->sync_write_errno != 0) return fail((int)control->sync_write_errno);
  return allowed;
}

static ssize_t write_vector(int fd, const struct iovec *iov, int count, off_t offset, int move, int flags) {
  size_t size = 0, at = 0;
  for (int i = 0; i < count; i++) size += iov[i].iov_len;
  uint8_t *bytes = malloc(size + 1);
  for (int i = 0; i < count; at += iov[i++].iov_len) memcpy(bytes + at, iov[i].iov_base, iov[i].iov_len);
  pthread_mutex_lock(&lock);
  struct open_file *open_file = tracked(fd);
  if (move) offset = open_file->append ? size_of(fd) : lseek(fd, 0, SEEK_CUR);
  ssize_t wrote = write_bytes(open_file, bytes, size, offset, open_file->synced || (flags & RWF_DSYNC));
  if (move && wrote > 0) lseek(fd, offset + wrote, SEEK_SET);
  int code = errno;
  pthread_mutex_unlock(&lock);
  free(bytes);
  errno = code;
  return wrote;
}

static int is_file(int fd) {
  struct open_file *open_file = tracked(fd);
  return open_file != NULL && open_file->file != NULL;
}

ssize_t write(int fd, const void *bytes, size_t size) {
  if (!is_file(fd)) return syscall(SYS_write, fd, bytes, size);
  struct iovec one = {(void *)bytes, size};
  return write_vector(fd, &one, 1, 0, 1, 0);
}

ssize_t writev(int fd, const struct iovec *iov, int count) {
  if (!is_file(fd)) return syscall(SYS_writev, fd, iov, count);
  return write_vector(fd, iov, count, 0, 1, 0);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
  if (!is_file(fd)) return syscall(SYS_pwrite64, fd, bytes, size, offset);
  struct iovec one = {(void *)bytes, size};
  return write_vector(fd, &one, 1, offset, 0, 0);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags) {
  if (!is_file(fd)) return syscall(SYS_pwritev2, fd, iov, count, offset, 0, flags);
  return write_vector(fd, iov, count, offset, 0, flags);
}
ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags) { return pwritev64v2(fd, iov, count, at, flags); }
ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t offset) { return pwritev64v2(fd, iov, count, offset, 0); }
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) { return pwritev64v2(fd, iov, count, offset, 0); }

static int change_size(int fd, off_t size, int grow_only) {
  pthread_mutex_lock(&lock);
  struct open_file *open_file = tracked(fd);
  int last = count_operation(), rc = 0;
  off_t old = size_of(fd);
  if (control->write_errno != 0) {
    rc = (int)fail((int)control->write_errno);
  } else if (grow_only && size > old && control->room != UINT64_MAX && (uint64_t)(size - old) > control->room) {
    rc = (int)fail(ENOSPC);
  } else if (!grow_only || size > old) {
    struct record *record = add_change(TRUNCATE, open_file->file, size, old > size ? (size_t)(old - size) : 0);
    record->new_size = size;
    rc = (int)syscall(SYS_ftruncate, open_file->file->fd, size);
    if (control->room != UINT64_MAX && (grow_only || size < old)) control->room += (uint64_t)(old - size);
  }
  if (last) crash();
  pthread_mutex_unlock(&lock);
  return rc;
}

int ftruncate64(int fd, off_t size) { return is_file(fd) ? change_size(fd, size, 0) : (int)syscall(SYS_ftruncate, fd, size); }
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fallocate64(int fd, int mode, off_t offset, off_t size) {
  if (!is_file(fd)) return (int)syscall(SYS_fallocate, fd, mode, offset, size);
  if (mode != 0) die("fallocate with a mode");
  return change_size(fd, offset + size, 1);
}
int fallocate(int fd, int mode, off_t offset, off_t size) { return fallocate64(fd, mode, offset, size); }
int posix_fallocate64(int fd, off_t offset, off_t size) { return fallocate64(fd, 0, offset, size) == 0 ? 0 : errno; }
int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

/* ---- flushing ---- */

static int flush(int fd) {
  pthread_mutex_lock(&lock);
  struct open_file *open_file = tracked(fd);
  if (count_operation()) crash();
  int rc = control->flush_errno == 0 ? 0 : (int)fail((int)control->flush_errno);
  if (rc == 0 && !(control->lie & LIE_FLUSH)) forget_flushed(open_file);
  pthread_mutex_unlock(&lock);
  return rc;
}

int fsync(int fd) { return tracked(fd) != NULL ? flush(fd) : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return tracked(fd) != NULL ? flush(fd) : (int)syscall(SYS_fdatasync, fd); }

/* ---- opening and folders ---- */

static void change_of_folder(enum kind kind, const char *path, const char *from) {
  int last = count_operation();
  struct record *record = add_record(kind);
  record->path = strdup(path);
  record->from = from == NULL ? NULL : strdup(from);
  if (last) crash();
}

static void track(int fd, const char *path, int flags, int created) {
  struct stat found;
  if (fd < 0 || fd >= MAX_FDS || fstat(fd, &found) != 0 || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return;
  struct open_file open_file = {.folder = S_ISDIR(found.st_mode), .path = strdup(path)};
  open_file.file = open_file.folder ? NULL : file_of(fd, &found);
  open_file.synced = (flags & O_DSYNC) != 0;
  open_file.append = (flags & O_APPEND) != 0;
  fds[fd] = open_file;
  if (created) change_of_folder(CREATE, path, NULL);
}

static int open_below(int dir, const char *path, int flags, mode_t mode) {
  char absolute[MAX_PATH];
  if ((flags & O_TMPFILE) == O_TMPFILE || !path_below(dir, path, absolute)) return (int)syscall(SYS_openat, dir, path, flags, mode);
  pthread_mutex_lock(&lock);
  int existed = faccessat(AT_FDCWD, absolute, F_OK, 0) == 0;
  int fd = (int)syscall(SYS_openat, dir, path, flags & ~O_TRUNC, mode);
  int code = errno;
  if (fd >= 0) track(fd, absolute, flags, !existed);
  pthread_mutex_unlock(&lock);
  errno = code;
  if (fd >= 0 && (flags & O_TRUNC) && size_of(fd) > 0 && ftruncate64(fd, 0) != 0) return -1;
  return fd;
}

#define MODE_OF(flags, mode)             \
  mode_t mode = 0;                       \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list rest;                        \
    va_start(rest, flags);               \
    mode = va_arg(rest, mode_t);         \
    va_end(rest);                        \
  }

int open64(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_below(AT_FDCWD, path, flags, mode);
}
int open(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_below(AT_FDCWD, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_below(dir, path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_below(dir, path, flags, mode);
}
int creat64(const char *path, mode_t mode) { return open_below(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat(const char *path, mode_t mode) { return creat64(path, mode); }

int close(int fd) {
  if (tracked(fd) == NULL) return (int)syscall(SYS_close, fd);
  pthread_mutex_lock(&lock);
  free(fds[fd].path);
  fds[fd] = (struct open_file){0};
  int rc = (int)syscall(SYS_close, fd);
  pthread_mutex_unlock(&lock);
  return rc;
}

int mkdirat(int dir, const char *path, mode_t mode) {
  char absolute[MAX_PATH];
  int rc = (int)syscall(SYS_mkdirat, dir, path, mode);
  if (rc != 0 || !path_below(dir, path, absolute)) return rc;
  pthread_mutex_lock(&lock);
  change_of_folder(MAKE_FOLDER, absolute, NULL);
  pthread_mutex_unlock(&lock);
  return 0;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* The bytes of a file that is about to lose its name, so that the name can come back. */
static uint8_t *contents_of(const char *path, size_t *size) {
  struct stat found;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return NULL;
  /* Kept open: closing it would drop the process's fcntl locks on the file. */
  if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return NULL;
  uint8_t *bytes = malloc((size_t)found.st_size + 1);
  ssize_t got = pread(fd, bytes, (size_t)found.st_size, 0);
  *size = got < 0 ? 0 : (size_t)got;
  return bytes;
}

static int change_entry(enum kind kind, int from_dir, const char *from, int dir, const char *path, int flags) {
  char absolute[MAX_PATH], absolute_from[MAX_PATH] = "";
  int below = path_below(dir, path, absolute);
  if (kind == RENAME) below = path_below(from_dir, from, absolute_from) && below;
  if (!below)
    return kind == RENAME ? (int)syscall(SYS_renameat2, from_dir, from, dir, path, 0) : (int)syscall(SYS_unlinkat, dir, path, flags);
  pthread_mutex_lock(&lock);
  size_t size = 0;
  uint8_t *bytes = contents_of(absolute, &size);
  int rc = kind == RENAME ? (int)syscall(SYS_renameat2, from_dir, from, dir, path, 0) : (int)syscall(SYS_unlinkat, dir, path, flags);
  int code = errno;
  if (rc == 0) {
    int last = count_operation();
    /* A socket or link that goes is not of interest. */
    if (kind == RENAME || bytes != NULL) {
      struct record *record = add_record(kind);
      record->path = strdup(absolute);
      record->from = kind == RENAME ? strdup(absolute_from) : NULL;
      record->bytes = bytes;
      record->size = size;
    }
    if (control->room != UINT64_MAX) control->room += size;
    if (last) crash();
  } else {
    free(bytes);
  }
  pthread_mutex_unlock(&lock);
  errno = code;
  return rc;
}

int renameat(int from_dir, const char *from, int dir, const char *path) { return change_entry(RENAME, from_dir, from, dir, path, 0); }
int rename(const char *from, const char *path) { return change_entry(RENAME, AT_FDCWD, from, AT_FDCWD, path, 0); }
int unlink(const char *path) { return change_entry(UNLINK, 0, NULL, AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) {
  if (flags & AT_REMOVEDIR) return (int)syscall(SYS_unlinkat, dir, path, flags);
  return change_entry(UNLINK, 0, NULL, dir, path, flags);
}

/* ---- what this layer cannot see ---- */

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  static const char allowed[] = "lock.mdb";
  if ((protection & PROT_WRITE) && (flags & MAP_SHARED) && is_file(fd)) {
    const char *path = fds[fd].path;
    size_t length = strlen(path);
    if (length < sizeof allowed || strcmp(path + length - (sizeof allowed - 1), allowed) != 0)
      die("a file of the store is mapped for writing");
  }
  return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return mmap64(address, size, protection, flags, fd, offset);
}
