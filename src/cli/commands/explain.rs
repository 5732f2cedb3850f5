//! `tripline explain PATH`.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::explain_watching;
use crate::cli::args::ExplainArgs;
use crate::cli::quote::quoted;
use crate::cli::{Exit, fail, location, refuse};
use crate::dispatch::{Cause, Escaped, Part, StdinSource, preview};
use crate::event::{Event, EventMask, Subject, Trigger, as_path};
use crate::rules::{Pattern, Reason, Rule, RuleId, Rules, load_profile};

pub(crate) fn explain(args: &ExplainArgs) -> Exit {
    let loaded = match load_profile(&location(args.config.as_ref()), args.profile.as_deref()) {
        Ok(loaded) => loaded,
        Err(diagnostics) => return refuse(&diagnostics),
    };
    let shown = match &args.path {
        None => explain_watching::plan(&loaded.rules),
        Some(path) => match event(path, &args.event) {
            Ok(event) => explanation(&loaded.rules, &event),
            Err(error) => return fail(error, Exit::Usage),
        },
    };
    let _ = std::io::stdout().write_all(shown.as_bytes());
    Exit::Ok
}

/// The event as the watcher would report it, of what is there now; of nothing, as if it were a file.
fn event(path: &Path, name: &str) -> Result<Event, String> {
    let asked = EventMask::from_name(name).ok_or_else(|| {
        let known: Vec<_> = EventMask::NAMES.iter().map(|(name, _)| *name).collect();
        format!("no event is called `{}`; known are: {}", name.escape_debug(), known.join(", "))
    })?;
    let absolute = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let subject = subject(path, &absolute);
    let bytes = absolute.as_os_str().as_bytes();
    Ok(Event {
        mask: mask(asked, subject),
        path: bytes.strip_suffix(b"/").unwrap_or(bytes).to_vec(),
        subject: if asked == EventMask::DELETE && subject != Subject::Dir { Subject::Gone } else { subject },
        from: None,
        cookie: 0,
        trigger: Trigger::Event,
    })
}

fn subject(typed: &Path, path: &Path) -> Subject {
    match path.symlink_metadata().map(|found| found.file_type()) {
        Ok(found) if found.is_dir() => Subject::Dir,
        Ok(found) if found.is_symlink() => Subject::Symlink,
        Ok(found) if found.is_fifo() || found.is_socket() || !found.is_file() => Subject::Other,
        Err(_) if typed.as_os_str().as_bytes().ends_with(b"/") => Subject::Dir,
        _ => Subject::File,
    }
}

/// With `change`, where the event completes a file's content or changes what exists.
fn mask(asked: EventMask, subject: Subject) -> EventMask {
    let made = if subject == Subject::File { EventMask::CLOSE_WRITE } else { EventMask::CREATE };
    let changes = EventMask::CLOSE_WRITE | EventMask::DELETE | EventMask::MOVE | EventMask::RENAME;
    if asked == EventMask::CHANGE {
        asked | made
    } else if asked.intersects(changes) || (asked.intersects(EventMask::CREATE) && subject != Subject::File) {
        asked | EventMask::CHANGE
    } else {
        asked
    }
}

fn explanation(rules: &Rules, event: &Event) -> String {
    let what = match event.subject {
        Subject::Gone => "what is gone".to_owned(),
        subject => format!("a {}", subject.name().unwrap_or_default()),
    };
    let mut out = format!("{}: {} of {what}\n", Escaped(&shown(rules, &event.path)), event.mask);
    for (number, reason) in rules.explain(event).iter().enumerate() {
        let runs = if reason.runs() { "runs" } else { "does not run" };
        out +=
            &format!("\n{}: {runs}\n  {}\n", rules.rules[number].name, words(reason, rules, number, event));
        if reason.runs() {
            out += &conditions(&rules.rules[number]);
            out += &run(rules, RuleId(number), event);
        }
        for rule in &rules.rules[number].after {
            out += &format!("  runs after each success of {}\n", rules.rules[rule.0].name);
        }
    }
    out
}

fn words(reason: &Reason<'_>, rules: &Rules, rule: usize, event: &Event) -> String {
    let rule = &rules.rules[rule];
    match reason {
        Reason::Runs(path) => format!("{} matches", typed(path)),
        Reason::Below => "something below the directory may have matched".to_owned(),
        Reason::NoPath => "no path of the rule matches".to_owned(),
        Reason::Excluded(path) => format!("{} takes it out", typed(path)),
        Reason::Ignored { path, prefix, by } => {
            format!("{} matches, but {} is ignored by {by}", typed(path), Escaped(&shown(rules, prefix)))
        }
        Reason::Event(path) => {
            format!("{} matches, but the rule asks for {}, not {}", typed(path), asked(rule.on), event.mask)
        }
        Reason::Type(path) => format!("{} matches, but `types` does not ask for this", typed(path)),
        Reason::Size(path) => format!("{} matches, but `size` does not", typed(path)),
        Reason::Mismatch(path) => {
            let pattern = rule.pattern.as_ref().map_or("", |pattern| pattern.as_str());
            format!("{} matches, but `match` does not: '{pattern}'", typed(path))
        }
    }
}

/// Why a rule has run last, in words: its cause, and the pattern that took it in.
pub(crate) fn why(rules: &Rules, name: &str, cause: Option<&Cause>) -> String {
    let Some(cause) = cause else { return format!("{name} has not run yet") };
    let mut out = format!("{name} has run for: {cause}\n");
    out += match cause.trigger {
        Trigger::Event => "the kernel has reported it\n",
        Trigger::Scan => "found in a directory that arrived\n",
        Trigger::Overflow => "found by looking again, after the kernel had dropped events\n",
        Trigger::Start => "as `on_start` asks\n",
        Trigger::Manual => "somebody asked for it\n",
        Trigger::Chain => "as `after` asks, with the paths of that run\n",
        Trigger::Retry => "once more, after a failure\n",
    };
    let number = rules.rules.iter().position(|rule| rule.name == name);
    let Some((number, (path, mask))) = number.zip(cause.first.as_ref()) else { return out };
    let path = rules.settings.root.join(as_path(path));
    let subject = if mask.intersects(EventMask::DELETE) { Subject::Gone } else { subject(&path, &path) };
    let bytes = path.into_os_string().into_encoded_bytes();
    let event = Event { mask: *mask, path: bytes, subject, from: None, cookie: 0, trigger: cause.trigger };
    out += &format!("{}\n", words(&rules.explain(&event)[number], rules, number, &event));
    out
}

/// What `on` says. A mask shows `change` only where it stands alone.
fn asked(on: EventMask) -> String {
    let change = on.intersects(EventMask::CHANGE) && on.intersects(EventMask::ALL);
    let rename = on.intersects(EventMask::RENAME);
    let all = EventMask::ALL.without(on).is_empty();
    let names = on
        .names()
        .filter(|_| !all)
        .chain(all.then_some("all"))
        .chain(change.then_some("change"))
        .chain(rename.then_some("rename"));
    names.collect::<Vec<_>>().join(",")
}

fn typed(path: &Pattern) -> String {
    // Backslashes stay as they are in a glob.
    let text: Vec<_> = path.text.split('\\').map(|part| Escaped(part.as_bytes()).to_string()).collect();
    format!("`{}` ({}:{})", text.join("\\"), path.file, path.line)
}

/// Relative to the root, if it lies below.
pub(crate) fn shown(rules: &Rules, path: &[u8]) -> Vec<u8> {
    rules.relative(path).filter(|rel| !rel.is_empty()).unwrap_or(path).to_vec()
}

/// What else must hold before it runs, which is not known here.
fn conditions(rule: &Rule) -> String {
    let mut out = String::new();
    for path in &rule.hold_while {
        out += &format!("  once {} is not there\n", Escaped(path.as_os_str().as_bytes()));
    }
    if let Some(time) = rule.stable_for {
        out += &format!("  once it has been the same for {time:?}\n");
    }
    if rule.if_changed {
        out += "  unless its content is that of the last run\n";
    }
    out
}

fn run(rules: &Rules, rule: RuleId, event: &Event) -> String {
    let jobs = preview(rules, rule, event);
    let mut out = String::new();
    for job in &jobs {
        let argv: Vec<_> = job.argv.iter().map(|word| quoted(word)).collect();
        let label = match job.part {
            Part::Service => "service:",
            _ if out.is_empty() => "run:",
            _ => "then:",
        };
        out += &format!("  {label} {}\n", argv.join(" "));
    }
    let Some(job) = jobs.first() else { return out };
    out += &format!("  in:  {}\n", job.cwd.display());
    if let StdinSource::Bytes(bytes) = &job.stdin {
        out += &format!("  stdin: {}\n", Escaped(bytes));
    }
    for (name, value) in &job.env {
        out += &format!("  {}={}\n", Escaped(name), quoted(value));
    }
    out + "  TRIPLINE_PATHS_FILE= a file of this run with the path\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_what_the_watcher_would_make_of_it() {
        for (name, path, expected) in [
            ("change", "/nowhere/a", EventMask::CHANGE | EventMask::CLOSE_WRITE),
            ("change", "/nowhere/a/", EventMask::CHANGE | EventMask::CREATE),
            ("create", "/nowhere/a", EventMask::CREATE),
            ("delete", "/nowhere/a", EventMask::CHANGE | EventMask::DELETE),
            ("open", "/", EventMask::OPEN),
        ] {
            assert_eq!(event(Path::new(path), name).unwrap().mask, expected, "{name} {path}");
        }
        assert_eq!(event(Path::new("/nowhere/a"), "delete").unwrap().subject, Subject::Gone);
        assert_eq!(event(Path::new("/nowhere/a/"), "change").unwrap().path, b"/nowhere/a");
        assert!(event(Path::new("/a"), "cerate").unwrap_err().contains("known are"));
    }
}
