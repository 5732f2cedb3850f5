//! Where to watch from.

use crate::event::path;
use crate::rules::glob::Glob;

/// The directories to watch from: the root for what was typed relative to it, else what a glob spells
/// out, or its parent where that may be a file. None of them lies inside another.
pub(crate) fn roots<'a>(globs: impl Iterator<Item = &'a Glob>, root: &[u8]) -> Vec<Vec<u8>> {
    let mut roots: Vec<Vec<u8>> = globs
        .map(|glob| {
            let base = path::join(&glob.base());
            if glob.relative && path::below(root, &base).is_some() {
                return root.to_vec();
            }
            if glob.is_plain() { path::parent(&base).unwrap_or(b"/").to_vec() } else { base }
        })
        .collect();
    // What lies inside a directory comes right after it, but for names with bytes below the slash.
    roots.sort_unstable_by(|a, b| path::components(a).cmp(path::components(b)));
    let mut minimal: Vec<Vec<u8>> = Vec::new();
    for root in roots {
        if minimal.last().is_none_or(|outer| path::below(outer, &root).is_none()) {
            minimal.push(root);
        }
    }
    minimal
}
