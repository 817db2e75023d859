// Reads one row of the histograms and clears it.

#drain = #hal.pipeline.layout<constants = 1, bindings = [
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

//   constants: row of the state
//   bindings:  histograms: rows x 65536 x i32; counts: 65536 x i32
hal.executable.source private @quantune_drain {
  hal.executable.export public @drain ordinal(0) layout(#drain) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @drain() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %lanes = arith.constant 16 : index
      %buckets = arith.constant 65536 : index
      %zeros = arith.constant dense<0> : vector<16xi32>
      %row_i32 = hal.interface.constant.load layout(#drain) ordinal(0) : i32
      %row = arith.index_castui %row_i32 : i32 to index
      %next = arith.addi %row, %c1 : index
      %state = arith.muli %next, %buckets : index
      %histograms = hal.interface.binding.subspan layout(#drain) binding(0) : memref<?xi32>{%state}
      %counts = hal.interface.binding.subspan layout(#drain) binding(1) : memref<65536xi32>
      %first = arith.muli %row, %buckets : index
      scf.for %i = %c0 to %buckets step %lanes {
        %at = arith.addi %first, %i : index
        %count = vector.load %histograms[%at] : memref<?xi32>, vector<16xi32>
        vector.store %count, %counts[%i] : memref<65536xi32>, vector<16xi32>
        vector.store %zeros, %histograms[%at] : memref<?xi32>, vector<16xi32>
      }
      return
    }
  }
}
