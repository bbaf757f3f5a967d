//! Pictures decode as PNG, have the size that their content asks for, and show what they were given.

use image::{DynamicImage, GenericImageView};
use std::path::Path;
use tilde_lang::base::{Code, Span};
use tilde_lang::check::model::{Argument, Source};
use tilde_lang::report::picture::{histogram, image_grid, image_rows, loss_curve, path, scatter};
use tilde_lang::runtime::data::load;

/// Decodes, and keeps the file where TILDE_PICTURES names a folder, to be looked at.
fn decoded(name: &str, png: &[u8]) -> DynamicImage {
    if let Some(folder) = std::env::var_os("TILDE_PICTURES") {
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
    image::load_from_memory(png).unwrap()
}

fn source(name: &str, field: Option<&str>, arguments: &[(&str, f64)], seed: u32) -> Vec<f64> {
    let args = arguments.iter().map(|(name, value)| (Some((*name).to_owned()), Argument::Number(*value))).collect();
    let source = Source::Named { name: name.into(), args, field: field.map(str::to_owned), span: Span::default() };
    load(&source, Path::new(""), seed).unwrap().values.iter().collect()
}

/// How much of the picture is close to the colour of samples.
fn blue(picture: &DynamicImage) -> f64 {
    let pixels = picture.to_rgb8();
    let blue = pixels.pixels().filter(|p| i32::from(p[2]) - i32::from(p[0]) > 60).count();
    blue as f64 / f64::from(picture.width() * picture.height())
}

#[test]
fn images_lie_in_a_near_square_grid_of_enlarged_pixels() {
    let digits = source("digits", None, &[], 0);
    let picture = decoded("grid", &image_grid(&digits[..64 * 60], 60, 8, 8).unwrap());
    // 8 columns of 8 pixels, each enlarged 12 times, between gaps of 2.
    assert_eq!(picture.dimensions(), (8 * 98 + 2, 8 * 98 + 2));
    let grey = |x, y| picture.get_pixel(x, y)[0];
    // The digit 0 begins with the pixels 0, 0, 5, 13 of 16.
    assert_eq!([grey(2, 2), grey(2 + 25, 2), grey(2 + 37, 13), grey(2 + 47, 2)], [0, 80, 207, 207]);
    assert_eq!(decoded("wide", &image_grid(&[0.0, 0.5, 1.0], 1, 1, 3).unwrap()).dimensions(), (3 * 53 + 4, 53 + 4));
    let mnist = source("mnist", None, &[], 0);
    decoded("mnist", &image_grid(&mnist[..784 * 100], 100, 28, 28).unwrap());
}

/// Two draws of three images of one pixel: a column for each draw.
#[test]
fn arrays_of_images_are_columns() {
    let picture = decoded("rows", &image_rows(&[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 2, 3, 1, 1).unwrap());
    let tile = (picture.width() - 2) / 2;
    let grey = |column: u32, row: u32| picture.get_pixel(2 + column * tile, 2 + row * tile)[0];
    assert_eq!([grey(0, 0), grey(0, 1), grey(0, 2), grey(1, 0), grey(1, 1), grey(1, 2)], [0, 51, 102, 153, 204, 255]);
}

#[test]
fn values_beyond_zero_and_one_set_the_range() {
    let picture = decoded("range", &image_grid(&[-1.0, 1.0], 1, 1, 2).unwrap());
    assert_eq!((picture.get_pixel(2, 2)[0], picture.get_pixel(picture.width() - 3, 2)[0]), (0, 255));
}

#[test]
fn scatters_show_samples_over_data() {
    let moons = |seed| source("moons", None, &[("n", 4000.0)], seed);
    let samples = source("moons", None, &[("n", 2000.0), ("noise", 0.1)], 1);
    let both = decoded("scatter", &scatter("points", &samples, Some(&moons(0))).unwrap());
    assert!((0.01..0.3).contains(&blue(&both)), "{}", blue(&both));
    decoded("gaussians", &scatter("draws", &source("gaussians", None, &[("k", 8.0)], 0), None).unwrap());
    decoded("board", &scatter("board", &source("checkerboard", None, &[], 0), None).unwrap());
    let roll = source("swiss_roll", None, &[], 0);
    decoded("roll", &scatter("roll", &roll, Some(&source("swiss_roll", None, &[("noise", 0.0)], 0))).unwrap());
    // A single point, far outliers and values that are not numbers are no reason to fail.
    assert!(blue(&decoded("one", &scatter("one", &[3.0, 3.0], None).unwrap())) > 0.0);
    let diverged = scatter("nan", &[f64::NAN, 0.0, 1.0, f64::INFINITY, 0.5, 1e300, -1e308, 1e308], None).unwrap();
    assert_eq!(decoded("nan", &diverged).dimensions(), (640, 642));
}

#[test]
fn histograms_show_densities_and_counts() {
    let lengths: Vec<f64> = source("iris", None, &[], 0).chunks(4).map(|row| row[2]).collect();
    let normal: Vec<f64> = source("gaussians", None, &[("k", 1.0), ("std", 0.8)], 0).iter().map(|x| 2.0 + x).collect();
    assert!(blue(&decoded("histogram", &histogram("petal", &normal, Some(&lengths)).unwrap())) > 0.002);
    let labels = source("mnist", Some("labels"), &[], 0);
    decoded("labels", &histogram("labels", &labels, None).unwrap());
    decoded("constant", &histogram("constant", &[0.25; 10], None).unwrap());
    decoded("diverged", &histogram("diverged", &[1e300, -1e308, 1e308, f64::NAN, 2.0], None).unwrap());
}

#[test]
fn curves_and_paths_are_lines() {
    let noise = source("gaussians", None, &[("k", 1.0), ("radius", 0.0), ("std", 1.0)], 3);
    let losses: Vec<(f64, f64)> = (0..2000).map(|i| (10.0 * i as f64, 90.0 + 450.0 / (1.0 + i as f64 / 20.0) + 3.0 * noise[i])).collect();
    assert!(blue(&decoded("loss", &loss_curve("loss", &losses).unwrap())) > 0.002);
    let mut walks = noise[..16 * 200].to_vec();
    for walk in walks.chunks_mut(200) {
        (2..200).for_each(|i| walk[i] += walk[i - 2]);
    }
    assert!(blue(&decoded("plane", &path("plane", &walks, 16, 100, 2).unwrap())) > 0.001);
    assert!(
        blue(&decoded("series", &path("series", &walks.iter().step_by(2).copied().take(800).collect::<Vec<_>>(), 8, 100, 1).unwrap()))
            > 0.001
    );
}

#[test]
fn what_cannot_be_drawn_is_said() {
    for error in [
        image_grid(&[0.0; 5], 1, 2, 2),
        image_grid(&[], 0, 2, 2),
        image_rows(&[0.0; 5], 1, 2, 1, 2),
        scatter("s", &[1.0, 2.0, 3.0], None),
        scatter("s", &[], None),
        histogram("h", &[], None),
        path("p", &[0.0; 6], 1, 2, 3),
        loss_curve("l", &[(0.0, f64::NAN)]),
    ] {
        assert_eq!(error.unwrap_err().code, Code::ShapeMismatch);
    }
}
