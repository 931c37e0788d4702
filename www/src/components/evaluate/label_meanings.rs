//! What each label of the data means: a list of selects, one a label.

use leptos::prelude::*;

use crate::components::label_colour::Swatch;
use crate::session::session;
use crate::session::study::study;
use crate::state::evaluation::labels::Entry;
use crate::state::format;

/// Labels that are listed; further ones are only counted.
const LISTED: usize = 30;

/// The labels of the data, each with its meaning.
#[component]
pub fn LabelMeanings() -> impl IntoView {
    let study = study();
    // The labels of most rows come first.
    let entries = Memo::new(move |_| {
        study.labels.with(|labels| {
            let mut entries: Vec<&Entry> = labels.entries().iter().collect();
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.rows));
            entries.into_iter().take(LISTED).cloned().collect::<Vec<Entry>>()
        })
    });
    let listed = move || entries.get().into_iter().enumerate().collect::<Vec<(usize, Entry)>>();
    let more = move || study.labels.with(|labels| labels.entries().len().saturating_sub(LISTED));
    view! {
        <Show when=move || entries.with(|entries| !entries.is_empty())>
            <div class="stack-tight">
                <h3 id="meanings-title">"What the labels mean"</h3>
                <ul class="meanings" aria-labelledby="meanings-title">
                    <For
                        each=listed
                        key=|(_, entry)| entry.found.clone()
                        children=move |(index, entry)| view! { <Meaning index=index entry=entry/> }
                    />
                </ul>
                <Show when=move || { more() > 0 }>
                    <p class="small soft">
                        {move || format!("and {} of fewer rows", format::counted(more() as u64, "label"))}
                    </p>
                </Show>
            </div>
        </Show>
    }
}

#[component]
fn Meaning(
    /// Its place.
    index: usize,
    /// The label.
    entry: Entry,
) -> impl IntoView {
    let (session, study) = (session(), study());
    let Entry { found, rows, .. } = entry;
    let id = format!("meaning-{index}");
    let names = Memo::new(move |_| {
        session
            .shelf
            .with(|shelf| shelf.chosen().draft.labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>())
    });
    let means = {
        let found = found.clone();
        Memo::new(move |_| study.labels.with(|labels| labels.meaning(&found).map(str::to_owned)))
    };
    let colour =
        move || means.with(|means| names.with(|names| names.iter().position(|name| Some(name) == means.as_ref())));
    let changed = found.clone();
    view! {
        <li data-found=found.clone()>
            <label for=id.clone()>
                <strong>{format::shortened(&found, 40)}</strong>
                " "
                <span class="soft small">{format::counted(rows as u64, "row")}</span>
            </label>
            <span class="meaning-choice">
                {move || view! { <Swatch index=colour()/> }}
                <select
                    class="select"
                    id=id
                    on:change=move |event| {
                        let value = event_target_value(&event);
                        study.set_meaning(&changed, (!value.is_empty()).then_some(value));
                    }
                >
                    <option value="" selected=move || means.with(Option::is_none)>"leave out"</option>
                    {move || {
                        names
                            .get()
                            .into_iter()
                            .map(|name| {
                                let selected = means.with(|means| means.as_ref() == Some(&name));
                                view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </span>
        </li>
    }
}
