//! What a handle that is one of two kinds does itself: ask whichever it is. Points are not among it, as their cursors differ.

/// Implements [`Names`](super::Names), [`Keys`](super::Keys) and [`Store`](super::Store) for a type; `$either!(self, store => …)`
/// evaluates an expression for whichever kind it is.
macro_rules! questions_of_either {
    ($type:ty, $either:ident) => {
        impl $crate::store::Names for $type {
            fn count(&mut self) -> Result<u64, $crate::store::StoreError> {
                $either!(self, store => store.count())
            }

            fn additions(&mut self) -> Result<u64, $crate::store::StoreError> {
                $either!(self, store => store.additions())
            }

            fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.list(each))
            }

            fn list_until(&mut self, due: std::time::Instant, each: &mut dyn FnMut(&str)) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.list_until(due, each))
            }

            fn change(&mut self, add: &[&str], remove: &[&str]) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.change(add, remove))
            }
        }

        impl $crate::store::Keys for $type {
            fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, $crate::store::StoreError> {
                $either!(self, store => store.get(keys))
            }

            fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<std::time::Duration>) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.set(entries, expires_in))
            }

            fn remove(&mut self, keys: &[&str]) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.remove(keys))
            }
        }

        impl $crate::store::Store for $type {
            fn ping(&mut self) -> Result<(), $crate::store::StoreError> {
                $either!(self, store => store.ping())
            }

            fn condition(&mut self) -> Result<$crate::store::Condition, $crate::store::StoreError> {
                $either!(self, store => store.condition())
            }
        }
    };
}
