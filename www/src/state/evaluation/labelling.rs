//! Rows without a label: which of them the model may decide, which a person should, and in which order.
//!
//! Three orders, each for a purpose of its own. *Least certain first* finds the model's mistakes soonest. *Teaching*
//! asks where a stripe of confidence has many rows to decide and few labels to judge it by (Neyman's allocation: rows in
//! it, times the spread of their outcomes, over the labels there are). *By lot* draws from all texts without a label, also
//! from those that the model would decide or has not read: only then are the labelled ones like the others, and may carry
//! a promise about all of them.

use candor::chart::{Cell, Table};
use candor::stats::intervals::{Interval, clopper_pearson};

use super::judgements::{Judgements, Order};
use super::lot::lot;
use super::material::Material;
use super::scores::{Scores, Truth};

/// Stripes of confidence for the teaching order.
const STRIPES: usize = 20;

/// Who decided a row's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// It came with the data.
    Data,
    /// A person, on this page.
    Person,
    /// The model: its confidence reaches the threshold.
    Model,
    /// Nobody yet: it waits for a person.
    Nobody,
}

impl Decider {
    /// The word in exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Person => "person",
            Self::Model => "model",
            Self::Nobody => "",
        }
    }
}

/// Who decides each text that came without a label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Texts without a label in the data.
    pub texts: usize,
    /// Those the model decides.
    pub automated: usize,
    /// Those a person decided.
    pub decided: usize,
    /// Those that wait for a person: scored, and below the threshold.
    pub waiting: usize,
    /// Those that are not scored yet.
    pub unscored: usize,
    /// Those that the person is shown, in the order asked for: those that wait, or by lot all that nobody has decided.
    pub queue: Vec<usize>,
}

/// Makes the plan: confidence is the model's own, as the threshold is.
pub fn plan(material: &Material, scores: &Scores, truth: Truth<'_>, threshold: f64, order: Order) -> Plan {
    let mut plan = Plan::default();
    let mut waiting: Vec<(usize, f64)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for text in 0..material.different_texts() {
        if material.has_label(text) {
            continue;
        }
        plan.texts += 1;
        if truth.judged.label(text).is_some() {
            plan.decided += 1;
            continue;
        }
        open.push(text);
        match scores.of(text) {
            None => plan.unscored += 1,
            Some(scored) if scored.prediction.confidence >= threshold => plan.automated += 1,
            Some(scored) => waiting.push((text, scored.prediction.confidence)),
        }
    }
    plan.waiting = waiting.len();
    match order {
        Order::LeastCertain => waiting.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))),
        Order::Teaching => {
            let worth = worth_of_stripes(material, scores, truth, &waiting);
            waiting.sort_by(|a, b| worth[stripe(b.1)].total_cmp(&worth[stripe(a.1)]).then(lot(a.0).cmp(&lot(b.0))));
        }
        Order::ByLot => open.sort_by_key(|text| lot(*text)),
    }
    plan.queue = if order == Order::ByLot { open } else { waiting.into_iter().map(|(text, _)| text).collect() };
    plan
}

fn stripe(confidence: f64) -> usize {
    ((confidence * STRIPES as f64).ceil() as usize).clamp(1, STRIPES) - 1
}

/// What one more label is worth in each stripe.
fn worth_of_stripes(
    material: &Material,
    scores: &Scores,
    truth: Truth<'_>,
    waiting: &[(usize, f64)],
) -> [f64; STRIPES] {
    let (mut known, mut right, mut open) = ([0.0; STRIPES], [0.0; STRIPES], [0.0; STRIPES]);
    for row in 0..material.rows.len() {
        let Some((scored, expected)) = scores.outcome(row, material, truth) else { continue };
        let stripe = stripe(scored.prediction.confidence);
        known[stripe] += 1.0;
        right[stripe] += f64::from(u8::from(scored.prediction.label == expected));
    }
    waiting.iter().for_each(|(_, confidence)| open[stripe(*confidence)] += 1.0);
    std::array::from_fn(|at| {
        // Smoothed, so that a stripe without labels counts as unknown and not as certain.
        let share: f64 = (right[at] + 1.0) / (known[at] + 2.0);
        open[at] * (share * (1.0 - share)).sqrt() / (known[at] + 1.0)
    })
}

/// How often person and model say the same of the texts that the person decided.
pub fn agreement(scores: &Scores, judged: &Judgements) -> Option<(usize, usize, Interval)> {
    let pairs = judged.labelled().iter().filter_map(|text| {
        let scored = scores.of(*text)?;
        Some(judged.label(*text)? == scored.prediction.label)
    });
    let (mut all, mut same) = (0, 0);
    pairs.for_each(|agrees| {
        all += 1;
        same += usize::from(agrees);
    });
    (all > 0).then(|| (same, all, clopper_pearson(same as u64, all as u64, 0.95)))
}

/// The key of each label: figures for the first nine, then letters; those of undo, skip and note stay free.
pub fn keys(labels: usize) -> Vec<Option<char>> {
    let figures = '1'..='9';
    let letters = ('a'..='z').filter(|letter| !matches!(letter, 'u' | 's' | 'n'));
    let mut all = figures.chain(letters);
    (0..labels).map(|_| all.next()).collect()
}

/// A row's label, and who decided it.
pub fn decided<'a>(
    row: usize,
    material: &'a Material,
    scores: &'a Scores,
    truth: Truth<'a>,
    threshold: f64,
) -> (Option<&'a str>, Decider) {
    let text = material.text_of(row);
    if let Some(label) = truth.labels_of_data(row, material) {
        return (Some(label), Decider::Data);
    }
    if let Some(label) = truth.judged.label(text) {
        return (Some(label), Decider::Person);
    }
    match scores.of(text) {
        Some(scored) if scored.prediction.confidence >= threshold => (Some(&scored.prediction.label), Decider::Model),
        _ => (None, Decider::Nobody),
    }
}

/// Rows with their label, who decided it, and what the model said: a table to take home. `calibrated` gives a text's
/// calibrated confidence, where a calibrator is in use.
pub fn export(
    rows: impl IntoIterator<Item = usize>,
    material: &Material,
    scores: &Scores,
    truth: Truth<'_>,
    threshold: f64,
    calibrated: impl Fn(usize) -> Option<f64>,
) -> Table {
    let header = [
        "id",
        "line#",
        "group",
        "text",
        "label",
        "decided_by",
        "original_label",
        "model_label",
        "confidence#",
        "calibrated_confidence#",
        "threshold#",
        "note",
    ];
    let mut table = Table::new("Labels", &header);
    for row in rows {
        let Some(example) = material.rows.get(row) else { continue };
        let text = material.text_of(row);
        let (label, decider) = decided(row, material, scores, truth, threshold);
        let scored = scores.of(text);
        let number = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::number(value, 6));
        table.push(vec![
            Cell::text(&example.id),
            if example.line > 0 { Cell::count(example.line) } else { Cell::Empty },
            Cell::text(example.group.as_deref().unwrap_or_default()),
            Cell::text(&example.text),
            Cell::text(label.unwrap_or_default()),
            Cell::text(decider.word()),
            Cell::text(example.label.as_deref().unwrap_or_default()),
            Cell::text(scored.map(|scored| scored.prediction.label.as_str()).unwrap_or_default()),
            number(scored.map(|scored| scored.prediction.confidence)),
            number(calibrated(text)),
            Cell::number(threshold, 6),
            Cell::text(truth.judged.of(text).map(|judgement| judgement.note.as_str()).unwrap_or_default()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::judgements::Judgement;
    use super::super::labels::LabelMap;
    use super::super::material::tests::material;
    use super::super::scores::Scored;
    use super::*;
    use crate::state::fixture::classification;

    /// Three labelled texts, then texts without a label of these confidences; the model says "negative" to all.
    fn scored(confidences: &[f64]) -> (Material, LabelMap, Scores) {
        let mut rows = vec![("a", "pos"), ("b", "neg"), ("c", "neg")];
        let names: Vec<String> = (0..confidences.len()).map(|at| format!("text {at}")).collect();
        rows.extend(names.iter().map(|name| (name.as_str(), "")));
        let (material, labels) = material(&rows);
        let mut scores = Scores::new(material.different_texts());
        for (text, confidence) in [0.6, 0.9, 0.9].iter().chain(confidences).enumerate() {
            let mut made = Scored::new(classification());
            made.prediction.confidence = *confidence;
            scores.put(text, made);
        }
        (material, labels, scores)
    }

    fn judged(label: &str) -> Judgement {
        Judgement { label: Some(label.to_owned()), note: String::new(), order: Order::ByLot }
    }

    #[test]
    fn the_model_decides_above_the_threshold_and_the_person_the_rest() {
        let (material, labels, scores) = scored(&[0.95, 0.55, 0.7, 0.5, 0.8]);
        let mut judgements = Judgements::default();
        let at = |judged: &Judgements, order| plan(&material, &scores, Truth { labels: &labels, judged }, 0.8, order);
        let found = at(&judgements, Order::LeastCertain);
        assert_eq!((found.texts, found.automated, found.decided, found.unscored), (5, 2, 0, 0));
        assert_eq!((found.waiting, found.queue), (3, vec![6, 4, 5]), "rising confidence");
        judgements.put(6, judged("positive"));
        let found = at(&judgements, Order::LeastCertain);
        assert_eq!((found.decided, found.queue), (1, vec![4, 5]));
    }

    #[test]
    fn by_lot_draws_from_what_the_model_decides_too() {
        let (material, labels, mut scores) = scored(&[0.95, 0.55, 0.7, 0.5, 0.8]);
        scores = {
            // One text is not scored yet: a lot that waited for scores would favour the first rows of a run.
            let mut fewer = Scores::new(material.different_texts());
            (0..7).for_each(|text| fewer.put(text, scores.of(text).expect("scored").clone()));
            fewer
        };
        let judgements = Judgements::default();
        let truth = Truth { labels: &labels, judged: &judgements };
        let found = plan(&material, &scores, truth, 0.8, Order::ByLot);
        assert_eq!((found.automated, found.waiting, found.unscored), (1, 3, 1));
        let mut drawn = found.queue.clone();
        drawn.sort_unstable();
        assert_eq!(drawn, [3, 4, 5, 6, 7]);
        assert_eq!(plan(&material, &scores, truth, 0.8, Order::ByLot).queue, found.queue, "the same lots every time");
    }

    #[test]
    fn teaching_asks_where_labels_are_missing() {
        // Many rows near 0.9, where two labels are known; fewer near 0.3, where none is.
        let (material, labels, scores) = scored(&[0.89, 0.88, 0.87, 0.3, 0.29, 0.28]);
        let judgements = Judgements::default();
        let truth = Truth { labels: &labels, judged: &judgements };
        let found = plan(&material, &scores, truth, 0.99, Order::Teaching);
        assert!(found.queue[..3].iter().all(|text| *text >= 6), "{:?}", found.queue);
        assert_eq!(found.queue.len(), 6);
    }

    #[test]
    fn agreement_counts_what_the_person_decided() {
        let (_, _, scores) = scored(&[0.5, 0.5, 0.5]);
        let mut judgements = Judgements::default();
        assert_eq!(agreement(&scores, &judgements), None);
        judgements.put(3, judged("negative"));
        judgements.put(4, judged("positive"));
        let (same, all, interval) = agreement(&scores, &judgements).expect("two texts");
        assert_eq!((same, all), (1, 2));
        assert!(interval.low < 0.1 && interval.high > 0.9);
    }

    #[test]
    fn keys_are_single_and_leave_the_commands_free() {
        let found: Vec<char> = keys(31).into_iter().flatten().collect();
        assert_eq!((found[0], found[8], found[9]), ('1', '9', 'a'));
        assert!(!found.iter().any(|key| "usn".contains(*key)));
        assert_eq!((keys(2).len(), keys(40).iter().flatten().count()), (2, 32), "further labels have no key");
    }

    #[test]
    fn an_export_says_who_decided_and_disarms_formulas() {
        let (mut material, labels, scores) = scored(&[0.95, 0.5, 0.5]);
        material.rows[0].group = Some("spring".to_owned());
        material.rows[4].text = "=HYPERLINK(\"x\")".to_owned();
        let mut judgements = Judgements::default();
        judgements.put(4, Judgement { note: "+1 for a note".to_owned(), ..judged("positive") });
        let truth = Truth { labels: &labels, judged: &judgements };
        let table = export(0..material.rows.len(), &material, &scores, truth, 0.8, |text| (text == 3).then_some(0.75));
        let csv = table.to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with(
            "id,line,group,text,label,decided_by,original_label,model_label,confidence,calibrated_confidence,threshold,note"
        ));
        assert!(lines[1].starts_with("1,2,spring,a,positive,data,pos,negative,0.6"), "{}", lines[1]);
        assert!(lines[4].contains("negative,model,,negative,0.95,0.75,0.8"), "{}", lines[4]);
        assert!(lines[5].contains("'=HYPERLINK") && lines[5].contains("positive,person"), "{}", lines[5]);
        assert!(lines[5].contains("'+1 for a note"), "{}", lines[5]);
        assert!(lines[6].contains(",,,,negative,0.5"), "nobody decided it yet: {}", lines[6]);
    }
}
