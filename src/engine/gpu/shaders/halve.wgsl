// out = x as 16-bit floats: what the float16 variant of the products reads.

enable f16;

struct Shape {
    // Numbers / 4.
    count4: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// count4.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// count4.
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f16>>;

// No activation of a trained model is near it; an infinity would spread, the largest number does not.
const LARGEST = 65504.0;

// Grid: numbers / 4 / 64 in steps of 65,535 workgroups.
@compute @workgroup_size(64)
fn halve(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < shape.count4; i += groups.x * 64u) {
        out[i] = vec4<f16>(clamp(x[i], vec4<f32>(-LARGEST), vec4<f32>(LARGEST)));
    }
}
