//! The angles of rotary position embedding (Su 2021), for whichever backend turns by them.

use std::ops::Range;

use crate::engine::config::ModelConfig;

/// (cosine, sine) of every pair at each of `positions`: positions × pairs. `factors` divide the frequencies (Llama 3);
/// empty for none. Computed in float64: at position 100,000 float32 has lost the angle's third digit.
pub fn angles(config: &ModelConfig, factors: &[f32], positions: Range<usize>) -> Vec<(f32, f32)> {
    let frequencies: Vec<f64> = (0..config.rope_width / 2)
        .map(|pair| {
            // `libm`, here and below: the platforms' own functions differ in last bits.
            let frequency = libm::pow(config.rope_base, -2.0 * pair as f64 / config.rope_width as f64);
            frequency / factors.get(pair).map_or(1.0, |factor| f64::from(*factor))
        })
        .collect();
    positions
        .flat_map(|position| {
            let position = position as f64 / config.rope_scale;
            frequencies.iter().map(move |frequency| {
                let (sine, cosine) = libm::sincos(position * frequency);
                (cosine as f32, sine as f32)
            })
        })
        .collect()
}
