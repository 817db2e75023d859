/* A plugin for qemu: how often each piece of straight code was run, as lines "address instructions times" in the file
 * that the argument out=FILE names. Declared here is what it uses of qemu's plugin interface, version 1, whose header
 * distributions leave out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int add, void *counter, uint64_t what);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*end)(plugin_id, void *), void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

struct counted {
  uint64_t address, instructions, times;
  struct counted *next;
};

static struct counted *all;
static const char *path;

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  struct counted *counted = calloc(1, sizeof(*counted));
  (void)id;
  if (counted == NULL) abort();
  counted->address = qemu_plugin_tb_vaddr(block);
  counted->instructions = qemu_plugin_tb_n_insns(block);
  counted->next = all;
  all = counted;
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &counted->times, 1);
}

static void end(plugin_id id, void *data) {
  FILE *file = fopen(path, "w");
  const struct counted *counted;
  (void)id;
  (void)data;
  if (file == NULL) abort();
  for (counted = all; counted != NULL; counted = counted->next) {
    fprintf(file, "%llu %llu %llu\n", (unsigned long long)counted->address, (unsigned long long)counted->instructions,
        (unsigned long long)counted->times);
  }
  fclose(file);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int count,
    char **arguments) {
  (void)info;
  if (count != 1 || strncmp(arguments[0], "out=", 4) != 0) return 1;
  path = strdup(arguments[0] + 4);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, end, NULL);
  return 0;
}
