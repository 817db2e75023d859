/* @TITLE@
 *
 * Compiled by quantune-mlir @VERSION@ for @TARGET@. README.md tells how to use it.
 * A model keeps no state: it may run in several threads at once, each with an arena of its own.
 */
#ifndef @MACRO@_H
#define @MACRO@_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every buffer given to @NAME@_run starts at a multiple of so many bytes. */
#define @MACRO@_ALIGNMENT @ALIGNMENT@
#define @MACRO@_ALIGNED __attribute__((aligned(@MACRO@_ALIGNMENT)))

/* Bytes of memory that a run works in, and of the constants that it reads. */
#define @MACRO@_ARENA_BYTES @ARENA@
#define @MACRO@_WEIGHTS_BYTES @WEIGHTS@

@TENSORS@
/* What the functions below return. */
enum @NAME@_status {
  @MACRO@_OK = 0,
  @MACRO@_MISALIGNED = 1, /* a buffer is no multiple of @MACRO@_ALIGNMENT, or null */
  @MACRO@_WRONG_KERNELS = 2, /* kernels.o is not that of this model */
  @MACRO@_KERNEL_FAILED = 3
};

/* Whether model and kernels fit. Nothing is set up: call it once, or never. */
int @NAME@_init(void);

/* Runs the model. `arena`: @MACRO@_ARENA_BYTES bytes, whose content does not matter before or afterwards. */
int @NAME@_run(@PARAMETERS@);

/* Calls task(argument, i) for every i from 0 to count - 1, in any order, at once if it can; returns when all are done.
 * Task i of a run always has to do with the same part of every tensor: it should always run on the same core. */
typedef void (*@NAME@_task)(void *argument, int index);
typedef void (*@NAME@_parallel_for)(void *context, int count, @NAME@_task task, void *argument);

/* Runs the model, each kernel divided into up to `threads` tasks for `parallel_for`, which is given `context`. */
int @NAME@_run_parallel(@PARAMETERS@, int threads,
    @NAME@_parallel_for parallel_for, void *context);

#ifdef __cplusplus
}
#endif

#endif
