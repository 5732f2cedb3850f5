//! "Select graphic rendition" (ECMA-48, console_codes(4)) as a style. Pure.

use ratatui::style::{Color, Modifier, Style};
use vte::Params;

/// The style after these parameters, where `style` was before.
pub(super) fn select(style: Style, params: &Params) -> Style {
    // Colours come as one parameter with parts behind colons, or as several.
    let mut all = params.iter().flat_map(|param| param.iter().copied());
    let mut style = style;
    while let Some(code) = all.next() {
        style = match code {
            38 => colour(&mut all).map_or(style, |colour| style.fg(colour)),
            48 => colour(&mut all).map_or(style, |colour| style.bg(colour)),
            58 => {
                colour(&mut all);
                style
            }
            _ => one(style, code),
        };
    }
    // Nothing at all is a zero.
    if params.is_empty() { Style::new() } else { style }
}

fn one(style: Style, code: u16) -> Style {
    match code {
        0 => Style::new(),
        1 => style.add_modifier(Modifier::BOLD),
        2 => style.add_modifier(Modifier::DIM),
        3 => style.add_modifier(Modifier::ITALIC),
        4 | 21 => style.add_modifier(Modifier::UNDERLINED),
        7 => style.add_modifier(Modifier::REVERSED),
        8 => style.add_modifier(Modifier::HIDDEN),
        9 => style.add_modifier(Modifier::CROSSED_OUT),
        22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
        23 => style.remove_modifier(Modifier::ITALIC),
        24 => style.remove_modifier(Modifier::UNDERLINED),
        27 => style.remove_modifier(Modifier::REVERSED),
        28 => style.remove_modifier(Modifier::HIDDEN),
        29 => style.remove_modifier(Modifier::CROSSED_OUT),
        30..=37 => style.fg(indexed(code - 30)),
        39 => style.fg(Color::Reset),
        40..=47 => style.bg(indexed(code - 40)),
        49 => style.bg(Color::Reset),
        90..=97 => style.fg(indexed(code - 90 + 8)),
        100..=107 => style.bg(indexed(code - 100 + 8)),
        // Blinking disturbs who reads something else.
        _ => style,
    }
}

/// What follows 38 or 48: a number out of 256, or red, green and blue.
fn colour(rest: &mut impl Iterator<Item = u16>) -> Option<Color> {
    match rest.next()? {
        5 => Some(indexed(rest.next()?)),
        2 => {
            let mut part = || u8::try_from(rest.next()?).ok();
            Some(Color::Rgb(part()?, part()?, part()?))
        }
        _ => None,
    }
}

fn indexed(number: u16) -> Color {
    const FIRST: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    let number = u8::try_from(number).unwrap_or(0);
    FIRST.get(usize::from(number)).copied().unwrap_or(Color::Indexed(number))
}
