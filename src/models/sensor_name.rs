//! How the model of a sensor is called.

use crate::hash::hash;

/// Letters of a sensor's name that its model has, at most: what is left of a hundred is for the checksum.
const LONGEST: usize = 80;
/// Names that other models have.
const TAKEN: [&str; 1] = ["families"];

/// The name of the model of a sensor: the sensor's own where that is a name of a model and no other's, else one with its odd
/// letters replaced and with a checksum, so that no two sensors have the same.
#[must_use]
pub fn model_of_sensor(sensor: &str) -> String {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = !sensor.is_empty() && sensor.len() <= LONGEST && sensor.chars().all(right);
    if is_name && !TAKEN.contains(&sensor) {
        return sensor.to_owned();
    }
    let plain = sensor.chars().map(|c| if right(c) { c } else { '_' });
    let plain: String = plain.take(LONGEST).collect();
    format!("{plain}-{:016x}", hash(sensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_has_a_name_of_its_own() {
        assert_eq!(model_of_sensor("FlowSensor"), "FlowSensor");
        let odd = model_of_sensor("edge router/1");
        assert!(odd.starts_with("edge_router_1-") && odd.len() <= 100, "{odd}");
        assert_ne!(odd, model_of_sensor("edge router:1"));
        assert_ne!(model_of_sensor("families"), "families");
        assert!(model_of_sensor(&"ä".repeat(500)).len() <= 100);
    }
}
