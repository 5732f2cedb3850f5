//! Whole rules files: what each key means, and what is said about each mistake.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::event::{EventMask, Scope, Subject};

/// `/w`, a work tree that ignores `target/`, with the home `/home/u`.
pub(super) fn around() -> Surroundings {
    let files = IgnoreFiles {
        gitignore: b"target/\n".to_vec(),
        repository: Some(RepositoryFiles::default()),
        ..IgnoreFiles::default()
    };
    Surroundings {
        directory: PathBuf::from("/w"),
        home: Some(PathBuf::from("/home/u")),
        files: Arc::new(HashMap::from([(PathBuf::from("/w"), files)])),
    }
}

fn parse(text: &str) -> Result<Rules, Diagnostics> {
    Rules::parse(SourceFile { name: "t".into(), text: text.into() }, &around())
}

/// The rules of a file without a mistake.
pub(crate) fn rules(text: &str) -> Rules {
    parse(text).unwrap_or_else(|found| panic!("{found}"))
}

/// The only rule of a file that has these lines beside `paths` and `run`.
fn rule(lines: &str) -> Arc<Rule> {
    rules(&format!("[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n{lines}")).rules.remove(0)
}

/// Each mistake as `line:column message`.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    let shown = parse(text).unwrap_err().render(false);
    let mut places = Vec::new();
    for paragraph in shown.split("error: ").skip(1) {
        let message = paragraph.lines().next().unwrap();
        let place = paragraph.split_once("--> t:").map_or("", |(_, rest)| rest.lines().next().unwrap());
        places.push(format!("{place} {message}").trim().to_owned());
    }
    places
}

/// The first mistake of a rule with these lines: its message.
fn mistake(lines: &str) -> String {
    let text = format!("[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n{lines}");
    mistakes(&text).remove(0).split_once(' ').unwrap().1.to_owned()
}

#[test]
fn the_smallest_rule_has_these_defaults() {
    let rules = rules("[rules.test]\npaths = [\"src\"]\nrun = [\"cargo\", \"test\"]");
    assert_eq!(rules.settings.root, Path::new("/w"));
    assert_eq!(rules.settings.shell, ["sh", "-c"]);
    assert_eq!(rules.settings.jobs, 8);
    let rule = &rules.rules[0];
    assert_eq!(rule.name, "test");
    assert_eq!(rule.on, EventMask::CHANGE);
    assert_eq!(rule.types, Types::DEFAULT);
    assert_eq!((rule.per, rule.stdin, rule.on_busy), (Per::Batch, Stdin::Null, OnBusy::Queue));
    assert_eq!((rule.debounce, rule.max_wait), (Duration::from_millis(50), Duration::from_secs(2)));
    assert_eq!(rule.stop_timeout, Duration::from_secs(10));
    assert_eq!(rule.cwd, Directory::Fixed("/w".into()));
    assert_eq!((rule.max_parallel, rule.on_start), (1, false));
    assert!(rule.pattern.is_none() && rule.env.is_empty());
    assert_eq!(rules.plan().roots(), [Path::new("/w")]);
    assert_eq!(rules.plan().mask(), EventMask::CHANGE);
}

#[test]
fn each_setting_is_used() {
    let text = "[settings]\nroot = \"sub/../x\"\nshell = [\"bash\", \"-ec\"]\njobs = 3\ndebounce = \"1s\"\n\
                max_wait = \"1m\"\n[env]\nA = \"1\"\nB = \"1\"\n\
                [rules.r]\npaths = [\"a\"]\nrun = \"x\"\nenv = { B = \"2\" }";
    let rules = rules(text);
    assert_eq!(rules.settings.root, Path::new("/w/x"));
    assert_eq!(rules.settings.shell, ["bash", "-ec"]);
    assert_eq!(rules.settings.jobs, 3);
    let rule = &rules.rules[0];
    assert_eq!((rule.debounce, rule.max_wait), (Duration::from_secs(1), Duration::from_secs(60)));
    let env: Vec<_> = rule.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("A", "1"), ("B", "2")]);
    assert_eq!(rule.steps, [Command::Shell("x".into())]);
}

#[test]
fn each_key_of_a_rule_is_used() {
    assert_eq!(rule("on = [\"create\", \"move\"]").on, EventMask::CREATE | EventMask::MOVE);
    let types = rule("types = [\"dir\", \"symlink\"]").types;
    assert!(
        types.contains(Subject::Dir) && types.contains(Subject::Symlink) && !types.contains(Subject::File)
    );
    assert_eq!(rule("match = 'x+'").pattern.as_ref().unwrap().as_str(), "x+");
    assert_eq!(rule("per = \"file\"\nmax_parallel = 4").max_parallel, 4);
    assert_eq!(rule("stdin = \"nul\"").stdin, Stdin::Nul);
    assert_eq!(rule("on_busy = \"restart\"").on_busy, OnBusy::Restart);
    assert_eq!(rule("on_busy = \"signal\"").on_busy, OnBusy::Signal(libc::SIGHUP));
    assert_eq!(rule("on_busy = \"signal\"\nsignal = \"USR1\"").on_busy, OnBusy::Signal(libc::SIGUSR1));
    assert_eq!(rule("debounce = \"1s\"").debounce, Duration::from_secs(1));
    assert_eq!(rule("max_wait = \"9s\"").max_wait, Duration::from_secs(9));
    assert_eq!(rule("cwd = \"sub\"").cwd, Directory::Fixed("/w/sub".into()));
    assert_eq!(rule("cwd = \"~/x\"").cwd, Directory::Fixed("/home/u/x".into()));
    assert!(rule("on_start = true").on_start);
    assert_eq!(rule("stop_timeout = \"1s\"").stop_timeout, Duration::from_secs(1));
}

#[test]
fn single_events_are_not_waited_for_unless_the_rule_says_so() {
    assert_eq!(rule("per = \"event\"").debounce, Duration::ZERO);
    assert_eq!(rule("per = \"event\"\ndebounce = \"1s\"").debounce, Duration::from_secs(1));
}

#[test]
fn rules_keep_the_order_of_the_file() {
    let rules = rules("[rules.z]\npaths=[\"a\"]\nrun=\"x\"\n[rules.a]\npaths=[\"a\"]\nrun=\"x\"");
    assert_eq!(rules.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn all_mistakes_come_at_once_each_with_its_place() {
    let text = r#"[setings]
[settings]
debounce = 50
jobs = 0

[rules.test]
paths = ["src/[", "a/**", 3]
runn = "x"

[rules.b]
paths = ["!x"]
on = ["IN_CREATE", "modifi"]
run = ["make", "{pth}", "-j{paths}"]
match = '(?<a-b>x'
cwd = "../../.."
env = { "A=B" = "x" }
"#;
    let expected = [
        "1:2 no key at the top is called `setings`",
        "3:12 `debounce` must be a string, not an integer",
        "4:8 `jobs` must be 1 or more",
        "7:10 `src/[`: `[` is never closed; `\\[` is the character itself",
        "7:27 `paths` must hold strings, not an integer",
        "8:1 no key in a rule is called `runn`",
        "11:10 `!x` excludes nothing",
        "12:7 no event is called `IN_CREATE`",
        "12:20 no event is called `modifi`",
        "13:17 no placeholder is called `pth`",
        "13:28 `{paths}` must be an element of its own",
        "14:9 not a regular expression: invalid capture group character",
        "15:7 `../../..` names no directory",
        "16:9 no variable can be called `A=B`",
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn mistakes_in_the_toml_are_all_found_and_the_rest_is_still_read() {
    let text = "[rules.a]\npaths = [a]\nrun = cargo test\nonn = 1\n[rules.b]\nrun = \"x\ndebounce = \"5\"\n";
    let expected = [
        "2:10 string values must be quoted, expected literal string",
        "3:7 string values must be quoted, expected literal string",
        "4:1 no key in a rule is called `onn`",
        "6:9 invalid basic string, expected `\"`",
        "7:12 `5` is not a duration",
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn an_array_that_is_never_closed_is_one_mistake() {
    let found = mistakes("[rules.a]\npaths = [\"a\"\nrun = \"x\"\non = [\"create\"]\nper = \"file\"\n");
    assert_eq!(found, ["3:1 missing comma between array elements, expected `,`"]);
}

#[test]
fn a_mistake_comes_with_a_way_out() {
    let shown =
        parse("[rules.r]\npaths = [\"a\"]\nrun = [\"x\"]\non_bsy = \"queue\"").unwrap_err().render(false);
    assert!(shown.contains("= help: did you mean `on_busy`?"), "{shown}");
    let shown = parse("[rules.r]\npaths = \"a\"\nrun = [\"x\"]").unwrap_err().render(false);
    assert!(shown.contains("= help: put it in brackets"), "{shown}");
}

#[test]
fn what_is_missing_is_asked_for() {
    assert_eq!(mistakes(""), ["there is no rule in t"]);
    assert_eq!(mistakes("[rules.r]"), ["1:8 the rule `r` has no `paths`", "1:8 the rule `r` has no `run`"]);
}

#[test]
fn each_nonsense_value_is_refused() {
    for (lines, expected) in [
        ("on = []", "a rule without an event never runs"),
        ("types = []", "a rule without a type never runs"),
        ("types = [\"fifo\"]", "`types` cannot be `fifo`"),
        ("per = \"files\"", "`per` cannot be `files`"),
        ("per = 1", "`per` must be a string, not an integer"),
        ("stdin = \"tty\"", "`stdin` cannot be `tty`"),
        ("on_busy = \"wait\"", "`on_busy` cannot be `wait`"),
        ("signal = \"HUP\"", "`signal` has no use here"),
        ("on_busy = \"signal\"\nsignal = \"HUPP\"", "no signal is called `HUPP`"),
        ("debounce = \"5\"", "`5` is not a duration"),
        ("stop_timeout = \"-1s\"", "`-1s` is not a duration"),
        ("throttle = \"0s\"", "`throttle` cannot be `0s`"),
        ("exit_codes = { ok = 0 }", "`ok` must be an array of whole numbers, not an integer"),
        ("exit_codes = { ok = [\"0\"] }", "`ok` must hold whole numbers, not a string"),
        ("exit_codes = { ok = [256] }", "no exit code is less than 0 or more than 255"),
        ("exit_codes = { skip = [-1] }", "no exit code is less than 0 or more than 255"),
        ("exit_codes = { skip = [0] }", "exit code 0 means something already"),
        ("exit_codes = { ok = [0, 1, 1] }", "exit code 1 means something already"),
        ("exit_codes = { retry = [75] }", "`retry` has no use here"),
        ("exit_codes = { fail = [1] }", "no key in `exit_codes` is called `fail`"),
        ("retry = { max = 0 }", "`max` must be 1 or more"),
        ("retry = { initial = \"0s\" }", "`initial` cannot be `0s`"),
        ("retry = { delay = \"1s\" }", "no key in `retry` is called `delay`"),
        ("retry = true", "`retry` must be a table, not a boolean"),
        ("timeout = \"0s\"", "`timeout` cannot be `0s`"),
        ("debounce = \"5s\"", "max_wait (2s) is shorter than debounce (5s)"),
        ("max_wait = \"1ms\"", "max_wait (1ms) is shorter than debounce (50ms)"),
        ("max_parallel = 0", "`max_parallel` must be 1 or more"),
        ("max_parallel = -1", "`max_parallel` must be 1 or more"),
        ("max_parallel = 2", "`max_parallel` has no use here"),
        ("on_busy = \"parallel\"", "on_busy = \"parallel\" with one run at a time"),
        ("per = \"file\"\non_busy = \"parallel\"", "per = \"file\" never has two runs for one path"),
        ("on_start = \"yes\"", "`on_start` must be true or false, without quotes, not a string"),
        ("env = { A = 1 }", "`A` must be a string, not an integer"),
        ("env = { \"\" = \"x\" }", "no variable can be called ``"),
        ("env = { TRIPLINE_A = \"x\" }", "`TRIPLINE_A` is tripline's own to set"),
        ("env = { A = \"\\u0000\" }", "a NUL byte"),
        ("cwd = \"\"", "`` names no directory"),
        ("ignore = [\"#x\"]", "`#x` is no pattern: it is empty, or a comment in git's syntax"),
        ("ignore = [\"[z-a]\"]", "`[z-a]` is no pattern: the range `z-a` runs backwards"),
        ("match = '(?<name>x)'", "the group `name` is a placeholder already; take another name"),
        ("match = '(?<a.b>x)'", "the group `a.b` must be letters, digits and `_` to become a variable"),
        (
            "match = '(?<a>x)(?<A>y)'",
            "the group `A` becomes the same variable as another group; take another name",
        ),
        ("servce = [\"x\"]", "no key in a rule is called `servce`"),
        ("service = []", "`service` names no program"),
        ("service = [\"x\"]\nready = { port = 65536 }", "no port has this number"),
        ("steps = [[\"x\"]]", "a rule has `run` or `steps`"),
        ("after = [\"r\"]", "a circle: `r` after `r`"),
    ] {
        assert_eq!(mistake(lines), expected, "{lines}");
    }
}

#[test]
fn each_nonsense_command_is_refused() {
    for (run, expected) in [
        ("[]", "`run` names no program"),
        ("[\"\"]", "`run` names no program"),
        ("\" \"", "`run` names no program"),
        ("1", "`run` must be a string (for the shell) or an array of strings, not an integer"),
        ("[\"{paths}\"]", "`{paths}` cannot be the program"),
        ("[\"x\", \"{paths}\", \"{paths}\"]", "`{paths}` is there twice"),
        ("[\"x\", \"{paths}\"]\nper = \"file\"", "`{paths}` needs per = \"batch\""),
        ("[\"x\", \"{paths}\"]\nper = \"event\"", "`{paths}` needs per = \"batch\""),
        ("[\"x\", \"a\\u0000\"]", "a NUL byte"),
        ("\"a\\u0000\"", "a NUL byte"),
    ] {
        let found = mistakes(&format!("[rules.r]\npaths = [\"a\"]\nrun = {run}"));
        assert_eq!(found[0].split_once(' ').unwrap().1, expected, "{run}");
    }
}

#[test]
fn a_rule_in_two_files_and_a_setting_in_two_files_are_mistakes() {
    let mut raw = Raw::default();
    let mut found = Diagnostics::default();
    for name in ["a.toml", "b.toml"] {
        let text = "[settings]\njobs = 2\n[env]\nA = \"1\"\n[rules.r]\npaths = [\"a\"]\nrun = \"x\"".into();
        parse::parse(SourceFile { name: name.into(), text }, &mut raw, &mut found);
    }
    let shown = Rules::from_raw(&raw, found, &around()).unwrap_err().render(false);
    for part in
        ["`jobs` is there twice", "`A` is there twice", "the rule `r` is there twice", "--> b.toml:5:8"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("the other is in a.toml"));
}

#[test]
fn words_of_a_command_line_make_rules_and_mistakes_point_at_them() {
    let mut sources = Diagnostics::default();
    let name = sources.add_word("<command line>", "on");
    let glob = sources.add_word("<command line>", "src/[");
    let program = sources.add_word("<command line>", "true");
    let mut rule = RawRule::new(name);
    rule.paths = Spanned::list(vec![glob]);
    rule.run = Some(Spanned::new(RawCommand::Argv(vec![program.clone()]), program.place));
    let raw = Raw { rules: vec![rule], ..Raw::default() };
    let shown = Rules::from_raw(&raw, sources, &around()).unwrap_err().render(false);
    assert!(shown.contains("--> <command line>:1:1\n  |\n1 | src/[\n  | ^^^^^\n"), "{shown}");
}

#[test]
fn hostile_files_do_no_harm() {
    let long = format!("[rules.r]\npaths = [\"{}\"]\nrun = \"x\"", "a/".repeat(500_000));
    let braces = format!("[rules.r]\npaths = [\"{}\"]\nrun = \"x\"", "{a,b}".repeat(700));
    let classes = format!("[rules.r]\npaths = [\"*{}\"]\nrun = \"x\"", "[\u{100}-\u{2ff}]".repeat(60));
    let many = format!("\"{}{}*\",", "{a,b}".repeat(10), "x/".repeat(50)).repeat(20);
    let many = format!("[rules.r]\npaths = [{many}]\nrun = \"x\"");
    let regex = format!("[rules.r]\npaths = [\"a\"]\nrun = \"x\"\nmatch = '{}'", "((a{1000}){1000}){1000}");
    let key = format!("{} = 1", "k".repeat(1_000_000));
    let nested = format!("a = {}", "[".repeat(100_000));
    let tables = format!("a = {}", "{b=".repeat(100_000));
    let dotted = format!("[{}]", "a.".repeat(100_000));
    let comments = "#\n".repeat(200_000);
    let garbage = "= \u{1b}[31m \0 \u{feff} ]] '''\n".repeat(500);
    for text in [&long, &braces, &many, &regex, &key, &nested, &tables, &dotted, &comments, &garbage] {
        assert!(!parse(text).unwrap_err().render(false).is_empty());
    }
    for text in ["\0", "\u{feff}", "\r", "[rules]", "rules = 1", "[[rules.r]]", "rules.r = 1"] {
        assert!(!parse(text).unwrap_err().render(true).is_empty(), "{text:?}");
    }
    assert!(parse(&classes).is_ok());
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Event, Trigger};

    /// Text that is often nearly right.
    fn fragments() -> impl Strategy<Value = String> {
        let words = [
            "[rules.r]\n",
            "[settings]\n",
            "[env]\n",
            "paths",
            "run",
            "on",
            "match",
            "ignore",
            "env",
            " = ",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "'",
            "\\",
            "*",
            "**",
            "/",
            "..",
            "a",
            "{path}",
            "create",
            "\n",
            ",",
            "#",
            "3",
            "true",
            "2s",
            "\u{1b}",
            "ä",
            "!",
            "?",
            "-",
            "root",
            "debounce",
            "\0",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|parts| parts.concat())
    }

    fn glob() -> impl Strategy<Value = String> {
        let words = [
            "a", "b", "*", "**", "/", "?", "[ab]", "[!a]", "{a,b}", "{a/b,c}", "..", ".", "\\", "!", "[", "~",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..12).prop_map(|parts| parts.concat())
    }

    fn event(path: &str) -> Event {
        Event {
            mask: EventMask::CLOSE_WRITE | EventMask::CHANGE,
            path: path.into(),
            subject: Subject::File,
            from: None,
            cookie: 0,
            trigger: Trigger::Event,
        }
    }

    fn of_globs(globs: &[String]) -> Result<Rules, Diagnostics> {
        let quoted: Vec<_> = globs.iter().map(|glob| format!("{glob:?}")).collect();
        parse(&format!("[rules.r]\nrun = \"x\"\npaths = [{}]", quoted.join(",")))
    }

    proptest! {
        #[test]
        fn no_text_makes_the_compiler_panic(text in prop_oneof![any::<String>(), fragments()]) {
            if let Err(found) = parse(&text) {
                prop_assert!(!found.render(true).is_empty());
            }
        }

        #[test]
        fn no_glob_and_no_path_makes_the_matcher_panic(glob in prop_oneof![any::<String>(), glob()], path in any::<String>()) {
            if let Ok(rules) = of_globs(&[glob]) {
                rules.matches(&event(&path), &mut Vec::new());
                rules.plan().wants_dir(path.as_bytes());
            }
        }

        /// What the matcher would report, the watcher must be able to see.
        #[test]
        fn every_directory_above_a_match_is_wanted(globs in prop::collection::vec(glob(), 1..4), path in "(/[abw]){1,5}") {
            let Ok(rules) = of_globs(&globs) else { return Ok(()) };
            let path = format!("/w{path}");
            let mut found = Vec::new();
            rules.matches(&event(&path), &mut found);
            if !found.is_empty() {
                let plan = rules.plan();
                let root = plan.roots().iter().find(|root| Path::new(&path).starts_with(root)).cloned();
                let root = root.expect("a match lies below a root");
                for dir in Path::new(&path).ancestors().skip(1).take_while(|dir| dir.starts_with(&root)) {
                    prop_assert!(plan.wants_dir(dir.as_os_str().as_encoded_bytes()), "{globs:?} {path} {dir:?}");
                }
            }
        }
    }
}
