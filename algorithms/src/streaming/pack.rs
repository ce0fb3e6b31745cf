//! Little-endian bytes of a state, field after field, of a length known beforehand.

/// What can be written into a state file and read back to the bit.
pub(super) trait Pack: Sized {
    /// Appends its bytes.
    fn pack(&self, bytes: &mut Vec<u8>);
    /// Appends those of neighbours.
    fn pack_all(all: &[Self], bytes: &mut Vec<u8>) {
        all.iter().for_each(|item| item.pack(bytes));
    }
    /// Takes its bytes off the front; `None` if there are too few.
    fn unpack(bytes: &mut &[u8]) -> Option<Self>;
    /// The same where it lies, for what is too large to be moved about; if there are too few bytes, in part.
    fn unpack_in_place(&mut self, bytes: &mut &[u8]) -> Option<()> {
        *self = Self::unpack(bytes)?;
        Some(())
    }
    /// The same for neighbours.
    fn unpack_all(all: &mut [Self], bytes: &mut &[u8]) -> Option<()> {
        all.iter_mut().try_for_each(|item| item.unpack_in_place(bytes))
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Pack for $type {
            fn pack(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn pack_all(all: &[Self], bytes: &mut Vec<u8>) {
                // One check for all of them lets the compiler copy them at once.
                let from = bytes.len();
                bytes.resize(from + size_of_val(all), 0);
                for (item, own) in all.iter().zip(bytes[from..].as_chunks_mut().0) {
                    *own = item.to_le_bytes();
                }
            }
            fn unpack(bytes: &mut &[u8]) -> Option<Self> {
                let (number, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(Self::from_le_bytes(*number))
            }
            fn unpack_all(all: &mut [Self], bytes: &mut &[u8]) -> Option<()> {
                // As above.
                let (own, rest) = bytes.split_at_checked(size_of_val(all))?;
                *bytes = rest;
                for (item, own) in all.iter_mut().zip(own.as_chunks().0) {
                    *item = Self::from_le_bytes(*own);
                }
                Some(())
            }
        }
    )*};
}
number!(u8, u16, u32, u64, i16, i32, f32, f64);

impl<T: Pack + Copy, const N: usize> Pack for [T; N] {
    fn pack(&self, bytes: &mut Vec<u8>) {
        T::pack_all(self, bytes);
    }
    fn unpack(bytes: &mut &[u8]) -> Option<Self> {
        let mut all = [T::unpack(bytes)?; N];
        T::unpack_all(&mut all[1..], bytes)?;
        Some(all)
    }
    fn unpack_in_place(&mut self, bytes: &mut &[u8]) -> Option<()> {
        T::unpack_all(self, bytes)
    }
}

/// Implements [`Pack`] for a struct whose named fields are all it has.
macro_rules! packed {
    ($type:ident<const $n:ident: usize> { $($field:ident),* $(,)? }) => {
        packed!(@ [const $n: usize] $type<$n> { $($field),* });
    };
    ($type:ident { $($field:ident),* $(,)? }) => {
        packed!(@ [] $type { $($field),* });
    };
    (@ [$($generic:tt)*] $type:ty { $($field:ident),* }) => {
        impl<$($generic)*> Pack for $type {
            fn pack(&self, bytes: &mut Vec<u8>) {
                $(self.$field.pack(bytes);)*
            }
            fn unpack(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Pack::unpack(bytes)?),* })
            }
            fn unpack_in_place(&mut self, bytes: &mut &[u8]) -> Option<()> {
                $(self.$field.unpack_in_place(bytes)?;)*
                Some(())
            }
        }
    };
}
pub(super) use packed;
