//! Any text is a rules file or is refused with a reason; what it compiles to takes any path. After a NUL, if there
//! is one, the input is that path.

#![no_main]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tripline::event::{Event, EventMask, Scope, Subject, Trigger};
use tripline::rules::{IgnoreFiles, Rules, SourceFile, Successor, Surroundings};

fuzz_target!(|bytes: &[u8]| {
    let (text, path) = match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b"src/main.rs"[..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let files = Arc::new(HashMap::<PathBuf, IgnoreFiles>::new());
    let around = Surroundings { directory: "/w".into(), home: Some("/home/u".into()), files };
    match Rules::parse(SourceFile { name: "fuzz".to_owned(), text: text.to_owned() }, &around) {
        Ok(rules) => use_all(&rules, path),
        Err(mistakes) => assert!(mistakes.has_errors() && !mistakes.render(false).is_empty()),
    }
});

fn use_all(rules: &Rules, name: &[u8]) {
    let _ = (rules.warnings.render(false), rules.effective());
    assert!(rules.successors(rules).iter().all(|successor| matches!(successor, Successor::Same(_))));
    let path = [&b"/w/"[..], name].concat();
    let plan = rules.plan();
    let _ = (plan.wants_dir(&path), plan.remembers(&path));
    for subject in [Subject::File, Subject::Dir, Subject::Gone] {
        let mask = EventMask::CHANGE | EventMask::CLOSE_WRITE | EventMask::MOVED_FROM;
        let (path, trigger) = (path.clone(), Trigger::Event);
        let event = Event { mask, path, subject, from: None, cookie: 0, trigger };
        let mut matches = Vec::new();
        rules.matches(&event, &mut matches);
        assert_eq!(rules.explain(&event).len(), rules.rules.len());
    }
}
