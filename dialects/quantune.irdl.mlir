// The quantune dialect. `iree-opt --irdl-file=` loads it; what verifies ops in process, quantune_mlir/mlir/dialects/quantune.py,
// is tested to accept and refuse the same (tests/unit/mlir/dialects/test_irdl.py). IRDL cannot look into built-in types and
// regions: that tensors hold f32 or i8, and what the body of quantune.fused is, is checked in process only.

irdl.dialect @quantune {
  // Marks a f32 tensor to be profiled under a name.
  irdl.operation @observe {
    %tensor = irdl.base "!builtin.tensor"
    %string = irdl.base "#builtin.string"
    irdl.operands(value: %tensor)
    irdl.attributes {"tensor_name" = %string}
  }

  // Marks a f32 tensor of which mean and extremes of each channel (the last axis) are wanted.
  irdl.operation @observe_channels {
    %tensor = irdl.base "!builtin.tensor"
    %string = irdl.base "#builtin.string"
    irdl.operands(value: %tensor)
    irdl.attributes {"tensor_name" = %string}
  }

  // Marks a tensor to be compared with its f32 reference: i8, worth scale * (q - zero_point), or f32.
  // noise: "accumulated" (every layer so far int8), "local" (this layer alone), "rounding" (this tensor alone) or
  // "residual" (what of the network's output tells nothing).
  irdl.operation @measure {
    %reference = irdl.base "!builtin.tensor"
    %candidate = irdl.base "!builtin.tensor"
    // One variable would ask both attributes for the same string.
    %name = irdl.base "#builtin.string"
    %noise = irdl.base "#builtin.string"
    %float = irdl.base "#builtin.float"
    %integer = irdl.base "#builtin.integer"
    irdl.operands(reference: %reference, candidate: %candidate)
    irdl.attributes {"tensor_name" = %name, "noise" = %noise, "scale" = %float, "zero_point" = %integer}
  }

  // Marks the inner product of a cotangent with a candidate's difference from its reference, to be added to a part of the
  // named layer's projection: "made" (the error of this layer alone), "kept" (what stays of it if the layer is fp32), or
  // "rounded" (the rounding of the layer's result).
  irdl.operation @project {
    %cotangent = irdl.base "!builtin.tensor"
    %reference = irdl.base "!builtin.tensor"
    %candidate = irdl.base "!builtin.tensor"
    %name = irdl.base "#builtin.string"
    %part = irdl.base "#builtin.string"
    %float = irdl.base "#builtin.float"
    %integer = irdl.base "#builtin.integer"
    irdl.operands(cotangent: %cotangent, reference: %reference, candidate: %candidate)
    irdl.attributes {"tensor_name" = %name, "part" = %part, "scale" = %float, "zero_point" = %integer}
  }

  // The adjoint of tosa.max_pool2d: what `cotangent` has for each maximum goes to the pixels of `input` that it is of.
  irdl.operation @max_pool_adjoint {
    %input = irdl.base "!builtin.tensor"
    %maxima = irdl.base "!builtin.tensor"
    %cotangent = irdl.base "!builtin.tensor"
    %result = irdl.base "!builtin.tensor"
    %kernel = irdl.base "#builtin.dense_array"
    %stride = irdl.base "#builtin.dense_array"
    %pad = irdl.base "#builtin.dense_array"
    irdl.operands(input: %input, maxima: %maxima, cotangent: %cotangent)
    irdl.results(output: %result)
    irdl.attributes {"kernel" = %kernel, "stride" = %stride, "pad" = %pad}
  }

  // TOSA ops that one kernel of the named family computes together. The region, which ends with tosa.yield and may use
  // values from outside, defines what they compute.
  irdl.operation @fused {
    %result = irdl.base "!builtin.tensor"
    %string = irdl.base "#builtin.string"
    irdl.results(output: %result)
    irdl.attributes {"kernel" = %string}
    %body = irdl.region
    irdl.regions(body: %body)
  }
}
