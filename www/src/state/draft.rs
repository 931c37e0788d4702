//! Editing a task: the small operations behind the editor's buttons, and finding what is wrong with which field.
//!
//! A draft is a plain [`Task`] that may be wrong for a while; what is wrong is asked of the task itself
//! (`Task::problems`), by the path of the field, so that the editor can say it beside the field.

use candor::task::{FewShotExample, Label, Task};

/// Problems by the path of their field, as task errors write it: `labels[1].forms[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    found: Vec<(String, String)>,
}

impl Problems {
    /// Everything that is wrong with a draft.
    pub fn of(task: &Task) -> Self {
        let found = task
            .problems()
            .into_iter()
            .map(|problem| {
                let error = problem.into_error();
                let message = match &error.help {
                    Some(help) => format!("{}: {help}", error.message),
                    None => error.message.clone(),
                };
                (error.field.unwrap_or_default(), message)
            })
            .collect();
        Self { found }
    }

    /// Whether the draft can be used.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// What is wrong with exactly this field.
    pub fn at(&self, path: &str) -> Option<String> {
        self.found.iter().find(|(field, _)| field == path).map(|(_, message)| capital(message))
    }

    /// Problems of fields the editor has no place for.
    pub fn elsewhere(&self, shown: impl Fn(&str) -> bool) -> Vec<String> {
        self.found.iter().filter(|(field, _)| !shown(field)).map(|(_, message)| capital(message)).collect()
    }
}

fn capital(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Gives a label another name; the worked examples that carry the old one follow.
pub fn rename_label(task: &mut Task, index: usize, name: &str) {
    let Some(label) = task.labels.get_mut(index) else { return };
    let old = std::mem::replace(&mut label.name, name.to_owned());
    // While two labels share a name (one is being typed), nobody can tell whose example it is: it keeps the old name
    // and asks for a label, rather than changing hands silently.
    let shared = |name: &str| task.labels.iter().filter(|label| label.name == name).count();
    if shared(&old) == 0 && shared(name) == 1 {
        let followers = task.examples.iter_mut().filter(|example| example.label == old);
        followers.for_each(|example| name.clone_into(&mut example.label));
    }
}

/// Adds a label with a name of its own and that name as its spelling.
pub fn add_label(task: &mut Task) {
    let name = unused("label", |name| task.labels.iter().any(|label| label.name == name));
    let space = task.labels.first().and_then(|label| label.forms.first()).is_some_and(|form| form.starts_with(' '));
    let form = if space { format!(" {name}") } else { name.clone() };
    let value = task.labels.last().and_then(|label| label.value).map(|value| value + 1.0);
    task.labels.push(Label { name, forms: vec![form], value });
}

/// Removes a label; its worked examples stay and ask for another label, so that no text is lost.
pub fn remove_label(task: &mut Task, index: usize) {
    if index < task.labels.len() {
        task.labels.remove(index);
    }
}

/// Adds a spelling to a label. A leading space is put there where the other spellings have one.
pub fn add_form(task: &mut Task, label: usize) {
    if let Some(label) = task.labels.get_mut(label) {
        let space = label.forms.iter().any(|form| form.starts_with(' '));
        label.forms.push(if space { " ".to_owned() } else { String::new() });
    }
}

/// Removes a spelling.
pub fn remove_form(task: &mut Task, label: usize, form: usize) {
    if let Some(label) = task.labels.get_mut(label)
        && form < label.forms.len()
    {
        label.forms.remove(form);
    }
}

/// Adds a worked example, with the label that has the fewest.
pub fn add_example(task: &mut Task) {
    let count = |name: &str| task.examples.iter().filter(|example| example.label == name).count();
    let label = task.labels.iter().min_by_key(|label| count(&label.name)).map_or_else(String::new, |l| l.name.clone());
    task.examples.push(FewShotExample { text: String::new(), label });
}

/// Removes a worked example.
pub fn remove_example(task: &mut Task, index: usize) {
    if index < task.examples.len() {
        task.examples.remove(index);
    }
}

/// `base`, or `base 2`, `base 3`, … the first that is not taken.
pub fn unused(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = base.to_owned();
    let mut number = 2;
    while taken(&name) {
        name = format!("{base} {number}");
        number += 1;
    }
    name
}

/// A file name for a task: its name in lower case, with hyphens for everything that file systems dislike.
pub fn file_name(task: &Task) -> String {
    let mut stem: String = task
        .name
        .to_lowercase()
        .chars()
        .map(|character| if character.is_alphanumeric() { character } else { '-' })
        .collect();
    while stem.contains("--") {
        stem = stem.replace("--", "-");
    }
    let stem = stem.trim_matches('-');
    format!("{}.toml", if stem.is_empty() { "task" } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task::from_toml(
            "name = \"t\"\ntemplate = \"{text}:\"\nexamples = [{ text = \"a\", label = \"x\" }, { text = \"b\", label = \"y\" }]\n\
             [[labels]]\nname = \"x\"\nforms = [\" x\"]\n[[labels]]\nname = \"y\"\nforms = [\" y\"]\n",
        )
        .expect("well-formed")
    }

    #[test]
    fn examples_follow_their_label() {
        let mut task = task();
        rename_label(&mut task, 0, "xs");
        assert_eq!(task.examples[0].label, "xs");
        assert_eq!(task.examples[1].label, "y");
        rename_label(&mut task, 9, "nobody");
        assert!(Problems::of(&task).is_empty());
    }

    #[test]
    fn a_name_shared_for_a_moment_takes_no_example_away() {
        let mut task = task();
        for typed in ["", "y", "yz"] {
            rename_label(&mut task, 0, typed);
        }
        assert_eq!(task.examples[1].label, "y", "the second label keeps its own");
        assert_eq!(task.examples[0].label, "", "the first label's asks for a label");
        assert!(!Problems::of(&task).is_empty());
    }

    #[test]
    fn additions_fit_in() {
        let mut task = task();
        add_label(&mut task);
        add_label(&mut task);
        assert_eq!(task.labels[2].forms, [" label"]);
        assert_eq!(task.labels[3].name, "label 2");
        add_form(&mut task, 0);
        assert_eq!(task.labels[0].forms, [" x", " "]);
        remove_form(&mut task, 0, 1);
        remove_form(&mut task, 0, 7);
        add_example(&mut task);
        assert_eq!(task.examples[2].label, "label", "the first label without an example");
        remove_example(&mut task, 2);
        remove_label(&mut task, 3);
        remove_label(&mut task, 2);
        assert!(Problems::of(&task).is_empty());
    }

    #[test]
    fn problems_are_found_by_field() {
        let mut task = task();
        task.template = "no place".to_owned();
        task.labels[1].forms[0] = " x".to_owned();
        remove_label(&mut task, 0);
        let problems = Problems::of(&task);
        assert!(problems.at("template").is_some_and(|message| message.contains("{text}")), "{problems:?}");
        assert!(!problems.is_empty() && problems.count() >= 2, "{problems:?}");
        assert_eq!(problems.elsewhere(|_| true), Vec::<String>::new());
        assert_eq!(problems.elsewhere(|_| false).len(), problems.count());
        assert_eq!(problems.at("nowhere"), None);
    }

    #[test]
    fn file_names_are_plain() {
        let mut task = task();
        for (name, expected) in [
            ("Sentiment", "sentiment.toml"),
            ("Ja / Nein?", "ja-nein.toml"),
            ("…", "task.toml"),
            ("Größe", "größe.toml"),
        ] {
            name.clone_into(&mut task.name);
            assert_eq!(file_name(&task), expected);
        }
    }
}
