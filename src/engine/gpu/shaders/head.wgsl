// Reading rows of logits where they are: log-sum-exp over the vocabulary, the logits of asked-for tokens, and the most
// likely tokens. A few floats a row go back.
//
// The vocabulary is cut into SLICES interleaved slices. `slices` finds each slice's maximum and its sum of exponentials,
// `summary` merges them. The `top`-th largest of the slices' maxima is a bound that at least `top` logits reach and few
// others: `candidates` lists those, and the processor sorts the short list. (With so many equal logits that the list
// overflows, its count says so.)

const SLICES = 256u;

struct Shape {
    // Rows of logits.
    rows: u32,
    // Tokens of the vocabulary.
    vocabulary: u32,
    // Length of a row of logits.
    stride: u32,
    // Tokens that are asked for by id.
    asked: u32,
    // How many of the most likely are wanted; at most SLICES.
    top: u32,
    // Candidates a row that `found` has room for.
    room: u32,
    // The first row's index in everything but `logits`.
    first_row: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// rows × stride.
@group(0) @binding(1) var<storage, read> logits: array<f32>;
// rows × SLICES: maximum, sum of exp(logit - maximum).
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>;
// all rows: maximum, sum of exp(logit - maximum), bound of the candidates.
@group(0) @binding(3) var<storage, read_write> total: array<vec4<f32>>;
// Token ids, below the vocabulary.
@group(0) @binding(4) var<storage, read> ids: array<u32>;
// all rows × asked: logits.
@group(0) @binding(5) var<storage, read_write> gathered: array<f32>;
// all rows: how many candidates there are, also those that there was no room for. Begins as 0.
@group(0) @binding(6) var<storage, read_write> counts: array<atomic<u32>>;
// all rows × room: token id, bits of its logit.
@group(0) @binding(7) var<storage, read_write> found: array<vec2<u32>>;

// Grid: SLICES / 64, rows.
@compute @workgroup_size(64)
fn slices(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * shape.stride;
    var most = -3.4e38;
    for (var i = id.x; i < shape.vocabulary; i += SLICES) {
        most = max(most, logits[row + i]);
    }
    var sum = 0.0;
    for (var i = id.x; i < shape.vocabulary; i += SLICES) {
        sum += exp(logits[row + i] - most);
    }
    partial[id.y * SLICES + id.x] = vec2<f32>(most, sum);
}

// Grid: rows / 32.
@compute @workgroup_size(32)
fn summary(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= shape.rows) {
        return;
    }
    let first = id.x * SLICES;
    var most = -3.4e38;
    for (var slice = 0u; slice < SLICES; slice++) {
        most = max(most, partial[first + slice].x);
    }
    var sum = 0.0;
    for (var slice = 0u; slice < SLICES; slice++) {
        let part = partial[first + slice];
        sum += part.y * exp(part.x - most);
    }
    // Down the slices' maxima, largest first, until `top` of them have been seen.
    var bound = 3.4e38;
    var seen = 0u;
    while (seen < shape.top) {
        var next = -3.4e38;
        var equal = 0u;
        for (var slice = 0u; slice < SLICES; slice++) {
            let value = partial[first + slice].x;
            if (value < bound) {
                if (value > next) {
                    next = value;
                    equal = 1u;
                } else if (value == next) {
                    equal++;
                }
            }
        }
        bound = next;
        // A slice without a token has the least maximum there is; then every logit is a candidate.
        seen = select(seen + equal, shape.top, equal == 0u || next <= -3.4e38);
    }
    total[shape.first_row + id.x] = vec4<f32>(most, sum, bound, 0.0);
}

// Grid: asked / 32, rows.
@compute @workgroup_size(32)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < shape.asked) {
        gathered[(shape.first_row + id.y) * shape.asked + id.x] = logits[id.y * shape.stride + ids[id.x]];
    }
}

// Grid: SLICES / 64, rows.
@compute @workgroup_size(64)
fn candidates(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = shape.first_row + id.y;
    let bound = total[row].z;
    for (var i = id.x; i < shape.vocabulary; i += SLICES) {
        let logit = logits[id.y * shape.stride + i];
        if (logit >= bound) {
            let place = atomicAdd(&counts[row], 1u);
            if (place < shape.room) {
                found[row * shape.room + place] = vec2<u32>(i, bitcast<u32>(logit));
            }
        }
    }
}
