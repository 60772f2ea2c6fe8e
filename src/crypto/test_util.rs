//! Helpers for the unit tests below this module.

/// Bytes from hexadecimal digits; white space is skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    assert_eq!(digits.len() % 2, 0);
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Gives the bytes it was made of, then zeros.
pub(crate) struct FixedRandom(pub(crate) Vec<u8>);

impl super::random::Random for FixedRandom {
    fn fill(&mut self, out: &mut [u8]) {
        let count = out.len().min(self.0.len());
        out.fill(0);
        out[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
    }
}
