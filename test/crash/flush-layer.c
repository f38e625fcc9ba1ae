/* An LD_PRELOAD library that loses what was not flushed: the disk of a machine whose power fails, as one process sees it.
 *
 * For files below SEGURO_FLUSH_ROOT it keeps, in order, every write, truncation and change of a folder that no flush has covered yet, with
 * what was there before. At a given operation it puts the files back, lets a seeded part of the unflushed writes survive, and kills the
 * process. It never flushes really: within one test the page cache is the disk. A control file (SEGURO_FLUSH_CONTROL) is shared with the test.
 *
 * Not seen: writes through a shared mapping (refused, but for *lock.mdb), stdio's own, copy_file_range, sendfile, io_uring, dup'ed descriptors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The control file: words that test/crash/flush-layer.ts names in the same order. */
struct control {
  uint64_t crash_at;         /* the operation at which to die; 0: never */
  uint64_t seed;             /* which unflushed writes survive */
  uint64_t loss;             /* LOSE_ALL, LOSE_SOME, LOSE_SECTORS */
  uint64_t lie;              /* LIE_FLUSH, LIE_SYNC_WRITE: answer without having flushed */
  uint64_t room;             /* bytes by which files may still grow */
  uint64_t flush_errno;      /* fsync and fdatasync fail */
  uint64_t write_errno;      /* writes fail, nothing is written */
  uint64_t sync_write_errno; /* writes of O_DSYNC descriptors fail after the page cache has them */
  uint64_t operations;       /* out: how many there were */
  uint64_t lost;             /* out: how many unflushed writes were lost, wholly or in part */
};
enum { LOSE_ALL = 0, LOSE_SOME = 1, LOSE_SECTORS = 2 };
enum { LIE_FLUSH = 1, LIE_SYNC_WRITE = 2 };
enum { SECTOR_BYTES = 512, MAX_FDS = 65536, MAX_PATH = 4096 };

struct file {
  dev_t dev;
  ino_t ino;
  int fd; /* our own, never closed: closing one would drop the process's fcntl locks on the file */
};

enum kind { WRITE, TRUNCATE, CREATE, MAKE_FOLDER, RENAME, UNLINK };

struct record {
  enum kind kind;
  int synced; /* a write of an O_DSYNC descriptor: on disk, however the writes around it fare */
  struct file *file;
  off_t offset, old_size, new_size;
  size_t size, old_bytes_size;
  uint8_t *bytes, *old_bytes;
  char *path, *from; /* of changes of a folder */
};

struct open_file {
  struct file *file;
  int synced, append, folder;
  char *path;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static char root[MAX_PATH];
static size_t root_size;
static struct open_file fds[MAX_FDS];
static struct file *files[4096];
static size_t file_count;
static struct record *records;
static size_t record_count, record_room;

static void die(const char *why) {
  fprintf(stderr, "flush-layer: %s\n", why);
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("SEGURO_FLUSH_ROOT"), *name = getenv("SEGURO_FLUSH_CONTROL");
  if (folder == NULL || name == NULL) return;
  if (realpath(folder, root) == NULL) die("SEGURO_FLUSH_ROOT is no folder");
  root_size = strlen(root);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
  void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) die("SEGURO_FLUSH_CONTROL cannot be mapped");
  close(fd);
  control = mapped;
}

static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* ---- what is below the root ---- */

static int is_below(const char *path) {
  return strncmp(path, root, root_size) == 0 && (path[root_size] == '/' || path[root_size] == 0);
}

/* The absolute path of `path`, whose last part need not exist; 0 if it is not below the root. */
static int path_below(int dir, const char *path, char *to) {
  if (control == NULL) return 0;
  char joined[2 * MAX_PATH], base[MAX_PATH], copy[MAX_PATH];
  if (path[0] != '/' && dir != AT_FDCWD) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t got = readlink(link, base, sizeof base - 1);
    if (got < 0) return 0;
    base[got] = 0;
    snprintf(joined, sizeof joined, "%s/%s", base, path);
  } else {
    snprintf(joined, sizeof joined, "%s", path);
  }
  size_t size = strlen(joined);
  while (size > 1 && joined[size - 1] == '/') joined[--size] = 0;
  char *slash = strrchr(joined, '/');
  const char *name = slash == NULL ? joined : slash + 1;
  if (slash == NULL) {
    if (getcwd(copy, sizeof copy) == NULL) return 0;
  } else {
    *slash = 0;
    if (realpath(slash == joined ? "/" : joined, copy) == NULL) return 0;
  }
  if (snprintf(to, MAX_PATH, "%s/%s", copy, name) >= MAX_PATH) return 0;
  return is_below(to);
}

static struct open_file *tracked(int fd) {
  return control != NULL && fd >= 0 && fd < MAX_FDS && (fds[fd].file != NULL || fds[fd].folder) ? &fds[fd] : NULL;
}

static struct file *file_of(int fd, const struct stat *found) {
  for (size_t i = 0; i < file_count; i++) {
    if (files[i]->dev == found->st_dev && files[i]->ino == found->st_ino) return files[i];
  }
  if (file_count == sizeof files / sizeof *files) die("too many files");
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  struct file *file = calloc(1, sizeof *file);
  file->dev = found->st_dev;
  file->ino = found->st_ino;
  file->fd = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC, 0);
  if (file->fd < 0) file->fd = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
  files[file_count++] = file;
  return file;
}

static off_t size_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? found.st_size : 0;
}

/* ---- the journal of what is not flushed ---- */

static struct record *add_record(enum kind kind) {
  if (record_count == record_room) {
    record_room = record_room == 0 ? 1024 : 2 * record_room;
    records = realloc(records, record_room * sizeof *records);
  }
  struct record *record = &records[record_count++];
  memset(record, 0, sizeof *record);
  record->kind = kind;
  return record;
}

static void free_record(struct record *record) {
  free(record->bytes);
  free(record->old_bytes);
  free(record->path);
  free(record->from);
}

/* Keeps what [offset, offset + size) holds now, and the size of the file. */
static struct record *add_change(enum kind kind, struct file *file, off_t offset, size_t size) {
  struct record *record = add_record(kind);
  record->file = file;
  record->offset = offset;
  record->size = size;
  record->old_size = size_of(file->fd);
  if (offset < record->old_size) {
    size_t there = (size_t)(record->old_size - offset) < size ? (size_t)(record->old_size - offset) : size;
    record->old_bytes = malloc(there + 1);
    ssize_t got = pread(file->fd, record->old_bytes, there, offset);
    if (got != (ssize_t)there) die("what a write covers cannot be read");
    record->old_bytes_size = there;
  }
  return record;
}

static int in_folder(const char *path, const char *folder) {
  size_t size = strlen(folder);
  return strncmp(path, folder, size) == 0 && path[size] == '/' && strchr(path + size + 1, '/') == NULL;
}

/* A flush of a file covers its writes; of a folder, the changes of its own entries. */
static void forget_flushed(const struct open_file *open_file) {
  size_t kept = 0;
  for (size_t i = 0; i < record_count; i++) {
    int flushed = open_file->folder ? records[i].path != NULL && in_folder(records[i].path, open_file->path) : records[i].file == open_file->file;
    if (flushed) free_record(&records[i]);
    else records[kept++] = records[i];
  }
  record_count = kept;
}

/* ---- the crash ---- */

static void put_bytes(int fd, const uint8_t *bytes, size_t size, off_t offset) {
  while (size > 0) {
    long wrote = syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (wrote <= 0) die("a file cannot be put back");
    bytes += wrote;
    offset += wrote;
    size -= (size_t)wrote;
  }
}

static void undo(const struct record *record) {
  char lost[MAX_PATH + 8];
  switch (record->kind) {
    case WRITE:
    case TRUNCATE:
      put_bytes(record->file->fd, record->old_bytes, record->old_bytes_size, record->offset);
      if (syscall(SYS_ftruncate, record->file->fd, record->old_size) != 0) die("a file's size cannot be put back");
      return;
    case CREATE:
      syscall(SYS_unlinkat, AT_FDCWD, record->path, 0);
      return;
    case MAKE_FOLDER:
      snprintf(lost, sizeof lost, "%s.lost", record->path);
      syscall(SYS_renameat2, AT_FDCWD, record->path, AT_FDCWD, lost, 0);
      return;
    case RENAME:
      syscall(SYS_renameat2, AT_FDCWD, record->path, AT_FDCWD, record->from, 0);
      if (record->bytes == NULL) return;
      break; /* it replaced a file, which comes back */
    case UNLINK:
      break;
  }
  int fd = (int)syscall(SYS_openat, AT_FDCWD, record->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  put_bytes(fd, record->bytes, record->size, 0);
}

static void redo(const struct record *record, uint64_t *random) {
  int fd = record->file->fd;
  if (record->synced) {
    put_bytes(fd, record->bytes, record->size, record->offset);
    return;
  }
  uint64_t loss = control->loss;
  size_t step = loss == LOSE_SECTORS ? SECTOR_BYTES : record->size;
  int whole = loss != LOSE_ALL;
  for (size_t at = 0; loss != LOSE_ALL && record->kind == WRITE && at < record->size;) {
    size_t end = loss == LOSE_SECTORS ? step - (size_t)((record->offset + (off_t)at) % SECTOR_BYTES) + at : record->size;
    if (end > record->size) end = record->size;
    if (next_random(random) & 1) put_bytes(fd, record->bytes + at, end - at, record->offset + (off_t)at);
    else whole = 0;
    at = end;
  }
  if (loss != LOSE_ALL && record->kind == TRUNCATE) {
    if (next_random(random) & 1) syscall(SYS_ftruncate, fd, record->new_size);
    else whole = 0;
  }
  if (!whole) control->lost++;
}

__attribute__((noreturn)) static void crash(void) {
  uint64_t random = control->seed;
  /* Changes of folders reach a disk in their order, so those after some point are lost; writes reach it in any order. */
  size_t folder_changes = 0;
  for (size_t i = 0; i < record_count; i++) folder_changes += records[i].path != NULL;
  size_t survive = control->loss == LOSE_ALL ? 0 : next_random(&random) % (folder_changes + 1);
  size_t seen = folder_changes;
  for (size_t i = record_count; i-- > 0;) {
    if (records[i].path == NULL) undo(&records[i]);
    else if (seen-- > survive) undo(&records[i]);
  }
  for (size_t i = 0; i < record_count; i++) {
    if (records[i].path == NULL) redo(&records[i], &random);
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Counts an operation; true if the process is to die once it has been done without being flushed. */
static int count_operation(void) { return ++control->operations == control->crash_at; }

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
static ssize_t write_bytes(struct open_file *open_file, const uint8_t *bytes, size_t size, off_t offset) {
  int last = count_operation();
  if (control->write_errno != 0) return fail((int)control->write_errno);
  ssize_t allowed = take_room(open_file, offset, size);
  if (allowed < 0) return -1;
  int synced = open_file->synced && !(control->lie & LIE_SYNC_WRITE) && !last && control->sync_write_errno == 0;
  struct record *record = add_change(WRITE, open_file->file, offset, (size_t)allowed);
  record->bytes = malloc((size_t)allowed + 1);
  memcpy(record->bytes, bytes, (size_t)allowed);
  record->synced = synced;
  put_bytes(open_file->file->fd, bytes, (size_t)allowed, offset);
  if (last) crash();
  if (open_file->synced && control->sync_write_errno != 0) return fail((int)control->sync_write_errno);
  return allowed;
}

static ssize_t write_vector(int fd, const struct iovec *iov, int count, off_t offset, int move) {
  size_t size = 0, at = 0;
  for (int i = 0; i < count; i++) size += iov[i].iov_len;
  uint8_t *bytes = malloc(size + 1);
  for (int i = 0; i < count; at += iov[i++].iov_len) memcpy(bytes + at, iov[i].iov_base, iov[i].iov_len);
  pthread_mutex_lock(&lock);
  struct open_file *open_file = tracked(fd);
  if (move) offset = open_file->append ? size_of(fd) : lseek(fd, 0, SEEK_CUR);
  ssize_t wrote = write_bytes(open_file, bytes, size, offset);
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
  return write_vector(fd, &one, 1, 0, 1);
}

ssize_t writev(int fd, const struct iovec *iov, int count) {
  if (!is_file(fd)) return syscall(SYS_writev, fd, iov, count);
  return write_vector(fd, iov, count, 0, 1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
  if (!is_file(fd)) return syscall(SYS_pwrite64, fd, bytes, size, offset);
  struct iovec one = {(void *)bytes, size};
  return write_vector(fd, &one, 1, offset, 0);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t offset) {
  if (!is_file(fd)) return syscall(SYS_pwritev, fd, iov, count, offset, 0);
  return write_vector(fd, iov, count, offset, 0);
}
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) { return pwritev64(fd, iov, count, offset); }

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

#define MODE_OF(flags, mode)                           \
  mode_t mode = 0;                                     \
  if ((flags) & (O_CREAT | O_TMPFILE)) {               \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode = va_arg(rest, mode_t);                       \
    va_end(rest);                                      \
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
  if (!below) return kind == RENAME ? (int)syscall(SYS_renameat2, from_dir, from, dir, path, 0) : (int)syscall(SYS_unlinkat, dir, path, flags);
  pthread_mutex_lock(&lock);
  size_t size = 0;
  uint8_t *bytes = contents_of(absolute, &size);
  int rc = kind == RENAME ? (int)syscall(SYS_renameat2, from_dir, from, dir, path, 0) : (int)syscall(SYS_unlinkat, dir, path, flags);
  int code = errno;
  if (rc == 0) {
    int last = count_operation();
    struct record *record = add_record(kind);
    record->path = strdup(absolute);
    record->from = kind == RENAME ? strdup(absolute_from) : NULL;
    record->bytes = bytes;
    record->size = size;
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
    if (length < sizeof allowed || strcmp(path + length - (sizeof allowed - 1), allowed) != 0) die("a file of the store is mapped for writing");
  }
  return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return mmap64(address, size, protection, flags, fd, offset);
}
