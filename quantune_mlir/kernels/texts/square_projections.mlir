// Adds the projections of one sample to energies: what a layer made, squared, as signal; what fp32 would take away of it,
// which is all but what is kept, squared, as noise. Then, of what a layer made, the squares of its 64 lanes, as signal.

#square = #hal.pipeline.layout<constants = 2, bindings = [
  #hal.pipeline.binding<storage_buffer, Indirect>,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

//   constants: number of layers; row of the energies at which theirs begin, first of the wholes, then of the lanes
//   bindings:  projections: layers x 2 x 64 x f64 (made, kept); energies: rows x 2 x f64 (signal, noise)
hal.executable.source private @quantune_square_projections {
  hal.executable.export public @square ordinal(0) layout(#square) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @square() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %layers_i32 = hal.interface.constant.load layout(#square) ordinal(0) : i32
      %first_i32 = hal.interface.constant.load layout(#square) ordinal(1) : i32
      %layers = arith.index_castui %layers_i32 : i32 to index
      %first = arith.index_castui %first_i32 : i32 to index
      %first_lanes = arith.addi %first, %layers : index
      %rows = arith.addi %first_lanes, %layers : index
      %projections = hal.interface.binding.subspan layout(#square) binding(0) : memref<?x2x64xf64>{%layers}
      %energies = hal.interface.binding.subspan layout(#square) binding(1) : memref<?x2xf64>{%rows}
      scf.for %i = %c0 to %layers step %c1 {
        %made_lanes = vector.load %projections[%i, %c0, %c0] : memref<?x2x64xf64>, vector<64xf64>
        %kept_lanes = vector.load %projections[%i, %c1, %c0] : memref<?x2x64xf64>, vector<64xf64>
        %made = vector.reduction <add>, %made_lanes : vector<64xf64> into f64
        %kept = vector.reduction <add>, %kept_lanes : vector<64xf64> into f64
        %removed = arith.subf %made, %kept : f64
        %row = arith.addi %first, %i : index
        %signal = memref.load %energies[%row, %c0] : memref<?x2xf64>
        %noise = memref.load %energies[%row, %c1] : memref<?x2xf64>
        %signal1 = math.fma %made, %made, %signal : f64
        %noise1 = math.fma %removed, %removed, %noise : f64
        memref.store %signal1, %energies[%row, %c0] : memref<?x2xf64>
        memref.store %noise1, %energies[%row, %c1] : memref<?x2xf64>
        %row_of_lanes = arith.addi %first_lanes, %i : index
        %squares = arith.mulf %made_lanes, %made_lanes : vector<64xf64>
        %lanes = memref.load %energies[%row_of_lanes, %c0] : memref<?x2xf64>
        %lanes1 = vector.reduction <add>, %squares, %lanes : vector<64xf64> into f64
        memref.store %lanes1, %energies[%row_of_lanes, %c0] : memref<?x2xf64>
      }
      return
    }
  }
}
