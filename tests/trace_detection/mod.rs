//! Detection of anomalous traces, black box: the real binary over a part of the labelled traces beside the repository.

mod eval;
#[cfg(feature = "learned")]
mod kept;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::common::series::shared;

/// The first lines of a file of `tt`.
fn lines(name: &str, most: usize) -> Vec<String> {
    let path = shared(&format!("traces/dev/tt/{name}.jsonl.gz"));
    let file = std::fs::File::open(path).unwrap();
    let text = BufReader::new(MultiGzDecoder::new(file).take(64 << 20));
    text.lines().take(most).map(Result::unwrap).collect()
}

fn put(folder: &Path, name: &str, lines: &[String]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{name}.jsonl")), lines.join("\n")).unwrap();
}
