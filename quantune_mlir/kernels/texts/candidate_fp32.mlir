// What measure.mlir and project.mlir read of an fp32 candidate.
func.func private @values(%y: memref<?xf32>, %i: index, %scale: i32, %zero_point: i32) -> vector<64xf32> {
  %v = vector.load %y[%i] : memref<?xf32>, vector<64xf32>
  return %v : vector<64xf32>
}
func.func private @value(%y: memref<?xf32>, %i: index, %scale: i32, %zero_point: i32) -> f32 {
  %v = memref.load %y[%i] : memref<?xf32>
  return %v : f32
}
