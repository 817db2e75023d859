// Adds the energies of a tensor and of another's difference from it: sums of blocks of 4,096 elements in f32, blocks in f64.
//   n, row:            number of elements; row of the state
//   scale, zero_point: what the candidate's integers mean: f32 bits, i32
//   x, y:              n x f32; the candidate, n elements that @values and @value read
//   energies:          rows x 2 x f64 (signal, noise)
func.func private @measure(%n_i32: i32, %row_i32: i32, %scale: i32, %zero_point: i32, %x: memref<?xf32>, %y: !candidate,
    %energies: memref<?xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %lanes = arith.constant 64 : index
  %block = arith.constant 4096 : index
  %zero = arith.constant 0.0 : f32
  %zeros = arith.constant dense<0.0> : vector<64xf32>
  %n = arith.index_castui %n_i32 : i32 to index
  %row = arith.index_castui %row_i32 : i32 to index
  %slot = arith.muli %row, %c2 : index
  %slot1 = arith.addi %slot, %c1 : index
  %signal0 = memref.load %energies[%slot] : memref<?xf64>
  %noise0 = memref.load %energies[%slot1] : memref<?xf64>
  %signal, %noise = scf.for %b = %c0 to %n step %block iter_args(%s = %signal0, %e = %noise0) -> (f64, f64) {
    %full = arith.addi %b, %block : index
    %end = arith.minui %full, %n : index
    %length = arith.subi %end, %b : index
    %rest = arith.remui %length, %lanes : index
    %vector_end = arith.subi %end, %rest : index
    %sv, %ev = scf.for %i = %b to %vector_end step %lanes iter_args(%sa = %zeros, %ea = %zeros)
        -> (vector<64xf32>, vector<64xf32>) {
      %xv = vector.load %x[%i] : memref<?xf32>, vector<64xf32>
      %yv = func.call @values(%y, %i, %scale, %zero_point) : (!candidate, index, i32, i32) -> vector<64xf32>
      %d = arith.subf %xv, %yv : vector<64xf32>
      %sn = math.fma %xv, %xv, %sa : vector<64xf32>
      %en = math.fma %d, %d, %ea : vector<64xf32>
      scf.yield %sn, %en : vector<64xf32>, vector<64xf32>
    }
    %s_vector = vector.reduction <add>, %sv : vector<64xf32> into f32
    %e_vector = vector.reduction <add>, %ev : vector<64xf32> into f32
    %s_block, %e_block = scf.for %i = %vector_end to %end step %c1 iter_args(%sa = %s_vector, %ea = %e_vector)
        -> (f32, f32) {
      %xe = memref.load %x[%i] : memref<?xf32>
      %ye = func.call @value(%y, %i, %scale, %zero_point) : (!candidate, index, i32, i32) -> f32
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
