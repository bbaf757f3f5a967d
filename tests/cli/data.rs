//! Data that is missing, damaged, or not what the file declares: exit code 1, the code of the problem, and its place.

use super::program::Folder;

/// A .npy file of version 1.
fn npy(element: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length[..], header.as_bytes(), data].concat()
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn data_that_cannot_be_used_is_named_with_its_place() {
    let folder = Folder::new(&[
        ("three.csv", "a,b,c\n1,2,3\n4,5,6\n"),
        ("ragged.csv", "1,2\n3\n"),
        ("word.csv", "a,b\n1,2\n3,high\n"),
        ("empty.csv", ""),
        ("names.csv", "a,b\n"),
    ]);
    let iris = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.npz")).unwrap();
    folder.write("whole.npz", &iris);
    folder.write("cut.npz", &iris[..iris.len() / 2]);
    folder.write("nan.npy", npy("<f8", "(2, 2)", &doubles(&[1.0, 2.0, f64::NAN, 4.0])));
    folder.write("short.npy", npy("<f8", "(2, 2)", &doubles(&[1.0, 2.0, 3.0])));
    folder.write("none.npy", npy("<f8", "(0, 2)", &[]));
    folder.write("cube.npy", npy("<f8", "(1, 2, 2)", &doubles(&[1.0; 4])));
    folder.write("text.npy", npy("<U1", "(2, 2)", &[0; 16]));
    folder.write("plane.npy", npy("<c16", "(1, 2)", &[0; 32]));
    let cases: [(&str, &[&str]); 17] = [
        ("csv(\"here.csv\")", &["E0501", "here.csv"]),
        ("npz(\"here.npz\")", &["E0501", "here.npz"]),
        ("csv(\"three.csv\")", &["E0503", "Real[3]", "Real[2]"]),
        ("csv(\"three.csv\", columns: [\"a\", \"d\"])", &["`d`"]),
        ("csv(\"ragged.csv\")", &["E0502", "line 2", "1 column"]),
        ("csv(\"word.csv\")", &["line 3", "high"]),
        ("csv(\"empty.csv\")", &["E0505", "no rows"]),
        ("csv(\"names.csv\")", &["E0505", "no rows"]),
        ("npz(\"cut.npz\")", &["E0502", "cut.npz"]),
        ("npz(\"whole.npz\")", &["tenths", "y"]),
        ("npz(\"whole.npz\", key: \"tenths\")", &["E0503", "Real[4]"]),
        ("npy(\"nan.npy\")", &["E0504", "row 1, column 0"]),
        ("npy(\"short.npy\")", &["E0502", "short.npy"]),
        ("npy(\"none.npy\")", &["E0505", "no rows"]),
        ("npy(\"cube.npy\")", &["E0503", "Real[2, 2]"]),
        ("npy(\"text.npy\")", &["E0502", "text.npy"]),
        ("npy(\"plane.npy\")", &["E0502", "plane.npy"]),
    ];
    for (source, words) in cases {
        folder.write("model.tilde", format!("data x : Real[2] = {source}\nmetric size = norm(x)\n"));
        folder.refused(&["run", "model.tilde"], 1, words);
    }
    folder.refused(&["check", "model.tilde"], 1, cases[cases.len() - 1].1);
    assert!(!folder.path("runs").exists(), "a run without data leaves no folder");
}

#[test]
fn grey_pixels_are_no_bits() {
    let folder = Folder::new(&[("grey.tilde", "data x : Bit[64] = digits()\nmetric m = mean(x)\n")]);
    folder.refused(&["run", "grey.tilde"], 1, &["E0304", ".binary", "ContinuousBernoulli"]);
}
