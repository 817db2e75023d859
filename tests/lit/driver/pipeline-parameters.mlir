// A named pipeline takes parameters, and says which it lacks.
// RUN: %quantune-opt --list-passes | filecheck %s --check-prefix=LIST
// RUN: not %quantune-opt %s --pipeline quantize --set plan=p.yaml 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: not %quantune-opt %s --pipeline quantize --set paln=p.yaml 2>&1 | filecheck %s --check-prefix=UNKNOWN
// RUN: not %quantune-opt %s --pipeline quantize --set profile=no.npz --set plan=p.yaml 2>&1 \
// RUN:   | filecheck %s --check-prefix=ABSENT
// RUN: not %quantune-opt %s --set profile=no.npz 2>&1 | filecheck %s --check-prefix=ALONE

// LIST: analyze{profile scheme range correct_bias equalize weights requantize plan}, annotate{plan}, bytecode, compare{
// MISSING: error: pipeline 'quantize': needs a value for profile
// UNKNOWN: did you mean 'plan'?
// ABSENT: error: no.npz: cannot be read
// ALONE: only a pipeline has parameters
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
