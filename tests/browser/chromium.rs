//! A headless Chromium with nothing but a new profile, led over a pipe by its DevTools protocol.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How a screen is: width in CSS pixels, and whether it is dark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) is_dark: bool,
}

/// What a page came to.
pub(crate) struct Shown {
    /// The document as the browser understood it.
    pub(crate) dom: String,
    /// What is to be read on it.
    pub(crate) text: String,
    /// How wide its content is, in CSS pixels.
    pub(crate) content_width: u64,
    /// All of it, as PNG.
    pub(crate) picture: Vec<u8>,
    /// What the browser complained about: refused by the content security policy, not found, thrown.
    pub(crate) complaints: Vec<String>,
    /// Everything that it asked for.
    pub(crate) requested: Vec<String>,
}

/// A browser with one page.
pub(crate) struct Chromium {
    process: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    calls: u64,
    events: VecDeque<Value>,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        // The pipes are the descriptors 3 and 4, which a shell hands over.
        let process = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<\"$PIPE_TO\" 4>\"$PIPE_FROM\"", "chromium"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--disable-dev-shm-usage", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("about:blank")
            .env("PIPE_TO", &to)
            .env("PIPE_FROM", &from)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        let (session, calls, events) = (None, 0, VecDeque::new());
        let mut chromium = Self { process, to, from, session, calls, events, _profile: folder };
        let target = chromium.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = chromium.call("Target.attachToTarget", attach);
        chromium.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Log", "Runtime", "Network"] {
            chromium.call(&format!("{domain}.enable"), json!({}));
        }
        chromium
    }

    /// Opens an address on a screen, and looks at all of it.
    pub(crate) fn open(&mut self, address: &str, screen: Screen) -> Shown {
        let Screen { width, is_dark } = screen;
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme =
            json!({ "name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" } });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [scheme] }));
        self.events.clear();
        let navigated = self.call("Page.navigate", json!({ "url": address }));
        assert_eq!(navigated.get("errorText"), None, "{address}");
        self.wait_for("Page.loadEventFired");
        let dom = self.evaluate("document.documentElement.outerHTML");
        let text = self.evaluate("document.body.innerText");
        let content_width = self.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
        let picture = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        let events = std::mem::take(&mut self.events);
        Shown {
            dom: dom.as_str().unwrap().to_owned(),
            text: text.as_str().unwrap().to_owned(),
            content_width,
            picture: STANDARD.decode(picture["data"].as_str().unwrap()).unwrap(),
            complaints: events.iter().filter_map(complaint).collect(),
            requested: events.iter().filter_map(requested).collect(),
        }
    }

    /// Runs a script on a page, as nobody should be able to, and returns what the browser complained about.
    pub(crate) fn execute(&mut self, address: &str, script: &str) -> Vec<String> {
        self.open(address, Screen { width: 1280, is_dark: false });
        self.evaluate(script);
        self.wait_for("Log.entryAdded");
        self.events.iter().filter_map(complaint).collect()
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let evaluated =
            self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        evaluated["result"]["value"].clone()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.next();
            if answer["id"] == self.calls {
                assert_eq!(answer.get("error"), None, "{method}");
                return answer["result"].clone();
            }
            self.events.push_back(answer);
        }
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|known| known["method"] == event) {
            let next = self.next();
            self.events.push_back(next);
        }
    }

    fn next(&mut self) -> Value {
        let mut message = Vec::new();
        let read = self.from.read_until(0, &mut message).unwrap();
        assert!(read > 0, "the browser ended");
        message.pop();
        serde_json::from_slice(&message).unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What an event complains about, if it does.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Log.entryAdded" => Some(params["entry"].to_string()),
        "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Network.loadingFailed" => {
            Some(params.to_string())
        }
        _ => None,
    }
}

fn requested(event: &Value) -> Option<String> {
    let is_request = event["method"] == "Network.requestWillBeSent";
    is_request.then(|| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
}

/// Width and height of a picture, from the head of its PNG.
pub(crate) fn size(picture: &[u8]) -> (u32, u32) {
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Keeps a picture where a person wants to look at it: in the folder that `PSASYNC_SCREENSHOTS` names.
pub(crate) fn keep(name: &str, picture: &[u8]) {
    if let Some(folder) = std::env::var_os("PSASYNC_SCREENSHOTS") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(name), picture).unwrap();
    }
}
