//! Loops -> native code, through Cranelift or as wide code, all of a plan in one module.

use super::lanes::Emit;
use super::nest::emit_nest;
use super::scalar::{TILE, externs};
use super::schedule::Schedule;
use super::{Instructions, wide};
use crate::backend::Precision;
use crate::base::Diagnostic;
use crate::kernel::Loop;
use cranelift::codegen::Context;
use cranelift::prelude::*;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use std::collections::HashMap;
use std::fmt::Display;

/// A compiled loop: the table of its slots, and the turns to run of the outermost parallel axis.
pub type LoopFn = unsafe extern "C" fn(*const *mut u8, i64, i64);

/// One loop, compiled.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    pub function: LoopFn,
    /// Turns of the outermost parallel axis; 1 if there is none
    pub turns: usize,
    /// Parts of the turns start at multiples of this
    pub multiple: usize,
}

/// The axis whose turns a caller asks for, and how many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outer {
    pub axis: usize,
    pub turns: usize,
}

/// A loop's code as text: as given to Cranelift, and as it came out.
#[derive(Clone, Debug)]
pub struct Text {
    pub intermediate: String,
    pub machine: String,
}

/// Compiles loops into one module.
pub struct Compiler {
    module: JITModule,
    context: Context,
    functions: FunctionBuilderContext,
    externs: HashMap<&'static str, FuncId>,
    pub precision: Precision,
    fma: bool,
    wide: bool,
    /// The code of each loop as text, if asked for
    pub texts: Option<Vec<Text>>,
    defined: Vec<(FuncId, usize, usize)>,
    /// The functions of loops met before
    known: HashMap<(Loop, Option<Outer>), usize>,
}

/// The machine code of a plan. Must outlive every call of its functions.
pub struct Code {
    module: Option<JITModule>,
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the plan that calls the functions owns this and is being dropped.
            unsafe { module.free_memory() }
        }
    }
}

fn failed(error: impl Display) -> Diagnostic {
    Diagnostic::internal(format!("code generation: {error}"))
}

impl Compiler {
    pub fn new(precision: Precision, keep_texts: bool, instructions: Instructions) -> Result<Compiler, Diagnostic> {
        let mut flags = settings::builder();
        let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
        for (name, value) in
            [("opt_level", "speed"), ("enable_verifier", verifier), ("is_pic", "false"), ("use_colocated_libcalls", "false")]
        {
            flags.set(name, value).map_err(failed)?;
        }
        let isa = cranelift_native::builder().map_err(failed)?.finish(settings::Flags::new(flags)).map_err(failed)?;
        let fma =
            isa.isa_flags().iter().any(|flag| flag.name == "has_fma" && flag.as_bool() == Some(true)) || cfg!(target_arch = "aarch64");
        let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
        for function in externs() {
            builder.symbol(function.name, function.address);
        }
        let mut module = JITModule::new(builder);
        let mut ids = HashMap::new();
        for function in externs() {
            let ty = match function.name.rsplit('_').next() {
                Some("f32") => types::F32,
                Some("f64") => types::F64,
                Some("i32") => types::I32,
                _ => types::I64,
            };
            let mut signature = module.make_signature();
            signature.params = vec![AbiParam::new(ty); function.operands];
            signature.returns = vec![AbiParam::new(ty)];
            let id = module.declare_function(function.name, Linkage::Import, &signature).map_err(failed)?;
            ids.insert(function.name, id);
        }
        Ok(Compiler {
            context: module.make_context(),
            functions: FunctionBuilderContext::new(),
            externs: ids,
            precision,
            fma,
            wide: instructions == Instructions::Widest && wide::is_supported(),
            texts: keep_texts.then(Vec::new),
            defined: vec![],
            known: HashMap::new(),
            module,
        })
    }

    /// The number among the functions of [`Compiler::finish`] of a loop over slots, with `outer` for turns of that axis. Equal loops
    /// share a function.
    pub fn function(&mut self, nest: Loop, outer: Option<Outer>) -> Result<usize, Diagnostic> {
        let key = (nest, outer);
        if let Some(&number) = self.known.get(&key) {
            return Ok(number);
        }
        let number = self.compile(&key.0, outer)?;
        self.known.insert(key, number);
        Ok(number)
    }

    fn compile(&mut self, nest: &Loop, outer: Option<Outer>) -> Result<usize, Diagnostic> {
        let number = self.defined.len();
        let mut signature = self.module.make_signature();
        signature.params = vec![AbiParam::new(types::I64); 3];
        let id = self.module.declare_function(&format!("loop{number}"), Linkage::Local, &signature).map_err(failed)?;
        let function = if self.wide { wide::compile(nest, self.precision, outer, self.texts.is_some()) } else { None };
        let (turns, multiple) = match function {
            Some(function) => self.define_wide(id, function)?,
            None => self.define_portable(id, signature, nest, outer)?,
        };
        self.defined.push((id, turns, multiple));
        Ok(number)
    }

    /// Defines a function of wide code; its turns and what parts of them are multiples of.
    fn define_wide(&mut self, id: FuncId, function: wide::Function) -> Result<(usize, usize), Diagnostic> {
        self.module.define_function_bytes(id, TILE as u64, &function.bytes, &[]).map_err(failed)?;
        if let (Some(texts), Some((intermediate, machine))) = (&mut self.texts, function.text) {
            texts.push(Text { intermediate, machine });
        }
        Ok((function.turns, function.multiple))
    }

    /// Defines a function through Cranelift; its turns and what parts of them are multiples of.
    fn define_portable(
        &mut self,
        id: FuncId,
        signature: Signature,
        nest: &Loop,
        outer: Option<Outer>,
    ) -> Result<(usize, usize), Diagnostic> {
        let schedule = Schedule::new(nest, self.precision, outer);
        let outermost = schedule.order.first().filter(|_| schedule.parallel > 0);
        let turns = outermost.map_or(1, |&axis| nest.axes[axis].extent);
        let multiple = if schedule.vector == Some(0) { schedule.lanes * schedule.copies } else { 1 };
        self.context.func.signature = signature;
        let frontend = self.module.isa().frontend_config();
        let emit = Emit {
            b: FunctionBuilder::new(&mut self.context.func, &mut self.functions),
            precision: self.precision,
            fma: self.fma,
            module: &mut self.module,
            externs: &self.externs,
            imported: HashMap::new(),
        };
        let builder = emit_nest(emit, nest, schedule);
        builder.finalize(frontend);
        let text = self.texts.as_ref().map(|_| self.context.func.display().to_string());
        self.context.want_disasm = text.is_some();
        self.module.define_function(id, &mut self.context).map_err(failed)?;
        if let (Some(texts), Some(intermediate)) = (&mut self.texts, text) {
            let machine = self.context.compiled_code().and_then(|code| code.vcode.clone()).unwrap_or_default();
            texts.push(Text { intermediate, machine });
        }
        self.module.clear_context(&mut self.context);
        Ok((turns, multiple))
    }

    /// The functions, ready to be called while the code is alive.
    pub fn finish(mut self) -> Result<(Code, Vec<Native>), Diagnostic> {
        self.module.finalize_definitions().map_err(failed)?;
        let native = |&(id, turns, multiple): &(FuncId, usize, usize)| {
            let address = self.module.get_finalized_function(id);
            // SAFETY: the function was defined with this signature.
            let function = unsafe { std::mem::transmute::<*const u8, LoopFn>(address) };
            Native { function, turns, multiple }
        };
        let natives = self.defined.iter().map(native).collect();
        Ok((Code { module: Some(self.module) }, natives))
    }
}
