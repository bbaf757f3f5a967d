//! Data sources: what each yields, and what it says when it cannot.

use std::path::{Path, PathBuf};
use tilde_lang::backend::{Precision, Tensor};
use tilde_lang::base::diagnostic::Result;
use tilde_lang::base::op::DType;
use tilde_lang::base::size::Size;
use tilde_lang::base::{Code, Span};
use tilde_lang::check::model::{Argument, Source};
use tilde_lang::check::types::{ArrayType, Support};
use tilde_lang::graph::TensorType;
use tilde_lang::runtime::data::{Array, Values, conform, is_held_out, load, split};
use tilde_lang::runtime::output::write_npy;

type Call<'a> = &'a [(&'a str, Argument)];

/// The array of `name(arguments).field`; an argument without a name goes by position.
fn read_in(folder: &Path, name: &str, arguments: Call, field: Option<&str>, seed: u32) -> Result<Array> {
    let named = |(name, value): &(&str, Argument)| ((!name.is_empty()).then(|| (*name).to_owned()), value.clone());
    let args = arguments.iter().map(named).collect();
    let source = Source::Named { name: name.into(), args, field: field.map(str::to_owned), span: Span::default() };
    load(&source, folder, seed)
}

fn read(name: &str, arguments: Call, seed: u32) -> Result<Array> {
    read_in(Path::new(""), name, arguments, None, seed)
}

fn number(value: f64) -> (&'static str, Argument) {
    ("", Argument::Number(value))
}

fn named(name: &str, value: f64) -> (&str, Argument) {
    (name, Argument::Number(value))
}

fn text(value: &str) -> (&'static str, Argument) {
    ("", Argument::Text(value.into()))
}

fn builtin(name: &str, field: &str) -> Array {
    read_in(Path::new(""), name, &[], Some(field), 0).unwrap()
}

fn of(support: Support, shape: &[i64]) -> ArrayType {
    ArrayType { support, shape: shape.iter().map(|&size| Size::from(size)).collect() }
}

fn cat(k: i64) -> Support {
    Support::Cat(Size::from(k))
}

#[test]
fn mnist_is_scaled_or_binary_or_as_stored() {
    let (grey, binary) = (builtin("mnist", "features"), builtin("mnist", "binary"));
    assert_eq!((&grey.shape[..], &binary.shape[..]), (&[10_000, 784][..], &[10_000, 784][..]));
    assert_eq!(grey.values.iter().map(|pixel| (pixel * 255.0).round()).sum::<f64>(), 262_146_600.0);
    assert!(grey.values.iter().zip(binary.values.iter()).all(|(g, b)| (g * 255.0 > 127.5) == (b == 1.0)));
    let images = builtin("mnist", "images");
    assert_eq!(images.shape, [10_000, 28, 28]);
    assert!(images.values.iter().zip(grey.values.iter()).all(|(level, g)| level == (g * 255.0).round()));
    assert!(conform(&images.clone().flattened(&[784]), &of(cat(256), &[784])).is_ok());
    assert!(conform(&images.flattened(&[28]), &of(Support::Int, &[28])).is_err());
    assert_eq!(builtin("mnist", "labels").values.iter().take(4).collect::<Vec<_>>(), [9.0, 0.0, 2.0, 5.0]);
}

#[test]
fn digits_and_iris_are_those_of_the_literature() {
    let digits = builtin("digits", "features");
    assert_eq!(digits.shape, [1797, 64]);
    assert_eq!((0..6).map(|i| digits.values.get(i) * 16.0).collect::<Vec<_>>(), [0.0, 0.0, 5.0, 13.0, 9.0, 1.0]);
    assert_eq!(builtin("digits", "binary").values.iter().take(6).collect::<Vec<_>>(), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    let iris = builtin("iris", "features");
    assert_eq!((iris.values.get(0), iris.values.get(1)), (5.1, 3.5));
    assert!(conform(&builtin("iris", "labels"), &of(cat(3), &[])).is_ok());
}

#[test]
fn moons_lie_on_two_half_circles() {
    let draw = |seed| read("moons", &[number(500.0), named("noise", 0.0)], seed).unwrap();
    let moons = draw(7);
    assert_eq!(moons.shape, [500, 2]);
    let mut upper = 0;
    for row in 0..500 {
        let (x, y) = (moons.values.get(2 * row), moons.values.get(2 * row + 1));
        let on_upper = (x.hypot(y) - 1.0).abs() < 1e-6 && y >= -1e-6;
        let on_lower = ((x - 1.0).hypot(y - 0.5) - 1.0).abs() < 1e-6 && y <= 0.5 + 1e-6;
        assert!(on_upper || on_lower, "({x}, {y})");
        upper += usize::from(on_upper);
    }
    assert!((180..=320).contains(&upper));
    assert_eq!(moons, draw(7));
    assert_ne!(moons, draw(8));
}

/// Rows do not depend on how many there are; the noise has the scale that was asked for.
#[test]
fn generated_rows_are_functions_of_seed_and_row() {
    let draw = |n, std| read("gaussians", &[number(8.0), named("n", n), named("std", std)], 1).unwrap();
    let (few, many, exact) = (draw(100.0, 0.05), draw(4000.0, 0.05), draw(4000.0, 0.0));
    assert_eq!(few.values.iter().collect::<Vec<_>>(), many.values.iter().take(200).collect::<Vec<_>>());
    let variance: f64 = many.values.iter().zip(exact.values.iter()).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 8000.0;
    // The standard error of a standard deviation from 8000 draws is 0.8 %.
    assert!((variance.sqrt() / 0.05 - 1.0).abs() < 0.03);
    assert!(exact.values.iter().collect::<Vec<_>>().chunks(2).all(|p| (p[0].hypot(p[1]) - 2.0).abs() < 1e-6));
}

#[test]
fn a_checkerboard_leaves_every_other_square_empty() {
    let board = read("checkerboard", &[number(2000.0)], 0).unwrap();
    let mut squares = std::collections::BTreeSet::new();
    for point in board.values.iter().collect::<Vec<_>>().chunks(2) {
        let (column, row) = ((point[0] / 2.0).floor() as i32, (point[1] / 2.0).floor() as i32);
        assert!((-2..2).contains(&column) && (-2..2).contains(&row) && (column + row) % 2 == 0, "{point:?}");
        squares.insert((column, row));
    }
    assert_eq!(squares.len(), 8);
}

#[test]
fn every_tenth_row_is_held_out() {
    assert_eq!((0..40).filter(|&row| is_held_out(row, 0.1)).collect::<Vec<_>>(), [9, 19, 29, 39]);
    for (rows, fraction, expected) in [(100_000, 0.1, 10_000), (100_000, 0.3, 30_000), (9, 1.0 / 3.0, 3), (7, 0.5, 3)] {
        let found = split(rows, fraction).unwrap();
        assert_eq!((found.held_out.len(), found.train.len()), (expected, rows - expected), "{fraction} of {rows}");
    }
    assert_eq!(split(5, 0.1).unwrap_err().code, Code::BadSetting);
    assert_eq!(split(5, 1.0).unwrap_err().code, Code::BadSetting);
    assert!(split(5, 0.0).unwrap().held_out.is_empty());
}

#[test]
fn calls_are_checked() {
    let code = |name: &str, arguments: Call| read(name, arguments, 0).unwrap_err();
    assert_eq!(code("moon", &[]).help.unwrap(), "did you mean `moons`?");
    assert_eq!(code("moons", &[named("nois", 0.1)]).help.unwrap(), "did you mean `noise`?");
    assert_eq!(code("moons", &[number(0.5)]).code, Code::BadSetting);
    assert_eq!(code("moons", &[text("x")]).code, Code::TypeMismatch);
    assert_eq!(code("gaussians", &[]).code, Code::ArgumentCount);
    assert_eq!(code("iris", &[number(1.0)]).code, Code::ArgumentCount);
    let field = read_in(Path::new(""), "mnist", &[], Some("lables"), 0).unwrap_err();
    assert_eq!((field.code, field.help.as_deref()), (Code::UnknownArgument, Some("did you mean `.labels`?")));
}

#[test]
fn conform_names_the_first_offender() {
    let array = |shape: &[usize], values: &[f64]| Array::new("x", shape, Values::Doubles(values.to_vec()));
    let judge = |values: &[f64], support| conform(&array(&[2, 2], values), &of(support, &[2]));
    assert!(judge(&[0.0, 1.0, 1.0, 0.0], Support::Bit).is_ok());
    let grey = judge(&[0.0, 1.0, 0.25, 0.0], Support::Bit).unwrap_err();
    assert_eq!(grey.code, Code::NotADensity);
    assert_eq!(grey.message, "x holds grey values, first 0.25 in row 1, column 0 (from 0); Bit allows 0 and 1");
    assert!(grey.help.unwrap().contains("ContinuousBernoulli"));
    assert_eq!(judge(&[0.0, 1.0, 2.0, 0.0], Support::Bit).unwrap_err().code, Code::DataValue);
    let infinite = judge(&[0.0, 1.0, 2.0, f64::NEG_INFINITY], Support::Real).unwrap_err();
    assert_eq!(infinite.message, "x holds -inf in row 1, column 1 (from 0); Real allows finite numbers");
    assert_eq!(judge(&[1.0, 2.0, 3.0, 4.0], cat(4)).unwrap_err().help.unwrap(), "categories count from 0; is Cat<5> meant?");
    assert!(judge(&[-1.0, 1.0, 1.0, -1.0], Support::Spin).is_ok());
    assert!(judge(&[1.0, 0.0, 0.5, 0.5], Support::Simplex).is_ok());
    assert!(judge(&[1.0, 0.0, 0.5, 0.6], Support::Simplex).unwrap_err().message.contains("row 1"));
    assert!(judge(&[1.0, 2.0, f64::NAN, 0.0], Support::Int).is_err());
    assert!(judge(&[1.0, 2.0, 3.0, 3.0], Support::Ordered).unwrap_err().message.ends_with("row 1, column 0 (from 0) on do not increase"));
    let matrix = |values: &[f64]| conform(&array(&[1, 2, 2], values), &of(Support::Cov, &[2, 2]));
    assert!(matrix(&[2.0, 0.5, 0.5, 1.0]).is_ok());
    assert_eq!(matrix(&[2.0, 0.5, -0.5, 1.0]).unwrap_err().code, Code::DataValue);

    let shape = conform(&array(&[2, 3], &[0.0; 6]), &of(Support::Real, &[4])).unwrap_err();
    assert_eq!((shape.code, &shape.message[..]), (Code::DataShape, "a row of x is Real[3], the declared type is Real[4]"));
    assert_eq!(conform(&array(&[0, 3], &[]), &of(Support::Real, &[3])).unwrap_err().code, Code::DataEmpty);
    let image = conform(&array(&[1, 2, 3], &[0.0, 0.0, 0.0, 0.0, 9.0, 0.0]), &of(Support::Unit, &[2, 3])).unwrap_err();
    assert!(image.message.contains("row 0, place [1, 1]"), "{}", image.message);
}

/// A folder with one file.
fn file(name: &str, contents: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, contents).unwrap();
    (folder, path)
}

fn csv(contents: &str, columns: Option<&[&str]>, field: Option<&str>) -> Result<Array> {
    let (_folder, path) = file("t.csv", contents.as_bytes());
    let list = |names: &[&str]| Argument::List(names.iter().map(|&name| Argument::Text(name.into())).collect());
    let mut arguments = vec![("", Argument::Text(path.display().to_string()))];
    arguments.extend(columns.map(|names| ("columns", list(names))));
    read_in(Path::new(""), "csv", &arguments, field, 0)
}

#[test]
fn csv_reads_numbers_under_names() {
    let table = csv("\u{feff}a, b\n1,2.5\n-3,1e3\n", None, None).unwrap();
    assert_eq!((&table.shape[..], &table.values), (&[2, 2][..], &Values::Doubles(vec![1.0, 2.5, -3.0, 1000.0])));
    assert_eq!(csv("1,2\n3,4\n", None, None).unwrap().shape, [2, 2]);
    assert_eq!(csv("a,b\n1,2\n", Some(&["b", "a"]), None).unwrap().values, Values::Doubles(vec![2.0, 1.0]));
    let column = csv("a,name\n1,x\n2,y\n", None, Some("a")).unwrap();
    assert_eq!((&column.shape[..], &column.values), (&[2][..], &Values::Doubles(vec![1.0, 2.0])));
}

#[test]
fn csv_names_line_and_column_of_a_bad_cell() {
    let error = |contents: &str| csv(contents, None, None).unwrap_err();
    let bad = error("a,b\n1,2\n3,x\n");
    assert_eq!(bad.code, Code::DataFormat);
    assert!(bad.message.ends_with("line 3, column 2 (b) holds \"x\", which is not a number"), "{}", bad.message);
    assert!(error("a,b\n1,\n").message.ends_with("line 2, column 2 (b) is empty"));
    let nan = error("1,2\nnan,3\n");
    assert!(nan.code == Code::DataValue && nan.message.ends_with("line 2, column 1 holds nan"), "{}", nan.message);
    assert!(error("1,2\n3\n").message.ends_with("line 2 has 1 columns; the lines before it have 2"));
    assert_eq!(error("1,x\n3,4\n").code, Code::DataFormat);
    assert_eq!(error("a,b\n").code, Code::DataEmpty);
    assert_eq!(error("").code, Code::DataEmpty);
    assert_eq!(csv("alpha,beta\n1,2\n", None, Some("alhpa")).unwrap_err().help.unwrap(), "did you mean `alpha`?");
    assert_eq!(csv("1,2\n", None, Some("a")).unwrap_err().code, Code::UnknownArgument);
}

#[test]
fn a_missing_file_suggests_one_that_is_there() {
    let (folder, _) = file("pairs.csv", b"1,2\n");
    let missing = read_in(folder.path(), "csv", &[text("pair.csv")], None, 0).unwrap_err();
    assert_eq!((missing.code, missing.help.as_deref()), (Code::DataMissing, Some("did you mean \"pairs.csv\"?")));
}

#[test]
fn npy_reads_every_type_and_order() {
    let header = |descr: &str, fortran: &str, shape: &str| {
        let dict = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        let padded = format!("{dict:<117}\n");
        [&b"\x93NUMPY\x01\x00\x76\x00"[..], padded.as_bytes()].concat()
    };
    let read = |head: Vec<u8>, data: &[u8]| {
        let (folder, _) = file("x.npy", &[&head[..], data].concat());
        read_in(folder.path(), "npy", &[text("x.npy")], None, 0)
    };
    let big = read(header(">i2", "False", "(2,)"), &[0, 1, 0xff, 0xfe]).unwrap();
    assert_eq!((&big.shape[..], &big.values), (&[2][..], &Values::Ints(vec![1, -2])));
    let fortran = read(header("|u1", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]).unwrap();
    assert_eq!(fortran.values, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
    let deep = read(header("|u1", "True", "(2, 2, 2)"), &[0, 4, 2, 6, 1, 5, 3, 7]).unwrap();
    assert_eq!(deep.values, Values::Bytes(vec![0, 1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(read(header("<f8", "False", "(1,)"), &0.1f64.to_le_bytes()).unwrap().values, Values::Doubles(vec![0.1]));
    assert_eq!(read(header(">f4", "False", "(1,)"), &0.1f32.to_be_bytes()).unwrap().values, Values::Singles(vec![0.1]));
    assert_eq!(read(header("|b1", "False", "(2,)"), &[1, 0]).unwrap().values, Values::Bytes(vec![1, 0]));

    let error = |descr: &str, shape: &str, data: &[u8]| read(header(descr, "False", shape), data).unwrap_err();
    assert!(error("<f8", "(2,)", &[0; 15]).message.contains("truncated"));
    assert_eq!(error("<f8", "(4000000000, 4000000000)", &[0; 15]).code, Code::DataFormat);
    assert_eq!(error("<c16", "(1,)", &[0; 16]).code, Code::DataFormat);
    assert_eq!(error("<f8", "()", &[0; 8]).code, Code::DataShape);
    assert_eq!(read(vec![], b"hello").unwrap_err().code, Code::DataFormat);
}

#[test]
fn what_is_written_as_npy_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let round = |dtype, precision, values: &[f64]| {
        let tensor = Tensor::new(TensorType::new(dtype, [2, 2]), precision, values.iter().copied());
        write_npy(&folder.path().join("x.npy"), &tensor).unwrap();
        read_in(folder.path(), "npy", &[text("x.npy")], None, 0).unwrap().into_tensor(dtype, precision) == tensor
    };
    for precision in [Precision::F32, Precision::F64] {
        assert!(round(DType::Real, precision, &[0.1, -2.0, 1e-40, f64::MAX]));
        assert!(round(DType::Int, precision, &[0.0, -1.0, 2e9, 7.0]));
    }
}

#[test]
fn npz_asks_for_a_key_where_there_are_several() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let npz = |field: Option<&str>| read_in(folder, "npz", &[text("data/iris.npz")], field, 0);
    assert_eq!(npz(Some("tenths")).unwrap().shape, [150, 4]);
    assert!(npz(None).unwrap_err().help.unwrap().contains("tenths, y"));
    assert_eq!(npz(Some("tenth")).unwrap_err().help.unwrap(), "did you mean `.tenths`?");
}

#[test]
fn idx_reads_big_endian_arrays() {
    let idx = |contents: &[u8], field: Option<&str>| {
        let (folder, _) = file("train-images-idx3-ubyte", contents);
        read_in(folder.path(), "idx", &[text("train-images-idx3-ubyte")], field, 0)
    };
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 51, 127, 255];
    let raw = idx(&images, None).unwrap();
    assert_eq!((&raw.shape[..], &raw.values), (&[2, 1, 2][..], &Values::Bytes(vec![0, 51, 127, 255])));
    let scaled = idx(&images, Some("features")).unwrap();
    assert_eq!((&scaled.shape[..], scaled.values.get(1)), (&[2, 2][..], f64::from(0.2f32)));
    assert_eq!(idx(&images, Some("binary")).unwrap().values, Values::Bytes(vec![0, 0, 0, 1]));
    assert_eq!(idx(&[0, 0, 0x0c, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe], None).unwrap().values, Values::Ints(vec![-2]));
    for damage in [&images[..19], &images[..9], b"\x1f\x8b\x08\x00\x00", b"", &[0, 0, 7, 1, 0, 0, 0, 0]] {
        assert_eq!(idx(damage, None).unwrap_err().code, Code::DataFormat);
    }
}
