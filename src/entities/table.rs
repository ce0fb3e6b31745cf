//! One reader of an entity's rows: CSV, plain or gzipped, a heading with the metrics' names and one row a step.
//!
//! A column `label` is passed over wherever it stands: nothing here may know what it says. An empty field, `NaN`, `null`
//! and the like are missing values; every other text that is no finite number is an error with file and line.

use std::io::{BufRead, Read as _};
use std::path::Path;

use skywatch_algorithms::entities::EntityRows;

use super::EntityFileError;
use crate::unpack;

/// The column with the truth, where a file has one.
const LABEL: &str = "label";
/// Words that stand for a value that is not there, in small letters.
const MISSING: [&str; 6] = ["", "nan", "null", "none", "na", "n/a"];
/// A longer line, bytes, is no row: a file without line breaks must not fill the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// A table, its columns in the order of the heading or in one that was asked for.
#[derive(Debug)]
pub(super) struct EntityTable {
    pub(super) metrics: Vec<String>,
    pub(super) rows: EntityRows,
    /// Values that are missing.
    pub(super) missing: u64,
}

impl EntityTable {
    /// Reads a file. With `metrics`, these are its columns, in any order; it may have no others.
    pub(super) fn read(path: &Path, metrics: Option<&[String]>) -> Result<Self, EntityFileError> {
        let lines = unpack::open(path).map_err(|source| unreadable(path, source))?;
        Self::parse(lines, path, metrics)
    }

    fn parse(
        mut lines: impl BufRead,
        path: &Path,
        metrics: Option<&[String]>,
    ) -> Result<Self, EntityFileError> {
        let (mut line, mut number) = (String::new(), 0);
        next_line(&mut lines, &mut line, path, &mut number)?;
        let bad = |line, why| EntityFileError::BadLine {
            path: path.to_owned(),
            line,
            why,
        };
        let columns = TableHeading::of(&line, metrics).map_err(|why| bad(number.max(1), why))?;
        let mut table = Self {
            rows: EntityRows::new(columns.metrics.len()),
            metrics: columns.metrics,
            missing: 0,
        };
        let mut row = vec![f64::NAN; table.metrics.len()];
        while next_line(&mut lines, &mut line, path, &mut number)? {
            if line.is_empty() {
                continue;
            }
            table.missing += read_row(&line, &columns.places, &mut row).map_err(|why| bad(number, why))?;
            let pushed = table.rows.push(&row);
            pushed.map_err(|error| bad(number, error.to_string()))?;
        }
        Ok(table)
    }
}

/// What the heading says.
struct TableHeading {
    metrics: Vec<String>,
    /// Per field of a line the metric it is of; none for the label.
    places: Vec<Option<usize>>,
}

impl TableHeading {
    fn of(heading: &str, wanted: Option<&[String]>) -> Result<Self, String> {
        let names: Vec<&str> = heading.split(',').map(str::trim).collect();
        if names.iter().all(|name| name.is_empty()) {
            return Err("there is no heading with the names of the metrics".to_owned());
        }
        if let Some(name) = names.iter().find(|name| name.parse::<f64>().is_ok()) {
            return Err(format!("`{name}` in the heading is no name of a metric"));
        }
        let own: Vec<String> = names
            .iter()
            .filter(|name| **name != LABEL)
            .map(|name| (*name).to_owned())
            .collect();
        let metrics = wanted.map_or(own, <[String]>::to_vec);
        let mut places = Vec::with_capacity(names.len());
        for name in &names {
            let place = metrics.iter().position(|metric| metric == name);
            if place.is_none() && *name != LABEL {
                return Err(format!("the training file has no column `{name}`"));
            }
            if place.is_some() && places.contains(&place) {
                return Err(format!("the column `{name}` is there twice"));
            }
            places.push(place);
        }
        let lost = (0..metrics.len()).find(|at| !places.contains(&Some(*at)));
        match lost {
            Some(at) => Err(format!(
                "the column `{}` of the training file is not there",
                metrics[at]
            )),
            None if metrics.is_empty() => Err("there is no column besides the label".to_owned()),
            None => Ok(Self { metrics, places }),
        }
    }
}

/// Reads the fields of a line into `row`; gives how many values are missing.
fn read_row(line: &str, places: &[Option<usize>], row: &mut [f64]) -> Result<u64, String> {
    let (mut fields, mut missing) = (0, 0);
    for field in line.split(',') {
        let place = places.get(fields).copied().flatten();
        fields += 1;
        let Some(place) = place else { continue };
        let field = field.trim();
        row[place] = if MISSING.iter().any(|word| field.eq_ignore_ascii_case(word)) {
            missing += 1;
            f64::NAN
        } else {
            let number = field.parse().ok().filter(|number: &f64| number.is_finite());
            number.ok_or_else(|| format!("`{}` is no finite number", short(field)))?
        };
    }
    if fields == places.len() {
        Ok(missing)
    } else {
        Err(format!("{fields} fields where the heading has {}", places.len()))
    }
}

/// The beginning of a field that is quoted in a message.
fn short(field: &str) -> String {
    field.chars().take(40).collect()
}

/// The next line without its ending; whether there was one.
fn next_line(
    lines: &mut impl BufRead,
    line: &mut String,
    path: &Path,
    number: &mut usize,
) -> Result<bool, EntityFileError> {
    line.clear();
    *number += 1;
    let read = lines.take(LONGEST_LINE).read_line(line);
    let read = read.map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => EntityFileError::BadLine {
            path: path.to_owned(),
            line: *number,
            why: "not UTF-8 text".to_owned(),
        },
        _ => unreadable(path, source),
    })?;
    if read as u64 == LONGEST_LINE {
        return Err(EntityFileError::BadLine {
            path: path.to_owned(),
            line: *number,
            why: format!("longer than {LONGEST_LINE} bytes"),
        });
    }
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(read > 0)
}

fn unreadable(path: &Path, source: std::io::Error) -> EntityFileError {
    EntityFileError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, metrics: Option<&[&str]>) -> Result<EntityTable, String> {
        let metrics = metrics.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let table = EntityTable::parse(text.as_bytes(), Path::new("x.csv"), metrics.as_deref());
        table.map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_name_and_the_label_is_not_read() {
        let table = parse("b,label,a\n1,what,2\r\n,1,NaN\n", Some(&["a", "b"])).unwrap();
        assert_eq!(table.rows.row(0), [2.0, 1.0]);
        assert!(table.rows.row(1).iter().all(|value| value.is_nan()));
        assert_eq!((table.rows.len(), table.missing), (2, 2));
    }

    #[test]
    fn what_is_no_row_is_named_with_its_line() {
        let refused = |text, metrics| parse(text, metrics).unwrap_err();
        assert_eq!(
            refused("a,b\n1,2\n1\n", None),
            "`x.csv` line 3: 1 fields where the heading has 2"
        );
        assert_eq!(
            refused("a,b\n1,2e\n", None),
            "`x.csv` line 2: `2e` is no finite number"
        );
        assert_eq!(
            refused("a,b\n1,inf\n", None),
            "`x.csv` line 2: `inf` is no finite number"
        );
        assert_eq!(
            refused("a,c\n", Some(&["a", "b"])),
            "`x.csv` line 1: the training file has no column `c`"
        );
        assert_eq!(
            refused("a\n", Some(&["a", "b"])),
            "`x.csv` line 1: the column `b` of the training file is not there"
        );
        assert_eq!(
            refused("a,a\n", None),
            "`x.csv` line 1: the column `a` is there twice"
        );
        assert_eq!(
            refused("1,2\n", None),
            "`x.csv` line 1: `1` in the heading is no name of a metric"
        );
        assert_eq!(
            refused("label\n", None),
            "`x.csv` line 1: there is no column besides the label"
        );
        assert!(refused("", None).contains("no heading"));
        assert!(refused(&"a".repeat(2 << 20), None).contains("longer than"));
    }
}
