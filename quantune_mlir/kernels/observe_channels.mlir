// Adds up each channel of a tensor, channels innermost, and keeps its extremes.
//   n, channels, first: number of elements; channels; place of the first one in the state
//   x:                  n x f32
//   bins:               all channels x 16 x i64, the exact sums of numerics/channels.py
//   minima, maxima:     all channels x f32
//
// Each of 32 lanes sums up one channel: blocks of 256 in f32, blocks in f64. Where the channels are no multiple of 32, a
// period of several rows is. What the lanes hold in the end, at most 32 of a channel, is rounded to f32 and added
// exactly; so is each element after the last whole period.
func.func private @smaller(%a: f32, %b: f32) -> f32 {
  %is_smaller = arith.cmpf olt, %a, %b : f32
  %result = arith.select %is_smaller, %a, %b : f32
  return %result : f32
}
func.func private @larger(%a: f32, %b: f32) -> f32 {
  %is_larger = arith.cmpf ogt, %a, %b : f32
  %result = arith.select %is_larger, %a, %b : f32
  return %result : f32
}
// Adds m * 2^(e - 149), 0 <= e, as m * 2^(e mod 16) to the bin e / 16 of the channel at `place`.
func.func private @add_exactly(%value: f32, %place: index, %bins: memref<?xi64>) {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %bins_a_channel = arith.constant 16 : index
  %mantissa_bits = arith.constant 23 : i32
  %mantissa_mask = arith.constant 0x7FFFFF : i32
  %exponent_mask = arith.constant 0xFF : i32
  %implicit_bit = arith.constant 0x800000 : i32
  %four = arith.constant 4 : i32
  %fifteen = arith.constant 15 : i32
  %bits = arith.bitcast %value : f32 to i32
  %above = arith.shrui %bits, %mantissa_bits : i32
  %exponent = arith.andi %above, %exponent_mask : i32
  %fraction = arith.andi %bits, %mantissa_mask : i32
  %with_bit = arith.ori %fraction, %implicit_bit : i32
  %is_subnormal = arith.cmpi eq, %exponent, %zero : i32
  %magnitude = arith.select %is_subnormal, %fraction, %with_bit : i32
  %negated = arith.subi %zero, %magnitude : i32
  %is_negative = arith.cmpi slt, %bits, %zero : i32
  %mantissa = arith.select %is_negative, %negated, %magnitude : i32
  %at_least_one = arith.maxui %exponent, %one : i32
  %power = arith.subi %at_least_one, %one : i32
  %bin = arith.shrui %power, %four : i32
  %within = arith.andi %power, %fifteen : i32
  %wide = arith.extsi %mantissa : i32 to i64
  %shift = arith.extui %within : i32 to i64
  %addend = arith.shli %wide, %shift : i64
  %bin_index = arith.index_castui %bin : i32 to index
  %row = arith.muli %place, %bins_a_channel : index
  %at = arith.addi %row, %bin_index : index
  %before = memref.load %bins[%at] : memref<?xi64>
  %after = arith.addi %before, %addend : i64
  memref.store %after, %bins[%at] : memref<?xi64>
  return
}
func.func private @observe_channels(%n_i32: i32, %channels_i32: i32, %first_i32: i32, %x: memref<?xf32>,
    %bins: memref<?xi64>, %minima: memref<?xf32>, %maxima: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %lanes = arith.constant 32 : index
  %block = arith.constant 256 : index
  %five = arith.constant 5 : i32
  %lanes_i32 = arith.constant 32 : i32
  %zeros = arith.constant dense<0.0> : vector<32xf32>
  %zeros_f64 = arith.constant dense<0.0> : vector<32xf64>
  %lowest = arith.constant dense<0xFF800000> : vector<32xf32>
  %highest = arith.constant dense<0x7F800000> : vector<32xf32>
  %n = arith.index_castui %n_i32 : i32 to index
  %channels = arith.index_castui %channels_i32 : i32 to index
  %first = arith.index_castui %first_i32 : i32 to index
  %twos = math.cttz %channels_i32 : i32
  %common = arith.minui %twos, %five : i32
  %rows_i32 = arith.shrui %lanes_i32, %common : i32
  %rows = arith.index_castui %rows_i32 : i32 to index
  %period = arith.muli %channels, %rows : index
  %periods = arith.divui %n, %period : index
  %summed = arith.muli %periods, %period : index
  %is_any = arith.cmpi ne, %periods, %c0 : index
  %columns = arith.select %is_any, %period, %c0 : index
  scf.for %c = %c0 to %columns step %lanes {
    %sum, %low, %high = scf.for %b = %c0 to %periods step %block
        iter_args(%s = %zeros_f64, %l = %highest, %h = %lowest) -> (vector<32xf64>, vector<32xf32>, vector<32xf32>) {
      %full = arith.addi %b, %block : index
      %end = arith.minui %full, %periods : index
      %part, %lb, %hb = scf.for %p = %b to %end step %c1
          iter_args(%sp = %zeros, %lp = %l, %hp = %h) -> (vector<32xf32>, vector<32xf32>, vector<32xf32>) {
        %start = arith.muli %p, %period : index
        %at = arith.addi %start, %c : index
        %v = vector.load %x[%at] : memref<?xf32>, vector<32xf32>
        %s1 = arith.addf %sp, %v : vector<32xf32>
        %is_lower = arith.cmpf olt, %v, %lp : vector<32xf32>
        %l1 = arith.select %is_lower, %v, %lp : vector<32xi1>, vector<32xf32>
        %is_higher = arith.cmpf ogt, %v, %hp : vector<32xf32>
        %h1 = arith.select %is_higher, %v, %hp : vector<32xi1>, vector<32xf32>
        scf.yield %s1, %l1, %h1 : vector<32xf32>, vector<32xf32>, vector<32xf32>
      }
      %wide = arith.extf %part : vector<32xf32> to vector<32xf64>
      %s2 = arith.addf %s, %wide : vector<32xf64>
      scf.yield %s2, %lb, %hb : vector<32xf64>, vector<32xf32>, vector<32xf32>
    }
    %sum_f32 = arith.truncf %sum : vector<32xf64> to vector<32xf32>
    %sums = memref.alloca() : memref<32xf32>
    %lows = memref.alloca() : memref<32xf32>
    %highs = memref.alloca() : memref<32xf32>
    vector.store %sum_f32, %sums[%c0] : memref<32xf32>, vector<32xf32>
    vector.store %low, %lows[%c0] : memref<32xf32>, vector<32xf32>
    vector.store %high, %highs[%c0] : memref<32xf32>, vector<32xf32>
    %column = arith.remui %c, %channels : index
    scf.for %lane = %c0 to %lanes step %c1 iter_args(%channel = %column) -> (index) {
      %place = arith.addi %first, %channel : index
      %value = memref.load %sums[%lane] : memref<32xf32>
      func.call @add_exactly(%value, %place, %bins) : (f32, index, memref<?xi64>) -> ()
      %low_lane = memref.load %lows[%lane] : memref<32xf32>
      %low_before = memref.load %minima[%place] : memref<?xf32>
      %low_after = func.call @smaller(%low_lane, %low_before) : (f32, f32) -> f32
      memref.store %low_after, %minima[%place] : memref<?xf32>
      %high_lane = memref.load %highs[%lane] : memref<32xf32>
      %high_before = memref.load %maxima[%place] : memref<?xf32>
      %high_after = func.call @larger(%high_lane, %high_before) : (f32, f32) -> f32
      memref.store %high_after, %maxima[%place] : memref<?xf32>
      %next = arith.addi %channel, %c1 : index
      %is_past = arith.cmpi eq, %next, %channels : index
      %wrapped = arith.select %is_past, %c0, %next : index
      scf.yield %wrapped : index
    }
  }
  scf.for %i = %summed to %n step %c1 {
    %channel = arith.remui %i, %channels : index
    %place = arith.addi %first, %channel : index
    %value = memref.load %x[%i] : memref<?xf32>
    func.call @add_exactly(%value, %place, %bins) : (f32, index, memref<?xi64>) -> ()
    %low_before = memref.load %minima[%place] : memref<?xf32>
    %low_after = func.call @smaller(%value, %low_before) : (f32, f32) -> f32
    memref.store %low_after, %minima[%place] : memref<?xf32>
    %high_before = memref.load %maxima[%place] : memref<?xf32>
    %high_after = func.call @larger(%value, %high_before) : (f32, f32) -> f32
    memref.store %high_after, %maxima[%place] : memref<?xf32>
  }
  return
}
