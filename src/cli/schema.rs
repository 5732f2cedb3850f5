//! `tripline schema`.

use std::io::Write;

use super::Exit;
use crate::rules;

pub(super) fn schema() -> Exit {
    let _ = writeln!(std::io::stdout(), "{:#}", rules::schema());
    Exit::Ok
}
