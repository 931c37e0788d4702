//! After the first visit the page needs no network.

use super::chrome;
use super::visit::with_page;

#[test]
fn a_reload_works_with_the_network_off() {
    with_page("a_reload_works_with_the_network_off", async |mut visit| {
        let page = visit.page.clone();
        page.load_model().await;
        let before = page.classify("I love this movie!").await;
        page.wait_until("a service worker in charge", "navigator.serviceWorker?.controller").await;

        visit.unplug();
        chrome::set_offline(&page.client, true).await;
        page.client.refresh().await.expect("the shell comes from the service worker");
        page.wait_for_model().await;
        let after = page.classify("I love this movie!").await;
        assert_eq!(before, after, "the same model, from this device's own storage");
    });
}
