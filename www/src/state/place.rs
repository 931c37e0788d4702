//! Where one is on the page, as its address says it.
//!
//! The address is the fragment (`#/help/token`): it works on every static host, without a rule that sends unknown
//! paths to the page, and back, reload and links work.

/// A place of the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// A text becomes probabilities.
    #[default]
    Classify,
    /// How fast it is on this device.
    Speed,
    /// Many labelled texts say how far the model may be believed.
    Evaluate,
    /// Texts without a label: the model decides some, a person the rest.
    Label,
    /// Two runs or more side by side.
    Compare,
    /// What this is, and the glossary; with the entry to open.
    Help(Option<String>),
}

/// The places of the navigation, in order. How fast it is is asked from the model's panel and from the help.
pub const NAVIGATION: [Place; 5] = [Place::Classify, Place::Evaluate, Place::Label, Place::Compare, Place::Help(None)];

impl Place {
    /// The place an address names; an unknown one is the first place, so that old links still land somewhere useful.
    pub fn from_hash(hash: &str) -> Self {
        let path = hash.trim_start_matches('#').trim_matches('/');
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match parts.next() {
            Some("speed") => Self::Speed,
            Some("evaluate") => Self::Evaluate,
            Some("label") => Self::Label,
            Some("compare") => Self::Compare,
            Some("help") => Self::Help(parts.next().map(str::to_owned)),
            _ => Self::Classify,
        }
    }

    /// The address that names this place.
    pub fn hash(&self) -> String {
        match self {
            Self::Classify => "#/classify".to_owned(),
            Self::Speed => "#/speed".to_owned(),
            Self::Evaluate => "#/evaluate".to_owned(),
            Self::Label => "#/label".to_owned(),
            Self::Compare => "#/compare".to_owned(),
            Self::Help(None) => "#/help".to_owned(),
            Self::Help(Some(entry)) => format!("#/help/{entry}"),
        }
    }

    /// Its name in the navigation.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classify => "Classify",
            Self::Speed => "Speed",
            Self::Evaluate => "Evaluate",
            Self::Label => "Label",
            Self::Compare => "Compare",
            Self::Help(_) => "Help",
        }
    }

    /// The window's title there.
    pub fn title(&self) -> String {
        format!("{} · Candor", self.name())
    }

    /// Whether both are the same entry of the navigation.
    pub fn is_same_page(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_places_agree() {
        for (hash, place) in [
            ("", Place::Classify),
            ("#", Place::Classify),
            ("#/classify", Place::Classify),
            ("#/classify/", Place::Classify),
            ("#/speed", Place::Speed),
            ("#/evaluate", Place::Evaluate),
            ("#/label", Place::Label),
            ("#/compare", Place::Compare),
            ("#/help", Place::Help(None)),
            ("#/help/", Place::Help(None)),
            ("#/help/token", Place::Help(Some("token".to_owned()))),
            ("#/no-such-place", Place::Classify),
            ("#main", Place::Classify),
        ] {
            assert_eq!(Place::from_hash(hash), place, "{hash}");
        }
        for place in [
            Place::Classify,
            Place::Evaluate,
            Place::Label,
            Place::Compare,
            Place::Help(None),
            Place::Help(Some("bias".to_owned())),
        ] {
            assert_eq!(Place::from_hash(&place.hash()), place);
        }
    }

    #[test]
    fn a_glossary_entry_belongs_to_help() {
        assert!(Place::Help(None).is_same_page(&Place::Help(Some("token".to_owned()))));
        assert!(!Place::Help(None).is_same_page(&Place::Classify));
    }
}
