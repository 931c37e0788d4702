//! Line icons, 24 × 24, drawn for this page. They stand beside words or in a button with a name: never read out.

use leptos::prelude::*;

/// An icon's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text with a mark: classify.
    Classify,
    /// Bars under a line: evaluate.
    Evaluate,
    /// A tag with its hole: label.
    Label,
    /// A pair of scales: compare.
    Compare,
    /// A question mark in a circle: help.
    Help,
    /// A closed lock: nothing leaves.
    Lock,
    /// A sun.
    Light,
    /// A moon.
    Dark,
    /// Half and half: as the system has it.
    System,
    /// A cross: close, remove.
    Cross,
    /// A plus: add.
    Plus,
    /// A chip: the device.
    Device,
    /// An arrow down into a tray: download.
    Download,
    /// A pencil: edit.
    Edit,
}

impl Shape {
    fn path(self) -> &'static str {
        match self {
            Self::Classify => "M4 5h16 M4 10h10 M4 15h6 M13.5 17.5l2.5 2.5 5-6",
            Self::Evaluate => "M4 20.5h16 M6.5 17v-4 M12 17V9 M17.5 17v-6 M4.5 8.5l6-4 4 2.5 5-4",
            Self::Label => "M4 4.5h7.5l8.5 8.5-7 7L4.5 11.5z M8.2 8.4v.1",
            Self::Compare => {
                "M12 4v16 M8 20h8 M5 7l7-1.5L19 7 M2.5 14L5 7l2.5 7a2.5 2 0 0 1-5 0 M16.5 14L19 7l2.5 7a2.5 2 0 0 1-5 0"
            }
            Self::Help => "M12 3a9 9 0 1 0 .01 0 M9.3 9.4a2.8 2.8 0 1 1 4 2.6c-.9.4-1.3 1-1.3 2 M12 17.2v.1",
            Self::Lock => "M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 7 0v3",
            Self::Light => {
                "M12 8a4 4 0 1 0 .01 0 M12 2.5v2 M12 19.5v2 M2.5 12h2 M19.5 12h2 M5.3 5.3l1.4 1.4 M17.3 17.3l1.4 1.4 \
                 M18.7 5.3l-1.4 1.4 M6.7 17.3l-1.4 1.4"
            }
            Self::Dark => "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
            Self::System => "M12 3.5a8.5 8.5 0 1 0 .01 0 M12 3.5v17 M12 8h4.5 M12 12h5.5 M12 16h4.5",
            Self::Cross => "M6 6l12 12 M18 6L6 18",
            Self::Plus => "M12 5v14 M5 12h14",
            Self::Device => {
                "M7 7h10v10H7z M10 3.5V7 M14 3.5V7 M10 17v3.5 M14 17v3.5 M3.5 10H7 M3.5 14H7 M17 10h3.5 M17 14h3.5"
            }
            Self::Download => "M12 4v11 M7.5 11l4.5 4.5 4.5-4.5 M4.5 19.5h15",
            Self::Edit => "M4 20l1-4.5L16.5 4 20 7.5 8.5 19z M14 6.5l3.5 3.5",
        }
    }
}

/// An icon.
#[component]
pub fn Icon(
    /// Which.
    shape: Shape,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=shape.path()></path>
        </svg>
    }
}

/// The product's mark: a disc, half of it filled.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <circle class="brand-ring" cx="12" cy="12" r="9.5"></circle>
            <path class="brand-half" d="M12 2.5a9.5 9.5 0 0 1 0 19z"></path>
        </svg>
    }
}
