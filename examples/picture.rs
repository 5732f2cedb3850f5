//! Draws docs/terminal.svg: the terminal view of a small project, as a real run shows it on a pseudo-terminal.
//!
//! ```text
//! cargo build --profile dist && cargo run --example picture -- target/dist/tripline > docs/terminal.svg
//! ```

mod terminal;

use std::fmt::Write as _;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use terminal::{COLUMNS, Failure, ROWS, Terminal};
use vt100::{Cell, Color};

/// A project with a mistake in it, a page and a server.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n"),
    ("src/main.rs", "fn main() {\n    let price: u32 = \"12\";\n    println!(\"{price}\");\n}\n"),
    ("pages/index.md", "# Shop\n\nEverything must go.\n"),
    (
        "tripline.toml",
        "[rules.check]\npaths = [\"src/**/*.rs\", \"Cargo.toml\"]\nrun = [\"cargo\", \"check\", \"-q\"]\non_busy = \"restart\"\n\
         [rules.pages]\npaths = [\"pages/**/*.md\"]\nrun = [\"wc\", \"-w\", \"{paths}\"]\n\
         [rules.server]\npaths = [\"server.conf\"]\nservice = \"echo listening on port 8080; exec sleep 1000\"\n",
    ),
];

fn main() -> Result<(), Failure> {
    let tripline = std::env::args_os().nth(1).ok_or("usage: picture TRIPLINE")?;
    let tripline = fs::canonicalize(tripline)?;
    let directory = tempfile::tempdir()?;
    for (name, text) in FILES {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(directory.path()))?;
        fs::write(path, text)?;
    }
    let mut terminal = Terminal::start(&tripline, directory.path())?;
    terminal.until("up")?;
    terminal.keys("\t\t")?;
    for (name, shown) in [("pages/index.md", "pages"), ("src/main.rs", "check")] {
        let path = directory.path().join(name);
        let text = fs::read_to_string(&path)?;
        fs::write(path, text)?;
        terminal.until(&format!("{name} (close_write)"))?;
        terminal.until(if shown == "pages" { "✓ pages" } else { "✗ check" })?;
    }
    terminal.keys("\t\t")?;
    terminal.until("mismatched types")?;
    // The status line comes to rest.
    sleep(Duration::from_secs(4));
    print!("{}", picture(&terminal)?);
    terminal.keys("q")?;
    terminal.child.wait()?;
    Ok(())
}

fn picture(terminal: &Terminal) -> Result<String, Failure> {
    let seen = terminal.seen.lock().map_err(|_| "the reader has failed")?;
    let rows = (0..ROWS).map(|row| {
        let cells = (0..COLUMNS).filter_map(|column| seen.parser.screen().cell(row, column));
        cells.collect::<Vec<_>>()
    });
    svg(rows.collect::<Vec<_>>().as_slice())
}

const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const MARGIN: f32 = 14.0;
const PAPER: &str = "#16181d";
const INK: &str = "#d6d9de";

/// How a cell looks: ink, paper where it has one, bold, dim.
type Look = (String, Option<String>, bool, bool);

fn svg(rows: &[Vec<&Cell>]) -> Result<String, Failure> {
    let (wide, high) = (f32::from(COLUMNS) * WIDTH + 2.0 * MARGIN, f32::from(ROWS) * HEIGHT + 2.0 * MARGIN);
    let mut out = String::new();
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0} {high:.0}" width="{wide:.0}" height="{high:.0}">"#
    )?;
    writeln!(
        out,
        r#"<title>The terminal view of tripline: three rules, and what cargo check has to say</title>"#
    )?;
    writeln!(out, r#"<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>"#)?;
    writeln!(
        out,
        r#"<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">"#
    )?;
    for (row, cells) in (0_u8..).zip(rows) {
        for run in cells.chunk_by(|one, other| look(one) == look(other)) {
            let first =
                (0_u16..).zip(cells).find(|(_, cell)| std::ptr::eq(**cell, run[0])).map_or(0, |(at, _)| at);
            text(run, f32::from(first) * WIDTH + MARGIN, f32::from(row) * HEIGHT + MARGIN, &mut out)?;
        }
    }
    writeln!(out, "</g>\n</svg>")?;
    Ok(out)
}

/// Cells that look the same, as wide as they are on a terminal.
fn text(run: &[&Cell], x: f32, y: f32, out: &mut String) -> Result<(), Failure> {
    let (ink, paper, bold, dim) = look(run[0]);
    let width = WIDTH * run.iter().map(|_| 1.0).sum::<f32>();
    if let Some(paper) = paper {
        writeln!(
            out,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{HEIGHT}" fill="{paper}"/>"#
        )?;
    }
    let shown = |cell: &&&Cell| !cell.is_wide_continuation();
    let content =
        |cell: &&Cell| if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() };
    let text: String = run.iter().filter(shown).map(content).collect();
    if text.trim().is_empty() {
        return Ok(());
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let style = [(bold, r#" font-weight="bold""#), (dim, r#" opacity="0.55""#)];
    let style: String = style.iter().filter(|(is, _)| *is).map(|(_, style)| *style).collect();
    let base = y + HEIGHT * 0.76;
    writeln!(
        out,
        r#"<text x="{x:.1}" y="{base:.1}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="{ink}"{style}>{text}</text>"#
    )?;
    Ok(())
}

fn look(cell: &Cell) -> Look {
    let (ink, paper) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    let (ink, paper) = if cell.inverse() {
        (Some(paper.unwrap_or_else(|| PAPER.to_owned())), Some(ink.unwrap_or_else(|| INK.to_owned())))
    } else {
        (ink, paper)
    };
    (ink.unwrap_or_else(|| INK.to_owned()), paper, cell.bold(), cell.dim())
}

fn colour(colour: Color) -> Option<String> {
    const NAMED: [&str; 16] = [
        "#16181d", "#e5534b", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#d6d9de", "#6b737d",
        "#ff6b63", "#6bc46d", "#daaa3f", "#6cb6ff", "#dcbdfb", "#56d4dd", "#ffffff",
    ];
    match colour {
        Color::Default => None,
        Color::Idx(number @ 0..16) => Some(NAMED[usize::from(number)].to_owned()),
        Color::Idx(number @ 16..232) => {
            let part = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let number = number - 16;
            let parts = [number / 36, number / 6 % 6, number % 6].map(part);
            Some(format!("#{:02x}{:02x}{:02x}", parts[0], parts[1], parts[2]))
        }
        Color::Idx(number) => Some(format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (number - 232))),
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}
