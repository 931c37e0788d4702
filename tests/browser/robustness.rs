//! What people do to a page: wrong files, strange texts, a second tab.

use super::page::Page;
use super::visit::with_page;
use fantoccini::Locator;

#[test]
fn an_unsupported_file_gets_a_plain_message_and_a_way_on() {
    with_page("an_unsupported_file_gets_a_plain_message_and_a_way_on", async |visit| {
        let page = &visit.page;
        let file = |name: &str, content: &[u8]| {
            let path = visit.folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            path.to_string_lossy().into_owned()
        };
        page.click("#other-model").await;
        let wrong = choose(page, &file("picture.png", b"\x89PNG\r\n\x1a\n"), "[data-testid=model-file-wrong]").await;
        assert!(wrong.contains("picture.png") && wrong.contains(".gguf"), "{wrong}");

        for (name, content) in [
            ("not-a-model.gguf", &b"This is a letter to my aunt, not a model."[..]),
            ("empty.gguf", b""),
            ("cut.gguf", b"GGUF\x03\0\0\0"),
        ] {
            let message = choose(page, &file(name, content), "[data-testid=load-error]").await;
            println!("{name}: {}", message.replace('\n', " · "));
            assert!(message.len() > 20, "{name}: {message}");
            // The way on: a dialog to choose another model from.
            page.click("[data-testid=load-error] [data-testid=way-on]").await;
            page.click("dialog[open] [data-testid=close-dialog]").await;
        }
        // Nothing is broken: the default model still loads.
        page.load_model().await;
        page.classify("I love this movie!").await;
    });
}

/// Picks a file in the offer's own field, and waits for what is said about it; what was said before does not count.
async fn choose(page: &Page, path: &str, answer: &str) -> String {
    let mark = "document.querySelectorAll(arguments[0]).forEach(old => old.innerText && (old.dataset.seen = ''));";
    page.script(mark, answer).await;
    let field = page.client.find(Locator::Css("#model-offer [data-testid=model-file]")).await.expect("a file field");
    field.send_keys(path).await.expect("the file is chosen");
    page.text_of(&format!("{answer}:not([data-seen])")).await
}

#[test]
fn strange_texts_do_not_break_it() {
    with_page("strange_texts_do_not_break_it", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        let usual = page.classify("I love this movie!").await;

        page.enter("").await;
        let empty = page.text_of("[data-testid=empty-text]").await;
        assert!(!empty.is_empty());

        page.enter(&"😀".repeat(10_000)).await;
        page.settle().await;
        let cut = page.text_of("[data-testid=truncated]").await;
        assert!(cut.contains("10,000") || cut.contains("10000"), "it says where the text was cut: {cut}");

        page.enter("   \n\t ").await;
        page.text_of("[data-testid=empty-text]").await;
        for text in ["\u{0}\u{1}\u{202e}\u{feff}", "<script>document.title = 'broken'</script>", "a"] {
            let answer = page.classify(text).await;
            assert!(answer.probabilities.values().all(|value| (0.0..=1.0).contains(value)), "{text:?}: {answer:?}");
        }
        assert_ne!(page.client.title().await.expect("a title"), "broken");
        assert_eq!(page.classify("I love this movie!").await, usual, "the same text, the same answer, after all that");
    });
}

#[test]
fn a_new_text_replaces_the_question_under_way() {
    with_page("a_new_text_replaces_the_question_under_way", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        let usual = page.classify("I love this movie!").await;
        page.enter(&"A long text that takes the engine a while. ".repeat(150)).await;
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        assert_eq!(page.classify("I love this movie!").await, usual);
        // The stale answer does not come after all.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(page.answer().await, usual);
    });
}

#[test]
fn a_stopped_reading_leaves_no_older_answer_beside_the_text() {
    with_page("a_stopped_reading_leaves_no_older_answer_beside_the_text", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        page.classify("I love this movie!").await;
        page.enter(&"A long text that takes the engine a while. ".repeat(400)).await;
        page.click("#result [data-testid=cancel]").await;
        let notice = page.text_of("[data-testid=classify-error]").await;
        assert!(notice.contains("Stopped"), "{notice}");
        let answers = page.script("return document.querySelectorAll('#decision').length;", "").await;
        assert_eq!(answers, 0, "the answer was to another text");
        page.classify("It works.").await;
    });
}

#[test]
fn the_keyboard_keeps_its_place_when_a_button_goes() {
    with_page("the_keyboard_keeps_its_place_when_a_button_goes", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        page.settle().await;
        let place = page.script("return document.activeElement.id;", "").await;
        assert_eq!(
            place, "result",
            "the button that loads the model is gone; the card that took its place has the focus"
        );
    });
}

#[test]
fn two_tabs_work_side_by_side() {
    with_page("two_tabs_work_side_by_side", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        let first = page.classify("I love this movie!").await;
        let tab = page.client.window().await.expect("the first tab");

        let second = page.client.new_window(true).await.expect("a second tab");
        page.client.switch_to_window(second.handle).await.expect("it is there");
        page.client.goto(&page.url).await.expect("the page opens again");
        page.wait_for_model().await;
        assert_eq!(page.classify("I love this movie!").await, first, "the second tab");

        page.client.switch_to_window(tab).await.expect("the first is still there");
        assert_eq!(page.classify("It works.").await.probabilities.len(), first.probabilities.len());
        assert_eq!(page.classify("I love this movie!").await, first, "the first tab");
    });
}
