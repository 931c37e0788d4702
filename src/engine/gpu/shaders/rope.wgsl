// Rotary position embedding, in place: every pair of a head's first dimensions is turned by its position's angle.
//
// The angles come from the processor, which computes them in float64: long contexts need more digits than float32 has.

struct Shape {
    // Heads of a row.
    heads: u32,
    // Dimensions of a head.
    head_width: u32,
    // Pairs of a head that are turned.
    pairs: u32,
    // 1: neighbours (0, 1), (2, 3) …; 0: halves (0, pairs), (1, pairs + 1) ….
    interleaved: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
// positions × pairs: cosine and sine.
@group(0) @binding(1) var<storage, read> angles: array<vec2<f32>>;
// rows: x is the row's position among those in `angles`.
@group(0) @binding(2) var<storage, read> places: array<vec4<u32>>;
// rows × heads × head_width.
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

// Grid: heads · pairs / 32, rows.
@compute @workgroup_size(32)
fn rope(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= shape.heads * shape.pairs) {
        return;
    }
    let pair = id.x % shape.pairs;
    let head = (id.y * shape.heads + id.x / shape.pairs) * shape.head_width;
    var i = head + pair;
    var j = i + shape.pairs;
    if (shape.interleaved == 1u) {
        i = head + 2u * pair;
        j = i + 1u;
    }
    let angle = angles[places[id.y].x * shape.pairs + pair];
    let a = x[i];
    let b = x[j];
    x[i] = a * angle.x - b * angle.y;
    x[j] = a * angle.y + b * angle.x;
}
