/* Preloaded into a program: the call numbered FAULT_AT, of those that write to (FAULT_CALL=write) or sync (FAULT_CALL=sync) a file whose path has
   FAULT_PATH in it, fails with EIO. Later calls work again, as they do on Linux after a failed fsync. Says so in the file FAULT_NOTE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static int fails(int file, const char *what) {
  char link[64], path[4096];
  const char *wanted = getenv("FAULT_PATH"), *at = getenv("FAULT_AT"), *note = getenv("FAULT_NOTE");
  const char *call = getenv("FAULT_CALL");
  if (wanted == NULL || at == NULL || note == NULL || call == NULL) return 0;
  if ((strstr(what, "sync") != NULL) != (strcmp(call, "sync") == 0)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strstr(path, wanted) == NULL) return 0;
  if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != atol(at)) return 0;
  FILE *noted = fopen(note, "a");
  if (noted != NULL) {
    fprintf(noted, "%s of %s\n", what, path);
    fclose(noted);
  }
  errno = EIO;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  return fails(file, "pwrite") ? -1 : REAL(pwrite)(file, bytes, size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  return fails(file, "pwrite") ? -1 : REAL(pwrite64)(file, bytes, size, at);
}

ssize_t write(int file, const void *bytes, size_t size) {
  return fails(file, "write") ? -1 : REAL(write)(file, bytes, size);
}

int fsync(int file) {
  return fails(file, "fsync") ? -1 : REAL(fsync)(file);
}

int fdatasync(int file) {
  return fails(file, "fdatasync") ? -1 : REAL(fdatasync)(file);
}

int ftruncate(int file, off_t size) {
  return fails(file, "ftruncate") ? -1 : REAL(ftruncate)(file, size);
}

int ftruncate64(int file, off64_t size) {
  return fails(file, "ftruncate") ? -1 : REAL(ftruncate64)(file, size);
}
