//! The clauses of a statement that decide how its rows are counted.

use std::ops::BitOrAssign;

/// A set of clauses, anywhere in a statement: a word in the wrong place gives one too many, never one too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clauses(u8);

impl Clauses {
    /// None.
    pub const NONE: Self = Self(0);
    /// LIMIT.
    pub const LIMIT: Self = Self(1);
    /// OFFSET, FETCH, or LIMIT with two numbers.
    pub const OFFSET: Self = Self(1 << 1);
    /// UNION, EXCEPT, INTERSECT.
    pub const UNION: Self = Self(1 << 2);
    /// COUNT(), MAX() and the like.
    pub const AGGREGATE: Self = Self(1 << 3);
    /// VALUES.
    pub const VALUES: Self = Self(1 << 4);
    /// VALUES ROW(..).
    pub const ROWS: Self = Self(1 << 5);
    /// SELECT.
    pub const SELECT: Self = Self(1 << 6);
    /// PROCEDURE.
    pub const PROCEDURE: Self = Self(1 << 7);

    /// Whether it holds any of `other`.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Clauses {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
