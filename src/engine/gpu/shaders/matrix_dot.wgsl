// A quantized matrix's product with activations of 16 bits, by dot products of four bytes (dot4I8Packed).
//
// Weights are at most eight bits, and lie in memory as in `matrix.wgsl`; floats have no place here. Activations are
// integers 256 · high + low (`quantize.wgsl`), so two byte products, added in integers, are exact; scales come in once
// for every SPAN columns.

const NIBBLES = 0u;

const TILE_TOKENS = 8u;

// What `multiply` does with a product.
const ADD_BIAS = 1u;
const ADD_TO_OUT = 2u;
const GATE = 4u;
const ADD_ROWS = 8u;

override LAYOUT: u32 = 0u;
override SPAN: u32 = 32u;
override LANES: u32 = 64u;

struct Shape {
    // Columns / 8, a multiple of 4.
    columns8: u32,
    // Rows of this part of the matrix / 4.
    quads: u32,
    // Tokens of x and of out.
    tokens: u32,
    // Length of a row of out / 4.
    out_stride4: u32,
    // Where this part's first row goes in a row of out / 4.
    out_offset4: u32,
    // ADD_BIAS | ADD_TO_OUT | GATE | ADD_ROWS.
    then: u32,
    // The first token of x that is read; out begins with it.
    first_token: u32,
}

// Eight columns of a quad's four rows: the even ones, the odd ones.
struct Bytes {
    even: vec4<u32>,
    odd: vec4<u32>,
}

// Products of the activations' high bytes, and of their low ones.
struct Sums {
    high: vec4<i32>,
    low: vec4<i32>,
}

// Sizes of this call.
@group(0) @binding(0) var<uniform> shape: Shape;
// As in `matrix.wgsl`: nibbles, columns/8 × quads, or bytes, columns/4 × quads.
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
// columns/SPAN × quads × (scales, minima).
@group(0) @binding(2) var<storage, read> scales: array<vec4<f32>>;
// Rows / 4 of the whole matrix with ADD_BIAS, tokens × out_stride4 with ADD_ROWS; else nobody reads it.
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// tokens × columns/8: high bytes of the even columns, of the odd ones, low bytes of the same.
@group(0) @binding(4) var<storage, read> x: array<vec4<u32>>;
// tokens × out_stride4.
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;
// tokens × columns/32: scale, sum of the first 16 activations, sum of the others, sum of all.
@group(0) @binding(6) var<storage, read> x_scales: array<vec4<f32>>;

fn eight(k8: u32, quad: u32) -> Bytes {
    if (LAYOUT == NIBBLES) {
        let words = weights[k8 * shape.quads + quad];
        return Bytes(words & vec4<u32>(0x0f0f0f0fu), (words >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu));
    }
    let at = 2u * k8 * shape.quads + quad;
    return Bytes(weights[at], weights[at + shape.quads]);
}

fn dots(w: Bytes, even: u32, odd: u32) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(w.even.x, even) + dot4I8Packed(w.odd.x, odd),
        dot4I8Packed(w.even.y, even) + dot4I8Packed(w.odd.y, odd),
        dot4I8Packed(w.even.z, even) + dot4I8Packed(w.odd.z, odd),
        dot4I8Packed(w.even.w, even) + dot4I8Packed(w.odd.w, odd),
    );
}

fn add(sums: Sums, w: Bytes, at: u32) -> Sums {
    let bytes = x[at];
    return Sums(sums.high + dots(w, bytes.x, bytes.y), sums.low + dots(w, bytes.z, bytes.w));
}

// What the columns from 8 · start on add to a token's outputs.
fn scaled(sums: Sums, token: u32, start: u32, scale: vec4<f32>, minimum: vec4<f32>) -> vec4<f32> {
    let of_x = x_scales[token * (shape.columns8 / 4u) + start / 4u];
    var total = of_x.w;
    if (SPAN == 16u) {
        total = select(of_x.y, of_x.z, start % 4u != 0u);
    }
    return vec4<f32>(sums.high * 256 + sums.low) * (scale * of_x.x) + minimum * total;
}

fn put(token: u32, quad: u32, product: vec4<f32>) {
    if (token >= shape.tokens) {
        return;
    }
    let at = token * shape.out_stride4 + shape.out_offset4 + quad;
    var value = product;
    if ((shape.then & ADD_BIAS) != 0u) {
        value += bias[shape.out_offset4 + quad];
    }
    if ((shape.then & ADD_ROWS) != 0u) {
        value += bias[at];
    }
    if ((shape.then & ADD_TO_OUT) != 0u) {
        value += out[at];
    }
    if ((shape.then & GATE) != 0u) {
        // silu(what is there) · product. Beyond -80 it is zero to any rounding, and exp must not become infinite.
        let gate = out[at];
        value *= gate / (vec4<f32>(1.0) + exp(min(-gate, vec4<f32>(80.0))));
    }
    out[at] = value;
}

// out[t][r] = Σ_c weight[r][c] · x[t][c], then what `then` says. Grid: quads / LANES, tokens / 8.
@compute @workgroup_size(LANES)
fn multiply(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let quad = group.x * LANES + lane;
    if (quad >= shape.quads) {
        return;
    }
    let first = group.y * TILE_TOKENS;
    // Tokens past the end repeat the last one, and are not put.
    let last = vec4<u32>(shape.tokens - 1u);
    let early = shape.first_token + min(first + vec4<u32>(0u, 1u, 2u, 3u), last);
    let late = shape.first_token + min(first + vec4<u32>(4u, 5u, 6u, 7u), last);
    var a = vec4<f32>(); var b = vec4<f32>(); var c = vec4<f32>(); var d = vec4<f32>();
    var e = vec4<f32>(); var f = vec4<f32>(); var g = vec4<f32>(); var h = vec4<f32>();
    for (var start = 0u; start < shape.columns8; start += SPAN / 8u) {
        var sa = Sums(); var sb = Sums(); var sc = Sums(); var sd = Sums();
        var se = Sums(); var sf = Sums(); var sg = Sums(); var sh = Sums();
        for (var k8 = start; k8 < start + SPAN / 8u; k8++) {
            let w = eight(k8, quad);
            let at = early * shape.columns8 + k8;
            let later = late * shape.columns8 + k8;
            sa = add(sa, w, at.x);
            sb = add(sb, w, at.y);
            sc = add(sc, w, at.z);
            sd = add(sd, w, at.w);
            se = add(se, w, later.x);
            sf = add(sf, w, later.y);
            sg = add(sg, w, later.z);
            sh = add(sh, w, later.w);
        }
        let of_span = 2u * (start * 8u / SPAN * shape.quads + quad);
        let scale = scales[of_span];
        let minimum = scales[of_span + 1u];
        a += scaled(sa, early.x, start, scale, minimum);
        b += scaled(sb, early.y, start, scale, minimum);
        c += scaled(sc, early.z, start, scale, minimum);
        d += scaled(sd, early.w, start, scale, minimum);
        e += scaled(se, late.x, start, scale, minimum);
        f += scaled(sf, late.y, start, scale, minimum);
        g += scaled(sg, late.z, start, scale, minimum);
        h += scaled(sh, late.w, start, scale, minimum);
    }
    put(first, quad, a);
    put(first + 1u, quad, b);
    put(first + 2u, quad, c);
    put(first + 3u, quad, d);
    put(first + 4u, quad, e);
    put(first + 5u, quad, f);
    put(first + 6u, quad, g);
    put(first + 7u, quad, h);
}
