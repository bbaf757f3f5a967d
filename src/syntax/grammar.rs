//! The pest parser of `grammar/tilde.pest`, and the user's words for its rules.

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../grammar/tilde.pest"]
pub(super) struct Grammar;

impl Rule {
    /// Punctuation and keywords: they separate the parts of a construct and are none themselves.
    pub(super) fn is_mark(self) -> bool {
        use Rule::*;
        matches!(
            self,
            EOI | equals
                | propto
                | tilde
                | bar
                | arrow
                | comma
                | semicolon
                | dot
                | path_sep
                | type_colon
                | setting_colon
                | open_paren
                | close_paren
                | open_bracket
                | close_bracket
                | open_brace
                | close_brace
                | open_angle
                | close_angle
                | log_name
        ) || self.keyword().is_some()
    }

    /// The word that a keyword rule stands for.
    fn keyword(self) -> Option<&'static str> {
        use Rule::*;
        Some(match self {
            kw_use => "use",
            kw_dim => "dim",
            kw_let => "let",
            kw_data => "data",
            kw_var => "var",
            kw_global => "global",
            kw_param => "param",
            kw_fn => "fn",
            kw_layer => "layer",
            kw_net => "net",
            kw_objective => "objective",
            kw_metric => "metric",
            kw_train => "train",
            kw_sample => "sample",
            kw_dist => "dist",
            kw_bijector => "bijector",
            kw_optimizer => "optimizer",
            kw_kernel => "kernel",
            kw_rule => "rule",
            kw_process => "process",
            kw_state => "state",
            kw_from => "from",
            kw_as => "as",
            kw_in => "in",
            kw_for => "for",
            kw_while => "while",
            kw_repeat => "repeat",
            kw_update => "update",
            kw_maximize => "maximize",
            kw_minimize => "minimize",
            kw_over => "over",
            kw_by => "by",
            kw_exactly => "exactly",
            kw_with => "with",
            kw_if => "if",
            kw_then => "then",
            kw_else => "else",
            kw_dt => "dt",
            kw_dw => "dW",
            _ => return None,
        })
    }

    /// The punctuation that a delimiter rule stands for.
    fn punctuation(self) -> Option<&'static str> {
        use Rule::*;
        Some(match self {
            equals => "=",
            propto => "∝",
            tilde => "~",
            bar => "|",
            arrow => "->",
            at_most => "<=",
            comma => ",",
            dot => ".",
            path_sep => "::",
            type_colon | setting_colon => ":",
            open_paren => "(",
            close_paren => ")",
            open_bracket => "[",
            close_bracket => "]",
            open_brace => "{",
            close_brace => "}",
            open_angle => "<",
            close_angle => ">",
            dots => "..",
            _ => return None,
        })
    }

    /// What a reader would call the construct, for "expected …".
    pub(super) fn words(self) -> String {
        use Rule::*;
        if let Some(spelling) = self.keyword().or(self.punctuation()) {
            return format!("`{spelling}`");
        }
        match self {
            EOI => "the end of the declaration",
            semicolon => "a new line or `;`",
            ident | name | differential => "a name",
            text => "a text in double quotes",
            type_expr | named_type | paren_type => "a type",
            variable | factor_vars => "a variable",
            block | train_block | members => "`{`",
            expr | neg | not | log_word | log_name | log_call | number | boolean | paren | list | if_expr | nabla | size | product => {
                "an expression"
            }
            arg | args | named_arg => "an argument",
            clause => "an index such as `i in D`",
            parallel | or | and | eq | ne | le | ge | lt | gt | join | add | sub | mul | div | matmul | pow | transpose | ito_sign => {
                "an operator"
            }
            call | bracket | member_access => "an operator",
            setting => "a setting such as `batch: 100`",
            pattern => "a name or a tuple of names",
            ito => "a stochastic differential such as `dx = f dt + g dW`",
            markov => "a kernel such as `x[t] | x[t-1] ~ Normal(x[t-1], 1)`",
            _ if self.is_declaration() => "a declaration",
            _ => "a statement",
        }
        .to_string()
    }

    pub(super) fn is_declaration(self) -> bool {
        use Rule::*;
        matches!(
            self,
            use_decl
                | dim_decl
                | let_decl
                | data_decl
                | var_decl
                | param_decl
                | fn_decl
                | layer_decl
                | net_decl
                | factor_decl
                | density_decl
                | equation_decl
                | process_decl
                | objective_decl
                | metric_decl
                | train_decl
                | sample_decl
                | dist_decl
                | bijector_decl
                | optimizer_decl
                | kernel_decl
                | rule_decl
        )
    }
}
