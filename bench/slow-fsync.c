/*
 * A preload library that makes a disk slow: each fsync and fdatasync of a file under SLOW_FSYNC_DIR returns
 * SLOW_FSYNC_MS later than it would.
 *
 *   cc -shared -fPIC -O2 -o slow-fsync.so slow-fsync.c -ldl
 *   LD_PRELOAD=./slow-fsync.so SLOW_FSYNC_DIR=/data SLOW_FSYNC_MS=20 program
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_slow(int fd) {
  const char *dir = getenv("SLOW_FSYNC_DIR");
  char link[64], path[PATH_MAX];
  if (dir == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  size_t prefix = strlen(dir);
  return strncmp(path, dir, prefix) == 0 && path[prefix] == '/';
}

static void wait_longer(void) {
  const char *text = getenv("SLOW_FSYNC_MS");
  long ms = text == NULL ? 0 : atol(text);
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static int slowly(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int result = real(fd);
  int saved = errno;
  if (result == 0 && is_slow(fd)) wait_longer();
  errno = saved;
  return result;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
