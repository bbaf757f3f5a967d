//! The standard library: its files, compiled in.

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../stdlib/", $path)))),*]
    };
}

/// Name and text of every file.
pub const FILES: &[(&str, &str)] = files! {
    "activations.tilde"
    "constraints.tilde"
    "distributions/continuous.tilde"
    "distributions/discrete.tilde"
    "distributions/multivariate.tilde"
    "layers.tilde"
    "math.tilde"
    "optimizers.tilde"
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { usize::from(path.extension().is_some_and(|e| e == "tilde")) }).sum()
    }

    #[test]
    fn no_file_of_the_library_is_left_out() {
        assert_eq!(super::FILES.len(), count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib")));
    }
}
