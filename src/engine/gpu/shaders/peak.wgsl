// What an adapter can do at best: multiply-adds in registers, and bytes copied. Measures to hold the kernels against.

struct Shape {
    // Rounds of 32 multiply-adds, or vectors to copy.
    count: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// count, for `copy`; one vector for `arithmetic`.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// As many as there are invocations.
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

// Eight independent chains of vectors: enough to hide the latency of a multiply-add.
@compute @workgroup_size(64)
fn arithmetic(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = x[0];
    var a = vec4<f32>(f32(id.x));
    var b = a + factor;
    var c = b + factor;
    var d = c + factor;
    var e = d + factor;
    var f = e + factor;
    var g = f + factor;
    var h = g + factor;
    for (var round = 0u; round < shape.count; round++) {
        a = fma(a, factor, factor);
        b = fma(b, factor, factor);
        c = fma(c, factor, factor);
        d = fma(d, factor, factor);
        e = fma(e, factor, factor);
        f = fma(f, factor, factor);
        g = fma(g, factor, factor);
        h = fma(h, factor, factor);
    }
    out[id.x] = a + b + c + d + e + f + g + h;
}

@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < shape.count) {
        out[id.x] = x[id.x];
    }
}
