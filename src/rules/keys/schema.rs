//! The JSON Schema of a rules file, for editors: every key with its type and meaning.

use serde_json::{Map, Value, json};

use crate::event::EventMask;
use crate::rules::compile::{CONTAIN, ON_BUSY, OUTPUT, PER, STDIN, TYPES, WHEN};

/// A key of a table, and what docs/rules.md says it means.
struct Key(&'static str, Kind, &'static str);

/// What a key's value is.
enum Kind {
    Text,
    Texts,
    Flag,
    /// From 1 up.
    Count,
    Duration,
    /// A number of bytes.
    Bytes,
    /// Exit codes.
    Codes,
    /// Octal digits.
    Mode,
    /// What the kernel takes for a niceness.
    Nice,
    /// An array, or a string for the shell.
    Command,
    /// An array of those.
    Commands,
    /// One of these.
    Word(fn() -> Vec<&'static str>),
    /// Some of these.
    Words(fn() -> Vec<&'static str>),
    /// Texts by name.
    Variables,
    Table(&'static [Key]),
    /// Such tables by name.
    Named(&'static [Key]),
}

use Kind::{
    Bytes, Codes, Command, Commands, Count, Duration, Flag, Mode, Named, Nice, Table, Text, Texts, Variables,
    Word, Words,
};

/// What a file and a profile both may have.
const PART: &[Key] = &[
    Key("settings", Table(SETTINGS), "for all rules"),
    Key(
        "env",
        Variables,
        "variables for every command; a rule's own `env` wins over them, and they over what tripline inherited. Names that begin with `TRIPLINE_` are taken",
    ),
    Key("vars", Variables, "texts for commands, as `{vars.NAME}` and `TRIPLINE_VAR_NAME`"),
    Key("rules", Named(RULE), "the rules"),
    Key("templates", Named(RULE), "keys that a rule takes over with `extends`"),
];

/// What only a file may have.
const FILE: &[Key] = &[
    Key(
        "profile",
        Named(PART),
        "what counts with `--profile NAME`: `settings`, `env`, `vars`, `templates`, `rules`",
    ),
    Key("include", Texts, "more files, relative to this one"),
];

const SETTINGS: &[Key] = &[
    Key("root", Text, "what globs and `cwd` are relative to"),
    Key("ignore", Texts, "what wildcards do not reach, in gitignore's syntax"),
    Key("gitignore", Flag, "honour `.gitignore`, `.git/info/exclude` and git's own global file"),
    Key("hold_while", Texts, "for all rules that do not say otherwise"),
    Key("default_ignore", Flag, "ignore version control's folders and editors' temporary files"),
    Key("case_insensitive", Flag, "globs match either case"),
    Key("shell", Texts, "what a command that is a string is given to"),
    Key("debounce", Duration, "how long all must be quiet before a run"),
    Key(
        "max_wait",
        Duration,
        "the longest wait after the first event, however many follow; not shorter than `debounce`",
    ),
    Key("jobs", Count, "commands running at once, all rules together"),
    Key(
        "history",
        Text,
        "how much of past runs and their output is kept for `tripline runs` and `tripline logs`; with `\"0\"`, nothing",
    ),
    Key("poll", Duration, "look through all directories so often, instead of having inotify watch them"),
    Key(
        "poll_interval",
        Duration,
        "between two looks at directories that inotify cannot watch: beyond the limit of watches, and on network file systems",
    ),
    Key("follow_symlinks", Flag, "follow symbolic links below the root"),
    Key("one_file_system", Flag, "leave out directories on other file systems than their root's"),
    Key(
        "tui",
        Flag,
        "show the rules and their output on a screen of its own, where tripline writes to a terminal",
    ),
    Key("clear", Flag, "clear the terminal before a run, unless another goes on"),
    Key("title", Flag, "tell in the terminal's title what runs and what has failed"),
    Key(
        "bell",
        Word(|| names(&WHEN)),
        "ring the terminal's bell when a run has ended: after a `failure`, at a `change` from success to failure or back, or `always`",
    ),
    Key("notify", Word(|| names(&WHEN)), "the same on the desktop, through notify-send(1)"),
    Key(
        "metrics",
        Text,
        "the address and port at which metrics are served over HTTP; a loopback address, unless `metrics_public` is set",
    ),
    Key("metrics_public", Flag, "`metrics` may be an address that other machines reach"),
];

const RULE: &[Key] = &[
    Key("extends", Text, "the template from `[templates]` whose keys it takes over"),
    Key("paths", Texts, "globs: which paths"),
    Key("ignore", Texts, "as in `[settings]`, for this rule and before those"),
    Key(
        "outputs",
        Texts,
        "globs: what its own run writes. While it runs, and for a second afterwards, changes there do not count for it",
    ),
    Key("on", Words(|| names(&EventMask::NAMES)), "which events"),
    Key("types", Words(|| names(&TYPES)), "about which of `file`, `dir`, `symlink`, `other`"),
    Key(
        "match",
        Text,
        "a regular expression that the path relative to the root must match, or the whole path of what lies outside it; its named groups become variables and placeholders. At most 2 MiB when compiled",
    ),
    Key(
        "size",
        Table(SIZE),
        "how many bytes a file must have, from `min` to `max`, in bytes or with `K`, `M`, `G`, `T` (of 1024). What is gone, or no file, has no size and does not count",
    ),
    Key(
        "stable_for",
        Duration,
        "how long a file must have kept its size and modification time before it is due: for uploads that come in pieces. `max_wait` ends before that begins; what is gone does not wait",
    ),
    Key(
        "if_changed",
        Flag,
        "leave out what has the content that it had for the last run that succeeded. Of files beyond 16 MiB, or beyond 64 MiB of one batch, size and modification time are compared instead. What is gone, and what was never seen, counts",
    ),
    Key("hold_while", Texts, "paths; while one of them exists, what is due waits, and is one run afterwards"),
    Key("case_insensitive", Flag, "globs match either case"),
    Key(
        "after",
        Texts,
        "the rules after whose success it runs, with their paths; it needs no `paths` of its own",
    ),
    Key("run", Command, "the command"),
    Key(
        "steps",
        Commands,
        "commands in the place of `run`, one after the other; the first that fails ends the run",
    ),
    Key("on_success", Command, "a command after each run that has succeeded"),
    Key("on_failure", Command, "a command after each run that has failed and is not tried again"),
    Key(
        "service",
        Command,
        "a command that is to run all the time: started at once, restarted at each match, or after each success of `run`",
    ),
    Key(
        "ready",
        Table(READY),
        "when the service serves: `file` has been made or changed, somebody listens on the TCP `port`, a `line` of its output has matched; all that is given",
    ),
    Key(
        "backoff",
        Table(BACKOFF),
        "how long to wait after a crash of the service: `initial`, then twice as long each time up to `max_delay`; anew where it has lived for `reset`",
    ),
    Key(
        "start_limit",
        Table(START_LIMIT),
        "after `max` crashes `within` that time, the service is not started again before the next match",
    ),
    Key("cwd", Text, "where it runs, relative to `root`; with placeholders, where its first path says"),
    Key(
        "user",
        Text,
        "the user it runs as, by name or number, in all of that user's groups; only root may. It inherits as with `env_clear`, with that user's `HOME`, `USER`, `LOGNAME` and `SHELL`",
    ),
    Key("group", Text, "the group it runs as, in place of the user's own"),
    Key(
        "env_clear",
        Flag,
        "it inherits only `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `TERM`, `TZ`, `LANG` and what begins with `LC_`",
    ),
    Key("umask", Mode, "the permissions that files it makes do not get, in octal"),
    Key(
        "nice",
        Nice,
        "how far it steps back for others, from -20 to 19; below what tripline has only root may",
    ),
    Key(
        "limits",
        Table(LIMITS),
        "what it may take of `nofile`, `nproc`; `as`, `core`, `data`, `fsize`, `memlock`, `stack` in bytes; `cpu` time, in whole seconds (setrlimit(2))",
    ),
    Key("env", Variables, "variables for this command"),
    Key(
        "stdin",
        Word(|| names(&STDIN)),
        "what it reads: `null` nothing, `lines` a path a line, `nul` a path and a NUL, `json` an object a line, `inherit` tripline's own input",
    ),
    Key(
        "output",
        Word(|| names(&OUTPUT)),
        "where what it writes goes: `inherit` where tripline writes, `prefix` there behind the rule's name, `group` there at its end, `on-failure` the same if it has failed, `none` nowhere",
    ),
    Key(
        "log",
        Table(LOG),
        "a `file` that it goes into as well; before that is larger than `max_size` it is renamed, and so many are kept",
    ),
    Key("tty", Flag, "it writes to a terminal of its own, with colours and progress bars"),
    Key(
        "per",
        Word(|| names(&PER)),
        "what one run is given: `batch` every path, `file` one path, `event` one event",
    ),
    Key("on_busy", Word(|| names(&ON_BUSY)), "what becomes of what comes during a run"),
    Key("signal", Text, r#"which, with `on_busy = "signal"`"#),
    Key("max_parallel", Count, r#"runs of this rule at once, with `per = "file"` or `on_busy = "parallel"`"#),
    Key("debounce", Duration, "how long all must be quiet before a run"),
    Key("max_wait", Duration, "the longest wait after the first event"),
    Key("on_start", Flag, "run once when everything is watched"),
    Key(
        "throttle",
        Duration,
        "the least time from the start of one run to the start of the next; what comes meanwhile waits and merges",
    ),
    Key(
        "exit_codes",
        Table(EXIT_CODES),
        "what the command's exit codes mean: `ok` success, `skip` that there was nothing to do, `retry` a failure that another attempt may mend",
    ),
    Key(
        "retry",
        Table(RETRY),
        "run again what failed: `max` times more, after `initial`, then after twice as long each time up to `max_delay`",
    ),
    Key(
        "may_loop",
        Flag,
        "it may run again and again by what changes during its own runs, and is never suspended for that",
    ),
    Key("timeout", Duration, "how long a run may take: then it is stopped and counts as timed out"),
    Key("stop_signal", Text, "what a run or a service is told to end with"),
    Key("stop_timeout", Duration, "from that signal to SIGKILL when a run or a service is stopped"),
    Key(
        "contain",
        Word(|| names(&CONTAIN)),
        "what a run is held together by: `group` a process group, and what leaves it is found by its descent; `cgroup` a control group, which nothing leaves, where one can be made",
    ),
];

const SIZE: &[Key] = &[Key("min", Bytes, "the least that counts"), Key("max", Bytes, "the most that counts")];

const READY: &[Key] = &[
    Key("file", Text, "a file that it makes or changes, relative to `root`"),
    Key("port", Count, "a TCP port that it listens on"),
    Key("line", Text, "a regular expression that a line of its output matches"),
];

const LOG: &[Key] = &[
    Key("file", Text, "its path, relative to `root`"),
    Key("max_size", Bytes, "how large it may be"),
    Key("keep", Count, "how many older ones are kept"),
];

const BACKOFF: &[Key] = &[
    Key("initial", Duration, "the first wait"),
    Key("max_delay", Duration, "the longest wait"),
    Key("reset", Duration, "having lived so long, it waits `initial` again"),
];

const START_LIMIT: &[Key] =
    &[Key("max", Count, "how many crashes"), Key("within", Duration, "in how much time")];

const EXIT_CODES: &[Key] = &[
    Key("ok", Codes, "success"),
    Key("skip", Codes, "there was nothing to do"),
    Key("retry", Codes, "a failure that another attempt may mend"),
];

const LIMITS: &[Key] = &[
    Key("nofile", Count, "open descriptors: the largest one, and one"),
    Key("nproc", Count, "processes of the user, all together"),
    Key("as", Bytes, "address space"),
    Key("core", Bytes, "the size of a core file"),
    Key("cpu", Duration, "processor time"),
    Key("data", Bytes, "data and heap"),
    Key("fsize", Bytes, "the size of a file that it writes"),
    Key("memlock", Bytes, "locked memory"),
    Key("stack", Bytes, "the stack"),
];

const RETRY: &[Key] = &[
    Key("max", Count, "how many times more"),
    Key("initial", Duration, "the first wait"),
    Key("max_delay", Duration, "the longest wait"),
];

/// The schema, in the dialect of 2020-12.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(PART.iter().chain(FILE));
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("tripline's rules file");
    schema
}

fn table<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Value {
    let property = |Key(name, kind, meaning): &Key| {
        let mut schema = value(kind);
        schema["description"] = json!(meaning);
        ((*name).to_owned(), schema)
    };
    let properties: Map<_, _> = keys.into_iter().map(property).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn value(kind: &Kind) -> Value {
    let named = |schema: Value| json!({ "type": "object", "additionalProperties": schema });
    let array = |schema: Value| json!({ "type": "array", "items": schema });
    let text = json!({ "type": "string" });
    match kind {
        Text => text,
        Texts => array(text),
        Flag => json!({ "type": "boolean" }),
        Count => json!({ "type": "integer", "minimum": 1 }),
        Duration => json!({ "type": "string", "examples": ["50ms", "2s", "1m 30s"] }),
        Bytes => json!({ "type": "string", "pattern": "^[0-9]+[KMGT]?$" }),
        Mode => json!({ "type": "string", "pattern": "^[0-7]+$" }),
        Nice => json!({ "type": "integer", "minimum": -20, "maximum": 19 }),
        Codes => array(json!({ "type": "integer", "minimum": 0, "maximum": 255 })),
        Command => json!({ "anyOf": [array(text.clone()), text] }),
        Commands => array(json!({ "anyOf": [array(text.clone()), text] })),
        Word(words) => json!({ "enum": words() }),
        Words(words) => array(json!({ "enum": words() })),
        Variables => named(text),
        Table(keys) => table(*keys),
        Named(keys) => named(table(*keys)),
    }
}

fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tables::TABLES;

    #[test]
    fn the_tables_inside_a_rule_have_the_keys_that_are_understood() {
        let schema = schema();
        let rule = &schema["properties"]["rules"]["additionalProperties"]["properties"];
        let tables = rule.as_object().unwrap().iter().filter(|(_, value)| value.get("properties").is_some());
        let mut found: Vec<_> = tables
            .map(|(name, value)| {
                let mut keys: Vec<_> = value["properties"].as_object().unwrap().keys().cloned().collect();
                keys.sort();
                (name.as_str(), keys)
            })
            .collect();
        let sorted = |keys: &&[&str]| {
            let mut keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
            keys.sort();
            keys
        };
        let mut known: Vec<_> = TABLES.iter().map(|(name, keys)| (*name, sorted(keys))).collect();
        found.sort();
        known.sort();
        assert_eq!(found, known);
    }
}
