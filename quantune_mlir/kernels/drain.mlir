// Reads one row of the histograms and of the extremes, and clears it.

#drain = #hal.pipeline.layout<constants = 1, bindings = [
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

//   constants: row of the state
//   bindings:  histograms: rows x 65536 x i32; extremes: rows x 2 x i32;
//              the occupied buckets, ascending, each with its count: 65536 x 2 x i32, of which the first are written;
//              how many these are: 1 x i32; extremes of the row: 2 x i32
hal.executable.source private @quantune_drain {
  hal.executable.export public @drain ordinal(0) layout(#drain) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @drain() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %zero_pair = arith.constant dense<0> : vector<2xi32>
      %lanes = arith.constant 16 : index
      %buckets = arith.constant 65536 : index
      %zero = arith.constant 0 : i32
      %zeros = arith.constant dense<0> : vector<16xi32>
      %row_i32 = hal.interface.constant.load layout(#drain) ordinal(0) : i32
      %row = arith.index_castui %row_i32 : i32 to index
      %next = arith.addi %row, %c1 : index
      %state = arith.muli %next, %buckets : index
      %histograms = hal.interface.binding.subspan layout(#drain) binding(0) : memref<?xi32>{%state}
      %state2 = arith.muli %next, %c2 : index
      %extremes = hal.interface.binding.subspan layout(#drain) binding(1) : memref<?xi32>{%state2}
      %number = hal.interface.binding.subspan layout(#drain) binding(3) : memref<1xi32>
      %extreme = hal.interface.binding.subspan layout(#drain) binding(4) : memref<2xi32>
      %occupied = hal.interface.binding.subspan layout(#drain) binding(2) : memref<65536x2xi32>
      %first = arith.muli %row, %buckets : index
      %slot = arith.muli %row, %c2 : index
      %pair = vector.load %extremes[%slot] : memref<?xi32>, vector<2xi32>
      vector.store %pair, %extreme[%c0] : memref<2xi32>, vector<2xi32>
      vector.store %zero_pair, %extremes[%slot] : memref<?xi32>, vector<2xi32>
      %total = scf.for %i = %c0 to %buckets step %lanes iter_args(%found = %c0) -> (index) {
        %at = arith.addi %first, %i : index
        %counts = vector.load %histograms[%at] : memref<?xi32>, vector<16xi32>
        %any = vector.reduction <or>, %counts : vector<16xi32> into i32
        %is_occupied = arith.cmpi ne, %any, %zero : i32
        %found_now = scf.if %is_occupied -> (index) {
          %found_here = scf.for %k = %c0 to %lanes step %c1 iter_args(%f = %found) -> (index) {
            %at_k = arith.addi %at, %k : index
            %count = memref.load %histograms[%at_k] : memref<?xi32>
            %bucket = arith.addi %i, %k : index
            %bucket_i32 = arith.index_castui %bucket : index to i32
            memref.store %bucket_i32, %occupied[%f, %c0] : memref<65536x2xi32>
            memref.store %count, %occupied[%f, %c1] : memref<65536x2xi32>
            %counted = arith.cmpi ne, %count, %zero : i32
            %one_more = arith.addi %f, %c1 : index
            %f1 = arith.select %counted, %one_more, %f : index
            scf.yield %f1 : index
          }
          vector.store %zeros, %histograms[%at] : memref<?xi32>, vector<16xi32>
          scf.yield %found_here : index
        } else {
          scf.yield %found : index
        }
        scf.yield %found_now : index
      }
      %total_i32 = arith.index_castui %total : index to i32
      memref.store %total_i32, %number[%c0] : memref<1xi32>
      return
    }
  }
}
