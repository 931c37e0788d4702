//! How many workers long jobs are done with.

use leptos::prelude::*;

use crate::pool::capacity::Bound;
use crate::session::session;
use crate::state::format;

/// A choice of the number of workers, with what each takes and what bounds it.
#[component]
pub fn WorkersField(
    /// The field's id: this stands in several places.
    id: &'static str,
) -> impl IntoView {
    let session = session();
    move || {
        let workers = session.workers.get()?;
        let capacity = workers.capacity;
        let each = format::bytes(capacity.worker_bytes);
        let bound = match capacity.bound {
            Bound::Processors => format!(
                "Each is a copy of the engine on a processor of its own and takes about {each} of memory. This device has {}.",
                format::counted(capacity.most as u64, "processor")
            ),
            Bound::Memory => format!(
                "Each takes about {each} of memory, and this device has room for {}.",
                format::count(capacity.most as u64)
            ),
            Bound::Graphics => {
                "This device's graphics does the computing; more workers would only share it.".to_owned()
            }
            Bound::NotKept => format!(
                "The model could not be kept on this device, so only the worker that fetched it can read it. It takes \
                 about {each} of memory."
            ),
        };
        let choices = (1..=capacity.most)
            .map(|count| {
                let words = if count == capacity.usual { format!("{count} (usual)") } else { count.to_string() };
                view! {
                    <option value=count.to_string() selected=count == workers.chosen>
                        {words}
                    </option>
                }
            })
            .collect_view();
        Some(view! {
            <div class="field">
                <label for=id>"Workers for long jobs"</label>
                <select
                    class="select"
                    id=id
                    disabled=capacity.most == 1
                    on:change=move |event| {
                        if let Ok(count) = event_target_value(&event).parse() {
                            session.set_workers(count);
                        }
                    }
                >
                    {choices}
                </select>
                <p class="hint">{bound}</p>
            </div>
        })
    }
}
