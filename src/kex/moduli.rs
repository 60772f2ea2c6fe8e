//! Groups for Diffie-Hellman group exchange, from a file in the format of moduli(5).

use crate::crypto::random::Random;
use crate::messages::kex::DhGexRequest;

/// Groups below this size are not used (behaviour of current implementations; RFC 8270 §2).
pub(crate) const MIN_BITS: u32 = 2048;
/// Larger groups cost the server seconds of CPU.
pub(crate) const MAX_BITS: u32 = 8192;

/// A group: a safe prime and a generator, both as magnitudes without leading zero bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modulus {
    /// The prime.
    pub p: Vec<u8>,
    /// The generator.
    pub g: Vec<u8>,
}

impl Modulus {
    /// The size of the prime.
    pub fn bits(&self) -> u32 {
        bit_length(&self.p)
    }
}

/// A table of groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moduli {
    groups: Vec<Modulus>,
}

impl Moduli {
    /// A table of these groups.
    pub fn new(groups: Vec<Modulus>) -> Self {
        Moduli { groups }
    }

    /// Reads the text of a moduli file. Lines that are comments, malformed, or of groups that are no tested safe
    /// primes are skipped.
    pub fn parse(text: &str) -> Self {
        Moduli {
            groups: text.lines().filter_map(parse_line).collect(),
        }
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// A group for a request: of the smallest size from the preferred one up, else of the largest below it, and
    /// at random among those of that size. `None` when the request is absurd or nothing fits.
    pub fn choose(&self, request: DhGexRequest, random: &mut dyn Random) -> Option<&Modulus> {
        let min = request.min.max(MIN_BITS);
        let max = request.max.min(MAX_BITS);
        if request.min > request.max || min > max {
            return None;
        }
        let fitting = || {
            self.groups
                .iter()
                .map(|group| (group.bits(), group))
                .filter(|(bits, _)| (min..=max).contains(bits))
        };
        let sizes = || fitting().map(|(bits, _)| bits);
        let size = sizes()
            .filter(|bits| *bits >= request.preferred)
            .min()
            .or_else(|| sizes().max())?;
        let same: Vec<&Modulus> = fitting()
            .filter(|(bits, _)| *bits == size)
            .map(|(_, group)| group)
            .collect();
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let count = u64::try_from(same.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(u64::from_le_bytes(bytes) % count).ok()?;
        same.get(index).copied()
    }
}

/// One line: time, type, tests, trials, size, generator, modulus.
fn parse_line(line: &str) -> Option<Modulus> {
    let mut fields = line.trim().split_ascii_whitespace();
    let mut number = || fields.next().and_then(|field| field.parse::<u64>().ok());
    let (_time, kind, tests, trials, size) =
        (number()?, number()?, number()?, number()?, number()?);
    let generator = number()?;
    let modulus = fields.next()?;
    // moduli(5): type 2 is a safe prime; tests are bits: 0x01 composite, 0x02 sieve, 0x04 Miller-Rabin, 0x08 Jacobi. A
    // candidate that passed less than a hundred rounds of a probabilistic test does not count as prime.
    if kind != 2 || tests & 1 != 0 || tests < 4 || (tests & 4 != 0 && tests < 8 && trials < 100) {
        return None;
    }
    let p = hex(modulus)?;
    let bits = u64::from(bit_length(&p));
    if bits != size && bits != size + 1 {
        return None;
    }
    if p.last().is_none_or(|last| last & 1 == 0) {
        return None;
    }
    let generator = if generator == 0 { 2 } else { generator };
    Some(Modulus {
        p,
        g: strip(&generator.to_be_bytes()).to_vec(),
    })
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let padded = if digits.len().is_multiple_of(2) {
        digits.to_owned()
    } else {
        format!("0{digits}")
    };
    let mut bytes = Vec::with_capacity(padded.len() / 2);
    for pair in padded.as_bytes().chunks(2) {
        let text = std::str::from_utf8(pair).ok()?;
        bytes.push(u8::from_str_radix(text, 16).ok()?);
    }
    Some(strip(&bytes).to_vec())
}

/// The magnitude without leading zero bytes.
fn strip(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The bits of a big-endian number.
fn bit_length(magnitude: &[u8]) -> u32 {
    let digits = strip(magnitude);
    let zeros = digits.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(digits.len())
        .ok()
        .and_then(|len| len.checked_mul(8))
        .map_or(u32::MAX, |bits| bits - zeros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;

    fn group(bits: u32, last: u8) -> Modulus {
        let mut p = vec![0xff; usize::try_from(bits).unwrap() / 8];
        *p.last_mut().unwrap() = last;
        Modulus { p, g: vec![2] }
    }

    fn line(kind: u32, tests: u32, trials: u32, size: u32, generator: u32, digits: &str) -> String {
        format!("20240101000000 {kind} {tests} {trials} {size} {generator} {digits}\n")
    }

    #[test]
    fn line_rules() {
        let digits = "F".repeat(512);
        let text = [
            "# comment\n\nbroken line\n".to_owned(),
            line(2, 6, 100, 2047, 2, &digits),
            line(2, 6, 100, 2048, 0, &digits),
            line(1, 6, 100, 2047, 2, &digits),
            line(2, 2, 100, 2047, 2, &digits),
            line(2, 7, 100, 2047, 3, &digits),
            line(2, 13, 100, 2047, 3, &digits),
            line(4, 6, 100, 2047, 3, &digits),
            line(2, 4, 99, 2047, 2, &digits),
            line(2, 12, 1, 2047, 5, &digits),
            line(2, 6, 100, 2040, 2, &digits),
            line(2, 6, 100, 2047, 2, "zz"),
            line(2, 6, 100, 2047, 2, &format!("{}E", &digits[1..])),
        ]
        .concat();
        let moduli = Moduli::parse(&text);
        assert_eq!(moduli.len(), 3);
        let generators: Vec<_> = moduli.groups.iter().map(|group| group.g.clone()).collect();
        assert_eq!(generators, [vec![2], vec![2], vec![5]]);
        assert_eq!(moduli.groups[0].bits(), 2048);
        assert!(Moduli::parse("").is_empty());
    }

    #[test]
    fn k11_choice_by_request() {
        let table = Moduli::new(vec![
            group(1024, 1),
            group(2048, 1),
            group(3072, 1),
            group(3072, 3),
            group(8192, 1),
        ]);
        let mut random = SeededRandom::new(1);
        let mut choose = |min, preferred, max| {
            table
                .choose(
                    DhGexRequest {
                        min,
                        preferred,
                        max,
                    },
                    &mut random,
                )
                .map(Modulus::bits)
        };
        assert_eq!(choose(2048, 3072, 8192), Some(3072));
        assert_eq!(choose(1024, 2000, 8192), Some(2048));
        assert_eq!(choose(2048, 4096, 8192), Some(8192));
        assert_eq!(choose(2048, 4096, 6144), Some(3072));
        assert_eq!(choose(4096, 4096, 6144), None);
        assert_eq!(choose(1024, 1024, 1024), None);
        assert_eq!(choose(1024, 1024, 2047), None);
        assert_eq!(choose(8192, 3072, 2048), None);
        assert_eq!(choose(0, 0, u32::MAX), Some(2048));
    }

    #[test]
    fn equal_sizes_are_chosen_at_random() {
        let table = Moduli::new(vec![group(2048, 1), group(2048, 3)]);
        let mut random = SeededRandom::new(1);
        let request = DhGexRequest {
            min: 2048,
            preferred: 2048,
            max: 2048,
        };
        let mut seen = [false; 2];
        for _ in 0..50 {
            let last = *table
                .choose(request, &mut random)
                .unwrap()
                .p
                .last()
                .unwrap();
            seen[usize::from(last == 3)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn bit_lengths() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 1]), 1);
        assert_eq!(bit_length(&[0x80]), 8);
        assert_eq!(bit_length(&[1, 0]), 9);
    }
}
