//! The parts of a report, as the page shows them: a run's examination, and runs side by side.

use std::time::Duration;

use candor::chart::{Chart, Highlight, Section};
use leptos::prelude::*;

use super::figure::{Figure, Figures};
use super::notice::Caution;
use crate::state::evaluation::view::Listing;
use crate::state::notice::sentence;

/// Between two turns, a frame goes by.
const TURN: Duration = Duration::from_millis(20);
/// Turns of a section before the next one begins.
const TURNS: usize = 8;

/// The numbers that matter most.
#[component]
pub fn Highlights(
    /// The numbers.
    highlights: Vec<Highlight>,
) -> impl IntoView {
    view! {
        <dl class="highlights">
            {highlights
                .into_iter()
                .map(|Highlight { name, value, beside }| {
                    view! {
                        <div>
                            <dt>{name}</dt>
                            <dd>
                                <span class="highlight-value">{value}</span>
                                <span class="small soft">{beside}</span>
                            </dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
}

/// What a reader must know first.
#[component]
pub fn Warnings(
    /// What a reader must know first.
    warnings: Vec<String>,
) -> impl IntoView {
    (!warnings.is_empty()).then(|| {
        view! {
            <Caution testid="findings-cautions">
                <ul class="bullets">
                    {warnings.iter().map(|words| view! { <li>{sentence(words)}</li> }).collect_view()}
                </ul>
            </Caution>
        }
    })
}

/// One question with its answer.
#[component]
pub fn Part(
    /// Makes ids unique: reports stand in two places.
    prefix: &'static str,
    /// Its place.
    index: usize,
    /// What it says.
    section: Section,
    /// What a pressed mark asks to be listed.
    #[prop(optional, into)]
    on_mark: Option<Callback<Listing>>,
    /// Whether its tables are unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let Section { title, paragraphs, warnings, figures, tables } = section;
    let id = format!("{prefix}-{index}");
    let turn = index * TURNS;
    let labelled = id.clone();
    view! {
        <section class="card" aria-labelledby=labelled>
            <h2 id=id.clone()>{title}</h2>
            {paragraphs.into_iter().map(|words| view! { <p class="measure-text">{words}</p> }).collect_view()}
            <Warnings warnings=warnings/>
            <div class="figure-grid">
                {figures
                    .into_iter()
                    .enumerate()
                    // It stands beside the threshold that it shows.
                    .filter(|(_, chart)| !matches!(chart, Chart::AccuracyVolume(_)))
                    .map(|(number, chart)| {
                        let id = format!("{id}-{number}");
                        view! {
                            <InTurn turn=turn + number>
                                <Figure chart=chart.clone() id=id.clone() on_mark=on_mark/>
                            </InTurn>
                        }
                    })
                    .collect_view()}
            </div>
            {tables
                .into_iter()
                .map(|table| {
                    view! {
                        <InTurn turn=turn>
                            <Figures table=table.clone() open=open/>
                        </InTurn>
                    }
                })
                .collect_view()}
        </section>
    }
}

/// Something that comes into the page in its turn: a report has a dozen pictures, and drawing all of them at once would
/// hold up typing.
#[component]
fn InTurn(
    /// Its turn; 0 comes at once.
    turn: usize,
    /// What comes.
    children: ChildrenFn,
) -> impl IntoView {
    let is_due = RwSignal::new(turn == 0);
    if turn > 0 {
        // The report may have gone before.
        set_timeout(move || _ = is_due.try_set(true), TURN * turn as u32);
    }
    view! { <Show when=move || is_due.get()>{children()}</Show> }
}
