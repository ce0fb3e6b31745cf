//! The chart's colours.
//!
//! Inline in a page the colours are CSS variables with a definition for light and one for dark, so
//! the chart follows the reader's system and a page may set its own. Mail clients and rasterizers
//! know no variables: the two fixed themes write the colours out and paint a background.

/// Where the chart will be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Inline in a page: follows `prefers-color-scheme`, transparent background.
    #[default]
    Page,
    /// Dark ink on white.
    Light,
    /// Light ink on near black.
    Dark,
}

/// What a colour is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ColourRole {
    Line,
    Band,
    Anomaly,
    Strong,
    Label,
    Grid,
    /// Behind the mark and its label; the background's own colour.
    Halo,
}

/// Colours in the order of [`ColourRole`]. Text has a contrast of at least 4.5:1, the line of 3:1 (WCAG
/// 2.2, 1.4.3 and 1.4.11); line and anomaly differ in lightness as well as in hue.
const LIGHT: [&str; 7] = [
    "#1f6feb", "#2a9d6f", "#cf222e", "#1f2328", "#59636e", "#e4e8ec", "#ffffff",
];
const DARK: [&str; 7] = [
    "#6cb0ff", "#4fd09a", "#ff7b72", "#e6edf3", "#9aa4af", "#30363d", "#0d1117",
];
const VARIABLES: [&str; 7] = [
    "var(--sw-line,#1f6feb)",
    "var(--sw-band,#2a9d6f)",
    "var(--sw-anomaly,#cf222e)",
    "var(--sw-strong,#1f2328)",
    "var(--sw-label,#59636e)",
    "var(--sw-grid,#e4e8ec)",
    "var(--sw-halo,#ffffff)",
];

/// Light is the fallback in each `var()`, so only dark needs a rule. `:where` gives the rule no
/// weight: any rule of the page wins over it.
const STYLE: &str = "<style>@media (prefers-color-scheme:dark){:where(.skywatch-chart){\
    --sw-line:#6cb0ff;--sw-band:#4fd09a;--sw-anomaly:#ff7b72;--sw-strong:#e6edf3;\
    --sw-label:#9aa4af;--sw-grid:#30363d;--sw-halo:#0d1117}}</style>";

/// The colours of one theme.
pub(super) struct Palette {
    theme: Theme,
}

impl Palette {
    pub(super) fn of(theme: Theme) -> Self {
        Self { theme }
    }

    pub(super) fn colour(&self, role: ColourRole) -> &'static str {
        let colours = match self.theme {
            Theme::Page => &VARIABLES,
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        };
        colours[role as usize]
    }

    pub(super) fn background(&self) -> Option<&'static str> {
        (self.theme != Theme::Page).then(|| self.colour(ColourRole::Halo))
    }

    pub(super) fn style(&self) -> &'static str {
        if self.theme == Theme::Page { STYLE } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_theme_has_the_colours_of_the_fixed_ones() {
        for (variable, light) in VARIABLES.iter().zip(LIGHT) {
            assert!(variable.ends_with(&format!(",{light})")), "{variable}");
        }
        for (variable, dark) in VARIABLES.iter().zip(DARK) {
            let name = &variable["var(".len()..variable.find(',').unwrap()];
            assert!(STYLE.contains(&format!("{name}:{dark}")), "{name}");
        }
    }
}
