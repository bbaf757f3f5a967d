//! Layouts of contractions: heads of one width are one product, forward and backward, and mean what the interpreter says.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::graph::{Builder, Graph, TensorType};
use tilde_lang::kernel::{Contract, Step, lower};
use tilde_lang::pass::derivative::gradient;

/// Of rows, positions and width, for each head as many columns: `Σ (x W)²` and its gradients with respect to W and x.
fn heads() -> Graph {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([16, 16, 12]));
    let w = b.input("w", TensorType::real([3, 12, 5]));
    let y = b.contract(x, w, &[0, 1, 2], &[3, 2, 4], &[0, 3, 1, 4]);
    let square = b.mul(y, y);
    let loss = b.sum(square, &[0, 1, 2, 3]);
    let gradients = gradient(&mut b, loss, &[w, x], None).expect("contractions have derivatives");
    let [of_w, of_x] = [gradients[0], gradients[1]];
    b.finish(&[y, of_w, of_x]).expect("well typed")
}

#[test]
fn heads_are_one_product() {
    let kernels = lower(&heads(), &[]).expect("lowers");
    let products: Vec<&Contract> =
        kernels.steps.iter().filter_map(|step| if let Step::Contract(c) = step { Some(c) } else { None }).collect();
    assert_eq!(products.len(), 3);
    for product in products {
        assert!(product.batch.is_empty() && product.inner.len() == 1, "{product:?}");
    }
}

#[test]
fn layouts_agree_with_the_interpreter() {
    let graph = heads();
    let options = PlanOptions { precision: Precision::F64, threads: 1, in_place: vec![] };
    let plans: [Box<dyn Plan>; 2] =
        [Box::new(CpuPlan::new(&graph, &options, false).expect("compiles")), interpreter::compile(&graph, &options).expect("compiles")];
    let [fast, slow] = plans.map(|mut plan| {
        for (number, input) in graph.inputs.iter().enumerate() {
            let values = (0..input.ty.len()).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 500.0);
            plan.set_input(number, Tensor::new(input.ty.clone(), Precision::F64, values));
        }
        plan.run();
        (0..graph.outputs.len()).flat_map(|number| plan.output(number).to_f64()).collect::<Vec<f64>>()
    });
    assert_eq!(fast.len(), slow.len());
    let apart = |(a, b): &(&f64, &f64)| (**a - **b).abs() > 1e-12 * b.abs().max(1.0);
    assert_eq!(fast.iter().zip(&slow).find(apart), None);
}
