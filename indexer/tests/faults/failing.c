/* Lets calls of one name fail from the n-th on, on files whose path contains a text: what no disk can be made to do
 * when asked. Loaded into a process by LD_PRELOAD; told by FAIL_CALL, FAIL_PATH, FAIL_FROM and FAIL_ERRNO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(const char *call, int fd) {
  static atomic_long met;
  const char *wanted = getenv("FAIL_CALL"), *path = getenv("FAIL_PATH"), *from = getenv("FAIL_FROM"),
             *code = getenv("FAIL_ERRNO");
  char link[64], target[4096];
  if (!wanted || !path || !from || !code || strcmp(call, wanted)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = 0;
  if (!strstr(target, path) || atomic_fetch_add(&met, 1) + 1 < atol(from)) return 0;
  errno = atoi(code);
  return 1;
}

#define NEXT(type, name, parameters) \
  static type(*next) parameters;     \
  if (!next) next = (type(*) parameters)dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *bytes, size_t count) {
  NEXT(ssize_t, "write", (int, const void *, size_t));
  return fails("write", fd) ? -1 : next(fd, bytes, count);
}

int fsync(int fd) {
  NEXT(int, "fsync", (int));
  return fails("fsync", fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
  NEXT(int, "fdatasync", (int));
  return fails("fdatasync", fd) ? -1 : next(fd);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
  NEXT(ssize_t, "pread64", (int, void *, size_t, off64_t));
  return fails("pread", fd) ? -1 : next(fd, bytes, count, at);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) {
  NEXT(ssize_t, "pread", (int, void *, size_t, off_t));
  return fails("pread", fd) ? -1 : next(fd, bytes, count, at);
}
