/* A small pool of POSIX threads for @NAME@_run_parallel. */
#ifndef @MACRO@_THREADS_H
#define @MACRO@_THREADS_H

#include "@NAME@.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct @NAME@_threads @NAME@_threads;

/* A pool of `count` threads, the caller's among them; NULL if there are none to be had. */
@NAME@_threads *@NAME@_threads_start(int count);
void @NAME@_threads_stop(@NAME@_threads *threads);

/* A @NAME@_parallel_for; `threads` is the pool. One run at a time. */
void @NAME@_threads_for(void *threads, int count, @NAME@_task task, void *argument);

#ifdef __cplusplus
}
#endif

#endif
