/* Makes a fast disk slow: each read of a file whose path contains a text waits before it is made, unless the page cache
 * can answer it. Loaded into a process by LD_PRELOAD; told by SLOW_PATH and SLOW_MICROSECONDS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

typedef ssize_t (*reader)(int, void *, size_t, off64_t);

static int is_slow(int fd) {
  const char *path = getenv("SLOW_PATH");
  char link[64], target[4096];
  if (!path) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = 0;
  return strstr(target, path) != NULL;
}

/* Whether so many bytes, which a read that does not wait gave, are all there are. */
static int is_all(int fd, ssize_t got, size_t count, off64_t at) {
  struct stat64 file;
  return got == (ssize_t)count || (got >= 0 && !fstat64(fd, &file) && at + got >= file.st_size);
}

static ssize_t read_slowly(reader next, int fd, void *bytes, size_t count, off64_t at) {
  struct iovec whole = {bytes, count};
  const char *wait = getenv("SLOW_MICROSECONDS");
  if (!wait || !is_slow(fd)) return next(fd, bytes, count, at);
  ssize_t got = preadv64v2(fd, &whole, 1, at, RWF_NOWAIT);
  if (is_all(fd, got, count, at)) return got;
  if (got < 0 && errno != EAGAIN) {
    perror("slow_reads: this file system cannot tell what is in the page cache");
    abort();
  }
  long microseconds = atol(wait);
  struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&time, NULL);
  return next(fd, bytes, count, at);
}

#define SLOW(name)                                                     \
  ssize_t name(int fd, void *bytes, size_t count, off64_t at) {        \
    static reader next;                                                \
    if (!next) next = (reader)dlsym(RTLD_NEXT, #name);                 \
    return read_slowly(next, fd, bytes, count, at);                    \
  }

SLOW(pread)
SLOW(pread64)
