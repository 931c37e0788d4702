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
/// Height of a figure with its heading, caption and buttons, about, in rem.
const FIGURE_ROOM: f64 = 32.0;
/// Height of a table's line in rem.
const TABLE_LINE: f64 = 2.0;
/// Lines that an unfolded table shows before it scrolls, about.
const SHOWN_LINES: usize = 12;

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

/// The questions of a report with their answers. A newer report takes the place of the older one where it stands, a
/// section in its turn, and what has not changed is left alone: nothing moves under a finger.
#[component]
pub fn Parts(
    /// Makes ids unique: reports stand in two places.
    prefix: &'static str,
    /// What they say.
    #[prop(into)]
    sections: Signal<Vec<Section>>,
    /// What a pressed mark asks to be listed.
    #[prop(optional, into)]
    on_mark: Option<Callback<Listing>>,
) -> impl IntoView {
    let shown = RwSignal::new(Vec::<ArcRwSignal<Section>>::new());
    Effect::new(move |_| {
        let sections = sections.get();
        let mut places = shown.get_untracked();
        let before = places.len();
        places.truncate(sections.len());
        for (index, section) in sections.into_iter().enumerate() {
            match places.get(index).cloned() {
                None => places.push(ArcRwSignal::new(section)),
                Some(place) if place.with_untracked(|older| *older == section) => {}
                Some(place) => set_timeout(move || place.set(section), TURN * (index * TURNS) as u32),
            }
        }
        if places.len() != before {
            shown.set(places);
        }
    });
    let numbered = move || shown.get().into_iter().enumerate().collect::<Vec<_>>();
    view! {
        <For
            each=numbered
            key=|(index, _)| *index
            children=move |(index, section)| view! { <Part prefix=prefix index=index section=section on_mark=on_mark/> }
        />
    }
}

/// One question with its answer.
#[component]
pub fn Part(
    /// Makes ids unique: reports stand in two places.
    prefix: &'static str,
    /// Its place.
    index: usize,
    /// What it says.
    #[prop(into)]
    section: Signal<Section>,
    /// What a pressed mark asks to be listed.
    #[prop(default = None)]
    on_mark: Option<Callback<Listing>>,
    /// Whether its tables are unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let id = format!("{prefix}-{index}");
    let figure_id = id.clone();
    let turn = index * TURNS;
    let labelled = id.clone();
    let title = Memo::new(move |_| section.with(|section| section.title.clone()));
    let words = Memo::new(move |_| section.with(|section| (section.paragraphs.clone(), section.warnings.clone())));
    // Accuracy and volume stand beside the threshold that they show.
    let is_here = |chart: &Chart| !matches!(chart, Chart::AccuracyVolume(_));
    let figures = move || {
        let placed = |section: &Section| section.figures.iter().cloned().enumerate().collect::<Vec<_>>();
        section.with(placed).into_iter().filter(|(_, chart)| is_here(chart)).collect::<Vec<(usize, Chart)>>()
    };
    let tables = move || section.with(|section| section.tables.iter().cloned().enumerate().collect::<Vec<_>>());
    view! {
        <section class="card" aria-labelledby=labelled>
            <h2 id=id>{title}</h2>
            {move || {
                let (paragraphs, warnings) = words.get();
                view! {
                    {paragraphs.into_iter().map(|words| view! { <p class="measure-text">{words}</p> }).collect_view()}
                    <Warnings warnings=warnings/>
                }
            }}
            <div class="figure-grid">
                <For
                    each=figures
                    key=|(number, _)| *number
                    children=move |(number, first)| {
                        let chart = at_its_place(section, |section| &section.figures, number, first);
                        let id = format!("{figure_id}-{number}");
                        view! {
                            <InTurn turn=turn + number room=FIGURE_ROOM>
                                <Figure chart=chart id=id.clone() on_mark=on_mark/>
                            </InTurn>
                        }
                    }
                />
            </div>
            <For
                each=tables
                key=|(number, _)| *number
                children=move |(number, first)| {
                    // A line a row where it comes unfolded; else its summary.
                    let lines = if open { first.rows.len().min(SHOWN_LINES) } else { 1 };
                    let table = at_its_place(section, |section| &section.tables, number, first);
                    view! {
                        <InTurn turn=turn room=TABLE_LINE * lines as f64>
                            <Figures table=table open=open/>
                        </InTurn>
                    }
                }
            />
        </section>
    }
}

/// What stands at a place of a section, as the section changes; what was there last where it has it no more.
fn at_its_place<T: Clone + PartialEq + Send + Sync + 'static>(
    section: Signal<Section>,
    list: fn(&Section) -> &Vec<T>,
    place: usize,
    first: T,
) -> Memo<T> {
    Memo::new(move |last: Option<&T>| {
        let now = section.with(|section| list(section).get(place).cloned());
        now.unwrap_or_else(|| last.unwrap_or(&first).clone())
    })
}

/// Something that comes into the page in its turn: a report has a dozen pictures, and drawing all of them at once would
/// hold up typing.
#[component]
fn InTurn(
    /// Its turn; 0 comes at once.
    turn: usize,
    /// How high it will be, about, in rem: room kept for it, so that what stands below does not move under a finger.
    room: f64,
    /// What comes.
    children: ChildrenFn,
) -> impl IntoView {
    let is_due = RwSignal::new(turn == 0);
    if turn > 0 {
        // The report may have gone before.
        set_timeout(move || _ = is_due.try_set(true), TURN * turn as u32);
    }
    let keep = move || view! { <div aria-hidden="true" style:min-block-size=format!("{room}rem")></div> };
    view! { <Show when=move || is_due.get() fallback=keep>{children()}</Show> }
}
