/* What an emulated Cortex-M board does before main: vectors, floating point on, then newlib's semihosting start. */
#include <stdint.h>

extern uint32_t stack_top;
void _start(void);
void reset(void);

static void hang(void) {
  for (;;) {
  }
}

void reset(void) {
  *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: full access to the floating-point unit */
  __asm__ volatile("dsb\n isb");
  _start();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (const void *)(uintptr_t)reset, (const void *)(uintptr_t)hang, (const void *)(uintptr_t)hang,
    (const void *)(uintptr_t)hang, (const void *)(uintptr_t)hang, (const void *)(uintptr_t)hang,
};
