//! A probe is trained here: what it takes, how far it is, and whether typed texts are shown to it.

use leptos::prelude::*;

use crate::components::progress::{Bar, CancelButton};
use crate::components::term::Term;
use crate::session::study::{Probing, study};
use crate::state::evaluation::runs::probe_files;
use crate::state::format;
use crate::state::notice::sentence;
use crate::state::progress::Reading;

/// The button that trains a probe on the labelled rows.
#[component]
pub fn ProbeTraining() -> impl IntoView {
    let study = study();
    let scored = Memo::new(move |_| study.scores.with(|scores| scores.done() > 0));
    let known = Memo::new(move |_| {
        study.material.with(|material| {
            let Some(material) = material else { return 0 };
            study.with_truth(|truth| (0..material.rows.len()).filter(|&row| truth.of(row, material).is_some()).count())
        })
    });
    let file = Memo::new(move |_| {
        let entry = study.index.with(|index| index.current().cloned())?;
        Some(probe_files(&entry.id, &study.current_run()?).0)
    });
    let trained = Memo::new(move |_| {
        let file = file.get()?;
        study.runs.with(|runs| runs.list().iter().find_map(|run| run.probe.clone().filter(|probe| probe.file == file)))
    });
    view! {
        <section class="stack section-line" aria-labelledby="probe-title" data-testid="probe-training">
            <h3 id="probe-title"><Term id="probe">"Probe"</Term></h3>
            <p class="small soft">
                "A small classifier on what the model has understood of each text. It is trained here in seconds, on the rows \
                 whose label is known, and judged on rows it has not seen."
            </p>
            {move || match study.probing.get() {
                Probing::Reads(texts) => {
                    let reads = format!("Reading {} once more for the probe…", format::counted(texts as u64, "text"));
                    view! {
                        <p role="status" data-testid="probe-reads">{reads} " The bar is beside this card."</p>
                        <CancelButton on_cancel=move |()| study.stop_probing()/>
                    }
                        .into_any()
                }
                Probing::Under(fraction) => {
                    let title = "Training the probe".into();
                    let reading = Reading { title, fraction: Some(fraction), detail: String::new() };
                    view! {
                        <div data-testid="probe-under">
                            <Bar reading=Signal::derive(move || reading.clone())>
                                <CancelButton on_cancel=move |()| study.stop_probing()/>
                            </Bar>
                        </div>
                    }
                        .into_any()
                }
                other => {
                    let failed = if let Probing::Failed(error) = other { Some(error) } else { None };
                    view! {
                        {failed
                            .map(|error| {
                                view! {
                                    <div class="notice" role="alert" data-testid="probe-error">
                                        <p class="notice-title">"No probe was trained"</p>
                                        <p>{sentence(&error.to_string())}</p>
                                    </div>
                                }
                            })}
                        <div class="buttons">
                            <button
                                type="button"
                                class="button"
                                id="train-probe"
                                disabled=move || !scored.get() || known.get() == 0 || study.is_running()
                                on:click=move |_| study.train_probe()
                            >
                                {move || {
                                    let rows = format::counted(known.get() as u64, "labelled row");
                                    match trained.get() {
                                        Some(_) => format!("Train it again on {rows}"),
                                        None => format!("Train a probe on {rows}"),
                                    }
                                }}
                            </button>
                        </div>
                        {move || {
                            (!scored.get())
                                .then(|| {
                                    view! {
                                        <p class="small soft">"Have the model read the rows first: a probe is trained on what it made of them."</p>
                                    }
                                })
                        }}
                    }
                        .into_any()
                }
            }}
            {move || {
                let trained = trained.get()?;
                let file = trained.file.clone();
                let in_use = {
                    let file = file.clone();
                    move || study.probe.with(|used| used.as_ref().is_some_and(|used| used.file == file))
                };
                Some(view! {
                    <p class="small" data-testid="probe-trained">
                        {format!("Trained on {}.", format::counted(trained.rows as u64, "row"))}
                    </p>
                    <label class="switch">
                        <input
                            type="checkbox"
                            id="use-probe"
                            prop:checked=in_use
                            on:change=move |event| {
                                study.use_probe(event_target_checked(&event).then(|| file.clone()));
                            }
                        />
                        <span>"Show its answer in Classify, too"</span>
                    </label>
                })
            }}
        </section>
    }
}
