// The adjoint of a maximum over windows: what each result has goes to the largest pixel of its window, in equal parts if
// they are several, and adds up where windows overlap. Several they often are, in flat parts of an image, and have the
// same error there. Channels innermost, 16 at a time.
//
//   for each window, for each block of channels
//     count = pixels equal to the maximum          how many share
//     out[those] += c / count

#max_pool_adjoint = #hal.pipeline.layout<constants = 12, bindings = [
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">,
  #hal.pipeline.binding<storage_buffer, Indirect>
], flags = Indirect>

//   constants: images; height, width, channels; height and width of the result; of the windows rows and columns, stride
//              down and right, pad at the top and on the left
//   bindings:  x: images x height x width x channels x f32; y, the maxima; c, what they have; out, of the shape of x
hal.executable.source private @quantune_max_pool_adjoint {
  hal.executable.export public @max_pool_adjoint ordinal(0) layout(#max_pool_adjoint)
      count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    // One window, one block of channels: `first` is the block's place in x at the window's first pixel inside the image,
    // of which `rows` x `columns` are; `at` its place in y and c.
    func.func private @share(%x: memref<?xf32>, %y: memref<?xf32>, %c: memref<?xf32>, %out: memref<?xf32>,
        %first: index, %rows: index, %columns: index, %line: index, %channels: index, %at: index,
        %mask: vector<16xi1>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zeros = arith.constant dense<0.0> : vector<16xf32>
      %ones = arith.constant dense<1.0> : vector<16xf32>
      %largest = vector.maskedload %y[%at], %mask, %zeros : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
      %whole = vector.maskedload %c[%at], %mask, %zeros : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
      %count = scf.for %r = %c0 to %rows step %c1 iter_args(%of_rows = %zeros) -> (vector<16xf32>) {
        %down = arith.muli %r, %line : index
        %row = arith.addi %first, %down : index
        %of_row = scf.for %s = %c0 to %columns step %c1 iter_args(%so_far = %of_rows) -> (vector<16xf32>) {
          %right = arith.muli %s, %channels : index
          %pixel = arith.addi %row, %right : index
          %xv = vector.maskedload %x[%pixel], %mask, %zeros : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
          %is_largest = arith.cmpf oeq, %xv, %largest : vector<16xf32>
          %one = arith.select %is_largest, %ones, %zeros : vector<16xi1>, vector<16xf32>
          %more = arith.addf %so_far, %one : vector<16xf32>
          scf.yield %more : vector<16xf32>
        }
        scf.yield %of_row : vector<16xf32>
      }
      %share = arith.divf %whole, %count : vector<16xf32>
      scf.for %r = %c0 to %rows step %c1 {
        %down = arith.muli %r, %line : index
        %row = arith.addi %first, %down : index
        scf.for %s = %c0 to %columns step %c1 {
          %right = arith.muli %s, %channels : index
          %pixel = arith.addi %row, %right : index
          %xv = vector.maskedload %x[%pixel], %mask, %zeros : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
          %before = vector.maskedload %out[%pixel], %mask, %zeros : memref<?xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
          %is_largest = arith.cmpf oeq, %xv, %largest : vector<16xf32>
          %part = arith.select %is_largest, %share, %zeros : vector<16xi1>, vector<16xf32>
          %after = arith.addf %before, %part : vector<16xf32>
          vector.maskedstore %out[%pixel], %mask, %after : memref<?xf32>, vector<16xi1>, vector<16xf32>
        }
      }
      return
    }
    // Of the taps of a window along one axis those inside the image: the first pixel and how many.
    func.func private @inside(%result: index, %stride: index, %pad: index, %taps: index, %size: index) -> (index, index) {
      %c0 = arith.constant 0 : index
      %padded = arith.muli %result, %stride : index
      %start = arith.subi %padded, %pad : index
      %end = arith.addi %start, %taps : index
      %first = arith.maxsi %start, %c0 : index
      %last = arith.minsi %end, %size : index
      %count = arith.subi %last, %first : index
      return %first, %count : index, index
    }
    func.func @max_pool_adjoint() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %lanes = arith.constant 16 : index
      %zero = arith.constant 0.0 : f32
      %images_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(0) : i32
      %height_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(1) : i32
      %width_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(2) : i32
      %channels_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(3) : i32
      %out_height_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(4) : i32
      %out_width_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(5) : i32
      %rows_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(6) : i32
      %columns_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(7) : i32
      %down_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(8) : i32
      %right_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(9) : i32
      %top_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(10) : i32
      %left_i32 = hal.interface.constant.load layout(#max_pool_adjoint) ordinal(11) : i32
      %images = arith.index_cast %images_i32 : i32 to index
      %height = arith.index_cast %height_i32 : i32 to index
      %width = arith.index_cast %width_i32 : i32 to index
      %channels = arith.index_cast %channels_i32 : i32 to index
      %out_height = arith.index_cast %out_height_i32 : i32 to index
      %out_width = arith.index_cast %out_width_i32 : i32 to index
      %rows = arith.index_cast %rows_i32 : i32 to index
      %columns = arith.index_cast %columns_i32 : i32 to index
      %down = arith.index_cast %down_i32 : i32 to index
      %right = arith.index_cast %right_i32 : i32 to index
      %top = arith.index_cast %top_i32 : i32 to index
      %left = arith.index_cast %left_i32 : i32 to index
      %line = arith.muli %width, %channels : index
      %image = arith.muli %height, %line : index
      %size = arith.muli %images, %image : index
      %out_line = arith.muli %out_width, %channels : index
      %out_image = arith.muli %out_height, %out_line : index
      %out_size = arith.muli %images, %out_image : index
      %x = hal.interface.binding.subspan layout(#max_pool_adjoint) binding(0) : memref<?xf32>{%size}
      %y = hal.interface.binding.subspan layout(#max_pool_adjoint) binding(1) : memref<?xf32>{%out_size}
      %c = hal.interface.binding.subspan layout(#max_pool_adjoint) binding(2) : memref<?xf32>{%out_size}
      %out = hal.interface.binding.subspan layout(#max_pool_adjoint) binding(3) : memref<?xf32>{%size}
      scf.for %i = %c0 to %size step %c1 {
        memref.store %zero, %out[%i] : memref<?xf32>
      }
      scf.for %n = %c0 to %images step %c1 {
        %of_image = arith.muli %n, %image : index
        %of_result = arith.muli %n, %out_image : index
        scf.for %i = %c0 to %out_height step %c1 {
          %row, %rows_inside = func.call @inside(%i, %down, %top, %rows, %height)
              : (index, index, index, index, index) -> (index, index)
          %to_row = arith.muli %row, %line : index
          %of_row = arith.addi %of_image, %to_row : index
          %to_out_row = arith.muli %i, %out_line : index
          %of_out_row = arith.addi %of_result, %to_out_row : index
          scf.for %j = %c0 to %out_width step %c1 {
            %column, %columns_inside = func.call @inside(%j, %right, %left, %columns, %width)
                : (index, index, index, index, index) -> (index, index)
            %to_pixel = arith.muli %column, %channels : index
            %of_pixel = arith.addi %of_row, %to_pixel : index
            %to_out_pixel = arith.muli %j, %channels : index
            %of_out_pixel = arith.addi %of_out_row, %to_out_pixel : index
            scf.for %k = %c0 to %channels step %lanes {
              %left_over = arith.subi %channels, %k : index
              %mask = vector.create_mask %left_over : vector<16xi1>
              %first = arith.addi %of_pixel, %k : index
              %at = arith.addi %of_out_pixel, %k : index
              func.call @share(%x, %y, %c, %out, %first, %rows_inside, %columns_inside, %line, %channels, %at, %mask)
                  : (memref<?xf32>, memref<?xf32>, memref<?xf32>, memref<?xf32>, index, index, index, index, index,
                     index, vector<16xi1>) -> ()
            }
          }
        }
      }
      return
    }
  }
}
