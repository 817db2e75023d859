// An observer kernel: one executable, whatever the number and shapes of the observed tensors. Sizes and places are push
// constants.

#observe = #hal.pipeline.layout<constants = 4, bindings = [
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

// The sum, minimum and maximum of each channel of a tensor, channels innermost: sums of blocks of 256 rows in f32,
// blocks in f64.
//   constants: number of rows; channels; place of the first channel in the state; channels of the whole state
//   bindings:  x: rows x channels x f32; state: 3 x all channels x f32 (sums, minima, maxima); what it held is lost
hal.executable.source private @quantune_observe_channels {
  hal.executable.export public @observe_channels ordinal(0) layout(#observe) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @observe_channels() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %lanes = arith.constant 16 : index
      %block = arith.constant 256 : index
      %zero = arith.constant 0.0 : f32
      %zero_f64 = arith.constant 0.0 : f64
      %lowest = arith.constant 0xFF800000 : f32
      %highest = arith.constant 0x7F800000 : f32
      %zeros = arith.constant dense<0.0> : vector<16xf32>
      %zeros_f64 = arith.constant dense<0.0> : vector<16xf64>
      %lows = arith.constant dense<0xFF800000> : vector<16xf32>
      %highs = arith.constant dense<0x7F800000> : vector<16xf32>
      %rows_i32 = hal.interface.constant.load layout(#observe) ordinal(0) : i32
      %channels_i32 = hal.interface.constant.load layout(#observe) ordinal(1) : i32
      %first_i32 = hal.interface.constant.load layout(#observe) ordinal(2) : i32
      %total_i32 = hal.interface.constant.load layout(#observe) ordinal(3) : i32
      %rows = arith.index_castui %rows_i32 : i32 to index
      %channels = arith.index_castui %channels_i32 : i32 to index
      %first = arith.index_castui %first_i32 : i32 to index
      %total = arith.index_castui %total_i32 : i32 to index
      %n = arith.muli %rows, %channels : index
      %size = arith.muli %total, %c3 : index
      %x = hal.interface.binding.subspan layout(#observe) binding(0) : memref<?xf32>{%n}
      %state = hal.interface.binding.subspan layout(#observe) binding(1) : memref<?xf32>{%size}
      %rest = arith.remui %channels, %lanes : index
      %vector_end = arith.subi %channels, %rest : index
      scf.for %c = %c0 to %vector_end step %lanes {
        %sum, %low, %high = scf.for %b = %c0 to %rows step %block
            iter_args(%s = %zeros_f64, %l = %highs, %h = %lows) -> (vector<16xf64>, vector<16xf32>, vector<16xf32>) {
          %full = arith.addi %b, %block : index
          %end = arith.minui %full, %rows : index
          %part, %lb, %hb = scf.for %r = %b to %end step %c1
              iter_args(%p = %zeros, %lp = %l, %hp = %h) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) {
            %row = arith.muli %r, %channels : index
            %at = arith.addi %row, %c : index
            %v = vector.load %x[%at] : memref<?xf32>, vector<16xf32>
            %p1 = arith.addf %p, %v : vector<16xf32>
            %l1 = arith.minnumf %lp, %v : vector<16xf32>
            %h1 = arith.maxnumf %hp, %v : vector<16xf32>
            scf.yield %p1, %l1, %h1 : vector<16xf32>, vector<16xf32>, vector<16xf32>
          }
          %wide = arith.extf %part : vector<16xf32> to vector<16xf64>
          %s1 = arith.addf %s, %wide : vector<16xf64>
          scf.yield %s1, %lb, %hb : vector<16xf64>, vector<16xf32>, vector<16xf32>
        }
        %sum_f32 = arith.truncf %sum : vector<16xf64> to vector<16xf32>
        %place = arith.addi %first, %c : index
        %place_low = arith.addi %place, %total : index
        %place_high = arith.addi %place_low, %total : index
        vector.store %sum_f32, %state[%place] : memref<?xf32>, vector<16xf32>
        vector.store %low, %state[%place_low] : memref<?xf32>, vector<16xf32>
        vector.store %high, %state[%place_high] : memref<?xf32>, vector<16xf32>
      }
      scf.for %c = %vector_end to %channels step %c1 {
        %sum, %low, %high = scf.for %b = %c0 to %rows step %block
            iter_args(%s = %zero_f64, %l = %highest, %h = %lowest) -> (f64, f32, f32) {
          %full = arith.addi %b, %block : index
          %end = arith.minui %full, %rows : index
          %part, %lb, %hb = scf.for %r = %b to %end step %c1
              iter_args(%p = %zero, %lp = %l, %hp = %h) -> (f32, f32, f32) {
            %row = arith.muli %r, %channels : index
            %at = arith.addi %row, %c : index
            %v = memref.load %x[%at] : memref<?xf32>
            %p1 = arith.addf %p, %v : f32
            %l1 = arith.minnumf %lp, %v : f32
            %h1 = arith.maxnumf %hp, %v : f32
            scf.yield %p1, %l1, %h1 : f32, f32, f32
          }
          %wide = arith.extf %part : f32 to f64
          %s1 = arith.addf %s, %wide : f64
          scf.yield %s1, %lb, %hb : f64, f32, f32
        }
        %sum_f32 = arith.truncf %sum : f64 to f32
        %place = arith.addi %first, %c : index
        %place_low = arith.addi %place, %total : index
        %place_high = arith.addi %place_low, %total : index
        memref.store %sum_f32, %state[%place] : memref<?xf32>
        memref.store %low, %state[%place_low] : memref<?xf32>
        memref.store %high, %state[%place_high] : memref<?xf32>
      }
      return
    }
  }
}
