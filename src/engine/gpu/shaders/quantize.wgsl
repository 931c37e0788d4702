// Activations as 16-bit integers with a scale for every 32 of them, for products by dot4I8Packed: each integer is
// 256 · high + low, two signed bytes.
//
// Of eight columns the even ones lie in one word and the odd ones in the next, as the weights have them.

// 127 · 256: the high byte of a rounded number stays within -127 … 127, and the low byte within -128 … 127.
const MOST = 32512.0;

struct Shape {
    // Blocks of 32.
    blocks: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// blocks × 8.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// blocks × 4, a vector for eight columns: high bytes of the even ones, of the odd ones, low bytes of the same.
@group(0) @binding(2) var<storage, read_write> integers: array<vec4<u32>>;
// blocks: scale, sum of numbers 0–15, sum of numbers 16–31, sum of all, as they are after quantization.
@group(0) @binding(3) var<storage, read_write> scales: array<vec4<f32>>;

// Four bytes, the first lowest.
fn packed(bytes: vec4<i32>) -> u32 {
    let low = bitcast<vec4<u32>>(bytes) & vec4<u32>(255u);
    return low.x | (low.y << 8u) | (low.z << 16u) | (low.w << 24u);
}

fn largest(numbers: vec4<f32>) -> f32 {
    let a = abs(numbers);
    return max(max(a.x, a.y), max(a.z, a.w));
}

fn sum(numbers: vec4<i32>) -> i32 {
    return numbers.x + numbers.y + numbers.z + numbers.w;
}

// Grid: blocks / 32 in steps of 65,535 workgroups.
@compute @workgroup_size(32)
fn quantize(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var block = id.x; block < shape.blocks; block += groups.x * 32u) {
        var most = 0.0;
        for (var i = 0u; i < 8u; i++) {
            most = max(most, largest(x[block * 8u + i]));
        }
        let scale = most / MOST;
        let inverse = select(0.0, MOST / most, most > 0.0);
        var sums = vec2<i32>();
        for (var k8 = 0u; k8 < 4u; k8++) {
            let first = vec4<i32>(round(x[block * 8u + 2u * k8] * inverse));
            let second = vec4<i32>(round(x[block * 8u + 2u * k8 + 1u] * inverse));
            let even = vec4<i32>(first.xz, second.xz);
            let odd = vec4<i32>(first.yw, second.yw);
            let even_high = (even + vec4<i32>(128)) >> vec4<u32>(8u);
            let odd_high = (odd + vec4<i32>(128)) >> vec4<u32>(8u);
            integers[block * 4u + k8] = vec4<u32>(
                packed(even_high),
                packed(odd_high),
                packed(even - even_high * 256),
                packed(odd - odd_high * 256),
            );
            sums[k8 / 2u] += sum(even) + sum(odd);
        }
        let halves = vec2<f32>(sums) * scale;
        scales[block] = vec4<f32>(scale, halves, f32(sums.x + sums.y) * scale);
    }
}
