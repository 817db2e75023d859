// An observer kernel: one executable, whatever the number and shapes of the observed tensors. Sizes and rows are push
// constants. Its state starts as zeros and only grows, until it is drained.

#observe = #hal.pipeline.layout<constants = 2, bindings = [
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

// Counts the elements of a tensor by the upper 16 bits of their pattern, and keeps the extremes exactly.
//   constants: number of elements; row of the state
//   bindings:  x: n x f32; histograms: rows x 65536 x i32; extremes: rows x 2 x i32
// The extremes are the largest key(x) and the largest not(key(x)), key being the map from f32 to u32 that keeps the order:
// all bits of a negative number flipped, the sign bit of any other. 0, the initial value, is below every key.
hal.executable.source private @quantune_observe {
  hal.executable.export public @observe ordinal(0) layout(#observe) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @observe() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %one = arith.constant 1 : i32
      %sixteen = arith.constant 16 : i32
      %thirty_one = arith.constant 31 : i32
      %sign = arith.constant -2147483648 : i32
      %ones = arith.constant -1 : i32
      %buckets = arith.constant 65536 : index
      %n_i32 = hal.interface.constant.load layout(#observe) ordinal(0) : i32
      %row_i32 = hal.interface.constant.load layout(#observe) ordinal(1) : i32
      %n = arith.index_castui %n_i32 : i32 to index
      %row = arith.index_castui %row_i32 : i32 to index
      %next = arith.addi %row, %c1 : index
      %state = arith.muli %next, %buckets : index
      %state2 = arith.muli %next, %c2 : index
      %x = hal.interface.binding.subspan layout(#observe) binding(0) : memref<?xf32>{%n}
      %histograms = hal.interface.binding.subspan layout(#observe) binding(1) : memref<?xi32>{%state}
      %extremes = hal.interface.binding.subspan layout(#observe) binding(2) : memref<?xi32>{%state2}
      %first = arith.muli %row, %buckets : index
      %slot = arith.muli %row, %c2 : index
      %slot1 = arith.addi %slot, %c1 : index
      %high0 = memref.load %extremes[%slot] : memref<?xi32>
      %low0 = memref.load %extremes[%slot1] : memref<?xi32>
      %high, %low = scf.for %i = %c0 to %n step %c1 iter_args(%h = %high0, %l = %low0) -> (i32, i32) {
        %value = memref.load %x[%i] : memref<?xf32>
        %bits = arith.bitcast %value : f32 to i32
        %upper = arith.shrui %bits, %sixteen : i32
        %bucket = arith.index_castui %upper : i32 to index
        %at = arith.addi %first, %bucket : index
        %count = memref.load %histograms[%at] : memref<?xi32>
        %incremented = arith.addi %count, %one : i32
        memref.store %incremented, %histograms[%at] : memref<?xi32>
        %negative = arith.shrsi %bits, %thirty_one : i32
        %mask = arith.ori %negative, %sign : i32
        %key = arith.xori %bits, %mask : i32
        %not_key = arith.xori %key, %ones : i32
        %h1 = arith.maxui %h, %key : i32
        %l1 = arith.maxui %l, %not_key : i32
        scf.yield %h1, %l1 : i32, i32
      }
      memref.store %high, %extremes[%slot] : memref<?xi32>
      memref.store %low, %extremes[%slot1] : memref<?xi32>
      return
    }
  }
}
