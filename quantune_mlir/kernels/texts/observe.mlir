// Counts elements of a tensor by the upper 16 bits of their pattern, and keeps the extremes of all of them exactly.
//   n, row:     number of elements; row of the state
//   stride:     of the blocks of 16 elements each stride-th is counted, and the rest after the last whole one
//   x:          n x f32, read as bits
//   histograms: rows x 65536 x i32
//   extremes:   rows x 2 x i32: the largest key(x) and the largest not(key(x)), key being the map from f32 to u32 that
//               keeps the order: all bits of a negative number flipped, the sign bit of any other. 0, the initial value,
//               is below every key. Where there is a NaN or Inf, the larger of the two is at least 0xFF800000
//
// Counting zeros one after the other, of which a ReLU leaves many, would have each increment wait for the one before.
// So the zeros in lane k of the vectors are counted in bucket k, and in a vector beside, which puts it right in the end.
// Vectors find the buckets of 16 blocks, and leave them in memory to be counted one by one.
func.func private @increment(%histograms: memref<?xi32>, %first: index, %bucket: i32) {
  %one = arith.constant 1 : i32
  %offset = arith.index_castui %bucket : i32 to index
  %at = arith.addi %first, %offset : index
  %count = memref.load %histograms[%at] : memref<?xi32>
  %incremented = arith.addi %count, %one : i32
  memref.store %incremented, %histograms[%at] : memref<?xi32>
  return
}
func.func private @observe(%n_i32: i32, %row_i32: i32, %stride_i32: i32, %x: memref<?xi32>, %histograms: memref<?xi32>,
    %extremes: memref<?xi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %lanes = arith.constant 16 : index
  %buckets = arith.constant 65536 : index
  %sixteen = arith.constant 16 : i32
  %thirty_one = arith.constant 31 : i32
  %sign = arith.constant -2147483648 : i32
  %all = arith.constant -1 : i32
  %zeros = arith.constant dense<0> : vector<16xi32>
  %ones = arith.constant dense<1> : vector<16xi32>
  %sixteens = arith.constant dense<16> : vector<16xi32>
  %thirty_ones = arith.constant dense<31> : vector<16xi32>
  %signs = arith.constant dense<-2147483648> : vector<16xi32>
  %alls = arith.constant dense<-1> : vector<16xi32>
  %lane = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : vector<16xi32>
  %n = arith.index_castui %n_i32 : i32 to index
  %row = arith.index_castui %row_i32 : i32 to index
  %first = arith.muli %row, %buckets : index
  %slot = arith.muli %row, %c2 : index
  %slot1 = arith.addi %slot, %c1 : index
  %rest = arith.remui %n, %lanes : index
  %vector_end = arith.subi %n, %rest : index
  %blocks = arith.divui %n, %lanes : index
  %stride = arith.index_castui %stride_i32 : i32 to index
  %reach = arith.muli %stride, %lanes : index
  %hv, %lv = scf.for %i = %c0 to %vector_end step %lanes iter_args(%h = %zeros, %l = %zeros)
      -> (vector<16xi32>, vector<16xi32>) {
    %bits = vector.load %x[%i] : memref<?xi32>, vector<16xi32>
    %negative = arith.shrsi %bits, %thirty_ones : vector<16xi32>
    %mask = arith.ori %negative, %signs : vector<16xi32>
    %key = arith.xori %bits, %mask : vector<16xi32>
    %not_key = arith.xori %key, %alls : vector<16xi32>
    %h1 = arith.maxui %h, %key : vector<16xi32>
    %l1 = arith.maxui %l, %not_key : vector<16xi32>
    scf.yield %h1, %l1 : vector<16xi32>, vector<16xi32>
  }
  %chosen = memref.alloca() : memref<256xi32>
  %zv = scf.for %b = %c0 to %blocks step %reach iter_args(%zb = %zeros) -> (vector<16xi32>) {
    %left = arith.subi %blocks, %b : index
    %before_last = arith.subi %left, %c1 : index
    %before_last_number = arith.divui %before_last, %stride : index
    %blocks_left = arith.addi %before_last_number, %c1 : index
    %number = arith.minui %blocks_left, %lanes : index
    %length = arith.muli %number, %lanes : index
    %zn = scf.for %k = %c0 to %number step %c1 iter_args(%z = %zb) -> (vector<16xi32>) {
      %steps = arith.muli %k, %stride : index
      %of_block = arith.addi %b, %steps : index
      %at = arith.muli %of_block, %lanes : index
      %bits = vector.load %x[%at] : memref<?xi32>, vector<16xi32>
      %bucket = arith.shrui %bits, %sixteens : vector<16xi32>
      %is_zero = arith.cmpi eq, %bucket, %zeros : vector<16xi32>
      %is_zero_i32 = arith.select %is_zero, %ones, %zeros : vector<16xi1>, vector<16xi32>
      %z1 = arith.addi %z, %is_zero_i32 : vector<16xi32>
      %spread = arith.select %is_zero, %lane, %bucket : vector<16xi1>, vector<16xi32>
      %i = arith.muli %k, %lanes : index
      vector.store %spread, %chosen[%i] : memref<256xi32>, vector<16xi32>
      scf.yield %z1 : vector<16xi32>
    }
    scf.for %i = %c0 to %length step %c4 {
      %i1 = arith.addi %i, %c1 : index
      %i2 = arith.addi %i, %c2 : index
      %i3 = arith.addi %i, %c3 : index
      %b0 = memref.load %chosen[%i] : memref<256xi32>
      func.call @increment(%histograms, %first, %b0) : (memref<?xi32>, index, i32) -> ()
      %b1 = memref.load %chosen[%i1] : memref<256xi32>
      func.call @increment(%histograms, %first, %b1) : (memref<?xi32>, index, i32) -> ()
      %b2 = memref.load %chosen[%i2] : memref<256xi32>
      func.call @increment(%histograms, %first, %b2) : (memref<?xi32>, index, i32) -> ()
      %b3 = memref.load %chosen[%i3] : memref<256xi32>
      func.call @increment(%histograms, %first, %b3) : (memref<?xi32>, index, i32) -> ()
    }
    scf.yield %zn : vector<16xi32>
  }
  %smallest = vector.load %histograms[%first] : memref<?xi32>, vector<16xi32>
  %without_zeros = arith.subi %smallest, %zv : vector<16xi32>
  vector.store %without_zeros, %histograms[%first] : memref<?xi32>, vector<16xi32>
  %zero = vector.extract %without_zeros[0] : i32 from vector<16xi32>
  %with_zeros = vector.reduction <add>, %zv, %zero : vector<16xi32> into i32
  memref.store %with_zeros, %histograms[%first] : memref<?xi32>
  %high0 = memref.load %extremes[%slot] : memref<?xi32>
  %low0 = memref.load %extremes[%slot1] : memref<?xi32>
  %high_vector = vector.reduction <maxui>, %hv, %high0 : vector<16xi32> into i32
  %low_vector = vector.reduction <maxui>, %lv, %low0 : vector<16xi32> into i32
  %high, %low = scf.for %i = %vector_end to %n step %c1 iter_args(%h = %high_vector, %l = %low_vector) -> (i32, i32) {
    %bits = memref.load %x[%i] : memref<?xi32>
    %bucket = arith.shrui %bits, %sixteen : i32
    func.call @increment(%histograms, %first, %bucket) : (memref<?xi32>, index, i32) -> ()
    %negative = arith.shrsi %bits, %thirty_one : i32
    %mask = arith.ori %negative, %sign : i32
    %key = arith.xori %bits, %mask : i32
    %not_key = arith.xori %key, %all : i32
    %h1 = arith.maxui %h, %key : i32
    %l1 = arith.maxui %l, %not_key : i32
    scf.yield %h1, %l1 : i32, i32
  }
  memref.store %high, %extremes[%slot] : memref<?xi32>
  memref.store %low, %extremes[%slot1] : memref<?xi32>
  return
}
