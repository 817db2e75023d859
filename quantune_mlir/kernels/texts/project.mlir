// Adds the inner product of a cotangent and of a candidate's difference from a tensor to 64 numbers, that of every
// 64th element, a lane, to one: sums of blocks of 4,096 elements in f32, blocks in f64.
//   n, place:          number of elements; place of the numbers
//   scale, zero_point: what the candidate's integers mean: f32 bits, i32
//   c, x, y:           n x f32; n x f32; the candidate, n elements that @values and @value read
//   numbers:           places x 64 x f64
func.func private @project(%n_i32: i32, %place_i32: i32, %scale: i32, %zero_point: i32, %c: memref<?xf32>, %x: memref<?xf32>,
    %y: !candidate, %numbers: memref<?xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %lanes = arith.constant 64 : index
  %block = arith.constant 4096 : index
  %zeros = arith.constant dense<0.0> : vector<64xf32>
  %n = arith.index_castui %n_i32 : i32 to index
  %place = arith.index_castui %place_i32 : i32 to index
  %first = arith.muli %place, %lanes : index
  %before = vector.load %numbers[%first] : memref<?xf64>, vector<64xf64>
  %sum = scf.for %b = %c0 to %n step %block iter_args(%s = %before) -> (vector<64xf64>) {
    %full = arith.addi %b, %block : index
    %end = arith.minui %full, %n : index
    %length = arith.subi %end, %b : index
    %rest_of_block = arith.remui %length, %lanes : index
    %block_end = arith.subi %end, %rest_of_block : index
    %vector = scf.for %i = %b to %block_end step %lanes iter_args(%a = %zeros) -> (vector<64xf32>) {
      %cv = vector.load %c[%i] : memref<?xf32>, vector<64xf32>
      %xv = vector.load %x[%i] : memref<?xf32>, vector<64xf32>
      %yv = func.call @values(%y, %i, %scale, %zero_point) : (!candidate, index, i32, i32) -> vector<64xf32>
      %d = arith.subf %yv, %xv : vector<64xf32>
      %a1 = math.fma %cv, %d, %a : vector<64xf32>
      scf.yield %a1 : vector<64xf32>
    }
    %wide = arith.extf %vector : vector<64xf32> to vector<64xf64>
    %s1 = arith.addf %s, %wide : vector<64xf64>
    scf.yield %s1 : vector<64xf64>
  }
  vector.store %sum, %numbers[%first] : memref<?xf64>, vector<64xf64>
  %rest = arith.remui %n, %lanes : index
  %vector_end = arith.subi %n, %rest : index
  scf.for %k = %c0 to %rest step %c1 {
    %i = arith.addi %vector_end, %k : index
    %ce = memref.load %c[%i] : memref<?xf32>
    %xe = memref.load %x[%i] : memref<?xf32>
    %ye = func.call @value(%y, %i, %scale, %zero_point) : (!candidate, index, i32, i32) -> f32
    %d = arith.subf %ye, %xe : f32
    %product = arith.mulf %ce, %d : f32
    %wide = arith.extf %product : f32 to f64
    %at = arith.addi %first, %k : index
    %old = memref.load %numbers[%at] : memref<?xf64>
    %new = arith.addf %old, %wide : f64
    memref.store %new, %numbers[%at] : memref<?xf64>
  }
  return
}
