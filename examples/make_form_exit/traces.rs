//! What visitors do, by the reason for which they leave.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::forms::{Field, all_offers, any_form, any_offers};

/// A visit's events.
type Trace = Vec<String>;
/// Where chance comes from.
type Chance = rand_chacha::ChaCha8Rng;
/// Makes up a visit.
type Visit = fn(&mut Chance) -> Trace;

/// Most events of a visit.
pub const MOST_EVENTS: usize = 25;

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

fn refused(name: &str, reason: &str) -> String {
    format!("blur:{name}({reason})")
}

fn input(name: &str, keys: u32) -> String {
    format!("input:{name}(x{keys})")
}

/// Scrolling or idling; trackers mostly report round times.
fn scroll(random: &mut Chance, low: u32, high: u32) -> String {
    let step = *[1000, 500, 500, 100].choose(random).unwrap_or(&500);
    // Short times are as likely as long ones.
    let time = f64::from(low) * (f64::from(high) / f64::from(low)).powf(random.random_range(0.0..1.0));
    format!("scroll:page({}ms)", (time as u32 / step * step).clamp(low, high))
}

/// Nobody does anything for half a minute to five.
fn idle(random: &mut Chance) -> String {
    scroll(random, 30_000, 300_000)
}

fn keys(random: &mut Chance, field: &Field) -> u32 {
    random.random_range(field.kind.keys.0..=field.kind.keys.1)
}

/// A field filled in without trouble.
fn fill(random: &mut Chance, field: &Field, trace: &mut Trace) {
    trace.extend([focus(&field.name), input(&field.name, keys(random, field)), blur(&field.name)]);
}

/// Sites write names in their own ways; most of them with underscores.
fn spelled(name: &str, way: u32) -> String {
    match way {
        0 => name.replace('_', "-"),
        1 => {
            let mut parts = name.split('_');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |all, part| {
                let (head, tail) = part.split_at(part.len().min(1));
                all + &head.to_uppercase() + tail
            })
        }
        _ => name.to_owned(),
    }
}

/// Some neighbouring fields of a form, in page order.
fn stretch(random: &mut Chance, least: usize, most: usize) -> Vec<Field> {
    let mut form = any_form(random);
    let count = random.random_range(least..=most).min(form.len());
    let start = if random.random_bool(0.6) { 0 } else { random.random_range(0..=form.len() - count) };
    let way = random.random_range(0..25);
    form.iter_mut().for_each(|field| field.name = spelled(&field.name, way));
    form[start..start + count].to_vec()
}

/// The same field again and again, refused each time.
fn struggle(random: &mut Chance, field: &Field, times: usize, trace: &mut Trace) {
    let mut reason = *field.kind.reasons.choose(random).unwrap_or(&"required");
    for _ in 0..times {
        trace.push(focus(&field.name));
        if random.random_bool(0.92) {
            trace.push(input(&field.name, keys(random, field)));
        }
        trace.push(refused(&field.name, reason));
        if random.random_bool(0.45) {
            reason = field.kind.reasons.choose(random).unwrap_or(&reason);
        }
        if random.random_bool(0.1) {
            trace.push(scroll(random, 500, 12_000));
        }
    }
}

fn validation_error(random: &mut Chance) -> Trace {
    let before = *[0, 0, 1, 1, 2, 2, 3, 4].choose(random).unwrap_or(&1);
    let fields = stretch(random, before + 1, before + 1);
    let mut trace = Trace::new();
    if random.random_bool(0.15) {
        trace.push(scroll(random, 500, 8000));
    }
    let (last, filled) = fields.split_last().expect("a stretch has at least one field");
    for field in filled {
        // Sometimes another field was refused on the way, and mended.
        if random.random_bool(0.08) {
            struggle(random, field, 1, &mut trace);
        }
        fill(random, field, &mut trace);
    }
    let times = *[1, 2, 2, 2, 3, 3, 3, 4, 4, 5].choose(random).unwrap_or(&3);
    struggle(random, last, times, &mut trace);
    match random.random_range(0..20) {
        0..=2 => trace.push(focus(&last.name)),
        3 => trace.extend([focus(&last.name), input(&last.name, keys(random, last))]),
        4..=6 => trace.push(scroll(random, 800, 20_000)),
        _ => {}
    }
    trace.push("exit".to_owned());
    trace
}

/// Steady progress, then nothing for a long time.
fn distraction(random: &mut Chance) -> Trace {
    let fields = stretch(random, 1, 7);
    let mut trace = Trace::new();
    if random.random_bool(0.2) {
        trace.push(scroll(random, 500, 8000));
    }
    let (last, filled) = fields.split_last().expect("a stretch has at least one field");
    for field in filled {
        fill(random, field, &mut trace);
        if random.random_bool(0.06) {
            trace.push(scroll(random, 500, 6000));
        }
    }
    match random.random_range(0..8) {
        0 | 1 => trace.push(focus(&last.name)),
        2 => trace.extend([focus(&last.name), input(&last.name, keys(random, last).div_ceil(2))]),
        _ => fill(random, last, &mut trace),
    }
    trace.push(idle(random));
    match random.random_range(0..12) {
        0 => trace.push(focus(&last.name)),
        1 => trace.push(idle(random)),
        2 => trace.push(scroll(random, 500, 5000)),
        3 => trace.extend([focus(&last.name), blur(&last.name)]),
        4 => trace.extend([focus(&last.name), idle(random)]),
        _ => {}
    }
    trace.push("exit".to_owned());
    trace
}

/// From offer to offer and back, with little or no typing.
fn comparison_shopping(random: &mut Chance) -> Trace {
    let mut offers = if random.random_bool(0.7) { any_offers(random) } else { all_offers() };
    offers.shuffle(random);
    offers.truncate(*[1, 1, 2, 2, 3, 3, 4, 5].choose(random).unwrap_or(&2));
    let way = random.random_range(0..25);
    let offers: Vec<String> = offers.into_iter().map(|offer| spelled(offer, way)).collect();
    let mut visits = offers.clone();
    // Who compares comes back.
    if offers.len() > 1 && random.random_bool(0.45) {
        visits.extend(offers.iter().take(random.random_range(1..=offers.len())).cloned());
    }
    let mut trace = Trace::new();
    let scrolling = if offers.len() == 1 { 0.95 } else { 0.6 };
    if random.random_bool(scrolling) {
        trace.push(scroll(random, 1000, 20_000));
    }
    if random.random_bool(0.08) {
        let field = &stretch(random, 1, 1)[0];
        trace.extend([focus(&field.name), blur(&field.name)]);
    }
    for offer in &visits {
        trace.push(focus(offer));
        if random.random_bool(0.06) {
            trace.push(input(offer, random.random_range(1..=4)));
        }
        trace.push(blur(offer));
        if random.random_bool(scrolling) {
            trace.push(scroll(random, 1000, 20_000));
        }
    }
    if random.random_bool(0.08) {
        let field = &stretch(random, 1, 1)[0];
        trace.extend([focus(&field.name), blur(&field.name)]);
    }
    trace.push("exit".to_owned());
    trace
}

/// Typing along, and suddenly gone.
fn accidental_exit(random: &mut Chance) -> Trace {
    let least = if random.random_bool(0.08) { 1 } else { 2 };
    let fields = stretch(random, least, 8);
    let mut trace = Trace::new();
    if random.random_bool(0.06) {
        trace.push(scroll(random, 500, 2500));
    }
    let (last, filled) = fields.split_last().expect("a stretch has at least one field");
    filled.iter().for_each(|field| fill(random, field, &mut trace));
    match random.random_range(0..20) {
        15 | 16 if !filled.is_empty() => trace.push(focus(&last.name)),
        17..=19 => fill(random, last, &mut trace),
        _ => {
            let whole = keys(random, last).max(1);
            let typed = random.random_range(1..=whole);
            trace.extend([focus(&last.name), input(&last.name, typed)]);
        }
    }
    trace.push("exit".to_owned());
    trace
}

/// Fields in page order without focus or blur, sent off.
fn bot(random: &mut Chance) -> Trace {
    let least = if random.random_bool(0.1) { 1 } else { 2 };
    let fields = stretch(random, least, 10);
    let pasted = random.random_bool(0.35);
    let trap = ["honeypot", "website", "fax", "url", "hp_field"].choose(random).filter(|_| random.random_bool(0.08));
    let names = fields.iter().map(|field| (field.name.as_str(), keys(random, field).max(3))).collect::<Vec<_>>();
    let mut trace: Trace = names
        .into_iter()
        .chain(trap.map(|name| (*name, 12)))
        .map(|(name, count)| input(name, if pasted { random.random_range(8..=80) } else { count }))
        .collect();
    if random.random_bool(0.04) {
        trace.push(scroll(random, 500, 700));
    }
    trace.push("submit".to_owned());
    trace
}

/// A look, perhaps at a field or a few, nothing typed, and away.
fn committed_leave(random: &mut Chance) -> Trace {
    let looked = *[0, 1, 1, 1, 1, 2, 2, 3, 4].choose(random).unwrap_or(&1);
    let mut fields = if looked == 0 { Vec::new() } else { stretch(random, looked, looked) };
    if random.random_bool(0.3) {
        fields.shuffle(random);
    }
    let scrolling = if fields.is_empty() { 1.0 } else { 0.5 };
    let mut trace = Trace::new();
    if random.random_bool(scrolling) {
        trace.push(scroll(random, 500, 12_000));
    }
    for (place, field) in fields.iter().enumerate() {
        trace.push(focus(&field.name));
        if place + 1 < fields.len() || random.random_bool(0.8) {
            trace.push(blur(&field.name));
        }
        if random.random_bool(0.2) {
            trace.push(scroll(random, 500, 8000));
        }
    }
    if random.random_bool(0.35) {
        trace.push(scroll(random, 500, 8000));
    }
    trace.push("exit".to_owned());
    trace
}
