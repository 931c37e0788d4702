//! The report: one HTML file that opens from disk and needs nothing else.
//!
//! It carries no script and asks the network for nothing (a content security policy in the file forbids it), follows
//! light and dark, prints, and reads in order: headings, paragraphs, figures with captions, tables. A picture is drawn
//! twice, for wide and for narrow screens, because a picture that is merely shrunk to a phone cannot be read; only one of
//! them is shown, to eyes and to screen readers alike. The figures behind it stand in a table that unfolds, with a
//! download as CSV that is a link with the data in it.

use serde::{Deserialize, Serialize};

use super::svg::{escape, identifier};
use super::table::Table;
use super::{Chart, Options, Picture, Press, Theme, theme};

/// A number for the top of the report, already in words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Highlight {
    /// What it is, as in `Accuracy`.
    pub name: String,
    /// Its value, as in `72.2%`.
    pub value: String,
    /// Its interval, baseline or anything else to read it by, as in `69.3–75.0%, n = 1,000`.
    #[serde(default)]
    pub beside: String,
}

/// A section of the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What it says, a paragraph each.
    #[serde(default)]
    pub paragraphs: Vec<String>,
    /// What the reader must know before believing it.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Its pictures.
    #[serde(default)]
    pub figures: Vec<Chart>,
    /// Its tables, beside those of the pictures.
    #[serde(default)]
    pub tables: Vec<Table>,
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// What it is about and what came out, a paragraph each.
    #[serde(default)]
    pub paragraphs: Vec<String>,
    /// What the reader must know first.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The numbers that matter most.
    #[serde(default)]
    pub highlights: Vec<Highlight>,
    /// The sections.
    pub sections: Vec<Section>,
    /// How it was made (model, task, data, hashes, version), name and value.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// The last line.
    #[serde(default)]
    pub footer: String,
}

/// Width of a picture on a wide screen: the section's width without its padding.
const WIDE: f64 = 710.0;
/// On a narrow one.
const NARROW: f64 = 334.0;
/// Rows of a table that are shown; the CSV has them all.
const SHOWN: usize = 200;

impl Report {
    /// The report as an HTML document.
    pub fn to_html(&self) -> String {
        let mut html = String::with_capacity(64 * 1024);
        let title = escape(&self.title);
        html.push_str(&format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{}{}\n</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#content\">Skip to the content</a>\n<header>\n<h1>{title}</h1>\n",
            include_str!("report.css"),
            theme::stylesheet()
        ));
        paragraphs(&mut html, &self.paragraphs);
        html.push_str("</header>\n");
        self.contents(&mut html);
        html.push_str("<main id=\"content\">\n");
        warnings(&mut html, &self.warnings);
        self.highlights(&mut html);
        for (index, section) in self.sections.iter().enumerate() {
            section.write(&mut html, index + 1);
        }
        self.facts(&mut html);
        html.push_str("</main>\n");
        if !self.footer.is_empty() {
            html.push_str(&format!("<footer>{}</footer>\n", escape(&self.footer)));
        }
        html.push_str("</body>\n</html>\n");
        html
    }

    /// Links to the sections, where there are several.
    fn contents(&self, html: &mut String) {
        if self.sections.len() < 3 {
            return;
        }
        html.push_str("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n");
        for (index, section) in self.sections.iter().enumerate() {
            html.push_str(&format!("<li><a href=\"#s{}\">{}</a></li>\n", index + 1, escape(&section.title)));
        }
        html.push_str("</ol>\n</nav>\n");
    }

    fn highlights(&self, html: &mut String) {
        if self.highlights.is_empty() {
            return;
        }
        html.push_str("<dl class=\"highlights\">\n");
        for highlight in &self.highlights {
            html.push_str(&format!(
                "<div><dt>{}</dt><dd class=\"value\">{}</dd>",
                escape(&highlight.name),
                escape(&highlight.value)
            ));
            if !highlight.beside.is_empty() {
                html.push_str(&format!("<dd class=\"beside\">{}</dd>", escape(&highlight.beside)));
            }
            html.push_str("</div>\n");
        }
        html.push_str("</dl>\n");
    }

    fn facts(&self, html: &mut String) {
        if self.facts.is_empty() {
            return;
        }
        html.push_str(
            "<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">How this was made</h2>\n<dl class=\"facts\">\n",
        );
        for (name, value) in &self.facts {
            html.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
        }
        html.push_str("</dl>\n</section>\n");
    }
}

impl Section {
    fn write(&self, html: &mut String, number: usize) {
        let title = escape(&self.title);
        html.push_str(&format!("<section aria-labelledby=\"s{number}\">\n<h2 id=\"s{number}\">{title}</h2>\n"));
        warnings(html, &self.warnings);
        paragraphs(html, &self.paragraphs);
        for (index, chart) in self.figures.iter().enumerate() {
            figure(html, chart, &format!("s{number}f{}", index + 1));
        }
        for table in &self.tables {
            table_with_download(html, table);
        }
        html.push_str("</section>\n");
    }
}

fn paragraphs(html: &mut String, paragraphs: &[String]) {
    for paragraph in paragraphs {
        html.push_str(&format!("<p>{}</p>\n", escape(paragraph)));
    }
}

fn warnings(html: &mut String, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    html.push_str("<ul class=\"warnings\">\n");
    for warning in warnings {
        html.push_str(&format!("<li><strong>Note:</strong> {}</li>\n", escape(warning)));
    }
    html.push_str("</ul>\n");
}

/// A picture, wide and narrow, with its caption and its table.
fn figure(html: &mut String, chart: &Chart, id: &str) {
    html.push_str(&format!("<figure aria-labelledby=\"{id}\">\n<h3 id=\"{id}\">{}</h3>\n", escape(&chart.title())));
    for (class, width) in [("wide", WIDE), ("narrow", NARROW)] {
        let options = Options {
            width,
            height: None,
            id_prefix: format!("{id}-{class}"),
            theme: Theme::Auto,
            interactive: false,
            press: Press::Nothing,
            title: false,
            description: false,
            style: false,
        };
        html.push_str(&format!("<div class=\"{class}\">{}</div>\n", chart.to_svg(&options)));
    }
    html.push_str(&format!("<figcaption>{}</figcaption>\n", escape(&chart.description())));
    html.push_str("<details>\n<summary>The numbers behind it, as a table</summary>\n");
    table_with_download(html, &chart.to_table());
    html.push_str("</details>\n</figure>\n");
}

/// A table that scrolls where it is too wide, and its CSV as a link.
fn table_with_download(html: &mut String, table: &Table) {
    let name = escape(&table.caption);
    html.push_str(&format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">{}</div>\n",
        table.to_html(SHOWN)
    ));
    let mut file = identifier(&table.caption.to_lowercase());
    file.truncate(60);
    html.push_str(&format!(
        "<p class=\"download\"><a download=\"{file}.csv\" href=\"data:text/csv;charset=utf-8,{}\">Download as CSV</a></p>\n",
        percent_encoded(&table.to_csv())
    ));
}

/// Text as it may stand in a data URL: everything but unreserved characters is encoded (RFC 3986).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b',') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
