// Adds up each channel of a tensor, channels innermost, and keeps its extremes.
//   n, channels, first: number of elements; channels; place of the first one in the state
//   x:                  n x f32
//   bins:               all channels x 16 x i64, the exact sums of numerics/channels.py
//   minima, maxima:     all channels x f32
//
// Each of 32 lanes sums up one channel: blocks of 256 in f32, blocks in f64. Where the channels are no multiple of 32, a
// period of several rows is. What the lanes hold in the end, at most 32 of a channel, is rounded to f32 and added
// exactly; so is each element after the last whole period, at most 31 of a channel.
// Adds what `lanes` lanes hold to their channels, the first of which is `start`. A sum m * 2^(e - 149), 0 <= e, is added
// as m * 2^(e mod 16) to the bin e / 16.
func.func private @add_lanes(%sums: memref<32xf32>, %lows: memref<32xf32>, %highs: memref<32xf32>, %lanes: index,
    %start: index, %channels: index, %first: index,
    %bins: memref<?xi64>, %minima: memref<?xf32>, %maxima: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %bins_a_channel = arith.constant 16 : index
  %zero = arith.constant dense<0> : vector<32xi32>
  %one = arith.constant dense<1> : vector<32xi32>
  %mantissa_bits = arith.constant dense<23> : vector<32xi32>
  %mantissa_mask = arith.constant dense<0x7FFFFF> : vector<32xi32>
  %exponent_mask = arith.constant dense<0xFF> : vector<32xi32>
  %implicit_bit = arith.constant dense<0x800000> : vector<32xi32>
  %four = arith.constant dense<4> : vector<32xi32>
  %fifteen = arith.constant dense<15> : vector<32xi32>
  %sum = vector.load %sums[%c0] : memref<32xf32>, vector<32xf32>
  %bits = arith.bitcast %sum : vector<32xf32> to vector<32xi32>
  %above = arith.shrui %bits, %mantissa_bits : vector<32xi32>
  %exponent = arith.andi %above, %exponent_mask : vector<32xi32>
  %fraction = arith.andi %bits, %mantissa_mask : vector<32xi32>
  %with_bit = arith.ori %fraction, %implicit_bit : vector<32xi32>
  %is_subnormal = arith.cmpi eq, %exponent, %zero : vector<32xi32>
  %magnitude = arith.select %is_subnormal, %fraction, %with_bit : vector<32xi1>, vector<32xi32>
  %negated = arith.subi %zero, %magnitude : vector<32xi32>
  %is_negative = arith.cmpi slt, %bits, %zero : vector<32xi32>
  %mantissa = arith.select %is_negative, %negated, %magnitude : vector<32xi1>, vector<32xi32>
  %at_least_one = arith.maxui %exponent, %one : vector<32xi32>
  %power = arith.subi %at_least_one, %one : vector<32xi32>
  %bin = arith.shrui %power, %four : vector<32xi32>
  %within = arith.andi %power, %fifteen : vector<32xi32>
  %wide = arith.extsi %mantissa : vector<32xi32> to vector<32xi64>
  %shift = arith.extui %within : vector<32xi32> to vector<32xi64>
  %addend = arith.shli %wide, %shift : vector<32xi64>
  %lane_bins = memref.alloca() : memref<32xi32>
  %addends = memref.alloca() : memref<32xi64>
  vector.store %bin, %lane_bins[%c0] : memref<32xi32>, vector<32xi32>
  vector.store %addend, %addends[%c0] : memref<32xi64>, vector<32xi64>
  scf.for %lane = %c0 to %lanes step %c1 iter_args(%channel = %start) -> (index) {
    %place = arith.addi %first, %channel : index
    %lane_bin = memref.load %lane_bins[%lane] : memref<32xi32>
    %bin_index = arith.index_castui %lane_bin : i32 to index
    %row = arith.muli %place, %bins_a_channel : index
    %at = arith.addi %row, %bin_index : index
    %more = memref.load %addends[%lane] : memref<32xi64>
    %before = memref.load %bins[%at] : memref<?xi64>
    %after = arith.addi %before, %more : i64
    memref.store %after, %bins[%at] : memref<?xi64>
    %low = memref.load %lows[%lane] : memref<32xf32>
    %low_before = memref.load %minima[%place] : memref<?xf32>
    %is_lower = arith.cmpf olt, %low, %low_before : f32
    %low_after = arith.select %is_lower, %low, %low_before : f32
    memref.store %low_after, %minima[%place] : memref<?xf32>
    %high = memref.load %highs[%lane] : memref<32xf32>
    %high_before = memref.load %maxima[%place] : memref<?xf32>
    %is_higher = arith.cmpf ogt, %high, %high_before : f32
    %high_after = arith.select %is_higher, %high, %high_before : f32
    memref.store %high_after, %maxima[%place] : memref<?xf32>
    %next = arith.addi %channel, %c1 : index
    %is_past = arith.cmpi eq, %next, %channels : index
    %wrapped = arith.select %is_past, %c0, %next : index
    scf.yield %wrapped : index
  }
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
  %sums = memref.alloca() : memref<32xf32>
  %lows = memref.alloca() : memref<32xf32>
  %highs = memref.alloca() : memref<32xf32>
  %n = arith.index_castui %n_i32 : i32 to index
  %channels = arith.index_castui %channels_i32 : i32 to index
  %first = arith.index_castui %first_i32 : i32 to index
  %trailing_zeros = math.cttz %channels_i32 : i32
  %common = arith.minui %trailing_zeros, %five : i32
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
    vector.store %sum_f32, %sums[%c0] : memref<32xf32>, vector<32xf32>
    vector.store %low, %lows[%c0] : memref<32xf32>, vector<32xf32>
    vector.store %high, %highs[%c0] : memref<32xf32>, vector<32xf32>
    %start = arith.remui %c, %channels : index
    func.call @add_lanes(%sums, %lows, %highs, %lanes, %start, %channels, %first, %bins, %minima, %maxima)
        : (memref<32xf32>, memref<32xf32>, memref<32xf32>, index, index, index, index, memref<?xi64>, memref<?xf32>, memref<?xf32>) -> ()
  }
  scf.for %c = %summed to %n step %lanes {
    %remaining = arith.subi %n, %c : index
    %number = arith.minui %remaining, %lanes : index
    scf.for %k = %c0 to %number step %c1 {
      %at = arith.addi %c, %k : index
      %v = memref.load %x[%at] : memref<?xf32>
      memref.store %v, %sums[%k] : memref<32xf32>
    }
    %start = arith.remui %c, %channels : index
    func.call @add_lanes(%sums, %sums, %sums, %number, %start, %channels, %first, %bins, %minima, %maxima)
        : (memref<32xf32>, memref<32xf32>, memref<32xf32>, index, index, index, index, memref<?xi64>, memref<?xf32>, memref<?xf32>) -> ()
  }
  return
}
