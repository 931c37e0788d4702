// Causal attention of a packed batch: a row sees the shared prefix and its own segment's past.
//
// An invocation does one row and one head (at most 64 of its dimensions: wider heads take several invocations), four
// positions at a time, with a running maximum as in flash attention (Dao 2022): nothing of the size of the context is
// ever stored. The lanes of a workgroup are rows of one head, so all of them read the same keys of the prefix.

override VECTORS: u32 = 16u;
// 1 where VECTORS is all of a head: then a row's query stays in registers.
override WHOLE: u32 = 1u;

const LEAST = -3.0e38;

struct Shape {
    // Rows of queries.
    rows: u32,
    // Query heads that share a key and value head.
    sharing: u32,
    // Dimensions of a head / 4; a multiple of VECTORS.
    head4: u32,
    // Length of a row of queries / 4.
    query4: u32,
    // Length of a row of keys or values / 4.
    kv4: u32,
    // Positions of the prefix.
    prefix: u32,
    // 1 / sqrt(dimensions of a head).
    scale: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// rows × query4.
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
// prefix × kv4, rotated; one vector that nobody reads where there is no prefix.
@group(0) @binding(2) var<storage, read> prefix_keys: array<vec4<f32>>;
// prefix × kv4.
@group(0) @binding(3) var<storage, read> prefix_values: array<vec4<f32>>;
// tokens of the batch × kv4, rotated.
@group(0) @binding(4) var<storage, read> keys: array<vec4<f32>>;
// tokens of the batch × kv4.
@group(0) @binding(5) var<storage, read> values: array<vec4<f32>>;
// rows: y is where the row's segment begins in `keys`, z how many of its positions the row sees.
@group(0) @binding(6) var<storage, read> places: array<vec4<u32>>;
// rows × query4.
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;

// What is known so far: the largest score, the sum of exponentials, the weighted values.
struct Seen {
    most: f32,
    total: f32,
}

// How four scores are weighted, and by how much what was seen before shrinks.
struct Weighted {
    seen: Seen,
    weights: vec4<f32>,
    shrink: f32,
}

fn weigh(seen: Seen, scores: vec4<f32>, valid: vec4<bool>) -> Weighted {
    let masked = select(vec4<f32>(LEAST), scores * shape.scale, valid);
    let most = max(seen.most, max(max(masked.x, masked.y), max(masked.z, masked.w)));
    let shrink = exp(seen.most - most);
    let weights = select(vec4<f32>(0.0), exp(masked - vec4<f32>(most)), valid);
    let total = seen.total * shrink + dot(weights, vec4<f32>(1.0));
    return Weighted(Seen(most, total), weights, shrink);
}

// Grid: rows / 32, query heads, head4 / VECTORS.
@compute @workgroup_size(32)
fn attention(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let row = id.x;
    if (row >= shape.rows) {
        return;
    }
    let head = group.y;
    let query = row * shape.query4 + head * shape.head4;
    let kv = head / shape.sharing * shape.head4;
    let chunk = group.z * VECTORS;
    var seen = Seen(LEAST, 0.0);
    var sums: array<vec4<f32>, 16>;
    var mine: array<vec4<f32>, 16>;
    for (var d = 0u; d < VECTORS; d++) {
        sums[d] = vec4<f32>();
        mine[d] = queries[query + chunk + d];
    }

    for (var first = 0u; first < shape.prefix; first += 4u) {
        let positions = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let at = min(positions, vec4<u32>(shape.prefix - 1u)) * shape.kv4 + kv;
        var scores = vec4<f32>();
        for (var d = 0u; d < select(shape.head4, VECTORS, WHOLE == 1u); d++) {
            var part: vec4<f32>;
            if (WHOLE == 1u) {
                part = mine[d];
            } else {
                part = queries[query + d];
            }
            scores += part * mat4x4<f32>(
                prefix_keys[at.x + d],
                prefix_keys[at.y + d],
                prefix_keys[at.z + d],
                prefix_keys[at.w + d],
            );
        }
        let four = weigh(seen, scores, positions < vec4<u32>(shape.prefix));
        seen = four.seen;
        for (var d = 0u; d < VECTORS; d++) {
            let c = chunk + d;
            sums[d] = sums[d] * four.shrink + mat4x4<f32>(
                prefix_values[at.x + c],
                prefix_values[at.y + c],
                prefix_values[at.z + c],
                prefix_values[at.w + c],
            ) * four.weights;
        }
    }

    let place = places[row];
    for (var first = 0u; first < place.z; first += 4u) {
        let positions = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let at = (place.y + min(positions, vec4<u32>(place.z - 1u))) * shape.kv4 + kv;
        var scores = vec4<f32>();
        for (var d = 0u; d < select(shape.head4, VECTORS, WHOLE == 1u); d++) {
            var part: vec4<f32>;
            if (WHOLE == 1u) {
                part = mine[d];
            } else {
                part = queries[query + d];
            }
            scores += part * mat4x4<f32>(
                keys[at.x + d],
                keys[at.y + d],
                keys[at.z + d],
                keys[at.w + d],
            );
        }
        let four = weigh(seen, scores, positions < vec4<u32>(place.z));
        seen = four.seen;
        for (var d = 0u; d < VECTORS; d++) {
            let c = chunk + d;
            sums[d] = sums[d] * four.shrink + mat4x4<f32>(
                values[at.x + c],
                values[at.y + c],
                values[at.z + c],
                values[at.w + c],
            ) * four.weights;
        }
    }

    for (var d = 0u; d < VECTORS; d++) {
        out[query + chunk + d] = sums[d] / seen.total;
    }
}
