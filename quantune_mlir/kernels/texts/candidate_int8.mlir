// What measure.mlir and project.mlir read of an int8 candidate: (y - zero point) * scale.
func.func private @values(%y: memref<?xi8>, %i: index, %scale_bits: i32, %zero_point: i32) -> vector<64xf32> {
  %scale = arith.bitcast %scale_bits : i32 to f32
  %scales = vector.broadcast %scale : f32 to vector<64xf32>
  %zero_points = vector.broadcast %zero_point : i32 to vector<64xi32>
  %v = vector.load %y[%i] : memref<?xi8>, vector<64xi8>
  %wide = arith.extsi %v : vector<64xi8> to vector<64xi32>
  %centered = arith.subi %wide, %zero_points : vector<64xi32>
  %float = arith.sitofp %centered : vector<64xi32> to vector<64xf32>
  %real = arith.mulf %float, %scales : vector<64xf32>
  return %real : vector<64xf32>
}
func.func private @value(%y: memref<?xi8>, %i: index, %scale_bits: i32, %zero_point: i32) -> f32 {
  %scale = arith.bitcast %scale_bits : i32 to f32
  %v = memref.load %y[%i] : memref<?xi8>
  %wide = arith.extsi %v : i8 to i32
  %centered = arith.subi %wide, %zero_point : i32
  %float = arith.sitofp %centered : i32 to f32
  %real = arith.mulf %float, %scale : f32
  return %real : f32
}
