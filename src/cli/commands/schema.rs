//! `tripline schema`.

use std::io::Write;

use crate::cli::Exit;
use crate::rules;

pub(crate) fn schema() -> Exit {
    let _ = writeln!(std::io::stdout(), "{:#}", rules::schema());
    Exit::Ok
}
