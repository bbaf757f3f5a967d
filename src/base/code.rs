//! The stable codes of all diagnostics. Each has a page in `docs/errors/`, shown by `tilde explain`.
//!
//! E00xx text and syntax, E01xx names, E02xx types and sizes, E03xx densities, E04xx derivatives and
//! graphs, E05xx data, E06xx running, E09xx the compiler itself.

use std::str::FromStr;

macro_rules! codes {
    ($($variant:ident = $code:literal, $title:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code),* }
            }

            /// The one-line title of the code's page.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title),* }
            }

            /// The page that `tilde explain` prints, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Code::$variant => include_str!(concat!("../../docs/errors/", $code, ".md"))),* }
            }
        }
    };
}

codes! {
    Syntax = "E0001", "the text does not follow the grammar";
    TooDeep = "E0002", "expressions are nested too deeply";
    UnknownName = "E0101", "a name is not declared";
    DuplicateName = "E0102", "a name is declared twice";
    WrongKind = "E0103", "a name is used as something it is not";
    LatentWithoutValue = "E0104", "a latent variable has no value here";
    Cycle = "E0105", "declarations depend on each other in a circle";
    ShapeMismatch = "E0201", "shapes do not agree";
    TypeMismatch = "E0202", "types do not agree";
    ArgumentCount = "E0203", "wrong number of arguments";
    UnknownArgument = "E0204", "an argument, setting or member does not exist";
    SizeNotKnown = "E0205", "a size cannot be inferred";
    OutOfRange = "E0206", "an index or a size is out of range";
    SupportMismatch = "E0207", "a value lies outside the support of its type";
    UnknownVariable = "E0301", "a density is queried for a variable it does not have";
    NoRule = "E0302", "no rule answers this query";
    DuplicateFactor = "E0303", "a variable has two factors";
    NotADensity = "E0304", "this likelihood is not a density of this data";
    NoEstimator = "E0305", "this expectation cannot be estimated with a gradient";
    MeasureMismatch = "E0306", "log-densities over different measures are subtracted or compared";
    NoBits = "E0307", "bits per dimension of what is not the log-probability of discrete data";
    GlobalByRow = "E0315", "a value that all rows share depends on one row";
    NotInvertible = "E0320", "a map cannot be inverted";
    WrongBijector = "E0321", "what a bijector gives does not belong to its forward map";
    NoKernel = "E0340", "a process has no transition kernel in closed form";
    NoProcess = "E0341", "an equation does not define a process";
    NoDerivative = "E0401", "an operation has no derivative";
    NotScalar = "E0402", "a scalar is needed";
    DataMissing = "E0501", "a data file cannot be read";
    DataFormat = "E0502", "a data file is damaged or of another format";
    DataShape = "E0503", "data does not have the declared type";
    DataValue = "E0504", "data holds a value outside the declared support";
    DataEmpty = "E0505", "data has no rows";
    BadSetting = "E0601", "a setting has an impossible value";
    NonFinite = "E0602", "a value became infinite or not a number";
    Checkpoint = "E0603", "a checkpoint does not belong to this model";
    Output = "E0604", "an output cannot be written";
    Degenerate = "E0605", "an estimate does not exist";
    Fell = "E0606", "an objective fell that cannot fall";
    Required = "E0610", "what a function requires does not hold";
    NotSupportedYet = "E0901", "a construct is not supported yet";
    Internal = "E0999", "the compiler broke one of its own rules";
}

impl FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Code, ()> {
        Code::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
