//! Who decides what: how much the model does, how much waits, how often both agree; and the labels to take home.

use leptos::prelude::*;

use crate::browser;
use crate::components::evaluate::run::Remark;
use crate::session::study::study;
use crate::state::evaluation::judgements::{Judgements, Order};
use crate::state::evaluation::labelling::{Plan, agreement};
use crate::state::format::{count, percent};
use crate::state::place::Place;

/// The orders, with what each is good for.
const ORDERS: [(Order, &str, &str, &str); 3] = [
    (
        Order::LeastCertain,
        "least-certain",
        "least certain first",
        "Finds the model's mistakes soonest. A promise leaves such labels out: these texts are not like all texts.",
    ),
    (
        Order::Teaching,
        "teaching",
        "what teaches the calibrator most",
        "Asks where many rows wait and few labels are known. A promise leaves such labels out.",
    ),
    (
        Order::ByLot,
        "random",
        "by lot",
        "Draws from all texts without a label, also those that the model decides: the only labels that a promise may rest \
         on, if you skip none.",
    ),
];

/// Numbers, order and exports.
#[component]
pub fn Overview(
    /// Who decides what.
    plan: Memo<Plan>,
) -> impl IntoView {
    let study = study();
    let failed = RwSignal::new(false);
    let agreed = Memo::new(move |_| study.scores.with(|scores| study.judged.with(|judged| agreement(scores, judged))));
    let caution = Memo::new(move |_| agreed.get().and_then(|_| study.judged.with(Judgements::caution)));
    let number = move |part: fn(&Plan) -> usize| move || plan.with(|plan| count(part(plan) as u64));
    let save = move |name: &'static str, as_csv: bool| {
        let table = study.labels_table(None);
        let text = table.map(|table| if as_csv { table.to_csv() } else { table.to_json_lines() });
        failed.set(text.and_then(|text| browser::save_file(name, &text)).is_none());
    };
    view! {
        <section class="card" aria-labelledby="who-title" data-testid="label-overview">
            <h2 id="who-title">"Who decides what"</h2>
            <dl class="highlights">
                <div>
                    <dt>"The model decides"</dt>
                    <dd>
                        <span class="highlight-value" data-testid="automated-texts">{number(|plan| plan.automated)}</span>
                        <span class="small soft">
                            "texts, from a confidence of " {move || format!("{:.3}", study.threshold.get())} " on"
                        </span>
                    </dd>
                </div>
                <div>
                    <dt>"You decided"</dt>
                    <dd>
                        <span class="highlight-value" data-testid="decided-texts">{number(|plan| plan.decided)}</span>
                        <span class="small soft">
                            {move || {
                                agreed
                                    .get()
                                    .map_or_else(
                                        || "agreement with the model shows here".to_owned(),
                                        |(same, all, interval)| {
                                            format!(
                                                "the model says the same of {} [{}, {}], n = {all}",
                                                percent(same as f64 / all as f64),
                                                percent(interval.low),
                                                percent(interval.high),
                                            )
                                        },
                                    )
                            }}
                        </span>
                    </dd>
                </div>
                <div>
                    <dt>"Waiting for you"</dt>
                    <dd>
                        <span class="highlight-value" data-testid="waiting-texts">{number(|plan| plan.waiting)}</span>
                        <span class="small soft">
                            {move || {
                                let unscored = plan.with(|plan| plan.unscored);
                                if unscored > 0 { format!("and {} not scored yet", count(unscored as u64)) } else { String::new() }
                            }}
                        </span>
                    </dd>
                </div>
            </dl>
            <Remark testid="agreement-caution" words=caution/>
            <p class="small">
                "The threshold is the one of the Evaluate place. " <a href=Place::Evaluate.hash()>"Move it, or let a promise set it"</a>
            </p>
            <div class="field">
                <label for="label-order">"In which order"</label>
                <select
                    class="select"
                    id="label-order"
                    aria-describedby="label-order-hint"
                    on:change=move |event| {
                        let value = event_target_value(&event);
                        if let Some((order, ..)) = ORDERS.iter().find(|(_, id, ..)| *id == value) {
                            study.show_in_order(*order);
                        }
                    }
                >
                    {ORDERS
                        .map(|(order, id, words, _)| {
                            view! { <option value=id selected=move || study.order.get() == order>{words}</option> }
                        })
                        .collect_view()}
                </select>
                <p class="hint" id="label-order-hint">
                    {move || ORDERS.iter().find(|(order, ..)| *order == study.order.get()).map(|(.., hint)| *hint)}
                </p>
            </div>
            <div class="buttons">
                <button type="button" class="button button-small" id="export-labels" on:click=move |_| save("labels.csv", true)>
                    "Take home: labels.csv"
                </button>
                <button
                    type="button"
                    class="button button-quiet button-small"
                    id="export-labels-jsonl"
                    on:click=move |_| save("labels.jsonl", false)
                >
                    "labels.jsonl"
                </button>
            </div>
            <p class="hint">"Every row with its line, group and original label, its label now, who decided it (data, person, model), \
                 confidence and threshold."</p>
            <p class="wrong" role="alert" hidden=move || !failed.get()>"The browser did not save the file."</p>
        </section>
    }
}
