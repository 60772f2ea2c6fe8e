//! The data types of RFC 4251 §5, read once more.

/// What is left of a payload.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields behind the message number.
    pub(super) fn of(payload: &'a [u8]) -> Self {
        Fields(payload.get(1..).unwrap_or_default())
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.bytes(1).map(|byte| byte[0] != 0)
    }

    pub(super) fn uint32(&mut self) -> Option<u32> {
        let bytes = self.bytes(4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.uint32()?;
        self.bytes(length as usize)
    }

    /// A string of ASCII that can be printed.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let bytes = self.string()?;
        let plain = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
        plain.then(|| std::str::from_utf8(bytes).unwrap_or_default())
    }

    /// Names of one or more visible characters, separated by commas.
    pub(super) fn names(&mut self) -> Option<Vec<&'a str>> {
        let list = self.name()?;
        if list.is_empty() {
            return Some(Vec::new());
        }
        let names: Vec<&str> = list.split(',').collect();
        let good = |name: &&str| !name.is_empty() && name.len() <= 64 && !name.contains(' ');
        names.iter().all(good).then_some(names)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// The forms of fields, one letter each: u(int32), b(oolean), s(tring). Nothing may follow.
pub(super) fn has_form(mut fields: Fields<'_>, form: &str) -> bool {
    let read = form.chars().try_for_each(|letter| match letter {
        'u' => fields.uint32().map(drop),
        'b' => fields.boolean().map(drop),
        _ => fields.string().map(drop),
    });
    read.and_then(|()| fields.end()).is_some()
}
