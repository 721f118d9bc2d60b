//! Types that cannot be printed: for tests alone, of this crate and, by its path, of the others.

use core::fmt::{Debug, Display};

/// Compiles only while none of these types can be printed, by `{:?}` or `{}`.
macro_rules! assert_unprinted {
    ($($type:ty),* $(,)?) => {
        $(
            <$type as $crate::unprinted::AmbiguousIfDebug<_>>::holds();
            <$type as $crate::unprinted::AmbiguousIfDisplay<_>>::holds();
        )*
    };
}
pub(crate) use assert_unprinted;

/// Implemented for every type once, and once more for those with `Debug`: there the compiler cannot choose.
pub(crate) trait AmbiguousIfDebug<A> {
    fn holds() {}
}

/// The same of `Display`.
pub(crate) trait AmbiguousIfDisplay<A> {
    fn holds() {}
}

/// What the second implementation is told by.
pub(crate) struct Printed;

impl<T> AmbiguousIfDebug<()> for T {}
impl<T: Debug> AmbiguousIfDebug<Printed> for T {}
impl<T> AmbiguousIfDisplay<()> for T {}
impl<T: Display> AmbiguousIfDisplay<Printed> for T {}
