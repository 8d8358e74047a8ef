/* Preloaded into a program: whatever it syncs takes SLOW_SYNC_US microseconds longer, one after another, as on a disk that is slower than this
   machine's. The time passes asleep: it costs no processor. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int slowly(int (*sync)(int), int file) {
  const char *wanted = getenv("SLOW_SYNC_US");
  long us = wanted == NULL ? 0 : atol(wanted);
  struct timespec rest = {us / 1000000, us % 1000000 * 1000};
  pthread_mutex_lock(&disk);
  while (nanosleep(&rest, &rest) != 0) {
  }
  int result = sync(file);
  pthread_mutex_unlock(&disk);
  return result;
}

int fsync(int file) {
  return slowly(REAL(fsync), file);
}

int fdatasync(int file) {
  return slowly(REAL(fdatasync), file);
}
