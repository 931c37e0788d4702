//! What is kept under one name, and how it travels.
//!
//! A project is a data set with everything that was made of it: what its labels mean, what a person decided, the
//! calibrator, the threshold. On the device its parts are files of their own, because some change with every key press
//! and others are large; to travel they become one file, with the task and the scores, so that nothing has to be
//! computed again on the other machine.

use candor::dataset::Example;
use candor::error::{Error, Result};
use candor::protocol::ReadReport;
use candor::task::Task;
use serde::{Deserialize, Serialize};

use super::calibration::Origin;
use super::decision::Wish;
use super::judgements::Order;
use super::labels::LabelMap;
use super::material::Material;
use crate::state::draft::unused;

/// The format of a project that travels.
pub const FORMAT: &str = "candor-project/1";
/// The file that lists the projects.
pub const INDEX: &str = "projects.json";
/// Where a list of projects goes that this version cannot read.
pub const UNREADABLE_INDEX: &str = "projects.unreadable.json";
/// Where the one data set was kept before there were projects.
pub const BEFORE_PROJECTS: &str = "data.json";

/// A project in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Stands for it in file names.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// Rows of its data.
    pub rows: usize,
}

impl Entry {
    /// The file of its data.
    pub fn data(&self) -> String {
        format!("project-{}-data.json", self.id)
    }

    /// The file of what a person decided.
    pub fn judgements(&self) -> String {
        format!("project-{}-labels.jsonl", self.id)
    }

    /// The file of what was chosen.
    pub fn choices(&self) -> String {
        format!("project-{}-choices.json", self.id)
    }

    /// The file of its runs.
    pub fn runs(&self) -> String {
        format!("project-{}-runs.json", self.id)
    }

    /// What all its files begin with; scores belong to a model and a task, and stay.
    pub fn beginning(&self) -> String {
        format!("project-{}-", self.id)
    }
}

/// The projects of this device, the one opened last first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The projects.
    pub projects: Vec<Entry>,
    /// The open one.
    pub open: Option<String>,
}

impl Index {
    /// The open project.
    pub fn current(&self) -> Option<&Entry> {
        self.projects.iter().find(|entry| Some(&entry.id) == self.open.as_ref())
    }

    /// Adds a project and opens it; its name gets a number where there is one like it. The id must be one that no other
    /// tab can choose too: its list may be newer than this one.
    pub fn add(&mut self, id: String, name: &str, rows: usize) -> Entry {
        let name = unused(name.trim(), |name| self.projects.iter().any(|entry| entry.name == name));
        let entry = Entry { id, name, rows };
        self.projects.insert(0, entry.clone());
        self.open = Some(entry.id.clone());
        entry
    }

    /// Opens a project; it becomes the first of the list.
    pub fn choose(&mut self, id: &str) -> Option<Entry> {
        let place = self.projects.iter().position(|entry| entry.id == id)?;
        let entry = self.projects.remove(place);
        self.projects.insert(0, entry.clone());
        self.open = Some(entry.id.clone());
        Some(entry)
    }

    /// Gives a project another name; an empty one changes nothing.
    pub fn rename(&mut self, id: &str, name: &str) {
        let name = name.trim();
        if name.is_empty() {
            return;
        }
        let name = unused(name, |name| self.projects.iter().any(|entry| entry.name == name && entry.id != id));
        if let Some(entry) = self.projects.iter_mut().find(|entry| entry.id == id) {
            entry.name = name;
        }
    }

    /// The open project has another number of rows.
    pub fn resize(&mut self, rows: usize) {
        let open = self.open.clone();
        if let Some(entry) = self.projects.iter_mut().find(|entry| Some(&entry.id) == open.as_ref()) {
            entry.rows = rows;
        }
    }

    /// Takes a project off the list; answers with what was there.
    pub fn remove(&mut self, id: &str) -> Option<Entry> {
        let removed = self.projects.iter().find(|entry| entry.id == id).cloned();
        self.projects.retain(|entry| entry.id != id);
        if self.open.as_deref() == Some(id) {
            self.open = None;
        }
        removed
    }

    /// This tab's list with what another tab has kept since both were `base`: what either added, renamed or removed
    /// holds. Which project is open is each tab's own.
    #[must_use]
    pub fn joined(&self, base: &Self, kept: &Self) -> Self {
        let mine = self.projects.iter().filter_map(|entry| match (base.entry(&entry.id), kept.entry(&entry.id)) {
            (Some(_), None) => None,
            (Some(before), Some(theirs)) if before == entry => Some(theirs.clone()),
            _ => Some(entry.clone()),
        });
        let is_new = |entry: &&Entry| self.entry(&entry.id).is_none() && base.entry(&entry.id).is_none();
        let theirs = kept.projects.iter().filter(is_new).cloned();
        Self { projects: mine.chain(theirs).collect(), open: self.open.clone() }
    }

    fn entry(&self, id: &str) -> Option<&Entry> {
        self.projects.iter().find(|entry| entry.id == id)
    }
}

/// A data set as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What it is called.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Example>,
    /// What the reader said of it.
    pub report: ReadReport,
    /// What its labels mean.
    pub labels: LabelMap,
}

impl Data {
    /// What is kept of a data set.
    pub fn new(material: &Material, labels: &LabelMap) -> Self {
        let Material { name, rows, report, .. } = material.clone();
        Self { name, rows, report, labels: labels.clone() }
    }

    /// The data set and what its labels mean.
    pub fn into_parts(self) -> (Material, LabelMap) {
        (Material::new(self.name, self.rows, self.report), self.labels)
    }

    /// Reads what was kept, also before there were projects.
    pub fn read(text: &str) -> Option<Self> {
        /// The form before there were projects.
        #[derive(Deserialize)]
        struct Before {
            material: Inner,
            labels: LabelMap,
        }
        #[derive(Deserialize)]
        struct Inner {
            name: String,
            rows: Vec<Example>,
            report: ReadReport,
        }
        let before = || {
            let Before { material: Inner { name, rows, report }, labels } = serde_json::from_str(text).ok()?;
            Some(Self { name, rows, report, labels })
        };
        serde_json::from_str(text).ok().or_else(before)
    }
}

/// What was chosen in a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// The threshold from which on the model decides.
    pub threshold: f64,
    /// What is wanted, and what it costs.
    pub wish: Wish,
    /// In which order texts are shown to the person.
    pub order: Order,
    /// `calibrator.json`, with where it came from.
    pub calibrator: Option<(String, Origin)>,
    /// The model that scored last.
    pub model_sha256: Option<String>,
    /// The adapter beside it, if any.
    pub adapter_sha256: Option<String>,
    /// The file of the probe that typed texts are shown to, if any.
    pub probe: Option<String>,
    /// The task that was chosen last; nothing in what was kept before projects remembered it.
    pub task: Option<Task>,
}

/// Where the threshold stands at first.
pub const USUAL_THRESHOLD: f64 = 0.8;

impl Default for Choices {
    fn default() -> Self {
        Self {
            threshold: USUAL_THRESHOLD,
            wish: Wish::default(),
            order: Order::default(),
            calibrator: None,
            model_sha256: None,
            adapter_sha256: None,
            probe: None,
            task: None,
        }
    }
}

/// A project in one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Portable {
    /// [`FORMAT`].
    pub format: String,
    /// Its name.
    pub name: String,
    /// The task that its texts were scored with.
    pub task: Option<Task>,
    /// The data set.
    pub data: Data,
    /// What a person decided, a line each.
    pub judgements: String,
    /// What was chosen.
    pub choices: Choices,
    /// What the model said of its texts, a line each.
    pub scores: String,
}

impl Portable {
    /// The file before and after its scores: these are written between as [`Self::more_scores`] gives them, because all at
    /// once they would take longer than a frame.
    pub fn around_scores(&self) -> Option<(String, &'static str)> {
        const END: &str = "\"}";
        let whole = serde_json::to_string(&Self { scores: String::new(), ..self.clone() }).ok()?;
        Some((whole.strip_suffix(END)?.to_owned(), END))
    }

    /// Lines of scores as they stand in the file.
    pub fn more_scores(lines: &str) -> String {
        let quoted = serde_json::to_string(lines).unwrap_or_default();
        quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
    }

    /// Reads a file that may come from anywhere.
    ///
    /// # Errors
    /// Not JSON, no project, another version, a field missing or of another type (with line and column).
    pub fn read(name: &str, text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
        }
        let again = "choose a file that \"Take this project home\" made";
        let at = |error: serde_json::Error| {
            let mut wrapped = Error::format(format!("this is no project: {error}")).at_file(name).help(again);
            if error.line() > 0 {
                wrapped = wrapped.at_line(error.line() as u64).at_column(error.column() as u64);
            }
            wrapped
        };
        let whole = serde_json::from_str::<Self>(text);
        let portable = match whole {
            Ok(portable) if portable.format == FORMAT => portable,
            other => {
                let head: Head = serde_json::from_str(text).map_err(at)?;
                return Err(match head.format {
                    Some(format) if format.starts_with("candor-project/") && format != FORMAT => {
                        Error::unsupported(format!("the project's format is \"{format}\""))
                            .at_file(name)
                            .help(format!("this version reads \"{FORMAT}\": reload the page to get the newest one"))
                    }
                    Some(format) if format == FORMAT => other.map_or_else(at, |_| Error::internal("read after all")),
                    _ => Error::format("this is JSON, but no project").at_file(name).help(again),
                });
            }
        };
        if portable.data.rows.is_empty() {
            return Err(Error::input("the project has no rows").at_file(name).help(again));
        }
        Ok(portable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::material::tests::material;
    use super::*;

    #[test]
    fn projects_have_names_and_files_of_their_own() {
        let mut index = Index::default();
        let first = index.add("a1".to_owned(), "reviews.csv", 3);
        let second = index.add("a12".to_owned(), "reviews.csv", 5);
        assert_eq!((first.name.as_str(), second.name.as_str()), ("reviews.csv", "reviews.csv 2"));
        assert_ne!(first.data(), second.data());
        assert_eq!(index.current(), Some(&second));
        index.rename(&first.id, " Spring ");
        index.rename(&second.id, "Spring");
        index.rename(&second.id, "   ");
        let names: Vec<&str> = index.projects.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["Spring 2", "Spring"]);
        assert_eq!(index.choose(&first.id).map(|entry| entry.name), Some("Spring".to_owned()));
        assert_eq!(index.projects[0].id, first.id, "the one opened last is first");
        assert_eq!(index.choose("99"), None);
        let text = serde_json::to_string(&index).expect("json");
        assert_eq!(serde_json::from_str::<Index>(&text).expect("read"), index);
        assert_eq!(index.remove(&first.id).map(|entry| entry.beginning()), Some(first.beginning()));
        for file in [first.data(), first.judgements(), first.choices(), first.runs()] {
            assert!(file.starts_with(&first.beginning()) && !file.starts_with(&second.beginning()), "{file}");
        }
        assert_eq!((index.current(), index.projects.len()), (None, 1));
    }

    #[test]
    fn two_tabs_do_not_lose_each_others_projects() {
        let mut base = Index::default();
        for name in ["kept", "renamed here", "renamed there", "removed here", "removed there"] {
            base.add(name.to_owned(), name, 1);
        }
        let (mut here, mut there) = (base.clone(), base.clone());
        here.rename("renamed here", "here");
        here.remove("removed here");
        here.add("new here".to_owned(), "new", 1);
        there.rename("renamed there", "there");
        there.remove("removed there");
        there.add("new there".to_owned(), "new", 1);
        let joined = here.joined(&base, &there);
        let mut names: Vec<(&str, &str)> = joined.projects.iter().map(|e| (e.id.as_str(), e.name.as_str())).collect();
        names.sort_unstable();
        let expected = [
            ("kept", "kept"),
            ("new here", "new"),
            ("new there", "new"),
            ("renamed here", "here"),
            ("renamed there", "there"),
        ];
        assert_eq!(names, expected);
        assert_eq!(joined.open.as_deref(), Some("new here"), "each tab has its own project open");
        assert_eq!(Index::default().joined(&Index::default(), &there), Index { open: None, ..there.clone() });
    }

    #[test]
    fn choices_of_before_projects_remembered_their_task_can_be_read() {
        let choices: Choices = serde_json::from_str("{\"threshold\": 0.9, \"order\": \"random\"}").expect("choices");
        assert_eq!(choices, Choices { threshold: 0.9, ..Choices::default() });
    }

    fn portable() -> Portable {
        let (material, labels) = material(&[("a", "pos"), ("<b>", "")]);
        Portable {
            format: FORMAT.to_owned(),
            name: "Spring".to_owned(),
            task: None,
            data: Data::new(&material, &labels),
            judgements: String::new(),
            choices: Choices { threshold: 0.9, ..Choices::default() },
            scores: String::new(),
        }
    }

    #[test]
    fn a_project_travels_whole() {
        let before = portable();
        let text = serde_json::to_string(&before).expect("json");
        let after = Portable::read("p.json", &text).expect("a project");
        assert_eq!(after, before);
        let lines = ["{\"text\": \"é\"}\n", "\\\n"];
        let (begin, end) = before.around_scores().expect("json");
        let text = begin + &lines.map(Portable::more_scores).concat() + end;
        let written = Portable::read("p.json", &text).expect("a project");
        assert_eq!(written, Portable { scores: lines.concat(), ..before });
        let (material, labels) = after.data.into_parts();
        assert_eq!((material.different_texts(), labels.counted(), material.has_label(1)), (2, 1, false));
    }

    #[test]
    fn what_is_no_project_is_refused_with_the_reason() {
        let good = serde_json::to_string(&portable()).expect("json");
        for (text, says) in [
            ("", "no project"),
            ("{\"format\": 3}", "no project"),
            ("{}", "but no project"),
            ("{\"format\": \"candor-calibrator/1\"}", "but no project"),
            (&good.replace("project/1", "project/9"), "candor-project/9"),
            (&good.replace("\"threshold\":0.9", "\"threshold\":\"x\""), "line 1"),
            (&good[..good.len() / 2], "no project"),
        ] {
            let error = Portable::read("p.json", text).expect_err("refused").to_string();
            assert!(error.contains(says) && error.contains("p.json"), "{says:?} not in {error:?}");
        }
    }

    #[test]
    fn data_that_was_kept_before_there_were_projects_is_read() {
        let (material, labels) = material(&[("a", "pos"), ("b", "")]);
        #[derive(Serialize)]
        struct Before<'a> {
            version: u32,
            material: &'a Material,
            labels: &'a LabelMap,
        }
        let text = serde_json::to_string(&Before { version: 1, material: &material, labels: &labels }).expect("json");
        assert_eq!(Data::read(&text).map(Data::into_parts), Some((material, labels)));
        assert_eq!(Data::read("{"), None);
    }
}
