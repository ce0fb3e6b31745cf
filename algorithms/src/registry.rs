//! The classic detectors by name. A new one is its file in [`classic`](crate::classic) and one line of [`TABLE`] here.

use crate::classic::{
    FirstHourAverage, Grubbs, HistogramBins, Iqr, KsTest, LeastSquares, MeanSubtractionCumulation,
    MedianAbsoluteDeviation, StddevFromAverage, StddevFromMovingAverage,
};
use crate::detector::Detector;
use crate::flavour::ClassicFlavour;

type Make = fn(ClassicFlavour) -> Box<dyn Detector>;

/// A detector that has a name.
struct Registered {
    name: &'static str,
    make: Make,
    /// Its place among etsy's nine; `None` for one that is none of the nine and is asked only where it is named.
    etsy: Option<u8>,
}

const fn skyline(name: &'static str, etsy: u8, make: Make) -> Registered {
    Registered {
        name,
        make,
        etsy: Some(etsy),
    }
}

const fn further(name: &'static str, make: Make) -> Registered {
    Registered {
        name,
        make,
        etsy: None,
    }
}

/// Skyline's nine in earthgecko's order, then further ones.
const TABLE: [Registered; 10] = [
    skyline("histogram_bins", 6, |flavour| {
        Box::new(HistogramBins::new(flavour))
    }),
    skyline("first_hour_average", 0, |flavour| {
        Box::new(FirstHourAverage::new(flavour))
    }),
    skyline("stddev_from_average", 2, |_| Box::new(StddevFromAverage)),
    skyline("grubbs", 5, |flavour| Box::new(Grubbs::new(flavour))),
    skyline("ks_test", 8, |flavour| Box::new(KsTest::new(flavour))),
    skyline("mean_subtraction_cumulation", 1, |flavour| {
        Box::new(MeanSubtractionCumulation::new(flavour))
    }),
    skyline("median_absolute_deviation", 7, |flavour| {
        Box::new(MedianAbsoluteDeviation::new(flavour))
    }),
    skyline("stddev_from_moving_average", 3, |_| {
        Box::new(StddevFromMovingAverage)
    }),
    skyline("least_squares", 4, |flavour| Box::new(LeastSquares::new(flavour))),
    further("iqr", |_| Box::new(Iqr)),
];

/// The detector of this name, in this flavour. `None` for a name that is not among [`names`].
#[must_use]
pub fn by_name(name: &str, flavour: ClassicFlavour) -> Option<Box<dyn Detector>> {
    let registered = TABLE.iter().find(|registered| registered.name == name)?;
    Some((registered.make)(flavour))
}

/// Every name [`by_name`] knows: Skyline's nine in earthgecko's order, then the further ones.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    TABLE.iter().map(|registered| registered.name)
}

/// Skyline's nine, in the flavour's own order.
#[must_use]
pub fn nine(flavour: ClassicFlavour) -> Vec<Box<dyn Detector>> {
    let mut nine: Vec<&Registered> = TABLE
        .iter()
        .filter(|registered| registered.etsy.is_some())
        .collect();
    if flavour == ClassicFlavour::Etsy {
        nine.sort_by_key(|registered| registered.etsy);
    }
    nine.into_iter()
        .map(|registered| (registered.make)(flavour))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_a_detector_of_that_name() {
        for flavour in [ClassicFlavour::Earthgecko, ClassicFlavour::Etsy] {
            for name in names() {
                assert_eq!(
                    by_name(name, flavour)
                        .map(|detector| detector.name().to_owned())
                        .as_deref(),
                    Some(name)
                );
            }
            assert!(by_name("no_such", flavour).is_none());
            assert_eq!(nine(flavour).len(), 9);
        }
        let etsy = nine(ClassicFlavour::Etsy);
        let etsy: Vec<&str> = etsy.iter().map(|detector| detector.name()).collect();
        assert_eq!((etsy[0], etsy[8]), ("first_hour_average", "ks_test"));
    }
}
