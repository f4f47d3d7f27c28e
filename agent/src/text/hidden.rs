//! The characters that a reader can't see.

/// Ranges of Unicode's control characters, format characters and default-ignorable characters.
///
/// From `UnicodeData.txt` (Cc, Cf, Zl, Zp) and `DerivedCoreProperties.txt` (Default_Ignorable_Code_Point).
const HIDDEN: [(char, char); 31] = [
    ('\0', '\x1f'),
    ('\x7f', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{f0000}', '\u{ffffd}'),
    ('\u{100000}', '\u{10fffd}'),
    ('\u{fdd0}', '\u{fdef}'),
];

/// True for characters that control a terminal, reorder text, or show nothing.
pub(super) fn is_hidden(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_control() } else { HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&c)) }
}
