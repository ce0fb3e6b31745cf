//! The set of names, answered from memory.

use super::{EmbeddedStore, StoreError};
use crate::store::Names;

impl Names for EmbeddedStore {
    fn count(&mut self) -> Result<u64, StoreError> {
        Ok(self.engine()?.read_metrics().len() as u64)
    }

    /// Numbers of metrics are never given twice, so the next one shows whether names have come.
    fn additions(&mut self) -> Result<u64, StoreError> {
        Ok(self.engine()?.next_number())
    }

    fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        // Copied, so that what the caller does meanwhile may take as long as it likes.
        let names = self.engine()?.read_metrics().names();
        names.iter().for_each(|name| each(name));
        Ok(())
    }

    fn change(&mut self, add: &[&str], remove: &[&str]) -> Result<(), StoreError> {
        let engine = self.engine()?;
        engine.add_names(add.iter().copied())?;
        engine.remove_names(remove)
    }
}
