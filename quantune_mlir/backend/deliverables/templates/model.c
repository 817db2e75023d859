/* @TITLE@: what is run when, and on which bytes. */
#include "@NAME@.h"

#include <string.h>

@WEIGHT_DECLARATIONS@
/* How IREE's code is called: the executable library of its local HAL, version 0.6, as far as it is used here. */

struct environment {
  const uint32_t *constants;
  void *import_thunk;
  void *import_functions;
  void *import_contexts;
  uint64_t processor[8];
};

struct dispatch_state {
  uint32_t workgroup_size_x, workgroup_size_y;
  uint16_t workgroup_size_z, constant_count;
  uint32_t workgroup_count_x, workgroup_count_y;
  uint16_t workgroup_count_z;
  uint8_t concurrency, binding_count;
  const uint32_t *constants;
  void *const *bindings;
  const size_t *lengths;
};

struct workgroup_state {
  uint32_t x, y;
  uint16_t z, reserved;
  uint32_t processor;
  void *local_memory;
  uint32_t local_memory_size;
};

typedef int (*kernel_function)(const struct environment *, const struct dispatch_state *,
    const struct workgroup_state *);

struct library_header {
  uint32_t version;
  const char *name;
  uint32_t features, sanitizer;
};

struct library {
  const struct library_header *header;
  uint32_t import_count;
  const char *const *imports;
  uint32_t kernel_count;
  const kernel_function *kernels;
};

enum { LIBRARY_VERSION = 6 };

static const struct environment environment = {NULL, NULL, NULL, NULL, {0}};

@QUERY@
static const kernel_function *find_kernels(void) {
  const struct library *library = query_library();
  if (library == NULL || library->header->version != LIBRARY_VERSION || library->import_count != 0 ||
      library->kernel_count != @FUNCTIONS@) {
    return NULL;
  }
  return library->kernels;
}

/* The schedule. */

enum base { @BASES@, BASE_COUNT };

static const uint8_t bases_of_caller[] = {@CALLER_BASES@};

struct view {
  uint32_t base, offset, length;
};

enum kind { KERNEL, FILL, COPY };

struct command {
  uint8_t kind;
  uint8_t views; /* from `first_view` on; a copy's are its target and its source */
  uint16_t words; /* of constants from `first_word` on; a fill has 1, of which it repeats so many bytes */
  uint16_t kernel, z;
  uint32_t x, y; /* workgroups */
  uint32_t first_view, first_word;
};

static const struct view views[] = {
@VIEWS@
};

static const uint32_t words[] = {
@WORDS@
};

static const struct command commands[] = {
@COMMANDS@
};

enum { COMMAND_COUNT = @COMMAND_COUNT@, MOST_VIEWS = @MOST_VIEWS@, MOST_TASKS = 64 };

/* Running it. */

struct job {
  kernel_function kernel;
  const struct dispatch_state *state;
  uint32_t tasks;
  unsigned char failed[MOST_TASKS];
};

static void run_task(void *argument, int index) {
  struct job *job = (struct job *)argument;
  const struct dispatch_state *state = job->state;
  const uint32_t x = state->workgroup_count_x, y = state->workgroup_count_y;
  const uint64_t all = (uint64_t)x * y * state->workgroup_count_z;
  const uint32_t end = (uint32_t)(all * ((uint32_t)index + 1) / job->tasks);
  uint32_t i = (uint32_t)(all * (uint32_t)index / job->tasks);
  struct workgroup_state workgroup = {0, 0, 0, 0, 0, NULL, 0};
  workgroup.processor = (uint32_t)index;
  for (; i < end; ++i) {
    workgroup.x = i % x;
    workgroup.y = i / x % y;
    workgroup.z = (uint16_t)(i / x / y);
    if (job->kernel(&environment, state, &workgroup) != 0) job->failed[index] = 1;
  }
}

static uint32_t run_kernel(const struct command *command, kernel_function kernel, char *const *bases, int threads,
    @NAME@_parallel_for parallel_for, void *context) {
  void *bindings[MOST_VIEWS];
  size_t lengths[MOST_VIEWS];
  struct dispatch_state state = {1, 1, 1, 0, 1, 1, 1, 1, 0, NULL, NULL, NULL};
  struct job job;
  const uint32_t workgroups = command->x * command->y * command->z;
  uint32_t i, failed = 0;
  for (i = 0; i < command->views; ++i) {
    const struct view *view = &views[command->first_view + i];
    bindings[i] = bases[view->base] + view->offset;
    lengths[i] = view->length;
  }
  job.kernel = kernel;
  job.state = &state;
  job.tasks = threads < 1 ? 1 : (uint32_t)threads;
  if (job.tasks > MOST_TASKS) job.tasks = MOST_TASKS;
  if (job.tasks > workgroups) job.tasks = workgroups;
  state.constant_count = command->words;
  state.workgroup_count_x = command->x;
  state.workgroup_count_y = command->y;
  state.workgroup_count_z = command->z;
  state.concurrency = (uint8_t)job.tasks;
  state.binding_count = command->views;
  state.constants = &words[command->first_word];
  state.bindings = bindings;
  state.lengths = lengths;
  for (i = 0; i < job.tasks; ++i) job.failed[i] = 0;
  if (job.tasks == 1) {
    run_task(&job, 0);
  } else {
    parallel_for(context, (int)job.tasks, run_task, &job);
  }
  for (i = 0; i < job.tasks; ++i) failed |= job.failed[i];
  return failed;
}

static void fill(const struct command *command, char *target) {
  const struct view *view = &views[command->first_view];
  const char *pattern = (const char *)&words[command->first_word];
  uint32_t i;
  if (command->words == 1) {
    memset(target, *pattern, view->length);
    return;
  }
  for (i = 0; i < view->length; i += command->words) memcpy(target + i, pattern, command->words);
}

static int run(char *const *bases, int threads, @NAME@_parallel_for parallel_for, void *context) {
  const kernel_function *kernels = find_kernels();
  uint32_t i;
  if (kernels == NULL) return @MACRO@_WRONG_KERNELS;
  for (i = 0; i < sizeof(bases_of_caller) / sizeof(bases_of_caller[0]); ++i) {
    const char *base = bases[bases_of_caller[i]];
    if (base == NULL || (uintptr_t)base % @MACRO@_ALIGNMENT != 0) return @MACRO@_MISALIGNED;
  }
  for (i = 0; i < COMMAND_COUNT; ++i) {
    const struct command *command = &commands[i];
    const struct view *view = &views[command->first_view];
    char *target = bases[view->base] + view->offset;
    if (command->kind == FILL) {
      fill(command, target);
    } else if (command->kind == COPY) {
      memcpy(target, bases[view[1].base] + view[1].offset, view->length);
    } else if (run_kernel(command, kernels[command->kernel], bases, threads, parallel_for, context) != 0) {
      return @MACRO@_KERNEL_FAILED;
    }
  }
  return @MACRO@_OK;
}

int @NAME@_init(void) {
  return find_kernels() == NULL ? @MACRO@_WRONG_KERNELS : @MACRO@_OK;
}

int @NAME@_run(@PARAMETERS@) {
  return @NAME@_run_parallel(@ARGUMENTS@, 1, NULL, NULL);
}

int @NAME@_run_parallel(@PARAMETERS@, int threads,
    @NAME@_parallel_for parallel_for, void *context) {
  char *bases[BASE_COUNT];
@SET_BASES@
  return run(bases, parallel_for == NULL ? 1 : threads, parallel_for, context);
}
