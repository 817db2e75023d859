/* Task i is run by thread i, modulo their number: threads meet in their caches what they made themselves.
   Kernels take microseconds, and to wake a thread that sleeps takes tens: who waits looks @MACRO@_SPINS times first. */
#define _POSIX_C_SOURCE 200112L

#include "@NAME@_threads.h"

#include <pthread.h>
#include <stdlib.h>

#ifndef @MACRO@_SPINS
#define @MACRO@_SPINS 100000
#endif

struct worker {
  pthread_t thread;
  struct @NAME@_threads *pool;
  int index;
};

struct @NAME@_threads {
  pthread_mutex_t lock;
  pthread_cond_t begun, done;
  int round, count, running, started, ending, tasks;
  @NAME@_task task;
  void *argument;
  struct worker workers[1];
};

/* Returns once the number is another, or after a while. */
static void watch(const int *number, int known) {
  int spins;
  for (spins = 0; spins < @MACRO@_SPINS && __atomic_load_n(number, __ATOMIC_ACQUIRE) == known; ++spins) {
  }
}

static void work(struct @NAME@_threads *pool, int index) {
  int i;
  for (i = index; i < pool->tasks; i += pool->count) pool->task(pool->argument, i);
}

static void *serve(void *argument) {
  struct worker *worker = (struct worker *)argument;
  struct @NAME@_threads *pool = worker->pool;
  int round = 0;
  for (;;) {
    watch(&pool->round, round);
    pthread_mutex_lock(&pool->lock);
    while (pool->round == round && !pool->ending) pthread_cond_wait(&pool->begun, &pool->lock);
    if (pool->ending) break;
    round = pool->round;
    pthread_mutex_unlock(&pool->lock);
    work(pool, worker->index);
    pthread_mutex_lock(&pool->lock);
    if (__atomic_sub_fetch(&pool->running, 1, __ATOMIC_RELEASE) == 0) pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

@NAME@_threads *@NAME@_threads_start(int count) {
  struct @NAME@_threads *pool;
  int i;
  if (count < 1) return NULL;
  pool = (struct @NAME@_threads *)calloc(1, sizeof(*pool) + sizeof(struct worker) * (size_t)count);
  if (pool == NULL) return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->begun, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->count = count;
  for (i = 1; i < count; ++i) {
    pool->workers[i].pool = pool;
    pool->workers[i].index = i;
    if (pthread_create(&pool->workers[i].thread, NULL, serve, &pool->workers[i]) != 0) {
      @NAME@_threads_stop(pool);
      return NULL;
    }
    pool->started = i;
  }
  return pool;
}

void @NAME@_threads_stop(@NAME@_threads *pool) {
  int i;
  pthread_mutex_lock(&pool->lock);
  pool->ending = 1;
  pthread_cond_broadcast(&pool->begun);
  pthread_mutex_unlock(&pool->lock);
  for (i = 1; i <= pool->started; ++i) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->begun);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

void @NAME@_threads_for(void *threads, int count, @NAME@_task task, void *argument) {
  struct @NAME@_threads *pool = (struct @NAME@_threads *)threads;
  int running;
  pthread_mutex_lock(&pool->lock);
  pool->task = task;
  pool->argument = argument;
  pool->tasks = count;
  pool->running = pool->count - 1;
  __atomic_store_n(&pool->round, !pool->round, __ATOMIC_RELEASE);
  pthread_cond_broadcast(&pool->begun);
  pthread_mutex_unlock(&pool->lock);
  work(pool, 0);
  for (running = pool->count - 1; running > 0; --running) watch(&pool->running, running);
  pthread_mutex_lock(&pool->lock);
  while (pool->running != 0) pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}
