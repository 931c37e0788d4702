//! What visitors do, by the reason for which they leave.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};

use super::forms::{Field, OFFERS, any_form};

/// A visit's events.
type Trace = Vec<String>;
/// Makes up a visit.
type Visit = fn(&mut rand_chacha::ChaCha8Rng) -> Trace;

/// The labels, each with its visits.
pub const LABELS: [(&str, Visit); 6] = [
    ("validation_error", validation_error),
    ("distraction", distraction),
    ("comparison_shopping", comparison_shopping),
    ("accidental_exit", accidental_exit),
    ("bot", bot),
    ("committed_leave", committed_leave),
];

fn focus(name: &str) -> String {
    format!("focus:{name}")
}

fn blur(name: &str) -> String {
    format!("blur:{name}")
}

fn input(name: &str, keys: u32) -> String {
    format!("input:{name}(x{keys})")
}

/// Scrolling or idling; people's times are mostly round to what a tracker reports.
fn scroll(random: &mut impl Rng, low: u32, high: u32) -> String {
    let step = if random.random_bool(0.7) { 500 } else { 100 };
    let time = random.random_range(low..=high) / step * step;
    format!("scroll:page({}ms)", time.max(step))
}

fn keys(random: &mut impl Rng, field: Field) -> u32 {
    random.random_range(field.keys.0..=field.keys.1)
}

/// A field filled in without trouble.
fn fill(random: &mut impl Rng, field: Field, trace: &mut Trace) {
    trace.extend([focus(field.name), input(field.name, keys(random, field)), blur(field.name)]);
}

/// Some neighbouring fields of a form, in page order.
fn stretch(random: &mut impl Rng, low: usize, high: usize) -> Vec<Field> {
    let form = any_form(random);
    let count = random.random_range(low..=high).min(form.len());
    let start = if random.random_bool(0.7) { 0 } else { random.random_range(0..=form.len() - count) };
    form[start..start + count].to_vec()
}

/// The same field again and again, refused each time.
fn validation_error(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let before = random.random_range(0..=4);
    let fields = stretch(random, before + 1, before + 1);
    let mut trace = Trace::new();
    if random.random_bool(0.15) {
        trace.push(scroll(random, 500, 6000));
    }
    let (last, filled) = fields.split_last().expect("a stretch has at least one field");
    filled.iter().for_each(|field| fill(random, *field, &mut trace));
    let struggle = |random: &mut rand_chacha::ChaCha8Rng, field: Field, times: usize, trace: &mut Trace| {
        let mut reason = *field.reasons.choose(random).unwrap_or(&"required");
        for _ in 0..times {
            trace.push(focus(field.name));
            if random.random_bool(0.9) {
                trace.push(input(field.name, keys(random, field)));
            }
            trace.push(format!("blur:{}({reason})", field.name));
            if random.random_bool(0.45) {
                reason = field.reasons.choose(random).unwrap_or(&reason);
            }
            if random.random_bool(0.12) {
                trace.push(scroll(random, 500, 9000));
            }
        }
    };
    // Sometimes another field was refused before, or on the way.
    if let Some(other) = filled.first().filter(|_| random.random_bool(0.15)) {
        struggle(random, *other, 1, &mut trace);
    }
    let times = *[2, 2, 3, 3, 3, 4, 5].choose(random).unwrap_or(&3);
    struggle(random, *last, times, &mut trace);
    if random.random_bool(0.12) {
        trace.push(focus(last.name));
    }
    if random.random_bool(0.12) {
        trace.push(scroll(random, 1000, 15_000));
    }
    trace.push("exit".to_owned());
    trace
}

/// Steady progress, then nothing for half a minute to five.
fn distraction(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let fields = stretch(random, 1, 6);
    let mut trace = Trace::new();
    if random.random_bool(0.2) {
        trace.push(scroll(random, 500, 8000));
    }
    let (last, filled) = fields.split_last().expect("a stretch has at least one field");
    filled.iter().for_each(|field| fill(random, *field, &mut trace));
    match random.random_range(0..4) {
        0 => trace.push(focus(last.name)),
        1 => trace.extend([focus(last.name), input(last.name, keys(random, *last).div_ceil(2))]),
        _ => fill(random, *last, &mut trace),
    }
    trace.push(scroll(random, 30_000, 300_000));
    match random.random_range(0..10) {
        0 => trace.push(focus(last.name)),
        1 => trace.push(scroll(random, 30_000, 240_000)),
        2 => trace.push(scroll(random, 500, 5000)),
        3 => trace.extend([focus(last.name), blur(last.name)]),
        _ => {}
    }
    trace.push("exit".to_owned());
    trace
}

/// From offer to offer and back, with little or no typing.
fn comparison_shopping(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let mut offers: Vec<&str> = OFFERS.to_vec();
    offers.shuffle(random);
    offers.truncate(random.random_range(1..=5));
    let mut visits: Vec<&str> = offers.clone();
    // Who compares comes back.
    if offers.len() > 1 && random.random_bool(0.6) {
        visits.extend(offers.iter().take(random.random_range(1..=offers.len())));
    }
    let mut trace = Trace::new();
    let scrolling = if offers.len() == 1 { 0.95 } else { 0.65 };
    if random.random_bool(scrolling) {
        trace.push(scroll(random, 1000, 20_000));
    }
    for offer in visits {
        trace.push(focus(offer));
        if random.random_bool(0.08) {
            trace.push(input(offer, random.random_range(1..=4)));
        }
        trace.push(blur(offer));
        if random.random_bool(scrolling) {
            trace.push(scroll(random, 1000, 18_000));
        }
    }
    if random.random_bool(0.1) {
        let fields = stretch(random, 1, 1);
        trace.extend([focus(fields[0].name), blur(fields[0].name)]);
    }
    trace.push("exit".to_owned());
    trace
}

/// Typing along, and suddenly gone.
fn accidental_exit(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let fields = stretch(random, 2, 8);
    let mut trace = Trace::new();
    let (last, filled) = fields.split_last().expect("a stretch has at least two fields");
    filled.iter().for_each(|field| fill(random, *field, &mut trace));
    match random.random_range(0..20) {
        0..=13 => {
            let whole = keys(random, *last).max(1);
            let typed = random.random_range(1..=whole);
            trace.extend([focus(last.name), input(last.name, typed)]);
        }
        14..=16 => trace.push(focus(last.name)),
        _ => fill(random, *last, &mut trace),
    }
    trace.push("exit".to_owned());
    trace
}

/// Fields in page order without focus or blur, sent off.
fn bot(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let fields = stretch(random, 2, 10);
    let pasted = random.random_bool(0.3);
    let mut trace: Trace = (fields.iter())
        .map(|field| {
            let count = if pasted { random.random_range(10..=60) } else { keys(random, *field).max(3) };
            input(field.name, count)
        })
        .collect();
    trace.push("submit".to_owned());
    trace
}

/// A look, perhaps at a field or a few, nothing typed, and away.
fn committed_leave(random: &mut rand_chacha::ChaCha8Rng) -> Trace {
    let looked = *[0, 1, 1, 1, 2, 2, 3, 4].choose(random).unwrap_or(&1);
    let mut fields = if looked == 0 { Vec::new() } else { stretch(random, looked, looked) };
    if random.random_bool(0.3) {
        fields.shuffle(random);
    }
    let scrolling = if fields.is_empty() { 1.0 } else { 0.55 };
    let mut trace = Trace::new();
    if random.random_bool(scrolling) {
        trace.push(scroll(random, 500, 9000));
    }
    for field in &fields {
        trace.push(focus(field.name));
        trace.push(blur(field.name));
        if random.random_bool(0.25) {
            trace.push(scroll(random, 500, 7000));
        }
    }
    if random.random_bool(0.3) || trace.is_empty() {
        trace.push(scroll(random, 500, 6000));
    }
    trace.push("exit".to_owned());
    trace
}
