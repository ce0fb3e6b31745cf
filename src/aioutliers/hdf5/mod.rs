//! A reader of the part of HDF5 that Keras writes weights in: h5py's usual layout.
//!
//! After the HDF5 File Format Specification, version 2: superblock of version 0 or 1, groups as symbol tables (a B-tree of
//! version 1 over a local heap), object headers of version 1, datasets of whole IEEE floats that lie in one piece, and short
//! attributes. What else HDF5 can do (chunks, filters, links to other files, new-style groups) is refused by name: Keras
//! writes none of it. Every offset is checked against the file and every walk is bounded, so that a broken file is an error
//! and no more. Nothing in a file is run.

mod bytes;
mod error;
mod numbers;
mod object;

use bytes::Bytes;
use object::{MessageKind, ObjectHeader};

pub use error::Hdf5Error;
pub use numbers::Hdf5Numbers;

/// The first bytes of a file.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Links of one group, and nodes of its B-tree, at most: a network has some tens of layers.
const MOST_LINKS: usize = 10_000;
/// How deep a B-tree may be; with 16 children a node, ten thousand links take four levels.
const DEEPEST: u8 = 8;

/// A file in memory.
#[derive(Debug, Clone, Copy)]
pub struct Hdf5<'f> {
    bytes: Bytes<'f>,
    root: u64,
}

/// A group or a dataset.
#[derive(Debug)]
pub struct Hdf5Object<'f> {
    bytes: Bytes<'f>,
    header: ObjectHeader<'f>,
}

impl<'f> Hdf5<'f> {
    /// Reads the superblock.
    ///
    /// # Errors
    /// [`Hdf5Error`].
    pub fn open(file: &'f [u8]) -> Result<Self, Hdf5Error> {
        if !file.starts_with(SIGNATURE) {
            return Err(Hdf5Error::NotHdf5);
        }
        let bytes = Bytes::new(file);
        let version = bytes.u8(8, "the superblock")?;
        if version > 1 {
            return Err(Hdf5Error::Unsupported(format!(
                "a superblock of version {version}"
            )));
        }
        let sizes = (bytes.u8(13, "the superblock")?, bytes.u8(14, "the superblock")?);
        if sizes != (8, 8) {
            return Err(Hdf5Error::Unsupported(format!("offsets of {} bytes", sizes.0)));
        }
        // Version 1 has four bytes more before the addresses.
        let addresses = if version == 0 { 24 } else { 28 };
        if bytes.u64(addresses, "the superblock")? != 0 {
            return Err(Hdf5Error::Unsupported("a base address".to_owned()));
        }
        // Four addresses, then the root's symbol table entry: the place of its name, then that of its header.
        let root = bytes.u64(addresses + 32 + 8, "the root group")?;
        Ok(Self { bytes, root })
    }

    /// The object at the top.
    ///
    /// # Errors
    /// [`Hdf5Error`].
    pub fn root(&self) -> Result<Hdf5Object<'f>, Hdf5Error> {
        Hdf5Object::at(self.bytes, self.root)
    }
}

impl<'f> Hdf5Object<'f> {
    fn at(bytes: Bytes<'f>, address: u64) -> Result<Self, Hdf5Error> {
        let header = ObjectHeader::read(bytes, address)?;
        Ok(Self { bytes, header })
    }

    /// Names and objects of a group, in the order of their names; none for what is no group.
    ///
    /// # Errors
    /// [`Hdf5Error`].
    pub fn children(&self) -> Result<Vec<(String, Self)>, Hdf5Error> {
        let Some(table) = self.header.message(MessageKind::SymbolTable) else {
            return match self.header.message(MessageKind::LinkInfo) {
                Some(_) => Err(Hdf5Error::Unsupported("a group of the new style".to_owned())),
                None => Ok(Vec::new()),
            };
        };
        let (tree, heap) = (table.u64(0, "a B-tree")?, table.u64(8, "a heap")?);
        self.bytes.expect(heap, b"HEAP", "a heap")?;
        let names = self.bytes.u64(heap + 24, "a heap")?;
        let mut links = Vec::new();
        self.walk(tree, DEEPEST, &mut links)?;
        links
            .into_iter()
            .map(|(name, address)| {
                let name = self.bytes.text(names.saturating_add(name), "a name")?;
                Ok((name.to_owned(), Self::at(self.bytes, address)?))
            })
            .collect()
    }

    /// The child of that name.
    ///
    /// # Errors
    /// [`Hdf5Error`].
    pub fn child(&self, name: &str) -> Result<Option<Self>, Hdf5Error> {
        let all = self.children()?;
        Ok(all
            .into_iter()
            .find_map(|(known, child)| (known == name).then_some(child)))
    }

    /// Whether it holds numbers and not others.
    #[must_use]
    pub fn is_dataset(&self) -> bool {
        self.header.message(MessageKind::Layout).is_some()
    }

    /// The numbers of a dataset.
    ///
    /// # Errors
    /// [`Hdf5Error`], also for a dataset of anything but floats.
    pub fn numbers(&self) -> Result<Hdf5Numbers, Hdf5Error> {
        self.header.numbers(self.bytes)
    }

    /// The text of an attribute, if there is one of that name.
    ///
    /// # Errors
    /// [`Hdf5Error`].
    pub fn text(&self, attribute: &str) -> Result<Option<&'f str>, Hdf5Error> {
        self.header.text(self.bytes, attribute)
    }

    /// Collects the places of names and headers below a node.
    fn walk(&self, node: u64, depth: u8, links: &mut Vec<(u64, u64)>) -> Result<(), Hdf5Error> {
        self.bytes.expect(node, b"TREE", "a B-tree")?;
        if self.bytes.u8(node + 4, "a B-tree")? != 0 {
            return Err(Hdf5Error::Broken(
                "a B-tree of a group is one of chunks".to_owned(),
            ));
        }
        let level = self.bytes.u8(node + 5, "a B-tree")?;
        let entries = u64::from(self.bytes.u16(node + 6, "a B-tree")?);
        if depth == 0 || level > depth {
            return Err(Hdf5Error::Broken("a B-tree has no end".to_owned()));
        }
        for entry in 0..entries {
            // Keys and children in turn, a key first, behind the two neighbours.
            let child = self.bytes.u64(node + 24 + 16 * entry + 8, "a B-tree")?;
            match level {
                0 => self.symbols(child, links)?,
                _ => self.walk(child, depth - 1, links)?,
            }
        }
        Ok(())
    }

    fn symbols(&self, node: u64, links: &mut Vec<(u64, u64)>) -> Result<(), Hdf5Error> {
        self.bytes.expect(node, b"SNOD", "symbols")?;
        let count = u64::from(self.bytes.u16(node + 6, "symbols")?);
        for symbol in 0..count {
            let entry = node + 8 + 40 * symbol;
            let link = (
                self.bytes.u64(entry, "a symbol")?,
                self.bytes.u64(entry + 8, "a symbol")?,
            );
            links.push(link);
        }
        if links.len() > MOST_LINKS {
            return Err(Hdf5Error::Broken(format!(
                "a group has more than {MOST_LINKS} links"
            )));
        }
        Ok(())
    }
}
