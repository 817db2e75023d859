// Reads rows of the histograms, and clears them: as many as there is certainly room for.

#drain = #hal.pipeline.layout<constants = 3, bindings = [
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

//   constants: the first row; number of rows; room: how many pairs can be written, at least 65536
//   bindings:  histograms: rows x 65536 x i32;
//              room x 2 x i32: the occupied buckets of each row, ascending, each with its count, row after row;
//              how many these are of each row, -1 if it was not read: rows x i32
hal.executable.source private @quantune_drain {
  hal.executable.export public @drain ordinal(0) layout(#drain) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func private @occupied(%histograms: memref<?x65536xi32>, %row: index, %pairs: memref<?x2xi32>, %before: index)
        -> index {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      %c32 = arith.constant 32 : index
      %c48 = arith.constant 48 : index
      %chunk = arith.constant 64 : index
      %buckets = arith.constant 65536 : index
      %zero = arith.constant 0 : i32
      %zeros = arith.constant dense<0> : vector<64xi32>
      %total = scf.for %i = %c0 to %buckets step %chunk iter_args(%found = %before) -> (index) {
        %i1 = arith.addi %i, %c16 : index
        %i2 = arith.addi %i, %c32 : index
        %i3 = arith.addi %i, %c48 : index
        %v0 = vector.load %histograms[%row, %i] : memref<?x65536xi32>, vector<16xi32>
        %v1 = vector.load %histograms[%row, %i1] : memref<?x65536xi32>, vector<16xi32>
        %v2 = vector.load %histograms[%row, %i2] : memref<?x65536xi32>, vector<16xi32>
        %v3 = vector.load %histograms[%row, %i3] : memref<?x65536xi32>, vector<16xi32>
        %v01 = arith.ori %v0, %v1 : vector<16xi32>
        %v23 = arith.ori %v2, %v3 : vector<16xi32>
        %all = arith.ori %v01, %v23 : vector<16xi32>
        %any = vector.reduction <or>, %all : vector<16xi32> into i32
        %is_occupied = arith.cmpi ne, %any, %zero : i32
        %found_now = scf.if %is_occupied -> (index) {
          %found_here = scf.for %k = %c0 to %chunk step %c1 iter_args(%f = %found) -> (index) {
            %bucket = arith.addi %i, %k : index
            %count = memref.load %histograms[%row, %bucket] : memref<?x65536xi32>
            %bucket_i32 = arith.index_castui %bucket : index to i32
            memref.store %bucket_i32, %pairs[%f, %c0] : memref<?x2xi32>
            memref.store %count, %pairs[%f, %c1] : memref<?x2xi32>
            %counted = arith.cmpi ne, %count, %zero : i32
            %one_more = arith.addi %f, %c1 : index
            %f1 = arith.select %counted, %one_more, %f : index
            scf.yield %f1 : index
          }
          vector.store %zeros, %histograms[%row, %i] : memref<?x65536xi32>, vector<64xi32>
          scf.yield %found_here : index
        } else {
          scf.yield %found : index
        }
        scf.yield %found_now : index
      }
      return %total : index
    }
    func.func @drain() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %buckets = arith.constant 65536 : index
      %none = arith.constant -1 : i32
      %first_i32 = hal.interface.constant.load layout(#drain) ordinal(0) : i32
      %rows_i32 = hal.interface.constant.load layout(#drain) ordinal(1) : i32
      %room_i32 = hal.interface.constant.load layout(#drain) ordinal(2) : i32
      %first = arith.index_castui %first_i32 : i32 to index
      %rows = arith.index_castui %rows_i32 : i32 to index
      %room = arith.index_castui %room_i32 : i32 to index
      %histograms = hal.interface.binding.subspan layout(#drain) binding(0) : memref<?x65536xi32>{%rows}
      %pairs = hal.interface.binding.subspan layout(#drain) binding(1) : memref<?x2xi32>{%room}
      %numbers = hal.interface.binding.subspan layout(#drain) binding(2) : memref<?xi32>{%rows}
      %total = scf.for %row = %first to %rows step %c1 iter_args(%found = %c0) -> (index) {
        %most = arith.addi %found, %buckets : index
        %fits = arith.cmpi ule, %most, %room : index
        %found_now = scf.if %fits -> (index) {
          %found_here = func.call @occupied(%histograms, %row, %pairs, %found)
              : (memref<?x65536xi32>, index, memref<?x2xi32>, index) -> index
          %of_row = arith.subi %found_here, %found : index
          %of_row_i32 = arith.index_castui %of_row : index to i32
          memref.store %of_row_i32, %numbers[%row] : memref<?xi32>
          scf.yield %found_here : index
        } else {
          memref.store %none, %numbers[%row] : memref<?xi32>
          scf.yield %found : index
        }
        scf.yield %found_now : index
      }
      return
    }
  }
}
