// out = x / sqrt(mean(x²) + epsilon) · weight, for rows or for the heads of rows.
//
// A workgroup does one row (or one head of it): its lanes add up squares side by side, meet once, and each adds the
// lanes' sums for itself.

const LANES = 32u;

struct Shape {
    // Numbers that are normalized together / 4.
    width4: u32,
    // Length of a row / 4; a row has stride4 / width4 such groups.
    stride4: u32,
    // Added to the mean square.
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// rows × stride4.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// width4.
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
// rows × stride4.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

var<workgroup> squares: array<f32, LANES>;

// Grid: rows, heads (or 1).
@compute @workgroup_size(LANES)
fn rms_norm(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let first = group.x * shape.stride4 + group.y * shape.width4;
    var square = 0.0;
    for (var i = lane; i < shape.width4; i += LANES) {
        let value = x[first + i];
        square += dot(value, value);
    }
    squares[lane] = square;
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < LANES; other++) {
        total += squares[other];
    }
    let scale = 1.0 / sqrt(total / f32(shape.width4 * 4u) + shape.epsilon);
    for (var i = lane; i < shape.width4; i += LANES) {
        out[first + i] = x[first + i] * scale * weight[i];
    }
}
