//! What was typed, before anything is made of it. Every value knows its place.

use super::error::Spanned;

/// All files of one load, put together.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// `[settings]`.
    pub settings: RawSettings,
    /// `[env]`.
    pub env: Vec<(Spanned<String>, Spanned<String>)>,
    /// `[rules.NAME]`, in the order of their files and lines.
    pub rules: Vec<RawRule>,
    /// Whether a file could not be read in full: then what is missing may be there all the same.
    pub broken: bool,
}

/// `[settings]`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawSettings {
    pub root: Option<Spanned<String>>,
    pub ignore: Option<Spanned<Vec<Spanned<String>>>>,
    pub gitignore: Option<Spanned<bool>>,
    pub default_ignore: Option<Spanned<bool>>,
    pub case_insensitive: Option<Spanned<bool>>,
    pub shell: Option<Spanned<Vec<Spanned<String>>>>,
    pub debounce: Option<Spanned<String>>,
    pub max_wait: Option<Spanned<String>>,
    pub jobs: Option<Spanned<usize>>,
}

/// `[rules.NAME]`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is the key of its name")]
pub struct RawRule {
    pub name: Spanned<String>,
    pub paths: Option<Spanned<Vec<Spanned<String>>>>,
    pub ignore: Option<Spanned<Vec<Spanned<String>>>>,
    pub case_insensitive: Option<Spanned<bool>>,
    pub on: Option<Spanned<Vec<Spanned<String>>>>,
    pub types: Option<Spanned<Vec<Spanned<String>>>>,
    pub pattern: Option<Spanned<String>>,
    pub run: Option<Spanned<RawCommand>>,
    pub per: Option<Spanned<String>>,
    pub stdin: Option<Spanned<String>>,
    pub on_busy: Option<Spanned<String>>,
    pub signal: Option<Spanned<String>>,
    pub debounce: Option<Spanned<String>>,
    pub max_wait: Option<Spanned<String>>,
    pub cwd: Option<Spanned<String>>,
    pub env: Vec<(Spanned<String>, Spanned<String>)>,
    pub max_parallel: Option<Spanned<usize>>,
    pub on_start: Option<Spanned<bool>>,
    pub stop_timeout: Option<Spanned<String>>,
    /// Whether some key of it could not be read: then what is missing may be there all the same.
    pub misread: bool,
}

/// `run`.
#[derive(Clone, Debug)]
pub enum RawCommand {
    /// An array.
    Argv(Vec<Spanned<String>>),
    /// A string, for the shell.
    Shell(String),
}

impl RawRule {
    /// A rule of which only the name is known.
    #[must_use]
    pub fn new(name: Spanned<String>) -> Self {
        Self {
            name,
            paths: None,
            ignore: None,
            case_insensitive: None,
            on: None,
            types: None,
            pattern: None,
            run: None,
            per: None,
            stdin: None,
            on_busy: None,
            signal: None,
            debounce: None,
            max_wait: None,
            cwd: None,
            env: Vec::new(),
            max_parallel: None,
            on_start: None,
            stop_timeout: None,
            misread: false,
        }
    }
}

impl Spanned<Vec<Spanned<String>>> {
    /// Words as a list that stands where its first word does; none of no words.
    #[must_use]
    pub fn list(words: Vec<Spanned<String>>) -> Option<Self> {
        let place = words.first()?.place.clone();
        Some(Self { value: words, place })
    }
}
