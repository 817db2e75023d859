// An observer kernel: one executable, whatever the number and shapes of the observed tensors. Sizes and rows are push
// constants. Its state starts as zeros and only grows.

#measure = #hal.pipeline.layout<constants = 4, bindings = [
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

// Adds the energies of a tensor and of another's difference from it: sums of blocks of 4,096 elements in f32, blocks in f64.
//   constants: number of elements; row of the state; two more, unused, that measure_int8 has
//   bindings:  x: n x f32; y: n x f32; energies: rows x 2 x f64 (signal, noise)
hal.executable.source private @quantune_measure_fp32 {
  hal.executable.export public @measure_fp32 ordinal(0) layout(#measure) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @measure_fp32() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %lanes = arith.constant 16 : index
      %block = arith.constant 4096 : index
      %zero = arith.constant 0.0 : f32
      %zeros = arith.constant dense<0.0> : vector<16xf32>
      %n_i32 = hal.interface.constant.load layout(#measure) ordinal(0) : i32
      %row_i32 = hal.interface.constant.load layout(#measure) ordinal(1) : i32
      %n = arith.index_castui %n_i32 : i32 to index
      %row = arith.index_castui %row_i32 : i32 to index
      %slot = arith.muli %row, %c2 : index
      %slot1 = arith.addi %slot, %c1 : index
      %size = arith.addi %slot, %c2 : index
      %x = hal.interface.binding.subspan layout(#measure) binding(0) : memref<?xf32>{%n}
      %y = hal.interface.binding.subspan layout(#measure) binding(1) : memref<?xf32>{%n}
      %energies = hal.interface.binding.subspan layout(#measure) binding(2) : memref<?xf64>{%size}
      %signal0 = memref.load %energies[%slot] : memref<?xf64>
      %noise0 = memref.load %energies[%slot1] : memref<?xf64>
      %signal, %noise = scf.for %b = %c0 to %n step %block iter_args(%s = %signal0, %e = %noise0) -> (f64, f64) {
        %full = arith.addi %b, %block : index
        %end = arith.minui %full, %n : index
        %length = arith.subi %end, %b : index
        %rest = arith.remui %length, %lanes : index
        %vector_end = arith.subi %end, %rest : index
        %sv, %ev = scf.for %i = %b to %vector_end step %lanes iter_args(%sa = %zeros, %ea = %zeros)
            -> (vector<16xf32>, vector<16xf32>) {
          %xv = vector.load %x[%i] : memref<?xf32>, vector<16xf32>
          %yv = vector.load %y[%i] : memref<?xf32>, vector<16xf32>
          %d = arith.subf %xv, %yv : vector<16xf32>
          %sn = math.fma %xv, %xv, %sa : vector<16xf32>
          %en = math.fma %d, %d, %ea : vector<16xf32>
          scf.yield %sn, %en : vector<16xf32>, vector<16xf32>
        }
        %s_vector = vector.reduction <add>, %sv : vector<16xf32> into f32
        %e_vector = vector.reduction <add>, %ev : vector<16xf32> into f32
        %s_block, %e_block = scf.for %i = %vector_end to %end step %c1 iter_args(%sa = %s_vector, %ea = %e_vector)
            -> (f32, f32) {
          %xe = memref.load %x[%i] : memref<?xf32>
          %ye = memref.load %y[%i] : memref<?xf32>
          %d = arith.subf %xe, %ye : f32
          %sn = math.fma %xe, %xe, %sa : f32
          %en = math.fma %d, %d, %ea : f32
          scf.yield %sn, %en : f32, f32
        }
        %s_f64 = arith.extf %s_block : f32 to f64
        %e_f64 = arith.extf %e_block : f32 to f64
        %s1 = arith.addf %s, %s_f64 : f64
        %e1 = arith.addf %e, %e_f64 : f64
        scf.yield %s1, %e1 : f64, f64
      }
      memref.store %signal, %energies[%slot] : memref<?xf64>
      memref.store %noise, %energies[%slot1] : memref<?xf64>
      return
    }
  }
}
