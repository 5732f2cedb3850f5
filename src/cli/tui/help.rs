//! What each key does, as `?` shows it.

/// Keys, and what they do.
pub(super) const KEYS: [(&str, &str); 16] = [
    ("q, Ctrl-C", "quit; once more: at once"),
    ("r, F5", "run the rule again"),
    ("x", "stop its run"),
    ("s", "start or stop its service"),
    ("e", "explain why it has run last"),
    ("p, P", "pause all rules, only this one; go on"),
    ("Tab, Shift-Tab", "the next rule, the one before"),
    ("Enter", "its output on the whole screen; back"),
    ("c", "clear its output"),
    ("Up, Down", "scroll (k, j); this, too"),
    ("PgUp, PgDn", "scroll by pages (Space)"),
    ("Home, End", "to the beginning, to the end (g, G)"),
    ("/", "search; n, N: the next, the one before"),
    ("Esc", "leave what was opened"),
    ("Ctrl-Z, Ctrl-L", "to the shell; draw anew"),
    ("?", "this"),
];
