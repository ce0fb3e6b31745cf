//! The network of a Keras file: which of its layers is which of ours, and their numbers.
//!
//! Layers are found by how they hang together, from the output back to the input, and not by their names, which are Keras's own
//! counters. A network that is another one, be it by a layer, a width or a function, is refused. What Keras calls the
//! variables of a layer depends on its version: numbers in the order of the layer's own in `.keras` files, names in bare HDF5.

use std::collections::BTreeMap;

use serde_json::Value;
use skywatch_algorithms::learned::{Tensor32, Weights};

use super::hdf5::{Hdf5, Hdf5Object};
use super::zip;

/// Layers that pass on what they get once nothing is learnt, or that only repeat it.
const PASSING: [&str; 3] = ["Dropout", "GaussianNoise", "RepeatVector"];
/// What both norms add to a variance.
const EPSILON: f64 = 1e-3;
/// References in a layer's inputs are looked for so deep.
const DEEPEST: usize = 12;

/// One layer as the file describes it.
#[derive(Debug)]
struct KerasLayer<'c> {
    name: &'c str,
    class: &'c str,
    options: &'c Value,
    inputs: Vec<&'c str>,
}

/// A network as the file describes it.
struct KerasGraph<'c> {
    layers: Vec<KerasLayer<'c>>,
    output: &'c str,
}

/// A layer of ours, what it is in Keras, and which function it has to have.
struct LayerRole {
    ours: &'static str,
    class: &'static str,
    activation: &'static str,
}

const fn role(ours: &'static str, class: &'static str, activation: &'static str) -> LayerRole {
    LayerRole {
        ours,
        class,
        activation,
    }
}

/// From the dense layer before the heads back to the input.
const BODY: [LayerRole; 8] = [
    role("third", "Dense", "gelu"),
    role("writer", "LSTM", "tanh"),
    role("code_norm", "LayerNormalization", ""),
    role("reader", "LSTM", "tanh"),
    role("read_norm", "LayerNormalization", ""),
    role("second", "Dense", "gelu"),
    role("first", "Dense", "gelu"),
    role("input_norm", "BatchNormalization", ""),
];
/// What the output is made of, in order.
const HEADS: [LayerRole; 4] = [
    role("metrics", "Dense", "sigmoid"),
    role("granularity", "Dense", "sigmoid"),
    role("minute", "Dense", "sigmoid"),
    role("weekday", "Dense", "softmax"),
];
/// What the head of the metrics sees beside the body, in order.
const SEEN: [&str; 3] = ["minute", "weekday", "granularity"];

/// The numbers of a Keras file, by our names.
///
/// # Errors
/// In words, what is wrong with the file or its network.
pub(super) fn read(file: &[u8]) -> Result<Weights, String> {
    if zip::is_zip(file) {
        let config = zip::unpack(file, "config.json").map_err(|error| error.to_string())?;
        let numbers = zip::unpack(file, "model.weights.h5").map_err(|error| error.to_string())?;
        let config: Value =
            serde_json::from_slice(&config).map_err(|error| format!("`config.json`: {error}"))?;
        let root = Hdf5::open(&numbers).and_then(|file| file.root());
        let root = root.map_err(|error| format!("`model.weights.h5`: {error}"))?;
        return collect(&config, |layer, place| of_archive(&root, layer, place));
    }
    let root = Hdf5::open(file)
        .and_then(|file| file.root())
        .map_err(|error| error.to_string())?;
    let config = root.text("model_config").map_err(|error| error.to_string())?;
    let config = config.ok_or("it holds numbers without a description of the network")?;
    let config: Value = serde_json::from_str(config).map_err(|error| format!("`model_config`: {error}"))?;
    collect(&config, |layer, _| of_file(&root, layer))
}

/// Fetches the variables of each layer of ours.
fn collect(
    config: &Value,
    variables: impl Fn(&KerasLayer<'_>, &str) -> Result<Vec<Tensor32>, String>,
) -> Result<Weights, String> {
    let graph = KerasGraph::read(config)?;
    let mut weights = Weights::default();
    for (role, layer) in graph.roles()? {
        let names: &[&str] = match role.class {
            "Dense" => &["weight", "bias"],
            "LSTM" => &["weight", "recurrent", "bias"],
            "BatchNormalization" => &["gain", "shift", "mean", "variance"],
            _ => &["gain", "shift"],
        };
        let all = variables(layer, &graph.counted(layer))?;
        if all.len() != names.len() {
            return Err(format!(
                "layer `{}` has {} variables and not {}",
                layer.name,
                all.len(),
                names.len()
            ));
        }
        for (name, tensor) in names.iter().zip(all) {
            weights.0.insert(format!("{}.{name}", role.ours), tensor);
        }
    }
    Ok(weights)
}

impl<'c> KerasGraph<'c> {
    fn read(config: &'c Value) -> Result<Self, String> {
        let config = &config["config"];
        let listed = config["layers"]
            .as_array()
            .ok_or("its description lists no layers")?;
        let layers = listed.iter().map(|layer| {
            let options = &layer["config"];
            let mut inputs = Vec::new();
            references(&layer["inbound_nodes"], DEEPEST, &mut inputs);
            Some(KerasLayer {
                name: options["name"].as_str().or_else(|| layer["name"].as_str())?,
                class: layer["class_name"].as_str()?,
                options,
                inputs,
            })
        });
        let layers: Option<Vec<_>> = layers.collect();
        let mut outputs = Vec::new();
        references(&config["output_layers"], DEEPEST, &mut outputs);
        match (layers, outputs.as_slice()) {
            (Some(layers), [output]) => Ok(Self { layers, output }),
            _ => Err("its description is none of a network with one output".to_owned()),
        }
    }

    fn layer(&self, name: &str) -> Result<&KerasLayer<'c>, String> {
        let found = self.layers.iter().find(|layer| layer.name == name);
        found.ok_or_else(|| format!("its description has no layer `{name}`"))
    }

    /// The layer of that name, or what it passes on.
    fn source(&self, name: &str) -> Result<&KerasLayer<'c>, String> {
        let mut layer = self.layer(name)?;
        for _ in 0..self.layers.len() {
            match (PASSING.contains(&layer.class), layer.inputs.as_slice()) {
                (true, [before]) => layer = self.layer(before)?,
                (true, _) => return Err(format!("layer `{}` has not one input", layer.name)),
                (false, _) => return Ok(layer),
            }
        }
        Err("its description goes in a circle".to_owned())
    }

    /// A layer as the name that files have for it that count the layers of each class.
    fn counted(&self, layer: &KerasLayer<'_>) -> String {
        let same = self.layers.iter().filter(|other| other.class == layer.class);
        let place = same.take_while(|other| other.name != layer.name).count();
        let class = match layer.class {
            "LSTM" => "lstm".to_owned(),
            class => snake_case(class),
        };
        match place {
            0 => class,
            place => format!("{class}_{place}"),
        }
    }

    /// Every layer of ours with its layer in the file.
    fn roles(&self) -> Result<Vec<(&'static LayerRole, &KerasLayer<'c>)>, String> {
        let output = self.source(self.output)?;
        let mut found = Vec::new();
        for (name, role) in self.inputs(output, HEADS.len())?.iter().zip(&HEADS) {
            found.push((role, self.expect(name, role)?));
        }
        let seen = self.source(self.inputs(found[0].1, 1)?[0])?;
        let seen = self.inputs(seen, 1 + SEEN.len())?;
        for (name, ours) in seen[1..].iter().zip(SEEN) {
            let head = found
                .iter()
                .find(|(role, _)| role.ours == ours)
                .map(|(_, layer)| layer.name);
            if head != Some(self.source(name)?.name) {
                return Err("the head of the metrics sees the others in another order".to_owned());
            }
        }
        let mut next = seen[0];
        for role in &BODY {
            let layer = self.expect(next, role)?;
            next = self.inputs(layer, 1)?[0];
            found.push((role, layer));
        }
        match self.source(next)?.class {
            "InputLayer" => Ok(found),
            other => Err(format!("a layer `{other}` stands before the first norm")),
        }
    }

    fn inputs<'l>(&self, layer: &'l KerasLayer<'c>, count: usize) -> Result<&'l [&'c str], String> {
        match layer.inputs.len() == count {
            true => Ok(&layer.inputs),
            false => Err(format!(
                "layer `{}` has {} inputs and not {count}",
                layer.name,
                layer.inputs.len()
            )),
        }
    }

    /// The layer behind a name, if it is what the role asks for.
    fn expect(&self, name: &str, role: &LayerRole) -> Result<&KerasLayer<'c>, String> {
        let layer = self.source(name)?;
        let option = |option: &str| &layer.options[option];
        if layer.class != role.class {
            return Err(format!(
                "layer `{}` is a `{}` and not a `{}`",
                layer.name, layer.class, role.class
            ));
        }
        if !role.activation.is_empty() && option("activation").as_str() != Some(role.activation) {
            return Err(format!(
                "layer `{}` has not the function `{}`",
                layer.name, role.activation
            ));
        }
        let epsilon = option("epsilon").as_f64();
        if role.class.ends_with("Normalization")
            && epsilon.is_none_or(|epsilon| (epsilon - EPSILON).abs() > 1e-9)
        {
            return Err(format!(
                "layer `{}` has another epsilon than {EPSILON}",
                layer.name
            ));
        }
        if role.class == "LSTM" && option("recurrent_activation").as_str() != Some("sigmoid") {
            return Err(format!("layer `{}` has not the gates `sigmoid`", layer.name));
        }
        Ok(layer)
    }
}

/// The names of layers that a description refers to, in order: `["name", 0, 0]`, with whatever around it.
fn references<'v>(value: &'v Value, depth: usize, names: &mut Vec<&'v str>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Array(all) => match all.as_slice() {
            [Value::String(name), Value::Number(_), Value::Number(_), ..] => names.push(name),
            all => all.iter().for_each(|one| references(one, depth - 1, names)),
        },
        Value::Object(fields) => fields.values().for_each(|one| references(one, depth - 1, names)),
        _ => {}
    }
}

/// `LayerNormalization` as `layer_normalization`.
fn snake_case(class: &str) -> String {
    let mut snake = String::new();
    for letter in class.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The variables of a layer in the file of weights of an archive: `layers/NAME/vars/0` and so on, of a memory below `cell`.
fn of_archive(root: &Hdf5Object<'_>, layer: &KerasLayer<'_>, counted: &str) -> Result<Vec<Tensor32>, String> {
    let failed = |error: super::hdf5::Hdf5Error| format!("layer `{}`: {error}", layer.name);
    let missing = || format!("there are no numbers of layer `{}`", layer.name);
    let mut all = None;
    for name in ["layers", "_layer_checkpoint_dependencies"] {
        all = all.or(root.child(name).map_err(failed)?);
    }
    let all = all.ok_or("`model.weights.h5` has no layers")?;
    let group = all.child(counted).map_err(failed)?.ok_or_else(missing)?;
    let holder = match group.child("cell").map_err(failed)? {
        Some(cell) => cell,
        None => group,
    };
    let vars = holder.child("vars").map_err(failed)?.ok_or_else(missing)?;
    let mut numbered = BTreeMap::new();
    for (name, variable) in vars.children().map_err(failed)? {
        let number: usize = name
            .parse()
            .map_err(|_| format!("`{name}` is no variable of layer `{}`", layer.name))?;
        numbered.insert(number, tensor(&variable).map_err(failed)?);
    }
    Ok(numbered.into_values().collect())
}

/// The variables of a layer in bare HDF5, by their names, wherever they lie below the layer's.
fn of_file(root: &Hdf5Object<'_>, layer: &KerasLayer<'_>) -> Result<Vec<Tensor32>, String> {
    let failed = |error: super::hdf5::Hdf5Error| format!("layer `{}`: {error}", layer.name);
    let weights = root.child("model_weights").map_err(failed)?;
    let weights = weights.ok_or("there is no `model_weights`")?;
    let group = weights.child(layer.name).map_err(failed)?;
    let group = group.ok_or_else(|| format!("there are no numbers of layer `{}`", layer.name))?;
    let mut found = BTreeMap::new();
    named(&group, DEEPEST, &mut found).map_err(failed)?;
    let order: &[&str] = match layer.class {
        "Dense" => &["kernel", "bias"],
        "LSTM" => &["kernel", "recurrent_kernel", "bias"],
        "BatchNormalization" => &["gamma", "beta", "moving_mean", "moving_variance"],
        _ => &["gamma", "beta"],
    };
    let all = order.iter().map(|name| {
        let tensor = found.remove(*name);
        tensor.ok_or_else(|| format!("layer `{}` has no `{name}`", layer.name))
    });
    all.collect()
}

/// All datasets below a group by their names, without the `:0` behind them.
fn named(
    group: &Hdf5Object<'_>,
    depth: usize,
    found: &mut BTreeMap<String, Tensor32>,
) -> Result<(), super::hdf5::Hdf5Error> {
    if depth == 0 {
        return Ok(());
    }
    for (name, child) in group.children()? {
        if child.is_dataset() {
            let name = name.split(':').next().unwrap_or_default().to_owned();
            found.insert(name, tensor(&child)?);
        } else {
            named(&child, depth - 1, found)?;
        }
    }
    Ok(())
}

fn tensor(variable: &Hdf5Object<'_>) -> Result<Tensor32, super::hdf5::Hdf5Error> {
    let numbers = variable.numbers()?;
    Ok(Tensor32 {
        shape: numbers.shape,
        data: numbers.data,
    })
}
