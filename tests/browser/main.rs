//! The status page in a browser: Chromium opens what `psasync serve` serves after two nights with some trouble.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes has failed")]

mod chromium;
mod nights;

use chromium::{Chromium, Screen, Shown, keep, size};
use nights::{NAME, Nights, PSA_ID};

const WIDE: Screen = Screen { width: 1280, is_dark: false };
const NARROW: Screen = Screen { width: 390, is_dark: false };
const DARK: Screen = Screen { width: 1280, is_dark: true };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_page_tells_a_person_what_to_do_and_can_change_nothing() {
    let nights = Nights::start().await;
    let serving = nights.serve();
    let mut chromium = Chromium::start();
    for (name, screen) in [("wide", WIDE), ("narrow", NARROW), ("dark", DARK)] {
        let page = chromium.open(&format!("{serving}/"), screen);
        keep(&format!("status-{name}.png"), &page.picture);
        assert_harmless(&page, name);
        assert_fits(&page, screen, name);
        assert_tells(&page.text);
    }
    for (name, screen) in [("wide", WIDE), ("narrow", NARROW)] {
        let page = chromium.open(&format!("{serving}/records"), screen);
        keep(&format!("records-{name}.png"), &page.picture);
        assert_harmless(&page, name);
        assert_fits(&page, screen, name);
        assert!(page.text.contains("ALDERBROOK") && page.text.contains(PSA_ID), "{}", page.text);
    }
    nights.denied();
    let page = chromium.open(&format!("{serving}/"), WIDE);
    keep("status-denied.png", &page.picture);
    assert_harmless(&page, "denied");
    for part in
        ["A service refused the credentials in the last night", "Umbrella refused the API key", "EASTWICKJ"]
    {
        assert!(page.text.contains(part), "`{part}` is not on the page:\n{}", page.text);
    }
    // Nothing of the profile, no look for updates: only what the page names.
    let page = chromium.open(&format!("{serving}/"), WIDE);
    assert!(page.requested.iter().all(|address| address.starts_with(&serving)), "{:?}", page.requested);
    assert!(page.requested.iter().any(|address| address.ends_with("/style.css")), "{:?}", page.requested);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browser_would_have_complained() {
    let nights = Nights::start_without_a_run().await;
    let serving = nights.serve();
    let mut chromium = Chromium::start();
    let blocked = chromium.execute(
        &format!("{serving}/"),
        "document.body.append(Object.assign(document.createElement('img'), \
        { src: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' }))",
    );
    assert!(blocked.iter().any(|complaint| complaint.contains("Content Security Policy")), "{blocked:?}");
}

/// Nothing that could run or send anything, and nothing that the browser refused.
fn assert_harmless(page: &Shown, name: &str) {
    for tag in ["<script", "<form", "<button", "<input", "<iframe", " onclick", " style="] {
        assert!(!page.dom.contains(tag), "{name}: {tag}");
    }
    assert!(page.complaints.is_empty(), "{name}: {:?}", page.complaints);
}

/// As wide as the screen and not wider, and not blank.
fn assert_fits(page: &Shown, screen: Screen, name: &str) {
    assert_eq!(page.content_width, u64::from(screen.width), "{name}: the page is wider than the screen");
    let (width, height) = size(&page.picture);
    assert!(width == screen.width && height > 900, "{name}: {width} x {height}");
    // A picture of one colour takes some bytes a line.
    assert!(page.picture.len() > 20 * height as usize, "{name}: {} bytes, as if blank", page.picture.len());
}

fn assert_tells(text: &str) {
    let told = [
        "4 companies need a person",
        // Companies, reasons, remedies.
        "EASTWICKJ",
        "company-not-found",
        "correct the psa_id in the mapping, or create the company in ConnectWise",
        "QUILLON",
        "value-fell-to-zero",
        "FERNHOLLOW",
        "company-mapped-twice",
        // Organizations without a company, as they were typed.
        "unmapped",
        "Dunmarsh Veterinary Clinic",
        NAME,
        // Records and runs.
        "Age of the records",
        PSA_ID,
        "never",
        "Last runs",
        "degraded",
    ];
    for part in told {
        assert!(text.contains(part), "`{part}` is not on the page:\n{text}");
    }
}
