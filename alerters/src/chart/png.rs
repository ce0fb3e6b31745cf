//! The chart as a PNG, for what shows no SVG: mail clients and Slack.
//!
//! A bare server has no fonts, so the letters come from DejaVu Sans Condensed, which is built in and knows
//! most alphabets; the system's fonts are never looked at, and the same chart is the same picture
//! everywhere. What is drawn is our own SVG and nothing else, so its size bounds the time it takes: some ten
//! milliseconds. A picture is never worth a message: whatever fails here is logged, and the message goes
//! without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

use super::{Chart, Theme};
use crate::anomaly::Anomaly;
use crate::error::Error;

/// Most pixels of a picture: 2,000 × 2,000.
const MOST_PIXELS: f32 = 4e6;
/// Largest picture that is handed out. A chart of 1,280 × 440 px has some 50 kB.
const LARGEST: usize = 1024 * 1024;
/// Pixels for each px, so that a dense screen shows it sharp.
const SHARP: f32 = 2.0;

/// The built-in letters, parsed once.
static LETTERS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut letters = Database::new();
    for font in [dejavu::sans_condensed::regular(), dejavu::sans_condensed::bold()] {
        letters.load_font_source(Source::Binary(Arc::new(font)));
    }
    let family = letters
        .faces()
        .find_map(|face| Some(face.families.first()?.0.clone()));
    letters.set_sans_serif_family(family.unwrap_or_default());
    Arc::new(letters)
});

/// The chart as a PNG, each of its px `scale` pixels wide. A chart in the page's theme is drawn in the light
/// one, for there is no page to ask.
///
/// # Errors
/// [`Error::Picture`] when it would be larger than 4 million pixels or 1 MiB, or cannot be drawn.
pub fn png(chart: &Chart<'_>, scale: f32) -> Result<Vec<u8>, Error> {
    let failed = |reason: &str| Error::Picture {
        reason: reason.to_owned(),
    };
    let side = |px: u32| (px as f32 * scale).ceil();
    let (width, height) = (side(chart.width), side(chart.height));
    // Written so that NaN is refused too.
    if !(width >= 1.0 && height >= 1.0 && width * height <= MOST_PIXELS) {
        return Err(failed("its size is 0 or beyond 4 million pixels"));
    }
    let mut chart = chart.clone();
    if chart.theme == Theme::Page {
        chart.theme = Theme::Light;
    }
    let svg = chart.svg();
    // The drawing library is given nothing foreign but names; should one of them upset it all the same,
    // that must not cost the message.
    let drawn = catch_unwind(AssertUnwindSafe(|| {
        let options = Options {
            fontdb: Arc::clone(&LETTERS),
            ..Options::default()
        };
        let tree = Tree::from_str(&svg, &options).map_err(|source| failed(&source.to_string()))?;
        let mut pixels = Pixmap::new(width as u32, height as u32).ok_or_else(|| failed("no room"))?;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|source| failed(&source.to_string()))
    }));
    let png = drawn.unwrap_or_else(|_| Err(failed("the drawing library gave up")))?;
    if png.len() > LARGEST {
        return Err(failed("it is larger than 1 MiB"));
    }
    Ok(png)
}

/// The picture of an anomaly for a message, `width` px wide and twice as dense, in the light theme. `None`
/// when there is nothing to draw, or it cannot be drawn, which is logged.
pub fn png_of(anomaly: &Anomaly, width: u32) -> Option<Vec<u8>> {
    let nothing = anomaly.window().values.iter().all(|value| !value.is_finite());
    if nothing {
        return None;
    }
    // Never so flat that nothing can be read from it.
    let height = (width * 2 / 5).max(150);
    let chart = Chart::of(anomaly).size(width, height).theme(Theme::Light);
    match png(&chart, SHARP) {
        Ok(png) => Some(png),
        Err(error) => {
            let name = crate::text::shorten(anomaly.name(), 100);
            tracing::warn!("message about `{name}` goes without its chart :: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn pixels(png: &[u8]) -> Pixmap {
        Pixmap::decode_png(png).unwrap()
    }

    #[test]
    fn a_picture_has_letters_without_any_font_on_the_system() {
        let anomaly = sample::anomaly("web1.cpu");
        let with_title = Chart::of(&anomaly).size(320, 150);
        let drawn = pixels(&png(&with_title, 2.0).unwrap());
        assert_eq!((drawn.width(), drawn.height()), (640, 300));
        // Where the title is, some pixels are dark; in the margin above it, none.
        let dark = |rows: std::ops::Range<u32>| {
            rows.flat_map(|y| (0..200).map(move |x| (x, y)))
                .filter(|(x, y)| drawn.pixel(*x, *y).unwrap().red() < 120)
                .count()
        };
        assert!(dark(14..40) > 200, "{}", dark(14..40));
        assert_eq!(dark(0..10), 0);
    }

    #[test]
    fn the_same_chart_is_the_same_picture() {
        let anomaly = sample::anomaly("web1.cpu");
        assert_eq!(png_of(&anomaly, 640).unwrap(), png_of(&anomaly, 640).unwrap());
        assert!(png_of(&anomaly, 640).unwrap().len() < 100_000);
    }

    #[test]
    fn names_of_any_kind_can_be_drawn() {
        for name in sample::hostile_names() {
            assert!(png_of(&sample::anomaly(&name), 320).is_some(), "{name}");
        }
        let arabic_and_thai =
            "\u{645}\u{631}\u{62d}\u{628}\u{627} \u{e2a}\u{e27}\u{e31}\u{e2a} \u{1f468}\u{200d}\u{1f469}";
        assert!(png_of(&sample::anomaly(arabic_and_thai), 320).is_some());
    }

    #[test]
    fn nothing_to_draw_is_no_picture() {
        let component = sample::component(crate::notice::NewsKind::Opened);
        assert!(png_of(&component.anomaly, 640).is_none());
        assert!(png_of(&sample::anomaly("m").without_window(), 640).is_none());
    }

    #[test]
    fn a_picture_beyond_its_limits_is_an_error() {
        let anomaly = sample::anomaly("m");
        let chart = Chart::of(&anomaly);
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 100.0] {
            let error = png(&chart, scale).unwrap_err();
            assert!(matches!(error, Error::Picture { .. }), "{scale}: {error}");
        }
        assert!(png(&Chart::of(&anomaly).size(4_000, 4_000), 1.0).is_err());
    }
}
