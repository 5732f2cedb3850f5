//! How editors save, read from their configuration: which events a save ends with, and which rules would miss it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::event::EventMask;
use crate::rules::{Rule, config_home};

/// What a save does to the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Save {
    /// The file is truncated and written.
    InPlace,
    /// The old file is renamed away, and a new one made and written.
    Anew,
    /// Another file is written, and renamed to it.
    Renamed,
}

impl Save {
    /// What of it happens under the name.
    const fn events(self) -> EventMask {
        match self {
            Self::InPlace => EventMask::MODIFY.union(EventMask::CLOSE_WRITE),
            Self::Anew => EventMask::CREATE.union(EventMask::MODIFY).union(EventMask::CLOSE_WRITE),
            Self::Renamed => EventMask::MOVED_TO.union(EventMask::RENAME),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::InPlace => "writes the file in place (modify, close_write)",
            Self::Anew => "renames the old file away and writes a new one (create, modify, close_write)",
            Self::Renamed => "writes another file and renames it (moved_to)",
        }
    }
}

/// An editor, and how it saves unless it is told otherwise.
struct Editor {
    name: &'static str,
    /// What `EDITOR` may call.
    programs: &'static [&'static str],
    /// Where its configuration may be, below the home; `.config` stands for `XDG_CONFIG_HOME`. A `*` is any directory.
    files: &'static [&'static str],
    usual: Save,
    /// What its configuration says of it; none if nothing.
    told: fn(&str) -> Option<Save>,
}

const EDITORS: [Editor; 7] = [
    Editor {
        name: "vim",
        programs: &["vim", "vi"],
        files: &[".vimrc", ".vim/vimrc", ".config/vim/vimrc"],
        usual: Save::Anew,
        told: vim,
    },
    Editor {
        name: "Neovim",
        programs: &["nvim"],
        files: &[".config/nvim/init.vim", ".config/nvim/init.lua"],
        usual: Save::Anew,
        told: vim,
    },
    Editor {
        name: "Emacs",
        programs: &["emacs", "emacsclient"],
        files: &[".emacs", ".emacs.el", ".emacs.d/init.el", ".config/emacs/init.el"],
        usual: Save::Anew,
        told: emacs,
    },
    Editor {
        name: "a JetBrains IDE",
        programs: &["idea", "pycharm", "clion", "webstorm", "goland", "rustrover"],
        files: &[".config/JetBrains/*/options/ide.general.xml"],
        usual: Save::Renamed,
        told: |text| text.contains("\"useSafeWrite\" value=\"false\"").then_some(Save::InPlace),
    },
    Editor {
        name: "VS Code",
        programs: &["code", "codium"],
        files: &[".config/Code/User/settings.json", ".config/VSCodium/User/settings.json"],
        usual: Save::InPlace,
        told: |_| None,
    },
    Editor {
        name: "Sublime Text",
        programs: &["subl", "sublime_text"],
        files: &[".config/sublime-text/Packages/User/Preferences.sublime-settings"],
        usual: Save::InPlace,
        told: |text| {
            setting(text, "\"atomic_save\":").filter(|value| *value == "true").map(|_| Save::Renamed)
        },
    },
    Editor {
        name: "Helix",
        programs: &["hx", "helix"],
        files: &[".config/helix/config.toml"],
        usual: Save::Anew,
        told: |text| setting(text, "atomic-save =").filter(|value| *value == "false").map(|_| Save::InPlace),
    },
];

/// The word after the last `key`.
fn setting<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, after) = text.rsplit_once(key)?;
    after.trim_start().split(|c: char| !c.is_alphanumeric()).next()
}

/// `backupcopy`, and whether there are backups at all: without, vim truncates the file and writes it.
fn vim(text: &str) -> Option<Save> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['"', '-']));
    let mut told = None;
    for line in lines {
        let word = |word: &str| line.split(|c: char| !c.is_alphanumeric()).any(|known| known == word);
        if word("nowritebackup") || word("nowb") || (word("writebackup") && word("false")) {
            told = Some(Save::InPlace);
        } else if word("backupcopy") || word("bkc") {
            told = Some(if word("yes") { Save::InPlace } else { Save::Anew });
        }
    }
    told
}

/// Without a backup, or with one that is a copy, the file keeps its place; `file-precious-flag` renames.
fn emacs(text: &str) -> Option<Save> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(';'));
    let mut told = None;
    for line in lines {
        let set = |name: &str| setting(line, name);
        if set("file-precious-flag").is_some_and(|value| value == "t") {
            told = Some(Save::Renamed);
        } else if set("backup-by-copying").is_some_and(|value| value == "t")
            || set("make-backup-files").is_some_and(|value| value == "nil")
        {
            told = Some(Save::InPlace);
        }
    }
    told
}

/// How somebody's editor saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Habit {
    editor: &'static str,
    /// Where it is known from.
    source: String,
    save: Save,
}

impl Habit {
    /// What it is, for a person.
    pub(crate) fn words(&self) -> String {
        let Self { editor, source, save } = self;
        format!("{editor} ({source}) {}", save.words())
    }

    /// What is to be said of a rule that is about contents and does not hear of this editor's saves.
    pub(crate) fn missed_by(&self, rule: &Rule) -> Option<String> {
        let contents = EventMask::MODIFY | EventMask::CLOSE_WRITE;
        let hears = rule.on.intersects(self.save.events() | EventMask::CHANGE);
        let misses = rule.on.intersects(contents) && !hears;
        misses.then(|| format!("{} does not run for what is saved with {}", rule.name, self.editor))
    }
}

/// The habits of the editors that this user has configured, or that `VISUAL` or `EDITOR` names.
pub(crate) fn habits() -> Vec<Habit> {
    let Some(home) = env::var_os("HOME").map(PathBuf::from) else { return Vec::new() };
    let Some(config) = config_home(Some(home.clone())) else { return Vec::new() };
    let chosen = ["VISUAL", "EDITOR"].iter().find_map(|name| Some((*name, env::var(name).ok()?)));
    let mut habits = Vec::new();
    for editor in &EDITORS {
        let place = |file: &str| match file.strip_prefix(".config/") {
            Some(file) => places(&config, file),
            None => places(&home, file),
        };
        let files: Vec<_> = editor.files.iter().flat_map(|file| place(file)).collect();
        for file in &files {
            let text = fs::read(file).unwrap_or_default();
            let save = (editor.told)(&String::from_utf8_lossy(&text)).unwrap_or(editor.usual);
            let source = file.display().to_string().escape_debug().to_string();
            habits.push(Habit { editor: editor.name, source, save });
        }
        if let Some((variable, command)) = &chosen
            && files.is_empty()
            && editor.programs.contains(&program(command))
        {
            habits.push(Habit { editor: editor.name, source: (*variable).to_owned(), save: editor.usual });
        }
    }
    habits
}

/// The name of a command's program.
fn program(command: &str) -> &str {
    let path = command.split_whitespace().next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// The files of this name that there are.
fn places(dir: &Path, file: &str) -> Vec<PathBuf> {
    let Some((above, below)) = file.split_once("*/") else {
        return Vec::from_iter(Some(dir.join(file)).filter(|path| path.is_file()));
    };
    let entries = fs::read_dir(dir.join(above)).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path().join(below)).collect();
    // Of an editor whose settings are all as they were, there is the directory alone.
    found.retain(|path| path.parent().is_some_and(Path::is_dir));
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_how_a_save_is_done() {
        let vim_cases = [
            ("set number\n", None),
            ("set backupcopy=yes\n", Some(Save::InPlace)),
            ("set bkc=yes\nset bkc=auto\n", Some(Save::Anew)),
            ("\" set backupcopy=yes\n", None),
            ("set nobackup nowritebackup\n", Some(Save::InPlace)),
            ("vim.opt.backupcopy = 'yes'\n", Some(Save::InPlace)),
            ("vim.o.writebackup = false\n", Some(Save::InPlace)),
            ("-- vim.o.writebackup = false\n", None),
        ];
        vim_cases.iter().for_each(|(text, save)| assert_eq!(vim(text), *save, "{text}"));
        let emacs_cases = [
            ("(setq make-backup-files nil)\n", Some(Save::InPlace)),
            ("(setq backup-by-copying t)\n", Some(Save::InPlace)),
            ("(setq backup-by-copying nil)\n", None),
            ("(setq-default file-precious-flag t)\n", Some(Save::Renamed)),
            ("; (setq make-backup-files nil)\n", None),
        ];
        emacs_cases.iter().for_each(|(text, save)| assert_eq!(emacs(text), *save, "{text}"));
        for (editor, text, save) in [
            ("a JetBrains IDE", "<option name=\"useSafeWrite\" value=\"false\" />", Some(Save::InPlace)),
            ("a JetBrains IDE", "<option name=\"reopenLastProject\" value=\"false\" />", None),
            ("Sublime Text", "{ \"atomic_save\": true }", Some(Save::Renamed)),
            ("Sublime Text", "{ \"atomic_save\": false, \"hot_exit\": true }", None),
            ("Helix", "[editor]\natomic-save = false\n", Some(Save::InPlace)),
        ] {
            let editor = EDITORS.iter().find(|known| known.name == editor).unwrap();
            assert_eq!((editor.told)(text), save, "{text}");
        }
    }

    #[test]
    fn the_program_of_an_editor_is_told_from_its_arguments() {
        assert_eq!(program("/usr/bin/nvim -u NONE"), "nvim");
        assert_eq!(program(""), "");
    }
}
