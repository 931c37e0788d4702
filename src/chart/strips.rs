//! Strips over a curve: a curve has no marks of its own to point at, so invisible strips carry its numbers.

use super::canvas::Canvas;
use super::placement::Area;

/// What one place on a curve says.
pub(super) struct Strip {
    /// Its pixel across.
    pub x: f64,
    /// Its place in the data.
    pub index: usize,
    /// What it says.
    pub words: String,
    /// Its numbers, as data attributes.
    pub data: Vec<(&'static str, String)>,
}

/// More strips than this are narrower than a finger and a pointer can tell apart.
const MOST: usize = 100;

/// Draws strips side by side over an area, each reaching halfway to its neighbours; of too many, evenly chosen ones.
/// `describe` is called for those only.
pub(super) fn draw<T>(
    canvas: &mut Canvas<'_>,
    kind: &str,
    area: Area,
    points: &[T],
    describe: impl Fn(usize, &T) -> Strip,
) {
    let step = points.len().div_ceil(MOST).max(1);
    let chosen: Vec<Strip> =
        points.iter().enumerate().rev().step_by(step).map(|(index, point)| describe(index, point)).collect();
    let mut chosen: Vec<Strip> = chosen.into_iter().rev().collect();
    chosen.sort_by(|a, b| a.x.total_cmp(&b.x));
    for (position, strip) in chosen.iter().enumerate() {
        let before = position.checked_sub(1).map_or(area.left, |i| (chosen[i].x + strip.x) / 2.0);
        let after = chosen.get(position + 1).map_or(area.right, |next| (next.x + strip.x) / 2.0);
        canvas.mark(kind, strip.index, &strip.words, &strip.data);
        canvas.svg.rect("cc-hit", (before, area.top), (after, area.bottom));
        canvas.svg.close();
    }
}
