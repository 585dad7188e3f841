/*
 * A disk that loses power, is slow, or is full, for a program that is started with LD_PRELOAD=this.
 *
 *   PARLEY_DISK_DIR        the folder it is about; nothing else is touched
 *   PARLEY_DISK_TWINS      set: FILE.durable beside every FILE.db and FILE.db-wal holds what an fsync has made durable, and
 *                          nothing else. To cut the power: kill -9, put the twins in place of the files, start again.
 *   PARLEY_DISK_FSYNC_MS   how much longer every fsync takes
 *   PARLEY_DISK_QUOTA      how many bytes the files of the folder and those below it may have together; more is ENOSPC
 *
 * Not modelled: lost directory entries. Sectors that were written and not synced are the test's to mix in.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 65536
#define MAX_PATH 4096
#define SUFFIX ".durable"

/* A piece of a file that was written since its last fsync. */
struct range {
  off_t start, end;
};

struct file {
  struct file *next;
  char path[MAX_PATH];
  int twin;       /* -1: what is synced is not of interest, only the quota is */
  off_t kept;     /* the least size since the last fsync: what lies behind it was cut off in between */
  size_t count, room;
  struct range *dirty;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static struct file *by_fd[MAX_FDS];
static char folder[MAX_PATH];
static size_t folder_length;
static int keeps_twins;
static long fsync_ms;
static long long quota = -1;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_unlink)(const char *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);

static void die(const char *what) {
  fprintf(stderr, "disk-shim: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void start(void) {
  /* On 64-bit Linux the plain names and those ending in 64 are the same functions. */
  real_open = dlsym(RTLD_NEXT, "open");
  real_close = dlsym(RTLD_NEXT, "close");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev");
  const char *text = getenv("PARLEY_DISK_DIR");
  if (text == NULL || strlen(text) >= MAX_PATH) return;
  strcpy(folder, text);
  folder_length = strlen(folder);
  keeps_twins = getenv("PARLEY_DISK_TWINS") != NULL;
  if ((text = getenv("PARLEY_DISK_FSYNC_MS")) != NULL) fsync_ms = atol(text);
  if ((text = getenv("PARLEY_DISK_QUOTA")) != NULL) quota = atoll(text);
}

static int ends_with(const char *path, const char *end) {
  size_t a = strlen(path), b = strlen(end);
  return a > b && strcmp(path + a - b, end) == 0;
}

static int is_inside(const char *path) {
  return folder_length > 0 && strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

static int is_database(const char *path) { return ends_with(path, ".db") || ends_with(path, ".db-wal"); }

static void copy(int from, int to, off_t start, off_t end) {
  static char buffer[64 * 1024];
  while (start < end) {
    size_t want = (size_t)(end - start) < sizeof buffer ? (size_t)(end - start) : sizeof buffer;
    ssize_t got = pread(from, buffer, want, start);
    if (got < 0) die("read");
    if (got == 0) return;
    if (real_pwrite(to, buffer, (size_t)got, start) != got) die("write of a twin");
    start += got;
  }
}

static off_t size_of(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) die("fstat");
  return status.st_size;
}

/*
 * The twin of a file that this process has not seen before begins as the file is: that is what a start finds on a disk. It
 * is there whole or not at all, since the process can be killed meanwhile.
 */
static int open_twin(const char *path) {
  char name[MAX_PATH + sizeof SUFFIX], part[MAX_PATH + sizeof SUFFIX + 5];
  snprintf(name, sizeof name, "%s" SUFFIX, path);
  snprintf(part, sizeof part, "%s.part", name);
  int twin = real_open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int from = real_open(path, O_RDONLY | O_CLOEXEC);
  if (twin < 0 || from < 0) die("open of a twin");
  copy(from, twin, 0, size_of(from));
  real_close(from);
  if (rename(part, name) != 0) die("rename of a twin");
  return twin;
}

static void opened(int fd, const char *path) {
  if (fd < 0 || fd >= MAX_FDS || !is_inside(path) || ends_with(path, SUFFIX)) return;
  pthread_mutex_lock(&lock);
  struct file *file = files;
  while (file != NULL && strcmp(file->path, path) != 0) file = file->next;
  if (file == NULL && strlen(path) < MAX_PATH) {
    file = calloc(1, sizeof *file);
    if (file == NULL) die("calloc");
    strcpy(file->path, path);
    file->twin = keeps_twins && is_database(path) ? open_twin(path) : -1;
    file->kept = size_of(fd);
    file->next = files;
    files = file;
  }
  by_fd[fd] = file;
  pthread_mutex_unlock(&lock);
}

static struct file *file_of(int fd) { return fd >= 0 && fd < MAX_FDS ? by_fd[fd] : NULL; }

static void written(int fd, off_t start, ssize_t length) {
  struct file *file = file_of(fd);
  if (length <= 0 || file == NULL || file->twin < 0) return;
  pthread_mutex_lock(&lock);
  struct range *last = file->count > 0 ? &file->dirty[file->count - 1] : NULL;
  if (last != NULL && last->end == start) {
    last->end += length;
  } else {
    if (file->count == file->room) {
      file->room = file->room == 0 ? 64 : 2 * file->room;
      file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
      if (file->dirty == NULL) die("realloc");
    }
    file->dirty[file->count++] = (struct range){start, start + length};
  }
  pthread_mutex_unlock(&lock);
}

static void synced(int fd) {
  struct file *file = file_of(fd);
  if (file == NULL || file->twin < 0) return;
  pthread_mutex_lock(&lock);
  if (size_of(file->twin) > file->kept && real_ftruncate(file->twin, file->kept) != 0) die("truncate of a twin");
  for (size_t i = 0; i < file->count; i++) copy(fd, file->twin, file->dirty[i].start, file->dirty[i].end);
  off_t size = size_of(fd);
  if (real_ftruncate(file->twin, size) != 0) die("truncate of a twin");
  file->count = 0;
  file->kept = size;
  pthread_mutex_unlock(&lock);
}

static void delay_sync(int fd) {
  struct timespec time = {fsync_ms / 1000, fsync_ms % 1000 * 1000000};
  if (fsync_ms > 0 && file_of(fd) != NULL) nanosleep(&time, NULL);
}

/* Takes the descriptor over. */
static long long used_below(int fd) {
  long long sum = 0;
  DIR *entries = fdopendir(fd);
  if (entries == NULL) return 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    struct stat status;
    if (strstr(entry->d_name, SUFFIX) != NULL || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode)) sum += status.st_size;
    if (S_ISDIR(status.st_mode)) {
      int below = openat(dirfd(entries), entry->d_name, O_RDONLY | O_DIRECTORY);
      if (below >= 0) sum += used_below(below);
    }
  }
  closedir(entries);
  return sum;
}

static long long used(void) {
  int fd = real_open(folder, O_RDONLY | O_DIRECTORY);
  return fd < 0 ? 0 : used_below(fd);
}

/* Whether a write may make its file that long. */
static int has_room(int fd, off_t start, size_t length) {
  if (quota < 0 || file_of(fd) == NULL) return 1;
  off_t growth = start + (off_t)length - size_of(fd);
  if (growth <= 0 || used() + growth <= quota) return 1;
  errno = ENOSPC;
  return 0;
}

static off_t place_of(int fd) { return file_of(fd) == NULL ? 0 : lseek(fd, 0, SEEK_CUR); }

static size_t length_of(const struct iovec *pieces, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; i++) sum += pieces[i].iov_len;
  return sum;
}

static int open_any(const char *path, int flags, mode_t mode) {
  int fd = real_open(path, flags, mode);
  opened(fd, path);
  return fd;
}

#define OPEN(NAME)                                             \
  int NAME(const char *path, int flags, ...) {                 \
    mode_t mode = 0;                                           \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
      va_list rest;                                            \
      va_start(rest, flags);                                   \
      mode = va_arg(rest, mode_t);                             \
      va_end(rest);                                            \
    }                                                          \
    return open_any(path, flags, mode);                        \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < MAX_FDS) by_fd[fd] = NULL;
  return real_close(fd);
}

/* A file that is gone is gone at once: the folder itself does not lose anything here. */
int unlink(const char *path) {
  int result = real_unlink(path);
  if (result != 0 || !is_inside(path)) return result;
  char name[MAX_PATH + sizeof SUFFIX];
  snprintf(name, sizeof name, "%s" SUFFIX, path);
  pthread_mutex_lock(&lock);
  for (struct file **link = &files; *link != NULL; link = &(*link)->next) {
    struct file *file = *link;
    if (strcmp(file->path, path) != 0) continue;
    for (int fd = 0; fd < MAX_FDS; fd++) {
      if (by_fd[fd] == file) by_fd[fd] = NULL;
    }
    if (file->twin >= 0) {
      real_close(file->twin);
      real_unlink(name);
    }
    *link = file->next;
    free(file->dirty);
    free(file);
    break;
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) {
  delay_sync(fd);
  int result = real_fsync(fd);
  if (result == 0) synced(fd);
  return result;
}

int fdatasync(int fd) {
  delay_sync(fd);
  int result = real_fdatasync(fd);
  if (result == 0) synced(fd);
  return result;
}

static int truncate_any(int fd, off_t size) {
  int result = real_ftruncate(fd, size);
  struct file *file = file_of(fd);
  if (result == 0 && file != NULL && size < file->kept) file->kept = size;
  return result;
}
int ftruncate(int fd, off_t size) { return truncate_any(fd, size); }
int ftruncate64(int fd, off_t size) { return truncate_any(fd, size); }

ssize_t write(int fd, const void *bytes, size_t length) {
  off_t start = place_of(fd);
  if (!has_room(fd, start, length)) return -1;
  ssize_t result = real_write(fd, bytes, length);
  written(fd, start, result);
  return result;
}

static ssize_t pwrite_any(int fd, const void *bytes, size_t length, off_t start) {
  if (!has_room(fd, start, length)) return -1;
  ssize_t result = real_pwrite(fd, bytes, length, start);
  written(fd, start, result);
  return result;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t start) { return pwrite_any(fd, bytes, length, start); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t start) { return pwrite_any(fd, bytes, length, start); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  off_t start = place_of(fd);
  if (!has_room(fd, start, length_of(pieces, count))) return -1;
  ssize_t result = real_writev(fd, pieces, count);
  written(fd, start, result);
  return result;
}

static ssize_t pwritev_any(int fd, const struct iovec *pieces, int count, off_t start) {
  if (!has_room(fd, start, length_of(pieces, count))) return -1;
  ssize_t result = real_pwritev(fd, pieces, count, start);
  written(fd, start, result);
  return result;
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t start) {
  return pwritev_any(fd, pieces, count, start);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t start) {
  return pwritev_any(fd, pieces, count, start);
}
