// Some rows of a list of rows: out[i] = x[picked[i]]. In the last layer only the last row of each segment goes on.

struct Shape {
    // Length of a row / 4.
    width4: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// all rows × width4.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// Indices of the rows that are picked.
@group(0) @binding(2) var<storage, read> picked: array<u32>;
// picked rows × width4.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

// Grid: width4 / 32, picked rows.
@compute @workgroup_size(32)
fn pick(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < shape.width4) {
        out[id.y * shape.width4 + id.x] = x[picked[id.y] * shape.width4 + id.x];
    }
}
