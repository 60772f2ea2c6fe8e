//! Models: what threads do to each other, in orders that a checker chooses. `docs/internals/models.md` says more.

pub(crate) mod time;

#[cfg(test)]
mod channels;
#[cfg(test)]
pub(crate) mod check;
#[cfg(test)]
mod condition;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod helm;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod session;
#[cfg(test)]
mod streams;
