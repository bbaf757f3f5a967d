//! The weights that layers start with.

use crate::program::{compile, parameters};
use tilde_lang::check::model::Model;

fn weights(model: &Model, path: &str) -> (Vec<usize>, Vec<f64>) {
    let (id, _) = model.params.iter().find(|(_, param)| param.path == path).unwrap_or_else(|| panic!("no {path}"));
    let tensor = &parameters(model, &[])[&id];
    (tensor.shape().to_vec(), tensor.to_f64())
}

/// The mean square is within five standard errors of the variance. `kurtosis`: E x⁴ / (E x²)²
fn assert_variance(values: &[f64], variance: f64, kurtosis: f64) {
    let n = values.len() as f64;
    let square = values.iter().map(|x| x * x).sum::<f64>() / n;
    assert!((square / variance - 1.0).abs() < 5.0 * ((kurtosis - 1.0) / n).sqrt(), "{square} instead of {variance}");
    let mean = values.iter().sum::<f64>() / n;
    assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "the mean is {mean}");
}

#[test]
fn dense_layers_start_with_the_variance_of_glorot_and_bengio() {
    let model = compile("net f(x : Real[30]) -> Real[50] = dense[50](tanh(dense[30](x)))", None).unwrap().model;
    let ((first, _), (second, values)) = (weights(&model, "f.dense1.W"), weights(&model, "f.dense2.W"));
    assert_eq!((first, second), (vec![30, 30], vec![50, 30]));
    assert_variance(&values, 2.0 / 80.0, 1.8);
    let largest = values.iter().fold(0.0f64, |largest, w| largest.max(w.abs()));
    assert!(largest < (6.0f64 / 80.0).sqrt() && largest > 0.99 * (6.0f64 / 80.0).sqrt());
    assert_eq!(weights(&model, "f.dense2.b"), (vec![50], vec![0.0; 50]));
}

#[test]
fn every_use_of_a_layer_has_weights_of_its_own() {
    let model = compile("net f(x : Real[8]) -> Real[8] = mlp[8, 8, 8](x)", None).unwrap().model;
    let [a, b, c] = [1, 2, 3].map(|i| weights(&model, &format!("f.mlp1.dense{i}.W")).1);
    assert!(a != b && b != c && a != c);
    assert_eq!(model.params.len(), 6);
}

#[test]
fn embeddings_start_standard_normal() {
    let model = compile("net f(i : Cat<40>) -> Real[50] = embedding[40, 50](i)", None).unwrap().model;
    let (shape, values) = weights(&model, "f.embedding1.table");
    assert_eq!(shape, [40, 50]);
    assert_variance(&values, 1.0, 3.0);
}

#[test]
fn a_parameter_may_start_from_another() {
    let model = compile("param a : Positive = 2\nparam b : Real[2] = a", None).unwrap().model;
    assert_eq!(weights(&model, "b"), (vec![2], vec![2.0, 2.0]));
}
