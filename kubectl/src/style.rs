//! (pure) How text is shown: as wide as the terminal, in colour where that is wanted.

/// What the place that text goes to can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Its columns; none: there is no bound, for files and other programs.
    pub width: Option<usize>,
    /// Whether it shows colours.
    pub colour: bool,
}

/// What a text says by its colour. Nothing is said by colour alone: not everyone sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As desired.
    Good,
    /// It passes, or deserves a look.
    Warning,
    /// It is wrong.
    Bad,
    /// Less important than what is around it.
    Faint,
    /// A title.
    Title,
}

impl Style {
    /// The text in the colour of its tone.
    #[must_use]
    pub fn paint(self, text: &str, tone: Option<Tone>) -> String {
        let Some(tone) = tone.filter(|_| self.colour) else {
            return text.to_owned();
        };
        let code = match tone {
            Tone::Good => 32,
            Tone::Warning => 33,
            Tone::Bad => 31,
            Tone::Faint => 2,
            Tone::Title => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_those_who_want_them() {
        let coloured = Style {
            width: None,
            colour: true,
        };
        assert_eq!(coloured.paint("x", Some(Tone::Bad)), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(coloured.paint("x", None), "x");
        assert_eq!(Style::default().paint("x", Some(Tone::Bad)), "x");
    }
}
