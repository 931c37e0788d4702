//! A picture of `candor::chart` that answers: what is pointed at, or reached with the arrow keys, says its numbers; what
//! can be pressed is told to who shows it.
//!
//! It is drawn at the width it has on the screen, so its text keeps its size on a phone. The tabulator key stops at it
//! once: its marks may be a hundred.

use candor::chart::{Options, Press, Theme};
use js_sys::{Array, Function, Reflect};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::state::evaluation::view::Mark;

/// A picture in the page.
#[component]
pub fn PictureFrame(
    /// Draws it.
    draw: Callback<Options, String>,
    /// Its id in the page.
    id: String,
    /// What its marks can be pressed for.
    press: Press,
    /// Takes the mark that was pressed.
    #[prop(into)]
    on_press: Option<Callback<Mark>>,
    /// Its id for tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = RwSignal::new(None::<f64>);
    follow_width(frame, width);
    let svg = Memo::new(move |_| Some(draw.run(in_page(width.get()?, id.clone(), press))));
    let said = RwSignal::new(None::<String>);
    let pressed_last = StoredValue::new(None::<Mark>);
    // Another threshold draws the picture anew, and with it the mark that had the focus.
    Effect::new(move |_| {
        svg.track();
        if let Some(mark) = pressed_last.try_update_value(Option::take).flatten() {
            request_animation_frame(move || {
                if nothing_has_the_focus() {
                    focus_again(frame, &mark);
                }
            });
        }
    });
    let say = move |event: &web_sys::Event| {
        said.set(element_of(event).and_then(|mark| mark.get_attribute("aria-label")));
    };
    let pressed = move |event: &web_sys::Event| {
        let mark = element_of(event).map(|element| mark_of(&element)).filter(|mark| press.takes(mark.kind()));
        if let (Some(on_press), Some(mark)) = (on_press, mark) {
            event.prevent_default();
            if press == Press::Threshold {
                pressed_last.set_value(Some(mark.clone()));
            }
            on_press.run(mark);
        }
    };
    let contains = move |words: &'static str| svg.with(|svg| svg.as_ref().is_some_and(|svg| svg.contains(words)));
    let hint = move || match (press, contains("role=\"button\"")) {
        (Press::Rows, true) => "Point at a mark, or use the arrow keys, for its numbers; press it to list its rows.",
        (Press::Threshold, true) => {
            "Point at a place, or use the arrow keys, for its numbers; press it to put the threshold there."
        }
        _ => "Point at a mark, or use the arrow keys, for its numbers.",
    };
    view! {
        <div
            class="figure-frame"
            data-testid=(!testid.is_empty()).then_some(testid)
            node_ref=frame
            inner_html=move || svg.get().unwrap_or_default()
            on:mouseover=move |event| say(&event)
            on:focusin=move |event| say(&event)
            on:mouseleave=move |_| said.set(None)
            on:click=move |event| pressed(&event)
            on:keydown=move |event| match event.key().as_str() {
                "Enter" | " " => pressed(&event),
                "ArrowRight" | "ArrowDown" => go(frame, &event, Step::By(1)),
                "ArrowLeft" | "ArrowUp" => go(frame, &event, Step::By(-1)),
                "Home" => go(frame, &event, Step::First),
                "End" => go(frame, &event, Step::Last),
                _ => {}
            }
        ></div>
        // Screen readers are told by the mark itself.
        <p class="figure-said small" aria-hidden="true" hidden=move || !contains("data-mark")>
            {move || said.get().unwrap_or_else(|| hint().to_owned())}
        </p>
    }
}

/// How a picture is drawn in the page: title and description stand beside it.
fn in_page(width: f64, id_prefix: String, press: Press) -> Options {
    Options {
        width,
        height: None,
        id_prefix,
        theme: Theme::Auto,
        interactive: true,
        press,
        title: false,
        description: false,
        style: false,
    }
}

/// Keeps `width` at the frame's width, also when it is shown after having been hidden.
fn follow_width(frame: NodeRef<html::Div>, width: RwSignal<Option<f64>>) {
    let observers = StoredValue::new_local(Vec::new());
    Effect::new(move |_| {
        let Some(element) = frame.get() else { return };
        let measured = element.clone();
        let on_change = Closure::<dyn FnMut()>::new(move || {
            let now = f64::from(measured.client_width());
            if now > 0.0 && width.get_untracked() != Some(now) {
                width.set(Some(now));
            }
        });
        if let Ok(observer) = web_sys::ResizeObserver::new(on_change.as_ref().unchecked_ref()) {
            observer.observe(&element);
            observers.update_value(|observers| observers.push((observer, on_change)));
        }
    });
    on_cleanup(move || {
        observers.update_value(|observers| observers.iter().for_each(|(observer, _)| observer.disconnect()));
    });
}

/// The mark that an event is about.
fn element_of(event: &web_sys::Event) -> Option<web_sys::Element> {
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    target.closest("[data-mark]").ok()?
}

/// What a mark carries.
fn mark_of(element: &web_sys::Element) -> Mark {
    let names = element.get_attribute_names();
    let data = names.iter().filter_map(|name| {
        let name = name.as_string()?;
        Some((name.strip_prefix("data-")?.to_owned(), element.get_attribute(&name)?))
    });
    Mark::new(data)
}

/// The marks of a frame, in the order of what they stand for; how they lie over each other is another.
fn marks_in(frame: NodeRef<html::Div>) -> Vec<(web_sys::Element, Mark)> {
    let mut marks: Vec<_> = frame.get_untracked().map(|frame| elements_in(&frame)).unwrap_or_default();
    marks.sort_by_key(|(_, mark)| mark.order());
    marks
}

fn elements_in(frame: &web_sys::Element) -> Vec<(web_sys::Element, Mark)> {
    let find = Reflect::get(frame, &"querySelectorAll".into()).ok().and_then(|find| find.dyn_into::<Function>().ok());
    let found = find.and_then(|find| find.call1(frame, &"[data-mark]".into()).ok());
    let elements = found.map(|list| Array::from(&list)).unwrap_or_default();
    let elements = elements.iter().filter_map(|element| element.dyn_into::<web_sys::Element>().ok());
    elements.map(|element| (element.clone(), mark_of(&element))).collect()
}

/// Where an arrow key leads.
#[derive(Clone, Copy)]
enum Step {
    First,
    Last,
    By(isize),
}

/// Puts the focus on another mark, and has the tabulator key come back to it.
fn go(frame: NodeRef<html::Div>, event: &web_sys::KeyboardEvent, step: Step) {
    let Some(from) = element_of(event) else { return };
    let marks = marks_in(frame);
    let Some(here) = marks.iter().position(|(element, _)| *element == from) else { return };
    let last = marks.len() - 1;
    let to = match step {
        Step::First => 0,
        Step::Last => last,
        Step::By(steps) => here.saturating_add_signed(steps).min(last),
    };
    event.prevent_default();
    let _ = from.set_attribute("tabindex", "-1");
    focus(&marks[to].0);
}

fn focus(mark: &web_sys::Element) {
    let _ = mark.set_attribute("tabindex", "0");
    // A drawn element can be focused as any other; the bindings know that of elements of HTML only.
    let _ = mark.unchecked_ref::<web_sys::HtmlElement>().focus();
}

fn focus_again(frame: NodeRef<html::Div>, mark: &Mark) {
    let marks = marks_in(frame);
    let reached = marks.iter().filter(|(element, _)| element.get_attribute("tabindex").as_deref() == Some("0"));
    reached.for_each(|(element, _)| {
        let _ = element.set_attribute("tabindex", "-1");
    });
    if let Some((element, _)) = marks.iter().find(|(_, other)| other.order() == mark.order()) {
        focus(element);
    }
}

fn nothing_has_the_focus() -> bool {
    let active = document().active_element();
    active.is_none_or(|element| element.tag_name().eq_ignore_ascii_case("body"))
}
