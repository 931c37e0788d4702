// A matrix as the model file quantized it: its product with activations, and rows of it (token embeddings).
//
// A quad is four adjacent rows of the matrix: what one vector holds of every column. `weights` and `scales` lie
// column after column, quads inside, so that neighbouring invocations read neighbouring vectors:
//
//   LAYOUT   one u32 is                   weights: array<vec4<u32>>, one vector a quad
//   NIBBLES  eight columns of four bits   columns/8 × quads
//   BYTES    four columns, signed         columns/4 × quads, of eight columns first the even, then the odd ones
//   HALVES   two columns of float16       columns/2 × quads
//   FLOATS   one column of float32        columns   × quads
//
// Integers become numbers as integer · scale + minimum, with a scale and a minimum for every SPAN columns.
//
// An invocation of `multiply` keeps TOKENS tokens times QUADS quads in registers. It takes no barrier and no workgroup
// memory: the activations it reads are the same for a whole workgroup, which hardware serves as one read.

// Four columns of a token. The variant for devices with 16-bit floats reads them as vec4<f16>; sums stay float32.
alias Activations = vec4<f32>;

const NIBBLES = 0u;
const BYTES = 1u;
const HALVES = 2u;
const FLOATS = 3u;

// What `multiply` does with a product.
const ADD_BIAS = 1u;
const ADD_TO_OUT = 2u;
const GATE = 4u;
const ADD_ROWS = 8u;

override LAYOUT: u32 = 0u;
override SPAN: u32 = 32u;
// Eight tokens times one or two quads, or sixteen times one: what is unpacked serves twice as many tokens then.
override QUADS: u32 = 1u;
override TOKENS: u32 = 8u;
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
    // `embed`: the token id of this part's first row.
    first_row: u32,
}

struct Eight {
    low: mat4x4<f32>,
    high: mat4x4<f32>,
}

// Sizes of this call.
@group(0) @binding(0) var<uniform> shape: Shape;
// See above.
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
// columns/SPAN × quads × (scales, minima); one vector that nobody reads for HALVES and FLOATS.
@group(0) @binding(2) var<storage, read> scales: array<vec4<f32>>;
// Rows / 4 of the whole matrix with ADD_BIAS, tokens × out_stride4 with ADD_ROWS; else nobody reads it.
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// tokens × columns/4.
@group(0) @binding(4) var<storage, read> x: array<Activations>;
// tokens × out_stride4.
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;
// `embed`: token ids.
@group(0) @binding(6) var<storage, read> ids: array<u32>;

fn nibble(words: vec4<u32>, shift: u32) -> vec4<f32> {
    return vec4<f32>((words >> vec4<u32>(shift)) & vec4<u32>(15u));
}

// The signed byte that begins at bit 24 - shift.
fn signed_byte(words: vec4<u32>, shift: u32) -> vec4<f32> {
    return vec4<f32>(bitcast<vec4<i32>>(words << vec4<u32>(shift)) >> vec4<u32>(24u));
}

fn low_half(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(
        unpack2x16float(words.x).x,
        unpack2x16float(words.y).x,
        unpack2x16float(words.z).x,
        unpack2x16float(words.w).x,
    );
}

fn high_half(words: vec4<u32>) -> vec4<f32> {
    return low_half(words >> vec4<u32>(16u));
}

// Four columns from two bytes of each word, which begin at bits 24 - shift and 32 - shift.
fn four_bytes(even: vec4<u32>, odd: vec4<u32>, shift: u32, scale: vec4<f32>, minimum: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        signed_byte(even, shift) * scale + minimum,
        signed_byte(odd, shift) * scale + minimum,
        signed_byte(even, shift - 8u) * scale + minimum,
        signed_byte(odd, shift - 8u) * scale + minimum,
    );
}

fn four_halves(at: u32) -> mat4x4<f32> {
    let first = weights[at];
    let second = weights[at + shape.quads];
    return mat4x4<f32>(low_half(first), high_half(first), low_half(second), high_half(second));
}

fn four_floats(at: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        bitcast<vec4<f32>>(weights[at]),
        bitcast<vec4<f32>>(weights[at + shape.quads]),
        bitcast<vec4<f32>>(weights[at + 2u * shape.quads]),
        bitcast<vec4<f32>>(weights[at + 3u * shape.quads]),
    );
}

// Columns 8 · k8 … of a quad: a matrix has one column of the weights in each of its own.
fn eight(k8: u32, quad: u32, scale: vec4<f32>, minimum: vec4<f32>) -> Eight {
    if (LAYOUT == NIBBLES) {
        let words = weights[k8 * shape.quads + quad];
        return Eight(
            mat4x4<f32>(
                nibble(words, 0u) * scale + minimum,
                nibble(words, 4u) * scale + minimum,
                nibble(words, 8u) * scale + minimum,
                nibble(words, 12u) * scale + minimum,
            ),
            mat4x4<f32>(
                nibble(words, 16u) * scale + minimum,
                nibble(words, 20u) * scale + minimum,
                nibble(words, 24u) * scale + minimum,
                nibble(words, 28u) * scale + minimum,
            ),
        );
    }
    if (LAYOUT == BYTES) {
        let at = 2u * k8 * shape.quads + quad;
        let even = weights[at];
        let odd = weights[at + shape.quads];
        return Eight(
            four_bytes(even, odd, 24u, scale, minimum),
            four_bytes(even, odd, 8u, scale, minimum),
        );
    }
    if (LAYOUT == HALVES) {
        let at = 4u * k8 * shape.quads + quad;
        return Eight(four_halves(at), four_halves(at + 2u * shape.quads));
    }
    let at = 8u * k8 * shape.quads + quad;
    return Eight(four_floats(at), four_floats(at + 4u * shape.quads));
}

// Scale and minimum of the span that holds columns 8 · k8 ….
fn scale_of(k8: u32, quad: u32) -> vec4<f32> {
    if (LAYOUT <= BYTES) {
        return scales[2u * (k8 * 8u / SPAN * shape.quads + quad)];
    }
    return vec4<f32>(1.0);
}

fn minimum_of(k8: u32, quad: u32) -> vec4<f32> {
    if (LAYOUT <= BYTES) {
        return scales[2u * (k8 * 8u / SPAN * shape.quads + quad) + 1u];
    }
    return vec4<f32>(0.0);
}

fn put(token: u32, quad: u32, product: vec4<f32>) {
    if (token >= shape.tokens || quad >= shape.quads) {
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

// Activations of four tokens, at columns 8 · k8 …: a matrix has one token in each of its own columns.
fn four_tokens(at: vec4<u32>) -> Eight {
    let next = at + vec4<u32>(1u);
    return Eight(
        mat4x4<f32>(vec4<f32>(x[at.x]), vec4<f32>(x[at.y]), vec4<f32>(x[at.z]), vec4<f32>(x[at.w])),
        mat4x4<f32>(vec4<f32>(x[next.x]), vec4<f32>(x[next.y]), vec4<f32>(x[next.z]), vec4<f32>(x[next.w])),
    );
}

// Adds eight columns to a quad's sums for one token, one column after the other: what compilers fuse best.
fn along(sum: vec4<f32>, w: Eight, low: vec4<f32>, high: vec4<f32>) -> vec4<f32> {
    return sum + w.low[0] * low.x + w.low[1] * low.y + w.low[2] * low.z + w.low[3] * low.w
        + w.high[0] * high.x + w.high[1] * high.y + w.high[2] * high.z + w.high[3] * high.w;
}

// The same for four tokens.
fn add(sums: mat4x4<f32>, w: Eight, p: Eight) -> mat4x4<f32> {
    return mat4x4<f32>(
        along(sums[0], w, p.low[0], p.high[0]),
        along(sums[1], w, p.low[1], p.high[1]),
        along(sums[2], w, p.low[2], p.high[2]),
        along(sums[3], w, p.low[3], p.high[3]),
    );
}

fn put_four(first: u32, quad: u32, products: mat4x4<f32>) {
    put(first, quad, products[0]);
    put(first + 1u, quad, products[1]);
    put(first + 2u, quad, products[2]);
    put(first + 3u, quad, products[3]);
}

// out[t][r] = Σ_c weight[r][c] · x[t][c], then what `then` says. Grid: quads / (LANES · QUADS), tokens / TOKENS.
@compute @workgroup_size(LANES)
fn multiply(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let a = group.x * LANES * QUADS + lane;
    if (a >= shape.quads) {
        return;
    }
    // The second quad of an invocation; past the end it repeats the last one, and is not put. A workgroup that has no
    // second quads at all skips them.
    let b = min(a + LANES, shape.quads - 1u);
    let two_quads = QUADS == 2u && group.x * LANES * QUADS + LANES < shape.quads;
    let first = group.y * TOKENS;
    // Tokens past the end repeat the last one, and are not put.
    let four = first + vec4<u32>(0u, 1u, 2u, 3u);
    let last = vec4<u32>(shape.tokens - 1u);
    let stride = shape.columns8 * 2u;
    let early = (shape.first_token + min(four, last)) * stride;
    let late = (shape.first_token + min(four + 4u, last)) * stride;
    let later = (shape.first_token + min(four + 8u, last)) * stride;
    let latest = (shape.first_token + min(four + 12u, last)) * stride;
    // Rows × tokens: quad a with the first eight tokens, then quad b with the same or quad a with the next eight.
    var a_early = mat4x4<f32>();
    var a_late = mat4x4<f32>();
    var other_early = mat4x4<f32>();
    var other_late = mat4x4<f32>();
    for (var start = 0u; start < shape.columns8; start += SPAN / 8u) {
        let a_scale = scale_of(start, a);
        let a_minimum = minimum_of(start, a);
        var b_scale = a_scale;
        var b_minimum = a_minimum;
        if (two_quads) {
            b_scale = scale_of(start, b);
            b_minimum = minimum_of(start, b);
        }
        for (var k8 = start; k8 < start + SPAN / 8u; k8++) {
            let w = eight(k8, a, a_scale, a_minimum);
            let p = four_tokens(early + 2u * k8);
            let q = four_tokens(late + 2u * k8);
            a_early = add(a_early, w, p);
            a_late = add(a_late, w, q);
            if (two_quads) {
                let v = eight(k8, b, b_scale, b_minimum);
                other_early = add(other_early, v, p);
                other_late = add(other_late, v, q);
            }
            if (TOKENS == 16u) {
                other_early = add(other_early, w, four_tokens(later + 2u * k8));
                other_late = add(other_late, w, four_tokens(latest + 2u * k8));
            }
        }
    }
    put_four(first, a, a_early);
    put_four(first + 4u, a, a_late);
    if (two_quads && a + LANES < shape.quads) {
        put_four(first, b, other_early);
        put_four(first + 4u, b, other_late);
    }
    if (TOKENS == 16u) {
        put_four(first + 8u, a, other_early);
        put_four(first + 12u, a, other_late);
    }
}

// out[t] = row ids[t], for the ids that are in this part. Grid: columns / (8 · LANES), tokens.
@compute @workgroup_size(LANES)
fn embed(@builtin(global_invocation_id) id: vec3<u32>) {
    let k8 = id.x;
    let token = id.y;
    if (k8 >= shape.columns8) {
        return;
    }
    let row = ids[token] - shape.first_row;
    // An id of an earlier part wraps round to a huge row.
    if (row >= shape.quads * 4u) {
        return;
    }
    let quad = row / 4u;
    let four = eight(k8, quad, scale_of(k8, quad), minimum_of(k8, quad));
    let one = row % 4u;
    let at = token * shape.out_stride4 + 2u * k8;
    out[at] = vec4<f32>(four.low[0][one], four.low[1][one], four.low[2][one], four.low[3][one]);
    out[at + 1u] = vec4<f32>(four.high[0][one], four.high[1][one], four.high[2][one], four.high[3][one]);
}
