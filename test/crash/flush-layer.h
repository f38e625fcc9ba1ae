/* The journal behind flush-layer.c: what is not flushed, with what was there before, and the crash that puts it back. Included there, once. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static int is_below(const char *path) { return strncmp(path, root, root_size) == 0 && (path[root_size] == '/' || path[root_size] == 0); }

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
    int flushed =
        open_file->folder ? records[i].path != NULL && in_folder(records[i].path, open_file->path) : records[i].file == open_file->file;
    if (flushed)
      free_record(&records[i]);
    else
      records[kept++] = records[i];
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
    if (next_random(random) & 1)
      put_bytes(fd, record->bytes + at, end - at, record->offset + (off_t)at);
    else
      whole = 0;
    at = end;
  }
  if (loss != LOSE_ALL && record->kind == TRUNCATE) {
    if (next_random(random) & 1)
      syscall(SYS_ftruncate, fd, record->new_size);
    else
      whole = 0;
  }
  if (!whole) control->lost++;
}

static void put_back(void) {
  uint64_t random = control->seed;
  /* Changes of folders reach a disk in their order, so those after some point are lost; writes reach it in any order. */
  size_t folder_changes = 0;
  for (size_t i = 0; i < record_count; i++) folder_changes += records[i].path != NULL;
  size_t survive = control->loss == LOSE_ALL ? 0 : next_random(&random) % (folder_changes + 1);
  size_t seen = folder_changes;
  for (size_t i = record_count; i-- > 0;) {
    if (records[i].path == NULL)
      undo(&records[i]);
    else if (seen-- > survive)
      undo(&records[i]);
  }
  for (size_t i = 0; i < record_count; i++) {
    if (records[i].path == NULL) redo(&records[i], &random);
  }
}

/* Whether every thread of the process stands still. */
static int is_stopped(pid_t process) {
  char name[64], entries[4096];
  snprintf(name, sizeof name, "/proc/%d/task", process);
  int folder = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_DIRECTORY, 0);
  if (folder < 0) return 0;
  int stopped = 1;
  for (long got; stopped && (got = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0;) {
    for (long at = 0; stopped && at < got; at += *(unsigned short *)(entries + at + 16)) {
      if (entries[at + 19] == '.') continue;
      char file[64], state[512];
      snprintf(file, sizeof file, "%s/stat", entries + at + 19);
      int fd = (int)syscall(SYS_openat, folder, file, O_RDONLY, 0);
      long size = fd < 0 ? 0 : syscall(SYS_read, fd, state, sizeof state - 1);
      if (fd >= 0) syscall(SYS_close, fd);
      state[size < 0 ? 0 : size] = 0;
      /* "ID (NAME) STATE ...": a thread that has just gone has no state. */
      char *after = strrchr(state, ')');
      stopped = after == NULL || after[2] == 'T';
    }
  }
  syscall(SYS_close, folder);
  return stopped;
}

/* Another process puts the files back, while no thread of this one runs: one that saw them half put back could end the process before they are. */
__attribute__((noreturn)) static void crash(void) {
  pid_t process = getpid();
  /* Without what the C library does at a fork, which takes locks that other threads may hold. */
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child < 0) die("no process for the crash");
  if (child > 0) {
    for (;;) pause();
  }
  kill(process, SIGSTOP);
  while (!is_stopped(process)) usleep(200);
  put_back();
  /* What it had locked stays so until the other one has died, and no longer. */
  syscall(SYS_close_range, 0, ~0u, 0);
  kill(process, SIGKILL);
  _exit(0);
}

/* Counts an operation; true if the process is to die once it has been done without being flushed. */
static int count_operation(void) { return ++control->operations == control->crash_at; }
