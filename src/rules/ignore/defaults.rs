//! What no wildcard reaches, unless `default_ignore = false`.

/// Version control's own folders, and the names that editors give to what they will rename or remove.
pub(crate) const DEFAULT: [&str; 22] = [
    ".git",
    ".hg/",
    ".svn/",
    ".jj/",
    ".bzr/",
    ".pijul/",
    "_darcs/",
    "CVS/",
    "*~",
    "\\#*#",
    ".#*",
    "*.swp",
    "*.swo",
    "*.swx",
    "*.swn",
    "4913",
    ".*.kate-swp",
    ".goutputstream-*",
    "*___jb_tmp___",
    "*___jb_old___",
    ".DS_Store",
    // What tripline itself remembers (XDG Base Directory Specification).
    "**/.local/state/tripline/",
];
