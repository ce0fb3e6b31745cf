//! From what the engine said to what the caller should do about it.

use std::io;

use fjall::{Error, LsmError};

use super::StoreError;

pub(super) fn of_engine(place: &str, error: Error) -> StoreError {
    let place = place.to_owned();
    match error {
        Error::Locked => StoreError::InUse { place },
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => of_system(place, &error),
        Error::Poisoned => StoreError::Reopening { place },
        other => StoreError::Corrupt {
            place,
            reason: other.to_string(),
        },
    }
}

fn of_system(place: String, error: &io::Error) -> StoreError {
    let reason = error.to_string();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::DiskFull { place, reason }
        }
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { place, reason },
        io::ErrorKind::InvalidData => StoreError::Corrupt { place, reason },
        _ => StoreError::Other { place, reason },
    }
}
