/* Runs @NAME@ on the inputs of test_vector.h, and compares the results with those that it was compiled with.
 *
 * Sums of floats are taken in another order on another CPU. A result may therefore differ from the expected one by
 * SELFTEST_TOLERANCE times the largest expected value; 0 wants the same bytes. Each vector is run SELFTEST_RUNS times,
 * for measuring.
 */
#include <stdio.h>
#include <string.h>

#include "@NAME@.h"
#include "test_vector.h"

#ifndef SELFTEST_TOLERANCE
#define SELFTEST_TOLERANCE 0.02
#endif
#ifndef SELFTEST_RUNS
#define SELFTEST_RUNS 1
#endif

/* Whole numbers: to print others, a board's C library may need memory that it has not. */
#define MILLIONTHS(part, whole) ((part) < 1000 * (whole) ? (unsigned long)(1e6 * (part) / (whole)) : 1000000000ul)

#define COMPARE(type, name, expected, actual, elements)                                          \
  do {                                                                                           \
    double largest = 0, difference = 0, scale;                                                   \
    size_t i, same = 0, count = (elements);                                                                          \
    for (i = 0; i < count; ++i) {                                                           \
      type a, b;                                                                                 \
      double x, y;                                                                               \
      memcpy(&a, (const char *)(expected) + i * sizeof(a), sizeof(a));                           \
      memcpy(&b, (const char *)(actual) + i * sizeof(b), sizeof(b));                             \
      x = (double)a;                                                                             \
      y = (double)b;                                                                             \
      scale = x < 0 ? -x : x;                                                                    \
      if (scale > largest) largest = scale;                                                      \
      scale = x < y ? y - x : x - y;                                                             \
      if (memcmp(&a, &b, sizeof(a)) == 0) {                                                      \
        ++same;                                                                                  \
      } else if (!(scale <= difference)) {                                                       \
        difference = scale;                                                                      \
      }                                                                                          \
    }                                                                                            \
    printf("%s: %lu of %lu elements identical", name, (unsigned long)same, (unsigned long)count); \
    if (same != count) {                                                                         \
      printf(", the largest difference %lu millionths of the largest\n", MILLIONTHS(difference, largest)); \
      if (!(difference <= largest * SELFTEST_TOLERANCE)) failed = 1;                             \
    } else {                                                                                     \
      printf("\n");                                                                              \
    }                                                                                            \
  } while (0)

#ifdef @MACRO@_PTHREADS
#include "@NAME@_threads.h"
#endif

static @MACRO@_ALIGNED unsigned char arena[@MACRO@_ARENA_BYTES + 1];
@BUFFERS@

static int compare_outputs(int vector) {
  int failed = 0;
@COMPARES@
  return failed;
}

int main(void) {
  int failed = 0, vector, run, status = @NAME@_init();
  for (vector = 0; vector < VECTORS && status == @MACRO@_OK; ++vector) {
    for (run = 0; run < SELFTEST_RUNS && status == @MACRO@_OK; ++run) {
      status = @NAME@_run(@ARGUMENTS@);
    }
    if (status == @MACRO@_OK) failed |= compare_outputs(vector);
  }
  if (status != @MACRO@_OK) {
    printf("@NAME@_run failed with status %d\n", status);
    return 1;
  }
#ifdef @MACRO@_PTHREADS
  {
    @NAME@_threads *threads = @NAME@_threads_start(2);
    if (threads == NULL) return 1;
    for (vector = 0; vector < VECTORS && status == @MACRO@_OK; ++vector) {
      status = @NAME@_run_parallel(@ARGUMENTS@, 2, @NAME@_threads_for, threads);
      failed |= status | compare_outputs(vector);
    }
    @NAME@_threads_stop(threads);
    printf("with two threads, status %d\n", status);
  }
#endif
  printf(failed ? "FAILED\n" : "PASSED\n");
  return failed;
}
