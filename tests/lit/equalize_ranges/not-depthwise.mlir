// Between layers that are not depthwise, nothing is scaled unless it is asked for.
// RUN: %python %S/../quantize/make_profile.py %t.npz channels/%x=0:1 channels/r=0:1,0:16
// RUN: %quantune-opt %S/relu.mlir --quantune-equalize-ranges='profile=%t.npz' | filecheck %s

// CHECK-NOT:   quantune.extremes
// CHECK:       return
